"""ID-003: the option of country codes, the machine, the simulated device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from drivers.api.cash import CashCommand
from drivers.api.device import DeviceConfig
from drivers.cash.id003.driver import open_device
from drivers.cash.id003.framing import frame
from drivers.cash.id003.machine import Machine
from drivers.cash.id003.messages import (
    COUNTRIES,
    SETTINGS,
    Command,
    Request,
    State,
    decode_request,
    encode_request,
)
from drivers.cash.id003.simulator_device import Firmware, Validator
from drivers.cash.id003.timing import Timing
from drivers.cash.steps import Acknowledge, CashMachine
from drivers.context import DriverContext
from drivers.errors import ConfigurationError
from drivers.simulation.cash_device import SimulatedCash
from drivers.simulation.notes import Vault
from drivers.transport.api import ByteTransport
from tests.fuzz import devices, machines
from tests.fuzz.decoder import Decoder, must
from tests.fuzz.id003 import COMMANDS, DONE, LIKELY, STATES, TABLE

_MOVES = {Command.STACK_1: CashCommand.STACK, Command.STACK_2: CashCommand.STACK, Command.RETURN: CashCommand.RETURN}


# --- the option of country codes ------------------------------------------------------------------------------------


async def _no_line(address: str, baud: int = 9600) -> ByteTransport:
    raise AssertionError(f"{address} at {baud} was opened")


_CONTEXT = DriverContext(lambda: 0.0, bytes, _no_line)


def _countries(data: bytes) -> None:
    config = DeviceConfig("cash", "id003", "tcp://h:1", {"countries": data.decode("utf-8", "replace")})
    with suppress(ConfigurationError):
        open_device(config, _CONTEXT)


def _country_seeds() -> Iterator[bytes]:
    yield from (b"17=GBP,1A=PLN", b"17=GBP, 1a=XXX", b",", b"", b"E0=EUR,E0=USD")


# --- the machine ----------------------------------------------------------------------------------------------------


class _Device:
    """The device's end."""

    def __init__(self) -> None:
        self._asked = Request(Command.STATUS)
        self._open = False

    @property
    def wants(self) -> machines.Wants:
        if not self._open:
            return machines.Wants.NOTHING
        return machines.Wants.NEWS if self._asked.command is Command.STATUS else machines.Wants.ANSWER

    def hear(self, data: bytes) -> CashCommand | Acknowledge | None:
        must(frame(data[2:-2]) == data, "it sends what is no frame")
        request = decode_request(data[2:-2])
        if request.command is not Command.ACK:
            self._asked, self._open = request, True
        return Acknowledge() if request.command is Command.ACK else _MOVES.get(request.command)

    def wrap(self, payload: bytes) -> bytes:
        return frame(payload or b"\0")

    def likely(self, choice: int) -> bytes:
        self._open = False
        if self._asked.command in SETTINGS and not choice:
            return frame(encode_request(self._asked))  # The echo, by which it is accepted.
        answers = LIKELY.get(self._asked.command, DONE)
        return frame(answers[choice % len(answers)])


def make_machine(choice: int) -> tuple[CashMachine, machines.Peer]:
    return Machine(Timing(), {**COUNTRIES, 0x17: "GBP"} if choice & 1 else COUNTRIES), _Device()


def _machine(data: bytes) -> None:
    machines.play(make_machine, data)


def machine_seeds() -> Iterator[bytes]:
    def at(*state: int) -> int:
        return STATES.index(bytes(state))

    up, begins, shut, idle = at(0x40), at(0x1B), at(0x1A), at(0x11)
    rejects = at(0x17, 0x71)
    arrives = (idle, at(0x12), at(0x13, 0x62))
    ready = (up, machines.PROCEED, begins, shut, shut, shut, machines.ENABLE, *arrives)
    stacked = (machines.STACK, at(0x14), at(0x15), machines.ACKNOWLEDGE, at(0x16), idle, idle)
    returned = (machines.RETURN, at(0x18), idle, idle)
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
            *(Request(command, bytes(SETTINGS.get(command, 0))) for command in COMMANDS),
            Request(Command.SET_INHIBIT, b"\x01"),
            Request(Command.SET_DENOMINATIONS, b"\xff\xff"),
            Request(Command.SET_OPTIONS, b"\x02\x00"),
        )
    )

    def request(self, choice: int) -> bytes:
        return self._REQUESTS[choice % len(self._REQUESTS)]

    def wrap(self, payload: bytes) -> bytes:
        return frame(payload or b"\0")

    def hear(self, answer: bytes) -> None:
        pass


def _make_device(choice: int) -> tuple[SimulatedCash, devices.Host]:
    firmware = Firmware(
        recovers=not choice & 2,
        remembers_credit=bool(choice & 4),
        shows_transients=not choice & 8,
        knows_serial=not choice & 16,
        ack_patience=0.5 if choice & 32 else None,
        after_box=(State.INITIALIZE, State.POWER_UP, State.DISABLED, State.IDLING)[choice >> 6],
    )
    script = devices.SCRIPT if choice & 1 else ()
    return Validator(Vault(None), TABLE, "SIM000000001", 0.3, script, firmware), _Host()


def _device(data: bytes) -> None:
    devices.check(_make_device, data)


def _device_seeds() -> Iterator[bytes]:
    status, reset, stack, ack, denominations, inhibit, options = map(
        COMMANDS.index,
        (Command.STATUS, Command.RESET, Command.STACK_2, Command.ACK, Command.SET_DENOMINATIONS, Command.SET_INHIBIT,
         Command.SET_OPTIONS),
    )  # fmt: skip
    yield from devices.seeds(
        (status, reset, options, status, denominations, inhibit, status), (status, stack, status, status, ack, status)
    )


DECODERS = (
    Decoder("id003-countries", _countries, _country_seeds, 64),
    Decoder("id003-machine", _machine, machine_seeds, 384, story=True),
    Decoder("id003-simulator", _device, _device_seeds, 160, story=True),
)
