"""ccTalk: framing with both checksums, messages, identifiers, the machine in both roles, both simulated devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from drivers.api.cash import CashCommand
from drivers.cash.cctalk.framing import BROADCAST, HOST, MAX_DATA, Checksum, Deframer, Frame, Noise, frame
from drivers.cash.cctalk.machine import Machine
from drivers.cash.cctalk.messages import (
    Acknowledged,
    Answer,
    Busy,
    Code,
    EventBuffer,
    Header,
    Mask,
    MessageError,
    NotAcknowledged,
    NotRouted,
    PollEvery,
    Request,
    Route,
    SerialNumber,
    Text,
    decode_answer,
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
from drivers.cash.cctalk.values import CoinUnit, Scaling, coin_value, country_of, note_value
from drivers.cash.steps import CashMachine
from drivers.simulation.cash_device import SimulatedCash
from drivers.simulation.notes import Vault
from guichet.money import Money
from tests.fuzz import devices, lines, machines
from tests.fuzz.decoder import Decoder, Tape, must

_HEADERS = tuple(Header)


def _events(counter: int, *pairs: tuple[int, int]) -> EventBuffer:
    return EventBuffer(counter, (pairs + ((0, 0),) * 5)[:5])


_REFUSALS: tuple[Answer, ...] = (NotAcknowledged(), Busy())
_BUFFERS: tuple[Answer, ...] = tuple(
    _events(counter, *pairs)
    for counter, *pairs in (
        (0,), (1, (0, 1)), (2, (1, 1), (0, 1)), (3, (1, 0), (1, 1)), (3, (0, 1), (1, 1)), (4, (2, 1), (1, 0), (1, 1)),
        (5, (2, 0), (2, 1)), (5, (0, 6), (2, 1)), (6, (0, 0)), (7, (0, 11)), (8, (0, 12), (0, 11)), (9, (0, 14)),
        (10, (0, 21)), (60, (3, 1)), (255, (1, 0)), (1, (3, 1), (1, 0)), (2, (0, 99)), (3, (0, 20), (9, 9)),
    )
)  # fmt: skip
_ALL, _NONE = Mask(b"\xff" * 8), Mask(bytes(8))
_LIKELY: Mapping[Header, tuple[Answer, ...]] = {
    Header.NOTE_EVENTS: _BUFFERS + _REFUSALS,
    Header.COIN_EVENTS: _BUFFERS + _REFUSALS,
    Header.SERIAL: (SerialNumber(12345678), SerialNumber(1), *_REFUSALS),
    Header.MANUFACTURER: (Text("GUICHET-SIM"), Text("ITL"), *_REFUSALS),
    Header.CATEGORY: (Text("Bill Validator"), Text("Coin Acceptor"), *_REFUSALS),
    Header.PRODUCT: (Text("CT40"), *_REFUSALS),
    Header.SOFTWARE: (Text("1.0"), *_REFUSALS),
    Header.REVISION: (Text("SIM1"), *_REFUSALS),
    Header.POLLING_PRIORITY: (PollEvery(0.2), PollEvery(None), *_REFUSALS),
    Header.GET_INHIBITS: (_NONE, _ALL, Mask(b"\xff\xff"), *_REFUSALS),
    Header.GET_MASTER: (Code(1), Code(0), *_REFUSALS),
    Header.STATUS: (Code(0), Code(1), Code(2), *_REFUSALS),
    Header.SELF_CHECK: (Code(0), Code(39), Code(44), Code(45), Code(255), *_REFUSALS),
    Header.NOTE_ID: (Text("EU0005A"), Text("EU0020A"), Text("US0020A"), Text("......."), Text("EU.005A"), *_REFUSALS),
    Header.COIN_ID: (Text("EU050A"), Text("EU2K0A"), Text("......"), Text("EU5m0A"), *_REFUSALS),
    Header.SCALING: (Scaling(100, 2), Scaling(0, 0), *_REFUSALS),
    Header.ROUTE: (Acknowledged(), NotRouted.ESCROW_EMPTY, NotRouted.FAILED, *_REFUSALS),
}
_DONE: tuple[Answer, ...] = (Acknowledged(), *_REFUSALS)
# A note of which nothing is known goes back of its own accord: only STACK is always the caller's.
_MOVES = {Route.STACK: CashCommand.STACK}


# --- framing --------------------------------------------------------------------------------------------------------

_BY_CRC, _AT_THE_DEVICE = 1, 2


def _is_damaged(item: lines.Item) -> bool | None:
    return item.damaged if isinstance(item, Noise) else None


def _rebuilt_simple(item: lines.Item) -> bytes:
    return frame(item.to, item.header, item.data, source=item.source or 0) if isinstance(item, Frame) else b""


def _rebuilt_crc(item: lines.Item) -> bytes:
    return frame(item.to, item.header, item.data, checksum=Checksum.CRC16) if isinstance(item, Frame) else b""


def _line(checksum: Checksum, *, at_the_device: bool) -> lines.Line:
    addresses = frozenset({40, BROADCAST}) if at_the_device else frozenset({HOST})
    source = None if at_the_device else 40
    good = frame(40 if at_the_device else HOST, 0, source=HOST if at_the_device else 40, checksum=checksum)
    rebuilt = _rebuilt_crc if checksum is Checksum.CRC16 else _rebuilt_simple
    return lines.Line(
        lambda: Deframer(addresses, source, checksum), _is_damaged, rebuilt, good, b"\xff", MAX_DATA + 5
    )  # fmt: skip


_LINES = tuple(
    _line(Checksum.CRC16 if way & _BY_CRC else Checksum.SIMPLE, at_the_device=bool(way & _AT_THE_DEVICE))
    for way in range(4)
)


def _framing(data: bytes) -> None:
    """The first byte: which checksum, at which end."""
    lines.check(_LINES[data[0] % len(_LINES) if data else 0], data[1:])


def _framing_seeds() -> Iterator[bytes]:
    answers = [answer for answers in _LIKELY.values() for answer in answers]
    for way, checksum in enumerate((Checksum.SIMPLE, Checksum.CRC16)):
        for answer in answers:
            header, data = encode_answer(answer)
            raw = frame(HOST, header, data, source=40, checksum=checksum)
            yield bytes((way, 0)) + raw
            yield bytes((way, 0xF5)) + raw[:-1] + b"\x55" + raw
        for header in _HEADERS:
            yield bytes((way | _AT_THE_DEVICE, 0xF2)) + frame(40, header, checksum=checksum)
        yield bytes((way, 0)) + frame(HOST, 0, bytes(MAX_DATA), source=40, checksum=checksum)


# --- messages -------------------------------------------------------------------------------------------------------


def _messages(data: bytes) -> None:
    """The first byte: what was asked; the second: the header."""
    tape = Tape(data)
    asked, header, content = _HEADERS[tape.byte() % len(_HEADERS)], tape.byte(), tape.take(MAX_DATA)
    with suppress(MessageError):
        must(encode_request(decode_request(header, content)) == (header, content), "a request is changed")
    with suppress(MessageError):
        answer = decode_answer(asked, header, content)
        again = encode_answer(answer)
        if isinstance(answer, EventBuffer | Mask | SerialNumber | Scaling | NotRouted | Acknowledged):
            must(again == (header, content), "an answer is changed")
        elif isinstance(answer, Text):
            must(not content.isascii() or again == (header, content), "a text is changed")
        elif isinstance(answer, PollEvery):
            must(answer.seconds is None or answer.seconds > 0, "a poll that never comes")


def _message_seeds() -> Iterator[bytes]:
    for index, header in enumerate(_HEADERS):
        yield bytes((index, header))
        yield bytes((index, header, 1))
        for answer in _LIKELY.get(header, _DONE):
            reply, data = encode_answer(answer)
            yield bytes((index, reply)) + data


# --- what positions are worth ---------------------------------------------------------------------------------------


def _values(data: bytes) -> None:
    """Three bytes of scaling, then the identifier."""
    tape = Tape(data)
    scaling = Scaling(tape.byte() << 8 | tape.byte(), tape.byte())
    identifier = tape.rest().decode("ascii", "replace")
    country_of(identifier)
    worth = note_value(identifier, scaling)
    _must_be_worth_something(worth)
    if worth is not None and identifier[2:6].isdigit() and scaling.decimals == worth.currency.exponent:
        must(worth.minor == int(identifier[2:6]) * scaling.factor, "digits times factor are another amount")
    coins = [coin_value(identifier, unit) for unit in CoinUnit]
    for coin in coins:
        _must_be_worth_something(coin)
    if coins[0] is not None and identifier[2:5].isdigit():
        must(coins[0].minor == int(identifier[2:5]), "a coin's digits are another amount")


def _must_be_worth_something(value: Money | None) -> None:
    must(value is None or value.minor > 0, "it is worth nothing, and says what")


def _value_seeds() -> Iterator[bytes]:
    for text in (
        "EU0005A",
        "EU.005A",
        "KW10.5A",
        "JP1000A",
        "EU050A",
        "EU2K5A",
        "EU5m0A",
        "EUM10A",
        "KWG99A",
        "EU.50A",
    ):
        yield b"\x00\x64\x02" + text.encode()
        yield b"\x00\x01\x00" + text.encode()


# --- the machine ----------------------------------------------------------------------------------------------------


class _Device:
    """The device's end, and the wire that gives the host its own bytes back."""

    def __init__(self, role: Role, checksum: Checksum, *, echo: bool) -> None:
        self._role = role
        self._checksum = checksum
        self._echo = echo
        self._sent = b""
        self._asked = Request(Header.SIMPLE_POLL)

    def hear(self, data: bytes) -> CashCommand | None:
        (found,) = Deframer(frozenset({self._role.address}), None, self._checksum).feed(data)
        assert isinstance(found, Frame)
        self._sent = data if self._echo else b""
        self._asked = decode_request(found.header, found.data)
        return _MOVES.get(Route(self._asked.data[0])) if self._asked.header is Header.ROUTE else None

    def wrap(self, payload: bytes) -> bytes:
        return self._framed(payload[0] if payload else 0, payload[1:])

    def _framed(self, header: int, data: bytes) -> bytes:
        sent, self._sent = self._sent, b""
        return sent + frame(HOST, header, data, source=self._role.address, checksum=self._checksum)

    def likely(self, choice: int) -> bytes:
        answers = _LIKELY.get(self._asked.header, _DONE)
        return self._framed(*encode_answer(answers[choice % len(answers)]))


