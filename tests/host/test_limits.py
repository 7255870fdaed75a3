"""What the largest deposit makes of a message, a journal record and an answer: it is taken, and it fits everywhere."""

from __future__ import annotations

import pytest

from guichet.journal.records import encode
from guichet.limits import (
    MAX_MESSAGE_BYTES,
    MAX_NOTES_PER_ADVICE,
    MAX_NOTES_PER_DEPOSIT,
    MAX_OUTCOMES_PER_ADVICE,
    MAX_RECORD_BYTES,
)
from guichet.v1 import journal_pb2
from guichet.v1 import settlement_pb2 as pb
from guichet.v1 import terminal_link_pb2 as link
from host.ledger.advice import BadAdvice, parse_advice
from host.ledger.settlement import Answer
from tests.host.bench import ANNA, Bench
from tests.host.terminal import OUTCOME_CREDITED, OUTCOME_FOUND, OUTCOME_IN_DOUBT, Note, deposit_id
from tests.host.test_settlement import answer, is_good, settle

DEAREST = 10**15
"""The largest amount that there is, in minor units: the most digits on the wire."""


def every_note_twice() -> list[Note]:
    """Each note of a full deposit was in doubt and then credited, and as many finds as fit came with it."""
    doubts = [Note(number, DEAREST, OUTCOME_IN_DOUBT) for number in range(MAX_NOTES_PER_DEPOSIT)]
    credits = [Note(number, DEAREST, OUTCOME_CREDITED, 2) for number in range(MAX_NOTES_PER_DEPOSIT)]
    finds = [Note(number, DEAREST, OUTCOME_FOUND) for number in range(MAX_NOTES_PER_DEPOSIT, MAX_NOTES_PER_ADVICE)]
    return [*doubts, *credits, *finds]


def test_a_full_deposit_with_one_note_that_was_in_doubt_first_is_taken(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    notes = [Note(number) for number in range(1, MAX_NOTES_PER_DEPOSIT)]
    doubtful = [Note(0, outcome=OUTCOME_IN_DOUBT), Note(0, outcome_number=2)]
    said = answer(bench, terminal.advice(1, [*doubtful, *notes], account=ANNA))
    assert len(said.notes) == MAX_NOTES_PER_DEPOSIT + 1
    assert said.notes[1].booking == pb.BOOKING_CUSTOMER
    assert is_good(bench)


def test_a_full_deposit_with_a_find_is_taken(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    notes = [Note(number) for number in range(MAX_NOTES_PER_DEPOSIT)]
    find = Note(MAX_NOTES_PER_DEPOSIT, outcome=OUTCOME_FOUND)
    said = answer(bench, terminal.advice(1, [*notes, find], account=ANNA))
    assert said.notes[-1].booking == pb.BOOKING_SUSPENSE
    assert is_good(bench)


def test_the_largest_advice_is_taken_and_it_and_its_answer_fit_a_message_and_a_record(bench: Bench) -> None:
    terminal, notes = bench.enrol("T-1234567890ABCD"), every_note_twice()
    assert len(notes) == MAX_OUTCOMES_PER_ADVICE
    signed = terminal.advice(1, notes, account="a" * 64, place=2**63 - 1)
    (settled,) = settle(bench, signed)
    assert isinstance(settled, Answer)
    said = pb.SettlementAnswer.FromString(settled.content)
    assert len(said.notes) == MAX_OUTCOMES_PER_ADVICE
    assert all(note.claim_number for note in said.notes)
    item = link.ConnectRequest(item_id="i" * 64, advice=signed)
    assert item.ByteSize() < MAX_MESSAGE_BYTES
    for fact in (
        journal_pb2.AdviceSigned(deposit_id=deposit_id(1), content=signed.content, signature=signed.signature),
        journal_pb2.Settled(
            deposit_id=deposit_id(1),
            advice_hash=bytes(32),
            answer=settled.content,
            signature=settled.signature,
        ),
    ):
        # Raises for what the terminal could not put on record.
        assert len(encode(terminal.name, 2**62, fact)) <= MAX_RECORD_BYTES


@pytest.mark.parametrize(
    ("notes", "text"),
    [
        ([Note(number) for number in range(MAX_NOTES_PER_ADVICE + 1)], "notes are over"),
        ([*every_note_twice(), Note(MAX_NOTES_PER_DEPOSIT, outcome_number=2)], "outcomes are over"),
    ],
    ids=["notes", "outcomes"],
)
def test_an_advice_beyond_what_a_terminal_can_write_is_refused(bench: Bench, notes: list[Note], text: str) -> None:
    terminal = bench.enrol("T-1")
    with pytest.raises(BadAdvice, match=text):
        parse_advice(terminal.advice(1, notes, account=ANNA).content)
