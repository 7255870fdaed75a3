"""What a terminal that is lost, or a disk that another one replaced, left without an advice: the host settles it from
the journal that it holds.

A terminal signs what became of a deposit when it closes it. One that burns, is stolen, or loses its disk in mid-deposit
never does. Its notes are in the replicated journal all the same: what was stacked is credited, what has no outcome is
in doubt, and a count of the box closes that. The advice is the host's own, signed as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from guichet.ids import TerminalId
from guichet.journal.records import to_wire
from guichet.limits import MAX_NOTES_PER_ADVICE
from guichet.money import Currency
from guichet.seams import Domain, Signer
from guichet.v1 import journal_pb2
from guichet.v1 import settlement_pb2 as pb
from host.fleet.incidents import Incident, open_incidents
from host.fleet.schema import terminal_epochs
from host.fleet.standing import is_lost
from host.journal.notes import Notes, NoteStory
from host.journal.records import Place, epochs_held, line_of, readable_branches, readable_records
from host.ledger.advice import Advice, AdvisedNote, parse_advice
from host.ledger.kinds import Outcome
from host.ledger.reading import kept_outcomes
from host.ledger.schema import note_outcomes
from host.ledger.settlement import Result, Settlement, Submission

_OUTCOMES = {
    Outcome.CREDITED: pb.OUTCOME_CREDITED,
    Outcome.RETURNED: pb.OUTCOME_RETURNED,
    Outcome.IN_DOUBT: pb.OUTCOME_IN_DOUBT,
    Outcome.FOUND: pb.OUTCOME_FOUND,
}


@dataclass(slots=True)
class _Journal:
    """What of a terminal's journal the notes of no advice are settled from. ``since``: where each was first told of;
    ``branched``: those that only a branch has.
    """

    notes: Notes = field(default_factory=Notes)
    deposits: dict[str, journal_pb2.DepositOpened] = field(default_factory=dict[str, journal_pb2.DepositOpened])
    since: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    devices: dict[str, str] = field(default_factory=dict[str, str])
    branched: set[str] = field(default_factory=set[str])

    def add_of_branch(self, epoch: int, sequence: int, record: journal_pb2.JournalRecord) -> None:
        """A record that another disk has in a place that is taken. Of a note that both know, the journal's word counts;
        what is only here nobody else will tell of.
        """
        facts = (record.note_escrowed.note_id, record.note_found.note_id)
        self.branched.update(note for note in facts if note and note not in self.notes.stories)
        about = {*facts, record.note_stacked.note_id, record.note_returned.note_id, record.note_in_doubt.note_id}
        if not about.isdisjoint(self.branched) or record.HasField("advice_signed") or record.HasField("deposit_opened"):
            self.add(epoch, sequence, record)

    def add(self, epoch: int, sequence: int, record: journal_pb2.JournalRecord) -> None:
        self.notes.add(epoch, ((sequence, record),))
        match record.WhichOneof("fact"):
            case "deposit_opened":
                self.deposits[record.deposit_opened.deposit_id] = record.deposit_opened
            case "note_escrowed":
                self.since[record.note_escrowed.note_id] = (epoch, sequence)
            case "note_found":
                self.since[record.note_found.note_id] = (epoch, sequence)
                self.devices[record.note_found.note_id] = record.note_found.device_serial
            case _:
                return


def left_open(connection: Connection, terminal: TerminalId, now_us: int) -> tuple[Advice, ...]:
    """The advices, of a deposit and currency each, of the notes that nobody will advise of any more; reads the whole
    journal, also a branch of it. Of a terminal that is in use these are only the notes that another disk wrote beside
    its own journal.
    """
    journal = _read(connection, terminal)
    gone = _gone(connection, terminal, journal)
    last: dict[str, AdvisedNote] = {
        outcome.settled.note.note_id: outcome.settled.note
        for outcome in kept_outcomes(connection, note_outcomes.c.terminal_id == terminal)
    }
    told = {key for keys in journal.notes.advised.values() for key in keys}
    open_notes: dict[tuple[str, str], list[list[pb.NoteOutcome]]] = {}
    for note_id, story in journal.notes.stories.items():
        stated = _stated(note_id, story, last.get(note_id))
        if note_id in gone and story.value is not None and stated and (note_id, stated[-1].outcome_number) not in told:
            key = (story.deposit_id or note_id, story.value.currency.code)
            open_notes.setdefault(key, []).append(stated)
    made: list[Advice] = []
    for key, notes in open_notes.items():
        if any(_settles_something(outcome) for stated in notes for outcome in stated):
            made += [_advice(terminal, *key, part, journal, now_us) for part in _parts(notes)]
    return tuple(made)


def settle_left_open(
    connection: Connection, found: Iterable[Advice], settlement: Settlement, signer: Signer, now_us: int
) -> tuple[Result, ...]:
    """Book them, within the caller's transaction, each with an incident."""
    submissions = [Submission(one, signer.sign(Domain.LOST_DEPOSIT, one.content), by_host=True) for one in found]
    results = settlement.settle(connection, submissions)
    open_incidents(connection, tuple(_incident(one.advice) for one in submissions), now_us)
    return results