def _make_machine(choice: int) -> tuple[CashMachine, machines.Peer]:
    role = COINS if choice & 1 else NOTES
    checksum = Checksum.CRC16 if choice & 2 else Checksum.SIMPLE
    echo = bool(choice & 4)
    timing = Timing(poll_is_fixed=bool(choice & 8))
    unit = CoinUnit.MAJOR if choice & 16 else CoinUnit.MINOR
    return Machine(role, timing, checksum, echo=echo, unit=unit), _Device(role, checksum, echo=echo)


def _machine(data: bytes) -> None:
    machines.check(_make_machine, data)


def _machine_seeds() -> Iterator[bytes]:
    answers = bytes((3, 0, 7))
    for choice in (0, 2, 3, 4, 6):
        begin = bytes((choice, 0)) + answers * 10 + bytes((10, 7)) + answers * 24
        yield begin
        yield begin + bytes((12, 7)) + bytes((3, 1, 7, 3, 1, 7, 3, 2, 7, 3, 2, 7, 0x2C, 7)) + answers
        for answer in range(len(_BUFFERS)):
            twice = bytes((3, answer, 7)) * 2
            yield bytes((choice, answer)) + answers * 8 + twice + bytes((10, 11, 7)) + twice + bytes((15, 11))


# --- the simulated devices ------------------------------------------------------------------------------------------


class _Host:
    """The host's end."""

    _REQUESTS = (
        *(Request(header) for header in _HEADERS),
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
    inhibits = len(_HEADERS)
    events = _HEADERS.index(Header.NOTE_EVENTS), _HEADERS.index(Header.COIN_EVENTS)
    yield from devices.seeds((inhibits, inhibits + 1, *events), (*events, inhibits + 2, *events))


DECODERS = (
    Decoder("cctalk-framing", _framing, _framing_seeds, 96),
    Decoder("cctalk-messages", _messages, _message_seeds, 257),
    Decoder("cctalk-values", _values, _value_seeds, 32),
    Decoder("cctalk-machine", _machine, _machine_seeds, 192),
    Decoder("cctalk-simulator", _device, _device_seeds, 160),
)
