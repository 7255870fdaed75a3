"""What keeps the counts of a terminal's boxes from closing claims by themselves, by its books and its journal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from host.claims.box import Hindrance, Obstacle
from host.claims.periods import Periods
from host.ledger.kinds import IN_BOX
from host.ledger.reading import KeptOutcome


def hindrances_of(kept: Sequence[KeptOutcome], periods: Periods) -> Iterator[Hindrance]:
    """All of them but recounts. ``kept``: the outcomes of the terminal's notes, in the order of their numbers."""
    yield from _another_box({one.settled.note.note_id: one for one in kept}.values(), periods)


def _another_box(last: Iterable[KeptOutcome], periods: Periods) -> Iterator[Hindrance]:
    """A note that is in a box, and nothing says in which of two: a count of either says nothing for sure."""
    for outcome in last:
        note = outcome.settled.note
        candidates = periods.candidates(note.note_id, outcome.lies_in)
        if note.outcome in IN_BOX and outcome.resolution_no is None and len(candidates) > 1:
            for period in sorted(candidates):
                yield Hindrance(period, note.value, Obstacle.ANOTHER_BOX)
