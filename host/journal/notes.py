"""What a replicated journal says of each note: value, box period, deposit, and its numbered outcomes. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from guichet.journal.records import from_wire
from guichet.money import Money, MoneyError
from guichet.v1 import journal_pb2 as pb
from guichet.v1 import settlement_pb2
from host.ledger.kinds import Outcome


@dataclass(slots=True)
class NoteStory:
    """A note by the journal. ``value`` is None where no record gives one; places are (epoch, sequence). ``told``: every
    number and outcome that it says; a disk and the one that was made anew in its place may give one number to two.
    """

    deposit_id: str
    box_period_id: str
    value: Money | None
    outcomes: dict[int, tuple[Outcome, tuple[int, int]]] = field(
        default_factory=dict[int, tuple[Outcome, tuple[int, int]]]
    )
    told: set[tuple[int, Outcome]] = field(default_factory=set[tuple[int, Outcome]])

    @property
    def final(self) -> Outcome | None:
        """Its last outcome; None while it has none."""
        return self.outcomes[max(self.outcomes)][0] if self.outcomes else None

    def came_to(self, number: int, outcome: Outcome, place: tuple[int, int]) -> None:
        """One more outcome."""
        self.outcomes[number] = (outcome, place)
        self.told.add((number, outcome))


class Notes:
    """The notes of one terminal, folded from its records in order. ``advised``: the advices that it has signed, by
    their SHA-256, each with the outcomes, by note and number, that it tells of. ``answered``: the answers to them that
    it has taken for the host's, by the same. ``last``: the place of the last record.
    """

    def __init__(self) -> None:
        self.stories: dict[str, NoteStory] = {}
        self.advised: dict[bytes, frozenset[tuple[str, int]]] = {}
        self.answered: dict[bytes, bytes] = {}
        self.last = (0, 0)
        self._periods: dict[str, str] = {}

    def add(self, epoch: int, records: Iterable[tuple[int, pb.JournalRecord]]) -> None:
        """Take an epoch's records into account, each with its sequence."""
        for sequence, record in records:
            self.last = (epoch, sequence)
            self._apply(record, self.last)

    def _apply(self, record: pb.JournalRecord, place: tuple[int, int]) -> None:
        match record.WhichOneof("fact"):
            case "deposit_opened":
                self._periods[record.deposit_opened.deposit_id] = record.deposit_opened.box_period_id
            case "note_escrowed":
                note = record.note_escrowed
                period = self._periods.get(note.deposit_id, "")
                self.stories[note.note_id] = NoteStory(note.deposit_id, period, _value(note))
            case "note_found":
                self._found(record.note_found, place)
            case "note_stacked":
                self._outcome(record.note_stacked, Outcome.CREDITED, place)
            case "note_returned":
                self._outcome(record.note_returned, Outcome.RETURNED, place)
            case "note_in_doubt":
                self._outcome(record.note_in_doubt, Outcome.IN_DOUBT, place)
            case "advice_signed":
                content = record.advice_signed.content
                self.advised[hashlib.sha256(content).digest()] = _told_in(content)
            case "settled":
                self.answered[record.settled.advice_hash] = record.settled.answer
            case _:
                return

    def _found(self, found: pb.NoteFound, place: tuple[int, int]) -> None:
        fresh = NoteStory(found.candidate_deposit_id, found.box_period_id, _value(found))
        story = self.stories.setdefault(found.note_id, fresh)
        story.came_to(found.outcome_number, Outcome.FOUND, place)

    def _outcome(
        self, fact: pb.NoteStacked | pb.NoteReturned | pb.NoteInDoubt, outcome: Outcome, place: tuple[int, int]
    ) -> None:
        story = self.stories.setdefault(fact.note_id, NoteStory("", "", None))
        story.came_to(fact.outcome_number, outcome, place)


def _value(fact: pb.NoteEscrowed | pb.NoteFound) -> Money | None:
    try:
        return from_wire(fact.value) if fact.HasField("value") else None
    except MoneyError:
        return None


def _told_in(content: bytes) -> frozenset[tuple[str, int]]:
    try:
        advice = settlement_pb2.DepositAdvice.FromString(content)
    except DecodeError:
        return frozenset()  # It tells of nothing, and the notes that it should tell of are found missing.
    return frozenset((note.note_id, note.outcome_number) for note in advice.notes)
