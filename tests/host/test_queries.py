"""What a terminal asks for the person in front of it, over the wire."""

from __future__ import annotations

import datetime
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TypeAlias

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from guichet.pin import Key
from guichet.sealing import HpkeSealer
from guichet.v1 import customer_pb2 as pb
from guichet.v1 import customer_pb2_grpc
from host.customers.demo import PEOPLE, account_id, history
from host.customers.schema import cards, customer_sessions
from host.fleet.incidents import list_incidents
from host.hsm.counters import add_key
from host.ledger.kinds import Ledger
from host.ledger.statement import balance, statement
from host.services.server import Ports
from tests.host.bench import ANNA, BORIS, Bench, build_bench
from tests.host.terminal import BenchTerminal

ANNA_PAN, BORIS_PAN = "4761739001010010", "5413330089020011"
OVER_PAN, BLOCKED_PAN, UNKNOWN_PAN = "4761739001010119", "6011111111111117", "4111111111111111"
DEADLINE = 20.0
Stub: TypeAlias = "customer_pb2_grpc.CustomerQueriesAsyncStub"


@pytest.fixture
def terminal(bench: Bench) -> BenchTerminal:
    return bench.enrol("T-1")


@pytest.fixture
async def stub(terminal: BenchTerminal, ports: Ports) -> AsyncGenerator[Stub]:
    async with grpc.aio.secure_channel(f"localhost:{ports.port}", terminal.credentials()) as channel:
        yield customer_pb2_grpc.CustomerQueriesStub(channel)


async def authenticate(stub: Stub, request: pb.AuthenticateRequest) -> pb.AuthenticateResponse:
    return await stub.Authenticate(request, timeout=DEADLINE)


async def anna(stub: Stub, terminal: BenchTerminal) -> pb.Customer:
    response = await authenticate(stub, terminal.attempt(1, ANNA_PAN, "1234"))
    assert response.HasField("customer")
    return response.customer


async def refused(stub: Stub, terminal: BenchTerminal, pan: str, pin: str, expiry: str = "3112") -> tuple[int, int]:
    response = await authenticate(stub, terminal.attempt(1, pan, pin, expiry))
    assert response.HasField("refused")
    return response.refused.reason, response.refused.tries_left


async def test_the_right_pin_greets_the_customer_with_her_accounts(stub: Stub, terminal: BenchTerminal) -> None:
    customer = await anna(stub, terminal)
    assert customer.display_name == "Anna Ozoliņa"
    assert [(each.product, each.masked_number, each.takes_deposits) for each in customer.accounts] == [
        ("Current account", "**** 4711", True),
        ("Savings account", "**** 9902", False),
    ]
    assert customer.accounts[0].account_id == ANNA
    assert customer.session_token


async def test_three_wrong_pins_in_a_row_block_the_card_and_the_right_one_comes_too_late(
    stub: Stub, terminal: BenchTerminal
) -> None:
    assert await refused(stub, terminal, ANNA_PAN, "9999") == (pb.AUTHENTICATION_REFUSAL_WRONG_PIN, 2)
    assert await refused(stub, terminal, ANNA_PAN, "9999") == (pb.AUTHENTICATION_REFUSAL_WRONG_PIN, 1)
    assert await refused(stub, terminal, ANNA_PAN, "9999") == (pb.AUTHENTICATION_REFUSAL_PIN_BLOCKED, 0)
    assert await refused(stub, terminal, ANNA_PAN, "1234") == (pb.AUTHENTICATION_REFUSAL_PIN_BLOCKED, 0)
    assert (await authenticate(stub, terminal.attempt(1, BORIS_PAN, "4321"))).HasField("customer")


async def test_the_right_pin_forgets_the_wrong_ones_before_it(stub: Stub, terminal: BenchTerminal) -> None:
    for _ in range(3):
        for _ in range(2):
            await refused(stub, terminal, ANNA_PAN, "9999")
        await anna(stub, terminal)


async def test_cards_that_cannot_be_served_are_told_apart(stub: Stub, terminal: BenchTerminal) -> None:
    assert (await refused(stub, terminal, UNKNOWN_PAN, "1234"))[0] == pb.AUTHENTICATION_REFUSAL_UNKNOWN_CARD
    assert (await refused(stub, terminal, OVER_PAN, "1111"))[0] == pb.AUTHENTICATION_REFUSAL_CARD_EXPIRED
    assert (await refused(stub, terminal, BLOCKED_PAN, "2222"))[0] == pb.AUTHENTICATION_REFUSAL_CARD_BLOCKED
    assert (await refused(stub, terminal, ANNA_PAN, "1234", "2001"))[0] == pb.AUTHENTICATION_REFUSAL_CARD_EXPIRED


