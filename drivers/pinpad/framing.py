"""Frames of the PIN pad's serial line.

    STX 02 | length, 2 bytes | sequence, 1 byte | kind, 1 byte | body | CRC, 2 bytes

The length counts sequence, kind and body: 2 to 98. Numbers are big-endian. The CRC is that of HDLC (CRC-16/X-25:
polynomial 1021 reflected, start FFFF, inverted at the end) over length to body. Whatever does not fit is skipped, byte
by byte, until a frame does. Within a frame nobody pauses for 100 ms: after such a silence an unfinished one is noise.
"""

from __future__ import annotations

from dataclasses import dataclass

STX = 0x02
MAX_BODY = 96

SILENCE_SECONDS = 0.1

_OVERHEAD = 2
_HEAD = 3
_CRC = 2
_POLYNOMIAL = 0x8408


@dataclass(frozen=True, slots=True, repr=False)
class Frame:
    """One frame. ``sequence`` (0..255) joins an answer to its command. The body may hold secrets and is not printed."""

    sequence: int
    kind: int
    body: bytes = b""

    def __repr__(self) -> str:
        return f"Frame({self.sequence}, {self.kind:02X}, {len(self.body)} bytes)"


def encode_frame(frame: Frame) -> bytes:
    """The bytes of a frame. Raises ValueError for a body of more than 96 bytes."""
    if len(frame.body) > MAX_BODY:
        raise ValueError(f"a body of {len(frame.body)} bytes")
    checked = (len(frame.body) + _OVERHEAD).to_bytes(2, "big") + bytes([frame.sequence, frame.kind]) + frame.body
    return bytes([STX]) + checked + crc(checked).to_bytes(2, "big")


class Deframer:
    """Finds frames in bytes that arrive as they like."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def forget(self) -> None:
        """The line was silent: drop what waits for its end."""
        self._buffer.clear()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that ``data`` completes. At most one frame's bytes are kept waiting."""
        self._buffer += data
        frames: list[Frame] = []
        while True:
            start = self._buffer.find(STX)
            del self._buffer[: start if start >= 0 else len(self._buffer)]
            if len(self._buffer) < _HEAD:
                return frames
            length = int.from_bytes(self._buffer[1:_HEAD], "big")
            if not _OVERHEAD <= length <= MAX_BODY + _OVERHEAD:
                del self._buffer[0]
                continue
            end = _HEAD + length + _CRC
            if len(self._buffer) < end:
                return frames
            frames.extend(self._take(end))

    def _take(self, end: int) -> list[Frame]:
        """The frame in the first ``end`` bytes; where its check fails, only its STX is dropped: it may have been noise,
        and a true frame may begin behind it.
        """
        checked = bytes(self._buffer[1 : end - _CRC])
        if crc(checked) != int.from_bytes(self._buffer[end - _CRC : end], "big"):
            del self._buffer[0]
            return []
        self._buffer[:end] = b""
        return [Frame(checked[2], checked[3], checked[4:])]


def crc(data: bytes) -> int:
    """CRC-16/X-25 of ``data``; of the digits 123456789 it is 906E."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
    return value ^ 0xFFFF
