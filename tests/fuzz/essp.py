"""eSSP: framing, messages, the note table, encrypted packets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from drivers.cash.essp.events import Event, EventCode
from drivers.cash.essp.framing import MAX_DATA, Deframer, Frame, Noise, crc16, frame
from drivers.cash.essp.keys import DEFAULT_FIXED_KEY, session_key
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
from drivers.cash.essp.sealing import MAX_SEALED, SEALED, Seal, SealError
from guichet.money import parse_money
from tests.fuzz import lines
from tests.fuzz.decoder import Decoder, Tape, must

_COMMANDS = tuple(Command)
TABLE = encode_setup({1: parse_money("5 EUR"), 3: parse_money("20 EUR"), 8: parse_money("20 USD")})
STATUSES = tuple(encode_answer(Plain(status)) for status in Status)
_EVENTS = tuple(
    encode_answer(Polled((Event(code, data),)))
    for code in EventCode
    for data in (b"", b"\x00", b"\x01", b"\x02")
    if bool(data) == (code in (EventCode.READ, EventCode.CREDIT, EventCode.FRAUD, EventCode.CLEARED_TO_BOX))
)
LIKELY: Mapping[Command, tuple[bytes, ...]] = {
    Command.POLL: (*_EVENTS, *STATUSES, b"\xf0\xeb\xe8", b"\xf0\xcc\xee\x01", b"\xf0\x99"),
    Command.POLL_WITH_ACK: (*_EVENTS, *STATUSES, b"\xf0\xeb\xe8", b"\xf0\xcc\xee\x01", b"\xf0\x99"),
    Command.HOLD: (encode_answer(Plain(Status.CANNOT)), *STATUSES),
    Command.SETUP: (encode_answer(TABLE), encode_answer(encode_setup({}, version=5)), *STATUSES),
    Command.SERIAL: (encode_answer(SerialNumber(1873452)), encode_answer(SerialNumber(1)), *STATUSES),
    Command.FIRMWARE: (encode_answer(Version("NV02004333498000")), *STATUSES),
    Command.LAST_REJECT: (encode_answer(RejectCode(6)), encode_answer(RejectCode(0x99)), *STATUSES),
    Command.COUNTERS: (encode_answer(Counters(5, 0)), encode_answer(Counters(6, 0)), *STATUSES),
    Command.KEY_EXCHANGE: (encode_answer(KeyShare(54321)), *STATUSES),
}


def zeros(count: int) -> bytes:
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
    for payload in (*STATUSES, *_EVENTS[:6], encode_answer(TABLE), b"\x7f\x80\x01\x07\x12\x02"):
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
        for payload in LIKELY.get(command, STATUSES):
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
    yield TABLE.raw
    yield encode_setup({}).raw


# --- encrypted packets ----------------------------------------------------------------------------------------------

_KEY = session_key(DEFAULT_FIXED_KEY, 0xE4E0)
_AS_IT_COMES = 0x80


def _sealing(data: bytes) -> None:
    """The first byte: whether the rest is a packet, or what lies in one under a right CRC."""
    how, content = data[0] if data else 0, data[1:]
    packet = content if how & _AS_IT_COMES else _sealed_as_it_is(content)
    try:
        count, text = Seal(_KEY).open(packet)
    except SealError:
        return
    must(1 <= len(text) <= len(packet), "more comes out than was in it")
    again = Seal(_KEY).open(Seal(_KEY).close(count, text, zeros)) if len(text) <= MAX_SEALED else (count, text)
    must(again == (count, text), "what is sealed anew is something else")


def _sealed_as_it_is(text: bytes) -> bytes:
    text += bytes(-(len(text) + 2) % 16)
    encryptor = Cipher(AES(_KEY), ECB()).encryptor()  # noqa: S305 - the protocol has no other mode
    return bytes((SEALED,)) + encryptor.update(text + crc16(text).to_bytes(2, "little"))


def _sealing_seeds() -> Iterator[bytes]:
    for data in (b"\x56", b"\xf0", bytes(MAX_SEALED), b"\xf0\xee\x01"):
        yield b"\x80" + Seal(_KEY).close(7, data, zeros)
        yield b"\x00" + bytes((len(data), 1, 0, 0, 0)) + data
    yield bytes(4)
    yield b"\x00\xff" + bytes(40)


DECODERS = (
    Decoder("essp-framing", _framing, _framing_seeds, 96),
    Decoder("essp-messages", _messages, _message_seeds, 256),
    Decoder("essp-setup", _setup, _setup_seeds, 200),
    Decoder("essp-sealing", _sealing, _sealing_seeds, 258),
)
