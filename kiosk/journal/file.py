"""The journal's file: SQLite through APSW, one connection, append-only, every entry sealed. Records are bytes here, and
so are the snapshots of what they come to, of which only the newest are kept.

WAL with synchronous=FULL: a commit is on disk when :meth:`JournalFile.write` returns. locking_mode=EXCLUSIVE, set
before the first access: no second process can write, and the same calls reach the disk in production and in simulation.
"""

# apsw's own stubs leave type parameters of execute() open.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import apsw
from google.protobuf.message import DecodeError

from guichet.ids import TerminalId
from guichet.journal.chain import (
    HASH_BYTES,
    ChainError,
    Entry,
    base_seal,
    check_seal,
    check_snapshot_seal,
    checkpoint_seal,
    entry_seal,
    milestone_seal,
    snapshot_seal,
)
from guichet.journal.checkpoint import Checkpoint
from guichet.v1 import replication_pb2
from kiosk.journal.faults import Fault, JournalError, failed
from kiosk.journal.retention import Base, Countersigned, Milestone
from kiosk.journal.snapshot import Snapshot

FORM = 4
SNAPSHOTS_KEPT = 3
_APPLICATION = 0x47_55_49_4A
"""``PRAGMA application_id``: GUIJ, for whoever finds such a file."""

_TABLE = """
CREATE TABLE entries (
    epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
    previous_hash BLOB NOT NULL, hash BLOB NOT NULL, seal BLOB NOT NULL, record BLOB NOT NULL,
    PRIMARY KEY (epoch, sequence)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER entries_are_never_removed BEFORE DELETE ON entries
    WHEN NOT EXISTS (SELECT 1 FROM bases WHERE (epoch, sequence) > (OLD.epoch, OLD.sequence))
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TABLE snapshots (
    number INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, hash BLOB NOT NULL, state BLOB NOT NULL, seal BLOB NOT NULL
) STRICT;
CREATE TRIGGER snapshots_are_never_changed BEFORE UPDATE ON snapshots
    BEGIN SELECT RAISE(ABORT, 'a snapshot is never changed'); END;
CREATE TABLE checkpoints (
    number INTEGER PRIMARY KEY, content BLOB NOT NULL, signature BLOB NOT NULL, seal BLOB NOT NULL
) STRICT;
CREATE TABLE milestones (
    epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, hash BLOB NOT NULL, state BLOB NOT NULL,
    content BLOB NOT NULL, signature BLOB NOT NULL, seal BLOB NOT NULL,
    PRIMARY KEY (epoch, sequence)
) STRICT;
CREATE TRIGGER milestones_are_never_changed BEFORE UPDATE ON milestones
    BEGIN SELECT RAISE(ABORT, 'a milestone is never changed'); END;
CREATE TABLE bases (
    epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, hash BLOB NOT NULL, state BLOB NOT NULL,
    content BLOB NOT NULL, signature BLOB NOT NULL, later BLOB NOT NULL, later_signature BLOB NOT NULL,
    seal BLOB NOT NULL,
    PRIMARY KEY (epoch, sequence)
) STRICT;
CREATE TRIGGER bases_are_never_changed BEFORE UPDATE ON bases
    BEGIN SELECT RAISE(ABORT, 'a base is never changed'); END;
CREATE TRIGGER bases_are_never_removed BEFORE DELETE ON bases
    BEGIN SELECT RAISE(ABORT, 'a base is never removed'); END;
"""
_MARK = f"PRAGMA application_id={_APPLICATION}; PRAGMA user_version={FORM};"
_INSERT = "INSERT INTO entries (epoch, sequence, previous_hash, hash, seal, record) VALUES (?, ?, ?, ?, ?, ?)"
_COLUMNS = "SELECT epoch, sequence, previous_hash, hash, seal, record FROM entries"
_FROM = _COLUMNS + " WHERE (epoch, sequence) >= (?, ?) ORDER BY epoch, sequence LIMIT ?"
_NO_LIMIT = -1
_INSERT_SNAPSHOT = "INSERT INTO snapshots (epoch, sequence, hash, state, seal) VALUES (?, ?, ?, ?, ?)"
_REMOVE_SNAPSHOTS = """
DELETE FROM snapshots WHERE number NOT IN (
    SELECT number FROM snapshots ORDER BY epoch DESC, sequence DESC, number DESC LIMIT ?
)
"""
_SNAPSHOTS = "SELECT epoch, sequence, hash, state, seal FROM snapshots ORDER BY epoch, sequence, number"
_KEEP_CHECKPOINT = "INSERT OR REPLACE INTO checkpoints (number, content, signature, seal) VALUES (1, ?, ?, ?)"
_CHECKPOINT = "SELECT content, signature, seal FROM checkpoints"
_INSERT_MILESTONE = "INSERT INTO milestones VALUES (?, ?, ?, ?, ?, ?, ?)"
_MILESTONES = "SELECT * FROM milestones ORDER BY epoch, sequence"
_REMOVE_MILESTONES = "DELETE FROM milestones WHERE (epoch, sequence) <= (?, ?)"
_REMOVE_SNAPSHOTS_BEFORE = "DELETE FROM snapshots WHERE (epoch, sequence) < (?, ?)"
_INSERT_BASE = "INSERT INTO bases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_BASE = "SELECT * FROM bases ORDER BY epoch DESC, sequence DESC LIMIT 1"
_REMOVE = """
DELETE FROM entries WHERE (epoch, sequence) IN (
    SELECT epoch, sequence FROM entries WHERE (epoch, sequence) < (?, ?) ORDER BY epoch, sequence LIMIT ?
)
"""
_LAST_OF = _COLUMNS + " WHERE epoch = ? ORDER BY sequence DESC LIMIT 1"
_NEXT_EPOCH = "SELECT epoch FROM entries WHERE epoch > ? ORDER BY epoch LIMIT 1"


