"""CCNET messages, both directions: what the host asks, what the validator answers.

The validator does not repeat the command in its answer, so an answer is only understood together with its question.
(CashCode NET common specification 2.6, commands and poll responses.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache

from guichet.money import Currency, Money, MoneyError

NOTE_TYPES = 24
ALL_TYPES = frozenset(range(NOTE_TYPES))
_RECORD = 5
_MOST_PLACES = 9
_BARCODE_TYPE = 23


class MessageError(ValueError):
    """A payload that is no message, or no answer to what was asked."""


class Command(IntEnum):
    """The commands that we use, by their code. ACK and NAK travel both ways."""

    ACK = 0x00
    NAK = 0xFF
    RESET = 0x30
    GET_STATUS = 0x31
    SET_SECURITY = 0x32
    POLL = 0x33
    ENABLE_NOTE_TYPES = 0x34
    STACK = 0x35
    RETURN = 0x36
    IDENTIFICATION = 0x37
    HOLD = 0x38
    GET_NOTE_TABLE = 0x41
    COUNT_STACKED = 0x5B


@dataclass(frozen=True, slots=True)
class Request:
    """A command. ``enabled`` and ``escrow`` are note types, for ENABLE_NOTE_TYPES only."""

    command: Command
    enabled: frozenset[int] = frozenset()
    escrow: frozenset[int] = frozenset()


def encode_request(request: Request) -> bytes:
    """The payload of a command."""
    head = bytes((request.command,))
    if request.command is Command.ENABLE_NOTE_TYPES:
        return head + _mask(request.enabled) + _mask(request.escrow)
    return head


def decode_request(payload: bytes) -> Request:
    """The command in ``payload``. Raises :class:`MessageError` for one that we do not know or that is malformed."""
    try:
        command = Command(payload[0])
    except (IndexError, ValueError) as error:
        raise MessageError(f"no such command: {payload.hex()}") from error
    if command is Command.ENABLE_NOTE_TYPES:
        if len(payload) != 7:
            raise MessageError(f"note types take 6 bytes: {payload.hex()}")
        return Request(command, _types(payload[1:4]), _types(payload[4:7]))
    if len(payload) != (4 if command is Command.SET_SECURITY else 1):
        raise MessageError(f"{command.name} with {len(payload) - 1} bytes of data")
    return Request(command)


def _mask(types: frozenset[int]) -> bytes:
    """Three bytes, types 23..16 first; bit n of the last byte is type n."""
    return sum(1 << note_type for note_type in types).to_bytes(3, "big")


def _types(mask: bytes) -> frozenset[int]:
    bits = int.from_bytes(mask, "big")
    return frozenset(note_type for note_type in range(NOTE_TYPES) if bits >> note_type & 1)


# --- answers --------------------------------------------------------------------------------------------------------


class State(IntEnum):
    """The first byte of a poll's answer."""

    POWER_UP = 0x10
    POWER_UP_NOTE_IN_VALIDATOR = 0x11
    POWER_UP_NOTE_IN_STACKER = 0x12
    INITIALIZE = 0x13
    IDLING = 0x14
    ACCEPTING = 0x15
    STACKING = 0x17
    RETURNING = 0x18
    DISABLED = 0x19
    HOLDING = 0x1A
    BUSY = 0x1B
    REJECTING = 0x1C
    BOX_FULL = 0x41
    BOX_REMOVED = 0x42
    JAM_VALIDATOR = 0x43
    JAM_BOX = 0x44
    CHEATED = 0x45
    PAUSE = 0x46
    FAILURE = 0x47
    ESCROW = 0x80
    STACKED = 0x81
    RETURNED = 0x82


_WITH_TYPE = frozenset({State.ESCROW, State.STACKED, State.RETURNED})
_WITH_DETAIL = _WITH_TYPE | {State.BUSY, State.REJECTING, State.FAILURE}

REJECT_REASONS: Mapping[int, str] = {
    0x60: "insertion", 0x61: "magnetic", 0x62: "earlier-note-in-head", 0x63: "multiplying", 0x64: "transport",
    0x65: "identification", 0x66: "verification", 0x67: "optical", 0x68: "inhibited", 0x69: "capacitance",
    0x6A: "operation", 0x6C: "length", 0x6D: "ultraviolet", 0x92: "barcode", 0x93: "barcode", 0x94: "barcode",
    0x95: "barcode",
}  # fmt: skip
"""What the second byte of REJECTING means, as a stable word."""


@dataclass(frozen=True, slots=True)
class PollAnswer:
    """A state and its second byte, where the state has one: note type, reason, failure code, tenths of a second. Some
    firmware leaves out all of these but the note type.
    """

    state: State
    detail: int | None = None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """ACK: done."""


@dataclass(frozen=True, slots=True)
class NotAcknowledged:
    """NAK: the question arrived damaged."""


@dataclass(frozen=True, slots=True)
class Illegal:
    """30H: not in this state, or not a command of this device."""


@dataclass(frozen=True, slots=True)
class Identification:
    """Part number (15), serial number (12), asset number (7 binary bytes; of some units none, or of another length)."""

    part: str
    serial: str
    asset: bytes


@dataclass(frozen=True, slots=True)
class NoteTable:
    """Values by note type; a type that is not in it cannot be named. ``raw`` is the table as it was sent."""

    values: Mapping[int, Money]
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StackedCount:
    """How many notes the device counts as stacked, modulo 65536."""

    count: int


@dataclass(frozen=True, slots=True)
class EnabledTypes:
    """The answer to GET STATUS: which types are enabled, which are at high security."""

    enabled: frozenset[int]
    high_security: frozenset[int]


