"""The PIN pad: framing, messages in both directions, the software pad."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from drivers.pinpad import messages as m
from drivers.pinpad.framing import MAX_BODY, Deframer, Frame, encode_frame
from drivers.pinpad.software import KeyState, SoftwarePad
from guichet.pin import Key
from tests.fuzz.decoder import Decoder, Tape, must
from tests.fuzz.sizes import held

_KEY = Key(bytes.fromhex("1273671EA26AC29AFA4D1084127652A1"))
_KEY_ID = bytes.fromhex("1234567890123456")
_LONGEST = MAX_BODY + 7
_MOST_HELD = _LONGEST + 16
_GOOD = Frame(7, 0x02)
_SPOKEN: tuple[m.Message, ...] = (
    m.Identify(),
    m.AskStatus(),
    m.EnterPin(b"4761739001010010", 60),
    m.AskEntry(),
    m.CancelEntry(),
    m.LoadKey(_KEY_ID, _KEY.value),
    m.LoadKey(bytes(8), _KEY.value),
    m.Identity(True, "SOFTWARE PIN PAD", "S-1", "1"),
    m.Status(m.PadState.IDLE, True, _KEY_ID, 3),
    m.EntryStarted(),
    m.Entry(m.Outcome.ENTERING, 2),
    m.Entry(m.Outcome.BLOCK, 4, bytes(12), bytes(16)),
    m.EntryCancelled(),
    m.KeyLoaded(),
    m.Refused(0x03, m.Refusal.BUSY),
    m.EntryChanged(4, True),
)


def _framing(data: bytes) -> None:
    """The first byte says whether the rest comes in two pieces, and what follows it. Of noise this deframer says
    nothing.
    """
    how, data = (data[0], data[1:]) if data else (0, b"")
    deframer = Deframer()
    found = deframer.feed(data)
    at = 0
    for frame in found:
        raw = encode_frame(frame)
        at = data.find(raw, at) + len(raw)
        must(at >= len(raw), "a frame is found that was not fed, or not in its order")
    if how >> 6 == 1:
        pieces, cut = Deframer(), how & 0x3F
        must(pieces.feed(data[:cut]) + pieces.feed(data[cut:]) == found, "what is found depends on how it comes")
    elif how >> 6 == 2:
        must(held(deframer) < _MOST_HELD, "more waits for its end than the longest frame has")
    elif how >> 6:
        deframer.feed(bytes(_LONGEST))
        must(deframer.feed(encode_frame(_GOOD))[-1:] == [_GOOD], "it never finds back to a frame")


def _framing_seeds() -> Iterator[bytes]:
    for message in _SPOKEN:
        raw = encode_frame(m.encode(7, message))
        yield b"\x00" + raw
        yield b"\xc3" + raw[:-1] + b"\x02\x00" + raw
    yield b"\x00" + encode_frame(Frame(0, 0, b"\x02" * MAX_BODY))


def _messages(data: bytes) -> None:
    """Sequence, kind, body."""
    tape = Tape(data)
    frame = Frame(tape.byte(), tape.byte(), tape.take(MAX_BODY))
    with suppress(m.BadMessage):
        message = m.decode(frame)
        must(m.encode(frame.sequence, message) == frame, "a message is changed")
        _must_hide(message)


def _must_hide(message: m.Message) -> None:
    match message:
        case m.EnterPin(pan, _):
            must(pan.decode("ascii") not in repr(message), "it prints a card number")
        case m.LoadKey(_, key):
            must(key.hex() not in repr(message) and repr(key) not in repr(message), "it prints a key")
        case _:
            pass


def _message_seeds() -> Iterator[bytes]:
    for message in _SPOKEN:
        frame = m.encode(7, message)
        yield bytes((frame.sequence, frame.kind)) + frame.body


class _Memory:
    """What the pad keeps; ``full``: it can keep no more."""

    def __init__(self, state: KeyState | None) -> None:
        self.state = state
        self.full = False

    def load(self) -> KeyState | None:
        return self.state

    def save(self, state: KeyState) -> None:
        if self.full:
            raise OSError("no space")
        self.state = state


_COUNTERS = (0, 1, 0xFFFE0000, 0xFFFF0000)


def _pad(data: bytes) -> None:
    """The first byte chooses what the pad remembers; then commands, keys and time."""
    tape = Tape(data)
    choice = tape.byte()
    memory = _Memory(KeyState(_KEY, _KEY_ID, _COUNTERS[choice >> 1 & 3]) if choice & 1 else None)
    now = 0.0
    events: list[m.EntryChanged] = []
    pad = SoftwarePad("S-1", memory, lambda: now, bytes, events.append)
    while tape.more:
        what = tape.byte()
        match what & 7:
            case 0 | 1:
                _ask(pad, Frame(tape.byte(), tape.byte(), tape.take(tape.byte() % MAX_BODY)))
            case 2 | 3:
                _ask(pad, m.encode(what >> 4, _SPOKEN[tape.byte() % 7]))
            case 4:
                pad.press("0123456789"[: what >> 4])
            case 5:
                (pad.enter, pad.clear, pad.cancel, pad.tick)[what >> 4 & 3]()
            case 6:
                now += tape.byte()
            case _:
                memory.full = bool(what & 0x10)
        must(not pad.entering or pad.digits <= 12, "a PIN of more than twelve digits")


def _ask(pad: SoftwarePad, frame: Frame) -> None:
    answer = pad.answer(frame)
    must(answer.sequence == frame.sequence, "an answer to something else")
    must(not isinstance(m.decode(answer), m.EntryChanged), "an answer that is none")


def _pad_seeds() -> Iterator[bytes]:
    start, pressed, entered, asked = b"\x12\x02", b"\x54", b"\x05", b"\x22\x03"
    for choice in range(8):
        yield bytes((choice,)) + start + pressed + entered + asked
        yield bytes((choice,)) + b"\x02\x05" + start + pressed + b"\x06\xff" + asked + start + b"\x25" + asked
    for message in _SPOKEN:
        frame = m.encode(7, message)
        yield b"\x01" + bytes((0, frame.sequence, frame.kind, len(frame.body))) + frame.body


DECODERS = (
    Decoder("pinpad-framing", _framing, _framing_seeds, 112),
    Decoder("pinpad-messages", _messages, _message_seeds, 98),
    Decoder("pinpad-software", _pad, _pad_seeds, 160),
)
