"""Letters that people read out on the telephone without mistaking one for another."""

from __future__ import annotations

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U, which people mistake."""


def base32(data: bytes, length: int) -> str:
    """The first ``length`` letters of ``data`` in Crockford's alphabet, most significant bits first."""
    value = int.from_bytes(data, "big")
    bits = len(data) * 8
    return "".join(_ALPHABET[(value >> (bits - 5 * (place + 1))) & 31] for place in range(length))


def grouped(letters: str) -> str:
    """``letters`` in groups of four, parted by hyphens."""
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))
