"""What is booked for which outcome, and that saying it again changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from guichet.ids import TerminalId
from guichet.seams import Domain
from guichet.signing import verify
from guichet.v1 import settlement_pb2 as pb
from guichet.v1.terminal_link_pb2 import SignedAdvice
from host.claims.schema import claims
from host.fleet.incidents import list_incidents
from host.fleet.standing import withdraw
from host.ledger.advice import BadAdvice, parse_advice
from host.ledger.booking import Place
from host.ledger.kinds import AccountKind, AccountState, Ledger
from host.ledger.schema import accounts, note_conflicts, postings
from host.ledger.settlement import Answer, Refusal, RefusalReason, Result, Submission
from host.ledger.verify import verify_books
from host.pki.schema import Withdrawal
from tests.host.bench import ANNA, BORIS, Bench, build_bench
from tests.host.terminal import (
    OUTCOME_CREDITED,
    OUTCOME_FOUND,
    OUTCOME_IN_DOUBT,
    OUTCOME_RETURNED,
    OUTCOME_WITHHELD,
    BenchTerminal,
    Note,
)

T1 = Place(Ledger.TRAINING, "T-1", "EUR")
CASH = T1.account(AccountKind.CASH_IN_TERMINAL)
UNCONFIRMED = T1.account(AccountKind.CASH_UNCONFIRMED)
SUSPENSE = T1.account(AccountKind.SUSPENSE)
IN_DOUBT = T1.account(AccountKind.IN_DOUBT)


def settle(bench: Bench, *signed: SignedAdvice) -> tuple[Result, ...]:
    batch = [Submission(parse_advice(each.content), each.signature) for each in signed]
    with bench.engine.begin() as connection:
        return bench.host.settlement.settle(connection, batch)


def answer(bench: Bench, signed: SignedAdvice) -> pb.SettlementAnswer:
    (result,) = settle(bench, signed)
    assert isinstance(result, Answer)
    verify(bench.host.keys.signer.public_key(), Domain.SETTLEMENT_ANSWER, result.content, result.signature)
    return pb.SettlementAnswer.FromString(result.content)


def balances(bench: Bench) -> dict[str, int]:
    """Every account's balance except those of other banks and what the customers had before."""
    query = select(postings.c.account_id, func.sum(postings.c.amount_minor)).group_by(postings.c.account_id)
    with bench.engine.begin() as connection:
        return {row[0]: row[1] for row in connection.execute(query)}


def moved(bench: Bench, before: dict[str, int]) -> dict[str, int]:
    after = balances(bench)
    changes = {account: after.get(account, 0) - before.get(account, 0) for account in after.keys() | before.keys()}
    return {account: change for account, change in changes.items() if change}


def is_good(bench: Bench) -> bool:
    with bench.engine.begin() as connection:
        return verify_books(connection, bench.host.keys.signer.public_key()).good


@pytest.mark.parametrize(
    ("outcome", "booking", "debit", "credit"),
    [
        (OUTCOME_CREDITED, pb.BOOKING_CUSTOMER, CASH, ANNA),
        (OUTCOME_IN_DOUBT, pb.BOOKING_IN_DOUBT, UNCONFIRMED, IN_DOUBT),
        (OUTCOME_FOUND, pb.BOOKING_SUSPENSE, CASH, SUSPENSE),
        (OUTCOME_WITHHELD, pb.BOOKING_SUSPENSE, CASH, SUSPENSE),
        (OUTCOME_RETURNED, pb.BOOKING_NOTHING, None, None),
    ],
)
def test_each_outcome_is_booked_as_the_table_says(
    bench: Bench, outcome: pb.Outcome.ValueType, booking: pb.Booking.ValueType, debit: str | None, credit: str | None
) -> None:
    terminal, before = bench.enrol("T-1"), balances(bench)
    said = answer(bench, terminal.advice(1, [Note(1, 2_000, outcome)], account=ANNA))
    expected = {} if debit is None or credit is None else {debit: -2_000, credit: 2_000}
    assert moved(bench, before) == expected
    assert said.notes[0].booking == booking
    assert bool(said.notes[0].claim_number) == (booking in (pb.BOOKING_SUSPENSE, pb.BOOKING_IN_DOUBT))
    assert said.business_date == said.value_date == bench.host.calendar.today().isoformat()
    assert is_good(bench)


