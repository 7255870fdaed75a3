"""Deframers, whatever the protocol: fed whole and in pieces, every byte accounted for, never lost for good."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from tests.fuzz.decoder import must

_IN_PIECES, _RESYNCHRONISES = 0x40, 0xF0


class Item(Protocol):
    """A frame, or noise."""

    @property
    def raw(self) -> bytes:
        """All of it."""
        ...


class Feeds(Protocol):
    """A deframer."""

    def feed(self, data: bytes, /) -> Iterable[Item]:
        """What ``data`` completes."""
        ...

    def clear(self) -> None:
        """Forget what was begun."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """``is_damaged``: noise that looked like a frame, of which only the first byte is given up; None for a frame.
    ``rebuilt``: the bytes of a frame, made anew of what was found in it. ``good``: any good frame. ``filler``: a byte
    that begins none. ``longest``: of a frame on the wire.
    """

    make: Callable[[], Feeds]
    is_damaged: Callable[[Item], bool | None]
    rebuilt: Callable[[Item], bytes]
    good: bytes
    filler: bytes
    longest: int


def check(line: Line, data: bytes) -> None:
    """The first byte says whether the rest comes in two pieces, and what follows it."""
    how, data = (data[0], data[1:]) if data else (0, b"")
    whole = line.make()
    found = list(whole.feed(data))
    _accounted(line, found, data)
    if how & 0xC0 == _IN_PIECES:
        _comes_in_pieces(line, found, data[: how & 0x3F], data[how & 0x3F :])
    elif how & 0xF0 == _RESYNCHRONISES:
        _comes_back(line, whole)
    whole.clear()
    after = list(whole.feed(line.good))
    must([item.raw for item in after] == [line.good], "a good frame after silence is not found, or not alone")


def _accounted(line: Line, found: list[Item], data: bytes) -> None:
    """Frames, noise and what waits are the input, byte for byte, in its order."""
    at = 0
    for item in found:
        damaged = line.is_damaged(item)
        raw = item.raw
        must(data.startswith(raw, at), "what is found is not what was fed, or not in its order")
        must(damaged is not None or line.rebuilt(item) == raw, "a frame is not what its own content makes")
        must(damaged is False or len(raw) <= line.longest, "a frame is longer than any")
        at += 1 if damaged else len(raw)
    must(0 <= len(data) - at < line.longest, "more waits for its end than the longest frame has")


def _comes_in_pieces(line: Line, found: list[Item], *pieces: bytes) -> None:
    deframer = line.make()
    cut = [item for piece in pieces for item in deframer.feed(piece)]
    must(_told(line, cut) == _told(line, found), "what is found depends on the pieces in which it comes")


def _told(line: Line, found: list[Item]) -> list[bytes]:
    """Frames and damaged frames; how other noise is grouped may depend on the pieces."""
    return [item.raw for item in found if line.is_damaged(item) is not False]


def _comes_back(line: Line, deframer: Feeds) -> None:
    """As much silence as the longest frame, and the next good frame is found."""
    deframer.feed(line.filler * line.longest)
    found = list(deframer.feed(line.good))
    must(bool(found) and found[-1].raw == line.good, "it never finds back to a frame")