async def test_a_training_card_is_unknown_at_a_live_terminal(bench: Bench, ports: Ports) -> None:
    trained, live = bench.enrol("T-1"), bench.enrol("T-2", Ledger.LIVE)
    assert trained.pad is not None
    with bench.engine.begin() as connection:
        key_id = b"livelive"
        add_key(connection, key_id, live.name)
    trained.pad.key_id = key_id
    trained.pad.initial = Key(bench.host.module.initial_key(key_id))
    async with grpc.aio.secure_channel(f"localhost:{ports.port}", live.credentials()) as channel:
        stub: Stub = customer_pb2_grpc.CustomerQueriesStub(channel)
        reason, _ = await refused(stub, trained, ANNA_PAN, "1234")
    assert reason == pb.AUTHENTICATION_REFUSAL_UNKNOWN_CARD


async def code_of(stub: Stub, request: pb.AuthenticateRequest) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await authenticate(stub, request)
    return caught.value.code()


async def test_a_pin_block_is_taken_once_and_never_with_a_smaller_counter(
    bench: Bench, stub: Stub, terminal: BenchTerminal
) -> None:
    first = terminal.attempt(1, ANNA_PAN, "1234")
    second = terminal.attempt(1, ANNA_PAN, "1234")
    assert (await authenticate(stub, second)).HasField("customer")
    for replayed in (first, second):
        assert await code_of(stub, replayed) is grpc.StatusCode.INVALID_ARGUMENT
    with bench.engine.begin() as connection:
        assert {incident.code for incident in list_incidents(connection)} == {"pin-block-replayed"}


async def test_another_terminal_s_pad_is_refused(bench: Bench, stub: Stub) -> None:
    other = bench.enrol("T-2")
    assert await code_of(stub, other.attempt(1, ANNA_PAN, "1234")) is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_block_that_cannot_be_read_is_nobody_s_try(bench: Bench, stub: Stub, terminal: BenchTerminal) -> None:
    for _ in range(4):
        request = terminal.attempt(1, ANNA_PAN, "1234")
        request.pin_block = bytes(16)
        assert await code_of(stub, request) is grpc.StatusCode.INVALID_ARGUMENT
    with bench.engine.begin() as connection:
        assert {row[0] for row in connection.execute(select(cards.c.wrong_tries))} == {0}
    await anna(stub, terminal)


async def test_malformed_attempts_are_refused(stub: Stub, terminal: BenchTerminal) -> None:
    def attempt(**changes: object) -> pb.AuthenticateRequest:
        request = terminal.attempt(1, ANNA_PAN, "1234")
        for name, value in changes.items():
            setattr(request, name, value)
        return request

    seal = HpkeSealer(terminal.sealing_key).seal
    cases = (
        attempt(session_id="mine"),
        attempt(sealed_pan=b"no seal"),
        attempt(sealed_pan=seal(ANNA_PAN.encode(), b"another purpose")),
        attempt(sealed_pan=seal(b"4761 7390", b"pan")),
        attempt(sealed_pan=bytes(2_000)),
        attempt(pin_block=bytes(8)),
        attempt(pin_ksn=bytes(12)),
        attempt(pin_ksn=b"short"),
        attempt(expiry="1331"),
        attempt(expiry=""),
    )
    for request in cases:
        assert await code_of(stub, request) is grpc.StatusCode.INVALID_ARGUMENT


async def test_the_database_knows_neither_card_number_nor_pin_nor_token(
    bench: Bench, stub: Stub, terminal: BenchTerminal
) -> None:
    customer = await anna(stub, terminal)
    with bench.engine.begin() as connection:
        for table in (cards, customer_sessions):
            for row in connection.execute(select(table)):
                text = repr(tuple(row))
                assert ANNA_PAN not in text
                assert customer.session_token not in text
                assert "'1234'" not in text


async def test_a_balance_is_what_the_postings_add_up_to(bench: Bench, stub: Stub, terminal: BenchTerminal) -> None:
    customer = await anna(stub, terminal)
    request = pb.GetBalanceRequest(session_token=customer.session_token, account_id=ANNA)
    response = await stub.GetBalance(request, timeout=DEADLINE)
    today = bench.host.calendar.today()
    movements = list(history(PEOPLE[0], today))
    expected = sum(m.minor for m in movements if m.account == ANNA) - sum(m.minor for m in movements if m.other == ANNA)
    assert (response.booked.minor, response.booked.currency) == (expected, "EUR")
    assert response.available == response.booked


async def test_a_session_is_one_terminal_s_one_customer_s_and_ten_minutes_long(
    bench: Bench, stub: Stub, terminal: BenchTerminal, ports: Ports
) -> None:
    token, other = (await anna(stub, terminal)).session_token, bench.enrol("T-2")

    async def balance_code(asked: Stub, token: str, account: str) -> grpc.StatusCode:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asked.GetBalance(pb.GetBalanceRequest(session_token=token, account_id=account), timeout=DEADLINE)
        return caught.value.code()

    denied = grpc.StatusCode.PERMISSION_DENIED
    assert await balance_code(stub, token, BORIS) is denied
    assert await balance_code(stub, "", ANNA) is denied
    assert await balance_code(stub, token + "x", ANNA) is denied
    async with grpc.aio.secure_channel(f"localhost:{ports.port}", other.credentials()) as channel:
        assert await balance_code(customer_pb2_grpc.CustomerQueriesStub(channel), token, ANNA) is denied
    bench.clock.now_us += 600 * 1_000_000
    assert await balance_code(stub, token, ANNA) is denied


