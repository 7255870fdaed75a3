"""The physical notes of a simulated cash module: where each lies, kept across the simulator's own power cuts.

This is the truth that the books are compared with. The product has no way to read it: no protocol carries it.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from drivers.simulation.memory import BadMemory


class Place(Enum):
    """Where a note can lie."""

    HAND = "hand"
    HEAD = "head"
    ESCROW = "escrow"
    TRANSPORT = "transport"
    BOX = "box"
    CUSTODY = "custody"


@dataclass(frozen=True, slots=True)
class PhysicalNote:
    """One piece of paper. ``face`` is what is printed on it, such as ``20.00 EUR``."""

    number: int
    face: str
    note_type: int
    readable: bool = True
    place: Place = Place.HAND
    box: str = ""


@dataclass(slots=True)
class Vault:
    """All notes that a simulated device has met, its own counter, what else its protocol has it remember, and the file
    that outlives a power cut.
    """

    file: Path | None
    box: str = "BOX-1"
    counter: int = 0
    notes: list[PhysicalNote] = field(default_factory=list[PhysicalNote])
    memory: dict[str, int] = field(default_factory=dict[str, int])

    @classmethod
    def open(cls, file: Path | None) -> Vault:
        """The vault as it was left. Raises :class:`BadMemory`, also where the file's folder is not there."""
        vault = cls(file)
        if file is not None and not file.parent.is_dir():
            raise BadMemory(f"{file}: there is no folder {file.parent}")
        if file is not None and file.exists():
            try:
                stored = json.loads(file.read_text(encoding="utf-8"))
                vault.box, vault.counter = str(stored["box"]), int(stored["counter"])
                vault.notes = [_remembered(note) for note in stored["notes"]]
                vault.memory = {str(name): int(value) for name, value in stored.get("memory", {}).items()}
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise BadMemory(f"{file} is not a simulator's memory: {error}") from error
        return vault

    def bring(self, face: str, note_type: int, *, readable: bool) -> PhysicalNote:
        """A customer brings a new note."""
        note = PhysicalNote(len(self.notes) + 1, face, note_type, readable)
        self.notes.append(note)
        self._save()
        return note

    def move(self, note: PhysicalNote, place: Place) -> PhysicalNote:
        """The note lies elsewhere now. What reaches the box is counted and belongs to the box that is in."""
        moved = replace(note, place=place, box=self.box if place is Place.BOX else "")
        self.notes[note.number - 1] = moved
        if place is Place.BOX:
            self.counter = (self.counter + 1) % 65536
        self._save()
        return moved

    def take_for(self, note: PhysicalNote, note_type: int) -> None:
        """The head takes it for a note of that type, whatever is printed on it."""
        self.notes[note.number - 1] = replace(note, note_type=note_type)
        self._save()

    def exchange_box(self, name: str) -> None:
        """Another, empty box; what lay in the old one stays there."""
        self.box = name
        self._save()

    def remember(self, name: str, value: int | None) -> None:
        """Keep a number without power; None: forget it."""
        if self.memory.get(name) != value:
            if value is None:
                del self.memory[name]
            else:
                self.memory[name] = value
            self._save()

    def inside(self) -> PhysicalNote | None:
        """The note between mouth and box, if there is one."""
        return next((n for n in self.notes if n.place in (Place.HEAD, Place.ESCROW, Place.TRANSPORT)), None)

    def as_json(self) -> str:
        """All of it, as one line."""
        notes = [{**asdict(note), "place": note.place.value} for note in self.notes]
        return json.dumps({"box": self.box, "counter": self.counter, "memory": self.memory, "notes": notes})

    def _save(self) -> None:
        if self.file is None:
            return
        temporary = self.file.with_suffix(".new")
        with temporary.open("w", encoding="utf-8") as out:
            out.write(self.as_json())
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(self.file)


def _remembered(note: dict[str, Any]) -> PhysicalNote:
    """A note as the file keeps it. Raises KeyError, TypeError or ValueError for anything else."""
    return PhysicalNote(
        int(note["number"]),
        str(note["face"]),
        int(note["note_type"]),
        bool(note["readable"]),
        Place(note["place"]),
        str(note["box"]),
    )
