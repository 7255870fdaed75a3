"""Deposits that began while the host was away: the limits that it signs, and whose the money is."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from guichet.ids import TerminalId
from guichet.money import parse_money
from guichet.offline import (
    DAY_US,
    MAX_LIFE_US,
    Limit,
    Limits,
    OfflineError,
    limits_bytes,
    parse_limits,
    start_message,
    start_of,
)
from guichet.seams import Domain
from guichet.signing import verify
from guichet.v1 import offline_pb2
from guichet.v1 import settlement_pb2 as pb
from guichet.v1 import terminal_link_pb2 as link_pb
from host.customers.demo import PEOPLE, account_id
from host.customers.schema import CardState, cards
from host.fleet.incidents import list_incidents
from host.ledger.advice import BadAdvice, parse_advice
from host.ledger.booking import Place
from host.ledger.kinds import AccountKind, AccountState, Ledger
from host.ledger.schema import accounts
from host.ledger.verify import verify_books
from host.offline.bounds import Began, outside
from host.offline.limits import UnknownTerminal, newest, set_limits
from host.offline.schema import Resolved, offline_deposits, offline_limits
from host.services.server import Ports
from tests.host.bench import ANNA, BORIS, Bench
from tests.host.terminal import (
    OUTCOME_CREDITED,
    OUTCOME_IN_DOUBT,
    OUTCOME_RETURNED,
    BenchTerminal,
    Note,
    deposit_id,
)
from tests.host.test_link import line
from tests.host.test_settlement import answer, balances, is_good, moved, settle

ANNAS = PEOPLE[0].cards[0][0]
BORISS = PEOPLE[1].cards[0][0]
EXPIRED = PEOPLE[2].cards[0][0]
BLOCKED = PEOPLE[3].cards[0][0]
UNKNOWN = "4761730000000000"
LIMIT = Limit("476173", parse_money("100 EUR"), parse_money("150 EUR"), 2)
PLACE = Place(Ledger.TRAINING, "T-1", "EUR")
CASH, SUSPENSE = PLACE.account(AccountKind.CASH_IN_TERMINAL), PLACE.account(AccountKind.SUSPENSE)


def allowed(bench: Bench, *limits: Limit, name: str = "T-1", life_us: int = DAY_US) -> Limits:
    """What is signed for the terminal now."""
    with bench.engine.begin() as connection:
        signer, now_us = bench.host.keys.signer, bench.clock.now_us
        return set_limits(connection, signer, TerminalId(name), limits, life_us, "somebody", now_us).limits


@pytest.fixture
def terminal(bench: Bench) -> BenchTerminal:
    """An enrolled terminal with limits for Anna's BIN, and a clock an hour later."""
    enrolled = bench.enrol("T-1")
    enrolled.limits_number = allowed(bench, LIMIT).number
    bench.clock.now_us += 3_600_000_000
    return enrolled


def incidents(bench: Bench) -> list[tuple[str, str]]:
    with bench.engine.begin() as connection:
        return sorted((one.code, one.text) for one in list_incidents(connection))


def resolved(bench: Bench) -> list[Resolved]:
    with bench.engine.begin() as connection:
        return list(connection.execute(select(offline_deposits.c.resolved)).scalars())


# --- whose it is ----------------------------------------------------------------------------------------------------


def test_a_card_stands_for_its_holders_account_that_takes_deposits(bench: Bench, terminal: BenchTerminal) -> None:
    before = balances(bench)
    start = terminal.without_host(1, ANNAS, bench.clock.now_us)
    said = answer(bench, terminal.advice(1, [Note(1), Note(2, 5_000)], account="", offline=start))
    assert {note.booking for note in said.notes} == {pb.BOOKING_CUSTOMER}
    assert moved(bench, before) == {CASH: -7_000, ANNA: 7_000}
    assert resolved(bench) == [Resolved.ACCOUNT]
    assert incidents(bench) == []
    assert is_good(bench)


