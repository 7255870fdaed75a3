"""What every harness is made of: a decoder with its properties, and a tape from which it reads its input."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

MESSAGES = 50


class Broken(AssertionError):
    """A decoder does what none may."""


def must(holds: bool, what: str) -> None:
    """Raise :class:`Broken` unless ``holds``."""
    if not holds:
        raise Broken(what)


@dataclass(frozen=True, slots=True)
class Decoder:
    """``feed`` takes any bytes. What it raises is a finding, and so are an endless input and one that takes memory
    without limit. ``seeds``: inputs that reach deep, made of the protocol's own messages. ``longest``: bytes of input.
    ``story``: an input is not a message but what happens in some minutes, with about :data:`MESSAGES` of them.
    """

    name: str
    feed: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    longest: int = 256
    story: bool = False


class Tape:
    """Bytes that are read from the front. Behind its end there are zeros."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def more(self) -> bool:
        """Whether anything is left."""
        return self._at < len(self._data)

    def byte(self) -> int:
        """The next byte."""
        at = self._at
        self._at = at + 1
        return self._data[at] if at < len(self._data) else 0

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes, or what is left."""
        at = self._at
        self._at = at + count
        return self._data[at : at + count]

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(len(self._data))