def test_a_deposit_is_one_posting_to_its_customer(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    notes = [Note(1, 2_000), Note(2, 5_000), Note(3, 1_000, OUTCOME_RETURNED), Note(4, 1_000, OUTCOME_IN_DOUBT)]
    answer(bench, terminal.advice(1, notes, account=ANNA))
    with bench.engine.begin() as connection:
        query = select(postings.c.amount_minor).where(postings.c.account_id == ANNA)
        last = connection.execute(query.order_by(postings.c.posting_no.desc())).first()
        assert last is not None
        assert last[0] == 7_000


def test_the_same_advice_has_the_same_answer_for_ever(bench: Bench) -> None:
    terminal, before = bench.enrol("T-1"), balances(bench)
    signed = terminal.advice(1, [Note(1), Note(2, outcome=OUTCOME_IN_DOUBT)], account=ANNA)
    first = settle(bench, signed)
    once = moved(bench, before)
    bench.clock.now_us += 400 * 86_400 * 1_000_000
    assert settle(bench, signed, signed) == (first[0], first[0])
    assert moved(bench, before) == once


def test_an_advice_twice_in_one_batch_is_booked_once(bench: Bench) -> None:
    terminal, before = bench.enrol("T-1"), balances(bench)
    signed = terminal.advice(1, [Note(1)], account=ANNA)
    first, second = settle(bench, signed, signed)
    assert first == second
    assert moved(bench, before) == {CASH: -2_000, ANNA: 2_000}


def test_known_notes_in_another_advice_are_answered_as_before_and_new_ones_are_booked(bench: Bench) -> None:
    terminal, before = bench.enrol("T-1"), balances(bench)
    known = answer(bench, terminal.advice(1, [Note(1), Note(2, outcome=OUTCOME_IN_DOUBT)], account=ANNA))
    notes = [Note(2, outcome=OUTCOME_IN_DOUBT), Note(3), Note(1)]
    again = answer(bench, terminal.advice(1, notes, account=ANNA, closed_at_us=2))
    assert again.notes[0] == known.notes[1]
    assert again.notes[2] == known.notes[0]
    assert moved(bench, before)[ANNA] == 4_000
    assert is_good(bench)


@pytest.mark.parametrize(
    "other",
    [Note(1, 5_000), Note(1, outcome=OUTCOME_RETURNED), Note(1, outcome=OUTCOME_IN_DOUBT)],
    ids=["another value", "returned", "in doubt"],
)
def test_another_content_under_a_known_key_blocks_only_its_note_and_is_kept_and_alarmed(
    bench: Bench, other: Note
) -> None:
    terminal, before = bench.enrol("T-1"), balances(bench)
    answer(bench, terminal.advice(1, [Note(1)], account=ANNA))
    said = answer(bench, terminal.advice(1, [other, Note(2, 1_000)], account=ANNA))
    assert [note.booking for note in said.notes] == [pb.BOOKING_CONFLICT, pb.BOOKING_CUSTOMER]
    assert moved(bench, before) == {CASH: -3_000, ANNA: 3_000}
    with bench.engine.begin() as connection:
        assert [incident.code for incident in list_incidents(connection)] == ["settlement-conflict"]
        assert connection.execute(select(note_conflicts.c.value_minor)).all() == [(other.minor,)]
    assert is_good(bench)


def test_the_same_note_for_another_account_is_a_conflict(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    answer(bench, terminal.advice(1, [Note(1)], account=ANNA))
    before = balances(bench)
    said = answer(bench, terminal.advice(1, [Note(1)], account=BORIS))
    assert said.notes[0].booking == pb.BOOKING_CONFLICT
    assert moved(bench, before) == {}


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (OUTCOME_CREDITED, {CASH: -2_000, ANNA: 2_000}),
        (OUTCOME_RETURNED, {}),
        (OUTCOME_FOUND, {CASH: -2_000, SUSPENSE: 2_000}),
        (OUTCOME_WITHHELD, {CASH: -2_000, SUSPENSE: 2_000}),
    ],
)
def test_a_doubt_that_is_resolved_is_counter_posted(
    bench: Bench, later: pb.Outcome.ValueType, expected: dict[str, int]
) -> None:
    terminal, before = bench.enrol("T-1"), balances(bench)
    answer(bench, terminal.advice(1, [Note(1, outcome=OUTCOME_IN_DOUBT)], account=ANNA))
    answer(bench, terminal.advice(1, [Note(1, outcome=later, outcome_number=2)], account=ANNA))
    assert moved(bench, before) == expected
    with bench.engine.begin() as connection:
        still_open = connection.execute(select(func.count()).where(claims.c.closed_at_us.is_(None))).scalar_one()
    assert still_open == (1 if SUSPENSE in expected else 0)
    assert is_good(bench)


