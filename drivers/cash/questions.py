"""What a device that came back must still be asked, one question after another. Pure."""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import Generic, TypeVar

Question = TypeVar("Question")

# Tries after which a device that just came back is reported without its name, and after which one that will not say who
# it is becomes a person's business.
_TRIES = 3
_MANY_TRIES = 10


class Standing(Enum):
    """How it goes with the questions. TOO_OFTEN: a person must look; told once."""

    GOES_ON = auto()
    GIVEN_UP = auto()
    TOO_OFTEN = auto()


class Questions(Generic[Question]):
    """A queue of questions, for a device that answers some of them only in some states: one that failed is asked again
    when a poll has shown the state.
    """

    def __init__(self) -> None:
        self._questions: deque[Question] = deque()
        self._failed = 0
        self._waits_for_poll = False

    @property
    def asking(self) -> bool:
        """Whether anything must still be asked."""
        return bool(self._questions)

    @property
    def may_ask(self) -> bool:
        """Whether a question's time has come: after one that failed, only when a poll has shown the state."""
        return self.asking and not self._waits_for_poll

    def want(self, *questions: Question) -> None:
        """Ask these, in this order, after what is to be asked already."""
        self._questions.extend(questions)

    def next(self) -> Question:
        """The next question; it is out of the queue."""
        return self._questions.popleft()

    def polled(self) -> None:
        """A poll goes out."""
        self._waits_for_poll = False

    def drop(self) -> None:
        """The device is not at rest any more: what it is will be asked when it is so again."""
        self._questions.clear()

    def failed(self, question: Question, *, only_report: bool) -> Standing:
        """``question`` was refused or not answered. ``only_report``: it was asked to say who has come back, which is
        worth no more than a few tries.
        """
        self._failed += 1
        if only_report and self._failed >= _TRIES:
            self._failed = 0
            return Standing.GIVEN_UP
        self._questions.appendleft(question)
        self._waits_for_poll = True
        return Standing.TOO_OFTEN if self._failed == _MANY_TRIES else Standing.GOES_ON

    def got_on(self) -> bool:
        """A question has its answer. Gives whether that ends a trouble of :attr:`Standing.TOO_OFTEN`."""
        was_trouble, self._failed = self._failed >= _MANY_TRIES, 0
        return was_trouble
