"""ccTalk frames, both checksums.

Simple: ``to | n | from | header | data[n] | sum``; all bytes together are 0 modulo 256.
CRC-16: ``to | n | CRC low | header | data[n] | CRC high``; the sender is not named, answers go to address 1.

Nothing marks a beginning and nothing is stuffed: a frame is found by its address, its length and its checksum together.
(ccTalk generic specification 4.7, part 1; sheet section 2.)
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

HOST = 1
BROADCAST = 0
_OVERHEAD = 5
_REMEMBERED = 128
MAX_DATA = 255


class FramingError(ValueError):
    """Data, a header or an address that no frame carries."""


class Checksum(Enum):
    """Which of the two; a device has one, set at the factory or by a switch."""

    SIMPLE = "simple"
    CRC16 = "crc16"


def crc16(data: bytes) -> int:
    """CRC-CCITT: polynomial 1021 from zero, most significant bit first, nothing inverted (XMODEM)."""
    return crc_hqx(data, 0)


@lru_cache(maxsize=_REMEMBERED)
def frame(
    to: int, header: int, data: bytes = b"", *, source: int = HOST, checksum: Checksum = Checksum.SIMPLE
) -> bytes:
    """The frame. ``source`` is not sent with the CRC. Raises :class:`FramingError` for what does not fit."""
    if len(data) > MAX_DATA or min(to, header, source) < 0 or max(to, header, source) > 255:
        raise FramingError(f"no frame carries header {header} with {len(data)} bytes from {source} to {to}")
    if checksum is Checksum.CRC16:
        crc = crc16(bytes((to, len(data), header)) + data)
        return bytes((to, len(data), crc & 0xFF, header)) + data + bytes((crc >> 8,))
    head = bytes((to, len(data), source, header)) + data
    return head + bytes((-sum(head) & 0xFF,))


def is_whole(raw: bytes, checksum: Checksum) -> bool:
    """Whether the checksum of a frame of the right length is right."""
    if checksum is Checksum.CRC16:
        return crc16(raw[:2] + raw[3:-1]) == raw[2] | raw[-1] << 8
    return sum(raw) & 0xFF == 0


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that arrived whole; ``raw`` is all of it. ``source`` is None with the CRC, which does not name it."""

    to: int
    source: int | None
    header: int
    data: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that are no part of a good frame. ``damaged``: they looked like a whole frame but for the checksum."""

    raw: bytes
    damaged: bool


@lru_cache(maxsize=_REMEMBERED)
def _whole(raw: bytes, checksum: Checksum) -> Frame | None:
    """The frame that ``raw`` is, if it is one and nothing more. A device at rest says the same thousands of times."""
    if len(raw) < _OVERHEAD or len(raw) != raw[1] + _OVERHEAD or not is_whole(raw, checksum):
        return None
    return Frame(raw[0], raw[2] if checksum is Checksum.SIMPLE else None, raw[3], raw[4:-1], raw)


@dataclass(slots=True)
class Deframer:
    """Finds the frames to ``addresses`` in what a line brings, in whatever pieces it comes. ``source``: only from this
    one, where the frame says it. Holds at most one frame's bytes, 260.
    """

    addresses: frozenset[int] = frozenset({HOST})
    source: int | None = None
    checksum: Checksum = Checksum.SIMPLE
    _pending: bytearray = field(default_factory=bytearray)
    _begin: re.Pattern[bytes] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._begin = re.compile(b"[" + re.escape(bytes(sorted(self.addresses))) + b"]")

    def feed(self, data: bytes) -> list[Frame | Noise]:
        """What ``data`` completes, in order."""
        if not self._pending and (alone := _whole(data, self.checksum)) is not None and self._is_for_us(alone):
            return [alone]
        self._pending += data
        found: list[Frame | Noise] = []
        noise = bytearray()
        while self._pending:
            if not self._may_begin():
                noise += self._skip()
                continue
            length = self._pending[1] + _OVERHEAD if len(self._pending) > 1 else _OVERHEAD
            if len(self._pending) < length:
                break
            raw = bytes(self._pending[:length])
            self._flush(noise, found)
            if (whole := _whole(raw, self.checksum)) is not None:
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

    def _is_for_us(self, frame: Frame) -> bool:
        return frame.to in self.addresses and (self.source is None or frame.source in (self.source, None))

    def _may_begin(self) -> bool:
        head = self._pending
        if head[0] not in self.addresses:
            return False
        named = self.checksum is Checksum.SIMPLE and self.source is not None and len(head) > 2
        return not named or head[2] == self.source

    def _skip(self) -> bytearray:
        """Take away what comes before the next byte with which a frame may begin."""
        begin = self._begin.search(self._pending, 1)
        skipped = self._pending[: begin.start() if begin is not None else None]
        del self._pending[: len(skipped)]
        return skipped

    @staticmethod
    def _flush(noise: bytearray, found: list[Frame | Noise]) -> None:
        if noise:
            found.append(Noise(bytes(noise), damaged=False))
            noise.clear()
