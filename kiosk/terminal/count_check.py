"""The device's own count of stacked notes against the journal: what it has counted that nobody has on record."""

from __future__ import annotations

from dataclasses import dataclass

from kiosk.journal.folds import COUNTER_DISAGREES, Note, NotePhase
from kiosk.terminal.note_book import NoteBook, Read
from kiosk.terminal.recovery import Count
from kiosk.terminal.situation import KnownDevice, count_of, has_gone_on, is_of_another

REPEAT_UNPROVED = "repeat-unproved"
_UNPROVED = "a stacked event that is the last note's again, or of one more of its kind: only a count of the box can say"


@dataclass(frozen=True, slots=True)
class _Repeat:
    note_type: int | None
    read: Read


class CountCheck:
    """Compares when a note is done with, and whenever the device is ready.

    A stacked event that a device holds when it comes back, and that may be the last note's own, is taken for that: a
    device repeats what was not acknowledged. Most say their count only later. Where it says that one more note lies in
    the box, the event was of another note of the same kind, and that is found.
    """

    def __init__(self, book: NoteBook, device: KnownDevice) -> None:
        self._book = book
        self._device = device
        self._repeat: _Repeat | None = None
        self._is_coming_back = False

    def comes_back(self) -> None:
        """The device answers after a silence. What it held before another one is still to be compared."""
        self._is_coming_back = True

    def taken_for_repeat(self, note_type: int | None, read: Read) -> None:
        """A stacked event has changed nothing: it may be the last note's. While the terminal lives, it is."""
        if not self._is_coming_back:
            return
        note, never_counts = self._book.fold.last, self._device.capabilities.counter_modulus is None
        if never_counts and self._repeat is None and note is not None and note.phase is NotePhase.CLEARED:
            self._book.incident(REPEAT_UNPROVED, _UNPROVED, note)  # Now: nothing later will tell of it.
        self._repeat = _Repeat(note_type, read)

    def cleared(self, note: Note) -> None:
        """``note`` is in the box and done with. A count that disagrees never takes a credit away: it stops the next
        note until someone has counted, which the next box period shows.
        """
        repeat, count = self._take_repeat(), count_of(self._book.fold, self._device, note)
        if count in (Count.SAME, Count.OTHER) and not self._find(note, repeat):
            text = f"baseline {note.counter_baseline}, now {self._device.counter}"
            self._book.incident(COUNTER_DISAGREES, text, note)

    def ready(self) -> None:
        """The device is known whole, and nothing is in its path."""
        note, device, repeat = self._book.fold.last, self._device, self._take_repeat()
        self._is_coming_back = False
        if note is None or note.phase is not NotePhase.CLEARED or self._book.fold.count_due:
            return
        count = count_of(self._book.fold, device, note)
        if repeat is not None and is_of_another(device, note):
            self._found_in_another(repeat)
        elif has_gone_on(device, note, count) and count is Count.OTHER:
            if not self._find(note, repeat):
                text = f"baseline {note.counter_baseline}, now {device.counter}: more than the notes on record"
                self._book.incident(COUNTER_DISAGREES, text, note)
        elif repeat is not None and count is Count.UNKNOWN and device.capabilities.counter_modulus is not None:
            self._book.incident(REPEAT_UNPROVED, _UNPROVED, note)

    def _take_repeat(self) -> _Repeat | None:
        repeat, self._repeat = self._repeat, None
        return repeat

    def _find(self, note: Note, repeat: _Repeat | None) -> bool:
        """Whether ``repeat`` accounts for the one note that was counted after ``note``."""
        now, before, modulus = self._device.counter, note.counter_baseline, self._device.capabilities.counter_modulus
        if repeat is None or now is None or before is None or modulus is None or (now - before) % modulus != 2:
            return False
        self._book.found(self._device.identity, repeat.note_type, repeat.read)
        return True

    def _found_in_another(self, repeat: _Repeat) -> None:
        """The device that held the event did not say who it is before: its note lies in its own box."""
        identity, period = self._device.identity, self._book.fold.box_period
        if identity is None:
            return
        if period is None or period.device_serial != identity.serial:
            self._book.begin_period(identity, self._device.counter)
        self._book.found(identity, repeat.note_type, repeat.read)
