"""A box is counted: what the count closes, what it leaves to persons, and that nothing of it is ever changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import literal, null, select, text
from sqlalchemy.exc import IntegrityError

from guichet.ids import NoteId, TerminalId
from guichet.seams import Domain
from guichet.v1 import journal_pb2, money_pb2
from guichet.v1 import settlement_pb2 as pb
from host.claims.box import NoteKey, Obstacle, Verdict
from host.claims.counting import CountError, plan_count
from host.claims.counts import keep_count, kept_counts
from host.claims.records import BoxCount, Resolution
from host.claims.schema import box_count_lines, box_counts
from host.claims.views import ClaimState, Source, find_claims, list_claims, list_counts, list_periods
from host.fleet.incidents import list_incidents
from host.ledger.kinds import AccountState, Booking, ClaimReason, Outcome
from host.ledger.reading import kept_outcomes
from host.ledger.reconcile import Counts, reconcile
from host.ledger.resolving import Ruling
from host.ledger.schema import accounts, note_conflicts, note_outcomes, resolutions, transactions
from tests.host.bench import ANNA, BORIS, Bench, build_bench
from tests.host.boxes import (
    NEXT_PERIOD,
    THIRD_PERIOD,
    count,
    counted,
    exchanged,
    exchanged_box,
    incident_codes,
    key_of,
    number_of,
    opened,
    path_is_empty,
    removed,
    replicate,
    told,
)
from tests.host.terminal import (
    BOX_PERIOD,
    OUTCOME_CREDITED,
    OUTCOME_IN_DOUBT,
    OUTCOME_RETURNED,
    BenchTerminal,
    Note,
    an_id,
)
from tests.host.test_settlement import CASH, IN_DOUBT, SUSPENSE, UNCONFIRMED, answer, balances, moved
from tests.host.test_verify import corrupt, findings

NOTES = (Note(1), Note(3, 500), Note(4, 500, OUTCOME_RETURNED), Note(2, outcome=OUTCOME_IN_DOUBT))
TWO_DOUBTS = (Note(1), Note(2, outcome=OUTCOME_IN_DOUBT), Note(3, outcome=OUTCOME_IN_DOUBT))


def stories(bench: Bench, note: int = 2) -> list[tuple[int, Outcome, Booking]]:
    """A note's outcomes as they are kept."""
    with bench.engine.begin() as connection:
        kept = list(kept_outcomes(connection, note_outcomes.c.note_id == an_id(note)))
    return [(one.settled.note.outcome_number, one.settled.note.outcome, one.settled.booking) for one in kept]


def agrees(bench: Bench) -> bool:
    with bench.engine.begin() as connection:
        return all(line.agrees for line in reconcile(connection))


