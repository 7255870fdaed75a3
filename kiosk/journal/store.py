"""The write-ahead journal of a terminal: facts go in, are chained, and are durable; what they amount to is its fold.

After any I/O error nothing more is appended: what the page cache shows is no evidence.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from guichet.ids import TerminalId
from guichet.journal.chain import ChainError, Entry, check_hash, next_entry
from guichet.journal.records import Fact, encode
from guichet.seams import Clock
from kiosk.journal.faults import Fault, JournalError, failed
from kiosk.journal.file import JournalFile
from kiosk.journal.folds import Fold, Place
from kiosk.journal.replay import Replay, begun, compare
from kiosk.journal.salvage import salvage
from kiosk.journal.snapshot import Snapshot
from kiosk.journal.snapshot import encode as encoded
from kiosk.journal.write_ahead_log import is_damaged_in_the_middle

# Below this much free space no note is let in: the records of one note and its deposit must fit many times over.
RESERVE_BYTES = 4 * 1024 * 1024

SNAPSHOT_EVERY = 512
"""Entries between two snapshots, at least: some twenty ordinary sessions. A start reads once to twice as many, at some
50 us each; and to take a snapshot, of some 5 KB, costs what two entries cost, without their sync.
"""

# Where nothing comes to rest for so many times as long, a snapshot is taken all the same.
_LATEST = 4

Observer = Callable[[Entry, Fact], None]


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes a journal: which terminal, in which of its epochs, and the key of 32 bytes that it seals with."""

    terminal: TerminalId
    epoch: int
    key: bytes

    def __repr__(self) -> str:
        return f"Writer({self.terminal}, epoch {self.epoch}, key ****)"


class Journal:
    """One terminal's journal, open for writing. Make it with :meth:`open`."""

    def __init__(self, file: JournalFile, path: Path, writer: Writer, clock: Clock, snapshot_every: int) -> None:
        self._file = file
        self._path = path
        self._writer = writer
        self._clock = clock
        self._observers: list[Observer] = []
        self._failure: JournalError | None = None
        self._snapshot_every = snapshot_every
        self._since = 0
        self.last: Entry | None = None
        self.fold = Fold()

    @classmethod
    def open(cls, path: Path, writer: Writer, clock: Clock, snapshot_every: int = SNAPSHOT_EVERY) -> Journal:
        """Open or create the journal at ``path``, to be written by ``writer``, and fold what it holds of this and of
        all epochs before: what an earlier enrolment left unsettled is still to be settled. What lies before its last
        snapshots is not read. ``snapshot_every``: entries between two of these, at least.

        Raises :class:`kiosk.journal.faults.JournalError` when another process has it, when WAL is not to be had, when
        the file is damaged, when its chain is broken, or when something in it was not sealed with this key.
        """
        behind = _behind_damage(path)
        file = JournalFile.open(path, writer.key, may_begin=behind is None)
        journal = cls(file, path, writer, clock, snapshot_every)
        try:
            _refuse_a_loss(path, behind, journal._replay())
            journal._go_on()
        except (KeyError, ValueError) as error:
            # A broken chain, an unreadable record, or records that do not make a story: a note without its deposit.
            journal.close()
            raise JournalError(Fault.BROKEN, f"{path}: {type(error).__name__}: {error}") from error
        except JournalError:
            journal.close()
            raise
        return journal

    def _replay(self) -> Place:
        """Fold what a start has to read; gives the last place."""
        replay, known = begun(self._file.snapshots(), lambda place: self._file.at(*place))
        self._refuse_a_later_epoch(replay)
        epoch, sequence = replay.place
        for entry in self._file.read(epoch, sequence + 1):
            replay.take(entry)
            self._refuse_a_later_epoch(replay)
            if known is not None and replay.place == (known.epoch, known.sequence):
                compare(replay, known)
        self.fold, self._since = replay.fold, replay.since
        self.last = replay.last if replay.last is not None and replay.last.epoch == self.epoch else None
        return replay.place

    def _go_on(self) -> None:
        """What was read is good, and can be read; whether anything can be written behind it, the disk says now."""
        try:
            self._file.goes_on()
        except JournalError as error:
            self._failure = error

    def _refuse_a_later_epoch(self, replay: Replay) -> None:
        if replay.place[0] > self.epoch:
            text = f"{self._path} is of epoch {replay.place[0]}, and this enrolment of {self.epoch}: enrol anew"
            raise JournalError(Fault.OTHER_FORM, text)

    @property
    def epoch(self) -> int:
        """The epoch that is written."""
        return self._writer.epoch

    # --- writing ----------------------------------------------------------------------------------------------------

    def append(self, *facts: Fact) -> Entry:
        """Write ``facts`` in one transaction; they are durable when this returns. Synchronous on purpose: between an
        intent and its durability there is no await, so a cancellation cannot make a commit ambiguous.

        Raises :class:`JournalError`; from then on every call does.
        """
        if self._failure is not None:
            raise self._failure
        entries, snapshot = self._chained(facts), self._due_snapshot()
        try:
            self._file.write(entries, snapshot)
        except JournalError as error:
            self._failure = error
            raise
        self._since = len(entries) + (self._since if snapshot is None else 0)
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
            last = next_entry(self.epoch, last, encode(self._writer.terminal, now, fact))
            entries.append(last)
        return entries

    def _due_snapshot(self) -> Snapshot | None:
        """Of the last entry, which is durable already, to go with the next: nobody waits for a note then, and what is
        to be remembered is least. The more there is of it, the rarer; so it costs an entry always about the same.
        """
        enough = max(self._snapshot_every, self.fold.size)
        if self.last is None or self._since < (enough if self.fold.at_rest else _LATEST * enough):
            return None
        return Snapshot(self.last.epoch, self.last.sequence, self.last.hash, encoded(self.fold))

    def observe(self, observer: Observer) -> None:
        """``observer`` is called after every durable entry; it must not raise and not append."""
        self._observers.append(observer)

    # --- reading ----------------------------------------------------------------------------------------------------

    def entries(self, from_sequence: int, limit: int = -1) -> Iterator[Entry]:
        """Entries of this epoch in order, from a sequence on. Raises :class:`kiosk.journal.faults.JournalError`; what
        cannot be read any more is not written any more either.
        """
        try:
            for entry in self._file.read(self.epoch, from_sequence, limit):
                if entry.epoch == self.epoch:
                    check_hash(entry)  # What lies before the last snapshots, nobody has looked at yet.
                    yield entry
        except (ChainError, JournalError) as error:
            broken = JournalError(Fault.BROKEN, f"{self._path}: {error}") if isinstance(error, ChainError) else error
            self._failure = self._failure or broken
            raise broken from error

    @property
    def failure(self) -> JournalError | None:
        """Why nothing can be written any more; None while it can."""
        return self._failure

    def free_bytes(self) -> int:
        """Free space where the journal lies, for this user. Raises :class:`JournalError` where that cannot be read."""
        try:
            disk = os.statvfs(self._path.parent)
        except OSError as error:
            raise failed(self._path, error) from error
        return disk.f_bavail * disk.f_frsize

    def can_take_a_note(self) -> bool:
        """Whether what a note needs can surely be written."""
        try:
            return self._failure is None and self.free_bytes() >= RESERVE_BYTES
        except JournalError:
            return False

    def close(self) -> None:
        """Give the file up."""
        self._file.close()


