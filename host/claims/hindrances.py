"""What keeps the counts of a terminal's boxes from closing claims by themselves, by its books and its journal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from host.claims.box import Hindrance, Obstacle
from host.claims.periods import Periods
from host.journal.notes import Notes
from host.ledger.kinds import IN_BOX
from host.ledger.reading import KeptOutcome

Conflicts: TypeAlias = Mapping[str, frozenset[int]]
"""By note, the numbers of the outcomes that its terminal told and that were refused."""


def hindrances_of(
    kept: Sequence[KeptOutcome], notes: Notes, periods: Periods, conflicts: Conflicts
) -> Iterator[Hindrance]:
    """All of them but recounts. ``kept``: the outcomes of the terminal's notes, in the order of their numbers."""
    last = {one.settled.note.note_id: one for one in kept}.values()
    yield from _conflicts(last, periods, conflicts)
    for period in sorted(periods.joined()):
        yield Hindrance(period, None, Obstacle.NO_EXCHANGE)
    yield from _another_box(last, periods)
    yield from _unknown_finds(notes, periods)


def _conflicts(last: Iterable[KeptOutcome], periods: Periods, conflicts: Conflicts) -> Iterator[Hindrance]:
    """The terminal says otherwise of a note, and that was refused: nothing will settle it, so nobody waits for it."""
    for outcome in last:
        note = outcome.settled.note
        if note.note_id in conflicts:
            own = periods.candidates(note.note_id, outcome.settled.box_period_id)
            for period in sorted(own | {outcome.lies_in}):
                yield Hindrance(period, note.value, Obstacle.CONFLICT)


def _another_box(last: Iterable[KeptOutcome], periods: Periods) -> Iterator[Hindrance]:
    """A note that is in a box, and nothing says in which of two: a count of either says nothing for sure."""
    for outcome in last:
        note = outcome.settled.note
        candidates = periods.candidates(note.note_id, outcome.lies_in)
        if note.outcome in IN_BOX and outcome.resolution_no is None and len(candidates) > 1:
            for period in sorted(candidates):
                yield Hindrance(period, note.value, Obstacle.ANOTHER_BOX)


def _unknown_finds(notes: Notes, periods: Periods) -> Iterator[Hindrance]:
    """A find without a value is in the box, and nobody knows on which pile."""
    for note_id, story in notes.stories.items():
        if story.value is None and story.final in IN_BOX:
            for period in sorted(periods.candidates(note_id, story.box_period_id)):
                yield Hindrance(period, None, Obstacle.UNKNOWN_FIND)
