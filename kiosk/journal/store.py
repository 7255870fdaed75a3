"""The write-ahead journal of a terminal: facts go in, are chained, and are durable; what they amount to is its fold.

After any I/O error nothing more is appended: what the page cache shows is no evidence.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from guichet.ids import TerminalId
from guichet.journal.chain import Entry, check_hash, next_entry
from guichet.journal.records import Fact, decode, encode
from guichet.seams import Clock
from kiosk.journal.faults import Fault, JournalError, failed
from kiosk.journal.file import JournalFile
from kiosk.journal.folds import Fold, Place
from kiosk.journal.replay import Replay, begun, compare
from kiosk.journal.retention import Base, Countersigned, Milestone, due_base, due_milestone
from kiosk.journal.salvage import salvage
from kiosk.journal.snapshot import Snapshot, SnapshotError
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

KEEP_DAYS = 90
"""How long entries are kept at least, where nobody says otherwise."""
DAY_US = 24 * 60 * 60 * 1_000_000

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
    """One terminal's journal, open for writing. Make it with :meth:`open`. ``keep_us``: how long entries are kept at
    least, in microseconds of the host's clock.
    """

    def __init__(self, file: JournalFile, path: Path, writer: Writer, clock: Clock, snapshot_every: int) -> None:
        self._file = file
        self._path = path
        self._writer = writer
        self._clock = clock
        self._observers: list[Observer] = []
        self._failure: JournalError | None = None
        self._snapshot_every = snapshot_every
        self._since = 0
        self.keep_us = KEEP_DAYS * DAY_US
        self._checkpoint = file.checkpoint()
        self._pending: Countersigned | None = None
        self._milestone: Milestone | Base | None = next(reversed(file.milestones()), file.base)
        self.last: Entry | None = None
        self.fold = Fold()

    @classmethod
    def open(cls, path: Path, writer: Writer, clock: Clock, snapshot_every: int = SNAPSHOT_EVERY) -> Journal:
        """Open or create the journal at ``path``, to be written by ``writer``, and fold what it holds of this and of
        all epochs before: what an earlier enrolment left unsettled is still to be settled. What lies before its last
        snapshots is not read. ``snapshot_every``: entries between two of these, at least.

        Raises :class:`kiosk.journal.faults.JournalError` when another process has it, when WAL is not to be had, when
        the file is damaged, when its chain is broken, or when something in it was not sealed with this key; and where
        there is none though this is not the terminal's first epoch: it is to be restored, never begun anew.
        """
        if writer.epoch > 1 and not path.exists():
            text = f"{path}: epoch {writer.epoch} follows others: guichet-kiosk journal restore brings their journal"
            raise JournalError(Fault.ABSENT, text)
        behind = _behind_damage(path)
        with _explained(path):
            file = JournalFile.open(path, writer.key, may_begin=behind is None)
        try:
            with _explained(path):
                journal = cls(file, path, writer, clock, snapshot_every)
                _refuse_a_loss(path, behind, journal._replay())
                journal._go_on()
        except BaseException:
            file.close()
            raise
        return journal

    def _replay(self) -> Place:
        """Fold what a start has to read; gives the last place."""
        replay, known = begun(self._file.snapshots(), self._file.base, lambda place: self._file.at(*place))
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
        with self._failing():
            milestone = self._due_milestone()
            self._file.write(entries, snapshot, self._pending, milestone)
        self._since = len(entries) + (self._since if snapshot is None else 0)
        self._checkpoint, self._pending = self._pending or self._checkpoint, None
        self._milestone = milestone or self._milestone
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

    # --- what may go --------------------------------------------------------------------------------------------------

    @property
    def wants_checkpoint(self) -> bool:
        """Whether the host's word is worth asking for: often enough that a milestone can be made of what there is."""
        known = self._pending or self._checkpoint
        last = self.last.sequence if self.last is not None else 0
        behind = known is None or known.checkpoint.epoch != self.epoch
        return last - (0 if behind or known is None else known.checkpoint.sequence) >= self._snapshot_every

    def keep_checkpoint(self, by: Countersigned) -> None:
        """Keep what the host said of an entry that is ours, as the caller has made sure. It is written with the next
        entry: to lose it costs nothing but another one.
        """
        known = self._pending or self._checkpoint
        if known is None or by.checkpoint.place >= known.checkpoint.place:
            self._pending = by  # The later place, not the later time: the host's clock may have been wrong once.

    def _due_milestone(self) -> Milestone | None:
        if self._pending is None:
            return None
        return due_milestone(self._file.snapshots(), self._milestone, self._pending, self.keep_us)

    def retire(self, most: int = 256) -> int:
        """Remove some entries that are settled, countersigned by the host, and old by its clock, at most ``most``;
        gives how many: 0, there is nothing that may go now. Raises :class:`kiosk.journal.faults.JournalError`; from
        then on nothing is written any more.
        """
        if self._failure is not None:
            raise self._failure
        with self._failing():
            removed = self._file.remove_some(most)
            if removed or self._checkpoint is None or not self.fold.at_rest:
                return removed
            base = due_base(self._file.milestones(), self.fold, self._checkpoint, self.keep_us)
            if base is None or not self._is_old_here_too(base):
                return 0
            self._file.rest_on(base)
            return self._file.remove_some(most)

    def _is_old_here_too(self, base: Base) -> bool:
        """By our own clock, as its record says: one step of the host's must not make everything go."""
        entry = self._file.at(*base.place)
        return entry is not None and self._clock.wall_us() - decode(entry.record).recorded_at_us >= self.keep_us

    @property
    def base(self) -> Base | None:
        """Where the journal begins, if not with its first entry."""
        return self._file.base

    def observe(self, observer: Observer) -> None:
        """``observer`` is called after every durable entry; it must not raise and not append."""
        self._observers.append(observer)

    # --- reading ----------------------------------------------------------------------------------------------------

    def entries(self, from_sequence: int, limit: int = -1) -> Iterator[Entry]:
        """Entries of this epoch in order, from a sequence on. Raises :class:`kiosk.journal.faults.JournalError`; what
        cannot be read any more is not written any more either.
        """
        return self.of_epoch(self.epoch, from_sequence, limit)

    def behind(self, place: Place, limit: int) -> list[Entry]:
        """The next entries behind a place, of every epoch, in order; at most ``limit``. Raises as :meth:`entries`."""
        with self._failing():
            entries = list(self._file.read(place[0], place[1] + 1, limit))
            for entry in entries:
                check_hash(entry)
        return entries

    def at(self, epoch: int, sequence: int) -> Entry | None:
        """The entry of one place, of whatever epoch. Raises :class:`kiosk.journal.faults.JournalError`."""
        return next(self.of_epoch(epoch, sequence, 1), None)

    def of_epoch(self, epoch: int, from_sequence: int, limit: int = -1) -> Iterator[Entry]:
        """Entries of an epoch in order, from a sequence on. Raises as :meth:`entries`."""
        with self._failing():
            for entry in self._file.read(epoch, from_sequence, limit):
                if entry.epoch == epoch:
                    check_hash(entry)  # What lies before the last snapshots, nobody has looked at yet.
                    yield entry

    def ends(self) -> list[Entry]:
        """The last entry of every epoch that is there, in order. Raises as :meth:`entries`."""
        with self._failing():
            return self._file.ends()

    @contextmanager
    def _failing(self) -> Generator[None]:
        """What goes wrong with the file inside is the end of writing."""
        try:
            with _explained(self._path):
                yield
        except JournalError as error:
            self._failure = self._failure or error
            raise

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


