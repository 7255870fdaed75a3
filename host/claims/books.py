"""The boxes of a terminal as its books and its journal have them, for whoever counts one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from guichet.ids import TerminalId
from host.claims.box import BoxNote, Hindrance, NoteKey, Pieces, Standing, recounted
from host.claims.counts import counts_of
from host.claims.hindrances import Conflicts, hindrances_of
from host.claims.periods import Periods
from host.claims.records import BoxCount
from host.fleet.standing import is_lost, revoked_at_us
from host.journal.notes import Notes, NoteStory
from host.journal.records import epochs_held, readable_records, received_at_us
from host.ledger.advice import AdvisedNote
from host.ledger.kinds import Outcome
from host.ledger.reading import KeptOutcome, kept_outcomes
from host.ledger.schema import note_conflicts, note_outcomes


@dataclass(frozen=True, slots=True)
class Told:
    """What a terminal's replicated journal tells of its notes and its boxes. ``opened``: where each period begins."""

    notes: Notes = field(default_factory=Notes)
    periods: Periods = field(default_factory=Periods)
    opened: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])


@dataclass(frozen=True, slots=True)
class Boxes:
    """A terminal's periods, the notes that lie in their boxes or may, the counts of each that was counted, in order.
    ``told``: what hinders counts, by books and journal.
    """

    periods: Periods
    notes: tuple[BoxNote, ...]
    counted: Mapping[str, tuple[BoxCount, ...]]
    told: tuple[Hindrance, ...]

    @property
    def counts(self) -> dict[str, BoxCount]:
        """The last count of each period that was counted."""
        return {period: counts[-1] for period, counts in self.counted.items()}

    def hindrances(self, fresh: Pieces | None = None) -> tuple[Hindrance, ...]:
        """All that hinders the last counts, ``fresh`` being one that is only about to be kept."""
        series = {period: [count.as_pieces(0) for count in counts] for period, counts in self.counted.items()}
        if fresh is not None:
            series.setdefault(fresh.box_period_id, []).append(fresh)
        return (*self.told, *(one for counts in series.values() for one in recounted(counts)))

    def pieces(self) -> tuple[Pieces, ...]:
        """The counts as a decision takes them, in the order of their periods. Not of a box that is in again: its
        terminal was lost when it was counted.
        """
        order = {name: index for index, name in enumerate(self.periods.found)}
        out = (name for name in self.counts if name not in order or self.periods.found[name].ended_at_us is not None)
        counted = [self.counts[name].as_pieces(order.get(name, len(order))) for name in out]
        return tuple(sorted(counted, key=lambda count: (count.ordinal, count.box_period_id)))


def told_by_journals(connection: Connection, terminal: str | None = None) -> dict[TerminalId, Told]:
    """What each terminal's journal tells, or only that of ``terminal``. Reads all of it."""
    told: dict[TerminalId, Told] = {}
    for name, epoch in epochs_held(connection):
        if terminal is None or name == terminal:
            one = told.setdefault(name, Told())
            for numbered in readable_records(connection, name, epoch):
                one.notes.add(epoch, (numbered,))
                one.periods.add((numbered[1],))
                if numbered[1].HasField("box_period_opened"):
                    one.opened.setdefault(numbered[1].box_period_opened.box_period_id, (epoch, numbered[0]))
    return told


def boxes_of(connection: Connection, terminal: TerminalId) -> Boxes:
    """The boxes of one terminal. Reads its whole journal. The last period of one that is lost has ended, and one that
    was counted then has, also if the terminal is found and enrolled again.
    """
    told = told_by_journals(connection, terminal).get(terminal, Told())
    counted = counts_of(connection, terminal)
    if is_lost(connection, terminal):
        told.periods.end(revoked_at_us(connection, terminal))
    for name, after in told.periods.unseen_exchanges():
        counts = counted.get(name, ())
        if counts and counts[0].counted_at_us < received_at_us(connection, terminal, told.opened[after]):
            told.periods.was_out(name)
    kept = list(kept_outcomes(connection, note_outcomes.c.terminal_id == terminal))
    conflicts = refused(connection, terminal)
    return Boxes(
        told.periods,
        tuple(standing_of(terminal, kept, told, conflicts)),
        counted,
        tuple(hindrances_of(kept, told.notes, told.periods, conflicts)),
    )


def refused(connection: Connection, terminal: TerminalId) -> Conflicts:
    """The outcomes that a terminal told and that are conflicts."""
    c = note_conflicts.c
    found: dict[str, frozenset[int]] = {}
    for row in connection.execute(select(c.note_id, c.outcome_number).where(c.terminal_id == terminal)):
        found[row.note_id] = found.get(row.note_id, frozenset()) | {row.outcome_number}
    return found


_STANDING = {
    Outcome.CREDITED: Standing.CREDITED,
    Outcome.FOUND: Standing.FOUND,
    Outcome.WITHHELD: Standing.WITHHELD,
    Outcome.IN_DOUBT: Standing.IN_DOUBT,
}


def standing_of(terminal: str, kept: Iterable[KeptOutcome], told: Told, conflicts: Conflicts) -> Iterator[BoxNote]:
    """How each note of a terminal stands. ``kept``: its outcomes in the books, in the order of their numbers.

    A note is unsettled where the journal has an outcome of it that the books do not have, or has it otherwise, or has
    none yet: whatever is counted meanwhile says nothing for sure about its denomination. What was refused as a conflict
    will never be settled: the note stands as the books have it.
    """
    last = {outcome.settled.note.note_id: outcome for outcome in kept}
    for outcome in last.values():
        note, story = outcome.settled.note, told.notes.stories.get(outcome.settled.note.note_id)
        standing = _STANDING.get(note.outcome)
        if story is not None and _goes_on(story, note, conflicts.get(note.note_id, frozenset())):
            standing = Standing.UNSETTLED
        periods = frozenset({outcome.lies_in})
        if standing in (Standing.IN_DOUBT, Standing.UNSETTLED):
            periods = told.periods.candidates(note.note_id, outcome.lies_in)
        if standing is not None:
            key = NoteKey(outcome.terminal_id, outcome.deposit_id, note.note_id)
            yield BoxNote(key, note.value, standing, periods)
    for note_id, story in told.notes.stories.items():
        if note_id not in last and story.value is not None and not _only_returned(story):
            key = NoteKey(terminal, story.deposit_id, note_id)
            periods = told.periods.candidates(note_id, story.box_period_id)
            yield BoxNote(key, story.value, Standing.UNSETTLED, periods)


def _goes_on(story: NoteStory, note: AdvisedNote, refused: frozenset[int]) -> bool:
    """Whether the journal says more than this numbered outcome, or something else under its number, which the host has
    not heard yet.
    """
    number, said = note.outcome_number, story.outcomes.get(note.outcome_number)
    otherwise = said is not None and said[0] is not note.outcome and number not in refused
    return otherwise or any(later > number for later in story.outcomes.keys() - refused)


def _only_returned(story: NoteStory) -> bool:
    """It was only ever given back: where that is all of a deposit, no advice tells of it."""
    return bool(story.outcomes) and all(outcome is Outcome.RETURNED for outcome, _ in story.outcomes.values())