class JournalFile:
    """An open file, and the key that its entries are sealed with; None: seals are not looked at, and nothing is
    written. Every method raises :class:`kiosk.journal.faults.JournalError` for whatever the disk or SQLite says, and
    :class:`guichet.journal.chain.ChainError` for a seal that is not of this key.
    """

    def __init__(self, connection: apsw.Connection, path: Path, key: bytes | None) -> None:
        self._connection = connection
        self._path = path
        self._key = key
        self.base = self._read_base()

    @classmethod
    def open(cls, path: Path, key: bytes, *, may_begin: bool = True) -> JournalFile:
        """Open for writing; where nothing is in it, it is made, unless it may not begin: then that is damage."""
        with _explained(path):
            # SQLite gives the WAL beside it the rights that the file has when it is made.
            path.touch(mode=0o640)
            path.chmod(0o640)
        return cls._over(_connected(path, partial(_set_up, may_begin=may_begin)), path, key)

    @classmethod
    def create(cls, path: Path, key: bytes | None = None) -> JournalFile:
        """Make a file that is not there yet, for what was salvaged or restored."""
        with _explained(path):
            path.touch(mode=0o640, exist_ok=False)
        return cls._over(_connected(path, partial(_set_up, may_begin=True)), path, key)

    @classmethod
    def open_stopped(cls, path: Path, key: bytes | None = None) -> JournalFile:
        """Open what no running terminal has open, to read it."""
        if not path.exists():
            raise JournalError(Fault.ABSENT, f"{path}: no such file")
        return cls._over(_connected(path, _check), path, key)

    @classmethod
    def _over(cls, connection: apsw.Connection, path: Path, key: bytes | None) -> JournalFile:
        try:
            return cls(connection, path, key)
        except BaseException:
            connection.close()
            raise

    def write(
        self,
        entries: Iterable[Entry],
        snapshot: Snapshot | None = None,
        checkpoint: Countersigned | None = None,
        milestone: Milestone | None = None,
    ) -> None:
        """Write all of ``entries`` in one transaction, and with them a snapshot, which takes the place of the oldest, a
        checkpoint, which takes the place of the last, and a milestone; or nothing. They are on disk when this returns.
        """
        key = self._key
        if key is None:
            raise JournalError(Fault.DENIED, f"{self._path}: nothing is written without the key")
        with _explained(self._path, self._connection), self._connection:
            self._insert((entry, entry_seal(key, entry.hash)) for entry in entries)
            if snapshot is not None:
                place = (snapshot.epoch, snapshot.sequence, snapshot.hash, snapshot.state)
                self._connection.execute(_INSERT_SNAPSHOT, (*place, snapshot_seal(key, *place)))
                self._connection.execute(_REMOVE_SNAPSHOTS, (SNAPSHOTS_KEPT,))
            if checkpoint is not None:
                seal = checkpoint_seal(key, checkpoint.content)
                self._connection.execute(_KEEP_CHECKPOINT, (checkpoint.content, checkpoint.signature, seal))
            if milestone is not None:
                row = _milestone_row(milestone)
                self._connection.execute(_INSERT_MILESTONE, (*row, _milestone_seal(key, milestone)))

    def keep(self, sealed: Iterable[tuple[Entry, bytes]]) -> None:
        """The same for entries that have their seals already, good or not: what was salvaged."""
        with _explained(self._path, self._connection), self._connection:
            self._insert(sealed)

    def _insert(self, sealed: Iterable[tuple[Entry, bytes]]) -> None:
        for entry, seal in sealed:
            row = (entry.epoch, entry.sequence, entry.previous_hash, entry.hash, seal, entry.record)
            self._connection.execute(_INSERT, row)

    def snapshots(self) -> list[Snapshot]:
        """Those that are there, in the order of their entries, with good seals where there is a key."""
        with _explained(self._path, self._connection):
            return [self._snapshot(row) for row in self._connection.execute(_SNAPSHOTS)]

    def _snapshot(self, row: tuple[object, ...]) -> Snapshot:
        match row:
            case int(epoch), int(sequence), bytes(digest), bytes(state), bytes(seal) if (
                len(digest) == len(seal) == HASH_BYTES and min(epoch, sequence) > 0
            ):
                if self._key is not None:
                    check_snapshot_seal(self._key, seal, epoch, sequence, digest, state)
                return Snapshot(epoch, sequence, digest, state)
            case _:
                raise JournalError(Fault.BROKEN, f"{self._path}: snapshot {row[1]!r} is not in the journal's form")

    # --- what may go --------------------------------------------------------------------------------------------------

    def checkpoint(self) -> Countersigned | None:
        """The last that was kept."""
        with _explained(self._path, self._connection):
            row = self._connection.execute(_CHECKPOINT).fetchone()
        if row is None:
            return None
        by = self._countersigned(row[0], row[1])
        if self._key is not None and row[2] != checkpoint_seal(self._key, by.content):
            raise ChainError(by.checkpoint.sequence, "has a checkpoint that was not sealed with this terminal's key")
        return by

    def milestones(self) -> list[Milestone]:
        """In the order of their entries, with good seals where there is a key."""
        with _explained(self._path, self._connection):
            return [self._milestone(row, row[6]) for row in self._connection.execute(_MILESTONES)]

    def rest_on(self, base: Base) -> None:
        """Let the journal begin with the entry of ``base``: what lies before it is not read any more, and may be
        removed. Older milestones and snapshots go.
        """
        key = self._key
        if key is None:
            raise JournalError(Fault.DENIED, f"{self._path}: nothing is written without the key")
        seal = base_seal(key, _milestone_seal(key, base.milestone), base.later.content)
        row = (*_milestone_row(base.milestone), base.later.content, base.later.signature, seal)
        with _explained(self._path, self._connection), self._connection:
            self._connection.execute(_INSERT_BASE, row)
            self._connection.execute(_REMOVE_MILESTONES, base.place)
            self._connection.execute(_REMOVE_SNAPSHOTS_BEFORE, base.place)
        self.base = base

    def remove_some(self, most: int) -> int:
        """Remove at most so many of the entries that lie before the base, the oldest first; gives how many."""
        if self.base is None:
            return 0
        with _explained(self._path, self._connection), self._connection:
            self._connection.execute(_REMOVE, (*self.base.place, most))
        return self._connection.changes()

    def _read_base(self) -> Base | None:
        with _explained(self._path, self._connection):
            row = self._connection.execute(_BASE).fetchone()
        if row is None:
            return None
        milestone = self._milestone((*row[:6], b""), None)
        base = Base(milestone, self._countersigned(row[6], row[7]))
        if self._key is not None:
            seal = base_seal(self._key, _milestone_seal(self._key, milestone), base.later.content)
            if row[8] != seal:
                raise ChainError(base.place[1], "is where the journal begins, and not by this terminal's key")
        return base

    def _milestone(self, row: tuple[object, ...], seal: object) -> Milestone:
        match row[:6]:
            case int(epoch), int(sequence), bytes(digest), bytes(state), bytes(content), bytes(signature) if (
                len(digest) == HASH_BYTES and min(epoch, sequence) > 0
            ):
                by = self._countersigned(content, signature)
                milestone = Milestone(Snapshot(epoch, sequence, digest, state), by)
            case _:
                raise JournalError(Fault.BROKEN, f"{self._path}: milestone {row[1]!r} is not in the journal's form")
        if self._key is not None and seal is not None and seal != _milestone_seal(self._key, milestone):
            raise ChainError(sequence, "its milestone was not sealed with this terminal's key")
        return milestone

    def _countersigned(self, content: object, signature: object) -> Countersigned:
        """Whether it is the host's was looked at when it came; here, that it can be read."""
        if not isinstance(content, bytes) or not isinstance(signature, bytes):
            raise JournalError(Fault.BROKEN, f"{self._path}: a checkpoint is not in the journal's form")
        try:
            stated = replication_pb2.Checkpoint.FromString(content)
        except DecodeError as error:
            raise JournalError(Fault.BROKEN, f"{self._path}: a checkpoint cannot be read") from error
        said = Checkpoint(
            TerminalId(stated.terminal_id), stated.epoch, stated.sequence, stated.hash, stated.host_time_us
        )
        return Countersigned(said, content, signature)

    # --- entries ------------------------------------------------------------------------------------------------------

    def ends(self) -> list[Entry]:
        """The last entry of every epoch, in order, from that of the base on."""
        with _explained(self._path, self._connection):
            found: list[Entry] = []
            first = self.base.place[0] - 1 if self.base is not None else 0
            row = self._connection.execute(_NEXT_EPOCH, (first,)).fetchone()
            while row is not None:
                last = self._connection.execute(_LAST_OF, row).fetchone()
                if last is not None:
                    found.append(self._entry(last))
                row = self._connection.execute(_NEXT_EPOCH, row).fetchone()
        return found

    def at(self, epoch: int, sequence: int) -> Entry | None:
        """The entry of one place."""
        found = next(iter(self.read(epoch, sequence, 1)), None)
        return found if found is not None and (found.epoch, found.sequence) == (epoch, sequence) else None

    def read(self, epoch: int = 0, sequence: int = 0, limit: int = _NO_LIMIT) -> Iterator[Entry]:
        """What stands in the file from a place on, in order, at most ``limit`` of it; nothing from before its base."""
        begin = max((epoch, sequence), self.base.place if self.base is not None else (0, 0))
        with _explained(self._path, self._connection):
            for row in self._connection.execute(_FROM, (*begin, limit)):
                yield self._entry(row)

    def _entry(self, row: tuple[object, ...]) -> Entry:
        match row:
            case int(epoch), int(sequence), bytes(previous), bytes(digest), bytes(seal), bytes(record) if (
                len(previous) == len(digest) == len(seal) == HASH_BYTES
            ):
                entry = Entry(epoch, sequence, previous, digest, record)
                if self._key is not None:
                    check_seal(entry, self._key, seal)
                return entry
            case _:
                raise JournalError(Fault.BROKEN, f"{self._path}: entry {row[1]!r} is not in the journal's form")

    def goes_on(self) -> None:
        """All of it was read and is sound: its log is folded into it, and from here on also when it is closed.

        What was read may be in the page cache alone: of a sync that failed, Linux keeps the pages, takes them for
        written, and no later sync writes them. A record behind such a hole would be gone after a power cut, though its
        own sync was good. To fold the log writes all that was read once more.
        """
        with _explained(self._path, self._connection):
            folded = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if folded is None or folded[0]:
            raise JournalError(Fault.IO, f"{self._path}: its log could not be folded into it: {folded}")
        self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)

    def close(self) -> None:
        """Give the file up; as long as it was not said to go on, file and log stay as they are."""
        self._connection.close()


