"""What terminal and PIN pad say to each other, in both directions.

The set is our own, cut down from what encrypting PIN pads have in common: ask who it is, ask how it is, let a PIN be
entered, hear how many digits there are, fetch the encrypted block. No message carries a PIN. Texts are one byte of
length and ASCII; numbers are big-endian.

    terminal                                    pad
    01 identify                                 81 identity: flags 1 (bit 0: a program), model, serial, firmware
    02 status                                   82 status: state 1, key loaded 1, key id 8, counter 4
    03 enter PIN: seconds 1, PAN digits (text)  83 entry started
    04 entry                                    84 entry: outcome 1, digits 1; with outcome 2: KSN 12, block 16
    05 cancel entry                             85 entry cancelled
    06 load key: key id 8, key 16               86 key loaded
    any                                         FE refused: command 1, refusal 1
                                                90 entry changed (unasked, sequence 0): digits 1, over 1

Commands may be repeated with the same sequence number after a lost answer: the pad does nothing twice. A real pad loads
keys by an encrypted key block only; *load key*, in clear, is for the software pad.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from drivers.pinpad.framing import Frame

KEY_ID_BYTES = 8
KEY_BYTES = 16
KSN_BYTES = 12
BLOCK_BYTES = 16
EVENT_SEQUENCE = 0


class BadMessage(ValueError):
    """A frame whose body is not what its kind says. The text never has the body in it."""


class PadState(IntEnum):
    """How the pad is."""

    IDLE = 0
    ENTERING = 1
    FAULT = 2


class Outcome(IntEnum):
    """How an entry stands."""

    NONE = 0
    ENTERING = 1
    BLOCK = 2
    CANCELLED = 3
    TIMED_OUT = 4


class Refusal(IntEnum):
    """Why the pad will not."""

    UNKNOWN_COMMAND = 1
    BAD_BODY = 2
    BUSY = 3
    NO_KEY = 4
    KEY_USED_UP = 5
    STORAGE = 6


@dataclass(frozen=True, slots=True)
class Identify:
    """Asks who the pad is."""


@dataclass(frozen=True, slots=True)
class AskStatus:
    """Asks how the pad is."""


@dataclass(frozen=True, slots=True, repr=False)
class EnterPin:
    """Let a PIN of 4 to 12 digits be typed for the card ``pan`` (8 to 19 ASCII digits), within ``seconds`` (1..255)."""

    pan: bytes
    seconds: int

    def __repr__(self) -> str:
        return f"EnterPin(****, {self.seconds} s)"


@dataclass(frozen=True, slots=True)
class AskEntry:
    """How does the entry stand? The answer stays the same until the next entry."""


@dataclass(frozen=True, slots=True)
class CancelEntry:
    """End the entry, if there is one."""


@dataclass(frozen=True, slots=True, repr=False)
class LoadKey:
    """Work from this initial key. A pad that has the key id already keeps its counter."""

    key_id: bytes
    key: bytes

    def __repr__(self) -> str:
        return f"LoadKey({self.key_id.hex()}, ****)"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the pad is."""

    software: bool
    model: str
    serial: str
    firmware: str


@dataclass(frozen=True, slots=True)
class Status:
    """How the pad is; ``counter`` is that of the last key used under ``key_id``."""

    state: PadState
    key_loaded: bool
    key_id: bytes
    counter: int


@dataclass(frozen=True, slots=True)
class EntryStarted:
    """The pad takes digits now."""


@dataclass(frozen=True, slots=True)
class Entry:
    """How the entry stands: ``digits`` typed; ``ksn`` and ``block`` with the outcome ``BLOCK`` only."""

    outcome: Outcome
    digits: int
    ksn: bytes = b""
    block: bytes = b""


@dataclass(frozen=True, slots=True)
class EntryCancelled:
    """No entry goes on."""


@dataclass(frozen=True, slots=True)
class KeyLoaded:
    """The pad works from that key."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The pad will not do ``command`` (its kind)."""

    command: int
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class EntryChanged:
    """Something was pressed: ``digits`` are there now, or the entry is ``over`` and waits to be asked for."""

    digits: int
    over: bool


QUESTIONS = (0x01, 0x02, 0x04)
"""The kinds of commands that change nothing: repeated, they get a new answer."""

Command = Identify | AskStatus | EnterPin | AskEntry | CancelEntry | LoadKey
Answer = Identity | Status | EntryStarted | Entry | EntryCancelled | KeyLoaded | Refused
Message = Command | Answer | EntryChanged

