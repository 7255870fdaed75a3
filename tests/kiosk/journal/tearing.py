"""A disk that is cut off from its power: what was synced is there, and of everything else any sectors, in any order.

What SQLite does to its files is done to the real ones too, and noted down; :meth:`Disk.after_a_cut` makes of a
beginning of the notes what a power cut there might have left.
"""

# apsw's own stubs leave the type of what is written open.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import apsw

SECTOR = 512
_NAME = "tears"


@dataclass(frozen=True, slots=True)
class Note:
    """What was done to a file: ``data`` written at ``at``, or cut off there where there is none; ``synced``; gone."""

    file: str
    at: int = 0
    data: bytes | None = None
    synced: bool = False
    gone: bool = False


@dataclass
class Disk:
    """``notes``: everything since the last power cut, in order. ``began``: the files as they were then."""

    notes: list[Note] = field(default_factory=list[Note])
    began: Mapping[str, bytes] = field(default_factory=dict[str, bytes])

    def after_a_cut(self, at: int, dice: random.Random) -> dict[str, bytes]:
        """The files, when the power went after so many notes."""
        files = {name: bytearray(content) for name, content in self.began.items()}
        waiting: dict[str, list[Note]] = {}
        for note in self.notes[:at]:
            if note.gone:
                waiting.pop(note.file, None)
                files.pop(note.file, None)
            elif note.synced:
                for one in waiting.pop(note.file, []):
                    _do(files, one)
            else:
                waiting.setdefault(note.file, []).append(note)
        for one in (note for notes in waiting.values() for note in notes):
            for part in _sectors(one):
                if dice.random() < 0.5:
                    _do(files, part)
        return {name: bytes(content) for name, content in files.items()}


def _sectors(note: Note) -> list[Note]:
    if note.data is None:
        return [note]
    return [
        Note(note.file, note.at + begin, note.data[begin : begin + SECTOR])
        for begin in range(0, len(note.data), SECTOR)
    ]


def _do(files: dict[str, bytearray], note: Note) -> None:
    content = files.setdefault(note.file, bytearray())
    if note.data is None:
        del content[note.at :]
        return
    content.extend(bytes(max(0, note.at + len(note.data) - len(content))))
    content[note.at : note.at + len(note.data)] = note.data


class TearingFiles(apsw.VFS):
    """The system's own files, with notes of what is done to them on ``disk``. The default until :meth:`unregister`."""

    def __init__(self, disk: Disk) -> None:
        super().__init__(_NAME, "", makedefault=True)
        self._disk = disk

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _File(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self._disk.notes.append(Note(Path(filename).name, gone=True))
        super().xDelete(filename, syncdir)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        full = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        self._name, self._disk = Path(full).name, disk
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.notes.append(Note(self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._disk.notes.append(Note(self._name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        self._disk.notes.append(Note(self._name, synced=True))
        super().xSync(flags)