def _read(connection: Connection, terminal: TerminalId) -> _Journal:
    journal = _Journal()
    for name, epoch in epochs_held(connection):
        if name == terminal:
            for sequence, record in readable_records(connection, terminal, epoch):
                journal.add(epoch, sequence, record)
    for epoch, sequence, record in readable_branches(connection, terminal):
        journal.add_of_branch(epoch, sequence, record)
    return journal


def _gone(connection: Connection, terminal: TerminalId, journal: _Journal) -> frozenset[str]:
    """The notes that no terminal will speak of any more."""
    if is_lost(connection, terminal):
        return frozenset(journal.since)
    c = terminal_epochs.c
    newest = connection.execute(select(func.max(c.epoch)).where(c.terminal_id == terminal)).scalar() or 0
    line = line_of(connection, terminal, newest)
    return frozenset(
        note
        for note, (epoch, sequence) in journal.since.items()
        if epoch < newest and (note in journal.branched or sequence > line.get(epoch, Place()).sequence)
    )


def _stated(note_id: str, story: NoteStory, last: AdvisedNote | None) -> list[pb.NoteOutcome]:
    """The outcomes that follow the ``last`` that is booked, none where one of them is missing; a note without any is in
    doubt. What the journal says of a note after all that the host itself has put in doubt, follows the doubt.
    """
    booked = last.outcome_number if last is not None else 0
    numbered: Mapping[int, Outcome] = {number: outcome for number, (outcome, _) in story.outcomes.items()}
    numbered = numbered or {1: Outcome.IN_DOUBT}
    said = numbered.get(booked)
    if last is not None and last.outcome is Outcome.IN_DOUBT and said in (Outcome.CREDITED, Outcome.RETURNED):
        numbered = {booked + 1: said}
    fresh = [(number, outcome) for number, outcome in sorted(numbered.items()) if number > booked]
    follows = [number for number, _ in fresh] == list(range(booked + 1, booked + 1 + len(fresh)))
    if not follows or story.value is None:
        return []
    value = to_wire(story.value)
    return [
        pb.NoteOutcome(note_id=note_id, outcome_number=number, outcome=_OUTCOMES[outcome], value=value)
        for number, outcome in fresh
    ]


def _settles_something(note: pb.NoteOutcome) -> bool:
    """Of a deposit from which all notes went back, nobody is advised."""
    return note.outcome != pb.OUTCOME_RETURNED or note.outcome_number > 1


def _parts(notes: list[list[pb.NoteOutcome]]) -> Iterator[list[pb.NoteOutcome]]:
    """As many notes as an advice takes; all that is said of one stays together."""
    for begin in range(0, len(notes), MAX_NOTES_PER_ADVICE):
        yield [outcome for stated in notes[begin : begin + MAX_NOTES_PER_ADVICE] for outcome in stated]


def _advice(
    terminal: TerminalId, deposit_id: str, currency: str, notes: list[pb.NoteOutcome], journal: _Journal, now_us: int
) -> Advice:
    opened = journal.deposits.get(deposit_id, journal_pb2.DepositOpened())
    epoch, sequence = max(journal.since[note.note_id] for note in notes)
    story = journal.notes.stories[notes[0].note_id]
    advice = pb.DepositAdvice(
        terminal_id=terminal,
        deposit_id=deposit_id,
        session_id=opened.session_id,
        account_id=opened.account_id,
        currency=Currency(currency).code,
        box_period_id=opened.box_period_id or story.box_period_id,
        device_serial=opened.device_serial or journal.devices.get(notes[0].note_id, ""),
        device_simulated=opened.device_simulated,
        closed_at_us=now_us,
        notes=notes,
        epoch=epoch,
        sequence=sequence,
        offline=opened.offline if opened.HasField("offline") else None,
    )
    return parse_advice(advice.SerializeToString(deterministic=True))


def _incident(advice: Advice) -> Incident:
    parts: Iterator[str] = (f"{note.value} {note.outcome.value}" for note in advice.notes)
    text = f"its terminal or disk is gone and has not closed it: settled from the journal, {', '.join(parts)}"
    return Incident("deposit-left-open", advice.terminal_id, advice.deposit_id, text, advice.hash.hex())
