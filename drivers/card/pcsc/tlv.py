"""BER-TLV as chips write it, and data object lists: EMV 4.3 Book 3, annex B and section 5.4.

Values are views into the buffer that was parsed: wiping that buffer wipes them all, and none prints what it holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

_CONSTRUCTED = 0x20
_MORE_TAG_BYTES = 0x1F
_MAX_TAG_BYTES = 4
_LONG_LENGTH = 0x80
_MAX_LENGTH_BYTES = 2
_PADDING = (0x00, 0xFF)
_MAX_DEPTH = 8


class TlvError(ValueError):
    """Bytes that are no data objects. The text gives positions and tags, never values."""


@dataclass(frozen=True, slots=True, repr=False)
class Tlv:
    """One data object. ``children`` are those of a constructed one, in order, repeated tags kept."""

    tag: int
    value: memoryview
    children: tuple[Tlv, ...] = ()

    def all(self, tag: int) -> tuple[Tlv, ...]:
        """The children with ``tag``."""
        return tuple(child for child in self.children if child.tag == tag)

    def first(self, tag: int) -> Tlv | None:
        """The first child with ``tag``."""
        return next((child for child in self.children if child.tag == tag), None)

    def __repr__(self) -> str:
        return f"Tlv({self.tag:X}, {len(self.value)} bytes)"


def parse(data: bytearray | bytes | memoryview) -> tuple[Tlv, ...]:
    """Every data object in ``data``. Bytes 00 and FF between objects are padding, inside templates too.

    Raises :class:`TlvError` for a tag of more than four bytes, an indefinite length or one of more than two bytes, an
    object that reaches beyond its container, and templates nested deeper than eight.
    """
    return _parse(memoryview(data), 0)


def _parse(data: memoryview, depth: int) -> tuple[Tlv, ...]:
    if depth > _MAX_DEPTH:
        raise TlvError(f"templates nested deeper than {_MAX_DEPTH}")
    objects: list[Tlv] = []
    at = 0
    while at < len(data):
        if data[at] in _PADDING:
            at += 1
            continue
        constructed = bool(data[at] & _CONSTRUCTED)
        tag, at = _tag(data, at)
        length, at = _length(data, at, tag)
        if at + length > len(data):
            raise TlvError(f"object {tag:X} says {length} bytes where {len(data) - at} are left")
        value = data[at : at + length]
        objects.append(Tlv(tag, value, _parse(value, depth + 1) if constructed else ()))
        at += length
    return tuple(objects)


def _tag(data: memoryview, at: int) -> tuple[int, int]:
    """The tag at ``at`` as a number, and where its length begins."""
    tag = data[at]
    if tag & _MORE_TAG_BYTES != _MORE_TAG_BYTES:
        return tag, at + 1
    for index in range(at + 1, at + _MAX_TAG_BYTES):
        if index >= len(data):
            raise TlvError(f"the data end inside the tag at byte {at}")
        tag = tag << 8 | data[index]
        if not data[index] & 0x80:
            return tag, index + 1
    raise TlvError(f"a tag of more than {_MAX_TAG_BYTES} bytes at byte {at}")


def _length(data: memoryview, at: int, tag: int) -> tuple[int, int]:
    """The length at ``at``, and where the value begins."""
    if at >= len(data):
        raise TlvError(f"object {tag:X} has no length")
    if data[at] < _LONG_LENGTH:
        return data[at], at + 1
    count = data[at] & 0x7F
    if not 1 <= count <= _MAX_LENGTH_BYTES:
        raise TlvError(f"object {tag:X} has a length of a form that chips do not use")
    if at + 1 + count > len(data):
        raise TlvError(f"the data end inside the length of object {tag:X}")
    return int.from_bytes(data[at + 1 : at + 1 + count], "big"), at + 1 + count


# --- data object lists ------------------------------------------------------------------------------------------------


class Format(Enum):
    """How a value is made longer or shorter for a data object list."""

    NUMERIC = "n"
    COMPACT = "cn"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class DolEntry:
    """A chip wants the object ``tag`` in ``length`` bytes (0..255)."""

    tag: int
    length: int


@dataclass(frozen=True, slots=True)
class Supplied:
    """What the terminal has for a tag."""

    value: bytes
    format: Format = Format.OTHER


def parse_dol(data: bytearray | bytes | memoryview) -> tuple[DolEntry, ...]:
    """The tags and lengths of a data object list. Raises :class:`TlvError`."""
    return tuple(_dol_entries(memoryview(data)))


def _dol_entries(data: memoryview) -> Iterator[DolEntry]:
    at = 0
    while at < len(data):
        tag, at = _tag(data, at)
        if at >= len(data):
            raise TlvError(f"entry {tag:X} of a data object list has no length")
        yield DolEntry(tag, data[at])
        at += 1


def fill_dol(entries: tuple[DolEntry, ...], supplied: Mapping[int, Supplied]) -> bytes:
    """The values that a chip asked for, one after the other; zeros for what the terminal does not know."""
    return b"".join(_fit(supplied.get(entry.tag, Supplied(b"")), entry.length) for entry in entries)


def _fit(supplied: Supplied, length: int) -> bytes:
    value = supplied.value
    match supplied.format:
        case Format.NUMERIC:
            return value[max(0, len(value) - length) :].rjust(length, b"\x00")
        case Format.COMPACT:
            return value[:length].ljust(length, b"\xff")
        case Format.OTHER:
            return value[:length].ljust(length, b"\x00")


def encode(tag: int, *values: bytes) -> bytes:
    """One object with ``values`` as its content. Raises :class:`TlvError` for more than 65535 bytes."""
    value = b"".join(values)
    name = tag.to_bytes((tag.bit_length() + 7) // 8, "big")
    if len(value) < _LONG_LENGTH:
        return name + bytes([len(value)]) + value
    if len(value) <= 0xFF:
        return name + bytes([0x81, len(value)]) + value
    if len(value) <= 0xFFFF:
        return name + b"\x82" + len(value).to_bytes(2, "big") + value
    raise TlvError(f"object {tag:X} would have {len(value)} bytes")
