"""What one terminal's journal has said, by the records alone: beside the product's own folds, and by other code."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.causes import Causes
from tests.simulation.kiosk import PhysicalBox

Face = tuple[int, str]
"""Minor units and currency."""

IN_BOX = ("credited", "found")

JournalPlace = tuple[int, int]
"""Epoch and sequence of a record."""


@dataclass(slots=True)
class Note:
    """What the journal has said of a note, by the records alone. ``since``: when it said so first; ``odd``: the device
    was not as it should be then.
    """

    face: Face | None
    deposit: str
    state: str = "escrowed"
    outcome: int = 0
    intended: bool = False
    since: float = 0.0
    odd: bool = False

    @property
    def undecided(self) -> bool:
        """It has no outcome yet."""
        return self.state.endswith(("intended", "escrowed"))


@dataclass(frozen=True, slots=True)
class Alone:
    """A deposit that began without the host: whose card, by which limit, on which day."""

    pan: bytes
    limit: Any
    day: int


@dataclass(slots=True)
class Ever:
    """What no disk can take away, for it was seen from outside. ``owners``: whose card was in as a deposit began;
    ``brought``: the records that came to the host out of old disks, whether or not this journal goes on with them;
    ``went_back``: the disk did, once; ``causes``: what befell it.
    """

    owners: dict[str, str] = field(default_factory=dict[str, str])
    boxes: dict[str, PhysicalBox] = field(default_factory=dict[str, PhysicalBox])
    alone: dict[str, Alone] = field(default_factory=dict[str, "Alone"])
    brought: set[JournalPlace] = field(default_factory=set[JournalPlace])
    went_back: bool = False
    causes: Causes = field(default_factory=Causes)


@dataclass(slots=True)
class Book:
    """One terminal's journal, as it was claimed to be on disk, record by record, with place and hash in ``entries`` and
    whole in ``stored``. ``begun`` and ``signed``: at which record a deposit was opened and an advice signed; ``first``:
    the record that the file begins with; ``boxes``: which stood there as each box period began; ``gone``: notes that
    only a disk knew which is gone; ``before``: what the disk said of notes before it went back; ``unsure``: notes that
    are in doubt because the journal's end was lost, or were undecided on a disk that went back: of these another word
    may be on record elsewhere; ``ever``: what was seen of the kiosk under every disk; ``count_due``: the device's
    counter disagrees, and nobody has exchanged the box since.
    """

    entries: list[tuple[JournalPlace, bytes]] = field(default_factory=list[tuple[JournalPlace, bytes]])
    stored: list[Any] = field(default_factory=list[Any])
    read: list[Any] = field(default_factory=list[Any])
    notes: dict[str, Note] = field(default_factory=dict[str, Note])
    last: str = ""
    deposits: dict[str, str] = field(default_factory=dict[str, str])
    limits: Any = None
    booted: str = ""
    open_deposit: str = ""
    advices: dict[bytes, bool] = field(default_factory=dict[bytes, bool])
    sure: Counter[Face] = field(default_factory=Counter[Face])
    unknown_finds: int = 0
    swallowed: int = 0
    begun: dict[str, JournalPlace] = field(default_factory=dict[str, JournalPlace])
    signed: dict[bytes, JournalPlace] = field(default_factory=dict[bytes, JournalPlace])
    first: JournalPlace = (1, 1)
    gone: dict[str, Note] = field(default_factory=dict[str, Note])
    before: dict[str, Note] = field(default_factory=dict[str, Note])
    boxes: dict[str, PhysicalBox] = field(default_factory=dict[str, PhysicalBox])
    unsure: set[str] = field(default_factory=set[str])
    ever: Ever = field(default_factory=lambda: Ever())
    count_due: bool = False

    @property
    def beside(self) -> set[JournalPlace]:
        """Records that the host holds and that are no part of this journal."""
        return self.ever.brought - {place for place, _ in self.entries}

    @property
    def alone(self) -> dict[str, Alone]:
        """The deposits that began without the host."""
        return {name: self.ever.alone[name] for name in self.deposits if name in self.ever.alone}

    @property
    def last_place(self) -> JournalPlace:
        """Of the last record; (0, 0) before the first."""
        return self.entries[-1][0] if self.entries else (0, 0)

    @property
    def lost(self) -> Counter[Face]:
        """What lies in the box, or may, and only a disk knew that is gone, or that went back."""
        here = {name for name, note in self.notes.items() if note.state != "returned"}
        known = [
            *self.gone.values(),
            *(note for name, note in self.before.items() if name not in here | self.gone.keys()),
        ]
        return Counter(note.face for note in known if note.state != "returned" and note.face is not None)

    def is_told(self, name: str, state: str) -> None:
        """The host has the terminal's word of a note that was gone, signed or out of its journal; where that has none
        about the end of it, its own: ``state``.
        """
        self.notes[name] = note = self.gone.pop(name)
        note.state = state if note.undecided else note.state

    def count(self, *states: str) -> Counter[Face]:
        """Notes in these states, by value."""
        return Counter(note.face for note in self.notes.values() if note.state in states and note.face is not None)
