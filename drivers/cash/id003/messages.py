"""ID-003 messages, both directions: what the host asks, what the validator answers.

An answer says by its own code what it is an answer to, but some codes mean one thing as a command and another as a
state (40 to 45), so it is still understood together with its question. (protocols/id003, sections 3, 4 and 6.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache

from guichet.money import Currency, Money, MoneyError

_RECORD = 4
_MOST_ZEROS = 9
TICKET = 0x6F
"""The escrow code of a bar-coded ticket: it is no note."""


class MessageError(ValueError):
    """A payload that is no message, or no answer to what was asked."""


class Command(IntEnum):
    """The commands, by their code. Each SET code is its GET code plus 40h."""

    STATUS = 0x11
    RESET = 0x40
    STACK_1 = 0x41
    STACK_2 = 0x42
    RETURN = 0x43
    HOLD = 0x44
    WAIT = 0x45
    ACK = 0x50
    GET_DENOMINATIONS = 0x80
    GET_SECURITY = 0x81
    GET_COMMUNICATION = 0x82
    GET_INHIBIT = 0x83
    GET_DIRECTION = 0x84
    GET_OPTIONS = 0x85
    GET_BARCODE = 0x86
    GET_BAR_INHIBIT = 0x87
    VERSION = 0x88
    BOOT_VERSION = 0x89
    NOTE_TABLE = 0x8A
    SERIAL = 0x91
    SET_DENOMINATIONS = 0xC0
    SET_SECURITY = 0xC1
    SET_COMMUNICATION = 0xC2
    SET_INHIBIT = 0xC3
    SET_DIRECTION = 0xC4
    SET_OPTIONS = 0xC5
    SET_BARCODE = 0xC6
    SET_BAR_INHIBIT = 0xC7


SETTINGS: Mapping[Command, int] = {
    Command.SET_DENOMINATIONS: 2, Command.SET_SECURITY: 2, Command.SET_COMMUNICATION: 1, Command.SET_INHIBIT: 1,
    Command.SET_DIRECTION: 1, Command.SET_OPTIONS: 2, Command.SET_BARCODE: 2, Command.SET_BAR_INHIBIT: 1,
}  # fmt: skip
"""Commands that set something, and how many bytes of data they have."""

_OPERATIONS = frozenset(
    {Command.RESET, Command.STACK_1, Command.STACK_2, Command.RETURN, Command.HOLD, Command.WAIT}
)  # fmt: skip


def set_of(command: Command) -> Command | None:
    """The SET command of a GET command; None: it is none."""
    return next((setting for setting in SETTINGS if setting == command + 0x40), None)


@dataclass(frozen=True, slots=True)
class Request:
    """A command with its data: settings have some, HOLD may have a byte."""

    command: Command
    data: bytes = b""


def encode_request(request: Request) -> bytes:
    """The payload of a command."""
    return bytes((request.command,)) + request.data


def decode_request(payload: bytes) -> Request:
    """The command in ``payload``. Raises :class:`MessageError` for one that we do not know or that is malformed."""
    try:
        command = Command(payload[0])
    except (IndexError, ValueError) as error:
        raise MessageError(f"no such command: {payload.hex()}") from error
    data = payload[1:]
    allowed = (0, 1) if command is Command.HOLD else (SETTINGS.get(command, 0),)
    if len(data) not in allowed:
        raise MessageError(f"{command.name} with {len(data)} bytes of data")
    return Request(command, data)


# --- answers --------------------------------------------------------------------------------------------------------


class State(IntEnum):
    """The code of a status answer. BUSY, END and RETURNED are known from one source only."""

    IDLING = 0x11
    ACCEPTING = 0x12
    ESCROW = 0x13
    STACKING = 0x14
    VEND_VALID = 0x15
    STACKED = 0x16
    REJECTING = 0x17
    RETURNING = 0x18
    HOLDING = 0x19
    DISABLED = 0x1A
    INITIALIZE = 0x1B
    BUSY = 0x1C
    END = 0x1D
    RETURNED = 0x1E
    POWER_UP = 0x40
    POWER_UP_NOTE_IN_ACCEPTOR = 0x41
    POWER_UP_NOTE_IN_STACKER = 0x42
    BOX_FULL = 0x43
    BOX_REMOVED = 0x44
    JAM_ACCEPTOR = 0x45
    JAM_STACKER = 0x46
    PAUSE = 0x47
    CHEATED = 0x48
    FAILURE = 0x49
    RECYCLER_FAILURE = 0x4C


# How much data a state may have; the others have none. An escrow without a code would name no note. VEND VALID has none
# in any capture, and one byte in one description; a recycler adds one to STACKED.
_DATA: Mapping[State, range] = {
    State.ESCROW: range(1, 250),
    State.HOLDING: range(250),
    State.VEND_VALID: range(2),
    State.STACKED: range(2),
    State.REJECTING: range(2),
    State.FAILURE: range(2),
}

REJECT_REASONS: Mapping[int, str] = {
    0x71: "insertion", 0x72: "magnetic", 0x73: "earlier-note-in-head", 0x74: "calibration", 0x75: "transport",
    0x76: "identification", 0x77: "photo-pattern", 0x78: "photo-level", 0x79: "inhibited", 0x7B: "operation",
    0x7C: "earlier-note-in-stacker", 0x7D: "length", 0x7E: "photo-pattern", 0x7F: "true-note-feature",
    0x98: "multiple-notes", 0x9B: "barcode",
}  # fmt: skip
"""What the byte of REJECTING means, as a stable word. INHIBITED is also what a note gets that nobody decided about."""


@dataclass(frozen=True, slots=True)
class Status:
    """A state and its data: escrow code, reason, failure code."""

    state: State
    data: bytes = b""

    @property
    def detail(self) -> int | None:
        """The first byte of the data."""
        return self.data[0] if self.data else None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """50: an operation has been accepted."""


@dataclass(frozen=True, slots=True)
class CommunicationError:
    """4A: the question arrived damaged."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """4B: not in this state, or not a command of this device. An answer, never a state."""


@dataclass(frozen=True, slots=True)
class Enquiry:
    """05: something has changed, says a device in interrupt mode, unasked."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The echo of a SET command, which accepts it, or the answer to a GET command."""

    command: Command
    data: bytes