def _behind_damage(path: Path) -> Place | None:
    """The last entry of a log that is damaged in its middle, which SQLite would read no further than that."""
    try:
        log = Path(f"{path}-wal").read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failed(path, error) from error
    if not is_damaged_in_the_middle(memoryview(log)):
        return None
    found = salvage(memoryview(b""), memoryview(log))
    return max(((one.entry.epoch, one.entry.sequence) for one in found), default=None)


def _refuse_a_loss(path: Path, behind: Place | None, last: Place) -> None:
    if behind is not None and behind > last:
        has, reads = f"{behind[0]}/{behind[1]}", f"{last[0]}/{last[1]}"
        raise JournalError(Fault.DAMAGED, f"{path}-wal has entries up to {has}, of which SQLite reads {reads}")


def snapshots_stopped(path: Path, key: bytes | None = None) -> list[Snapshot]:
    """The snapshots of a journal whose terminal has stopped, in order; sealed with ``key``, where one is given. Raises
    :class:`kiosk.journal.faults.JournalError`.
    """
    file = JournalFile.open_stopped(path, key)
    try:
        return file.snapshots()
    except ChainError as error:
        raise JournalError(Fault.BROKEN, f"{path}: {error}") from error
    finally:
        file.close()


def read_stopped(path: Path, key: bytes | None = None) -> list[Entry]:
    """All entries of a journal whose terminal has stopped, every epoch in order; sealed with ``key``, where one is
    given. Raises :class:`kiosk.journal.faults.JournalError`, also where a running terminal holds the file.
    """
    behind = _behind_damage(path)
    file = JournalFile.open_stopped(path, key)
    try:
        entries = list(file.read())
        _refuse_a_loss(path, behind, (entries[-1].epoch, entries[-1].sequence) if entries else (0, 0))
    except ChainError as error:
        raise JournalError(Fault.BROKEN, f"{path}: {error}") from error
    finally:
        file.close()
    return entries
