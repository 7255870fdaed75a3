"""One question at a time: the rhythm of a line on which only the host begins. Pure; times are monotonic seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Question = TypeVar("Question")


@dataclass(slots=True)
class Exchange(Generic[Question]):
    """What was asked, until when an answer may come, and when the next question may go out.

    ``lost_after``: seconds of silence after which the device counts as gone. ``late``: seconds for which an answer that
    did not come in time may still be under way. Where answers do not name their question, it would be taken for the
    answer to the next one: so nothing is asked until it is there, or that time is over. ``next_at`` is None while
    nothing is to be sent until something happens from outside. ``heard_at``: when the device was heard last, or the
    line was opened.
    """

    lost_after: float
    late: float = 0.0
    asked: Question | None = None
    next_at: float | None = None
    lost: bool = False
    heard_at: float | None = None
    _until: float = 0.0
    _sign_at: float | None = None
    _clear_at: float = 0.0

    def begin(self, now: float) -> None:
        """The line is open: silence counts from here, and the first question may go out at once."""
        if self.heard_at is None:
            self.heard_at = self._sign_at = self.next_at = now

    @property
    def deadline(self) -> float | None:
        """When time itself brings something about."""
        if self.asked is not None:
            return self._until
        return None if self.next_at is None else max(self.next_at, self._clear_at)

    def ask(self, question: Question, now: float, patience: float) -> None:
        """``question`` goes out now; an answer may take ``patience`` seconds."""
        self.asked, self._until = question, now + patience

    def finish(self, now: float, pause: float) -> None:
        """The exchange is over; the next may begin after ``pause``."""
        self.asked, self.next_at = None, now + pause

    def answered(self, now: float, pause: float) -> None:
        """The device was heard, and with that the exchange is over; the next may begin after ``pause``."""
        self.heard_at = self._sign_at = now
        self.asked, self.next_at, self.lost = None, now + pause, False

    def give_up(self, now: float, pause: float, late: float | None = None) -> None:
        """The exchange is over without an answer, which may still come within ``late`` seconds if not ``self.late``."""
        self.finish(now, pause)
        self._clear_at = now + (self.late if late is None else late)
        if self._sign_at is not None:
            # A device that has said nothing at all for so long is not slow, but dark.
            self._clear_at = min(self._clear_at, max(now, self._sign_at + self.lost_after))

    def late_answer(self, now: float, pause: float) -> None:
        """An answer came that nothing waits for: the line is clear of the one that was given up."""
        self._sign_at = now
        self._clear_at = min(self._clear_at, now + pause)

    def hurry(self, at: float) -> None:
        """The next exchange need not wait longer than until ``at``."""
        if self.asked is None and self.next_at is not None:
            self.next_at = min(self.next_at, at)

    def wait_until(self, at: float) -> None:
        """There is nothing to ask before ``at``."""
        if self.asked is None and self.next_at is not None:
            self.next_at = max(self.next_at, at)

    def overdue(self, now: float) -> bool:
        """Whether no answer came in time."""
        return self.asked is not None and now >= self._until

    def may_ask(self, now: float) -> bool:
        """Whether it is time for the next question."""
        return self.asked is None and self.next_at is not None and now >= max(self.next_at, self._clear_at)

    def heard(self, now: float) -> None:
        """The device said something that can be understood as coming from it."""
        self.heard_at = self._sign_at = now
        self.lost = False

    def falls_silent(self, now: float) -> bool:
        """Whether the device counts as gone from now on; true once for each time that it goes."""
        silent = now - (self.heard_at if self.heard_at is not None else now)
        if silent < self.lost_after or self.lost:
            return False
        self.lost = True
        return True
