"""The journal's file: SQLite through APSW, one connection, append-only, hash-chained.

WAL with synchronous=FULL: a commit is on disk when :meth:`Journal.append` returns. locking_mode=EXCLUSIVE, set before
the first access: no second process can write, and the same calls reach the disk in production and in simulation. After
any I/O error nothing more is appended: what the page cache shows is no evidence.
"""

# apsw's own stubs leave type parameters of execute() open.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import apsw

from guichet.ids import TerminalId
from guichet.journal.chain import GENESIS, Entry, check_link, next_entry
from guichet.journal.records import Fact, decode, encode, fact_of
from guichet.seams import Clock
from kiosk.journal.folds import Fold

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
    previous_hash BLOB NOT NULL, hash BLOB NOT NULL, record BLOB NOT NULL,
    PRIMARY KEY (epoch, sequence)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS entries_are_never_changed BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER IF NOT EXISTS entries_are_never_removed BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
"""
_INSERT = "INSERT INTO entries (epoch, sequence, previous_hash, hash, record) VALUES (?, ?, ?, ?, ?)"
_COLUMNS = "SELECT epoch, sequence, previous_hash, hash, record FROM entries"
_SELECT = _COLUMNS + " WHERE epoch = ? AND sequence >= ? ORDER BY sequence"

_ALL = _COLUMNS + " ORDER BY epoch, sequence"

# Below this much free space no note is let in: the records of one note and its deposit must fit many times over.
RESERVE_BYTES = 4 * 1024 * 1024

Observer = Callable[[Entry, Fact], None]


class JournalError(Exception):
    """The journal cannot be opened, is damaged, or cannot be written any more. No note may be taken."""


class Journal:
    """One terminal's journal, open for writing. Make it with :meth:`open`."""

    def __init__(self, connection: apsw.Connection, path: Path, terminal: TerminalId, epoch: int, clock: Clock) -> None:
        self._connection = connection
        self._path = path
        self._terminal = terminal
        self._clock = clock
        self._observers: list[Observer] = []
        self._failure: JournalError | None = None
        self.epoch = epoch
        self.last: Entry | None = None
        self.fold = Fold()

    @classmethod
    def open(cls, path: Path, terminal: TerminalId, epoch: int, clock: Clock) -> Journal:
        """Open or create the journal at ``path``, to be written in ``epoch``, and fold what it holds of this and of all
        epochs before: what an earlier enrolment left unsettled is still to be settled.

        Raises :class:`JournalError` when another process has it, when WAL is not to be had, when the file is damaged
        or when its chain is broken.
        """
        try:
            journal = cls(_connect(path), path, terminal, epoch, clock)
        except apsw.BusyError as error:
            raise JournalError(f"{path} is locked: another process has it open") from error
        except (apsw.Error, OSError) as error:
            raise JournalError(f"{path}: {error}") from error
        try:
            journal._replay()
        except (apsw.Error, KeyError, ValueError) as error:
            # A broken chain, an unreadable record, or records that do not make a story: a note without its deposit.
            journal.close()
            raise JournalError(f"{path}: {type(error).__name__}: {error}") from error
        except JournalError:
            journal.close()
            raise
        return journal

    def _replay(self) -> None:
        epoch, sequence, last_hash = 0, 0, GENESIS
        for row in self._connection.execute(_ALL):
            entry = _entry(row)
            if entry.epoch != epoch:
                epoch, sequence, last_hash = entry.epoch, 0, GENESIS
            check_link(entry, epoch, sequence, last_hash)
            self.fold.apply(entry, fact_of(decode(entry.record)))
            sequence, last_hash = entry.sequence, entry.hash
            if epoch > self.epoch:
                raise JournalError(f"{self._path} is of epoch {epoch}, and this enrolment of {self.epoch}: enrol anew")
            self.last = entry if epoch == self.epoch else None

    # --- writing ----------------------------------------------------------------------------------------------------

    def append(self, *facts: Fact) -> Entry:
        """Write ``facts`` in one transaction; they are durable when this returns. Synchronous on purpose: between an
        intent and its durability there is no await, so a cancellation cannot make a commit ambiguous.

        Raises :class:`JournalError`; from then on every call does.
        """
        if self._failure is not None:
            raise self._failure
        entries = self._chained(facts)
        try:
            self._commit(entries)
        except (apsw.Error, OSError) as error:
            self._failure = JournalError(f"{self._path}: {type(error).__name__}: {error}")
            raise self._failure from error
        for entry, fact in zip(entries, facts, strict=True):
            self.last = entry
            self.fold.apply(entry, fact)
        for entry, fact in zip(entries, facts, strict=True):
            for observer in self._observers:
                observer(entry, fact)
        return entries[-1]

    def _chained(self, facts: Sequence[Fact]) -> list[Entry]:
        entries: list[Entry] = []
        last, now = self.last, self._clock.wall_us()
        for fact in facts:
            last = next_entry(self.epoch, last, encode(self._terminal, now, fact))
            entries.append(last)
        return entries

    def _commit(self, entries: Iterable[Entry]) -> None:
        with self._connection:
            for entry in entries:
                row = (entry.epoch, entry.sequence, entry.previous_hash, entry.hash, entry.record)
                self._connection.execute(_INSERT, row)

    def observe(self, observer: Observer) -> None:
        """``observer`` is called after every durable entry; it must not raise and not append."""
        self._observers.append(observer)

    # --- reading ----------------------------------------------------------------------------------------------------

    def entries(self, from_sequence: int, limit: int = -1) -> Iterator[Entry]:
        """Entries of this epoch in order, from a sequence on."""
        query = _SELECT + (f" LIMIT {limit:d}" if limit >= 0 else "")
        for row in self._connection.execute(query, (self.epoch, from_sequence)):
            yield _entry(row)

    @property
    def failure(self) -> JournalError | None:
        """Why nothing can be written any more; None while it can."""
        return self._failure

    def free_bytes(self) -> int:
        """Free space where the journal lies, for this user. Raises :class:`JournalError` where that cannot be read."""
        try:
            disk = os.statvfs(self._path.parent)
        except OSError as error:
            raise JournalError(f"{self._path.parent}: {error}") from error
        return disk.f_bavail * disk.f_frsize

    def can_take_a_note(self) -> bool:
        """Whether what a note needs can surely be written."""
        try:
            return self._failure is None and self.free_bytes() >= RESERVE_BYTES
        except JournalError:
            return False

    def close(self) -> None:
        """Give the file up."""
        self._connection.close()