Answer = (
    PollAnswer | Acknowledged | NotAcknowledged | Illegal | Identification | NoteTable | StackedCount | EnabledTypes
)  # fmt: skip

_PLAIN: Mapping[bytes, Answer] = {b"\x00": Acknowledged(), b"\xff": NotAcknowledged(), b"\x30": Illegal()}


def decode_answer(asked: Command, payload: bytes) -> Answer:
    """The answer to ``asked``. Raises :class:`MessageError` for one that is none."""
    if payload in _PLAIN:
        return _PLAIN[payload]
    match asked:
        case Command.POLL:
            return _decode_poll(payload)
        case Command.IDENTIFICATION:
            return _decode_identification(payload)
        case Command.GET_NOTE_TABLE:
            return decode_note_table(payload)
        case Command.COUNT_STACKED if len(payload) == 2:
            return StackedCount(int.from_bytes(payload, "big"))
        case Command.GET_STATUS if len(payload) == 6:
            return EnabledTypes(_types(payload[:3]), _types(payload[3:]))
        case _:
            raise MessageError(f"no answer to {asked.name}: {payload.hex()}")


@lru_cache(maxsize=256)
def _decode_poll(payload: bytes) -> PollAnswer:
    try:
        state = State(payload[0])
    except (IndexError, ValueError) as error:
        raise MessageError(f"no such state: {payload.hex()}") from error
    known = 2 if state in _WITH_DETAIL else 1
    rest = payload[known:]
    # A bill-to-bill unit says where a note went in a third byte; bytes without a meaning are 0 (protocols/ccnet,
    # sections 2 and 5). More than that is a late answer to another question.
    if len(payload) > 3 or (state not in _WITH_DETAIL and any(rest)) or (state in _WITH_TYPE and len(payload) < known):
        raise MessageError(f"{state.name} with {len(payload)} bytes")
    return PollAnswer(state, payload[1] if state in _WITH_DETAIL and len(payload) >= known else None)


_NAMED = 27  # Bytes of an identification that say who it is.


def _decode_identification(payload: bytes) -> Identification:
    if len(payload) < _NAMED:
        raise MessageError(f"an identification has {_NAMED} bytes at least, not {len(payload)}")
    text = payload[:_NAMED].decode("ascii", "replace")
    return Identification(text[:15].strip(" \0"), text[15:].strip(" \0"), payload[_NAMED:])


def encode_answer(answer: Answer) -> bytes:
    """The payload of an answer: the validator's side."""
    match answer:
        case PollAnswer(state, detail):
            return bytes((state,)) if detail is None else bytes((state, detail))
        case Acknowledged():
            return b"\x00"
        case NotAcknowledged():
            return b"\xff"
        case Illegal():
            return b"\x30"
        case Identification(part, serial, asset):
            return (part.ljust(15) + serial.ljust(12)).encode("ascii", "replace") + asset
        case NoteTable(_, raw):
            return raw
        case StackedCount(count):
            return count.to_bytes(2, "big")
        case EnabledTypes(enabled, security):
            return _mask(enabled) + _mask(security)


# --- the note table -------------------------------------------------------------------------------------------------

# Makers' country codes that are not ISO 4217. A code that is in neither list makes the type unknown, never a guess.
_MAKERS_CODES = {
    "RUS": "RUB", "USA": "USD", "UKR": "UAH", "KAZ": "KZT", "POL": "PLN", "GBR": "GBP", "CHE": "CHF", "SWE": "SEK",
    "NOR": "NOK", "DNK": "DKK", "CZE": "CZK", "HUN": "HUF", "CHN": "CNY", "JPN": "JPY", "TUR": "TRY", "QAT": "QAR",
}  # fmt: skip


def decode_note_table(raw: bytes) -> NoteTable:
    """The table: records of value digits, three letters of country, scale. Missing records are empty; empty ones may
    lie between others. A record that cannot be read as money leaves its type unknown.
    """
    if not raw or len(raw) % _RECORD or len(raw) > NOTE_TYPES * 2 * _RECORD:
        raise MessageError(f"a note table of {len(raw)} bytes")
    values: dict[int, Money] = {}
    for note_type in range(min(len(raw) // _RECORD, NOTE_TYPES)):
        value = _decode_value(raw[note_type * _RECORD : (note_type + 1) * _RECORD])
        if value is not None and note_type != _BARCODE_TYPE:
            values[note_type] = value
    return NoteTable(values, raw)


def _decode_value(record: bytes) -> Money | None:
    digits, country, scale = record[0], record[1:4].decode("ascii", "replace"), record[4]
    places = scale & 0x7F
    if not digits or places > _MOST_PLACES:
        return None
    try:
        currency = Currency(_MAKERS_CODES.get(country, country))
        minor = digits * 10**currency.exponent
        if not scale & 0x80:
            return Money(minor * 10**places, currency)
        return Money(minor // 10**places, currency) if minor % 10**places == 0 else None
    except MoneyError:
        return None


def encode_note_table(values: Mapping[int, Money]) -> NoteTable:
    """A table of whole major units, as a device would hold it. Raises :class:`MessageError` for other values."""
    records = bytearray(NOTE_TYPES * _RECORD)
    for note_type, value in values.items():
        major, rest = divmod(value.minor, 10**value.currency.exponent)
        zeros = 0
        while major and major % 10 == 0 and zeros < _MOST_PLACES:
            major, zeros = major // 10, zeros + 1
        if rest or not 0 < major < 256 or note_type not in ALL_TYPES:
            raise MessageError(f"a note table holds no {value} at type {note_type}")
        record = bytes((major,)) + value.currency.code.encode("ascii") + bytes((zeros,))
        records[note_type * _RECORD : (note_type + 1) * _RECORD] = record
    return NoteTable(dict(values), bytes(records))
