"""A PIN pad on a pty.

The keys are pressed through the control socket, whose answers never repeat them. The state file is the pad's memory of
its key and counter; it is on disk before a key is used.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import secrets
import signal
import time
from pathlib import Path
from typing import cast

from drivers.errors import TransportError
from drivers.pinpad import messages as m
from drivers.pinpad.framing import SILENCE_SECONDS, Deframer, encode_frame
from drivers.pinpad.software import Key, KeyState, SoftwarePad
from drivers.simulation.control import serve_control
from drivers.simulation.help import help_text
from drivers.simulation.memory import BadMemory
from drivers.simulation.port import serve_pty
from drivers.transport.api import ByteTransport

_TICK_SECONDS = 0.25
_HEX_KEY, _HEX_KEY_ID = re.compile("[0-9A-Fa-f]{32}"), re.compile("[0-9A-Fa-f]{16}")

HELP = help_text(
    ("press DIGITS", "press these keys, during an entry"),
    ("enter", "the entry is complete"),
    ("clear", "take back what was pressed"),
    ("cancel", "end the entry without a PIN"),
    ("load-key KEY KEY-ID", "a key from a key loader: 32 and 16 hexadecimal digits"),
    ("silent", "says nothing to its host"),
    ("answering", "speaks again"),
    ("state", "whether an entry goes on and what the pad knows, as JSON"),
    ("help", "this list"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``guichet-sim pinpad``."""
    parser.add_argument("--pty", required=True, type=Path, help="a link to the pad's serial line is made here")
    parser.add_argument("--control", required=True, type=Path, help="control socket; tell it 'help'")
    parser.add_argument("--state", required=True, type=Path, help="the pad's memory: its key and counter")
    parser.add_argument("--serial", default="SPP-000001", help="the pad's serial number")


async def run(arguments: argparse.Namespace) -> None:
    """Be a PIN pad until a signal ends the process. Raises :class:`BadMemory`."""
    transport = serve_pty("pinpad", arguments.pty)
    simulated = SimulatedPad(str(arguments.serial), FileKeyStore(arguments.state), transport)
    served = asyncio.create_task(simulated.serve())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, served.cancel)
    server = await serve_control(arguments.control, simulated.handle)
    try:
        await served
    except asyncio.CancelledError:
        pass  # the signal: an orderly end
    finally:
        server.close()
        transport.close()
        arguments.control.unlink(missing_ok=True)


class FileKeyStore:
    """A :class:`drivers.pinpad.software.KeyStore`: one JSON file, replaced whole, readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> KeyState | None:
        """What was saved. Raises :class:`BadMemory`: to begin again at counter 0 would repeat keys."""
        if not self._path.exists():
            return None
        try:
            content = cast("dict[str, str | int]", json.loads(self._path.read_text("ascii")))
            key, key_id = bytes.fromhex(str(content["key"])), bytes.fromhex(str(content["key_id"]))
            return KeyState(Key(key), key_id, int(content["counter"]))
        except (ValueError, LookupError, TypeError):
            raise BadMemory(f"{self._path} is damaged: enrol anew, with a new key id") from None

    def save(self, state: KeyState) -> None:
        """Write, sync, rename, sync the folder: the old state or the new one, never a part."""
        content = {"key": state.key.value.hex(), "key_id": state.key_id.hex(), "counter": state.counter}
        fresh = self._path.with_name(self._path.name + ".new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class SimulatedPad:
    """The software pad at the end of a wire, with somebody to press its keys."""

    def __init__(self, serial: str, store: FileKeyStore, transport: ByteTransport) -> None:
        self._transport = transport
        self._deframer = Deframer()
        self._silent = False
        self._pad = SoftwarePad(serial, store, time.monotonic, secrets.token_bytes, self._tell)

    async def serve(self) -> None:
        """Answer the line until it is closed, and let time pass."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._tick())

    async def _listen(self) -> None:
        heard = time.monotonic()
        while True:
            data = await self._transport.read()
            now = time.monotonic()
            if now - heard > SILENCE_SECONDS:
                self._deframer.forget()
            heard = now
            for frame in self._deframer.feed(data):
                if not self._silent:
                    self._send(encode_frame(self._pad.answer(frame)))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self._pad.tick()

    def _tell(self, event: m.EntryChanged) -> None:
        if not self._silent:
            self._send(encode_frame(m.encode(m.EVENT_SEQUENCE, event)))

    def _send(self, data: bytes) -> None:
        try:
            self._transport.write(data)
        except TransportError as error:
            if error.code != "stalled":
                raise
            # Nobody reads the line: what the pad says is lost, as on a real one.

    async def handle(self, line: str) -> str:
        """One line of the control socket."""
        match line.split():
            case ["press", digits] if digits.isascii() and digits.isdecimal():
                self._pad.press(digits)
                return self._entry()
            case ["enter"]:
                self._pad.enter()
                return self._entry()
            case ["clear"]:
                self._pad.clear()
                return self._entry()
            case ["cancel"]:
                self._pad.cancel()
                return self._entry()
            case ["load-key", key, key_id]:
                return self._load(key, key_id)
            case ["silent" | "answering" as word]:
                self._silent = word == "silent"
                return word
            case ["state"]:
                return self._state()
            case ["help"]:
                return HELP
            case _:
                raise ValueError("not understood (try 'help')")

    def _entry(self) -> str:
        return f"entering, {self._pad.digits} digits" if self._pad.entering else "no entry"

    def _load(self, key: str, key_id: str) -> str:
        if _HEX_KEY.fullmatch(key) is None or _HEX_KEY_ID.fullmatch(key_id) is None:
            raise ValueError("load-key takes 32 hex digits of key and 16 of key id")
        secret, name = Key(bytes.fromhex(key)), bytes.fromhex(key_id)
        answer = self._pad.load_key(name, secret)
        if answer != m.KeyLoaded():
            raise ValueError(f"the pad says {answer}")
        return "loaded"

    def _state(self) -> str:
        status = self._pad.status
        content = {
            "entering": self._pad.entering,
            "digits": self._pad.digits,
            "key_id": status.key_id.hex() if status.key_loaded else None,
            "counter": status.counter,
        }
        return json.dumps(content)
