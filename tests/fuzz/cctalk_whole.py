"""ccTalk: the machine in both roles, both simulated devices."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.api.cash import CashCommand
from drivers.cash.cctalk.framing import HOST, Checksum, Deframer, Frame, frame
from drivers.cash.cctalk.machine import Machine
from drivers.cash.cctalk.messages import (
    Header,
    Request,
    Route,
    Text,
    decode_request,
    encode_answer,
    encode_request,
    route,
    set_master,
)
from drivers.cash.cctalk.roles import COINS, NOTES, Role
from drivers.cash.cctalk.simulator import default_table
from drivers.cash.cctalk.simulator_coin import default_table as default_coins
from drivers.cash.cctalk.simulator_device import CoinAcceptor, SimulatedBus, Validator
from drivers.cash.cctalk.timing import Timing
from drivers.cash.cctalk.values import CoinUnit
from drivers.cash.steps import CashMachine
from drivers.simulation.cash_device import SimulatedCash
from drivers.simulation.notes import Vault
from tests.fuzz import devices, machines
from tests.fuzz.cctalk import BUFFERS, DONE, HEADERS, LIKELY
from tests.fuzz.decoder import Decoder

# A note of which nothing is known goes back of its own accord: only STACK is always the caller's.
_MOVES = {Route.STACK: CashCommand.STACK}


# What devices usually answer: a few positions have a name, and those behind them none.
_IDENTIFIERS, _POSITIONS = frozenset({Header.NOTE_ID, Header.COIN_ID}), 3
_NO_IDENTIFIER = (Text("......."),)


# --- the machine ----------------------------------------------------------------------------------------------------


class _Device:
    """The device's end, and the wire that gives the host its own bytes back."""

    def __init__(self, role: Role, checksum: Checksum, *, echo: bool) -> None:
        self._role = role
        self._checksum = checksum
        self._echo = echo
        self._sent = b""
        self._asked = Request(Header.SIMPLE_POLL)
        self._open = False

    @property
    def wants(self) -> machines.Wants:
        if not self._open:
            return machines.Wants.NOTHING
        return machines.Wants.NEWS if self._asked.header is self._role.events else machines.Wants.ANSWER

    def hear(self, data: bytes) -> CashCommand | None:
        (found,) = Deframer(frozenset({self._role.address}), None, self._checksum).feed(data)
        assert isinstance(found, Frame)
        self._sent, self._open = data if self._echo else b"", True
        self._asked = decode_request(found.header, found.data)
        return _MOVES.get(Route(self._asked.data[0])) if self._asked.header is Header.ROUTE else None

    def wrap(self, payload: bytes) -> bytes:
        return self._framed(payload[0] if payload else 0, payload[1:])

    def _framed(self, header: int, data: bytes) -> bytes:
        sent, self._sent = self._sent, b""
        return sent + frame(HOST, header, data, source=self._role.address, checksum=self._checksum)

    def likely(self, choice: int) -> bytes:
        self._open = False
        answers = LIKELY.get(self._asked.header, DONE)
        if not choice and self._asked.header in _IDENTIFIERS and self._asked.data[0] > _POSITIONS:
            answers = _NO_IDENTIFIER
        return self._framed(*encode_answer(answers[choice % len(answers)]))


def make_machine(choice: int) -> tuple[CashMachine, machines.Peer]:
    role = COINS if choice & 1 else NOTES
    checksum = Checksum.CRC16 if choice & 2 else Checksum.SIMPLE
    echo = bool(choice & 4)
    timing = Timing(poll_is_fixed=bool(choice & 8))
    unit = CoinUnit.MAJOR if choice & 16 else CoinUnit.MINOR
    return Machine(role, timing, checksum, echo=echo, unit=unit), _Device(role, checksum, echo=echo)


def _machine(data: bytes) -> None:
    machines.play(make_machine, data)


def machine_seeds() -> Iterator[bytes]:
    def twice(*numbers: int) -> tuple[int, ...]:
        return tuple(number for number in numbers for _ in range(2))

    none, cleared, escrowed, stacked = range(4)
    ready = (*twice(none, none), machines.PROCEED, *twice(none, none, none), machines.ENABLE, *twice(none))
    note = (*twice(cleared), machines.ACKNOWLEDGE, *twice(escrowed), machines.STACK, *twice(escrowed, stacked))
    for option in (0, 2, 3, 4, 6):
        yield machines.story(make_machine, option, (*ready, *note, machines.ACKNOWLEDGE, *twice(stacked, stacked)))
    yield machines.story(make_machine, 0, (*ready, *twice(escrowed), machines.AGAIN, *twice(none)))
    for answer in range(len(BUFFERS)):
        begins_so = (*twice(answer), machines.PROCEED, machines.ACKNOWLEDGE)
        goes_so = (*ready, *twice(answer), machines.ACKNOWLEDGE, *twice(none))
        yield machines.story(make_machine, answer % 4, begins_so if answer % 2 else goes_so)


# --- the simulated devices ------------------------------------------------------------------------------------------


class _Host:
    """The host's end."""

    _REQUESTS = (
        *(Request(header) for header in HEADERS),
        Request(Header.SET_INHIBITS, b"\xff" * 8),
        set_master(accepting=True),
        route(Route.STACK),
        route(Route.RETURN),
        route(Route.HOLD),
        Request(Header.NOTE_ID, b"\x01"),
        Request(Header.COIN_ID, b"\x01"),
        Request(Header.SCALING, b"EU"),
        Request(Header.SET_MODE, b"\x01"),
        set_master(accepting=False),
    )

    def __init__(self, device: SimulatedBus) -> None:
        self._device = device

    def request(self, choice: int) -> bytes:
        return self._framed(*encode_request(self._REQUESTS[choice % len(self._REQUESTS)]))

    def wrap(self, payload: bytes) -> bytes:
        return self._framed(payload[0] if payload else 254, payload[1:])

    def _framed(self, header: int, data: bytes) -> bytes:
        return frame(self._device.role.address, header, data, checksum=self._device.checksum)

    def hear(self, answer: bytes) -> None:
        pass


def _make_device(choice: int) -> tuple[SimulatedCash, devices.Host]:
    script = devices.SCRIPT if choice & 1 else ()
    device: SimulatedBus
    if choice & 2:
        device = CoinAcceptor(Vault(None), default_coins(), "12345678", 0.1, script)
    else:
        device = Validator(Vault(None), default_table(), "12345678", 0.3, script)
    device.checksum = Checksum.CRC16 if choice & 4 else Checksum.SIMPLE
    device.echo, device.tells_power_up = bool(choice & 8), bool(choice & 16)
    return device, _Host(device)


def _device(data: bytes) -> None:
    devices.check(_make_device, data)


def _device_seeds() -> Iterator[bytes]:
    inhibits = len(HEADERS)
    events = HEADERS.index(Header.NOTE_EVENTS), HEADERS.index(Header.COIN_EVENTS)
    yield from devices.seeds((inhibits, inhibits + 1, *events), (*events, inhibits + 2, *events))


DECODERS = (
    Decoder("cctalk-machine", _machine, machine_seeds, 384, story=True),
    Decoder("cctalk-simulator", _device, _device_seeds, 160, story=True),
)
