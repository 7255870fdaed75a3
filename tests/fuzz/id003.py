"""ID-003: framing and messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from drivers.cash.id003.framing import MAX_PAYLOAD, Deframer, Frame, Noise, frame
from drivers.cash.id003.messages import (
    SETTINGS,
    TICKET,
    Acknowledged,
    Answer,
    BootVersion,
    Command,
    CommunicationError,
    Enquiry,
    Invalid,
    MessageError,
    NoteTable,
    Request,
    SerialNumber,
    Setting,
    State,
    Status,
    Version,
    decode_answer,
    decode_note_table,
    decode_request,
    encode_answer,
    encode_note_table,
    encode_request,
)
from guichet.money import parse_money
from tests.fuzz import lines
from tests.fuzz.decoder import Decoder, must

COMMANDS = tuple(Command)
TABLE = encode_note_table({0x62: parse_money("5 EUR"), 0x64: parse_money("20 EUR"), 0x69: parse_money("20 USD")})
_REFUSALS = tuple(map(encode_answer, (CommunicationError(), Invalid(), Enquiry())))
DONE = (b"\x50", *_REFUSALS)
STATES = tuple(map(encode_answer, (
    *(Status(state) for state in State if state is not State.ESCROW),
    Status(State.ESCROW, b"\x62"), Status(State.ESCROW, b"\x70"), Status(State.ESCROW, bytes((TICKET,)) + b"123"),
    Status(State.REJECTING, b"\x71"), Status(State.FAILURE, b"\xa2"), Status(State.STACKED, b"\x01"),
)))  # fmt: skip
LIKELY: Mapping[Command, tuple[bytes, ...]] = {
    Command.STATUS: (*STATES, *_REFUSALS),
    Command.VERSION: (encode_answer(Version("i(EUR)-100-SS ID003-05V500")), *_REFUSALS),
    Command.SERIAL: (encode_answer(SerialNumber("SIM000000001")), encode_answer(SerialNumber("OTHER")), *_REFUSALS),
    Command.NOTE_TABLE: (encode_answer(TABLE), encode_answer(NoteTable({}, bytes(4))), *_REFUSALS),
    **{
        command: (encode_answer(Setting(command, bytes(size))), encode_answer(Setting(command, b"\x02" * size)), *DONE)
        for command, size in SETTINGS.items()
    },
}


# --- framing --------------------------------------------------------------------------------------------------------


def _is_damaged(item: lines.Item) -> bool | None:
    return item.damaged if isinstance(item, Noise) else None


def _rebuilt(item: lines.Item) -> bytes:
    return frame(item.payload) if isinstance(item, Frame) else b""


_LINE = lines.Line(Deframer, _is_damaged, _rebuilt, frame(b"\x11"), b"\0", MAX_PAYLOAD + 4)


def _framing(data: bytes) -> None:
    lines.check(_LINE, data)


def _framing_seeds() -> Iterator[bytes]:
    yield b"\x00" + frame(bytes(MAX_PAYLOAD))
    yield b"\x47" + b"\xfc\x05\xfc\xfc" * 20
    for payload in (*STATES, encode_answer(TABLE), b"\xfc\x05\x11\x27\x56"):
        yield b"\x00" + frame(payload)
        yield b"\xf5" + frame(payload)[:-1] + b"\x55" + frame(payload)


# --- messages -------------------------------------------------------------------------------------------------------


def _messages(data: bytes) -> None:
    """The first byte: what was asked."""
    asked, payload = COMMANDS[(data[0] if data else 0) % len(COMMANDS)], data[1:]
    with suppress(MessageError):
        must(encode_request(decode_request(payload)) == payload, "a request is changed")
    with suppress(MessageError):
        _check_answer(asked, decode_answer(asked, payload), payload)
    with suppress(MessageError):
        _check_table(decode_note_table(payload))


def _check_answer(asked: Command, answer: Answer, payload: bytes) -> None:
    again = encode_answer(answer)
    if isinstance(answer, Version | BootVersion | SerialNumber):
        must(not payload[1:].isascii() or decode_answer(asked, again) == answer, "a text is changed")
    else:
        must(again == payload or isinstance(answer, Acknowledged), "an answer is changed")


def _check_table(table: NoteTable) -> None:
    must(all(value.minor > 0 for value in table.values.values()), "a note that is worth nothing")
    must(TICKET not in table.values, "a ticket has a value")
    try:
        again = encode_note_table(table.values)
    except MessageError:
        return  # Codes beyond those of a validator, or digits that a record has no room for.
    must(decode_note_table(again.raw).values == table.values, "a note table is changed")


def _message_seeds() -> Iterator[bytes]:
    for index, command in enumerate(COMMANDS):
        yield bytes((index,)) + encode_request(Request(command, bytes(SETTINGS.get(command, 0))))
        for payload in LIKELY.get(command, DONE):
            yield bytes((index,)) + payload
    yield b"\x00" + TABLE.raw


DECODERS = (
    Decoder("id003-framing", _framing, _framing_seeds, 96),
    Decoder("id003-messages", _messages, _message_seeds, 256),
)