def test_what_was_found_can_be_credited_to_an_account_that_is_named_later(bench: Bench) -> None:
    terminal, before = bench.enrol("T-1"), balances(bench)
    answer(bench, terminal.advice(1, [Note(1, outcome=OUTCOME_FOUND)], account=""))
    answer(bench, terminal.advice(1, [Note(1, outcome_number=2)], account=BORIS))
    assert moved(bench, before) == {CASH: -2_000, BORIS: 2_000}
    assert is_good(bench)


@pytest.mark.parametrize("first", [OUTCOME_CREDITED, OUTCOME_RETURNED, OUTCOME_WITHHELD])
def test_what_is_settled_cannot_become_something_else(bench: Bench, first: pb.Outcome.ValueType) -> None:
    terminal = bench.enrol("T-1")
    answer(bench, terminal.advice(1, [Note(1, outcome=first)], account=ANNA))
    before = balances(bench)
    later = Note(1, outcome=OUTCOME_IN_DOUBT, outcome_number=2)
    assert answer(bench, terminal.advice(1, [later], account=ANNA)).notes[0].booking == pb.BOOKING_CONFLICT
    assert moved(bench, before) == {}


def test_a_later_outcome_waits_for_the_one_that_it_names(bench: Bench) -> None:
    terminal, before = bench.enrol("T-1"), balances(bench)
    later = terminal.advice(1, [Note(1, outcome_number=2)], account=ANNA)
    (refused,) = settle(bench, later)
    assert isinstance(refused, Refusal)
    assert refused.reason is RefusalReason.PREMATURE
    assert moved(bench, before) == {}
    answer(bench, terminal.advice(1, [Note(1, outcome=OUTCOME_IN_DOUBT)], account=ANNA))
    assert answer(bench, later).notes[0].booking == pb.BOOKING_CUSTOMER
    assert moved(bench, before) == {CASH: -2_000, ANNA: 2_000}


def test_both_outcomes_of_a_note_may_come_in_one_advice(bench: Bench) -> None:
    terminal, before = bench.enrol("T-1"), balances(bench)
    notes = [Note(1, outcome_number=2), Note(1, outcome=OUTCOME_IN_DOUBT)]
    said = answer(bench, terminal.advice(1, notes, account=ANNA))
    assert [note.booking for note in said.notes] == [pb.BOOKING_CUSTOMER, pb.BOOKING_IN_DOUBT]
    assert moved(bench, before) == {CASH: -2_000, ANNA: 2_000}
    assert is_good(bench)


@pytest.mark.parametrize("state", [AccountState.BLOCKED, AccountState.CLOSED])
def test_cash_for_an_account_that_cannot_take_it_goes_to_suspense_with_a_claim(
    bench: Bench, state: AccountState
) -> None:
    terminal, before = bench.enrol("T-1"), balances(bench)
    with bench.engine.begin() as connection:
        connection.execute(accounts.update().where(accounts.c.account_id == ANNA).values(state=state))
    said = answer(bench, terminal.advice(1, [Note(1)], account=ANNA))
    assert said.notes[0].booking == pb.BOOKING_SUSPENSE
    assert said.notes[0].claim_number
    assert moved(bench, before) == {CASH: -2_000, SUSPENSE: 2_000}


