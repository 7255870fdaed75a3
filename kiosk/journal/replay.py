"""What a journal's records come to: from its last snapshots on at a start, from the first record on to verify it. Pure:
snapshots and entries in, a fold out.

At a start the newest snapshot is not believed: the one before it, or where there is none the first entry, is where the
replay begins, and at the place of the newest it must have come to the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from guichet.journal.chain import GENESIS, ChainError, Entry, check_hash, check_link
from guichet.journal.records import decode, fact_of
from kiosk.journal.folds import Fold, Place
from kiosk.journal.retention import Base
from kiosk.journal.snapshot import Snapshot, SnapshotError
from kiosk.journal.snapshot import decode as decoded
from kiosk.journal.snapshot import encode as encoded


@dataclass(slots=True)
class Replay:
    """As far as it has come. ``last``: the last entry, of whatever epoch; ``since``: how many entries came after the
    newest snapshot.
    """

    fold: Fold = field(default_factory=Fold)
    last: Entry | None = None
    since: int = 0

    @property
    def place(self) -> Place:
        """Of the last entry; (0, 0) before the first."""
        return (self.last.epoch, self.last.sequence) if self.last is not None else (0, 0)

    def take(self, entry: Entry) -> None:
        """One more. Raises :class:`guichet.journal.chain.ChainError` where it does not follow the last, and whatever
        its record does to the fold: KeyError, ValueError.
        """
        begins = self.last is None or entry.epoch != self.last.epoch
        sequence, digest = (0, GENESIS) if begins or self.last is None else (self.last.sequence, self.last.hash)
        check_link(entry, entry.epoch, sequence, digest)
        self.fold.apply(entry, fact_of(decode(entry.record)))
        self.last, self.since = entry, self.since + 1


def from_base(base: Base | None, at: Callable[[Place], Entry | None]) -> Replay:
    """A replay of all that is there: from the first entry on, or from where the journal begins instead.

    Raises :class:`guichet.journal.chain.ChainError` where the base's entry is not there, and
    :class:`kiosk.journal.snapshot.SnapshotError` where another version wrote its state.
    """
    if base is None:
        return Replay()
    return Replay(decoded(base.snapshot.state), _entry_of(base.snapshot, at))


def begun(
    snapshots: Sequence[Snapshot], base: Base | None, at: Callable[[Place], Entry | None]
) -> tuple[Replay, Snapshot | None]:
    """Where a start begins, and the snapshot that it is to be compared with on its way; None: there is none to go by.
    ``snapshots`` in order, their seals good; ``at`` gives the entry of a place.

    Raises :class:`guichet.journal.chain.ChainError` where the entry of one is not there: it was once, and is gone; and
    as :func:`from_base`.
    """
    entries = [_entry_of(snapshot, at) for snapshot in snapshots]
    ours = [place for place, snapshot in enumerate(snapshots) if snapshot.is_of_this_version]
    if not ours:
        return from_base(base, at), None
    for place in reversed(ours[:-1]):
        try:
            return Replay(decoded(snapshots[place].state), entries[place]), snapshots[ours[-1]]
        except SnapshotError:
            continue  # The records are there, and say the same; who verifies the journal is told.
    return from_base(base, at), snapshots[ours[-1]]


def _entry_of(snapshot: Snapshot, at: Callable[[Place], Entry | None]) -> Entry:
    entry = at((snapshot.epoch, snapshot.sequence))
    if entry is None or entry.hash != snapshot.hash:
        raise ChainError(snapshot.sequence, f"epoch {snapshot.epoch} has a snapshot of it, and it is not there")
    check_hash(entry)
    return entry


def compare(replay: Replay, snapshot: Snapshot) -> None:
    """Raises :class:`guichet.journal.chain.ChainError` unless the replay has come to what ``snapshot`` says, which is
    of its place.
    """
    if encoded(replay.fold) != snapshot.state:
        raise ChainError(snapshot.sequence, "its snapshot says something else than the records up to it")
    replay.since = 0


def verify_snapshots(snapshots: Sequence[Snapshot], entries: Sequence[Entry], base: Base | None = None) -> int:
    """Compare each of ``snapshots`` with what all ``entries`` come to, from the first on or from the base; gives how
    many were. One of another version is not.

    Raises :class:`guichet.journal.chain.ChainError` for one that says something else, or whose entry is not there, and
    :class:`kiosk.journal.snapshot.SnapshotError` for one that cannot be read.
    """
    waiting, compared = {(one.epoch, one.sequence): one for one in snapshots}, 0
    first = {(entry.epoch, entry.sequence): entry for entry in entries[:1]}
    replay, found = from_base(base, first.get), dict[Place, Entry]()
    for entry in entries[1 if base is not None else 0 :] if waiting else ():
        replay.take(entry)
        snapshot = waiting.get(replay.place)
        if snapshot is not None:
            found[replay.place] = entry
            if snapshot.is_of_this_version:
                compare(replay, snapshot)
                decoded(snapshot.state)
                compared += 1
    for snapshot in snapshots:
        _entry_of(snapshot, found.get)
    return compared


def verify_links(entries: Iterable[Entry], begins: tuple[int, int, bytes] | None = None) -> int:
    """Check every hash and link of all ``entries``, of every epoch; gives how many. ``begins``: epoch, sequence and
    hash of the entry that they begin with, where that is not the first of all.

    Raises :class:`guichet.journal.chain.ChainError` at the first that does not fit.
    """
    last: Entry | None = None
    count = 0
    for entry in entries:
        if last is None and begins is not None:
            if (entry.epoch, entry.sequence, entry.hash) != begins:
                raise ChainError(entry.sequence, f"is not what it begins with, {begins[0]}/{begins[1]}")
            check_hash(entry)
        elif last is None or entry.epoch != last.epoch:
            check_link(entry, entry.epoch, 0, GENESIS)
        else:
            check_link(entry, entry.epoch, last.sequence, last.hash)
        last, count = entry, count + 1
    return count
