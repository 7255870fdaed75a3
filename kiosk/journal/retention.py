"""What of a journal may go: what is settled, countersigned by the host, and old. Pure.

A milestone is a snapshot that is kept longer, with a checkpoint of the host's that covers it. When enough time has
passed by the host's own clock, and nothing that the milestone still had to remember is open any more, it becomes the
base: the journal then begins with the milestone's entry, and with the state that everything before it had come to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guichet.journal.checkpoint import Checkpoint
from guichet.v1 import replication_pb2 as pb
from kiosk.journal.folds import Fold, Note, NotePhase
from kiosk.journal.snapshot import Snapshot
from kiosk.journal.snapshot import decode as decoded

_MILESTONES = 8
"""So many are spread over the time for which entries are kept; it is exceeded by one part at most."""


@dataclass(frozen=True, slots=True)
class Countersigned:
    """A checkpoint, and the host's bytes that say it."""

    checkpoint: Checkpoint
    content: bytes
    signature: bytes

    @property
    def signed(self) -> pb.SignedCheckpoint:
        """As it came."""
        return pb.SignedCheckpoint(content=self.content, signature=self.signature)


@dataclass(frozen=True, slots=True)
class Milestone:
    """``by`` covers ``snapshot``: it is of that entry, or of one behind it."""

    snapshot: Snapshot
    by: Countersigned

    @property
    def place(self) -> tuple[int, int]:
        """Of the snapshot's entry: epoch and sequence."""
        return self.snapshot.epoch, self.snapshot.sequence


@dataclass(frozen=True, slots=True)
class Base:
    """Where a journal begins that does not begin with its first entry. ``later``: by which the milestone was old."""

    milestone: Milestone
    later: Countersigned

    @property
    def snapshot(self) -> Snapshot:
        """Of the entry that the journal begins with."""
        return self.milestone.snapshot

    @property
    def place(self) -> tuple[int, int]:
        """Of that entry."""
        return self.milestone.place

    @property
    def begins(self) -> tuple[int, int, bytes]:
        """Its epoch, sequence and hash."""
        return *self.place, self.snapshot.hash


def due_milestone(
    snapshots: Sequence[Snapshot], last: Milestone | Base | None, by: Countersigned, keep_us: int
) -> Milestone | None:
    """The newest of ``snapshots`` that ``by`` covers, where enough of ``keep_us`` has passed since the ``last``."""
    if last is not None and by.checkpoint.host_time_us - _time_of(last) < keep_us // _MILESTONES:
        return None
    covered = [one for one in snapshots if (one.epoch, one.sequence) <= by.checkpoint.place and one.is_of_this_version]
    if not covered or (last is not None and (covered[-1].epoch, covered[-1].sequence) <= last.place):
        return None
    return Milestone(covered[-1], by)


def _time_of(last: Milestone | Base) -> int:
    milestone = last.milestone if isinstance(last, Base) else last
    return milestone.by.checkpoint.host_time_us


def due_base(milestones: Sequence[Milestone], now: Fold, newest: Countersigned, keep_us: int) -> Base | None:
    """The newest of ``milestones`` that is old enough by ``newest``, and of which nothing is open ``now``."""
    for milestone in reversed(milestones):
        age_us = newest.checkpoint.host_time_us - milestone.by.checkpoint.host_time_us
        if age_us < keep_us or not milestone.snapshot.is_of_this_version:
            continue
        if is_done_with(decoded(milestone.snapshot.state), now):
            return Base(milestone, newest)
    return None


def is_done_with(then: Fold, now: Fold) -> bool:
    """Whether nothing that was remembered ``then`` is open ``now``: no deposit, no note, no advice. What is remembered
    and decided, closed and answered is not open; nor is a note in doubt in a box that is out, of which the host has
    said so: a count closes it, and no record does.
    """
    notes = {note_id for note_id, note in now.notes.items() if _is_open(note, now)}
    advised = {advice.deposit_id for advice in now.outbox.values()}
    deposits = {name for name, one in now.deposits.items() if not one.closed or not notes.isdisjoint(one.notes)}
    return (
        then.deposits.keys().isdisjoint(deposits | advised)
        and then.notes.keys().isdisjoint(notes)
        and then.outbox.keys().isdisjoint(now.outbox)
    )


def _is_open(note: Note, now: Fold) -> bool:
    period = now.box_period.box_period_id if now.box_period is not None else None
    doubtful = note.phase is NotePhase.IN_DOUBT and note.box_period_id == period
    return note.open or doubtful or now.is_owed(note)
