"""Lines: a digit that a question and its answer share, a text, and the low half of the CRC-32 of both. Pure."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

_LINE = re.compile(rb"([0-9])\|([ -{}-~]*)\|([0-9A-F]{4})\Z")
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Line:
    """One that is whole. ``raw``: its bytes."""

    number: int
    text: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that are no line. ``damaged``: they end as one does."""

    raw: bytes
    damaged: bool


def line(number: int, text: str) -> bytes:
    """``text`` on the wire. Raises ValueError for what no line can carry."""
    body = b"%d|%s" % (number, text.encode("ascii"))
    raw = body + b"|%04X\n" % (zlib.crc32(body) & 0xFFFF)
    if _LINE.match(raw[:-1]) is None or len(raw) > _LONGEST:
        raise ValueError(f"no line can carry {text[:40]!r}")
    return raw


class Deframer:
    """Finds lines in what comes, and keeps no more than the longest of them."""

    def __init__(self) -> None:
        self._kept = b""

    def clear(self) -> None:
        """Forget a line that has begun."""
        self._kept = b""

    def feed(self, data: bytes) -> list[Line | Noise]:
        """What is whole now."""
        *ended, rest = (self._kept + data).split(b"\n")
        found: list[Line | Noise] = [one for raw in ended for one in _found(raw)]
        self._kept = rest[-_LONGEST:]
        return found


def _found(raw: bytes) -> list[Line | Noise]:
    match = re.search(rb"[0-9]\|[ -{}-~]*\|[0-9A-F]{4}\Z", raw)
    whole = _LINE.match(match.group()) if match is not None else None
    if match is None or whole is None or int(whole[3], 16) != zlib.crc32(b"%b|%b" % (whole[1], whole[2])) & 0xFFFF:
        return [Noise(raw + b"\n", damaged=True)]
    before: list[Line | Noise] = [Noise(raw[: match.start()], damaged=False)] if match.start() else []
    return [*before, Line(int(whole[1]), whole[2].decode("ascii"), match.group() + b"\n")]