@pytest.mark.parametrize(
    ("pan", "why"),
    [
        (UNKNOWN, Resolved.UNKNOWN_CARD),
        (EXPIRED, Resolved.CARD_EXPIRED),
        (BLOCKED, Resolved.CARD_BLOCKED),
    ],
)
def test_where_there_is_no_account_it_goes_to_suspense_with_a_claim(
    bench: Bench, terminal: BenchTerminal, pan: str, why: Resolved
) -> None:
    before = balances(bench)
    start = terminal.without_host(1, pan, bench.clock.now_us)
    said = answer(bench, terminal.advice(1, [Note(1)], account="", offline=start))
    assert said.notes[0].booking == pb.BOOKING_SUSPENSE
    assert said.notes[0].claim_number
    assert moved(bench, before) == {CASH: -2_000, SUSPENSE: 2_000}
    assert resolved(bench) == [why]
    assert is_good(bench)


@pytest.mark.parametrize(
    "change",
    [
        update(accounts).where(accounts.c.account_id == ANNA).values(state=AccountState.BLOCKED),
        update(accounts).where(accounts.c.account_id == ANNA).values(takes_deposits=False),
    ],
    ids=["blocked", "takes no deposits"],
)
def test_an_account_that_cannot_be_credited_is_none(bench: Bench, terminal: BenchTerminal, change: object) -> None:
    with bench.engine.begin() as connection:
        connection.execute(change)  # type: ignore[call-overload]
    start = terminal.without_host(1, ANNAS, bench.clock.now_us)
    said = answer(bench, terminal.advice(1, [Note(1)], account="", offline=start))
    assert said.notes[0].booking == pb.BOOKING_SUSPENSE
    assert resolved(bench) == [Resolved.NO_ACCOUNT]


def test_of_several_accounts_the_first_by_product_and_number_is_taken(bench: Bench, terminal: BenchTerminal) -> None:
    with bench.engine.begin() as connection:
        row = dict(connection.execute(select(accounts).where(accounts.c.account_id == ANNA)).mappings().one())
        connection.execute(insert(accounts), {**row, "account_id": "b", "product": "Account for every day"})
        connection.execute(
            insert(accounts), {**row, "account_id": "a", "product": "Account for every day", "number": "Z"}
        )
        connection.execute(
            insert(accounts), {**row, "account_id": "0", "product": "AAA", "currency": "USD", "number": "AAA"}
        )
    before = balances(bench)
    start = terminal.without_host(1, ANNAS, bench.clock.now_us)
    answer(bench, terminal.advice(1, [Note(1)], account="", offline=start))
    assert moved(bench, before) == {CASH: -2_000, "b": 2_000}


def test_a_card_is_judged_by_the_day_on_which_the_deposit_began(bench: Bench, terminal: BenchTerminal) -> None:
    """It may come a year later."""
    with bench.engine.begin() as connection:
        today = bench.host.calendar.today()
        good = update(cards).where(cards.c.pan_index == bench.host.module.pan_index(ANNAS))
        connection.execute(good.values(expiry=f"{today:%y%m}"))
    start = terminal.without_host(1, ANNAS, bench.clock.now_us)
    bench.clock.now_us += 365 * DAY_US
    said = answer(bench, terminal.advice(1, [Note(1)], account="", offline=start))
    assert said.notes[0].booking == pb.BOOKING_CUSTOMER


@pytest.mark.parametrize("sealed_for", [b"pan", b"offline-deposit/other"])
def test_a_number_that_was_not_sealed_for_this_deposit_is_not_read(
    bench: Bench, terminal: BenchTerminal, sealed_for: bytes
) -> None:
    """Copied from another deposit, or from a log-in."""
    start = terminal.without_host(1, ANNAS, bench.clock.now_us, sealed_for=sealed_for)
    said = answer(bench, terminal.advice(1, [Note(1)], account="", offline=start))
    assert said.notes[0].booking == pb.BOOKING_SUSPENSE
    assert [code for code, _ in incidents(bench)] == ["offline-card-unreadable"]


