"""What can still be read of a journal's file that SQLite gives up. Pure: bytes in, entries out.

Nothing in the file is trusted but what proves itself: an entry's hash covers all of it, so whatever bytes happen to
look like a row are an entry only if their hash says so. So every page is looked at for itself, those of the write-ahead
log too, without asking the tree above it whether they belong to it. (SQLite's file format, sections 1.6 and 2.1: the
table has no rowid, so its rows lie in index pages, leaf and interior alike; what does not fit is in overflow pages.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from guichet.journal.chain import Entry, entry_hash
from guichet.limits import MAX_RECORD_BYTES

_LEAF, _INTERIOR = 0x0A, 0x02
_CELLS_AT = {_LEAF: 8, _INTERIOR: 12}
_WAL_HEADER, _FRAME_HEADER = 32, 24
_COLUMNS = 6
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_BLOB = 12
_MOST_PAYLOAD = MAX_RECORD_BYTES + 1024
# A page of a log can be there many times, and a row can have nine of them: not every way to read it is tried.
_MOST_WAYS = 64


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that proves itself, with the seal that stood beside it."""

    entry: Entry
    seal: bytes


def salvage(file: memoryview, log: memoryview, page_bytes: int = 4096) -> list[Found]:
    """Every entry in a journal's ``file`` and its write-ahead ``log``, once each, by epoch and sequence. Two that claim
    one place are both given: a person must look. ``page_bytes``: the size of a page; our files have SQLite's default.
    """
    images = _Images(file, log, page_bytes)
    found: dict[tuple[int, int, bytes], Found] = {}
    for number in images.numbers:
        for page in images.of(number):
            for payload in _payloads(page, images):
                one = _row(payload)
                if one is not None:
                    found.setdefault((one.entry.epoch, one.entry.sequence, one.entry.hash), one)
    return [found[place] for place in sorted(found)]


class _Images:
    """All that is known of each page: in the file, and as often as it was written to the log."""

    def __init__(self, file: memoryview, log: memoryview, size: int) -> None:
        self._file, self._log, self._size = file, log, size
        self._in_log: dict[int, list[int]] = {}
        for at in range(_WAL_HEADER, len(log), _FRAME_HEADER + size):
            self._in_log.setdefault(int.from_bytes(log[at : at + 4], "big"), []).append(at + _FRAME_HEADER)
        self.numbers = sorted({*range(1, -(-len(file) // size) + 1), *self._in_log})

    def of(self, number: int) -> Iterator[bytes]:
        """Those of one page, newest first; none for a number that no page has."""
        for at in reversed(self._in_log.get(number, ())):
            yield bytes(self._log[at : at + self._size])
        at = (number - 1) * self._size
        if 0 <= at < len(self._file):
            yield bytes(self._file[at : at + self._size])


def _payloads(page: bytes, images: _Images) -> Iterator[bytes]:
    """What the cells of an index page hold; nothing for any other page, such as the first, which is the schema's."""
    pointers = _CELLS_AT.get(page[0]) if page else None
    if pointers is None:
        return
    for number in range(int.from_bytes(page[3:5], "big")):
        at = int.from_bytes(page[pointers + 2 * number : pointers + 2 * number + 2], "big")
        if not 0 < at < len(page):
            continue
        length, at = _varint(page, at + (4 if page[0] == _INTERIOR else 0))
        if 0 < length <= _MOST_PAYLOAD:
            yield from islice(_whole(page, at, length, images), _MOST_WAYS)


def _whole(page: bytes, at: int, length: int, images: _Images) -> Iterator[bytes]:
    """A payload with what of it lies in overflow pages; each way to read it, where a page is known in several."""
    usable = len(page)
    most, least = (usable - 12) * 64 // 255 - 23, (usable - 12) * 32 // 255 - 23
    if length <= most:
        yield page[at : at + length]
        return
    spread = least + (length - least) % (usable - 4)
    here = spread if spread <= most else least
    following = int.from_bytes(page[at + here : at + here + 4], "big")
    yield from _overflow(page[at : at + here], following, length, images)


def _overflow(begun: bytes, number: int, length: int, images: _Images) -> Iterator[bytes]:
    if len(begun) >= length:
        yield begun[:length]
        return
    for page in images.of(number):
        following = int.from_bytes(page[:4], "big")
        if len(page) > 4:  # Each page adds some, so this comes to an end also where they point in a circle.
            yield from _overflow(begun + page[4:], following, length, images)


def _row(payload: bytes) -> Found | None:
    """The row in a payload; None where it is none of ours, or its hash is not that of its bytes."""
    header, at = _varint(payload, 0)
    kinds: list[int] = []
    while at < header and len(kinds) <= _COLUMNS:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    if len(kinds) != _COLUMNS or at != header:
        return None
    values: list[bytes] = []
    for kind in kinds:
        size = _size(kind)
        values.append(payload[at : at + size])
        at += size
    epoch, sequence = _integer(kinds[0], values[0]), _integer(kinds[1], values[1])
    # A table without rowid has its key first, and then the other columns in their order.
    previous, digest, seal, record = values[2:]
    if at != len(payload) or min(epoch, sequence) < 1 or len(record) > MAX_RECORD_BYTES:
        return None
    if digest != entry_hash(epoch, sequence, previous, record):
        return None
    return Found(Entry(epoch, sequence, previous, digest, record), seal)


def _size(kind: int) -> int:
    if kind >= _BLOB:
        return (kind - _BLOB) // 2
    return _INTEGER_BYTES.get(kind, 0)


def _integer(kind: int, value: bytes) -> int:
    if kind == 9:  # The integer 1, which takes no byte.
        return 1
    return int.from_bytes(value, "big", signed=True) if kind in _INTEGER_BYTES else 0


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer of SQLite, and where it ends."""
    value = 0
    for place in range(at, min(at + 8, len(data))):
        value = value << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            return value, place + 1
    return (value << 8 | data[at + 8], at + 9) if at + 8 < len(data) else (0, len(data))
