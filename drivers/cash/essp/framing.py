"""SSP frames: ``7F | flag and address | length | data | CRC low | CRC high``.

Length counts the data alone, before stuffing. After the first byte every 7F is sent twice, those of length and CRC too:
a single one begins another frame, wherever it comes. The CRC (polynomial 8005, from FFFF, most significant bit first)
runs over everything between the first byte and itself, before stuffing. (SSP manual GA138, transport layer.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

STX = 0x7F
VALIDATOR = 0x00
MAX_DATA = 255
_FLAG = 0x80
_AROUND = 4
_SINGLE = bytes((STX,))
_STUFFED = bytes((STX, STX))
_DATA = re.compile(b"(?:[^\x7f]++|\x7f\x7f)*+")


class FramingError(ValueError):
    """Data that no frame carries."""


def _crc_table() -> tuple[int, ...]:
    table: list[int] = []
    for byte in range(256):
        crc = byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x8005 if crc & 0x8000 else crc << 1) & 0xFFFF
        table.append(crc)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc16(data: bytes) -> int:
    """The CRC of frames and, inside an encrypted one, of what is encrypted."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc << 8 & 0xFFFF) ^ _CRC_TABLE[crc >> 8 ^ byte]
    return crc


def frame(data: bytes, *, flag: bool, address: int = VALIDATOR) -> bytes:
    """The frame around ``data`` (1 to 255 bytes). Raises :class:`FramingError` for another size or address."""
    if not 1 <= len(data) <= MAX_DATA:
        raise FramingError(f"a frame carries 1 to {MAX_DATA} bytes, not {len(data)}")
    if not 0 <= address <= 0x7D:
        raise FramingError(f"no such address: {address}")
    body = bytes((address | (_FLAG if flag else 0), len(data))) + data
    body += crc16(body).to_bytes(2, "little")
    return _SINGLE + body.replace(_SINGLE, _STUFFED)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that arrived whole; ``raw`` is all of it, still stuffed."""

    flag: bool
    address: int
    payload: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that are no part of a good frame. ``damaged``: they looked like a whole frame but for the CRC."""

    raw: bytes
    damaged: bool


@dataclass(frozen=True, slots=True)
class _GiveUp:
    """No frame begins here; another may begin ``count`` bytes on."""

    count: int
    damaged: int = 0


@dataclass(slots=True)
class Deframer:
    """Finds the frames in what a line brings, in whatever pieces it comes. Holds at most one frame's bytes."""

    address: int = VALIDATOR
    _pending: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> list[Frame | Noise]:
        """What ``data`` completes, in order."""
        self._pending += data
        found: list[Frame | Noise] = []
        noise = bytearray()
        while self._pending and (seen := self._look()) is not None:
            if isinstance(seen, _GiveUp) and not seen.damaged:
                noise += self._pending[: seen.count]
                del self._pending[: seen.count]
                continue
            _flush(noise, found)
            if isinstance(seen, Frame):
                found.append(seen)
                del self._pending[: len(seen.raw)]
            else:
                found.append(Noise(bytes(self._pending[: seen.damaged]), damaged=True))
                # A frame may begin inside what only looked like one: only its first byte is given up.
                del self._pending[: seen.count]
        _flush(noise, found)
        return found

    def clear(self) -> None:
        """Forget a frame that was begun: its sender has been silent for too long to go on with it."""
        self._pending.clear()

    def _look(self) -> Frame | _GiveUp | None:
        """What begins at the first byte; None: it cannot be said yet."""
        raw = self._pending
        if raw[0] != STX:
            begin = raw.find(STX)
            return _GiveUp(begin if begin > 0 else len(raw))
        if len(raw) == 1:
            return None
        run = _DATA.match(raw, 1, 1 + 2 * (MAX_DATA + _AROUND))
        stuffed = run[0] if run is not None else b""
        body = stuffed.replace(_STUFFED, _SINGLE)
        if not body or not self._plausible(body):
            return _GiveUp(1)
        if len(body) > 1 and len(body) >= body[1] + _AROUND:
            return self._whole(body[: body[1] + _AROUND])
        end = 1 + len(stuffed)
        # A single one that stands last may be the first half of two.
        return None if end >= len(raw) - 1 else _GiveUp(end)

    def _plausible(self, body: bytes) -> bool:
        """Whether its first byte, or the first two, can be a frame's."""
        return body[0] & ~_FLAG == self.address and (len(body) == 1 or body[1] != 0)

    def _whole(self, body: bytes) -> Frame | _GiveUp:
        length = 1 + len(body) + body.count(STX)
        if crc16(body[:-2]) != int.from_bytes(body[-2:], "little"):
            return _GiveUp(1, damaged=length)
        return Frame(bool(body[0] & _FLAG), self.address, body[2:-2], bytes(self._pending[:length]))


def _flush(noise: bytearray, found: list[Frame | Noise]) -> None:
    if noise:
        found.append(Noise(bytes(noise), damaged=False))
        noise.clear()
