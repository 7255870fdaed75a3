"""Reading a ccTalk device's events: which are new, which wait to be told. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from enum import Enum, auto

from drivers.cash.cctalk.events import Judgement, Nothing, OfNote, distance, unread
from drivers.cash.cctalk.messages import SLOTS, EventBuffer
from drivers.cash.cctalk.recall import Unread
from drivers.cash.cctalk.roles import Role

_MOST_WAITING = 64


class News(Enum):
    """What a read of the buffer amounts to. AGAIN: it must be read once more to be believed; FIRST: what is new in it
    is not known before the mark on record is; BEGAN_ANEW: the device has lost its memory, or we have missed too much.
    """

    AGAIN = auto()
    FIRST = auto()
    NONE = auto()
    SOME = auto()
    BEGAN_ANEW = auto()


class Reader:
    """The events of one connection. ``buffer`` and ``raw`` are the newest that were believed, ``waiting`` the events in
    it that were not told yet, oldest first. ``meaning``: what an event means; the role's, unless the device has said
    otherwise.
    """

    def __init__(self, role: Role) -> None:
        self._role = role
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.meaning = self._role.meaning
        self.buffer = EventBuffer(0, ())
        self.raw = b""
        self.waiting: deque[Unread] = deque()
        self._last: int | None = None
        self._seen: EventBuffer | None = None

    def read(self, buffer: EventBuffer, raw: bytes) -> News:
        """The device's answer to a read of its events."""
        new = buffer.counter != self._last
        rewritten = self._last is not None and buffer.counter != 0 and self._is_rewritten(buffer, self._last)
        if (new or rewritten) and buffer != self._seen:
            # Eight bits of checksum let one disturbance in 256 through, and no checksum an answer to something else
            # that happens to be as long: money is only believed when it is said twice.
            self._seen = buffer
            return News.AGAIN
        self._seen = None
        if self._last is None:
            self.buffer, self.raw = buffer, raw
            return News.FIRST
        if rewritten or (new and (buffer.counter == 0 or distance(self._last, buffer.counter) > SLOTS)):
            return News.BEGAN_ANEW
        if new and len(self.waiting) < _MOST_WAITING:  # What nobody takes stays in the device.
            self._take(buffer, raw, self._last)
            return News.SOME
        return News.NONE

    def _is_rewritten(self, buffer: EventBuffer, last: int) -> bool:
        """Whether events that were read are others now: a power cut between two reads, and since then as many events as
        before it, or a few more, so that the number looks like the same or the next.
        """
        new = distance(last, buffer.counter)
        return buffer.events[new:] != self.buffer.events[: max(0, SLOTS - new)]

    def recall(self, judged: Judgement) -> None:
        """What is on record is known now, and with it what is new."""
        if self._last is None:
            self._take(self.buffer, self.raw, judged.baseline)

    def _take(self, buffer: EventBuffer, raw: bytes, baseline: int) -> None:
        self.buffer, self.raw, self._last = buffer, raw, buffer.counter
        for mark, (a, b) in unread(buffer, baseline):
            self.waiting.append(Unread(mark, self.meaning(a, b), raw))

    def cover(self, count: int) -> None:
        """The oldest ``count`` are on record with the first answer. What they say beside where the note is will still
        be told, but without their numbers, which must not set the one on record back.
        """
        covered = [self.waiting.popleft() for _ in range(count)]
        rest = [replace(event, mark=None) for event in covered if not isinstance(event.meaning, OfNote | Nothing)]
        self.waiting.extendleft(reversed(rest))

    @property
    def speaks_of_a_note(self) -> bool:
        """Something that waits says where a note is now."""
        return any(isinstance(event.meaning, OfNote) for event in self.waiting)
