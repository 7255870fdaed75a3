"""ccTalk messages, both directions: what the host asks by a header, what the device answers with header 0.

An answer does not repeat the question's header, so it is only understood together with its question. (ccTalk generic
specification 4.7, parts 2 and 3; sheet sections 3 and 4.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from drivers.cash.cctalk.framing import MAX_DATA
from drivers.cash.cctalk.values import Scaling

REPLY = 0
_NAK = 5
_BUSY = 6
SLOTS = 5


class MessageError(ValueError):
    """A header with data that is no message, or no answer to what was asked."""


class Header(IntEnum):
    """The headers that we use, by their code."""

    RESET = 1
    SIMPLE_POLL = 254
    POLLING_PRIORITY = 249
    STATUS = 248
    MANUFACTURER = 246
    CATEGORY = 245
    PRODUCT = 244
    SERIAL = 242
    SOFTWARE = 241
    SELF_CHECK = 232
    SET_INHIBITS = 231
    GET_INHIBITS = 230
    COIN_EVENTS = 229
    SET_MASTER = 228
    GET_MASTER = 227
    OPTION_FLAGS = 213
    COIN_ID = 184
    NOTE_EVENTS = 159
    NOTE_ID = 157
    SCALING = 156
    ROUTE = 154
    SET_MODE = 153
    REVISION = 145


class Route(IntEnum):
    """What becomes of the note in escrow. HOLD moves nothing: it starts the time of escrow anew."""

    RETURN = 0
    STACK = 1
    HOLD = 255


EVENT_HEADERS = frozenset({Header.COIN_EVENTS, Header.NOTE_EVENTS})
_TEXTS = frozenset({
    Header.MANUFACTURER, Header.CATEGORY, Header.PRODUCT, Header.SOFTWARE, Header.REVISION, Header.COIN_ID,
    Header.NOTE_ID,
})  # fmt: skip
_ONE_BYTE = frozenset({Header.COIN_ID, Header.NOTE_ID, Header.ROUTE, Header.SET_MODE, Header.SET_MASTER})
_COUNTRY = frozenset({Header.SCALING, Header.REVISION})
COMMANDS = frozenset({
    Header.RESET, Header.SIMPLE_POLL, Header.SET_INHIBITS, Header.SET_MASTER, Header.ROUTE, Header.SET_MODE,
})  # fmt: skip
"""Headers whose good answer is ACK."""


@dataclass(frozen=True, slots=True)
class Request:
    """A header and its data."""

    header: Header
    data: bytes = b""


def route(where: Route) -> Request:
    """Do something with the note in escrow."""
    return Request(Header.ROUTE, bytes((where,)))


def set_master(*, accepting: bool) -> Request:
    """Lift the master inhibit, or set it."""
    return Request(Header.SET_MASTER, bytes((accepting,)))


def encode_request(request: Request) -> tuple[int, bytes]:
    """The header and the data of a request."""
    return int(request.header), request.data


def decode_request(header: int, data: bytes) -> Request:
    """The request. Raises :class:`MessageError` for an unknown header, or data that is not its own."""
    try:
        known = Header(header)
    except ValueError as error:
        raise MessageError(f"no such header: {header}") from error
    if known in _ONE_BYTE:
        fits = len(data) == 1
    elif known in _COUNTRY:
        fits = len(data) == 2
    elif known is Header.SET_INHIBITS:
        fits = 1 <= len(data) <= 8
    else:
        # RESET above all: one that carries data is another frame with noise before it (sheet section 8).
        fits = not data
    if not fits:
        raise MessageError(f"{known.name} with {len(data)} bytes of data")
    return Request(known, data)


# --- answers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """ACK: done."""


@dataclass(frozen=True, slots=True)
class NotAcknowledged:
    """NAK: not done."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Not now; to be asked again later."""


class NotRouted(IntEnum):
    """Why a note was not routed; also the answer's byte."""

    ESCROW_EMPTY = 254
    FAILED = 255


@dataclass(frozen=True, slots=True)
class Text:
    """A name, a revision, or a position's identifier."""

    text: str


@dataclass(frozen=True, slots=True)
class SerialNumber:
    """24 bits of serial number."""

    number: int


