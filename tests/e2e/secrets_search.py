"""Finds card numbers, track data and PINs in whatever form they may have been left."""

from __future__ import annotations

import base64
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image

_BETWEEN = rb"[ \-:.\x00]{0,2}"
_SQLITE = b"SQLite format 3\0"
_PNG = b"\x89PNG"


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for. A card number is found by its middle twelve digits, so also where its ends were cut off."""

    pans: tuple[str, ...]
    pins: tuple[str, ...]

    def in_bytes(self, data: bytes) -> list[str]:
        """What of it is in ``data``; PINs only as digits that stand alone, or as a clear PIN field."""
        return [name for name, pattern in _patterns(self) if pattern.search(data)]

    def in_file(self, path: Path) -> list[str]:
        """What is in a file, by its kind: a database raw and value by value, of a picture only its words."""
        data = path.read_bytes()
        if data.startswith(_SQLITE):
            return sorted({found for part in (data, *_values(path)) for found in self.in_bytes(part)})
        if data.startswith(_PNG):
            return sorted({found for text in _words_of(path) for found in self.in_bytes(text)})
        return self.in_bytes(data)


@lru_cache
def _patterns(search: Search) -> tuple[tuple[str, re.Pattern[bytes]], ...]:
    numbers = (
        (f"card number ending {pan[-4:]} ({form})", pattern)
        for pan in search.pans
        for form, pattern in _number_forms(pan[-13:-1])
    )
    pins = ((f"PIN {pin[0]}*** ({form})", pattern) for pin in search.pins for form, pattern in _pin_forms(pin))
    return (*numbers, *pins)


def _number_forms(digits: str) -> Iterator[tuple[str, re.Pattern[bytes]]]:
    ascii_digits = digits.encode()
    yield "digits", re.compile(_BETWEEN.join(re.escape(bytes((digit,))) for digit in ascii_digits))
    yield "hex of digits", re.compile(_BETWEEN.join(b"%02x" % digit for digit in ascii_digits), re.IGNORECASE)
    yield "BCD", re.compile(re.escape(bytes.fromhex(digits)) + b"|" + re.escape(bytes.fromhex(digits[1:-1])))
    yield "base64", re.compile(b"|".join(_base64_middles(ascii_digits)))
    bcd = (bytes.fromhex(digits), bytes.fromhex(digits[1:-1]))
    yield "base64 of BCD", re.compile(b"|".join(middle for packed in bcd for middle in _base64_middles(packed)))


def _pin_forms(pin: str) -> Iterator[tuple[str, re.Pattern[bytes]]]:
    digits = pin.encode()
    yield "digits", re.compile(rb"(?<![0-9A-Za-z.,+/_-])" + digits + rb"(?![0-9A-Za-z+/_-]|[.,][0-9])")
    yield "hex of digits", re.compile(rb"(?<![0-9a-f])" + digits.hex().encode() + rb"(?![0-9a-f])", re.IGNORECASE)
    # ISO 9564: format, length, PIN, fill. 4 fills with A, 0 and 3 with F or random digits above 9; 1 with anything.
    field = f"{len(pin):x}{pin}".encode()
    yield "PIN field, hex", re.compile(rb"(?:4" + field + rb"aa|[03]" + field + rb"[a-f]{2})", re.IGNORECASE)
    for prefix, fill in ((0x44, 0xAA), (0x04, 0xFF)):
        clear = bytes((prefix,)) + bytes.fromhex(pin) + bytes((fill, fill))
        yield f"PIN field of format {prefix >> 4}", re.compile(re.escape(clear))


def _base64_middles(data: bytes) -> Iterator[bytes]:
    """What of ``data`` is the same in every base64 text that contains it, for each of the three ways it may lie."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data)
        first = (before * 8 + 5) // 6
        last = (before + len(data)) * 8 // 6
        yield re.escape(encoded[first:last])


def _values(path: Path) -> Iterator[bytes]:
    """Every text and every blob of a database. Numbers are amounts and counters."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in database.execute(f'SELECT * FROM "{table}"'):  # noqa: S608  Names from the database itself.
                for value in row:
                    if isinstance(value, str | bytes):
                        yield value.encode() if isinstance(value, str) else value


def _words_of(path: Path) -> Iterator[bytes]:
    """A PNG's text chunks, and what was written behind its end."""
    with Image.open(path) as picture:
        picture.load()
        yield from (f"{key} {value}".encode() for key, value in picture.info.items())
    data = path.read_bytes()
    yield data[data.rindex(b"IEND") + 8 :]
