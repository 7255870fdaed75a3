"""What people read: letters that nobody mistakes on the telephone, and numbers as they may be shown."""

from __future__ import annotations

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U, which people mistake."""

_SHOWN_DIGITS = 4


def base32(data: bytes, length: int) -> str:
    """The first ``length`` letters of ``data`` in Crockford's alphabet, most significant bits first."""
    value = int.from_bytes(data, "big")
    bits = len(data) * 8
    return "".join(_ALPHABET[(value >> (bits - 5 * (place + 1))) & 31] for place in range(length))


def grouped(letters: str) -> str:
    """``letters`` in groups of four, parted by hyphens."""
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))


def masked(number: str) -> str:
    """An account or card number as it may be shown: ``**** 4711``."""
    return f"**** {number[-_SHOWN_DIGITS:]}"
