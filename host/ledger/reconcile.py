"""Reconciliation: per terminal, box period, currency and denomination, what the host has beside what the journal has,
and both beside the count of the box, where somebody counted it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from guichet.ids import NoteId, TerminalId
from guichet.money import Money
from host.claims.books import Told, told_by_journals
from host.claims.counts import kept_counts
from host.ledger.kinds import IN_BOX, Outcome
from host.ledger.reading import KeptOutcome, kept_outcomes

COUNTED = (*IN_BOX, Outcome.IN_DOUBT)


@dataclass(frozen=True, slots=True, order=True)
class Pile:
    """Notes that a count of the box would put on one pile. ``minor`` is one note's value."""

    terminal_id: str
    box_period_id: str
    currency: str
    minor: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Notes by their last outcome. What is in the box is at least ``certain`` and at most ``possible`` notes."""

    credited: int = 0
    found: int = 0
    withheld: int = 0
    in_doubt: int = 0

    @property
    def certain(self) -> int:
        """Notes that are in the box."""
        return self.credited + self.found + self.withheld

    @property
    def possible(self) -> int:
        """Notes that are in the box if every doubt is."""
        return self.certain + self.in_doubt


@dataclass(frozen=True, slots=True)
class Line:
    """A pile by both sources. ``counted``: pieces in the last count of the box; None where nobody counted it."""

    pile: Pile
    host: Counts
    journal: Counts
    counted: int | None = None

    @property
    def fits(self) -> bool:
        """Whether the box can hold what the books have in it."""
        return self.counted is None or self.host.certain <= self.counted <= self.host.possible

    @property
    def agrees(self) -> bool:
        """Whether all that is known of the pile says the same."""
        return self.host == self.journal and self.fits


def reconcile(connection: Connection) -> tuple[Line, ...]:
    """Every pile that any source knows, in order. Returned notes lie on none."""
    told, kept = told_by_journals(connection), list(kept_outcomes(connection))
    host, journal = _by_host(kept), _by_journal(told, kept)
    counted = _by_count(connection)
    piles = sorted({pile for pile, _ in (*host, *journal)} | counted.keys())
    periods = {(pile.terminal_id, pile.box_period_id) for pile in counted}
    return tuple(
        Line(
            pile,
            _counts(host, pile),
            _counts(journal, pile),
            counted.get(pile, 0) if (pile.terminal_id, pile.box_period_id) in periods else None,
        )
        for pile in piles
    )


def _counts(counted: Counter[tuple[Pile, Outcome]], pile: Pile) -> Counts:
    return Counts(*(counted[pile, outcome] for outcome in COUNTED))


def _by_host(kept: Iterable[KeptOutcome]) -> Counter[tuple[Pile, Outcome]]:
    return Counter(
        (_pile(one.terminal_id, one.lies_in, one.settled.note.value), one.settled.note.outcome)
        for one in _last(kept)
        if one.settled.note.outcome in COUNTED
    )


def _last(kept: Iterable[KeptOutcome]) -> Iterable[KeptOutcome]:
    """The last outcome of each note; they come in the order of outcome numbers."""
    return {(*one.deposit, one.settled.note.note_id): one for one in kept}.values()


def _by_journal(told: Mapping[TerminalId, Told], kept: Sequence[KeptOutcome]) -> Counter[tuple[Pile, Outcome]]:
    """What the journal tells, and where it ends in a doubt, or without a word about a note that the host then doubts,
    what a count or two operators made of that.
    """
    doubts = {(one.terminal_id, one.key) for one in kept if one.settled.note.outcome is Outcome.IN_DOUBT}
    resolved = {(one.terminal_id, str(one.settled.note.note_id)): one for one in kept if one.resolution_no is not None}
    counted: Counter[tuple[Pile, Outcome]] = Counter()
    for terminal, one in told.items():
        for note_id, story in one.notes.stories.items():
            final, period, number = story.final, story.box_period_id, max(story.outcomes, default=0)
            if not number and (str(terminal), (NoteId(note_id), 1)) in doubts:
                final, number = Outcome.IN_DOUBT, 1
            after = resolved.get((str(terminal), note_id))
            if after is not None and number == after.settled.note.outcome_number - 1:
                final, period = after.settled.note.outcome, after.lies_in
            elif after is not None and final is after.settled.note.outcome:
                period = after.lies_in
            if story.value is not None and final is not None and final in COUNTED:
                counted[_pile(terminal, period, story.value), final] += 1
    return counted


def _by_count(connection: Connection) -> dict[Pile, int]:
    """The pieces of the last count of each period, none included."""
    last = {(kept.count.terminal_id, kept.count.box_period_id): kept.count for kept in kept_counts(connection)}
    return {
        _pile(count.terminal_id, count.box_period_id, line.value): line.pieces
        for count in last.values()
        for line in count.lines
    }


def _pile(terminal: str, period: str, value: Money) -> Pile:
    return Pile(terminal, period, value.currency.code, value.minor)
