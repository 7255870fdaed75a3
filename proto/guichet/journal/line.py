"""Which of a terminal's entries are the story of its present disk.

A disk that was made anew goes on from a place in its predecessor's journal. What the predecessor wrote behind that
place may come to the host later: it is evidence, and what it advises is settled, but it is no part of the story that
the new disk goes on with.
"""

from __future__ import annotations

from collections.abc import Sequence

from guichet.journal.chain import Entry
from guichet.journal.records import RecordError, decode

Place = tuple[int, int]
"""Epoch and sequence."""

OPENING = 2
"""So many of an epoch's first entries can be its word about what it goes on from."""


def goes_on_from(opening: Sequence[Entry]) -> Place | None:
    """Behind which entry an epoch that begins with ``opening`` goes on, (0, 0) for none; None: behind all before it."""
    for entry in opening[:OPENING]:
        try:
            record = decode(entry.record)
        except RecordError:
            continue  # It tells nothing.
        if record.HasField("journal_restored"):
            return record.journal_restored.last_epoch, record.journal_restored.last_sequence
    return None


def line(entries: Sequence[Entry]) -> list[Entry]:
    """Those of ``entries``, which are in order, that the newest epoch goes on from, and its own."""
    epochs: dict[int, list[Entry]] = {}
    for entry in entries:
        epochs.setdefault(entry.epoch, []).append(entry)
    kept: list[Entry] = []
    until: Place | None = None
    for epoch in sorted(epochs, reverse=True):
        of_it = [one for one in epochs[epoch] if until is None or (one.epoch, one.sequence) <= until]
        begins = goes_on_from(of_it)
        until = begins if begins is not None else until
        kept = of_it + kept
    return kept
