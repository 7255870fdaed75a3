"""What is known of an ID-003 device, and what must still be asked of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from drivers.api.device import DeviceIdentity
from drivers.cash.id003.messages import Command, NoteTable, SerialNumber, State, Version
from drivers.cash.id003.states import POWER_UP
from drivers.cash.id003.timing import Timing
from drivers.cash.patience import PatientQuestions
from guichet.ids import DeviceSerial
from guichet.money import Money

UNKNOWN = "unknown"
"""The serial number of a unit that does not know the command, and the model of one that has no version text."""

_SIMULATED_MODEL = "GUICHET-SIM"

REPORT = (Command.SERIAL, Command.VERSION)
"""What is asked before a device that came back is reported."""
WHOLE = (Command.SERIAL, Command.VERSION, Command.NOTE_TABLE)
"""What must be known before it takes a note. One public driver asks for all of it only at power-up."""


class Knowledge(PatientQuestions[Command]):
    """Who it is and what its notes are worth."""

    def __init__(self, timing: Timing) -> None:
        super().__init__(timing.reluctant)
        self._timing = timing
        self.values: Mapping[int, Money] = {}
        self.table_hash = b""
        self._serial: str | None = None
        self._version: str | None = None

    def forget(self) -> None:
        """What comes back may be another device: nothing known before holds for it."""
        self.__init__(self._timing)

    @property
    def identity(self) -> DeviceIdentity | None:
        """Who it is; None until it has been asked and has answered."""
        if self._serial is None or self._version is None:
            return None
        model, _, firmware = self._version.partition(" ")
        simulated = _SIMULATED_MODEL in model
        return DeviceIdentity("id003", model, DeviceSerial(self._serial), firmware.strip(), simulated)

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

    def does_without(self, question: Command) -> bool:
        """``question`` has come to nothing too often, though the unit answers its polls. Gives whether it can be done
        without: a unit that does not know a command may say nothing to it, or nothing that can be read.
        """
        match question:
            case Command.SERIAL:
                self._serial = self._serial or UNKNOWN
            case Command.VERSION:
                self._version = self._version or UNKNOWN
            case _:
                return False
        self.next()
        self.got_on()
        return True

    def learn(self, answer: SerialNumber | Version | NoteTable) -> None:
        """Take an answer."""
        match answer:
            case SerialNumber(text):
                self._serial = text or UNKNOWN
            case Version(text):
                self._version = text or UNKNOWN
            case NoteTable(values, raw):
                self.values, self.table_hash = values, sha256(raw).digest()