@pytest.mark.parametrize("account", ["", "nobody's", SUSPENSE], ids=["none", "unknown", "internal"])
def test_cash_for_no_customer_goes_to_suspense(bench: Bench, account: str) -> None:
    terminal, before = bench.enrol("T-1"), balances(bench)
    answer(bench, terminal.advice(1, [Note(1)], account=account))
    assert moved(bench, before) == {CASH: -2_000, SUSPENSE: 2_000}


def test_training_money_and_live_money_never_meet(bench: Bench) -> None:
    live, before = bench.enrol("T-2", Ledger.LIVE), balances(bench)
    said = answer(bench, live.advice(1, [Note(1)], account=ANNA, simulated=False))
    assert said.notes[0].booking == pb.BOOKING_SUSPENSE
    place = Place(Ledger.LIVE, "T-2", "EUR")
    cash, suspense = place.account(AccountKind.CASH_IN_TERMINAL), place.account(AccountKind.SUSPENSE)
    assert moved(bench, before) == {cash: -2_000, suspense: 2_000}


def test_a_simulated_device_is_refused_outside_training(bench: Bench) -> None:
    live, before = bench.enrol("T-2", Ledger.LIVE), balances(bench)
    (refused,) = settle(bench, live.advice(1, [Note(1)], account=ANNA, simulated=True))
    assert isinstance(refused, Refusal)
    assert refused.reason is RefusalReason.SIMULATED
    assert moved(bench, before) == {}


def test_an_advice_that_another_terminal_signed_is_refused(bench: Bench) -> None:
    mine, other = bench.enrol("T-1"), bench.enrol("T-2")
    content = mine.advice(1, [Note(1)], account=ANNA).content
    (refused,) = settle(bench, other.signed(content))
    assert isinstance(refused, Refusal)
    assert refused.reason is RefusalReason.BAD_SIGNATURE


def test_an_advice_of_an_earlier_key_is_settled_after_a_new_enrolment(bench: Bench) -> None:
    old = bench.enrol("T-1")
    bench.enrol("T-1")
    assert answer(bench, old.advice(1, [Note(1)], account=ANNA)).notes[0].booking == pb.BOOKING_CUSTOMER


def test_what_any_key_of_a_revoked_terminal_signs_comes_with_an_incident(bench: Bench) -> None:
    """Its old disk, too, that somebody kept: its key was only superseded."""
    old = bench.enrol("T-1")
    new = bench.enrol("T-1")
    with bench.engine.begin() as connection:
        assert withdraw(connection, TerminalId("T-1"), Withdrawal.REVOKED, bench.clock.now_us) == 1
    for number, terminal in enumerate((old, new), start=1):
        assert answer(bench, terminal.advice(number, [Note(1)], account=ANNA)).notes[0].booking == pb.BOOKING_CUSTOMER
        with bench.engine.begin() as connection:
            told = [incident for incident in list_incidents(connection) if incident.code == "advice-after-revocation"]
        assert len(told) == number


def broken(terminal: BenchTerminal, **changes: object) -> bytes:
    message = pb.DepositAdvice.FromString(terminal.advice(1, [Note(1)], account=ANNA).content)
    for name, value in changes.items():
        setattr(message, name, value)
    return message.SerializeToString()


