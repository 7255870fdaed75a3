"""A device that answers, and with which there is no going on: what that is told as, and how often it is asked. Pure.

One that takes clear commands and no encrypted ones has another fixed key (protocols/ssp, section 9). One that answers
no poll as one, and does not say whether a note is in escrow, is as good as silent.
"""

from __future__ import annotations

from drivers.api.cash import Trouble, TroubleKind
from drivers.cash.essp.messages import Command
from drivers.cash.essp.timing import Timing
from drivers.cash.patience import Backoff, Refusals

SILENT, USELESS, WRONG_KEY = "silent", "useless", "wrong-key"
"""The codes of :class:`drivers.api.cash.Lost`."""

_MANY_TRIES = 10


class Outage:
    """From the first answer that is of no use, or from when it is lost, until a poll is answered as one. ``doubted``:
    nothing encrypted was answered, and whether it answers in clear is about to be seen.
    """

    def __init__(self, timing: Timing) -> None:
        self._refusals = Refusals(timing.answer * timing.repeats, timing.poll, timing.anew)
        self._told: set[str] = set()
        self.doubted = False

    @property
    def lasts(self) -> bool:
        """Whether the device is told to be lost."""
        return bool(self._told)

    @property
    def is_of_key(self) -> bool:
        """Whether it is told to have another key."""
        return WRONG_KEY in self._told

    def ends(self) -> None:
        """It answers as it should."""
        self._refusals.end()
        self._told.clear()

    def of_no_use(self, now: float) -> bool:
        """One more answer was of no use. Gives whether that has gone on for as long as silence may."""
        return self._refusals.refused(now)

    def pause(self) -> float:
        """Before it is greeted again, each time longer."""
        return self._refusals.pause(gone=True)

    def is_news(self, code: str) -> bool:
        """Whether it must be told to be lost for that: once for each reason, and silence says less than any other."""
        if code in self._told or (code == SILENT and self._told):
            return False
        self._told.add(code)
        return True


class Reluctance:
    """Questions without which there is no going on, and that the device refuses. ``ask_at``: not before then; once a
    person has been told, it is asked ever more seldom.
    """

    def __init__(self, timing: Timing) -> None:
        self.ask_at = 0.0
        self._pauses = Backoff(timing.poll, timing.anew)
        self._failed = 0
        self._told: Trouble | None = None

    def refused(self, asked: Command, now: float) -> Trouble | None:
        """``asked`` was not answered. Gives what a person must look at, such as ``failure-no-answer-0c``, once."""
        self._failed += 1
        if self._failed < _MANY_TRIES:
            return None
        self.ask_at = now + self._pauses.longer()
        if self._told is not None:
            return None
        self._told = Trouble(TroubleKind.FAILURE, f"no-answer-{asked:02x}")
        return self._told

    def ends(self) -> Trouble | None:
        """All is answered. Gives what need not be looked at any more."""
        told, self._told, self._failed = self._told, None, 0
        self._pauses.begin()
        return None if told is None else Trouble(told.kind, told.detail, over=True)
