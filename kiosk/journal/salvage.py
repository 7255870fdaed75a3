"""What can still be read of a journal's file that SQLite gives up. Pure: bytes in, entries out.

Nothing in the file is trusted but what proves itself: the previous hash and the hash have their lengths, so an entry's
hash covers all of the rest, and whatever bytes happen to look like a row are an entry only if it says so. So every page
is looked at for itself, those of the write-ahead log too, without asking the tree above it whether they belong to it.
(SQLite's file format, sections 1.6, 2.1 and 4.1: the table has no rowid, so its rows lie in index pages, leaf and
interior alike; what does not fit is in overflow pages.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from guichet.journal.chain import HASH_BYTES, Entry, entry_hash
from guichet.limits import MAX_RECORD_BYTES

PAGE_BYTES = 4096
"""Of our files: what SQLite makes of itself."""

_LEAF, _INTERIOR = 0x0A, 0x02
_CELLS_AT = {_LEAF: 8, _INTERIOR: 12}
_WAL_HEADER, _FRAME_HEADER = 32, 24
_COLUMNS = 6
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_BLOB = 12
_MOST_PAYLOAD = MAX_RECORD_BYTES + 1024
# A row goes on in nine pages at most, each of which the log can have many times. So many are looked at for one row, and
# so many for each page of the file in all, whatever the bytes say.
_LOOKS_A_ROW = 200
_LOOKS_A_PAGE = 50


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that proves itself, with the seal that stood beside it."""

    entry: Entry
    seal: bytes


def salvage(file: memoryview, log: memoryview) -> list[Found]:
    """Every entry in a journal's ``file`` and its write-ahead ``log``, by epoch and sequence; once for each seal that
    stands beside it somewhere. Two that claim one place are both given: a person must look.
    """
    images = _Images(file, log)
    found: set[Found] = set()
    for number in images.numbers:
        for page in images.of(number):
            found.update(_rows(page, images))
    return sorted(found, key=lambda one: (one.entry.epoch, one.entry.sequence, one.entry.hash, one.seal))


class _Images:
    """All that is known of each page: in the file, and as often as it was written to the log. ``looks``: how many more
    may be looked at for rows that do not fit into their page.
    """

    def __init__(self, file: memoryview, log: memoryview) -> None:
        self._file, self._log = file, log
        self._in_log: dict[int, list[int]] = {}
        for at in range(_WAL_HEADER, len(log), _FRAME_HEADER + PAGE_BYTES):
            self._in_log.setdefault(int.from_bytes(log[at : at + 4], "big"), []).append(at + _FRAME_HEADER)
        self.numbers = sorted({*range(1, -(-len(file) // PAGE_BYTES) + 1), *self._in_log})
        self.looks = _LOOKS_A_PAGE * (len(self.numbers) + len(log) // PAGE_BYTES) + _LOOKS_A_ROW

    def of(self, number: int) -> list[bytes]:
        """Those of one page, newest first, each once; none for a number that no page has."""
        begins = [(self._log, at) for at in reversed(self._in_log.get(number, ()))]
        if 0 <= (number - 1) * PAGE_BYTES < len(self._file):
            begins.append((self._file, (number - 1) * PAGE_BYTES))
        return list(dict.fromkeys(bytes(source[at : at + PAGE_BYTES]) for source, at in begins))


def _rows(page: bytes, images: _Images) -> Iterator[Found]:
    """The entries on an index page; none on any other, such as the first, which is the schema's."""
    pointers = _CELLS_AT.get(page[0]) if page else None
    if pointers is None:
        return
    for number in range(int.from_bytes(page[3:5], "big")):
        at = int.from_bytes(page[pointers + 2 * number : pointers + 2 * number + 2], "big")
        if not 0 < at < len(page):
            continue
        length, at = _varint(page, at + (4 if page[0] == _INTERIOR else 0))
        if 0 < length <= _MOST_PAYLOAD:
            # Of several ways to read a row, that one is right whose hash is.
            row = next((row for payload in _whole(page, at, length, images) if (row := _row(payload))), None)
            if row is not None:
                yield row


def _whole(page: bytes, at: int, length: int, images: _Images) -> Iterator[bytes]:
    """A payload with what of it lies in overflow pages; each way to read it, where a page is known in several."""
    most, least = (PAGE_BYTES - 12) * 64 // 255 - 23, (PAGE_BYTES - 12) * 32 // 255 - 23
    if length <= most:
        yield page[at : at + length]
        return
    spread = least + (length - least) % (PAGE_BYTES - 4)
    here = spread if spread <= most else least
    ways = [(page[at : at + here], int.from_bytes(page[at + here : at + here + 4], "big"))]
    looks = min(_LOOKS_A_ROW, images.looks)
    while ways and looks > 0:
        begun, number = ways.pop()
        for image in reversed(images.of(number)):
            looks, images.looks = looks - 1, images.looks - 1
            more = begun + image[4:]
            if len(more) < length:
                ways.append((more, int.from_bytes(image[:4], "big")))
            elif len(more) >= length:
                yield more[:length]


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
    if not len(previous) == len(digest) == len(seal) == HASH_BYTES:
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