def test_a_malformed_advice_says_what_is_wrong_with_it(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    cases = {
        b"\xff\xff\xff": "not an advice",
        broken(terminal, terminal_id="x"): "not a terminal id",
        broken(terminal, deposit_id="deposit"): "not an id",
        broken(terminal, currency="XXX"): "unknown currency",
        broken(terminal, currency="USD"): "EUR in a deposit of USD",
        broken(terminal, account_id="a\nb"): "account_id",
        terminal.advice(1, [Note(1), Note(1)], account=ANNA).content: "twice",
        terminal.advice(1, [Note(1, 0)], account=ANNA).content: "not above zero",
        terminal.advice(1, [Note(1, -5)], account=ANNA).content: "not above zero",
        terminal.advice(1, [Note(1, 10**16)], account=ANNA).content: "out of range",
        terminal.advice(1, [Note(1, outcome_number=0)], account=ANNA).content: "count from 1",
        terminal.advice(1, [Note(1, outcome=pb.OUTCOME_UNSPECIFIED)], account=ANNA).content: "does not know",
    }
    for content, text in cases.items():
        with pytest.raises(BadAdvice, match=text):
            parse_advice(content)


def test_a_claim_number_is_the_note_s_own_and_easy_to_read_out(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    notes = [Note(1, outcome=OUTCOME_IN_DOUBT), Note(2, outcome=OUTCOME_IN_DOUBT)]
    first, second = answer(bench, terminal.advice(1, notes, account=ANNA)).notes
    assert first.claim_number != second.claim_number
    assert [len(group) for group in first.claim_number.split("-")] == [4, 4, 4]
    later = Note(1, outcome=OUTCOME_FOUND, outcome_number=2)
    assert answer(bench, terminal.advice(1, [later], account=ANNA)).notes[0].claim_number == first.claim_number


# --- any order, any repetition, any batching ------------------------------------------------------------------------

Drawn = tuple[pb.Outcome.ValueType, int, pb.Outcome.ValueType | None]

OUTCOMES = st.sampled_from([OUTCOME_CREDITED, OUTCOME_RETURNED, OUTCOME_IN_DOUBT, OUTCOME_FOUND, OUTCOME_WITHHELD])
NOTES = st.tuples(
    OUTCOMES,
    st.sampled_from([500, 1_000, 2_000, 5_000]),
    st.none() | st.sampled_from([OUTCOME_CREDITED, OUTCOME_RETURNED, OUTCOME_FOUND, OUTCOME_WITHHELD]),
)
DEPOSITS = st.lists(
    st.tuples(st.sampled_from([ANNA, BORIS, "nobody's"]), st.lists(NOTES, min_size=1, max_size=4)),
    min_size=1,
    max_size=4,
)


def advices_of(terminal: BenchTerminal, deposits: list[tuple[str, list[Drawn]]]) -> list[SignedAdvice]:
    """Per deposit its first advice and, where doubts were resolved, the one that says so."""
    made: list[SignedAdvice] = []
    for index, (account, notes) in enumerate(deposits):
        first = [Note(index * 10 + i, minor, outcome) for i, (outcome, minor, _) in enumerate(notes)]
        made.append(terminal.advice(index, first, account=account))
        later = [
            Note(index * 10 + i, minor, after, outcome_number=2)
            for i, (outcome, minor, after) in enumerate(notes)
            if after is not None and outcome == OUTCOME_IN_DOUBT
        ]
        if later:
            made.append(terminal.advice(index, later, account=account))
    return made


@given(deposits=DEPOSITS, data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_repetition_and_batching_gives_the_same_books(
    migrated: Path, deposits: list[tuple[str, list[Drawn]]], data: st.DataObject
) -> None:
    straight, shaken = build_bench(migrated), build_bench(migrated)
    terminal = straight.enrol("T-1")
    copy = shaken.enrol("T-1")
    for signed in advices_of(terminal, deposits):
        answer(straight, signed)
    waiting = advices_of(copy, deposits)
    order = data.draw(st.permutations(waiting + data.draw(st.lists(st.sampled_from(waiting), max_size=5))))
    while order:
        size = data.draw(st.integers(1, len(order)))
        batch, order = order[:size], order[size:]
        results = settle(shaken, *batch)
        # What came too early comes again, as a terminal's outbox sends it.
        order += [signed for signed, result in zip(batch, results, strict=True) if isinstance(result, Refusal)]
    assert balances(shaken) == balances(straight)
    for made in (straight, shaken):
        assert is_good(made)
        made.host.store.close()
