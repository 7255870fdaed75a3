"""An ESC/POS printer that prints into a folder, on a pty or a TCP port.

Each document that the knife cuts becomes ``receipt-0001.png`` and ``receipt-0001.txt`` and so on. The control socket
takes the lines that ``help`` lists.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

from drivers.api.printer import Paper
from drivers.errors import TransportError
from drivers.printer.escpos.layout import COLUMNS
from drivers.printer.escpos.simulator_machine import Fault, Machine
from drivers.printer.escpos.simulator_paper import Strip
from drivers.simulation.control import serve_control
from drivers.simulation.help import help_text
from drivers.simulation.port import accept_tcp, listen_tcp, serve_pty, tcp_port
from drivers.transport.api import ByteTransport

_DEVICE = "simulated printer"
_HELP = help_text(
    ("paper out|near-end|adequate", "how much paper there is"),
    ("cover open|closed", "open it; close it"),
    ("offline", "the printer's own key: it prints nothing"),
    ("online", "it prints again"),
    ("fault none|mechanical|cutter|unrecoverable|overheated", "an error of the printer's own, or none"),
    ("mute", "says nothing to its host"),
    ("unmute", "speaks again"),
    ("stall", "takes no bytes"),
    ("go", "takes them again"),
    ("lines N then WORDS", "after N more lines on paper, any of the above: lines 3 then paper out"),
    ("state", "how it is, as JSON"),
    ("documents", "what it has printed, as JSON"),
    ("help", "this list"),
)
_PAPERS = {"out": Paper.OUT, "near-end": Paper.NEAR_END, "adequate": Paper.ADEQUATE}


class Printer:
    """The machine, its wire and the folder into which its paper falls."""

    def __init__(self, folder: Path, columns: int = 48) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._machine = Machine(columns, self._eject)
        self._documents: list[dict[str, str | int | bool]] = []
        self._number = max((int(path.stem[8:]) for path in folder.glob("receipt-[0-9][0-9][0-9][0-9].png")), default=0)
        self._say: Callable[[bytes], None] = _unheard
        self._mute = False
        self._taking = asyncio.Event()
        self._taking.set()

    def _eject(self, strip: Strip) -> None:
        self._number += 1
        picture = self._folder / f"receipt-{self._number:04d}.png"
        text = picture.with_suffix(".txt")
        text.write_text(strip.text(), encoding="utf-8")
        picture.write_bytes(strip.png())
        document = {"number": self._number, "png": str(picture), "text": str(text), "complete": strip.complete}
        self._documents.append(document)

    async def serve(self, transport: ByteTransport) -> None:
        """Be the printer at the other end of ``transport`` until it is gone."""

        def say(data: bytes) -> None:
            if data and not self._mute:
                transport.write(data)

        self._say = say
        try:
            while True:
                await self._taking.wait()
                data = await transport.read()
                await self._taking.wait()
                say(self._machine.receive(data))
        except TransportError:
            return
        finally:
            self._say = _unheard
            transport.close()

    # --- the outside --------------------------------------------------------------------------------------------------

    async def control(self, line: str) -> str:
        """Act on the metal: see ``help``. Raises ValueError for what it does not understand."""
        match line.split():
            case ["help"]:
                return _HELP
            case ["state"]:
                return self._state()
            case ["documents"]:
                return json.dumps(self._documents)
            case ["lines", number, "then", *words] if number.isdecimal():
                self._machine.after_lines(int(number), self._movement(words))
            case words:
                self._movement(words)()
                self._say(self._machine.resume())
        return ""

    def _movement(self, words: list[str]) -> Callable[[], None]:
        machine = self._machine
        match words:
            case ["paper", amount] if amount in _PAPERS:
                return partial(machine.load, _PAPERS[amount])
            case ["cover", "open" | "closed" as cover]:
                return partial(setattr, machine, "cover_open", cover == "open")
            case ["offline" | "online" as word]:
                return partial(setattr, machine, "offline", word == "offline")
            case ["mute" | "unmute" as word]:
                return partial(setattr, self, "_mute", word == "mute")
            case ["stall"]:
                return self._taking.clear
            case ["go"]:
                return self._taking.set
            case ["fault", fault] if fault.upper() in Fault.__members__:
                return partial(setattr, machine, "fault", Fault[fault.upper()])
            case _:
                raise ValueError(f"not understood: {' '.join(words)!r} (try 'help')")

    def _state(self) -> str:
        machine = self._machine
        state: dict[str, str | int | bool] = {
            "paper": machine.paper.value,
            "cover_open": machine.cover_open,
            "online": not machine.stopped,
            "fault": machine.fault.name.lower(),
            "mute": self._mute,
            "stalled": not self._taking.is_set(),
            "buffered": machine.buffered,
            "documents": len(self._documents),
        }
        return json.dumps(state)


def _unheard(data: bytes) -> None:
    """Nobody is at the other end."""


# --- the command ----------------------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``guichet-sim printer``."""
    wire = parser.add_mutually_exclusive_group(required=True)
    wire.add_argument("--pty", type=Path, metavar="LINK", help="stand at a new pty, found at LINK")
    listening = "listen on 127.0.0.1:PORT; 0: any free one, which it says"
    wire.add_argument("--tcp", type=tcp_port, metavar="PORT", help=listening)
    parser.add_argument("--control", type=Path, required=True, metavar="SOCK", help="the control socket's path")
    parser.add_argument("--paper", type=Path, required=True, metavar="DIR", help="where documents fall")
    parser.add_argument("--columns", type=int, choices=COLUMNS, default=48, help="characters in a line (48)")


async def run(arguments: argparse.Namespace) -> None:
    """Print until SIGTERM or Ctrl-C. The control socket appears when the printer is there."""
    printer = Printer(arguments.paper, arguments.columns)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    wires, where = _wires(arguments)
    control = await serve_control(arguments.control, printer.control)
    serving = asyncio.ensure_future(_serve(printer, wires))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        print(f"printer at {where}, control at {arguments.control}", flush=True)
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
    finally:
        control.close()
        arguments.control.unlink(missing_ok=True)
        for task in (serving, stopping):
            task.cancel()
        await asyncio.gather(serving, stopping, return_exceptions=True)


async def _serve(printer: Printer, wires: AsyncIterator[ByteTransport]) -> None:
    async for wire in wires:
        await printer.serve(wire)


def _wires(arguments: argparse.Namespace) -> tuple[AsyncIterator[ByteTransport], str]:
    """The lines that it stands at, one after the other, and where. Raises OSError where it cannot stand."""
    if arguments.pty is not None:
        return _pty(arguments.pty), str(arguments.pty)
    listener, where = listen_tcp(arguments.tcp)
    return _tcp(listener), where


def _pty(link: Path) -> AsyncIterator[ByteTransport]:
    wire = serve_pty(_DEVICE, link)

    async def once() -> AsyncIterator[ByteTransport]:
        yield wire

    return once()


async def _tcp(listener: socket.socket) -> AsyncIterator[ByteTransport]:
    with listener:
        while True:
            yield await accept_tcp(_DEVICE, listener)