@dataclass(frozen=True, slots=True)
class EventBuffer:
    """The last five events, newest first, and the number of the newest: 0 after power-up, then 1 to 255 round."""

    counter: int
    events: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Mask:
    """Which positions are enabled; bit 0 of the first byte is position 1."""

    mask: bytes


@dataclass(frozen=True, slots=True)
class Code:
    """A fault code (0: none), a coin acceptor's status, or the master inhibit."""

    code: int


@dataclass(frozen=True, slots=True)
class OptionFlags:
    """How a device is set up; what a flag says depends on the kind of device."""

    flags: int

    @property
    def credits_are_values(self) -> bool:
        """Of a coin acceptor: a credit names what the coin is worth and not its position (CVF; sheet section 5)."""
        return bool(self.flags & 1)


@dataclass(frozen=True, slots=True)
class PollEvery:
    """How often the device wants to be polled, in seconds; None: it does not say."""

    seconds: float | None


Answer = (
    Acknowledged | NotAcknowledged | Busy | NotRouted | Text | SerialNumber | EventBuffer | Mask | Code | OptionFlags
    | PollEvery | Scaling
)  # fmt: skip

_UNITS: Mapping[int, float] = {1: 0.001, 2: 0.01, 3: 1.0, 4: 60.0, 5: 3600.0}


@lru_cache(maxsize=256)
def decode_answer(asked: Header, header: int, data: bytes) -> Answer:
    """The answer to ``asked``. Raises :class:`MessageError` for one that is none."""
    if header == _NAK:
        return NotAcknowledged()
    if header == _BUSY:
        return Busy()
    if header != REPLY:
        raise MessageError(f"no answer has header {header}")
    if asked in COMMANDS and not data:
        return Acknowledged()
    if asked in EVENT_HEADERS and len(data) == 1 + 2 * SLOTS:
        return EventBuffer(data[0], tuple(zip(data[1::2], data[2::2], strict=True)))
    if asked in _TEXTS and data:
        return Text(data.decode("ascii", "replace"))
    return _decode_numbers(asked, data)


def _decode_numbers(asked: Header, data: bytes) -> Answer:
    match asked:
        case Header.ROUTE if data in (b"\xfe", b"\xff"):
            return NotRouted(data[0])
        case Header.SERIAL if len(data) == 3:
            return SerialNumber(int.from_bytes(data, "little"))
        case Header.SCALING if len(data) == 3:
            return Scaling(int.from_bytes(data[:2], "little"), data[2])
        case Header.GET_INHIBITS if 1 <= len(data) <= 8:
            return Mask(data)
        case Header.SELF_CHECK if 1 <= len(data) <= 2:
            return Code(data[0])
        case Header.STATUS | Header.GET_MASTER if len(data) == 1:
            return Code(data[0])
        case Header.OPTION_FLAGS if len(data) == 1:
            return OptionFlags(data[0])
        case Header.POLLING_PRIORITY if len(data) == 2:
            unit = _UNITS.get(data[0])
            return PollEvery(unit * data[1] if unit is not None and data[1] else None)
        case _:
            raise MessageError(f"no answer to {asked.name}: {data.hex()}")


def encode_answer(answer: Answer) -> tuple[int, bytes]:
    """Header and data of an answer: the device's side."""
    match answer:
        case Acknowledged():
            return REPLY, b""
        case NotAcknowledged():
            return _NAK, b""
        case Busy():
            return _BUSY, b""
        case NotRouted():
            return REPLY, bytes((answer,))
        case Text(text):
            return REPLY, text.encode("ascii", "replace")[:MAX_DATA]
        case SerialNumber(number):
            return REPLY, number.to_bytes(3, "little")
        case EventBuffer(counter, events):
            return REPLY, bytes((counter,)) + bytes(byte for pair in events for byte in pair)
        case Mask(mask):
            return REPLY, mask
        case Code(code) | OptionFlags(code):
            return REPLY, bytes((code,))
        case PollEvery(seconds):
            return REPLY, bytes((0, 0)) if seconds is None else bytes((2, min(255, round(seconds * 100))))
        case Scaling(factor, decimals):
            return REPLY, factor.to_bytes(2, "little") + bytes((decimals,))
