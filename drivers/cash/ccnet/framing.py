"""CCNET frames: ``02 | address | length | payload | CRC low | CRC high``.

Length counts the whole frame. Nothing is stuffed: 02 may stand inside a payload, so a frame is only found by its sync
byte, its address, its length and its CRC together. A frame of more than 250 bytes needs the long form, which no
exchange with a validator uses; it is refused. (CashCode NET common specification 2.6, frame format.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from drivers.cash.crc import kermit

SYNC = 0x02
VALIDATOR = 0x03
_OVERHEAD = 5
_REMEMBERED = 128
MAX_PAYLOAD = 250 - _OVERHEAD


class FramingError(ValueError):
    """A payload that no frame carries."""


def crc16(data: bytes) -> int:
    """CRC-16/KERMIT: polynomial 1021 reflected, from zero. Over a whole good frame it is 0."""
    return kermit(data)


@lru_cache(maxsize=_REMEMBERED)
def frame(payload: bytes, address: int = VALIDATOR) -> bytes:
    """The frame around ``payload`` (1 to 245 bytes). Raises :class:`FramingError` for another size."""
    if not 1 <= len(payload) <= MAX_PAYLOAD:
        raise FramingError(f"a payload has 1 to {MAX_PAYLOAD} bytes, not {len(payload)}")
    head = bytes((SYNC, address, len(payload) + _OVERHEAD)) + payload
    return head + crc16(head).to_bytes(2, "little")


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that arrived whole; ``raw`` is all of it."""

    address: int
    payload: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that are no part of a good frame. ``damaged``: they looked like a whole frame but for the CRC."""

    raw: bytes
    damaged: bool


@lru_cache(maxsize=_REMEMBERED)
def _whole(raw: bytes, address: int) -> Frame | None:
    """The frame that ``raw`` is, if it is one and nothing more. A device at rest says the same thousands of times."""
    fits = _OVERHEAD < len(raw) <= _OVERHEAD + MAX_PAYLOAD and raw[:3] == bytes((SYNC, address, len(raw)))
    return Frame(address, raw[3:-2], raw) if fits and crc16(raw) == 0 else None


@dataclass(slots=True)
class Deframer:
    """Finds the frames in what a line brings, in whatever pieces it comes. Holds at most one frame's bytes."""

    address: int = VALIDATOR
    _pending: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> list[Frame | Noise]:
        """What ``data`` completes, in order."""
        if not self._pending and (alone := _whole(data, self.address)) is not None:
            return [alone]
        self._pending += data
        found: list[Frame | Noise] = []
        noise = bytearray()
        while self._pending:
            length = self._frame_length()
            if length is None:
                noise += self._skip()
                continue
            if len(self._pending) < length:
                break
            raw = bytes(self._pending[:length])
            self._flush(noise, found)
            if (whole := _whole(raw, self.address)) is not None:
                found.append(whole)
                del self._pending[:length]
            else:
                found.append(Noise(raw, damaged=True))
                # A frame may begin inside what only looked like one: only its first byte is given up.
                del self._pending[:1]
        self._flush(noise, found)
        return found

    def clear(self) -> None:
        """Forget a frame that was begun: its sender has been silent for too long to go on with it."""
        self._pending.clear()

    def _skip(self) -> bytearray:
        """Take away what comes before the next byte with which a frame may begin."""
        begin = self._pending.find(SYNC, 1)
        skipped = self._pending[: begin if begin > 0 else None]
        del self._pending[: len(skipped)]
        return skipped

    @staticmethod
    def _flush(noise: bytearray, found: list[Frame | Noise]) -> None:
        if noise:
            found.append(Noise(bytes(noise), damaged=False))
            noise.clear()

    def _frame_length(self) -> int | None:
        """The length of the frame that may begin here, a minimum while it is not known; None: none begins here."""
        head = self._pending
        if head[0] != SYNC or (len(head) > 1 and head[1] != self.address):
            return None
        if len(head) < 3:
            return _OVERHEAD + 1
        return head[2] if _OVERHEAD < head[2] <= _OVERHEAD + MAX_PAYLOAD else None
