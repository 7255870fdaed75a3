"""A terminal that burns, or a disk that another one replaced, leaves a deposit open: the journal settles it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guichet.ids import TerminalId
from guichet.limits import MAX_NOTES_PER_ADVICE, MAX_RECORDS_PER_BATCH
from guichet.v1 import journal_pb2, money_pb2
from host.claims.books import boxes_of
from host.claims.box import Verdict
from host.claims.counting import CountError, look_again
from host.claims.lost import left_open, settle_left_open
from host.fleet.standing import withdraw
from host.ledger.advice import Advice
from host.ledger.kinds import Outcome
from host.ledger.reconcile import reconcile
from host.ledger.settlement import Answer
from host.pki.schema import Withdrawal
from tests.host.bench import ANNA, BORIS, Bench
from tests.host.boxes import (
    NEXT_PERIOD,
    THIRD_PERIOD,
    count,
    exchanged,
    incident_codes,
    key_of,
    opened,
    path_is_empty,
    removed,
    replicate,
)
from tests.host.terminal import (
    BOX_PERIOD,
    OUTCOME_IN_DOUBT,
    OUTCOME_RETURNED,
    SERIAL,
    BenchTerminal,
    Note,
    an_id,
    deposit_id,
)
from tests.host.test_settlement import CASH, IN_DOUBT, SUSPENSE, UNCONFIRMED, answer, balances, moved
from tests.host.test_verify import corrupt, findings

T1 = TerminalId("T-1")


def leaves_open(terminal: BenchTerminal, deposit: int, *notes: Note, undecided: Note | None = None) -> None:
    """A deposit as far as its notes: it is never closed."""
    terminal.write(
        journal_pb2.DepositOpened(
            deposit_id=deposit_id(deposit), session_id=an_id(999_999), account_id=ANNA, currency="EUR",
            box_period_id=BOX_PERIOD, device_serial=SERIAL, device_simulated=True,
        )
    )  # fmt: skip
    for note in notes:
        escrowed(terminal, deposit, note)
        if note.outcome == OUTCOME_RETURNED:
            terminal.write(journal_pb2.NoteReturned(note_id=an_id(note.number), outcome_number=1))
        else:
            terminal.write(journal_pb2.NoteStacked(note_id=an_id(note.number), outcome_number=1))
    if undecided is not None:
        escrowed(terminal, deposit, undecided)


def escrowed(terminal: BenchTerminal, deposit: int, note: Note) -> None:
    value = money_pb2.Money(minor=note.minor, currency="EUR")
    terminal.write(
        journal_pb2.NoteEscrowed(
            note_id=an_id(note.number), deposit_id=deposit_id(deposit), value=value, device_serial=SERIAL
        )
    )


def revoke(bench: Bench) -> None:
    with bench.engine.begin() as connection:
        withdraw(connection, T1, Withdrawal.REVOKED, bench.clock.now_us)


def found(bench: Bench) -> tuple[Advice, ...]:
    with bench.engine.begin() as connection:
        return left_open(connection, T1, bench.clock.now_us)


def settled(bench: Bench) -> list[tuple[int, Outcome]]:
    """By deposit: the outcomes that were booked."""
    host = bench.host
    with bench.engine.begin() as connection:
        advices = left_open(connection, T1, host.now_us())
        results = settle_left_open(connection, advices, host.settlement, host.keys.signer, host.now_us())
    assert all(isinstance(result, Answer) for result in results)
    return [(note.value.minor, note.outcome) for advice in advices for note in advice.notes]


def burnt(bench: Bench) -> BenchTerminal:
    """A terminal is gone with a deposit open, and is revoked."""
    terminal = bench.enrol("T-1")
    opened(terminal, BOX_PERIOD)
    leaves_open(terminal, 1, Note(1, 5_000), Note(2, 1_000, OUTCOME_RETURNED), undecided=Note(3, 2_000))
    replicate(bench, terminal)
    revoke(bench)
    return terminal


def agrees(bench: Bench) -> bool:
    with bench.engine.begin() as connection:
        return all(line.agrees for line in reconcile(connection))


def test_what_was_stacked_is_credited_and_what_has_no_outcome_is_in_doubt(bench: Bench) -> None:
    burnt(bench)
    before = balances(bench)
    assert settled(bench) == [(5_000, Outcome.CREDITED), (1_000, Outcome.RETURNED), (2_000, Outcome.IN_DOUBT)]
    assert moved(bench, before) == {CASH: -5_000, ANNA: 5_000, UNCONFIRMED: -2_000, IN_DOUBT: 2_000}
    assert incident_codes(bench) == ["deposit-left-open"]
    assert findings(bench) == ()
    assert agrees(bench)


def test_a_second_time_nothing_is_left(bench: Bench) -> None:
    burnt(bench)
    settled(bench)
    before = balances(bench)
    assert (settled(bench), moved(bench, before)) == ([], {})


def test_the_last_box_of_a_lost_terminal_is_counted_and_closes_the_doubt(bench: Bench) -> None:
    burnt(bench)
    settled(bench)
    before = balances(bench)
    _, resolved = count(bench, {"50 EUR": 1, "20 EUR": 1})
    assert [(one.resolution.key, one.settled.note.outcome) for one in resolved] == [(key_of(3), Outcome.CREDITED)]
    assert moved(bench, before) == {UNCONFIRMED: 2_000, IN_DOUBT: -2_000, CASH: -2_000, ANNA: 2_000}
    assert findings(bench) == ()
    assert agrees(bench)


def test_a_terminal_that_is_in_use_closes_its_deposits_itself(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    opened(terminal, BOX_PERIOD)
    leaves_open(terminal, 1, Note(1))
    removed(terminal)
    replicate(bench, terminal)
    assert found(bench) == ()
    with pytest.raises(CountError, match="has not ended"):
        count(bench, {"20 EUR": 1})
    revoke(bench)
    assert len(found(bench)) == 1
    bench.enrol("T-1")
    assert found(bench) == (), "it was found again, and is enrolled: what is open it says itself"
    with bench.engine.begin() as connection:
        assert boxes_of(connection, T1).periods.found[BOX_PERIOD].ended_at_us is None


def test_a_signed_advice_that_waits_in_the_journal_is_the_terminals_own_to_tell(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    opened(terminal, BOX_PERIOD)
    place = terminal.write_deposit(1, [Note(1)], ANNA)
    advice = terminal.advice(1, [Note(1)], account=ANNA, place=place)
    terminal.write(
        journal_pb2.AdviceSigned(deposit_id=deposit_id(1), content=advice.content, signature=advice.signature)
    )
    replicate(bench, terminal)
    revoke(bench)
    assert found(bench) == ()


def test_a_deposit_of_which_only_notes_went_back_leaves_nothing_open(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    leaves_open(terminal, 1, Note(1, 2_000, OUTCOME_RETURNED))
    replicate(bench, terminal)
    revoke(bench)
    assert found(bench) == ()


def former_disk(bench: Bench) -> BenchTerminal:
    """A disk is replaced while the host is away, and turns up later with a deposit open that nobody else knew of."""
    old = bench.enrol("T-1")
    opened(old, BOX_PERIOD)
    place = old.write_deposit(1, [Note(9, outcome=OUTCOME_IN_DOUBT)], BORIS)
    path_is_empty(old)
    replicate(bench, old)
    answer(bench, old.advice(1, [Note(9, outcome=OUTCOME_IN_DOUBT)], account=BORIS, place=place))
    copied = len(old.entries)
    leaves_open(old, 2, Note(1), Note(2))
    new = bench.enrol("T-1")
    new.write(journal_pb2.JournalRestored(entries=copied, last_epoch=1, last_sequence=copied))
    opened(new, NEXT_PERIOD)
    exchanged(new, THIRD_PERIOD)
    replicate(bench, new)
    replicate(bench, old)
    return new


def test_what_a_former_disk_left_open_is_settled_and_no_longer_keeps_a_count_waiting(bench: Bench) -> None:
    former_disk(bench)
    made, _ = count(bench, {"20 EUR": 3})
    assert [line.unsettled for line in made.lines] == [2]
    assert settled(bench) == [(2_000, Outcome.CREDITED), (2_000, Outcome.CREDITED)]
    made, _ = count(bench, {"20 EUR": 3})
    assert [(line.unsettled, line.credited) for line in made.lines] == [(0, 2)]
    assert findings(bench) == ()


def test_what_the_present_disk_goes_on_with_is_not_settled_for_it(bench: Bench) -> None:
    """The host's copy has the deposit open, and the new disk closes it."""
    old = bench.enrol("T-1")
    opened(old, BOX_PERIOD)
    leaves_open(old, 2, Note(1))
    replicate(bench, old)
    new = bench.enrol("T-1")
    new.write(journal_pb2.JournalRestored(entries=len(old.entries), last_epoch=1, last_sequence=len(old.entries)))
    replicate(bench, new)
    assert found(bench) == ()


