"""eSSP: framing, messages, the note table, encrypted packets, the machine, the simulated device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from drivers.api.cash import CashCommand
from drivers.cash.essp.events import Event, EventCode
from drivers.cash.essp.framing import MAX_DATA, Deframer, Frame, Noise, crc16, frame
from drivers.cash.essp.keys import DEFAULT_FIXED_KEY, Dice, session_key, share
from drivers.cash.essp.machine import Machine
from drivers.cash.essp.messages import (
    Answer,
    Command,
    Counters,
    KeyShare,
    MessageError,
    Plain,
    Polled,
    RejectCode,
    Request,
    SerialNumber,
    Status,
    Version,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
    is_readable,
)
from drivers.cash.essp.notetable import decode_setup, encode_setup
from drivers.cash.essp.sealing import MAX_SEALED, SEALED, SealError, seal, unseal
from drivers.cash.essp.simulator import default_table
from drivers.cash.essp.simulator_device import Validator
from drivers.cash.essp.timing import Timing
from drivers.cash.essp.wire import Wire
from drivers.cash.steps import CashMachine
from drivers.simulation.cash_device import SimulatedCash
from drivers.simulation.notes import Vault
from guichet.money import parse_money
from tests.fuzz import devices, lines, machines
from tests.fuzz.decoder import Decoder, Tape, must

_COMMANDS = tuple(Command)
_TABLE = default_table()
_STATUSES = tuple(encode_answer(Plain(status)) for status in Status)
_EVENTS = tuple(
    encode_answer(Polled((Event(code, data),)))
    for code in EventCode
    for data in (b"", b"\x00", b"\x01", b"\x02")
    if bool(data) == (code in (EventCode.READ, EventCode.CREDIT, EventCode.FRAUD, EventCode.CLEARED_TO_BOX))
)
_LIKELY: Mapping[Command, tuple[bytes, ...]] = {
    Command.POLL: (*_EVENTS, *_STATUSES, b"\xf0\xeb\xe8", b"\xf0\xcc\xee\x01", b"\xf0\x99"),
    Command.POLL_WITH_ACK: (*_EVENTS, *_STATUSES, b"\xf0\xeb\xe8", b"\xf0\xcc\xee\x01", b"\xf0\x99"),
    Command.SETUP: (encode_answer(_TABLE), encode_answer(encode_setup({}, version=5)), *_STATUSES),
    Command.SERIAL: (encode_answer(SerialNumber(1873452)), encode_answer(SerialNumber(1)), *_STATUSES),
    Command.FIRMWARE: (encode_answer(Version("NV02004333498000")), *_STATUSES),
    Command.LAST_REJECT: (encode_answer(RejectCode(6)), encode_answer(RejectCode(0x99)), *_STATUSES),
    Command.COUNTERS: (encode_answer(Counters(5, 0)), encode_answer(Counters(6, 0)), *_STATUSES),
    Command.KEY_EXCHANGE: (encode_answer(KeyShare(54321)), *_STATUSES),
}


def _zeros(count: int) -> bytes:
    return bytes(count)


# --- framing --------------------------------------------------------------------------------------------------------


def _is_damaged(item: lines.Item) -> bool | None:
    return item.damaged if isinstance(item, Noise) else None


def _rebuilt(item: lines.Item) -> bytes:
    return frame(item.payload, flag=item.flag, address=item.address) if isinstance(item, Frame) else b""


_LINE = lines.Line(Deframer, _is_damaged, _rebuilt, frame(b"\x07", flag=True), b"\0", 2 * (MAX_DATA + 5))


def _framing(data: bytes) -> None:
    lines.check(_LINE, data)


def _framing_seeds() -> Iterator[bytes]:
    yield b"\x00" + frame(b"\x7f" * 100, flag=True)
    yield b"\x47" + b"\x7f\x00\xff\x7f\x7f" * 20
    for payload in (*_STATUSES, *_EVENTS[:6], encode_answer(_TABLE), b"\x7f\x80\x01\x07\x12\x02"):
        yield b"\x00" + frame(payload, flag=True)
        yield b"\xf5" + frame(payload, flag=False)[:-1] + b"\x55" + frame(payload, flag=True)


# --- messages -------------------------------------------------------------------------------------------------------


def _messages(data: bytes) -> None:
    """The first byte: what was asked; the second: the protocol's version."""
    tape = Tape(data)
    asked, version, payload = _COMMANDS[tape.byte() % len(_COMMANDS)], 4 + tape.byte() % 5, tape.rest()
    with suppress(MessageError):
        request = decode_request(payload)
        must(decode_request(encode_request(request)) == request, "a request is changed")
    with suppress(MessageError):
        answer = decode_answer(asked, payload, version)
        is_readable(Request(asked), answer)
        _check_answer(answer, payload)


