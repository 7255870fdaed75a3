"""``guichet-sim`` for cash devices: a simulated device as a process, on a pty or a TCP port, with hands to it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from drivers.errors import TransportError
from drivers.simulation.cash_device import SimulatedCash
from drivers.simulation.control import HandleLine, serve_control
from drivers.simulation.hands import Hands
from drivers.simulation.memory import BadMemory
from drivers.simulation.port import accept_tcp, listen_tcp, serve_pty, tcp_port
from drivers.simulation.script import Rule, ScriptError, parse
from drivers.transport.api import ByteTransport

_SERIAL_LENGTH = 12
_SLOWEST = 3600


def add_arguments(parser: argparse.ArgumentParser, *, serial: str) -> None:
    """The command line that all cash simulators have."""
    line = parser.add_mutually_exclusive_group(required=True)
    line.add_argument("--pty", type=Path, help="where the serial port appears (a link)")
    listening = "listen on this port of 127.0.0.1 instead; 0: any free one, which it says"
    line.add_argument("--tcp", type=tcp_port, metavar="PORT", help=listening)
    parser.add_argument("--control", type=Path, required=True, help="where the control socket appears")
    parser.add_argument("--state", type=Path, help="file that keeps notes and memory across power cuts")
    parser.add_argument("--script", type=Path, help="fault script: what goes wrong, and when")
    parser.add_argument("--serial", type=_serial, default=serial, help=f"serial number ({serial})")
    parser.add_argument("--pace", type=_pace, default=0.3, help="seconds that one movement of paper takes (0.3)")
    parser.add_argument("--prompt", action="store_true", help="take the control socket's lines from the keyboard, too")


def _serial(word: str) -> str:
    if not (0 < len(word) <= _SERIAL_LENGTH and word.isascii() and word.isprintable()):
        raise argparse.ArgumentTypeError(f"1 to {_SERIAL_LENGTH} printable characters of ASCII, not {word!r}")
    return word


def _pace(word: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= (seconds := float(word)) <= _SLOWEST:
            return seconds
    raise argparse.ArgumentTypeError(f"0 to {_SLOWEST} seconds, not {word!r}")


def script_of(arguments: argparse.Namespace) -> tuple[Rule, ...]:
    """The fault script of the command line. Raises :class:`drivers.simulation.memory.BadMemory` for a bad one."""
    if arguments.script is None:
        return ()
    try:
        return parse(arguments.script.read_text(encoding="utf-8"))
    except (ScriptError, UnicodeDecodeError) as error:
        raise BadMemory(f"{arguments.script}: {error}") from error


async def be(name: str, device: SimulatedCash, arguments: argparse.Namespace) -> None:
    """Be ``device`` until cancelled."""
    hands = Hands(device, time.monotonic)
    server = await serve_control(arguments.control, hands.act)
    try:
        serving, where = _serving(name, device, arguments)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serving)
            if arguments.prompt:
                tasks.create_task(_prompt(hands.act))
            print(f"{name} device {device.serial} at {where}, control at {arguments.control}", flush=True)
    finally:
        server.close()
        arguments.control.unlink(missing_ok=True)


def _serving(
    name: str, device: SimulatedCash, arguments: argparse.Namespace
) -> tuple[Coroutine[None, None, None], str]:
    """What serves the line, and where that is. Raises OSError where it cannot be."""
    if arguments.pty is not None:
        return _serve_one(device, serve_pty(f"{name} simulator", arguments.pty)), str(arguments.pty)
    listener, where = listen_tcp(arguments.tcp)
    return _serve_tcp(name, device, listener), where


async def _serve_one(device: SimulatedCash, transport: ByteTransport) -> None:
    try:
        await serve(device, transport, time.monotonic)
    finally:
        transport.close()


async def _serve_tcp(name: str, device: SimulatedCash, listener: socket.socket) -> None:
    """One host after another: a host that goes leaves the device as it is."""
    with listener:
        while True:
            transport = await accept_tcp(f"{name} simulator", listener)
            with contextlib.suppress(TransportError):
                await _serve_one(device, transport)


async def serve(device: SimulatedCash, transport: ByteTransport, monotonic: Callable[[], float]) -> None:
    """Answer what comes on the line, and let time pass, until the line is gone."""
    stirred = asyncio.Event()

    async def listen() -> None:
        while True:
            answer = device.receive(await transport.read(), monotonic())
            if answer:
                transport.write(answer)
            stirred.set()

    async def keep_time() -> None:
        while True:
            late = device.collect(monotonic())
            if late:
                transport.write(late)
            stirred.clear()
            due = device.due
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if due is None else max(0.0, due - monotonic())):
                    await stirred.wait()

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(listen())
            tasks.create_task(keep_time())
    except* TransportError as group:
        gone = group.exceptions[0]
    else:
        return
    raise TransportError("simulator", "hung-up", str(gone))


async def _prompt(handle: HandleLine) -> None:
    """Lines from the keyboard, answered on the screen, until there are no more."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print("lines as for 'guichet-sim tell'; try 'help'", flush=True)
    while line := await reader.readline():
        try:
            print(await handle(line.decode("utf-8", errors="replace").strip()) or "ok", flush=True)
        except (ValueError, LookupError) as error:
            print(f"error: {error}", flush=True)
