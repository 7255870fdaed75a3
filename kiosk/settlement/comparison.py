"""What the host holds of our journal, beside what we have of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from guichet.journal.line import OPENING, was_restored
from guichet.v1 import terminal_link_pb2 as pb
from kiosk.journal.store import Journal


class Standing(Enum):
    """How the two stand to each other."""

    CONTINUES = auto()
    """What the host holds is the beginning of what we have."""
    LACKING = auto()
    """The host holds entries of earlier epochs that this disk has not, and it was not restored since: they are to be
    fetched.
    """
    FORKED = auto()
    """In a place of ours the host holds another entry, or more than this disk has of the epoch that it writes: two
    disks have written it, or this one went back.
    """
    CONTESTED = auto()
    """What the host holds is ours, and another disk has written the same epoch beside it."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """``epoch`` and ``sequence``: the first place of the host's in which the two are not alike; 0 where they are."""

    standing: Standing
    epoch: int = 0
    sequence: int = 0


def compare(welcome: pb.Welcome, journal: Journal) -> Comparison:
    """Compare what the host says that it holds. Raises :class:`kiosk.journal.faults.JournalError`."""
    for held in welcome.earlier:
        if (alike := _alike(journal, held.epoch, held.sequence, held.hash)) is not True:
            standing = Standing.LACKING if alike is None else Standing.FORKED
            return Comparison(standing, held.epoch, held.sequence)
    if (missed := _missed(welcome, journal)) is not None:
        return Comparison(Standing.LACKING, missed, 0)
    epoch, sequence = journal.epoch, welcome.held_sequence
    if sequence and _alike(journal, epoch, sequence, welcome.held_hash) is not True:
        return Comparison(Standing.FORKED, epoch, sequence)
    if welcome.forked_sequence:
        return Comparison(Standing.CONTESTED, epoch, welcome.forked_sequence)
    return Comparison(Standing.CONTINUES)


def _missed(welcome: pb.Welcome, journal: Journal) -> int | None:
    """An epoch that another disk wrote since this one wrote its last before this enrolment. A disk that was made anew
    knows that others were there; one whose epoch has begun long ago was asked then.
    """
    if journal.base is not None and journal.base.place[0] == journal.epoch:
        return None
    before = max((end.epoch for end in journal.ends() if end.epoch < journal.epoch), default=0)
    later = [epoch for epoch in welcome.beside if epoch > before]
    opening = [entry for entry in (journal.at(journal.epoch, n) for n in range(1, OPENING + 1)) if entry is not None]
    return later[0] if later and not was_restored(opening) else None


def _alike(journal: Journal, epoch: int, sequence: int, digest: bytes) -> bool | None:
    """Whether that entry is ours too; None: we have none there. What was countersigned and removed since, was."""
    if journal.base is not None and (epoch, sequence) < journal.base.place:
        return True
    entry = journal.at(epoch, sequence)
    return None if entry is None else entry.hash == digest