def _connect(path: Path) -> apsw.Connection:
    # SQLite gives the WAL beside it the rights that the file has when it is made.
    path.touch(mode=0o640)
    path.chmod(0o640)
    connection = apsw.Connection(str(path))
    try:
        _set_up(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: apsw.Connection, path: Path) -> None:
    connection.set_busy_timeout(0)
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != ("wal",):
        raise JournalError(f"{path}: journal_mode is {mode}, not wal")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA trusted_schema=OFF")
    with connection:
        connection.execute(_SCHEMA)


def _entry(row: tuple[object, ...]) -> Entry:
    epoch, sequence, previous, digest, record = row
    if not (isinstance(epoch, int) and isinstance(sequence, int)):
        raise JournalError(f"entry {sequence!r} is not in the journal's form")
    if not (isinstance(previous, bytes) and isinstance(digest, bytes) and isinstance(record, bytes)):
        raise JournalError(f"entry {sequence} is not in the journal's form")
    return Entry(epoch, sequence, previous, digest, record)


def read_stopped(path: Path) -> list[Entry]:
    """All entries of a journal whose terminal has stopped, every epoch in order. Raises :class:`JournalError`, also
    where a running terminal holds the file.
    """
    if not path.exists():
        raise JournalError(f"{path}: no such file")
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(0)
            # WAL outside exclusive locking would create shared memory beside a file that a terminal may be starting on.
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            return [_entry(row) for row in connection.execute(_ALL)]
        finally:
            connection.close()
    except apsw.Error as error:
        raise JournalError(f"{path}: {error}") from error