def _check_answer(answer: Answer, payload: bytes) -> None:
    again = encode_answer(answer)
    match answer:
        case Plain():
            must(payload.startswith(again) and len(payload) <= 2, "a status is changed")
        case Version():
            must(len(again) <= len(payload), "a text becomes longer")
        case _:
            must(again == payload, "an answer is changed")


def _message_seeds() -> Iterator[bytes]:
    for index, command in enumerate(_COMMANDS):
        yield bytes((index, 4)) + encode_request(Request(command, 8))
        for payload in _LIKELY.get(command, _STATUSES):
            yield bytes((index, 4)) + payload
    yield b"\x00\x04" + encode_request(Request(Command.SET_INHIBITS, channels=frozenset({1, 24})))
    for version in (4, 6, 8):
        for code in (EventCode.DISPENSING, EventCode.INCOMPLETE_PAYOUT, EventCode.PAYOUT_ERROR, EventCode.COIN_CREDIT):
            yield bytes((_COMMANDS.index(Command.POLL), version - 4, 0xF0, code, 2)) + bytes(24) + b"\xe8"


# --- the note table -------------------------------------------------------------------------------------------------


def _setup(data: bytes) -> None:
    with suppress(MessageError):
        table = decode_setup(data)
        must(all(value.minor > 0 for value in table.values.values()), "a note that is worth nothing")
        must(all(1 <= channel <= table.channels for channel in table.values), "a channel that is not there")
        must(encode_answer(table) == b"\xf0" + data, "a table is changed")
        again = encode_setup(table.values)
        must(again.values == table.values, "a table does not come back")


def _setup_seeds() -> Iterator[bytes]:
    faces = {1: parse_money("5 EUR"), 3: parse_money("500 EUR"), 4: parse_money("20 USD")}
    for version in (5, 6, 8):
        yield encode_setup(faces, version=version).raw
        yield encode_setup({1: parse_money("5 EUR"), 2: parse_money("10 EUR")}, version=version).raw
    yield _TABLE.raw
    yield encode_setup({}).raw


# --- encrypted packets ----------------------------------------------------------------------------------------------

_KEY = session_key(DEFAULT_FIXED_KEY, 0xE4E0)
_AS_IT_COMES = 0x80


def _sealing(data: bytes) -> None:
    """The first byte: whether the rest is a packet, or what lies in one under a right CRC."""
    how, content = data[0] if data else 0, data[1:]
    packet = content if how & _AS_IT_COMES else _sealed_as_it_is(content)
    try:
        count, text = unseal(_KEY, packet)
    except SealError:
        return
    must(1 <= len(text) <= len(packet), "more comes out than was in it")
    again = unseal(_KEY, seal(_KEY, count, text, _zeros)) if len(text) <= MAX_SEALED else (count, text)
    must(again == (count, text), "what is sealed anew is something else")


def _sealed_as_it_is(text: bytes) -> bytes:
    text += bytes(-(len(text) + 2) % 16)
    encryptor = Cipher(AES(_KEY), ECB()).encryptor()  # noqa: S305 - the protocol has no other mode
    return bytes((SEALED,)) + encryptor.update(text + crc16(text).to_bytes(2, "little"))


def _sealing_seeds() -> Iterator[bytes]:
    for data in (b"\x56", b"\xf0", bytes(MAX_SEALED), b"\xf0\xee\x01"):
        yield b"\x80" + seal(_KEY, 7, data, _zeros)
        yield b"\x00" + bytes((len(data), 1, 0, 0, 0)) + data
    yield bytes(4)
    yield b"\x00\xff" + bytes(40)


# --- the machine ----------------------------------------------------------------------------------------------------


class _Device:
    """The device's end. Where the machine took another number for the key, the two no longer understand each other."""

    _SECRET = 12345

    def __init__(self) -> None:
        self._asked = Request(Command.SYNC)
        self._flag = True
        self._key: bytes | None = None
        self._agreed: bytes | None = None
        self._count = 0
        self._generator = self._modulus = 1

    def hear(self, data: bytes) -> CashCommand | None:
        (found,) = Deframer().feed(data)
        assert isinstance(found, Frame)
        must(frame(found.payload, flag=found.flag) == data, "it sends what is no frame")
        self._flag, self._key = found.flag, None
        payload = found.payload
        if payload[0] == SEALED:
            try:
                self._count, payload = unseal(self._agreed or bytes(16), payload)
            except SealError:
                return None
            self._key = self._agreed
        self._take(decode_request(payload))
        return CashCommand.RETURN if self._asked.command is Command.REJECT else None

    def _take(self, request: Request) -> None:
        self._asked = request
        match request.command:
            case Command.SET_GENERATOR:
                self._generator = request.number
            case Command.SET_MODULUS:
                self._modulus = request.number
            case Command.KEY_EXCHANGE:
                self._agreed = session_key(DEFAULT_FIXED_KEY, share(request.number, self._SECRET, self._modulus))
            case _:
                pass

    def wrap(self, payload: bytes) -> bytes:
        payload = payload or b"\xf0"
        if self._key is not None:
            payload = seal(self._key, (self._count + 1) % (1 << 32), payload, _zeros)
        return frame(payload, flag=self._flag)

    def likely(self, choice: int) -> bytes:
        if self._asked.command is Command.KEY_EXCHANGE and not choice:
            return self.wrap(encode_answer(KeyShare(share(self._generator, self._SECRET, self._modulus))))
        answers = _LIKELY.get(self._asked.command, _STATUSES)
        return self.wrap(answers[choice % len(answers)])


