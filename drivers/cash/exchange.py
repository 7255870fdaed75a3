"""One question at a time: the rhythm of a line on which only the host begins. Pure; times are monotonic seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Question = TypeVar("Question")


@dataclass(slots=True)
class Exchange(Generic[Question]):
    """What was asked, until when an answer may come, and when the next question may go out.

    ``lost_after``: seconds of silence after which the device counts as gone. ``next_at`` is None while nothing is to be
    sent until something happens from outside.
    """

    lost_after: float
    asked: Question | None = None
    next_at: float | None = None
    lost: bool = False
    _until: float = 0.0
    _heard_at: float | None = None

    def begin(self, now: float) -> None:
        """The line is open: silence counts from here, and the first question may go out at once."""
        if self._heard_at is None:
            self._heard_at = self.next_at = now

    @property
    def deadline(self) -> float | None:
        """When time itself brings something about."""
        return self._until if self.asked is not None else self.next_at

    def ask(self, question: Question, now: float, patience: float) -> None:
        """``question`` goes out now; an answer may take ``patience`` seconds."""
        self.asked, self._until = question, now + patience

    def finish(self, now: float, pause: float) -> None:
        """The exchange is over; the next may begin after ``pause``."""
        self.asked, self.next_at = None, now + pause

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
        return self.asked is None and self.next_at is not None and now >= self.next_at

    def heard(self, now: float) -> None:
        """The device said something that can be understood as coming from it."""
        self._heard_at, self.lost = now, False

    def falls_silent(self, now: float) -> bool:
        """Whether the device counts as gone from now on; true once for each time that it goes."""
        silent = now - (self._heard_at if self._heard_at is not None else now)
        if silent < self.lost_after or self.lost:
            return False
        self.lost = True
        return True