async def parts(stub: Stub, token: str, begin: str, end: str, account: str = ANNA) -> list[pb.StreamStatementResponse]:
    request = pb.StreamStatementRequest(session_token=token, account_id=account, from_date=begin, to_date=end)
    return [part async for part in stub.StreamStatement(request, timeout=DEADLINE)]


async def test_a_statement_opens_runs_and_closes(bench: Bench, stub: Stub, terminal: BenchTerminal) -> None:
    token, today = (await anna(stub, terminal)).session_token, bench.host.calendar.today()
    begin = today - datetime.timedelta(days=90)
    opening, *lines, closing = await parts(stub, token, begin.isoformat(), today.isoformat())
    assert opening.opening.holder == "Anna Ozoliņa"
    assert opening.opening.account_masked == "**** 4711"
    running = opening.opening.opening_balance.minor
    assert len(lines) == closing.closing.lines > 20
    for part in lines:
        running += part.line.amount.minor
        assert part.line.balance.minor == running
        assert begin.isoformat() <= part.line.booking_date <= today.isoformat()
        assert len(part.line.text) <= 60
    assert closing.closing.closing_balance.minor == running
    total_in, total_out = closing.closing.total_in.minor, closing.closing.total_out.minor
    assert total_in + total_out == running - opening.opening.opening_balance.minor
    assert total_out <= 0 <= total_in


@pytest.mark.parametrize(
    ("begin", "end", "code"),
    [
        ("2026-02-02", "2026-02-01", grpc.StatusCode.INVALID_ARGUMENT),
        ("2025-01-01", "2026-01-02", grpc.StatusCode.INVALID_ARGUMENT),
        ("yesterday", "today", grpc.StatusCode.INVALID_ARGUMENT),
        ("2026-02-30", "2026-03-01", grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_a_period_that_cannot_be_is_refused(
    stub: Stub, terminal: BenchTerminal, begin: str, end: str, code: grpc.StatusCode
) -> None:
    token = (await anna(stub, terminal)).session_token
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await parts(stub, token, begin, end)
    assert caught.value.code() is code


async def test_a_statement_of_more_lines_than_a_statement_has_is_refused(
    monkeypatch: pytest.MonkeyPatch, bench: Bench, stub: Stub, terminal: BenchTerminal
) -> None:
    monkeypatch.setattr("host.ledger.statement.MAX_STATEMENT_LINES", 5)
    token, today = (await anna(stub, terminal)).session_token, bench.host.calendar.today()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await parts(stub, token, (today - datetime.timedelta(days=90)).isoformat(), today.isoformat())
    assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE


@given(back=st.integers(0, 200), length=st.integers(1, 200), split=st.integers(0, 199))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_two_statements_that_follow_each_other_are_one(migrated: Path, back: int, length: int, split: int) -> None:
    bench = build_bench(migrated)
    begin = bench.host.calendar.today() - datetime.timedelta(days=back)
    middle = begin + datetime.timedelta(days=split % length)
    end = begin + datetime.timedelta(days=length)
    with bench.engine.begin() as connection:
        whole = statement(connection, ANNA, begin, end)
        first = statement(connection, ANNA, begin, middle)
        second = statement(connection, ANNA, middle + datetime.timedelta(days=1), end)
        now = balance(connection, ANNA)
    bench.host.store.close()
    assert first.closing == second.opening
    assert (first.opening, second.closing) == (whole.opening, whole.closing)
    assert first.lines + second.lines == whole.lines
    assert sum(line.amount.minor for line in whole.lines) == whole.closing.minor - whole.opening.minor
    assert end < bench.host.calendar.today() or whole.closing == now


def test_demo_history_is_the_same_every_time_and_never_in_the_red(bench: Bench) -> None:
    today = bench.host.calendar.today()
    for person in PEOPLE:
        first, again = list(history(person, today)), list(history(person, today))
        assert first == again
        assert max(movement.day for movement in first) <= today
        running, current = 0, account_id(person.current)
        for movement in first:
            running += movement.minor if movement.account == current else 0
            running -= movement.minor if movement.other == current else 0
            assert running > 0


async def test_a_blocked_card_stays_blocked_whatever_the_pin(bench: Bench, stub: Stub, terminal: BenchTerminal) -> None:
    with bench.engine.begin() as connection:
        connection.execute(update(cards).values(wrong_tries=3))
    assert (await refused(stub, terminal, BLOCKED_PAN, "2222"))[0] == pb.AUTHENTICATION_REFUSAL_CARD_BLOCKED
    assert (await refused(stub, terminal, BORIS_PAN, "4321"))[0] == pb.AUTHENTICATION_REFUSAL_PIN_BLOCKED