def _make_machine(choice: int) -> tuple[CashMachine, machines.Peer]:
    return Machine(Timing()), _Device()


def _machine(data: bytes) -> None:
    machines.check(_make_machine, data)


def _machine_seeds() -> Iterator[bytes]:
    polls = _LIKELY[Command.POLL]

    def at(*data: int) -> int:
        return polls.index(bytes((0xF0, *data)))

    cannot = _STATUSES.index(bytes((Status.CANNOT,)))
    disabled = at(0xE8)
    answers = bytes((3, 0, 7))
    shut = bytes((3, disabled, 7))
    begin = bytes((0, 0)) + answers + bytes((3, cannot, 7)) + answers * 7 + shut + answers * 2 + bytes((10, 7))
    begin += shut * 3 + answers * 3 + shut * 2
    note = bytes((12, 7)) + answers + bytes((3, at(0xEF, 1), 7)) + answers + bytes((0x2C, 7, 3, at(0xCC), 7))
    done = bytes((3, at(0xEE, 1), 7, 11, 7)) + answers + shut
    yield begin
    yield begin + note
    yield begin + note + done + shut
    for answer in range(len(polls)):
        yield begin + bytes((3, answer, 7, 3, answer, 15, 7)) + answers + shut


# --- the simulated device -------------------------------------------------------------------------------------------

_GENERATOR, _MODULUS, _SECRET = 982451653, 1287821, 12345
_REQUESTS = (
    Request(Command.SYNC),
    Request(Command.PROTOCOL, 8),
    Request(Command.SET_GENERATOR, _GENERATOR),
    Request(Command.SET_MODULUS, _MODULUS),
    Request(Command.KEY_EXCHANGE, share(_GENERATOR, _SECRET, _MODULUS)),
    Request(Command.SET_INHIBITS, channels=frozenset(range(1, 25))),
    Request(Command.ENABLE),
    Request(Command.POLL_WITH_ACK),
    Request(Command.EVENT_ACK),
    *(Request(command, 4) for command in Command if command not in (Command.SYNC, Command.KEY_EXCHANGE)),
)


class _Host:
    """The host's end: the driver's own, so that flags, keys and counts are right."""

    def __init__(self) -> None:
        self._wire = Wire()
        self._wire.dice = Dice(b"")
        self._exchanges = False

    def request(self, choice: int) -> bytes:
        request = _REQUESTS[choice % len(_REQUESTS)]
        self._exchanges = request.command is Command.KEY_EXCHANGE
        return self._wire.pack(request)

    def wrap(self, payload: bytes) -> bytes:
        return frame(payload or b"\x07", flag=bool(len(payload) & 1))

    def hear(self, answer: bytes) -> None:
        for found in Deframer().feed(answer):
            payload = self._wire.unpack(found) if isinstance(found, Frame) else None
            if payload is not None and self._exchanges and len(payload) == 9:
                agreed = share(int.from_bytes(payload[1:], "little"), _SECRET, _MODULUS)
                self._wire.agree(session_key(DEFAULT_FIXED_KEY, agreed))


def _make_device(choice: int) -> tuple[SimulatedCash, devices.Host]:
    device = Validator(Vault(None), _TABLE, "1873452", 0.3, devices.SCRIPT if choice & 1 else ())
    device.forgets_count, device.remembers_credit = bool(choice & 2), bool(choice & 4)
    device.forgets_channel, device.early_credit = bool(choice & 8), bool(choice & 16)
    return device, _Host()


def _device(data: bytes) -> None:
    devices.check(_make_device, data)


def _device_seeds() -> Iterator[bytes]:
    yield from devices.seeds(tuple(range(8)), (7, 7, 7, 8, 7))


DECODERS = (
    Decoder("essp-framing", _framing, _framing_seeds, 96),
    Decoder("essp-messages", _messages, _message_seeds, 256),
    Decoder("essp-setup", _setup, _setup_seeds, 200),
    Decoder("essp-sealing", _sealing, _sealing_seeds, 258),
    Decoder("essp-machine", _machine, _machine_seeds, 160),
    Decoder("essp-simulator", _device, _device_seeds, 160),
)
