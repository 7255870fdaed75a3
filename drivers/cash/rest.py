"""What passes between a host and a device with which nothing happens: one question and one answer, thousands of times.

What followed from an answer the last time follows from the same bytes again, as long as nothing else has happened: it
need not be worked out each time. Pure; times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from drivers.cash.exchange import Exchange
from drivers.cash.steps import Input, Output, Received, Tick

Question = TypeVar("Question")


@dataclass(frozen=True, slots=True)
class Rest(Generic[Question]):
    """A machine's word for where it stands: ``question`` is next, goes out as ``asking``, and is given ``patience``
    seconds; and from ``answer`` follows nothing but ``answered``, and the same question after ``pause`` seconds. The
    word holds until anything else happens, or an answer comes at ``until`` or later. ``forget``: a frame that was begun
    before a question is no answer to it.
    """

    question: Question
    asking: Sequence[Output]
    forget: Callable[[], None]
    patience: float
    answer: bytes
    answered: Sequence[Output]
    pause: float
    until: float = float("inf")

    def goes_on(self, happened: Input, line: Exchange[Question], now: float) -> Sequence[Output] | None:
        """What follows from ``happened``; None: it is something else, ``line`` is as it was, and the word is broken."""
        if line.asked is None:
            if isinstance(happened, Tick) and line.may_ask(now):
                self.forget()
                line.ask(self.question, now, self.patience)
                return self.asking
        elif isinstance(happened, Received) and happened.data == self.answer and now < self.until:
            line.answered(now, self.pause)
            return self.answered
        return None
