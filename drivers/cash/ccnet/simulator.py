"""``guichet-sim ccnet``: a CCNET validator on a pty, with a control socket for the hands of a person.

Control lines: ``insert 20 EUR``, ``insert unreadable``, ``insert unknown``, ``wait STATE``, ``state``, ``notes``,
``power off|on``, ``box out|full|NAME``, ``jam``, ``free``, ``cheat``, ``failure``, ``mute on|off``, ``garbage N``,
``lose N``, ``pace SECONDS``, ``help``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

from drivers.cash.ccnet.messages import NoteTable, State, encode_note_table
from drivers.cash.ccnet.simulator_device import Validator
from drivers.simulation.control import serve_control
from drivers.simulation.notes import Vault
from drivers.simulation.port import serve_pty
from drivers.transport.api import ByteTransport
from guichet.money import parse_money

_FACES = ("5 EUR", "10 EUR", "20 EUR", "50 EUR", "100 EUR", "200 EUR", "500 EUR", "20 USD")
_FIRST_TYPE = 2
_WAIT_SECONDS = 20.0
_LOOK_SECONDS = 0.005


def default_table() -> NoteTable:
    """Euro notes and one foreign one, from type 2 on: the first type of a real table need not be 0 either."""
    return encode_note_table({_FIRST_TYPE + n: parse_money(face) for n, face in enumerate(_FACES)})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of this simulator."""
    parser.add_argument("--pty", type=Path, required=True, help="where the serial port appears (a link)")
    parser.add_argument("--control", type=Path, required=True, help="where the control socket appears")
    parser.add_argument("--state", type=Path, help="file that keeps notes and counter across power cuts")
    parser.add_argument("--serial", default="SIM000000001", help="serial number, 12 characters at most")
    parser.add_argument("--pace", type=float, default=0.3, help="seconds that one movement of paper takes")
    parser.add_argument("--no-counter", action="store_true", help="a firmware without the counter of stacked notes")


async def run(arguments: argparse.Namespace) -> None:
    """Be a validator until cancelled."""
    device = Validator(Vault.open(arguments.state), default_table(), arguments.serial[:12], arguments.pace)
    device.faults.forgets_count = arguments.no_counter
    transport = serve_pty("ccnet simulator", arguments.pty)
    hands = Hands(device, time.monotonic)
    server = await serve_control(arguments.control, hands.act)
    print(f"ccnet validator {device.serial} at {arguments.pty}, control at {arguments.control}", flush=True)
    try:
        await serve(device, transport, time.monotonic)
    finally:
        server.close()
        transport.close()


async def serve(device: Validator, transport: ByteTransport, monotonic: Callable[[], float]) -> None:
    """Answer what comes on the line, until it is gone."""
    while True:
        answer = device.receive(await transport.read(), monotonic())
        if answer:
            transport.write(answer)


class Hands:
    """What a person can do to the device, as control lines."""

    def __init__(self, device: Validator, monotonic: Callable[[], float]) -> None:
        self._device = device
        self._now = monotonic

    async def act(self, line: str) -> str:
        """Do what ``line`` says. Raises ValueError for what cannot be understood or done."""
        verb, _, rest = line.partition(" ")
        device, now = self._device, self._now()
        device.advance(now)
        match verb:
            case "insert":
                return self._insert(rest)
            case "wait":
                return await self._wait(rest)
            case "state":
                return json.dumps({"state": device.state.name.lower(), "powered": device.powered})
            case "notes":
                return device.vault.as_json()
            case "power":
                _choose(rest, {"off": lambda: device.cut_power(now), "on": lambda: device.restore_power(now)})
            case "box":
                self._box(rest)
            case "jam" | "free" | "cheat" | "failure":
                self._trouble(verb)
            case "mute" | "garbage" | "lose" | "pace":
                self._disturb(verb, rest)
            case "help":
                return " ".join((__doc__ or "").split())
            case _:
                raise ValueError(f"not understood: {line!r} (try 'help')")
        return ""

    def _insert(self, what: str) -> str:
        device, values = self._device, self._device.table.values
        if what == "unreadable":
            note = device.insert("20.00 EUR", _FIRST_TYPE + 2, self._now(), readable=False)
        elif what == "unknown":
            note = device.insert("unknown", max(values) + 1, self._now())
        else:
            face = parse_money(what if " " in what else f"{what} EUR")
            types = [kind for kind, value in values.items() if value == face]
            # Paper that the table does not know is not recognised as anything.
            note = device.insert(str(face), types[0] if types else 0, self._now(), readable=bool(types))
        return f"note {note.number}"

    async def _wait(self, name: str) -> str:
        try:
            wanted = State[name.upper()]
        except KeyError as error:
            raise ValueError(f"no state {name!r}; one of {', '.join(s.name.lower() for s in State)}") from error
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                while self._device.state is not wanted:
                    await asyncio.sleep(_LOOK_SECONDS)
                    self._device.advance(self._now())
        except TimeoutError as error:
            raise ValueError(f"not {name} within {_WAIT_SECONDS:g} s: {self._device.state.name.lower()}") from error
        return name

    def _box(self, what: str) -> None:
        now = self._now()
        if what == "full":
            self._device.trouble(State.BOX_FULL, now)
        elif what:
            self._device.exchange_box(None if what == "out" else what, now)
        else:
            raise ValueError("box out, box full or box NAME")

    def _trouble(self, verb: str) -> None:
        device, now = self._device, self._now()
        match verb:
            case "jam":
                device.faults.jam = True
            case "free":
                device.free_jam(now)
            case "cheat":
                device.trouble(State.CHEATED, now)
            case _:
                device.trouble(State.FAILURE, now)

    def _disturb(self, verb: str, value: str) -> None:
        faults = self._device.faults
        match verb:
            case "mute":
                faults.mute = value == "on"
            case "garbage":
                faults.garbage = int(value)
            case "lose":
                faults.lost = int(value)
            case _:
                self._device.stage_seconds = float(value)


def _choose(word: str, actions: dict[str, Callable[[], None]]) -> None:
    if word not in actions:
        raise ValueError(f"one of: {', '.join(actions)}")
    actions[word]()
