"""What is known of a CCNET device, and what must still be asked of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from drivers.api.device import DeviceIdentity
from drivers.cash.ccnet.messages import Command, Identification, NoteTable, StackedCount
from drivers.cash.ccnet.timing import Timing
from drivers.cash.patience import PatientQuestions
from guichet.ids import DeviceSerial
from guichet.money import Money

_SIMULATED_PART = "GUICHET-SIM"


class Knowledge(PatientQuestions[Command]):
    """Who it is, what its note types are worth, how many notes it stacked."""

    def __init__(self, timing: Timing) -> None:
        super().__init__(timing.reluctant)
        self._timing = timing
        self.identity: DeviceIdentity | None = None
        self.values: Mapping[int, Money] = {}
        self.table_hash = b""
        self.stacked: int | None = None

    def forget(self) -> None:
        """What comes back may be another device, and has a count of its own: nothing known before holds for it."""
        self.__init__(self._timing)

    def does_without_count(self) -> None:
        """The count, always the last question of a round, is not to be had."""
        self.drop()
        self.got_on()
        self.stacked = None

    def learn(self, answer: Identification | NoteTable | StackedCount) -> None:
        """Take an answer."""
        match answer:
            case Identification(part, serial, _):
                simulated = part.startswith(_SIMULATED_PART)
                self.identity = DeviceIdentity("ccnet", part, DeviceSerial(serial), "", simulated)
            case NoteTable(values, raw):
                self.values, self.table_hash = values, sha256(raw).digest()
            case StackedCount(count):
                self.stacked = count