def _milestone_row(milestone: Milestone) -> tuple[int, int, bytes, bytes, bytes, bytes]:
    one, by = milestone.snapshot, milestone.by
    return (one.epoch, one.sequence, one.hash, one.state, by.content, by.signature)


def _milestone_seal(key: bytes, milestone: Milestone) -> bytes:
    one = milestone.snapshot
    return milestone_seal(key, snapshot_seal(key, one.epoch, one.sequence, one.hash, one.state), milestone.by.content)


def _connected(path: Path, prepare: Callable[[apsw.Connection, Path], None]) -> apsw.Connection:
    with _explained(path):
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(0)
            # To close a damaged file would fold its log into it and throw the log away, and with that what could be
            # salvaged. Who has read all of it and goes on with it says so.
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            # Also to read: WAL outside exclusive locking would create shared memory beside the file of a terminal that
            # may be starting.
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            # A terminal writes in its own folder and nowhere else: what a long statement keeps aside stays in memory.
            connection.execute("PRAGMA temp_store=MEMORY")
            prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def refuse_one_in_use(path: Path) -> None:
    """Raises :class:`kiosk.journal.faults.JournalError` where there is no file, or another process has it; of its
    content nothing is asked. It is opened for reading only: to close it otherwise would fold its log into it.
    """
    if not path.exists():
        raise JournalError(Fault.ABSENT, f"{path}: no such file")
    try:
        with _explained(path):
            connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
            try:
                connection.set_busy_timeout(0)
                connection.execute("PRAGMA locking_mode=EXCLUSIVE")
                connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
            finally:
                connection.close()
    except JournalError as error:
        if error.fault is Fault.LOCKED:
            raise


