"""What is known of an ID-003 device, and what must still be asked of it. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import Enum, auto
from hashlib import sha256

from drivers.api.device import DeviceIdentity
from drivers.cash.id003.messages import Command, NoteTable, SerialNumber, State, Version
from drivers.cash.id003.states import POWER_UP
from guichet.ids import DeviceSerial
from guichet.money import Money

UNKNOWN = "unknown"
"""The serial number of a unit that does not know the command, and the model of one that has no version text."""

_SIMULATED_MODEL = "GUICHET-SIM"
# Tries after which a device that just came back is reported without its name, and after which one that will not say who
# it is becomes a person's business.
_TRIES = 3
_MANY_TRIES = 10

REPORT = (Command.SERIAL, Command.VERSION)
"""What is asked before a device that came back is reported."""
WHOLE = (Command.SERIAL, Command.VERSION, Command.NOTE_TABLE)
"""What must be known before it takes a note. One public driver asks for all of it only at power-up."""


class Standing(Enum):
    """How it goes with the questions."""

    GOES_ON = auto()
    TOO_OFTEN = auto()


class Knowledge:
    """Who it is and what its notes are worth."""

    def __init__(self) -> None:
        self.values: Mapping[int, Money] = {}
        self.table_hash = b""
        self._serial: str | None = None
        self._version: str | None = None
        self._questions: deque[Command] = deque()
        self._failed = 0
        self._waits_for_poll = False

    def forget(self) -> None:
        """What comes back may be another device: nothing known before holds for it."""
        self.__init__()

    @property
    def identity(self) -> DeviceIdentity | None:
        """Who it is; None until it has been asked and has answered."""
        if self._serial is None or self._version is None:
            return None
        model, _, firmware = self._version.partition(" ")
        simulated = _SIMULATED_MODEL in model
        return DeviceIdentity("id003", model, DeviceSerial(self._serial), firmware.strip(), simulated)

    # --- questions --------------------------------------------------------------------------------------------------

    @property
    def asking(self) -> bool:
        """Whether anything must still be asked."""
        return bool(self._questions)

    @property
    def may_ask(self) -> bool:
        """Whether a question's time has come: after one that failed, only when a poll has shown the state."""
        return self.asking and not self._waits_for_poll

    def want(self, questions: tuple[Command, ...]) -> None:
        """Ask these, in this order."""
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
        """``question`` was not answered. ``only_report``: it was asked to say who has come back, which is worth no
        more than a few tries.
        """
        self._failed += 1
        if only_report and self._failed >= _TRIES:
            self._failed = 0
            return Standing.GOES_ON
        self._questions.appendleft(question)
        self._waits_for_poll = True
        return Standing.TOO_OFTEN if self._failed == _MANY_TRIES else Standing.GOES_ON

    def refused(self, question: Command, state: State | None, *, only_report: bool) -> bool:
        """The device says that it does not know ``question``, or not now. Gives whether that can be lived with: what
        was answered at power-up holds, and a unit without a serial number or a version text is taken as it is. At
        power-up a unit tells all that it knows; in another state, while it is asked for a report only, a no says
        nothing.
        """
        final = state in POWER_UP or not only_report
        match question:
            case Command.SERIAL if final:
                self._serial = self._serial or UNKNOWN
            case Command.VERSION if final:
                self._version = self._version or UNKNOWN
            case Command.NOTE_TABLE if self.table_hash or only_report:
                pass
            case _:
                return False
        return True

    # --- answers ----------------------------------------------------------------------------------------------------

    def learn(self, answer: SerialNumber | Version | NoteTable) -> None:
        """Take an answer."""
        match answer:
            case SerialNumber(text):
                self._serial = text or UNKNOWN
            case Version(text):
                self._version = text or UNKNOWN
            case NoteTable(values, raw):
                self.values, self.table_hash = values, sha256(raw).digest()

    def got_on(self) -> bool:
        """A question has its answer. Gives whether that ends a trouble of :attr:`Standing.TOO_OFTEN`."""
        was_trouble, self._failed = self._failed >= _MANY_TRIES, 0
        return was_trouble