def test_a_live_terminal_and_a_training_one_know_only_their_own_cards(bench: Bench) -> None:
    live = bench.enrol("L-1", Ledger.LIVE)
    allowed(bench, LIMIT, name="L-1")
    start = live.without_host(1, ANNAS, bench.clock.now_us)
    said = answer(bench, live.advice(1, [Note(1)], account="", simulated=False, offline=start))
    assert said.notes[0].booking == pb.BOOKING_SUSPENSE
    assert resolved(bench) == [Resolved.UNKNOWN_CARD]


def test_what_is_refused_leaves_no_trace_of_its_card(bench: Bench, terminal: BenchTerminal) -> None:
    live = bench.enrol("L-1", Ledger.LIVE)
    settle(bench, live.advice(1, [Note(1)], account="", offline=live.without_host(1, ANNAS, 1)))
    forged = terminal.advice(1, [Note(1)], account="", offline=terminal.without_host(1, ANNAS, 1))
    settle(bench, link_pb.SignedAdvice(content=forged.content, signature=live.signed(forged.content).signature))
    assert resolved(bench) == []


# --- once for ever --------------------------------------------------------------------------------------------------


def test_the_same_advice_has_the_same_answer_whatever_has_become_of_the_card(
    bench: Bench, terminal: BenchTerminal
) -> None:
    signed = terminal.advice(1, [Note(1)], account="", offline=terminal.without_host(1, ANNAS, bench.clock.now_us))
    first = settle(bench, signed)
    block(bench, ANNAS)
    assert settle(bench, signed, signed) == (first[0], first[0])


@pytest.mark.parametrize("before", [True, False], ids=["good at first", "blocked at first"])
def test_a_later_advice_goes_where_the_first_of_its_deposit_went(
    bench: Bench, terminal: BenchTerminal, before: bool
) -> None:
    start = terminal.without_host(1, ANNAS, bench.clock.now_us)
    if not before:
        block(bench, ANNAS)
    at_first = balances(bench)
    answer(bench, terminal.advice(1, [Note(1), Note(2, outcome=OUTCOME_IN_DOUBT)], account="", offline=start))
    block(bench, ANNAS, CardState.BLOCKED if before else CardState.ACTIVE)
    later = Note(2, outcome=OUTCOME_CREDITED, outcome_number=2)
    said = answer(bench, terminal.advice(1, [later], account="", place=1_000_001, offline=start))
    assert said.notes[0].booking == (pb.BOOKING_CUSTOMER if before else pb.BOOKING_SUSPENSE)
    assert moved(bench, at_first) == {CASH: -4_000, (ANNA if before else SUSPENSE): 4_000}
    assert is_good(bench)


def test_two_advices_of_a_deposit_in_one_batch_go_to_one_account(bench: Bench, terminal: BenchTerminal) -> None:
    """A note of another currency got stuck in it, and its advice comes first."""
    start = terminal.without_host(1, ANNAS, bench.clock.now_us)
    dollars = terminal.advice(
        1, [Note(1, currency="USD", outcome=OUTCOME_IN_DOUBT)], account="", currency="USD", offline=start
    )
    euros = terminal.advice(1, [Note(2)], account="", offline=start)
    before = balances(bench)
    settle(bench, dollars, euros)
    assert moved(bench, before)[ANNA] == 2_000
    assert resolved(bench) == [Resolved.ACCOUNT]
    assert is_good(bench)


def test_another_card_under_the_same_deposit_changes_nothing_and_is_an_incident(
    bench: Bench, terminal: BenchTerminal
) -> None:
    before = balances(bench)
    for number, pan in ((1, ANNAS), (2, BORISS)):
        start = terminal.without_host(1, pan, bench.clock.now_us, prefix=pan[:6])
        answer(bench, terminal.advice(1, [Note(number)], account="", offline=start))
    assert moved(bench, before) == {CASH: -4_000, ANNA: 4_000}
    assert BORIS not in moved(bench, before)
    assert "offline-another-card" in [code for code, _ in incidents(bench)]


# --- limits ---------------------------------------------------------------------------------------------------------


def deposits(bench: Bench, terminal: BenchTerminal, *amounts: int, pan: str = ANNAS, first: int = 1) -> None:
    """One deposit an amount, each of one note."""
    for number, minor in enumerate(amounts, first):
        start = terminal.without_host(number, pan, bench.clock.now_us)
        answer(bench, terminal.advice(number, [Note(number, minor)], account="", offline=start))