@dataclass(frozen=True, slots=True)
class Version:
    """Family, currency, model, protocol, software and ROM check, as one text in no fixed layout."""

    text: str


@dataclass(frozen=True, slots=True)
class BootVersion:
    """The boot software's version."""

    text: str


@dataclass(frozen=True, slots=True)
class SerialNumber:
    """Twelve digits, in the one published capture."""

    text: str


@dataclass(frozen=True, slots=True)
class NoteTable:
    """Values by escrow code; a code that is not in it cannot be named. ``raw`` is the table as it was sent."""

    values: Mapping[int, Money]
    raw: bytes = field(repr=False)


Answer = (
    Status | Acknowledged | CommunicationError | Invalid | Enquiry | Setting | Version | BootVersion | SerialNumber
    | NoteTable
)  # fmt: skip

_PLAIN: Mapping[bytes, Answer] = {b"\x4a": CommunicationError(), b"\x4b": Invalid(), b"\x05": Enquiry()}

COUNTRIES: Mapping[int, str] = {0xE0: "EUR", 0x01: "USD", 0x08: "CAD", 0x27: "RUB", 0x5C: "UAH", 0x16: "CHF"}
"""Country codes that at least two sources agree on (protocols/id003, 4.4). Any other one leaves its note type without a
value, never a guess, unless the configuration says what it is."""


def decode_answer(asked: Command, payload: bytes, countries: Mapping[int, str] = COUNTRIES) -> Answer:
    """The answer to ``asked``. Raises :class:`MessageError` for one that is none."""
    if payload in _PLAIN:
        return _PLAIN[payload]
    if asked is Command.STATUS:
        return _decode_status(payload)
    if asked in _OPERATIONS and payload == b"\x50":
        return Acknowledged()
    if payload[:1] == bytes((asked,)):
        return _decode_own(asked, payload[1:], countries)
    raise MessageError(f"no answer to {asked.name}: {payload.hex()}")


