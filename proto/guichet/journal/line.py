"""Which of a terminal's entries are the story of its present disk.

The first entries of an epoch say behind which entry it goes on: that of a disk that was enrolled again behind its own
last one, that of a disk that was made anew behind the last that it was made of. What other disks wrote beside that may
come to the host at any time: it is evidence, and what it advises is settled, but it is no part of the story.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from guichet.journal.chain import Entry
from guichet.journal.records import RecordError, decode

Place = tuple[int, int]
"""Epoch and sequence."""

OPENING = 2
"""So many of an epoch's first entries can be its word about what it goes on from."""


def goes_on_from(opening: Sequence[Entry]) -> Place | None:
    """Behind which entry an epoch that begins with ``opening`` goes on, (0, 0) for none; None: it does not say."""
    for entry in opening[:OPENING]:
        try:
            record = decode(entry.record)
        except RecordError:
            continue  # It tells nothing.
        if record.HasField("journal_restored"):
            said = record.journal_restored
            return (said.last_epoch, said.last_sequence) if said.last_epoch or not said.entries else None
        if record.HasField("terminal_started") and record.terminal_started.last_epoch:
            return record.terminal_started.last_epoch, record.terminal_started.last_sequence
    return None


def was_restored(opening: Sequence[Entry]) -> bool:
    """Whether an epoch that begins with ``opening`` knows that its disk was made anew."""
    return any(_restored(entry) for entry in opening[:OPENING])


def _restored(entry: Entry) -> bool:
    try:
        return decode(entry.record).HasField("journal_restored")
    except RecordError:
        return False


def ends_of(
    epochs: Iterable[int], last: Callable[[int], int], opening: Callable[[int], Sequence[Entry]]
) -> list[Place]:
    """The last place of each of ``epochs`` that the newest of them goes on from, and its own, in order. ``last``: the
    last sequence of an epoch that there is, 0 for none; ``opening``: its first entries.
    """
    ends: list[Place] = []
    until: Place | None = None
    for epoch in sorted(epochs, reverse=True):
        there = last(epoch)
        if until is not None and (epoch, there) > until:
            there = until[1] if epoch == until[0] else 0
        if there:
            ends.append((epoch, there))
            begins = goes_on_from(opening(epoch)[:there])
            until = begins if begins is not None else until
    return ends[::-1]


def line(entries: Sequence[Entry]) -> list[Entry]:
    """Those of ``entries``, which are in order, that the newest epoch goes on from, and its own."""
    epochs: dict[int, list[Entry]] = {}
    for entry in entries:
        epochs.setdefault(entry.epoch, []).append(entry)
    ends = dict(ends_of(epochs, lambda epoch: epochs[epoch][-1].sequence, epochs.__getitem__))
    return [entry for entry in entries if entry.sequence <= ends.get(entry.epoch, 0)]
