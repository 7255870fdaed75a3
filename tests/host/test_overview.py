"""Lists of deposits and claims cost what they show, not what the books hold."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Connection, event

from host.claims.views import list_claims
from host.ledger.overview import DepositState, list_deposits, open_claims
from tests.host.bench import ANNA, Bench
from tests.host.terminal import OUTCOME_IN_DOUBT, OUTCOME_RETURNED, BenchTerminal, Note, deposit_id
from tests.host.test_settlement import answer, settle

COUNT = 12
LIMIT = 3


def twelve_deposits(bench: Bench, name: str = "T-1") -> BenchTerminal:
    """Deposits 0 to 11, a second apart; a third of them each settled, with a claim, and in conflict."""
    terminal = bench.enrol(name)
    for number in range(COUNT):
        bench.clock.now_us += 1_000_000
        outcome = OUTCOME_IN_DOUBT if number % 3 == 1 else OUTCOME_RETURNED
        notes = [Note(number * 10, 2_000), Note(number * 10 + 1, 5_000, outcome)]
        answer(bench, terminal.advice(number, notes, account=ANNA))
        if number % 3 == 2:
            answer(bench, terminal.advice(number, [Note(number * 10, 1_000)], account=ANNA))
    return terminal


@dataclass
class Asked:
    """The statements that were run, with how many values each was given, and how SQLite goes about them."""

    values: list[int] = field(default_factory=list[int])
    steps: list[str] = field(default_factory=list[str])


@contextmanager
def watched(bench: Bench) -> Generator[Asked]:
    asked = Asked()
    explaining = False

    def before(connection: Connection, _cursor: object, statement: str, values: Sequence[object], *_: object) -> None:
        nonlocal explaining
        if explaining or not statement.startswith("SELECT"):
            return
        explaining = True
        asked.values.append(len(values))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(values))
        asked.steps += [str(step) for *_, step in plan]
        explaining = False

    event.listen(bench.engine, "before_cursor_execute", before)
    try:
        yield asked
    finally:
        event.remove(bench.engine, "before_cursor_execute", before)


def test_the_newest_deposits_are_listed_first_and_no_more_than_asked_for(bench: Bench) -> None:
    twelve_deposits(bench)
    with bench.engine.begin() as connection:
        found = list_deposits(connection, limit=LIMIT)
    assert [view.deposit_id for view in found] == [deposit_id(number) for number in (11, 10, 9)]
    assert [view.state for view in found] == [DepositState.CONFLICT, DepositState.CLAIM_OPEN, DepositState.SETTLED]
    assert [len(view.notes) for view in found] == [3, 2, 2]


def test_a_deposit_of_several_advices_is_listed_once_at_its_last_with_the_time_of_its_first(bench: Bench) -> None:
    terminal, first_us = twelve_deposits(bench), bench.clock.now_us - (COUNT - 1) * 1_000_000
    bench.clock.now_us += 1_000_000
    for number in (5, 6):
        answer(bench, terminal.advice(0, [Note(number)], account=ANNA))
    with bench.engine.begin() as connection:
        found = list_deposits(connection, limit=2)
    assert [view.deposit_id for view in found] == [deposit_id(0), deposit_id(11)]
    assert found[0].received_at_us == first_us
    assert len(found[0].notes) == 4


@pytest.mark.parametrize(
    ("state", "numbers"),
    [
        (DepositState.SETTLED, (9, 6, 3)),
        (DepositState.CLAIM_OPEN, (10, 7, 4)),
        (DepositState.CONFLICT, (11, 8, 5)),
    ],
)
def test_a_list_of_one_state_is_as_long_as_asked_for(
    bench: Bench, state: DepositState, numbers: tuple[int, ...]
) -> None:
    twelve_deposits(bench)
    with bench.engine.begin() as connection:
        found = list_deposits(connection, state=state, limit=LIMIT)
    assert [view.deposit_id for view in found] == [deposit_id(number) for number in numbers]
    assert {view.state for view in found} == {state}


def test_a_list_of_one_terminal_leaves_the_others_out(bench: Bench) -> None:
    twelve_deposits(bench)
    answer(bench, bench.enrol("T-2").advice(50, [Note(900)], account=ANNA))
    with bench.engine.begin() as connection:
        assert {view.terminal_id for view in list_deposits(connection, terminal="T-1", limit=LIMIT)} == {"T-1"}
        assert len(list_deposits(connection, terminal="T-2", limit=LIMIT)) == 1
        assert list_deposits(connection, terminal="T-3", limit=LIMIT) == ()


def _any(connection: Connection) -> object:
    return list_deposits(connection, limit=LIMIT)


def _of_one_terminal(connection: Connection) -> object:
    return list_deposits(connection, terminal="T-1", limit=LIMIT)


def _with_claims(connection: Connection) -> object:
    return list_deposits(connection, state=DepositState.CLAIM_OPEN, limit=LIMIT)


@pytest.mark.parametrize("ask", [_any, _of_one_terminal, _with_claims, open_claims, list_claims])
def test_a_list_walks_indexes_and_sorts_nothing_that_it_does_not_show(
    bench: Bench, ask: Callable[[Connection], object]
) -> None:
    twelve_deposits(bench)
    with watched(bench) as asked, bench.engine.begin() as connection:
        ask(connection)
    scans = [step for step in asked.steps if step.startswith("SCAN") and "USING INDEX ix_advices_received" not in step]
    assert [step for step in scans if "advices" in step or "note_outcomes" in step or "note_conflicts" in step] == []
    others = [step for step in asked.steps if step.startswith("SEARCH other")]
    assert all("(terminal_id=? AND deposit_id=?" in step for step in others)
    assert max(asked.values) <= 4 * LIMIT + 1


def test_settling_a_batch_reads_its_own_deposits_and_not_all_that_ever_were(bench: Bench) -> None:
    terminals = (twelve_deposits(bench), bench.enrol("T-2"))
    batch = [terminal.advice(90, [Note(900)], account=ANNA) for terminal in terminals]
    with watched(bench) as asked:
        assert len(settle(bench, *batch)) == len(batch)
    assert [step for step in asked.steps if step.startswith("SCAN note_outcomes")] == []


def test_what_was_credited_is_told_per_currency_with_the_account_s_own_first(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    dollars = [Note(1, 10_000, currency="USD"), Note(2, 2_000, OUTCOME_RETURNED, currency="USD")]
    answer(bench, terminal.advice(1, dollars, account=ANNA, currency="USD"))
    answer(bench, terminal.advice(1, [Note(3, 2_000)], account=ANNA))
    with bench.engine.begin() as connection:
        (found,) = list_deposits(connection)
    assert [str(money) for money in found.credited] == ["20.00 EUR"]
    assert found.state is DepositState.CLAIM_OPEN
    assert {str(note.value) for note in found.notes} == {"100.00 USD", "20.00 USD", "20.00 EUR"}


def test_an_open_claim_is_told_with_its_note_s_value(bench: Bench) -> None:
    terminal = twelve_deposits(bench)
    answer(bench, terminal.advice(1, [Note(11, 5_000, outcome_number=2)], account=ANNA))
    with bench.engine.begin() as connection:
        found = open_claims(connection)
    assert [claim.deposit_id for claim in found] == [deposit_id(number) for number in (4, 7, 10)]
    assert {str(claim.value) for claim in found} == {"50.00 EUR"}