@contextmanager
def _explained(path: Path, connection: apsw.Connection | None = None) -> Generator[None]:
    """Errors of the disk and of SQLite in our terms."""
    try:
        yield
    except (apsw.Error, OSError) as error:
        raise failed(path, error, connection.system_errno if connection is not None else 0) from error


def _set_up(connection: apsw.Connection, path: Path, *, may_begin: bool) -> None:
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != ("wal",):
        raise JournalError(Fault.IO, f"{path}: journal_mode is {mode}, not wal")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA trusted_schema=OFF")
    if _value(connection, "SELECT count(*) FROM sqlite_schema") == 0:
        if not may_begin:
            raise JournalError(Fault.DAMAGED, f"{path}: SQLite finds nothing in it, and its log has entries")
        with connection:
            connection.execute(_TABLE)
            connection.execute(_MARK)
    _check(connection, path)


def _check(connection: apsw.Connection, path: Path) -> None:
    form = _value(connection, "PRAGMA user_version")
    if _value(connection, "PRAGMA application_id") != _APPLICATION or form != FORM:
        raise JournalError(Fault.OTHER_FORM, f"{path}: no journal of form {FORM}: it says {form}")


def _value(connection: apsw.Connection, query: str) -> object:
    row = connection.execute(query).fetchone()
    return row[0] if row else None
