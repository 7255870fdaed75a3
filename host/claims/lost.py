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
from guichet.money import Currency
from guichet.seams import Domain, Signer
from guichet.v1 import journal_pb2
from guichet.v1 import settlement_pb2 as pb
from host.fleet.incidents import Incident, open_incidents
from host.fleet.schema import terminal_epochs
from host.fleet.standing import is_lost
from host.journal.notes import Notes, NoteStory
from host.journal.records import Place, epochs_held, line_of, readable_records
from host.ledger.advice import Advice, parse_advice
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
    """What of a terminal's journal the notes of no advice are settled from. ``since``: where each was first told of."""

    notes: Notes = field(default_factory=Notes)
    deposits: dict[str, journal_pb2.DepositOpened] = field(default_factory=dict[str, journal_pb2.DepositOpened])
    since: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    devices: dict[str, str] = field(default_factory=dict[str, str])

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
    """The advices, one a deposit and currency, of the notes that nobody will advise of any more; reads the whole
    journal. Of a terminal that is in use these are only the notes that another disk wrote beside its own journal.
    """
    journal = _read(connection, terminal)
    gone = _gone(connection, terminal, journal)
    last: dict[str, int] = {
        outcome.settled.note.note_id: outcome.settled.note.outcome_number
        for outcome in kept_outcomes(connection, note_outcomes.c.terminal_id == terminal)
    }
    told = {key for keys in journal.notes.advised.values() for key in keys}
    open_notes: dict[tuple[str, str], list[pb.NoteOutcome]] = {}
    for note_id, story in journal.notes.stories.items():
        stated = _stated(note_id, story, last.get(note_id, 0))
        if note_id in gone and story.value is not None and stated and (note_id, stated[-1].outcome_number) not in told:
            key = (story.deposit_id or note_id, story.value.currency.code)
            open_notes.setdefault(key, []).extend(stated)
    settling = ((key, notes) for key, notes in open_notes.items() if any(map(_settles_something, notes)))
    made = (_advice(terminal, *key, notes, journal, now_us) for key, notes in settling)
    return tuple(parse_advice(advice.SerializeToString(deterministic=True)) for advice in made)


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
        if epoch < newest and sequence > line.get(epoch, Place()).sequence
    )


def _stated(note_id: str, story: NoteStory, booked: int) -> list[pb.NoteOutcome]:
    """The outcomes that follow number ``booked``, none where one of them is missing; a note without any is in doubt."""
    numbered: Mapping[int, Outcome] = {number: outcome for number, (outcome, _) in story.outcomes.items()}
    numbered = numbered or {1: Outcome.IN_DOUBT}
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


def _advice(
    terminal: TerminalId, deposit_id: str, currency: str, notes: list[pb.NoteOutcome], journal: _Journal, now_us: int
) -> pb.DepositAdvice:
    opened = journal.deposits.get(deposit_id, journal_pb2.DepositOpened())
    epoch, sequence = max(journal.since[note.note_id] for note in notes)
    story = journal.notes.stories[notes[0].note_id]
    return pb.DepositAdvice(
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


def _incident(advice: Advice) -> Incident:
    parts: Iterator[str] = (f"{note.value} {note.outcome.value}" for note in advice.notes)
    text = f"its terminal or disk is gone and has not closed it: settled from the journal, {', '.join(parts)}"
    return Incident("deposit-left-open", advice.terminal_id, advice.deposit_id, text, advice.hash.hex())
