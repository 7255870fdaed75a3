"""The software PIN pad: what an encrypting pad does inside its tamper-proof case, in a program, for development.

It is no secure device: whoever can read this process or its state file can read PINs. It says so in its model name and
its identity, and a terminal in production refuses it. Unlike a certified pad it keeps the initial key and derives each
key from it, so that an old block can be opened by whoever takes the key later.

Blocks are ISO 9564-1 format 4 under AES-128 DUKPT (X9.24-3). A counter is on disk before its key is used, so no power
cut makes it use one twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from drivers.pinpad import messages as m
from drivers.pinpad.framing import Frame, crc
from guichet.pin import (
    ENTROPY_BYTES,
    MAX_DIGITS,
    MIN_DIGITS,
    Key,
    Ksn,
    Pin,
    PinError,
    derive_pin_key,
    encode_pin_block,
    next_counter,
)

__all__ = ["FIRMWARE", "MODEL", "Key", "KeyState", "KeyStore", "SoftwarePad"]

MODEL = "SOFTWARE PIN PAD"
FIRMWARE = "1"


@dataclass(frozen=True, slots=True)
class KeyState:
    """What must outlive the power: the initial key, and the counter of the last key that was used (0: none yet)."""

    key: Key
    key_id: bytes
    counter: int


class KeyStore(Protocol):
    """Where :class:`KeyState` lies. Both raise OSError."""

    def load(self) -> KeyState | None:
        """What was saved last, if anything was."""
        ...

    def save(self, state: KeyState) -> None:
        """Returns when ``state`` would survive a power cut."""
        ...


class SoftwarePad:
    """The pad's whole behaviour: commands and key presses in, answers and events out. ``send`` takes what it says
    unasked; ``monotonic`` gives seconds; ``entropy`` gives that many random bytes.
    """

    def __init__(
        self,
        serial: str,
        store: KeyStore,
        monotonic: Callable[[], float],
        entropy: Callable[[int], bytes],
        send: Callable[[m.EntryChanged], None],
    ) -> None:
        self._serial = serial
        self._store = store
        self._monotonic = monotonic
        self._entropy = entropy
        self._send = send
        self._keys = store.load()
        self._pan = bytearray()
        self._typed = bytearray()
        self._deadline = 0.0
        self._entry = m.Entry(m.Outcome.NONE, 0)
        self._last: tuple[tuple[int, int, int], m.Answer] | None = None

    @property
    def entering(self) -> bool:
        """Whether digits are being taken."""
        return self._entry.outcome is m.Outcome.ENTERING

    @property
    def status(self) -> m.Status:
        """What it answers to *status*."""
        state = m.PadState.ENTERING if self.entering else m.PadState.IDLE
        if self._keys is None:
            return m.Status(state, False, bytes(m.KEY_ID_BYTES), 0)
        return m.Status(state, True, self._keys.key_id, self._keys.counter)

    @property
    def digits(self) -> int:
        """How many are typed."""
        return len(self._typed)

    def answer(self, frame: Frame) -> Frame:
        """The answer to a command. The same frame again gets the same answer, and nothing is done twice; only questions
        are answered anew.
        """
        this = (frame.sequence, frame.kind, crc(frame.body))  # not the frame itself, which has a card number in it
        if self._last is not None and self._last[0] == this and frame.kind not in m.QUESTIONS:
            return m.encode(frame.sequence, self._last[1])
        self.tick()
        answer = self._decoded(frame)
        self._last = (this, answer)
        return m.encode(frame.sequence, answer)

    def _decoded(self, frame: Frame) -> m.Answer:
        try:
            message = m.decode(frame)
        except m.BadMessage:
            return m.Refused(frame.kind, m.Refusal.BAD_BODY)
        match message:
            case m.Identify():
                return m.Identity(True, MODEL, self._serial, FIRMWARE)
            case m.AskStatus():
                return self.status
            case m.AskEntry():
                return self._entry
            case m.EnterPin(pan, seconds):
                return self._start(frame.kind, pan, seconds)
            case m.CancelEntry():
                self._end(m.Outcome.CANCELLED)
                return m.EntryCancelled()
            case m.LoadKey(key_id, key):
                return self.load_key(key_id, Key(key), frame.kind)
            case _:
                return m.Refused(frame.kind, m.Refusal.UNKNOWN_COMMAND)

    def load_key(self, key_id: bytes, key: Key, kind: int = 0x06) -> m.KeyLoaded | m.Refused:
        """Work from ``key``. The same key id again keeps its counter, whatever the key: one id never starts twice."""
        if self.entering:
            return m.Refused(kind, m.Refusal.BUSY)
        if self._keys is not None and self._keys.key_id == key_id:
            return m.KeyLoaded()
        return self._saved(KeyState(key, key_id, 0), kind) or m.KeyLoaded()

    def _start(self, kind: int, pan: bytes, seconds: int) -> m.Answer:
        if self.entering:
            return m.Refused(kind, m.Refusal.BUSY)
        if self._keys is None:
            return m.Refused(kind, m.Refusal.NO_KEY)
        try:
            counter = next_counter(self._keys.counter)
        except PinError:
            return m.Refused(kind, m.Refusal.KEY_USED_UP)
        refused = self._saved(KeyState(self._keys.key, self._keys.key_id, counter), kind)
        if refused is not None:
            return refused
        self._pan[:] = pan
        self._deadline = self._monotonic() + seconds
        self._entry = m.Entry(m.Outcome.ENTERING, 0)
        return m.EntryStarted()

    def _saved(self, state: KeyState, kind: int) -> m.Refused | None:
        try:
            self._store.save(state)
        except OSError:
            return m.Refused(kind, m.Refusal.STORAGE)
        self._keys = state
        return None

    # --- the keys that a person presses ---

    def press(self, digits: str) -> None:
        """Digit keys. Beyond twelve digits the pad takes none."""
        for digit in digits:
            if self.entering and len(self._typed) < MAX_DIGITS:
                self._typed.append(ord(digit))
                self._changed()

    def clear(self) -> None:
        """The yellow key: begin again."""
        if self.entering:
            _wipe(self._typed)
            self._changed()

    def cancel(self) -> None:
        """The red key."""
        self._end(m.Outcome.CANCELLED)

    def enter(self) -> None:
        """The green key. With fewer than four digits it does nothing."""
        if not self.entering or len(self._typed) < MIN_DIGITS or self._keys is None:
            return
        ksn = Ksn(self._keys.key_id, self._keys.counter)
        pin = Pin(self._typed)
        key = derive_pin_key(self._keys.key, ksn)
        block = encode_pin_block(key, pin, bytes(self._pan), self._entropy(ENTROPY_BYTES))
        pin.wipe()
        self._end(m.Outcome.BLOCK, ksn.encode(), block)

    def tick(self) -> None:
        """Time has passed: an entry past its time ends."""
        if self._monotonic() >= self._deadline:
            self._end(m.Outcome.TIMED_OUT)

    def _end(self, outcome: m.Outcome, ksn: bytes = b"", block: bytes = b"") -> None:
        if not self.entering:
            return
        self._entry = m.Entry(outcome, len(self._typed), ksn, block)
        _wipe(self._typed)
        _wipe(self._pan)
        self._send(m.EntryChanged(self._entry.digits, True))

    def _changed(self) -> None:
        self._entry = m.Entry(m.Outcome.ENTERING, len(self._typed))
        self._send(m.EntryChanged(len(self._typed), False))


def _wipe(buffer: bytearray) -> None:
    for index in range(len(buffer)):
        buffer[index] = 0
    buffer.clear()