def test_the_same_word_from_the_terminal_itself_is_known(bench: Bench) -> None:
    """It was stolen, and is found: what it has signed by then, or signs, says the same."""
    terminal = burnt(bench)
    settled(bench)
    before = balances(bench)
    notes = [Note(1, 5_000), Note(2, 1_000, OUTCOME_RETURNED), Note(3, 2_000, OUTCOME_IN_DOUBT)]
    answer(bench, terminal.advice(1, notes, account=ANNA))
    assert moved(bench, before) == {}
    assert "settlement-conflict" not in incident_codes(bench)


def test_another_word_from_the_terminal_itself_is_a_conflict(bench: Bench) -> None:
    terminal = burnt(bench)
    settled(bench)
    before = balances(bench)
    answer(bench, terminal.advice(1, [Note(3, 2_000)], account=ANNA))
    assert moved(bench, before) == {}
    assert "settlement-conflict" in incident_codes(bench)


def test_an_advice_that_neither_terminal_nor_host_has_signed_is_found(bench: Bench) -> None:
    burnt(bench)
    settled(bench)
    corrupt(bench, "advices", "UPDATE advices SET signature = x'00'")
    assert "is not signed by a key of terminal T-1" in {finding.text for finding in findings(bench)}


def test_a_count_stands_when_the_terminal_is_enrolled_again(bench: Bench) -> None:
    burnt(bench)
    settled(bench)
    count(bench, {"50 EUR": 1, "20 EUR": 1})
    bench.clock.now_us += 1_000_000
    again = bench.enrol("T-1")
    again.write(journal_pb2.JournalRestored(entries=9, last_epoch=1, last_sequence=9))
    opened(again, NEXT_PERIOD)
    replicate(bench, again)
    assert findings(bench) == ()
    assert agrees(bench)


