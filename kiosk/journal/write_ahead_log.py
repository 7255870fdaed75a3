"""What SQLite does not say about a write-ahead log: that it is damaged in its middle. Pure: bytes in, an answer out.

SQLite reads a log up to the first frame whose checksum is wrong, and takes what lies behind for never written. Of the
last transaction that may be true: the power went before it was on the disk. Of any other it is not, for a transaction
is not begun before the one before it is synced; then entries were durable, perhaps acknowledged, and are gone without a
word. (SQLite's file format, section 4.)
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

_HEADER, _FRAME_HEADER, _PAGE_BYTES = 32, 24, 4096
_BIG_ENDIAN = 0x377F0683
_WORD = 2**32

Checksum = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Frame:
    """``sound``: its checksum is right, going on from the one that stands in the frame before it. ``commits``: it ends
    a transaction.
    """

    salts: bytes
    commits: bool
    sound: bool


def is_damaged_in_the_middle(log: memoryview) -> bool:
    """Whether transactions lie behind the one in which SQLite will stop reading. Where the damage has hit the mark that
    ends a transaction, it and the next look like one: so of the last two, too, it may not be seen. A log that was just
    begun anew when the power went looks the same in its first frame; but all that it held before is in the file then.
    """
    if len(log) < _HEADER:
        return False
    order = ">" if int.from_bytes(log[:4], "big") == _BIG_ENDIAN else "<"
    stored = _stored(log, 24)
    header_is_sound = _sum(log[:24], order, (0, 0)) == stored
    frames: list[_Frame] = []
    for at in range(_HEADER, len(log) - _FRAME_HEADER - _PAGE_BYTES + 1, _FRAME_HEADER + _PAGE_BYTES):
        page = log[at + _FRAME_HEADER : at + _FRAME_HEADER + _PAGE_BYTES]
        computed = _sum(page, order, _sum(log[at : at + 8], order, stored))
        stored = _stored(log, at + 16)
        frames.append(_Frame(bytes(log[at + 8 : at + 16]), any(log[at + 4 : at + 8]), computed == stored))
    if not frames:
        return False
    # A log is written over from its beginning; what is behind its end may be from an earlier time, with other salts.
    salts = bytes(log[16:24]) if header_is_sound else frames[0].salts
    read = 0
    while header_is_sound and read < len(frames) and frames[read].sound and frames[read].salts == salts:
        read += 1
    rest = [frame for frame in frames[read:] if frame.salts == salts]
    ends = [place for place, frame in enumerate(rest) if frame.commits]
    return bool(ends) and any(frame.sound for frame in rest[ends[0] + 1 :])


def _stored(log: memoryview, at: int) -> Checksum:
    return int.from_bytes(log[at : at + 4], "big"), int.from_bytes(log[at + 4 : at + 8], "big")


def _sum(data: memoryview, order: str, begun: Checksum) -> Checksum:
    first, second = begun
    words = Struct(f"{order}{len(data) // 4}I").unpack(data)
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) % _WORD
        second = (second + other + first) % _WORD
    return first, second
