"""Reconciliation: per terminal, box period, currency and denomination, the host's counts beside the journal's."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection

from guichet.money import Money
from host.ledger.evidence import notes_by_journal
from host.ledger.kinds import Outcome
from host.ledger.reading import KeptOutcome, kept_outcomes

IN_BOX = (Outcome.CREDITED, Outcome.FOUND, Outcome.WITHHELD)
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
    """A pile by both sources."""

    pile: Pile
    host: Counts
    journal: Counts

    @property
    def agrees(self) -> bool:
        """Whether the two say the same."""
        return self.host == self.journal


def reconcile(connection: Connection) -> tuple[Line, ...]:
    """Every pile that either source knows, in order. Returned notes lie on none."""
    host, journal = _by_host(connection), _by_journal(connection)
    piles = sorted({pile for pile, _ in (*host, *journal)})
    return tuple(Line(pile, _counts(host, pile), _counts(journal, pile)) for pile in piles)


def _counts(counted: Counter[tuple[Pile, Outcome]], pile: Pile) -> Counts:
    return Counts(*(counted[pile, outcome] for outcome in COUNTED))


def _by_host(connection: Connection) -> Counter[tuple[Pile, Outcome]]:
    last: dict[tuple[str, str, str], KeptOutcome] = {}
    for kept in kept_outcomes(connection):  # in the order of outcome numbers
        last[kept.terminal_id, kept.deposit_id, kept.settled.note.note_id] = kept
    return Counter(
        (_pile(kept.terminal_id, kept.settled.box_period_id, kept.settled.note.value), kept.settled.note.outcome)
        for kept in last.values()
        if kept.settled.note.outcome in COUNTED
    )


def _by_journal(connection: Connection) -> Counter[tuple[Pile, Outcome]]:
    counted: Counter[tuple[Pile, Outcome]] = Counter()
    for terminal, notes in notes_by_journal(connection).items():
        for story in notes.stories.values():
            if story.value is not None and story.final is not None and story.final in COUNTED:
                counted[_pile(terminal, story.box_period_id, story.value), story.final] += 1
    return counted


def _pile(terminal: str, period: str, value: Money) -> Pile:
    return Pile(terminal, period, value.currency.code, value.minor)
