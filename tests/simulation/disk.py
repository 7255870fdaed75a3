"""A kiosk's disk under SQLite: what was synced survives a power cut, of everything else any sectors do; calls fail.

The files are real ones, so that the product's own looks at them see what SQLite wrote. Every call of SQLite passes
here first. A file that was opened by a life that is over refuses everything, so that closing it does nothing.
"""

# apsw's own stubs leave the type of what is written open.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import apsw

from tests.simulation.loop import Dead, Life, life_now

SECTOR = 512
_NAME = "simulated-disk"
_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class _Write:
    """``data`` at ``at``; None: the file ends there."""

    at: int
    data: bytes | None


@dataclass(slots=True)
class _File:
    """What a sync has made sure, what waits for one, and what a failed one has lost for good."""

    durable: bytearray = field(default_factory=bytearray)
    waiting: list[_Write] = field(default_factory=list[_Write])


class Disk:
    """One folder. ``full``: nothing that makes a file longer succeeds. ``syncs``: how many there were. ``log_pages``:
    after so many SQLite folds a log into its file; of its own accord after 1000, and no world lasts so long.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.full = False
        self.log_pages = 1000
        self.syncs = 0
        self.writes = 0
        self._files: dict[str, _File] = {}
        self._deleted: dict[str, bytes] = {}
        self._fail_in: int | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def wipe(self) -> None:
        """A new disk."""
        self._files.clear()
        self._deleted.clear()
        for path in self.folder.iterdir():
            path.unlink()

    def fails_in(self, calls: int) -> None:
        """Let the ``calls``-th write or sync from now end in an I/O error."""
        self._fail_in = calls

    def mended(self) -> None:
        """Nothing fails any more, and there is room."""
        self._fail_in, self.full = None, False

    @property
    def unsynced(self) -> bool:
        """Whether a log has something that a power cut now could take away."""
        return any(file.waiting for name, file in self._files.items() if name.endswith("-wal"))

    def cut(self, dice: random.Random) -> None:
        """The power is gone: the files are what was synced, and of everything else any sectors."""
        for name, content in self._deleted.items():
            if name not in self._files and dice.random() < 0.5:
                self._files[name] = _File(bytearray(content))
        self._deleted.clear()
        for name, file in self._files.items():
            for write in file.waiting:
                for part in _sectors(write):
                    if dice.random() < 0.5:
                        _do(file.durable, part)
            file.waiting.clear()
            self._restore(name, bytes(file.durable))

    def _restore(self, name: str, content: bytes) -> None:
        """Another inode: what the dead have open is no longer what has the name."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        path.chmod(0o640)

    def contents(self, name: str) -> bytes | None:
        """What a file holds now; None where there is none."""
        path = self.folder / name
        return path.read_bytes() if path.exists() else None

    def synced_contents(self, name: str) -> bytes | None:
        """What a file holds for certain; None where there is none."""
        file = self._files.get(name)
        return bytes(file.durable) if file is not None else None

    def put(self, name: str, content: bytes | None) -> None:
        """Somebody writes a whole file, or takes it away; nobody may have it open."""
        self._files.pop(name, None)
        self._deleted.pop(name, None)
        (self.folder / name).unlink(missing_ok=True)
        if content is not None:
            self._files[name] = _File(bytearray(content))
            self._restore(name, content)

    # --- what SQLite does -------------------------------------------------------------------------------------------

    def wrote(self, name: str, at: int, data: bytes, longer: bool) -> None:
        """Note a write down, before it is done. Raises apsw's errors for a full or failing disk."""
        self.writes += 1
        self._may_fail("write")
        if longer and self.full:
            raise apsw.FullError("the disk is full")
        self._file(name).waiting.append(_Write(at, data))

    def truncated(self, name: str, size: int) -> None:
        """The file was cut off."""
        self._file(name).waiting.append(_Write(size, None))

    def synced(self, name: str) -> None:
        """What waited is safe; a sync that fails loses it, whatever the page cache shows."""
        self.syncs += 1
        file = self._file(name)
        waiting, file.waiting = file.waiting, []
        self._may_fail("sync")
        self._deleted.clear()  # File systems with a journal write the folder's changes with the next sync.
        for write in waiting:
            _do(file.durable, write)

    def deleted(self, name: str, *, surely: bool) -> None:
        """The file is gone; unless the folder was synced, a power cut may bring it back until the next sync."""
        file = self._files.pop(name, None)
        if file is not None and not surely:
            self._deleted[name] = bytes(file.durable)

    def _file(self, name: str) -> _File:
        return self._files.setdefault(name, _File())

    def _may_fail(self, what: str) -> None:
        if self._fail_in is not None:
            self._fail_in -= 1
            if self._fail_in <= 0:
                raise apsw.IOError(f"the disk failed to {what}")


