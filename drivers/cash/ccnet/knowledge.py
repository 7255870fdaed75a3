"""What is known of a CCNET device, and what must still be asked of it. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import Enum, auto
from hashlib import sha256

from drivers.api.device import DeviceIdentity
from drivers.cash.ccnet.messages import Command, Identification, NoteTable, StackedCount
from guichet.ids import DeviceSerial
from guichet.money import Money

_SIMULATED_PART = "GUICHET-SIM"
# Tries after which a device that just came back is reported without its name, and after which one that will not say who
# it is becomes a person's business.
_TRIES = 3
_MANY_TRIES = 10


class Standing(Enum):
    """How it goes with the questions."""

    GOES_ON = auto()
    GIVEN_UP = auto()
    TOO_OFTEN = auto()


class Knowledge:
    """Who it is, what its note types are worth, how many notes it stacked."""

    def __init__(self) -> None:
        self.identity: DeviceIdentity | None = None
        self.values: Mapping[int, Money] = {}
        self.table_hash = b""
        self.stacked: int | None = None
        self._questions: deque[Command] = deque()
        self._failed = 0
        self._waits_for_poll = False

    def forget(self) -> None:
        """What comes back may be another device, and has a count of its own: nothing known before holds for it."""
        self.__init__()

    # --- questions --------------------------------------------------------------------------------------------------

    @property
    def asking(self) -> bool:
        """Whether anything must still be asked."""
        return bool(self._questions)

    @property
    def may_ask(self) -> bool:
        """Whether a question's time has come: after one that failed, only when a poll has shown the state."""
        return self.asking and not self._waits_for_poll

    def want(self, *questions: Command) -> None:
        """Ask these, in this order, after what is to be asked already. The count comes last in a round."""
        self._questions.extend(questions)

    def next(self) -> Command:
        """The next question; it is out of the queue."""
        return self._questions.popleft()

    def polled(self) -> None:
        """A poll goes out."""
        self._waits_for_poll = False

    def drop(self) -> None:
        """The device is not at rest any more: what it is will be asked when it is so again."""
        self._questions.clear()

    def failed(self, question: Command, *, only_report: bool) -> Standing:
        """``question`` was refused or not answered. ``only_report``: it was asked to say who has come back, which is
        not worth more than a few tries.
        """
        self._failed += 1
        if only_report and self._failed >= _TRIES:
            self._failed = 0
            return Standing.GIVEN_UP
        self._questions.appendleft(question)
        self._waits_for_poll = True
        return Standing.TOO_OFTEN if self._failed == _MANY_TRIES else Standing.GOES_ON

    # --- answers ----------------------------------------------------------------------------------------------------

    def learn(self, answer: Identification | NoteTable | StackedCount) -> bool:
        """Take an answer. Gives whether it ends a trouble of :attr:`Standing.TOO_OFTEN`."""
        was_trouble, self._failed = self._failed >= _MANY_TRIES, 0
        match answer:
            case Identification(part, serial, _):
                simulated = part.startswith(_SIMULATED_PART)
                self.identity = DeviceIdentity("ccnet", part, DeviceSerial(serial), "", simulated)
            case NoteTable(values, raw):
                self.values, self.table_hash = values, sha256(raw).digest()
            case StackedCount(count):
                self.stacked = count
        return was_trouble
