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
from drivers.cash.steps import Acknowledge, CashMachine
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
        self._open = False

    @property
    def wants(self) -> machines.Wants:
        if not self._open:
            return machines.Wants.NOTHING
        return machines.Wants.NEWS if self._asked is Command.POLL else machines.Wants.ANSWER

    def hear(self, data: bytes) -> CashCommand | Acknowledge | None:
        must(frame(data[3:-2]) == data, "it sends what is no frame")
        command = decode_request(data[3:-2]).command
        if command not in (Command.ACK, Command.NAK):
            self._asked, self._open = command, True
        return Acknowledge() if command is Command.ACK else _MOVES.get(command)

    def wrap(self, payload: bytes) -> bytes:
        return frame(payload or b"\0")

    def likely(self, choice: int) -> bytes:
        self._open = False
        answers = LIKELY.get(self._asked, PLAIN)
        return frame(answers[choice % len(answers)])


def make_machine(choice: int) -> tuple[CashMachine, machines.Peer]:
    return Machine(Timing()), _Device()


def _machine(data: bytes) -> None:
    machines.play(make_machine, data)


def machine_seeds() -> Iterator[bytes]:
    def at(*state: int) -> int:
        return STATES.index(bytes(state))

    up, begins, shut, idle = at(0x10), at(0x13), at(0x19), at(0x14)
    rejects = at(0x1C, 0x68)
    arrives = (idle, at(0x15), at(0x80, 2))
    ready = (up, machines.PROCEED, begins, shut, shut, shut, machines.ENABLE, *arrives)
    stacked = (machines.STACK, at(0x17), at(0x81, 2), machines.ACKNOWLEDGE, idle, idle)
    returned = (machines.RETURN, at(0x18), at(0x82, 2), machines.ACKNOWLEDGE, idle, idle)
    yield machines.story(
        make_machine, 0, (*ready, *stacked, *arrives, *returned, machines.DISABLE, rejects, shut, shut)
    )
    yield machines.story(make_machine, 0, (*ready, *arrives, machines.AGAIN, idle))
    for state in range(len(STATES)):
        begins_so = (state, machines.PROCEED, shut, shut)
        goes_so = (*ready, machines.STACK, state, machines.ACKNOWLEDGE, shut)
        yield machines.story(make_machine, 0, begins_so if state % 3 == 0 else goes_so)


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
    Decoder("ccnet-machine", _machine, machine_seeds, 384, story=True),
    Decoder("ccnet-simulator", _device, _device_seeds, 160, story=True),
)