def outside_limits(bench: Bench) -> str:
    assert {code for code, _ in incidents(bench)} <= {"offline-outside-limits"}
    return " | ".join(text for _, text in incidents(bench))


def test_within_the_limits_there_is_no_incident(bench: Bench, terminal: BenchTerminal) -> None:
    deposits(bench, terminal, 5_000, 5_000)
    assert outside_limits(bench) == ""
    bench.clock.now_us += DAY_US // 2


def test_over_the_limits_it_is_booked_all_the_same_with_an_incident(bench: Bench, terminal: BenchTerminal) -> None:
    before = balances(bench)
    deposits(bench, terminal, 8_000, 4_000, 5_000)
    assert moved(bench, before) == {CASH: -17_000, ANNA: 17_000}
    said = outside_limits(bench)
    assert "come to 17000 minor units, over 150.00 EUR a terminal" in said
    assert "come to 12000 minor units, over 100.00 EUR a card" in said
    assert "3 deposits that day, over 2" in said
    assert is_good(bench)


def test_a_doubt_that_came_back_counts_no_more(bench: Bench, terminal: BenchTerminal) -> None:
    start = terminal.without_host(1, ANNAS, bench.clock.now_us)
    answer(bench, terminal.advice(1, [Note(1, 9_000, OUTCOME_IN_DOUBT)], account="", offline=start))
    answer(bench, terminal.advice(1, [Note(1, 9_000, OUTCOME_RETURNED, 2)], account="", place=1_000_001, offline=start))
    deposits(bench, terminal, 9_000, first=2)
    assert outside_limits(bench) == ""


def test_a_list_that_the_terminal_never_had_is_an_incident(bench: Bench, terminal: BenchTerminal) -> None:
    start = terminal.without_host(1, ANNAS, bench.clock.now_us, number=9)
    answer(bench, terminal.advice(1, [Note(1)], account="", offline=start))
    assert "list 9, which this terminal never had" in outside_limits(bench)


def test_a_card_of_another_bin_than_the_limits_is_an_incident(bench: Bench, terminal: BenchTerminal) -> None:
    start = terminal.without_host(1, BORISS, bench.clock.now_us, prefix="476173")
    answer(bench, terminal.advice(1, [Note(1)], account="", offline=start))
    assert "is not of BIN 476173" in outside_limits(bench)


ONE = Began(TerminalId("T-1"), "d", b"anna", 1, "476173", "EUR", 100, 1_000)
LIST = Limits(TerminalId("T-1"), 1, 50, 200, (LIMIT,))


@pytest.mark.parametrize(
    ("one", "limits", "said"),
    [
        (ONE, LIST, ""),
        (ONE, None, "never had"),
        (replace(ONE, started_at_us=200), LIST, "was not good"),
        (replace(ONE, started_at_us=49), LIST, "was not good"),
        (replace(ONE, bin="541333"), LIST, "no limit for BIN 541333 in EUR"),
        (replace(ONE, currency="USD"), LIST, "no limit for BIN 476173 in USD"),
    ],
)
def test_what_is_outside_is_told(one: Began, limits: Limits | None, said: str) -> None:
    assert said in " ".join(outside(one, limits, [one]))
    assert bool(said) == bool(list(outside(one, limits, [one])))


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b"]), st.integers(0, 9_000)), min_size=1, max_size=6))
def test_it_is_told_of_exactly_when_a_sum_is_over(made: list[tuple[bytes, int]]) -> None:
    day = [replace(ONE, deposit_id=str(n), pan_index=pan, minor=minor) for n, (pan, minor) in enumerate(made)]
    mine = [one.minor for one in day if one.pan_index == day[0].pan_index]
    over = [sum(one.minor for one in day) > 15_000, sum(mine) > 10_000, sum(minor > 0 for minor in mine) > 2]
    assert len(list(outside(day[0], LIST, day))) == sum(over)