def _decode_own(asked: Command, data: bytes, countries: Mapping[int, str]) -> Answer:
    """The answer that repeats its question's code."""
    match asked:
        case Command.VERSION:
            return Version(_text(data))
        case Command.BOOT_VERSION:
            return BootVersion(_text(data))
        case Command.SERIAL:
            return SerialNumber(_text(data))
        case Command.NOTE_TABLE:
            return decode_note_table(data, countries)
        case _:
            setting = asked if asked in SETTINGS else set_of(asked)
            if setting is None or len(data) != SETTINGS[setting]:
                raise MessageError(f"no answer to {asked.name}: {data.hex()}")
            return Setting(asked, data)


def _text(data: bytes) -> str:
    return data.decode("ascii", "replace").strip(" \0\r\n")


@lru_cache(maxsize=256)
def _decode_status(payload: bytes) -> Status:
    try:
        state = State(payload[0])
    except (IndexError, ValueError) as error:
        raise MessageError(f"no such state: {payload.hex()}") from error
    if len(payload) - 1 not in _DATA.get(state, range(1)):
        raise MessageError(f"{state.name} with {len(payload) - 1} bytes of data")
    return Status(state, payload[1:])


def encode_answer(answer: Answer) -> bytes:
    """The payload of an answer: the validator's side."""
    match answer:
        case Status(state, data):
            return bytes((state,)) + data
        case Acknowledged():
            return b"\x50"
        case CommunicationError():
            return b"\x4a"
        case Invalid():
            return b"\x4b"
        case Enquiry():
            return b"\x05"
        case Setting(command, data):
            return bytes((command,)) + data
        case Version(text):
            return bytes((Command.VERSION,)) + text.encode("ascii", "replace")
        case BootVersion(text):
            return bytes((Command.BOOT_VERSION,)) + text.encode("ascii", "replace")
        case SerialNumber(text):
            return bytes((Command.SERIAL,)) + text.encode("ascii", "replace")
        case NoteTable(_, raw):
            return bytes((Command.NOTE_TABLE,)) + raw


# --- the note table -------------------------------------------------------------------------------------------------


def decode_note_table(raw: bytes, countries: Mapping[int, str] = COUNTRIES) -> NoteTable:
    """The table: records of escrow code, country, value, exponent. An empty slot has neither country nor value. A
    record that cannot be read as money leaves its code unknown, and so do two records that disagree about one.
    """
    if not raw or len(raw) % _RECORD:
        raise MessageError(f"a note table of {len(raw)} bytes")
    records = {raw[at : at + _RECORD] for at in range(0, len(raw), _RECORD)}
    values: dict[int, Money] = {}
    for code, country, digits, zeros in records:
        value = _decode_value(countries.get(country), digits, zeros)
        alone = sum(record[0] == code for record in records) == 1
        if value is not None and alone and code != TICKET:
            values[code] = value
    return NoteTable(dict(sorted(values.items())), raw)


def _decode_value(code: str | None, digits: int, zeros: int) -> Money | None:
    if code is None or not digits or zeros > _MOST_ZEROS:
        return None
    try:
        currency = Currency(code)
        return Money(digits * 10 ** (zeros + currency.exponent), currency)
    except MoneyError:
        return None


_FIRST_CODE, _USUAL_LAST_CODE, _LAST_CODE = 0x61, 0x68, 0x70


def encode_note_table(values: Mapping[int, Money]) -> NoteTable:
    """A table of whole major units, as a device would hold it. Raises :class:`MessageError` for other values."""
    if not set(values) <= set(range(_FIRST_CODE, _LAST_CODE + 1)) - {TICKET}:
        raise MessageError(f"a note table has no such codes: {sorted(values)}")
    codes = {country: code for code, country in COUNTRIES.items()}
    records = bytearray()
    for code in range(_FIRST_CODE, max(_USUAL_LAST_CODE, *values, 0) + 1):
        value = values.get(code)
        records += bytes((code, 0, 0, 0)) if value is None else _encode_record(code, codes, value)
    return NoteTable(dict(values), bytes(records))


def _encode_record(code: int, codes: Mapping[str, int], value: Money) -> bytes:
    major, rest = divmod(value.minor, 10**value.currency.exponent)
    zeros = 0
    while major >= 100 and major % 10 == 0 and zeros < _MOST_ZEROS:
        major, zeros = major // 10, zeros + 1
    country = codes.get(value.currency.code)
    if rest or country is None or not 0 < major < 256:
        raise MessageError(f"a note table holds no {value}")
    return bytes((code, country, major, zeros))