def _sectors(write: _Write) -> list[_Write]:
    if write.data is None:
        return [write]
    return [_Write(write.at + i, write.data[i : i + SECTOR]) for i in range(0, len(write.data), SECTOR)]


def _do(content: bytearray, write: _Write) -> None:
    if write.data is None:
        del content[write.at :]
        return
    content.extend(bytes(max(0, write.at + len(write.data) - len(content))))
    content[write.at : write.at + len(write.data)] = write.data


class Disks(apsw.VFS):
    """The file system of all kiosks, for as long as it is registered: each file belongs to the disk of its folder."""

    def __init__(self) -> None:
        super().__init__(f"{_NAME}-{next(_NUMBERS)}", "unix", makedefault=True)
        self.disks: dict[str, Disk] = {}
        apsw.connection_hooks.append(self._opened)

    def unregister(self) -> None:
        apsw.connection_hooks.remove(self._opened)
        super().unregister()

    def _opened(self, connection: apsw.Connection) -> None:
        disk = self.disks.get(str(Path(connection.filename).parent))
        if disk is not None:
            connection.wal_autocheckpoint(disk.log_pages)
        life = life_now()
        if life is not None:
            life.opened.append(connection.close)

    def add(self, disk: Disk) -> None:
        """Let SQLite's calls for files in its folder go through ``disk``."""
        self.disks[str(disk.folder)] = disk

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        full = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        path = Path(full)
        return _OpenFile(self.disks[str(path.parent)], path, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        life = life_now()
        path = Path(filename)
        if life is not None:
            life.effect(on_disk=True)
        self.disks[str(path.parent)].deleted(path.name, surely=syncdir)
        super().xDelete(filename, syncdir)
        if life is not None:
            life.effected(on_disk=True)

    def excepthook(
        self, etype: type[BaseException] | None, evalue: BaseException | None, etraceback: TracebackType | None
    ) -> bool:
        """Apsw tells here what it cannot raise: a dead life's last words."""
        return isinstance(evalue, Dead) or super().excepthook(etype, evalue, etraceback)


class _OpenFile(apsw.VFSFile):
    def __init__(self, disk: Disk, path: Path, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk, self._name, self._path = disk, path.name, path
        self._life: Life | None = life_now()
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        def write() -> None:
            self._disk.wrote(self._name, offset, bytes(data), offset + len(data) > self.xFileSize())
            super(_OpenFile, self).xWrite(data, offset)

        self._effect(write)

    def xTruncate(self, newsize: int) -> None:
        def truncate() -> None:
            self._disk.truncated(self._name, newsize)
            super(_OpenFile, self).xTruncate(newsize)

        self._effect(truncate)

    def xSync(self, flags: int) -> None:
        self._effect(lambda: self._disk.synced(self._name))

    def _effect(self, do: Callable[[], None]) -> None:
        life = self._life
        if life is None:
            do()
            return
        life.effect(on_disk=True)
        do()
        life.effected(on_disk=True)


def close_dead(life: Life) -> None:
    """Give back what a dead process had open; nothing of it reaches the disk. Not from inside a call of SQLite."""
    for close in life.opened:
        with suppress(Dead, apsw.Error, OSError):
            life.within(close)
    life.opened.clear()