def test_a_list_is_numbered_by_its_second_and_never_lower_than_the_one_before(bench: Bench) -> None:
    bench.enrol("T-1")
    bench.clock.now_us = 1_796_057_100_999_999  # 30 November 2026, 16:45:00 UTC, and the rest of that second
    numbers = [allowed(bench, LIMIT).number for _ in range(2)]
    bench.clock.now_us -= DAY_US
    numbers.append(allowed(bench).number)
    assert numbers == [20261130164500, 20261130164501, 20261130164502]


def test_a_host_from_a_backup_gives_no_number_again(bench: Bench) -> None:
    bench.enrol("T-1")
    allowed(bench, LIMIT)
    backup = bench.backup()
    bench.clock.now_us += 1_000_000
    lost = allowed(bench, LIMIT, life_us=30 * DAY_US)
    bench.come_back_from(backup)
    bench.clock.now_us += 1_000_000
    assert allowed(bench).number > lost.number


def test_lists_are_numbered_signed_and_stay(bench: Bench, terminal: BenchTerminal) -> None:
    second = allowed(bench)
    with bench.engine.begin() as connection:
        counts = newest(connection, TerminalId("T-1"))
        assert counts is not None
        assert (counts.limits, counts.set_by, counts.good(bench.clock.now_us)) == (second, "somebody", False)
        rows = connection.execute(select(offline_limits).order_by(offline_limits.c.number)).all()
    assert [row.number for row in rows] == [terminal.limits_number, second.number]
    for row in rows:
        verify(bench.host.keys.signer.public_key(), Domain.OFFLINE_LIMITS, row.content, row.signature)
    for statement in (update(offline_limits).values(number=7), delete(offline_limits), delete(offline_deposits)):
        deposits(bench, terminal, 1_000, first=len(incidents(bench)) + 1)
        with pytest.raises(IntegrityError, match="append-only"), bench.engine.begin() as connection:
            connection.execute(statement)
    with pytest.raises(UnknownTerminal):
        allowed(bench, LIMIT, name="T-9")


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE offline_limits SET signature = x'00'", "offline"),
        ("UPDATE offline_limits SET number = 5", "offline"),
        ("UPDATE offline_deposits SET account_id = 'another'", "offline"),
    ],
)
def test_verify_finds_an_altered_list_and_an_altered_account(
    bench: Bench, terminal: BenchTerminal, statement: str, found: str
) -> None:
    deposits(bench, terminal, 1_000)
    with bench.engine.begin() as connection:
        for table in ("offline_limits", "offline_deposits"):
            connection.execute(text(f"DROP TRIGGER {table}_no_update"))
        connection.execute(text(statement))
        findings = verify_books(connection, bench.host.keys.signer.public_key()).findings
    assert found in {finding.check for finding in findings}


def test_verify_finds_that_nobody_kept_whose_card_it_was(bench: Bench, terminal: BenchTerminal) -> None:
    """Without it nothing says whose the money is: the advice names a card only."""
    deposits(bench, terminal, 1_000)
    with bench.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER offline_deposits_no_delete"))
        connection.execute(text("DELETE FROM offline_deposits"))
        findings = verify_books(connection, bench.host.keys.signer.public_key()).findings
    assert {finding.check for finding in findings} == {"offline"}


# --- what a terminal hears ------------------------------------------------------------------------------------------


async def test_a_terminal_hears_its_list_at_hello_and_a_newer_one_with_the_next_heartbeat(
    bench: Bench, ports: Ports
) -> None:
    terminal = bench.enrol("T-1")
    async with line(terminal, ports, hello=False) as said:
        assert not (await said.say(hello=link_pb.Hello(epoch=1))).welcome.HasField("offline_limits")
        first = allowed(bench, LIMIT)
        heard = (await said.say(heartbeat=link_pb.Heartbeat())).noted.offline_limits
        assert parse_limits(heard.content) == first
        verify(terminal.answer_key, Domain.OFFLINE_LIMITS, heard.content, heard.signature)
        assert not (await said.say(heartbeat=link_pb.Heartbeat())).noted.HasField("offline_limits"), "it is told once"
        second = allowed(bench)
        assert parse_limits((await said.say(heartbeat=link_pb.Heartbeat())).noted.offline_limits.content) == second
    async with line(terminal, ports, hello=False) as said:
        welcome = (await said.say(hello=link_pb.Hello(epoch=1))).welcome
        assert parse_limits(welcome.offline_limits.content) == second