@contextmanager
def _explained(path: Path) -> Generator[None]:
    """A broken chain, an unreadable record or state, or records that do not make a story, such as a note without its
    deposit, in our terms.
    """
    try:
        yield
    except SnapshotError as error:
        raise JournalError(Fault.OTHER_FORM, f"{path}: begins with a state of another version: {error}") from error
    except (KeyError, ValueError) as error:
        raise JournalError(Fault.BROKEN, f"{path}: {type(error).__name__}: {error}") from error


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


@dataclass(frozen=True, slots=True)
class Kept:
    """What stands in a journal's file beside its entries. ``snapshots`` in order."""

    base: Base | None
    snapshots: list[Snapshot]
    milestones: list[Milestone]


def kept_stopped(path: Path, key: bytes | None = None) -> Kept:
    """What a journal whose terminal has stopped keeps beside its entries; sealed with ``key``, where one is given.
    Raises :class:`kiosk.journal.faults.JournalError`.
    """
    with _explained(path):
        file = JournalFile.open_stopped(path, key)
        try:
            return Kept(file.base, file.snapshots(), file.milestones())
        finally:
            file.close()


def read_stopped(path: Path, key: bytes | None = None) -> list[Entry]:
    """All entries of a journal whose terminal has stopped, every epoch in order; sealed with ``key``, where one is
    given. Raises :class:`kiosk.journal.faults.JournalError`, also where a running terminal holds the file.
    """
    behind = _behind_damage(path)
    with _explained(path):
        file = JournalFile.open_stopped(path, key)
        try:
            entries = list(file.read())
            _refuse_a_loss(path, behind, (entries[-1].epoch, entries[-1].sequence) if entries else (0, 0))
        finally:
            file.close()
    return entries
