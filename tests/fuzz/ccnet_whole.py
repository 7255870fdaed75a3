"""CCNET: the machine and the simulated device."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.api.cash import CashCommand
from drivers.cash.ccnet.framing import frame
from drivers.cash.ccnet.machine import Machine
from drivers.cash.ccnet.messages import (
    Command,
    Request,
    decode_request,
    encode_request,
)
from drivers.cash.ccnet.simulator_device import Validator
from drivers.cash.ccnet.timing import Timing
from drivers.cash.steps import CashMachine
from drivers.simulation.cash_device import SimulatedCash
from drivers.simulation.notes import Vault
from tests.fuzz import devices, machines
from tests.fuzz.ccnet import COMMANDS, LIKELY, PLAIN, STATES, TABLE
from tests.fuzz.decoder import Decoder, must

_MOVES = {Command.STACK: CashCommand.STACK, Command.RETURN: CashCommand.RETURN}


# --- the machine ----------------------------------------------------------------------------------------------------


class _Device:
    """The device's end."""

    def __init__(self) -> None:
        self._asked = Command.POLL

    def hear(self, data: bytes) -> CashCommand | None:
        must(frame(data[3:-2]) == data, "it sends what is no frame")
        command = decode_request(data[3:-2]).command
        if command not in (Command.ACK, Command.NAK):
            self._asked = command
        return _MOVES.get(command)

    def wrap(self, payload: bytes) -> bytes:
        return frame(payload or b"\0")

    def likely(self, choice: int) -> bytes:
        answers = LIKELY.get(self._asked, PLAIN)
        return frame(answers[choice % len(answers)])


def _make_machine(choice: int) -> tuple[CashMachine, machines.Peer]:
    return Machine(Timing()), _Device()


def _machine(data: bytes) -> None:
    machines.check(_make_machine, data)


def _machine_seeds() -> Iterator[bytes]:
    idle, shut, escrow, stacked = (STATES.index(bytes(state)) for state in (b"\x14", b"\x19", b"\x80\x02", b"\x81\x02"))
    begin = bytes((0, 0, 3, shut, 7, 3, 0, 7, 3, 0, 10, 7, 3, shut, 7, 3, 0, 7, 3, 0, 7, 3, 0))
    note = bytes((12, 7, 3, 0, 7, 3, idle, 7, 3, escrow, 0x2C, 7, 3, 0, 7, 3, stacked, 11, 7, 3, idle, 7, 3, 0))
    yield begin
    yield begin + note + note
    yield begin + note[:14] + bytes((0x3C, 7, 13, 40, 7, 3, stacked, 15))
    yield bytes((0, 0xFF, 3, 1, 7, 3, 0, 7, 3, 0, 10)) + begin
    for state in range(len(STATES)):
        yield begin + bytes((7, 3, state, 7, 3, state, 15, 7, 3, shut, 10, 7, 3, idle))


# --- the simulated device -------------------------------------------------------------------------------------------


class _Host:
    """The host's end."""

    _REQUESTS = tuple(
        frame(encode_request(request))
        for request in (
            *(Request(command) for command in COMMANDS if command is not Command.SET_SECURITY),
            Request(Command.ENABLE_NOTE_TYPES, frozenset(range(24)), frozenset(range(24))),
            Request(Command.ENABLE_NOTE_TYPES, frozenset(range(24))),
        )
    )

    def request(self, choice: int) -> bytes:
        return self._REQUESTS[choice % len(self._REQUESTS)]

    def wrap(self, payload: bytes) -> bytes:
        return frame(payload or b"\0")

    def hear(self, answer: bytes) -> None:
        pass


def _make_device(choice: int) -> tuple[SimulatedCash, devices.Host]:
    device = Validator(Vault(None), TABLE, "SIM000000001", 0.3, devices.SCRIPT if choice & 1 else ())
    device.forgets_count, device.remembers_credit = bool(choice & 2), bool(choice & 4)
    return device, _Host()


def _device(data: bytes) -> None:
    devices.check(_make_device, data)


def _device_seeds() -> Iterator[bytes]:
    ack, reset, poll, stack, enable = 0, 2, 4, 6, 12
    yield from devices.seeds((poll, reset, poll, enable, poll), (poll, stack, poll, poll, ack, poll))


DECODERS = (
    Decoder("ccnet-machine", _machine, _machine_seeds, 160, story=True),
    Decoder("ccnet-simulator", _device, _device_seeds, 160, story=True),
)