# --- the messages ---------------------------------------------------------------------------------------------------

START = offline_pb2.OfflineStart(
    sealed_pan=b"s", card_masked="**** 1234", limits_number=1, bin="476173", currency="EUR", started_at_us=1,
    card_mark=7,
)  # fmt: skip


def other(**fields: object) -> offline_pb2.OfflineStart:
    made = offline_pb2.OfflineStart()
    made.CopyFrom(START)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    "bad",
    [
        other(sealed_pan=b""), other(sealed_pan=bytes(1_025)), other(card_masked="4761739001010010"),
        other(card_masked=""), other(limits_number=0), other(bin="47617"), other(bin="476173900"),
        other(currency="XXX"),
        other(started_at_us=-1), other(started_at_us=2**63 - 1), other(card_mark=1_024),
    ],
)  # fmt: skip
def test_a_start_that_cannot_be_one_is_a_bad_advice(bench: Bench, bad: offline_pb2.OfflineStart) -> None:
    terminal = bench.enrol("T-1")
    with pytest.raises(OfflineError):
        start_of(bad)
    with pytest.raises(BadAdvice):
        parse_advice(terminal.advice(1, [Note(1)], account="", offline=bad).content)


def test_an_advice_names_an_account_or_a_card_and_not_both(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    assert start_message(start_of(START)) == START
    with pytest.raises(BadAdvice, match="not an account"):
        parse_advice(terminal.advice(1, [Note(1)], account=ANNA, offline=START).content)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Limit("47617", LIMIT.per_card, LIMIT.per_terminal, 1),
        lambda: Limit("47617X", LIMIT.per_card, LIMIT.per_terminal, 1),
        lambda: Limit("476173", parse_money("0 EUR"), LIMIT.per_terminal, 1),
        lambda: Limit("476173", parse_money("200 EUR"), LIMIT.per_terminal, 1),
        lambda: Limit("476173", parse_money("10 USD"), LIMIT.per_terminal, 1),
        lambda: Limit("476173", LIMIT.per_card, LIMIT.per_terminal, 0),
        lambda: replace(LIST, number=0),
        lambda: replace(LIST, expires_at_us=49),
        lambda: replace(LIST, expires_at_us=51 + MAX_LIFE_US),
        lambda: replace(LIST, limits=(LIMIT, LIMIT)),
        lambda: replace(LIST, limits=tuple(replace(LIMIT, bin=f"4761{n:02}") for n in range(33))),
        lambda: parse_limits(b"\xff"),
        lambda: parse_limits(offline_pb2.OfflineLimits(terminal_id="x", number=1).SerializeToString()),
    ],
)  # fmt: skip
def test_limits_that_cannot_be_some_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(OfflineError):
        make()


def test_a_list_comes_back_as_it_was_signed() -> None:
    assert parse_limits(limits_bytes(LIST)) == LIST


def test_the_database_knows_no_card_number_of_a_deposit_without_the_host(bench: Bench, terminal: BenchTerminal) -> None:
    deposits(bench, terminal, 1_000)
    deposits(bench, terminal, 1_000, pan=UNKNOWN, first=2)
    pool = bench.engine.raw_connection()
    assert isinstance(pool.driver_connection, sqlite3.Connection)
    dump = "\n".join(pool.driver_connection.iterdump())
    pool.close()
    for pan in (ANNAS, UNKNOWN):
        assert pan not in dump
        assert pan.encode().hex().upper() not in dump.upper()
    assert json.dumps(deposit_id(1)).strip('"') in dump
    assert account_id(PEOPLE[0].current) in dump


def block(bench: Bench, pan: str, state: CardState = CardState.BLOCKED) -> None:
    with bench.engine.begin() as connection:
        connection.execute(
            update(cards).where(cards.c.pan_index == bench.host.module.pan_index(pan)).values(state=state)
        )