# --- what comes later, and what stands beside -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "outcome", "booked"),
    [
        (journal_pb2.NoteStacked(note_id=an_id(3), outcome_number=1), Outcome.CREDITED, 2_000),
        (journal_pb2.NoteReturned(note_id=an_id(3), outcome_number=1), Outcome.RETURNED, 0),
    ],
    ids=["stacked", "returned"],
)
def test_what_the_journal_says_after_all_follows_the_hosts_own_doubt(
    bench: Bench, fact: journal_pb2.NoteStacked | journal_pb2.NoteReturned, outcome: Outcome, booked: int
) -> None:
    """The disk is found after the terminal was given up, and knows a little more."""
    terminal = burnt(bench)
    settled(bench)
    terminal.write(fact)
    replicate(bench, terminal)
    before = balances(bench)
    assert settled(bench) == [(2_000, outcome)]
    assert moved(bench, before).get(ANNA, 0) == booked
    assert moved(bench, before)[IN_DOUBT] == -2_000, "the claim is closed"
    assert (settled(bench), findings(bench), agrees(bench)) == ([], (), True)
    made, _ = count(bench, {"50 EUR": 1, "20 EUR": booked // 2_000})
    assert {line.verdict for line in made.lines} == {Verdict.EXACT}


def test_a_count_of_a_box_that_is_in_again_decides_nothing(bench: Bench) -> None:
    """The terminal was lost when it was counted, with a note over, and is found; its box goes on in the same period."""
    terminal = burnt(bench)
    settled(bench)
    count(bench, {"50 EUR": 1, "20 EUR": 2})
    bench.clock.now_us += 1_000_000
    again = bench.enrol("T-1")
    notes = [Note(8, outcome=OUTCOME_IN_DOUBT)]
    place = again.write_deposit(4, notes, BORIS)
    replicate(bench, again)
    answer(bench, again.advice(4, notes, account=BORIS, place=place))
    assert terminal.epoch < again.epoch
    with bench.engine.begin() as connection:
        assert look_again(connection, T1, bench.host.resolver) == ()


def test_what_a_branch_left_open_goes_to_suspense(bench: Bench) -> None:
    """The disk went back to an image of itself, took a note, and was exchanged with the deposit open."""
    terminal = bench.enrol("T-1")
    opened(terminal, BOX_PERIOD)
    image = list(terminal.entries)
    leaves_open(terminal, 1, Note(1))
    replicate(bench, terminal)
    branch = replace(terminal, entries=image)
    leaves_open(branch, 2, Note(2), undecided=Note(3))
    replicate(bench, branch)
    revoke(bench)
    before = balances(bench)
    assert sorted(settled(bench), key=str) == [
        (2_000, Outcome.CREDITED),
        (2_000, Outcome.CREDITED),
        (2_000, Outcome.IN_DOUBT),
    ]
    moves = moved(bench, before)
    assert (moves[SUSPENSE], moves[IN_DOUBT], moves[CASH], ANNA in moves) == (4_000, 2_000, -4_000, False)
    assert (found(bench), findings(bench)) == ((), ())


def test_a_deposit_of_more_notes_than_an_advice_takes_is_settled_in_parts(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    opened(terminal, BOX_PERIOD)
    leaves_open(terminal, 1, *(Note(1_000 + number, 500) for number in range(MAX_NOTES_PER_ADVICE + 1)))
    for begin in range(0, len(terminal.entries), MAX_RECORDS_PER_BATCH):
        replicate(bench, replace(terminal, entries=terminal.entries[begin : begin + MAX_RECORDS_PER_BATCH]))
    revoke(bench)
    assert [len(advice.notes) for advice in found(bench)] == [MAX_NOTES_PER_ADVICE, 1]
    settled(bench)
    assert (found(bench), findings(bench)) == ((), ())
