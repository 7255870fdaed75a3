"""What passes between a host and a device with which nothing happens: the same questions and answers, thousands of
times.

What followed from an answer the last time follows from the same bytes again, as long as nothing else has happened: it
need not be worked out each time. Pure; times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from drivers.cash.exchange import Exchange
from drivers.cash.steps import Input, Output, Received, Tick

Question = TypeVar("Question")


@dataclass(frozen=True, slots=True)
class Turn(Generic[Question]):
    """``question`` goes out as ``asking``, and ``answer`` is the frame that brings nothing new."""

    question: Question
    asking: Sequence[Output]
    answer: bytes


@dataclass(frozen=True, slots=True)
class Asides(Generic[Question]):
    """What else is asked every ``every`` seconds: one turn after the other, each ``between`` seconds after the answer
    before it. From their answers nothing at all follows.
    """

    turns: Sequence[Turn[Question]]
    between: float
    every: float


@dataclass(slots=True)
class Rest(Generic[Question]):
    """A machine's word for where it stands: ``poll`` is next, and has ``patience`` seconds; and from its answer follows
    nothing but ``answered``, and the same poll after ``pause`` seconds. ``forget``: a frame that was begun before a
    question is no answer to it.

    An answer to a poll at ``aside_at`` or later brings the turn of ``asides``; where there are none, it breaks the
    word, as anything else does that happens. A machine that goes on from there finds in ``polled`` when that was
    answered last, in ``last`` which question was asked last, and in :attr:`left` which asides have not been.
    """

    poll: Turn[Question]
    forget: Callable[[], None]
    patience: float
    answered: Sequence[Output]
    pause: float
    polled: float
    asides: Asides[Question] | None = None
    aside_at: float = float("inf")
    last: Question = field(init=False)
    _turn: Turn[Question] = field(init=False)
    _waiting: Sequence[Turn[Question]] = field(init=False, default=())

    def __post_init__(self) -> None:
        self.last, self._turn = self.poll.question, self.poll

    @property
    def left(self) -> Sequence[Question]:
        """The asides that have begun and were not asked yet."""
        return [turn.question for turn in self._waiting]

    def goes_on(self, happened: Input, line: Exchange[Question], now: float) -> Sequence[Output] | None:
        """What follows from ``happened``; None: it is something else, ``line`` is as it was, and the word is broken."""
        turn = self._turn
        if line.asked is None:
            if isinstance(happened, Tick) and line.may_ask(now) and (turn is self.poll or self._aside_may_come(now)):
                if self._waiting:
                    self._waiting = self._waiting[1:]
                self.last = turn.question
                self.forget()
                line.ask(turn.question, now, self.patience)
                return turn.asking
        elif isinstance(happened, Received) and happened.data == turn.answer:
            if turn is not self.poll:
                return self._aside_answered(line, now)
            if now < self.aside_at:
                self.polled = now
                line.answered(now, self.pause)
                return self.answered
            if self.asides is not None:
                return self._begin_asides(self.asides, line, now)
        return None

    def _begin_asides(self, asides: Asides[Question], line: Exchange[Question], now: float) -> Sequence[Output]:
        self.polled, self.aside_at = now, now + asides.every
        self._turn, self._waiting = asides.turns[0], asides.turns
        line.answered(now, asides.between)
        return self.answered

    def _aside_may_come(self, now: float) -> bool:
        """Between two polls that are only due, one other thing has its turn; a second one waits."""
        return self.last == self.poll.question or now < self.polled + self.pause

    def _aside_answered(self, line: Exchange[Question], now: float) -> Sequence[Output]:
        line.answered(now, self.asides.between if self.asides is not None else 0.0)
        if self._waiting:
            self._turn = self._waiting[0]
        else:
            self._turn = self.poll
            line.wait_until(self.polled + self.pause)
        return ()
