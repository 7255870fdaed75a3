"""CCNET: framing and messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from drivers.cash.ccnet.framing import MAX_PAYLOAD, Deframer, Frame, Noise, crc16, frame
from drivers.cash.ccnet.messages import (
    Answer,
    Command,
    Identification,
    MessageError,
    NoteTable,
    PollAnswer,
    Request,
    State,
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
TABLE = encode_note_table({2: parse_money("5 EUR"), 4: parse_money("20 EUR"), 9: parse_money("20 USD")})
_IDENTITY = Identification("GUICHET-SIM-CC", "SIM000000001", b"")
PLAIN = (b"\x00", b"\xff", b"\x30")
STATES = tuple(encode_answer(PollAnswer(state)) for state in State) + tuple(
    bytes((state, detail))
    for state in (State.BUSY, State.REJECTING, State.FAILURE, State.ESCROW, State.STACKED, State.RETURNED)
    for detail in (1, 2, 4, 0x68)
)
LIKELY: Mapping[Command, tuple[bytes, ...]] = {
    Command.POLL: STATES,
    Command.IDENTIFICATION: (encode_answer(_IDENTITY), encode_answer(Identification("OTHER", "S-2", b"")), *PLAIN),
    Command.GET_NOTE_TABLE: (TABLE.raw, *PLAIN),
    Command.COUNT_STACKED: (b"\x00\x05", b"\x00\x06", *PLAIN),
}


# --- framing --------------------------------------------------------------------------------------------------------


def _is_damaged(item: lines.Item) -> bool | None:
    return item.damaged if isinstance(item, Noise) else None


def _rebuilt(item: lines.Item) -> bytes:
    return frame(item.payload, item.address) if isinstance(item, Frame) else b""


_LINE = lines.Line(Deframer, _is_damaged, _rebuilt, frame(b"\x33"), b"\0", MAX_PAYLOAD + 5)


def _framing(data: bytes) -> None:
    lines.check(_LINE, data)


def _too_long() -> bytes:
    """A frame of 255 bytes whose CRC is right: no short form has so many."""
    head = b"\x02\x03\xff" + bytes(250)
    return head + crc16(head).to_bytes(2, "little")


def _framing_seeds() -> Iterator[bytes]:
    yield b"\x00" + frame(bytes(MAX_PAYLOAD))
    for payload in (*STATES, TABLE.raw, encode_answer(_IDENTITY), b"\x02\x03\x06\x14\x67"):
        yield b"\x00" + frame(payload)
        yield b"\xf5" + frame(payload)[:-1] + b"\x55" + frame(payload)
    yield b"\xf3" + _too_long()
    yield b"\x47" + b"\x02\x03\x06" * 40


# --- messages -------------------------------------------------------------------------------------------------------


def _messages(data: bytes) -> None:
    """The first byte: what was asked."""
    asked, payload = COMMANDS[(data[0] if data else 0) % len(COMMANDS)], data[1:]
    with suppress(MessageError):
        request = decode_request(payload)
        # Its three bytes are not kept: nobody here sets security.
        must(request.command is Command.SET_SECURITY or encode_request(request) == payload, "a request is changed")
    with suppress(MessageError):
        _check_answer(asked, decode_answer(asked, payload), payload)
    with suppress(MessageError):
        _check_table(decode_note_table(payload))


def _check_answer(asked: Command, answer: Answer, payload: bytes) -> None:
    again = encode_answer(answer)
    if isinstance(answer, Identification):
        must(len(again) == len(payload), "an identification changes its length")
        must(not payload[:27].isascii() or decode_answer(asked, again) == answer, "an identification is changed")
    elif isinstance(answer, PollAnswer):  # Of a malformed one only the beginning is understood.
        must(payload.startswith(again) and decode_answer(asked, again) == answer, "a state is changed")
    else:
        must(again == payload, "an answer is changed")


def _check_table(table: NoteTable) -> None:
    must(all(value.minor > 0 for value in table.values.values()), "a note that is worth nothing")
    try:
        again = encode_note_table(table.values)
    except MessageError:
        return  # Not whole major units.
    must(decode_note_table(again.raw).values == table.values, "a note table is changed")


def _message_seeds() -> Iterator[bytes]:
    for index, command in enumerate(COMMANDS):
        yield bytes((index,)) + encode_request(Request(command))
        for payload in (*LIKELY.get(command, PLAIN), bytes(6)):
            yield bytes((index,)) + payload
    yield b"\x00" + encode_request(Request(Command.ENABLE_NOTE_TYPES, frozenset({1, 23}), frozenset({0, 8})))


DECODERS = (
    Decoder("ccnet-framing", _framing, _framing_seeds, 96),
    Decoder("ccnet-messages", _messages, _message_seeds, 256),
)
