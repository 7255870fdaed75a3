"""A chip card in a virtual PC/SC reader.

It speaks the protocol of vpcd, the virtual reader inside pcscd (vsmartcard): over TCP, messages of two bytes of length
and a body. A body of one byte is a signal to the card (0 power off, 1 power on, 2 reset, 4 asks for the answer to
reset, the only one that is answered); any other is a command. A card in the slot is an open connection.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
from contextlib import suppress
from pathlib import Path

from drivers.card.pcsc.simulator_cards import CARDS, CardFile, load_cards
from drivers.card.pcsc.simulator_chip import Chip
from drivers.simulation.control import serve_control
from drivers.simulation.help import help_text

_NOTICED_SECONDS = 10.0
_POWER_OFF, _POWER_ON, _RESET, _SEND_ATR = 0, 1, 2, 4

HELP = help_text(
    ("insert NAME", "put a card in, and wait until the reader has noticed it"),
    ("remove", "take it out"),
    ("list", "the cards there are, as JSON"),
    ("state", "which card is in, as JSON"),
    ("help", "this list"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``guichet-sim card``."""
    parser.add_argument("--vpcd", required=True, metavar="HOST:PORT", help="where the virtual reader listens")
    parser.add_argument("--control", required=True, type=Path, help="control socket: insert NAME, remove, list, state")
    parser.add_argument("--cards", type=Path, default=CARDS, help="a folder of cards (*.toml), or one card's file")


async def run(arguments: argparse.Namespace) -> None:
    """Hold cards into the reader as the control socket says, until a signal ends the process."""
    host, _, port = str(arguments.vpcd).rpartition(":")
    slot = Slot(host or "127.0.0.1", int(port), load_cards(arguments.cards))
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = await serve_control(arguments.control, slot.handle)
    try:
        await stop.wait()
    finally:
        server.close()
        await slot.remove()
        arguments.control.unlink(missing_ok=True)


class Slot:
    """The card slot: at most one card is in it."""

    def __init__(self, host: str, port: int, cards: dict[str, CardFile]) -> None:
        self._address = (host, port)
        self._cards = cards
        self._card: CardFile | None = None
        self._task: asyncio.Task[None] | None = None

    async def handle(self, line: str) -> str:
        """One line of the control socket."""
        match line.split():
            case ["insert", name]:
                return await self.insert(name)
            case ["remove"]:
                return await self.remove()
            case ["list"]:
                return json.dumps({name: f"{card.label} {card.masked}" for name, card in self._cards.items()})
            case ["state"]:
                return json.dumps({"card": self._card.name if self._card else None})
            case ["help"]:
                return HELP
            case _:
                raise ValueError(f"not understood: {line!r} (try 'help')")

    async def insert(self, name: str) -> str:
        """Put a card in; returns when the reader has noticed it."""
        if self._card is not None:
            raise ValueError(f"the card {self._card.name} is in the slot")
        if name not in self._cards:
            raise ValueError(f"no card {name!r}; there are: {', '.join(self._cards)}")
        card = self._cards[name]
        line = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        line.setblocking(False)
        noticed = asyncio.Event()
        try:
            await asyncio.get_running_loop().sock_connect(line, self._address)
        except OSError as error:
            line.close()
            raise ValueError(f"no reader at {self._address[0]}:{self._address[1]}: {error}") from error
        self._card = card
        self._task = asyncio.create_task(self._serve(line, card, noticed))
        try:
            await asyncio.wait_for(noticed.wait(), _NOTICED_SECONDS)
        except TimeoutError:
            await self.remove()
            raise ValueError("the reader took no notice of the card") from None
        return f"{name} is in the slot"

    async def remove(self) -> str:
        """Take the card out."""
        if self._task is None or self._card is None:
            return "the slot was empty"
        name = self._card.name
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        return f"{name} is out"

    async def _serve(self, line: socket.socket, card: CardFile, noticed: asyncio.Event) -> None:
        try:
            await _converse(line, Chip(card), noticed)
        except OSError:
            pass  # the reader is gone, and the card lies on the floor: that is what "state" says then
        finally:
            line.close()
            self._card, self._task = None, None


async def _converse(line: socket.socket, chip: Chip, noticed: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    while True:
        header = await _receive(line, 2)
        body = await _receive(line, int.from_bytes(header, "big"))
        answer = _react(chip, body)
        if body == bytes([_SEND_ATR]):
            noticed.set()
        if answer is not None:
            await loop.sock_sendall(line, len(answer).to_bytes(2, "big") + answer)


def _react(chip: Chip, body: bytes) -> bytes | None:
    if len(body) > 1:
        return chip.answer(body)
    if body == bytes([_SEND_ATR]):
        return chip.atr
    if body and body[0] in (_POWER_OFF, _POWER_ON, _RESET):
        chip.reset()
    return None


async def _receive(line: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = await asyncio.get_running_loop().sock_recv(line, count - len(data))
        # vpcd writes length and body apart and waits in between for our acknowledgement, which Linux else delays 40 ms.
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        if not part:
            raise ConnectionResetError("the reader hung up")
        data += part
    return data