def test_what_is_over_covers_the_claim_and_the_customer_has_the_money(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    before = balances(bench)
    made, (resolved,) = count(bench, {"20 EUR": 2, "5 EUR": 1})
    assert moved(bench, before) == {UNCONFIRMED: 2_000, IN_DOUBT: -2_000, CASH: -2_000, ANNA: 2_000}
    assert [line.verdict for line in made.count.lines] == [Verdict.EXACT, Verdict.COVERED]
    assert [line.verdict for line in made.lines] == [Verdict.EXACT, Verdict.EXACT]
    assert resolved.resolution.key == key_of(2)
    assert stories(bench) == [
        (1, Outcome.IN_DOUBT, Booking.IN_DOUBT),
        (2, Outcome.CREDITED, Booking.CUSTOMER),
    ]
    with bench.engine.begin() as connection:
        (claim,) = find_claims(connection, number_of(2))
        linked = select(transactions.c.kind, transactions.c.deposit_id).join_from(
            transactions, resolutions, transactions.c.resolution_no == resolutions.c.resolution_no
        )
        assert [row[1] for row in connection.execute(linked)] == [claim.deposit_id]
        assert list_claims(connection) == ()
    assert (claim.state, claim.outcomes[-1].source) == (ClaimState.CREDITED, Source.COUNT)
    assert incident_codes(bench) == []
    assert findings(bench) == ()
    assert agrees(bench)


@pytest.mark.parametrize(
    ("pieces", "codes"),
    [
        ({"20 EUR": 3, "5 EUR": 1}, ["claims-not-covered", "claims-not-covered"]),
        ({"20 EUR": 1, "5 EUR": 1}, ["claims-not-covered"]),
        ({"5 EUR": 1}, ["box-short"]),
        ({"20 EUR": 2, "5 EUR": 1}, ["claims-not-covered"]),
        ({"20 EUR": 1, "10 EUR": 4}, ["claims-not-covered", "box-over", "box-short"]),
    ],
)
def test_anything_else_books_nothing_and_asks_for_a_person(
    bench: Bench, pieces: Mapping[str, int], codes: list[str]
) -> None:
    exchanged_box(bench, (*TWO_DOUBTS, Note(4, outcome=OUTCOME_IN_DOUBT), Note(5, 500)))
    before = balances(bench)
    _, resolved = count(bench, pieces)
    assert (resolved, moved(bench, before)) == ((), {})
    assert sorted(set(incident_codes(bench))) == sorted(set(codes))
    assert len(stories(bench)) == 1
    assert findings(bench) == ()


def test_all_claims_of_a_denomination_close_together_and_what_is_over_beyond_them_is_an_incident(bench: Bench) -> None:
    exchanged_box(bench, TWO_DOUBTS)
    _, resolved = count(bench, {"20 EUR": 4})
    assert {one.resolution.key for one in resolved} == {key_of(2), key_of(3)}
    assert incident_codes(bench) == ["box-over"]
    assert findings(bench) == ()
    assert not agrees(bench)


def test_a_box_that_holds_more_than_the_books_is_told_and_nothing_is_booked(bench: Bench) -> None:
    exchanged_box(bench, (Note(1),))
    before = balances(bench)
    count(bench, {"20 EUR": 2, "50 EUR": 1})
    assert moved(bench, before) == {}
    assert incident_codes(bench) == ["box-over", "box-over"]


def test_the_same_count_again_is_the_same_answer(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    first, _ = count(bench, {"20 EUR": 2, "5 EUR": 1})
    after = balances(bench)
    bench.clock.now_us += 86_400 * 1_000_000
    again, resolved = count(bench, {"5 EUR": 1, "20 EUR": 2, "50 EUR": 0}, by="otto")
    assert (again.count, again.fresh, resolved) == (first.count, False, ())
    assert balances(bench) == after
    with bench.engine.begin() as connection:
        assert len(list_counts(connection)) == 1


def test_another_count_of_the_same_box_is_a_new_one_beside_the_first_and_closes_nothing_for_its_more_pieces(
    bench: Bench,
) -> None:
    exchanged_box(bench, NOTES)
    count(bench, {"20 EUR": 1, "5 EUR": 1})
    before = balances(bench)
    made, resolved = count(bench, {"20 EUR": 2, "5 EUR": 1}, by="otto")
    assert (made.count.number, resolved, moved(bench, before)) == (2, (), {})
    assert (made.lines[1].verdict, made.lines[1].obstacle) == (Verdict.PERSONS, Obstacle.RECOUNT)
    assert incident_codes(bench) == ["claims-not-covered", "box-recounted", "count-undecided"]
    with bench.engine.begin() as connection:
        kept = [one.count for one in kept_counts(connection)]
        (recounted,) = [one.text for one in list_incidents(connection) if one.code == "box-recounted"]
    assert [(one.number, one.counted_by) for one in kept] == [(1, "eva"), (2, "otto")]
    assert recounted.endswith("both are kept. 20.00 EUR: 1 then 2")
    assert findings(bench) == ()


def test_a_recount_closes_what_it_has_no_more_of(bench: Bench) -> None:
    """The first count named one denomination wrong, and another as it is; what waited is covered by both."""
    terminal = exchanged_box(bench, NOTES)
    place = terminal.write(journal_pb2.NoteStacked(note_id=an_id(2), outcome_number=2)).sequence
    replicate(bench, terminal)
    count(bench, {"20 EUR": 2})
    count(bench, {"20 EUR": 2, "5 EUR": 1})
    answer(bench, terminal.advice(1, [Note(2, outcome_number=2)], account=ANNA, place=place))
    made, _ = count(bench, {"20 EUR": 2, "5 EUR": 1})
    assert [line.verdict for line in made.lines] == [Verdict.EXACT, Verdict.EXACT]
    assert findings(bench) == ()


def test_nobody_gets_a_claim_closed_by_counting_a_third_time(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    count(bench, {"20 EUR": 1, "5 EUR": 1})
    count(bench, {"20 EUR": 2, "5 EUR": 1})
    for pieces in ({"20 EUR": 2, "5 EUR": 1}, {"20 EUR": 2, "5 EUR": 2}):
        made, resolved = count(bench, pieces)
        assert (made.lines[1].verdict, resolved) == (Verdict.PERSONS, ())


def test_a_recount_of_fewer_pieces_takes_no_credit_away(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    count(bench, {"20 EUR": 2, "5 EUR": 1})
    after = balances(bench)
    count(bench, {"20 EUR": 1, "5 EUR": 1})
    assert balances(bench) == after
    assert incident_codes(bench) == ["box-recounted", "box-short"]
    assert findings(bench) == ()
    assert not agrees(bench)


def test_a_box_that_is_still_in_cannot_be_counted(bench: Bench) -> None:
    terminal = exchanged_box(bench, NOTES)
    with pytest.raises(CountError, match="has not ended"):
        count(bench, {"20 EUR": 1}, NEXT_PERIOD)
    exchanged(terminal, THIRD_PERIOD)
    with pytest.raises(CountError, match="has not ended"):
        count(bench, {"20 EUR": 1}, NEXT_PERIOD)  # that it ended has not come here yet
    replicate(bench, terminal)
    count(bench, {"20 EUR": 1}, NEXT_PERIOD)


def test_a_count_that_cannot_be_is_refused_and_nothing_is_kept(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    cases = {
        "no box period": counted({}, an_id(7)),
        "a name has": counted({}, by=" "),
        "printable": counted({}, by="e\nva"),
        "somebody else": counted({}, by="Eva", witness="eva "),
        "a value above zero": counted({"0 EUR": 1}),
        "0 to 1000000 pieces": counted({"5 EUR": 10**7}),
    }
    for reason, wrong in cases.items():
        with bench.engine.begin() as connection, pytest.raises(CountError, match=reason):
            plan_count(connection, wrong, 1)
    with bench.engine.begin() as connection:
        unknown = replace(counted({}), terminal_id=TerminalId("T-9"))
        with pytest.raises(CountError, match="no terminal T-9"):
            plan_count(connection, unknown, 1)
        assert list_counts(connection) == ()


def test_a_period_is_named_by_its_last_eight_characters_as_well(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    made, _ = count(bench, {"20 EUR": 2}, BOX_PERIOD[-8:].lower())
    assert made.count.box_period_id == BOX_PERIOD


def test_two_periods_that_end_alike_want_the_whole_id(bench: Bench) -> None:
    terminal = exchanged_box(bench, NOTES)
    exchanged(terminal, BOX_PERIOD.replace("7", "6", 1) if "7" in BOX_PERIOD else BOX_PERIOD[::-1])
    exchanged(terminal, THIRD_PERIOD)
    replicate(bench, terminal)
    with pytest.raises(CountError, match="give the whole id"):
        count(bench, {"20 EUR": 2}, BOX_PERIOD[-8:])
    assert count(bench, {"20 EUR": 2}, BOX_PERIOD)[0].count.box_period_id == BOX_PERIOD


def test_a_plan_of_a_count_keeps_nothing(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    before = balances(bench)
    with bench.engine.begin() as connection:
        made = plan_count(connection, counted({"20 EUR": 2, "5 EUR": 1}), bench.clock.now_us)
        assert list_counts(connection) == ()
        assert len(list_claims(connection)) == 1
    assert [credit.key for credit in made.credits] == [key_of(2)]
    assert moved(bench, before) == {}


def test_a_credit_to_an_account_that_takes_nothing_lies_in_suspense_and_the_claim_stays_open(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    with bench.engine.begin() as connection:
        connection.execute(accounts.update().where(accounts.c.account_id == ANNA).values(state=AccountState.BLOCKED))
    before = balances(bench)
    count(bench, {"20 EUR": 2, "5 EUR": 1})
    assert moved(bench, before) == {UNCONFIRMED: 2_000, IN_DOUBT: -2_000, CASH: -2_000, SUSPENSE: 2_000}
    with bench.engine.begin() as connection:
        (claim,) = list_claims(connection)
    assert (claim.reason, claim.state) == (ClaimReason.ACCOUNT_UNUSABLE, ClaimState.SUSPENSE)
    assert findings(bench) == ()
    assert agrees(bench)


# --- books that are not complete --------------------------------------------------------------------------------------


def test_a_note_that_is_not_settled_yet_is_not_taken_for_the_one_in_doubt(bench: Bench) -> None:
    """The journal has the deposit, its advice is on its way: the piece that is over may be its note."""
    terminal = bench.enrol("T-1")
    opened(terminal, BOX_PERIOD)
    first = terminal.write_deposit(1, NOTES, ANNA)
    second = terminal.write_deposit(2, (Note(11),), ANNA)
    exchanged(terminal, NEXT_PERIOD)
    replicate(bench, terminal)
    answer(bench, terminal.advice(1, NOTES, account=ANNA, place=first))
    made, resolved = count(bench, {"20 EUR": 3, "5 EUR": 1})
    assert (made.lines[1].verdict, resolved) == (Verdict.WAITING, ())
    assert incident_codes(bench) == ["count-waits"]
    answer(bench, terminal.advice(2, [Note(11)], account=ANNA, place=second))
    made, resolved = count(bench, {"20 EUR": 3, "5 EUR": 1})
    assert (made.count.number, len(resolved)) == (1, 1)
    assert findings(bench) == ()
    assert agrees(bench)


def test_a_doubt_that_the_terminal_has_decided_itself_is_left_to_its_settlement(bench: Bench) -> None:
    terminal = exchanged_box(bench, NOTES)
    terminal.write(journal_pb2.NoteReturned(note_id=an_id(2), outcome_number=2))
    replicate(bench, terminal)
    made, resolved = count(bench, {"20 EUR": 2, "5 EUR": 1})
    assert (made.lines[1].verdict, resolved) == (Verdict.WAITING, ())


def test_notes_that_were_only_given_back_keep_no_count_waiting(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    opened(terminal, BOX_PERIOD)
    terminal.write_deposit(1, (Note(1, outcome=OUTCOME_RETURNED),), ANNA)
    exchanged(terminal, NEXT_PERIOD)
    replicate(bench, terminal)
    made, _ = count(bench, {})
    assert made.lines == ()
    assert agrees(bench)


# --- a doubt that spans periods ---------------------------------------------------------------------------------------


def spanning(bench: Bench) -> BenchTerminal:
    """A doubt of the first period that was under way at the exchange, and one of the second period."""
    terminal = exchanged_box(bench, NOTES, spans=True)
    opened_deposit = journal_pb2.DepositOpened(
        deposit_id=key_of(21, 2).deposit_id, account_id=ANNA, currency="EUR", box_period_id=NEXT_PERIOD
    )
    terminal.write(opened_deposit)
    value = money_pb2.Money(minor=2_000, currency="EUR")
    terminal.write(journal_pb2.NoteEscrowed(note_id=an_id(21), deposit_id=opened_deposit.deposit_id, value=value))
    terminal.write(journal_pb2.NoteInDoubt(note_id=an_id(21), outcome_number=1))
    place = terminal.write(journal_pb2.DepositClosed(deposit_id=opened_deposit.deposit_id)).sequence
    path_is_empty(terminal)
    exchanged(terminal, THIRD_PERIOD)
    replicate(bench, terminal)
    advice = terminal.advice(2, [Note(21, outcome=OUTCOME_IN_DOUBT)], account=ANNA, place=place, period=NEXT_PERIOD)
    answer(bench, advice)
    return terminal


def test_a_doubt_that_spans_two_periods_is_closed_by_the_count_of_either(bench: Bench) -> None:
    spanning(bench)
    _, resolved = count(bench, {"20 EUR": 2}, NEXT_PERIOD)
    assert {one.resolution.key for one in resolved} == {key_of(2), key_of(21, 2)}
    assert {one.resolution.box_period_id for one in resolved} == {NEXT_PERIOD}
    count(bench, {"20 EUR": 1, "5 EUR": 1})
    assert incident_codes(bench) == []
    assert findings(bench) == ()
    assert agrees(bench)
    with bench.engine.begin() as connection:
        lies = {(line.pile.box_period_id, line.pile.minor): line.host for line in reconcile(connection)}
    assert lies == {
        (BOX_PERIOD, 500): Counts(credited=1),
        (BOX_PERIOD, 2_000): Counts(credited=1),
        (NEXT_PERIOD, 2_000): Counts(credited=2),
    }


def test_a_doubt_that_spans_two_periods_weighs_on_the_second_until_the_first_is_counted(bench: Bench) -> None:
    spanning(bench)
    _, resolved = count(bench, {"20 EUR": 1}, NEXT_PERIOD)
    assert resolved == ()
    assert agrees(bench), "one of the two lies there, and nobody knows which"
    _, resolved = count(bench, {"20 EUR": 2, "5 EUR": 1})
    closed = {one.resolution.key: one.resolution.box_period_id for one in resolved}
    assert closed == {key_of(2): BOX_PERIOD, key_of(21, 2): NEXT_PERIOD}
    assert findings(bench) == ()
    assert agrees(bench)


# --- boxes of which not everything is known ---


def test_periods_without_an_exchange_between_them_may_share_a_box_and_close_nothing(bench: Bench) -> None:
    """The next period began on a new disk: whoever counts the box counts the notes of both."""
    terminal = bench.enrol("T-1")
    opened(terminal, BOX_PERIOD)
    place = terminal.write_deposit(1, NOTES, ANNA)
    path_is_empty(terminal)
    opened(terminal, NEXT_PERIOD)
    exchanged(terminal, THIRD_PERIOD)
    replicate(bench, terminal)
    answer(bench, terminal.advice(1, NOTES, account=ANNA, place=place))
    before = balances(bench)
    made, resolved = count(bench, {"20 EUR": 2, "5 EUR": 1})
    assert (resolved, moved(bench, before)) == ((), {})
    assert (made.lines[1].verdict, made.lines[1].obstacle) == (Verdict.PERSONS, Obstacle.NO_EXCHANGE)
    assert incident_codes(bench) == ["count-undecided"]
    with bench.engine.begin() as connection:
        seen = [(view.period.ended_at_us is not None, view.period.exchanged) for view in list_periods(connection)]
    assert seen == [(True, False), (True, True), (False, False)]
    assert findings(bench) == ()


@pytest.mark.parametrize("known", [True, False])
def test_a_find_of_unknown_value_leaves_every_denomination_of_its_box_to_persons(bench: Bench, *, known: bool) -> None:
    terminal = bench.enrol("T-1")
    opened(terminal, BOX_PERIOD)
    place = terminal.write_deposit(1, (Note(2, outcome=OUTCOME_IN_DOUBT),), ANNA)
    value = money_pb2.Money(minor=500, currency="EUR") if known else None
    found = journal_pb2.NoteFound(note_id=an_id(9), box_period_id=BOX_PERIOD, value=value, outcome_number=1)
    terminal.write(found)
    path_is_empty(terminal)
    exchanged(terminal, NEXT_PERIOD)
    replicate(bench, terminal)
    answer(bench, terminal.advice(1, [Note(2, outcome=OUTCOME_IN_DOUBT)], account=ANNA, place=place))
    made, resolved = count(bench, {"20 EUR": 1, "5 EUR": 1})
    assert len(resolved) == (1 if known else 0)
    assert {line.obstacle for line in made.lines} == ({None} if known else {Obstacle.UNKNOWN_FIND})
    assert findings(bench) == ()


# --- a note that may lie in the next box ---


def test_a_note_that_was_stacked_after_its_box_was_out_covers_no_stranger_s_doubt(bench: Bench) -> None:
    """The books have it in the first box, and its piece may be what is over in the second."""
    terminal = bench.enrol("T-1")
    opened(terminal, BOX_PERIOD)
    first = begin_note(terminal, 1, BOX_PERIOD)
    removed(terminal)
    terminal.write(journal_pb2.NoteStacked(note_id=an_id(1), outcome_number=1))
    opened(terminal, NEXT_PERIOD)
    second = begin_note(terminal, 2, NEXT_PERIOD)
    terminal.write(journal_pb2.NoteInDoubt(note_id=an_id(2), outcome_number=1))
    path_is_empty(terminal)
    exchanged(terminal, THIRD_PERIOD)
    replicate(bench, terminal)
    answer(bench, terminal.advice(1, [Note(1)], account=ANNA, place=first))
    doubt = [Note(2, outcome=OUTCOME_IN_DOUBT)]
    answer(bench, terminal.advice(2, doubt, account=ANNA, place=second, period=NEXT_PERIOD))
    before = balances(bench)
    made, resolved = count(bench, {"20 EUR": 1}, NEXT_PERIOD)
    assert (resolved, moved(bench, before)) == ((), {})
    assert (made.lines[0].verdict, made.lines[0].obstacle) == (Verdict.PERSONS, Obstacle.ANOTHER_BOX)
    made, _ = count(bench, {}, BOX_PERIOD)
    assert (made.lines[0].verdict, made.lines[0].obstacle) == (Verdict.SHORT, Obstacle.ANOTHER_BOX)
    assert incident_codes(bench) == ["count-undecided", "box-short"]
    assert all("may lie in the other" in incident.text for incident in told(bench))
    assert findings(bench) == ()


def begin_note(terminal: BenchTerminal, number: int, period: str) -> int:
    """A deposit of one note of 20 EUR that is in escrow; gives the place of an advice about it."""
    deposit = key_of(number, number).deposit_id
    terminal.write(journal_pb2.DepositOpened(deposit_id=deposit, account_id=ANNA, currency="EUR", box_period_id=period))
    value = money_pb2.Money(minor=2_000, currency="EUR")
    terminal.write(journal_pb2.NoteEscrowed(note_id=an_id(number), deposit_id=deposit, value=value))
    return 1_000_000


def test_a_count_that_closed_what_was_for_persons_is_found(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    count(bench, {"20 EUR": 1, "5 EUR": 1})
    made, _ = count(bench, {"20 EUR": 2, "5 EUR": 1})
    with bench.engine.begin() as connection:
        ruling = Ruling(key_of(2), Outcome.CREDITED, BOX_PERIOD, count_number=made.count.number)
        bench.host.resolver.resolve(connection, [ruling])
    assert [finding.text for finding in findings(bench)] == ["was for persons to decide: more than was counted before"]


# --- what the terminal says later -------------------------------------------------------------------------------------


@pytest.mark.parametrize("spans", [False, True], ids=["its own box", "the next box"])
def test_a_terminal_that_says_the_same_later_has_the_same_answer(bench: Bench, *, spans: bool) -> None:
    terminal = exchanged_box(bench, NOTES, spans=spans)
    if spans:
        exchanged(terminal, THIRD_PERIOD)
        replicate(bench, terminal)
        count(bench, {"20 EUR": 1}, NEXT_PERIOD)
    else:
        count(bench, {"20 EUR": 2, "5 EUR": 1})
    before = balances(bench)
    place = terminal.write(journal_pb2.NoteStacked(note_id=an_id(2), outcome_number=2)).sequence
    replicate(bench, terminal)
    later = terminal.advice(1, [Note(2, outcome_number=2)], account=ANNA, place=place)
    (said,) = answer(bench, later).notes
    assert (said.booking, said.claim_number) == (pb.BOOKING_CUSTOMER, "")
    assert answer(bench, later).notes[0] == said
    assert moved(bench, before) == {}
    assert incident_codes(bench) == []
    assert findings(bench) == ()
    assert agrees(bench)


def test_a_terminal_that_says_otherwise_later_is_a_conflict_that_is_kept_and_alarmed(bench: Bench) -> None:
    terminal = exchanged_box(bench, NOTES)
    count(bench, {"20 EUR": 2, "5 EUR": 1})
    before = balances(bench)
    place = terminal.write(journal_pb2.NoteReturned(note_id=an_id(2), outcome_number=2)).sequence
    replicate(bench, terminal)
    later = terminal.advice(1, [Note(2, outcome=OUTCOME_RETURNED, outcome_number=2)], account=ANNA, place=place)
    (said,) = answer(bench, later).notes
    assert said.booking == pb.BOOKING_CONFLICT
    assert moved(bench, before) == {}
    assert incident_codes(bench) == ["settlement-conflict"]
    with bench.engine.begin() as connection:
        assert connection.execute(select(note_conflicts.c.outcome)).scalars().all() == [Outcome.RETURNED]
    assert stories(bench)[-1] == (2, Outcome.CREDITED, Booking.CUSTOMER)
    assert findings(bench) == ()
    assert not agrees(bench), "books and journal say two things, and a person must know"


def test_a_conflict_is_for_persons_and_keeps_no_count_waiting(bench: Bench) -> None:
    """A count credited it, its terminal says later that it was returned: the box is counted once more."""
    terminal = exchanged_box(bench, (*NOTES, Note(5, outcome=OUTCOME_IN_DOUBT)))
    terminal.write(journal_pb2.NoteReturned(note_id=an_id(5), outcome_number=2))
    place = terminal.write(journal_pb2.NoteReturned(note_id=an_id(2), outcome_number=2)).sequence
    count(bench, {"20 EUR": 3, "5 EUR": 1})
    replicate(bench, terminal)
    made, _ = count(bench, {"20 EUR": 3, "5 EUR": 1})
    assert made.lines[1].verdict is Verdict.WAITING
    returned = [Note(number, outcome=OUTCOME_RETURNED, outcome_number=2) for number in (2, 5)]
    answer(bench, terminal.advice(1, returned, account=ANNA, place=place))
    made, _ = count(bench, {"20 EUR": 3, "5 EUR": 1})
    assert [line.verdict for line in made.lines] == [Verdict.EXACT, Verdict.PERSONS]
    assert "terminal and books differ" in told(bench)[-1].text
    assert findings(bench) == ()


def test_a_later_outcome_that_was_refused_keeps_no_count_waiting(bench: Bench) -> None:
    """The terminal credits its doubt to another account than it had: nobody books that, and nobody waits for it."""
    terminal = exchanged_box(bench, NOTES)
    place = terminal.write(journal_pb2.NoteStacked(note_id=an_id(2), outcome_number=2)).sequence
    replicate(bench, terminal)
    (said,) = answer(bench, terminal.advice(1, [Note(2, outcome_number=2)], account=BORIS, place=place)).notes
    assert said.booking == pb.BOOKING_CONFLICT
    made, resolved = count(bench, {"20 EUR": 2, "5 EUR": 1})
    assert (made.lines[1].in_doubt, made.lines[1].verdict, resolved) == (1, Verdict.PERSONS, ())
    assert incident_codes(bench) == ["settlement-conflict", "count-undecided"]


def test_what_the_terminal_settles_before_the_count_is_not_closed_twice(bench: Bench) -> None:
    terminal = exchanged_box(bench, NOTES)
    place = terminal.write(journal_pb2.NoteStacked(note_id=an_id(2), outcome_number=2)).sequence
    replicate(bench, terminal)
    answer(bench, terminal.advice(1, [Note(2, outcome_number=2)], account=ANNA, place=place))
    made, resolved = count(bench, {"20 EUR": 2, "5 EUR": 1})
    assert resolved == ()
    assert {line.verdict for line in made.lines} == {Verdict.EXACT}


# --- lists ------------------------------------------------------------------------------------------------------------


def test_periods_tell_what_ended_what_is_counted_and_what_the_books_have(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    with bench.engine.begin() as connection:
        first, second = list_periods(connection)
        assert list_periods(connection, "T-2") == ()
    assert (first.period.box_period_id, first.count, second.period.ended_at_us) == (BOX_PERIOD, None, None)
    assert first.period.ended_at_us is not None
    assert [(str(line.value), line.credited, line.in_doubt) for line in first.lines] == [
        ("5.00 EUR", 1, 0),
        ("20.00 EUR", 1, 1),
    ]
    count(bench, {"20 EUR": 2, "5 EUR": 1})
    with bench.engine.begin() as connection:
        first, _ = list_periods(connection, "T-1")
    assert first.count is not None
    assert [(line.pieces, line.credited, line.verdict) for line in first.lines] == [
        (1, 1, Verdict.EXACT),
        (2, 2, Verdict.EXACT),
    ]


# --- kept for ever, and checked from the ground -----------------------------------------------------------------------


def closed_by_count(bench: Bench) -> None:
    """By the second count; the first waited for a note that was not settled."""
    terminal = exchanged_box(bench, NOTES)
    late = terminal.write_deposit(2, (Note(11, 2_000),), ANNA)
    replicate(bench, terminal)
    count(bench, {"20 EUR": 3})
    answer(bench, terminal.advice(2, [Note(11)], account=ANNA, place=late))
    count(bench, {"20 EUR": 3, "5 EUR": 1})


@pytest.mark.parametrize(
    ("table", "statement", "check"),
    [
        ("box_count_lines", "UPDATE box_count_lines SET pieces = 9 WHERE count_number = 1 AND in_doubt = 0", "count"),
        ("box_count_lines", "DELETE FROM box_count_lines WHERE count_number = 2 AND value_minor = 500", "count"),
        ("box_count_lines", "UPDATE box_count_lines SET verdict = 'over' WHERE verdict = 'covers the doubts'", "count"),
        ("box_counts", "UPDATE box_counts SET counted_by = 'mallory' WHERE count_number = 2", "count"),
        ("box_counts", "UPDATE box_counts SET counted_at_us = 7 WHERE count_number = 1", "count"),
        ("box_counts", "UPDATE box_counts SET signature = x'00' WHERE count_number = 1", "count"),
        ("resolutions", "UPDATE resolutions SET outcome = 'not-found'", "resolution"),
        ("resolutions", "UPDATE resolutions SET count_number = 1", "resolution"),
        ("resolutions", "UPDATE resolutions SET resolved_at_us = 7", "resolution"),
        ("resolutions", "UPDATE resolutions SET signature = x'00'", "resolution"),
        ("resolutions", "UPDATE resolutions SET account_id = 'mallory'", "resolution"),
        ("resolutions", "UPDATE resolutions SET value_minor = 1", "resolution"),
        ("resolutions", "UPDATE resolutions SET account_id = NULL, currency = NULL, value_minor = NULL", "resolution"),
        ("note_outcomes", "UPDATE note_outcomes SET account_id = 'mallory' WHERE outcome_number = 2", "resolution"),
        ("note_outcomes", "UPDATE note_outcomes SET box_period_id = 'other' WHERE outcome_number = 2", "resolution"),
        ("note_outcomes", "UPDATE note_outcomes SET outcome = 'returned' WHERE outcome_number = 2", "resolution"),
        ("note_outcomes", "UPDATE note_outcomes SET outcome_number = 3 WHERE outcome_number = 2", "resolution"),
        ("note_outcomes", "UPDATE note_outcomes SET booking = 'suspense' WHERE outcome_number = 2", "posting"),
        ("note_outcomes", "DELETE FROM note_outcomes WHERE outcome_number = 2", "resolution"),
        ("note_outcomes", "UPDATE note_outcomes SET outcome = 'credited' WHERE outcome = 'in-doubt'", "advice"),
        ("postings", "UPDATE postings SET amount_minor = 1 WHERE amount_minor = 2000 AND account_id = "
         "'training/cash-unconfirmed/T-1/EUR'", "balance"),
        ("claims", "UPDATE claims SET closed_at_us = NULL", "claim"),
    ],
)  # fmt: skip
def test_a_tampered_count_resolution_or_posting_is_found(bench: Bench, table: str, statement: str, check: str) -> None:
    closed_by_count(bench)
    assert findings(bench) == ()
    corrupt(bench, table, statement)
    assert check in {finding.check for finding in findings(bench)}


@pytest.mark.parametrize(
    ("statements", "check"),
    [
        (("DELETE FROM resolutions",), "resolution"),
        (("DELETE FROM box_counts WHERE count_number = 1",), "count"),
        (("DELETE FROM box_counts WHERE count_number = 2",), "resolution"),
    ],
)
def test_a_count_or_a_resolution_that_is_gone_is_found(bench: Bench, statements: tuple[str, ...], check: str) -> None:
    closed_by_count(bench)
    with bench.engine.begin() as connection:
        for table in ("box_counts", "resolutions"):
            connection.execute(text(f"DROP TRIGGER {table}_no_delete"))
    for statement in statements:
        without_keys(bench, statement)
    assert check in {finding.check for finding in findings(bench)}


def test_a_count_of_a_period_that_the_journal_does_not_have_is_found(bench: Bench) -> None:
    exchanged_box(bench, NOTES)
    signer = bench.host.keys.signer
    with bench.engine.begin() as connection:
        keep_count(connection, BoxCount("T-1", an_id(7), 1, "mallory", "", 1, ()), signer)
    (found,) = findings(bench)
    assert (found.check, found.text) == ("count", "is of a period that the journal does not have")


def test_a_count_of_fewer_pieces_than_it_credited_is_found_even_if_it_is_signed(bench: Bench) -> None:
    """Whoever has the host's key can sign a count; the books still do not follow from it."""
    closed_by_count(bench)
    with bench.engine.begin() as connection:
        kept = list(kept_counts(connection))[-1].count
    lines = tuple(replace(line, pieces=line.pieces - 1) if line.in_doubt else line for line in kept.lines)
    forged = replace(kept, lines=lines)
    signature = bench.host.keys.signer.sign(Domain.BOX_COUNT, forged.content())
    with bench.engine.begin() as connection:
        for table in ("box_counts", "box_count_lines"):
            connection.execute(text(f"DROP TRIGGER {table}_no_update"))
        connection.execute(
            text("UPDATE box_count_lines SET pieces = 2, verdict = 'nothing over for the doubts' "
                 "WHERE count_number = 2 AND value_minor = 2000")
        )  # fmt: skip
        statement = text("UPDATE box_counts SET signature = :signature WHERE count_number = 2")
        connection.execute(statement, {"signature": signature})
    assert [finding.text for finding in findings(bench)] == [
        "2 x 20.00 EUR were counted, 3 are credited, found or withheld"
    ]


def test_a_count_that_closed_one_claim_and_left_another_that_it_covers_is_found(bench: Bench) -> None:
    exchanged_box(bench, TWO_DOUBTS)
    with bench.engine.begin() as connection:
        made = plan_count(connection, counted({"20 EUR": 3}), 1)
        keep_count(connection, made.count, bench.host.keys.signer)
        bench.host.resolver.resolve(connection, made.rulings[:1])
    (found,) = findings(bench)
    assert found.text == f"note {an_id(3)} has the same claim on this count, and is open"


def test_a_resolution_that_an_earlier_version_signed_without_its_subject_still_stands(bench: Bench) -> None:
    closed_by_count(bench)
    with bench.engine.begin() as connection:
        row = connection.execute(select(resolutions)).one()
        key = NoteKey(row.terminal_id, row.deposit_id, row.note_id)
        made = (row.outcome_number, row.outcome, row.box_period_id, row.count_number)
        early = Resolution(key, *made, None, row.resolved_at_us, None).content()
        assert json.loads(early)[:2] == ["guichet resolution", 1]
        signature = bench.host.keys.signer.sign(Domain.CLAIM_RESOLUTION, early)
        connection.execute(text("DROP TRIGGER resolutions_no_update"))
        columns = "account_id = NULL, currency = NULL, value_minor = NULL, signature = :signature"
        connection.execute(text(f"UPDATE resolutions SET {columns}"), {"signature": signature})  # noqa: S608 - of this test
    assert findings(bench) == ()
    corrupt(bench, "note_outcomes", "UPDATE note_outcomes SET account_id = 'mallory' WHERE outcome_number = 2")
    assert "resolution" in {finding.check for finding in findings(bench)}


def test_a_resolution_of_what_was_never_in_doubt_is_found(bench: Bench) -> None:
    closed_by_count(bench)
    corrupt(bench, "note_outcomes", "UPDATE note_outcomes SET outcome = 'found' WHERE outcome = 'in-doubt'")
    assert "follows no doubt" in {finding.text for finding in findings(bench)}


def without_keys(bench: Bench, statement: str) -> None:
    """What somebody with the file in hand can do, whatever else names the row."""
    with bench.engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        assert isinstance(driver, sqlite3.Connection)
        connection.rollback()
        driver.execute("PRAGMA query_only = OFF")
        driver.execute("PRAGMA foreign_keys = OFF")
        driver.execute(statement)
        driver.execute("PRAGMA foreign_keys = ON")


def test_the_database_itself_refuses_to_change_what_was_counted(bench: Bench) -> None:
    closed_by_count(bench)
    with bench.engine.begin() as connection:
        for table in (box_counts, box_count_lines, resolutions, note_outcomes):
            for statement in (table.delete(), table.update().values(terminal_id="T-2")):
                with pytest.raises(IntegrityError, match="append-only"):
                    connection.execute(statement)


def test_an_outcome_comes_from_an_advice_or_from_a_resolution_and_never_from_both(bench: Bench) -> None:
    closed_by_count(bench)
    columns = [column for column in note_outcomes.c if column.name not in ("note_id", "advice_hash", "resolution_no")]
    with bench.engine.begin() as connection:
        for advice, resolution in ((null(), null()), (literal(b"x"), literal(1))):
            row = select(*columns, literal("x"), advice, resolution).limit(1)
            names = [*(column.name for column in columns), "note_id", "advice_hash", "resolution_no"]
            with pytest.raises(IntegrityError, match="one_source"):
                connection.execute(note_outcomes.insert().from_select(names, row))


# --- whatever lies where ----------------------------------------------------------------------------------------------

OUTCOMES = st.sampled_from((OUTCOME_CREDITED, OUTCOME_IN_DOUBT, OUTCOME_IN_DOUBT, OUTCOME_RETURNED))
LATER = st.sampled_from((None, None, OUTCOME_CREDITED, OUTCOME_RETURNED))


@given(
    drawn=st.lists(st.tuples(OUTCOMES, st.sampled_from((500, 2_000)), LATER), min_size=1, max_size=6),
    counts=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=2),
    terminal_first=st.booleans(),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_counted_and_whatever_the_terminal_says_the_books_stay_good(
    migrated: Path,
    drawn: list[tuple[pb.Outcome.ValueType, int, pb.Outcome.ValueType | None]],
    counts: list[tuple[int, int]],
    *,
    terminal_first: bool,
) -> None:
    """Counts that are right or wrong, and a terminal that decides its doubts itself before or after them."""
    bench = build_bench(migrated)
    notes = [Note(number, minor, outcome) for number, (outcome, minor, _) in enumerate(drawn)]
    terminal = exchanged_box(bench, notes)
    later = [
        Note(number, minor, after, outcome_number=2)
        for number, (outcome, minor, after) in enumerate(drawn)
        if outcome == OUTCOME_IN_DOUBT and after is not None
    ]
    before = balances(bench)

    def counted_now() -> None:
        for fives, twenties in counts:
            count(bench, {"5 EUR": fives, "20 EUR": twenties})

    def told_now() -> None:
        for note in later:
            fact = journal_pb2.NoteStacked if note.outcome == OUTCOME_CREDITED else journal_pb2.NoteReturned
            terminal.write(fact(note_id=an_id(note.number), outcome_number=2))
        replicate(bench, terminal)
        if later:
            answer(bench, terminal.advice(1, later, account=ANNA, place=terminal.entries[-1].sequence))

    for step in (told_now, counted_now) if terminal_first else (counted_now, told_now):
        step()
        assert findings(bench) == ()
    assert moved(bench, before).get(ANNA, 0) >= 0
    with bench.engine.begin() as connection:
        kept = list(kept_outcomes(connection))
        pieces = {one.count.number: one.count.pieces for one in kept_counts(connection)}
        by_count = [one for one in connection.execute(select(resolutions)) if one.count_number is not None]
    last = {one.settled.note.note_id: one.settled.note for one in kept}
    for resolution in by_count:
        value = last[NoteId(resolution.note_id)].value
        certain = [note for note in last.values() if note.value == value and note.outcome is Outcome.CREDITED]
        assert len(certain) <= pieces[resolution.count_number].get(value, 0)
    bench.host.store.close()
