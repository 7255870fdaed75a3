"""How long a device is waited for that goes on saying the same, whatever it speaks, and what follows then. Pure; times
are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Generic, TypeVar

from drivers.api.cash import Trouble
from drivers.cash.questions import Questions, Standing

S = TypeVar("S")
_FIRST_PAUSE = 1.0


class Patience(Generic[S]):
    """States that pass by themselves, and one that did not pass in its time. Of the note that may be inside nothing
    follows from that: what the device says next tells.

    ``limits``: how long each of them may last; ``restless``: all of them in a row, for two may follow each other for
    ever. ``troubles``: what it means where one lasts for longer.
    """

    def __init__(self, limits: Mapping[S, float], restless: float, troubles: Mapping[S, Trouble]) -> None:
        self._limits, self._restless, self._troubles = limits, restless, troubles
        self.forget()

    def forget(self) -> None:
        """It is gone, or begins anew: what was told of it before holds no more."""
        self._state: S | None = None
        self._since = self._restless_since = 0.0
        self._told: Trouble | None = None

    def saw(self, state: S, now: float) -> None:
        """A poll said so."""
        if state is self._state:
            return
        if self._state not in self._limits:
            self._restless_since = now
        self._state, self._since = state, now

    def begin(self, now: float) -> None:
        """Its time begins here: what it waited for could not come before."""
        self._since = self._restless_since = now

    def is_over(self, now: float) -> bool:
        """Whether its state should have passed."""
        if self._state is None or self._state not in self._limits:
            return False
        return now - self._since >= self._limits[self._state] or now - self._restless_since >= self._restless

    def news(self, now: float, *, at_once: bool = False) -> Trouble | None:
        """What has to be told now: that it does not pass, once; and that it has passed, once it is at rest.
        ``at_once``: there is another reason not to wait for it any longer.
        """
        if self._told is None and self._state is not None and (at_once or self.is_over(now)):
            self._told = self._troubles[self._state]
            return self._told
        if self._told is not None and self._state not in self._limits:
            told, self._told = self._told, None
            return replace(told, over=True)
        return None


class Backoff:
    """A pause that is twice as long each time."""

    def __init__(self, first: float, longest: float) -> None:
        self._first = self._next = first
        self._longest = longest

    def begin(self) -> None:
        """Begin anew."""
        self._next = self._first

    def longer(self) -> float:
        """The next pause."""
        pause, self._next = self._next, min(2 * self._next, self._longest)
        return pause


class PatientQuestions(Questions[S]):
    """Questions to a device that may refuse them for ever: once that has become a person's business, it is asked less
    and less often. ``longest``: pause before such a question.
    """

    def __init__(self, longest: float) -> None:
        super().__init__()
        self._pauses = Backoff(_FIRST_PAUSE, longest)
        self._reluctant = False
        self._ask_at = 0.0

    def may_ask_at(self, now: float) -> bool:
        """Whether a question's time has come."""
        return self.may_ask and now >= self._ask_at

    def went_wrong(self, question: S, now: float, *, only_report: bool) -> Standing:
        """``question`` was refused or not answered; see :meth:`failed`."""
        standing = self.failed(question, only_report=only_report)
        self._reluctant |= standing is Standing.TOO_OFTEN
        if self._reluctant:
            self._ask_at = now + self._pauses.longer()
        return standing

    def got_on(self) -> bool:
        """A question has its answer."""
        self._reluctant, self._ask_at = False, 0.0
        self._pauses.begin()
        return super().got_on()


class Refusals:
    """Polls that a device answers, and not with a state: of one that does so for as long as silence is borne nothing is
    known either. ``poll``: between polls; ``longest``: between those of one that is gone.
    """

    def __init__(self, borne: float, poll: float, longest: float) -> None:
        self._borne, self._poll = borne, poll
        self._since: float | None = None
        self._pauses = Backoff(poll, longest)

    def end(self) -> None:
        """A poll was answered with a state."""
        self._since = None
        self._pauses.begin()

    def refused(self, now: float) -> bool:
        """One more; gives whether they have gone on for too long."""
        self._since = now if self._since is None else self._since
        return now - self._since >= self._borne

    def pause(self, *, gone: bool) -> float:
        """Before the next poll. One that is ``gone`` is asked less and less often."""
        return self._pauses.longer() if gone else self._poll