_REFUSED, _CHANGED = 0xFE, 0x90
_EMPTY: dict[int, type[Identify | AskStatus | AskEntry | CancelEntry | EntryStarted | EntryCancelled | KeyLoaded]] = {
    0x01: Identify,
    0x02: AskStatus,
    0x04: AskEntry,
    0x05: CancelEntry,
    0x83: EntryStarted,
    0x85: EntryCancelled,
    0x86: KeyLoaded,
}
_KIND_OF_EMPTY = {message: kind for kind, message in _EMPTY.items()}


def encode(sequence: int, message: Message) -> Frame:
    """The frame that carries ``message``."""
    match message:
        case EnterPin(pan, seconds):
            return Frame(sequence, 0x03, bytes([seconds]) + _text(pan))
        case LoadKey(key_id, key):
            return Frame(sequence, 0x06, key_id + key)
        case Identity(software, model, serial, firmware):
            texts = b"".join(_text(text.encode("ascii")) for text in (model, serial, firmware))
            return Frame(sequence, 0x81, bytes([software]) + texts)
        case Status(state, loaded, key_id, counter):
            return Frame(sequence, 0x82, bytes([state, loaded]) + key_id + counter.to_bytes(4, "big"))
        case Entry(outcome, digits, ksn, block):
            return Frame(sequence, 0x84, bytes([outcome, digits]) + ksn + block)
        case Refused(command, refusal):
            return Frame(sequence, _REFUSED, bytes([command, refusal]))
        case EntryChanged(digits, over):
            return Frame(sequence, _CHANGED, bytes([digits, over]))
        case _:
            return Frame(sequence, _KIND_OF_EMPTY[type(message)])


def decode(frame: Frame) -> Message:
    """The message in ``frame``. Raises :class:`BadMessage`."""
    if frame.kind in _EMPTY:
        _must(not frame.body, frame)
        return _EMPTY[frame.kind]()
    try:
        return _decode(frame)
    except (ValueError, IndexError):
        raise BadMessage(f"kind {frame.kind:02X} with a body that is not its own") from None


def _decode(frame: Frame) -> Message:
    body = frame.body
    match frame.kind:
        case 0x03:
            (pan,) = _texts(body[1:], 1)
            _must(body[0] >= 1 and 8 <= len(pan) <= 19 and pan.isdigit(), frame)
            return EnterPin(pan, body[0])
        case 0x06:
            _must(len(body) == KEY_ID_BYTES + KEY_BYTES, frame)
            return LoadKey(body[:KEY_ID_BYTES], body[KEY_ID_BYTES:])
        case 0x81:
            model, serial, firmware = (text.decode("ascii") for text in _texts(body[1:], 3))
            return Identity(_flag(body[0]), model, serial, firmware)
        case 0x82:
            _must(len(body) == 2 + KEY_ID_BYTES + 4, frame)
            return Status(PadState(body[0]), _flag(body[1]), body[2:10], int.from_bytes(body[10:], "big"))
        case 0x84:
            return _decode_entry(frame)
        case 0xFE:
            _must(len(body) == 2, frame)
            return Refused(body[0], Refusal(body[1]))
        case 0x90:
            _must(len(body) == 2, frame)
            return EntryChanged(body[0], _flag(body[1]))
        case _:
            raise BadMessage(f"unknown kind {frame.kind:02X}")


def _decode_entry(frame: Frame) -> Entry:
    outcome = Outcome(frame.body[0])
    rest = frame.body[2:]
    _must(len(rest) == (KSN_BYTES + BLOCK_BYTES if outcome is Outcome.BLOCK else 0), frame)
    return Entry(outcome, frame.body[1], rest[:KSN_BYTES], rest[KSN_BYTES:])


def _text(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def _texts(body: bytes, count: int) -> list[bytes]:
    """Exactly ``count`` texts, each behind its length."""
    texts: list[bytes] = []
    for _ in range(count):
        length = body[0]
        texts.append(body[1 : 1 + length])
        if len(texts[-1]) != length:
            raise ValueError("a text is cut off")
        body = body[1 + length :]
    if body:
        raise ValueError("bytes behind the last text")
    return texts


def _flag(value: int) -> bool:
    if value > 1:
        raise ValueError("a flag is 0 or 1")
    return value == 1


def _must(holds: bool, frame: Frame) -> None:
    if not holds:
        raise BadMessage(f"kind {frame.kind:02X} with a body that is not its own")
