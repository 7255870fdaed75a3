"""The terminals' stream over real sockets and mutual TLS: every item has its result, and nothing ends the stream."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress

import grpc
import pytest
from sqlalchemy import Connection, event, func, select
from sqlalchemy.exc import OperationalError

from guichet.journal.chain import GENESIS, Entry, entry_hash
from guichet.journal.records import encode
from guichet.limits import MAX_RECORD_BYTES
from guichet.seams import Domain
from guichet.signing import verify
from guichet.v1 import health_pb2, journal_pb2, settlement_pb2, terminal_link_pb2_grpc
from guichet.v1 import terminal_link_pb2 as pb
from host.commands.listing import terminal_json, terminal_row
from host.fleet.incidents import list_incidents
from host.fleet.overview import Device, Service, list_terminals
from host.fleet.standing import withdraw
from host.journal.records import last_place
from host.journal.schema import journal_entries, journal_forks
from host.ledger.kinds import Ledger
from host.pki.schema import Withdrawal
from host.services.server import Ports
from tests.host.bench import ANNA, Bench
from tests.host.terminal import OUTCOME_IN_DOUBT, BenchTerminal, Note

DEADLINE = 20.0


class Line:
    """One open stream; :meth:`say` sends an item and waits for its result."""

    def __init__(self, call: grpc.aio.StreamStreamCall[pb.ConnectRequest, pb.ConnectResponse]) -> None:
        self._call = call
        self._items = 0

    async def say(self, **item: object) -> pb.ConnectResponse:
        self._items += 1
        request = pb.ConnectRequest(item_id=f"item-{self._items}", **item)  # type: ignore[arg-type]
        return await self.send(request)

    async def send(self, request: pb.ConnectRequest) -> pb.ConnectResponse:
        async with asyncio.timeout(DEADLINE):
            # Where the host has ended the stream already, reading says why; writing only says that it is over.
            with suppress(asyncio.InvalidStateError):
                await self._call.write(request)
            response = await self._call.read()
        assert isinstance(response, pb.ConnectResponse)
        assert response.answers_item_id == request.item_id
        return response


@asynccontextmanager
async def line(terminal: BenchTerminal, ports: Ports, *, hello: bool = True) -> AsyncGenerator[Line]:
    async with grpc.aio.secure_channel(f"localhost:{ports.port}", terminal.credentials()) as channel:
        call = terminal_link_pb2_grpc.TerminalLinkStub(channel).Connect(timeout=DEADLINE)
        opened = Line(call)
        if hello:
            welcome = await opened.say(hello=pb.Hello(software_version="1", epoch=terminal.epoch))
            assert welcome.HasField("welcome")
        yield opened
        await call.done_writing()


def batch(terminal: BenchTerminal, entries: list[Entry] | None = None) -> pb.JournalBatch:
    return pb.JournalBatch(entries=terminal.journal(entries))


def started(version: str = "1") -> journal_pb2.TerminalStarted:
    return journal_pb2.TerminalStarted(software_version=version)


async def test_hello_is_answered_with_what_the_host_holds(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    async with line(terminal, ports, hello=False) as said:
        first = await said.say(hello=pb.Hello(epoch=1))
        assert first.welcome == pb.Welcome(held_sequence=0, held_hash=b"", host_time_us=bench.clock.now_us)
        for _ in range(3):
            terminal.write(started())
        held = await said.say(journal=batch(terminal))
        assert held.journal_held == pb.JournalHeld(epoch=1, sequence=3, hash=terminal.entries[-1].hash)
    async with line(terminal, ports, hello=False) as said:
        again = await said.say(hello=pb.Hello(epoch=1, last_sequence=3))
        assert (again.welcome.held_sequence, again.welcome.held_hash) == (3, terminal.entries[-1].hash)


async def test_a_batch_that_comes_again_is_held_already(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    for _ in range(4):
        terminal.write(started())
    async with line(terminal, ports) as said:
        first = await said.say(journal=batch(terminal, terminal.entries[:3]))
        assert first.journal_held.sequence == 3
        overlapping = await said.say(journal=batch(terminal, terminal.entries[1:]))
        assert overlapping.journal_held.sequence == 4
        assert (await said.say(journal=batch(terminal))).journal_held.sequence == 4
    with bench.engine.begin() as connection:
        rows = connection.execute(select(journal_entries.c.record).order_by(journal_entries.c.sequence)).all()
    assert [row[0] for row in rows] == [entry.record for entry in terminal.entries]


async def test_a_gap_is_refused_and_nothing_of_it_is_kept(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    for _ in range(3):
        terminal.write(started())
    async with line(terminal, ports) as said:
        refused = await said.say(journal=batch(terminal, terminal.entries[1:]))
        assert refused.refused.code == pb.REFUSAL_CODE_GAP
        assert (await said.say(journal=batch(terminal))).journal_held.sequence == 3


async def test_another_entry_at_a_held_place_is_a_fork_and_both_are_kept(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    for _ in range(3):
        terminal.write(started())
    async with line(terminal, ports) as said:
        await said.say(journal=batch(terminal))
        branch, terminal.entries = terminal.entries, terminal.entries[:1]
        terminal.write(started("another life"))
        terminal.write(started("another life"))
        refused = await said.say(journal=batch(terminal))
        assert refused.refused.code == pb.REFUSAL_CODE_FORK
        other = terminal.entries[1:]
        await said.say(journal=batch(terminal))  # it insists; that changes nothing
    with bench.engine.begin() as connection:
        held = connection.execute(select(journal_entries.c.hash).order_by(journal_entries.c.sequence)).all()
        forked = connection.execute(select(journal_forks.c.hash).order_by(journal_forks.c.sequence)).all()
        assert [incident.code for incident in list_incidents(connection)] == ["journal-fork"]
    assert [row[0] for row in held] == [entry.hash for entry in branch]
    assert [row[0] for row in forked] == [entry.hash for entry in other]


async def test_an_entry_that_continues_from_another_is_a_fork(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    terminal.write(started())
    strange = bytes(31) + b"\1"
    record = encode(terminal.name, 1, started())
    entry = Entry(1, 2, strange, entry_hash(1, 2, strange, record), record)
    async with line(terminal, ports) as said:
        await said.say(journal=batch(terminal))
        assert (await said.say(journal=batch(terminal, [entry]))).refused.code == pb.REFUSAL_CODE_FORK


async def test_malformed_items_are_refused_one_by_one_and_the_stream_goes_on(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    good = terminal.write(started())
    altered = Entry(good.epoch, good.sequence, good.previous_hash, good.hash, good.record + b"x")
    other_epoch = Entry(9, 1, GENESIS, entry_hash(9, 1, GENESIS, good.record), good.record)
    huge = Entry(1, 1, GENESIS, entry_hash(1, 1, GENESIS, bytes(MAX_RECORD_BYTES + 1)), bytes(MAX_RECORD_BYTES + 1))
    devices = [health_pb2.DeviceHealth(name=str(number)) for number in range(17)]
    bad_items: list[dict[str, object]] = [
        {},
        {"journal": pb.JournalBatch()},
        {"journal": batch(terminal, [altered])},
        {"journal": batch(terminal, [good, good])},
        {"journal": batch(terminal, [other_epoch])},
        {"journal": batch(terminal, [huge])},
        {"journal": pb.JournalBatch(entries=[journal_pb2.JournalEntry(epoch=1, sequence=1, hash=b"short")])},
        {"journal": pb.JournalBatch(entries=terminal.journal([good]) * 257)},
        {"heartbeat": pb.Heartbeat(health=health_pb2.TerminalHealth(devices=devices))},
        {"heartbeat": pb.Heartbeat(health=health_pb2.TerminalHealth(software_version="v" * 101))},
        {"advice": pb.SignedAdvice(content=b"\xff\xff", signature=b"")},
        {"hello": pb.Hello(epoch=7)},
        {"hello": pb.Hello(epoch=1, software_version="v" * 101)},
        {"hello": pb.Hello(epoch=1, journal_fault="v" * 101)},
        {"heartbeat": pb.Heartbeat(health=health_pb2.TerminalHealth(journal_fault="v" * 101))},
    ]
    async with line(terminal, ports) as said:
        for item in bad_items:
            response = await said.say(**item)
            assert response.refused.code == pb.REFUSAL_CODE_MALFORMED, item
            assert response.refused.text
        nameless = await said.send(pb.ConnectRequest(heartbeat=pb.Heartbeat()))
        assert nameless.refused.code == pb.REFUSAL_CODE_MALFORMED
        assert (await said.say(journal=batch(terminal))).journal_held.sequence == 1


async def test_nothing_is_taken_before_hello(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    async with line(terminal, ports, hello=False) as said:
        response = await said.say(heartbeat=pb.Heartbeat())
        assert response.refused.code == pb.REFUSAL_CODE_MALFORMED
        assert "hello" in response.refused.text


async def test_a_heartbeat_is_what_the_fleet_shows(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    health = health_pb2.TerminalHealth(
        service=health_pb2.SERVICE_STATE_REDUCED,
        devices=[health_pb2.DeviceHealth(name="printer", state=health_pb2.DEVICE_STATE_FAULT, fault="paper-out")],
        open_deposits=2,
        notes_in_doubt=1,
        terminal_time_us=bench.clock.now_us,
        software_version="0.1.0",
    )
    async with line(terminal, ports) as said:
        assert (await said.say(heartbeat=pb.Heartbeat(health=health))).HasField("noted")
    with bench.engine.begin() as connection:
        (view,) = list_terminals(connection, bench.clock.now_us)
        (later,) = list_terminals(connection, bench.clock.now_us + 31_000_000)
    assert (view.online, later.online) == (True, False)
    assert (view.service, view.open_deposits, view.notes_in_doubt) == (Service.REDUCED, 2, 1)
    assert [(device.name, device.state, device.fault) for device in view.devices] == [
        ("printer", Device.FAULT, "paper-out")
    ]


async def test_a_clock_hours_off_is_an_incident_a_day_and_no_obstacle(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    health = health_pb2.TerminalHealth(terminal_time_us=bench.clock.now_us - 5 * 3600 * 1_000_000)
    async with line(terminal, ports) as said:
        for _ in range(3):
            assert (await said.say(heartbeat=pb.Heartbeat(health=health))).HasField("noted")
    with bench.engine.begin() as connection:
        assert [incident.code for incident in list_incidents(connection)] == ["clock-off"]


async def test_an_incident_in_the_journal_is_shown_to_operations(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    terminal.write(journal_pb2.Incident(code="counter-disagrees", device="cash", text="it says 7, we say 6"))
    async with line(terminal, ports) as said:
        await said.say(journal=batch(terminal))
    with bench.engine.begin() as connection:
        (incident,) = list_incidents(connection)
    assert (incident.code, incident.terminal_id, incident.text) == ("counter-disagrees", "T-1", "it says 7, we say 6")


async def test_a_record_that_cannot_be_read_is_kept_and_reported(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    junk = Entry(1, 1, GENESIS, entry_hash(1, 1, GENESIS, b"\xff\xff"), b"\xff\xff")
    async with line(terminal, ports) as said:
        assert (await said.say(journal=batch(terminal, [junk]))).journal_held.sequence == 1
    with bench.engine.begin() as connection:
        assert [incident.code for incident in list_incidents(connection)] == ["journal-unreadable"]


async def test_a_disk_that_went_back_is_an_incident(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    for _ in range(3):
        terminal.write(started())
    async with line(terminal, ports) as said:
        await said.say(journal=batch(terminal))
    async with line(terminal, ports, hello=False) as said:
        welcome = (await said.say(hello=pb.Hello(epoch=1, last_sequence=1))).welcome
        assert welcome.held_sequence == 3
    with bench.engine.begin() as connection:
        assert [incident.code for incident in list_incidents(connection)] == ["journal-went-back"]


async def test_a_terminal_that_cannot_open_its_journal_has_lost_nothing_of_it_and_says_why(
    bench: Bench, ports: Ports
) -> None:
    terminal = bench.enrol("T-1")
    terminal.write(started())
    async with line(terminal, ports) as said:
        await said.say(journal=batch(terminal))
    health = health_pb2.TerminalHealth(
        service=health_pb2.SERVICE_STATE_OUT_OF_SERVICE,
        journal_fault="journal-damaged",
        terminal_time_us=bench.clock.now_us,
    )
    async with line(terminal, ports, hello=False) as said:
        welcome = (await said.say(hello=pb.Hello(epoch=1, journal_fault="journal-damaged"))).welcome
        assert welcome.held_sequence == 1
        for _ in range(3):
            bench.clock.now_us += 1_000_000
            assert (await said.say(heartbeat=pb.Heartbeat(health=health))).HasField("noted")
    with bench.engine.begin() as connection:
        (incident,) = list_incidents(connection)
        (view,) = list_terminals(connection, bench.clock.now_us)
    assert (incident.code, incident.subject) == ("journal-fault", "journal-damaged")
    assert "takes no money" in incident.text
    assert (view.service, view.journal_fault, view.well) == (Service.OUT_OF_SERVICE, "journal-damaged", False)
    assert terminal_row(view, "UTC")[-3:] == ("?", "?", "journal fault (journal-damaged)")
    told = terminal_json(view)
    assert isinstance(told, dict)
    assert told["open_deposits"] is None, "nobody knows, and 0 would be a claim"


async def test_an_advice_on_the_stream_is_settled_and_its_answer_signed(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    signed = terminal.advice(1, [Note(1), Note(2, outcome=OUTCOME_IN_DOUBT)], account=ANNA)
    async with line(terminal, ports) as said:
        first = (await said.say(advice=signed)).answer
        again = (await said.say(advice=signed)).answer
    assert first == again
    verify(terminal.answer_key, Domain.SETTLEMENT_ANSWER, first.content, first.signature)
    answer = settlement_pb2.SettlementAnswer.FromString(first.content)
    assert [note.booking for note in answer.notes] == [
        settlement_pb2.BOOKING_CUSTOMER,
        settlement_pb2.BOOKING_IN_DOUBT,
    ]


async def test_a_bad_signature_another_s_advice_and_a_simulated_device_are_refused(bench: Bench, ports: Ports) -> None:
    terminal, other = bench.enrol("T-1"), bench.enrol("T-2")
    live = bench.enrol("T-3", Ledger.LIVE)
    signed = terminal.advice(1, [Note(1)], account=ANNA)
    async with line(terminal, ports) as said:
        forged = pb.SignedAdvice(content=signed.content, signature=b"no signature")
        assert (await said.say(advice=forged)).refused.code == pb.REFUSAL_CODE_BAD_SIGNATURE
        foreign = other.advice(1, [Note(1)], account=ANNA)
        assert (await said.say(advice=foreign)).refused.code == pb.REFUSAL_CODE_BAD_SIGNATURE
        early = terminal.advice(1, [Note(1, outcome_number=2)], account=ANNA)
        assert (await said.say(advice=early)).refused.code == pb.REFUSAL_CODE_BUSY
    async with line(live, ports) as said:
        simulated = live.advice(1, [Note(1)], account=ANNA)
        assert (await said.say(advice=simulated)).refused.code == pb.REFUSAL_CODE_SIMULATED


async def test_a_revoked_terminal_opens_no_session_but_delivers_what_it_signed(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    signed = terminal.advice(1, [Note(1)], account=ANNA)
    with bench.engine.begin() as connection:
        withdraw(connection, terminal.name, Withdrawal.REVOKED, bench.clock.now_us)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async with line(terminal, ports):
            pass
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    for port, credentials in (
        (ports.port, terminal.credentials()),
        (ports.enrol_port, grpc.ssl_channel_credentials(terminal.authority)),
    ):
        async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
            stub = terminal_link_pb2_grpc.DepositsStub(channel)
            response = await stub.Submit(pb.SubmitRequest(advice=signed), timeout=DEADLINE)
        answer = settlement_pb2.SettlementAnswer.FromString(response.answer.content)
        assert answer.notes[0].booking == settlement_pb2.BOOKING_CUSTOMER
    with bench.engine.begin() as connection:
        assert [incident.code for incident in list_incidents(connection)] == ["advice-after-revocation"]


@pytest.mark.parametrize("item", ["heartbeat", "a batch", "a batch that makes no sense", "an advice"])
async def test_a_session_ends_at_the_next_item_when_its_terminal_is_revoked_or_its_certificate_is_over(
    bench: Bench, ports: Ports, item: str
) -> None:
    revoked, expired = bench.enrol("T-1"), bench.enrol("T-2")
    now_us = bench.clock.now_us

    def revoke() -> None:
        with bench.engine.begin() as connection:
            withdraw(connection, revoked.name, Withdrawal.REVOKED, now_us)

    def a_month_passes() -> None:
        bench.clock.now_us += 31 * 86_400 * 1_000_000

    for terminal, happens in ((revoked, revoke), (expired, a_month_passes)):
        async with grpc.aio.secure_channel(f"localhost:{ports.port}", terminal.credentials()) as channel:
            call = terminal_link_pb2_grpc.TerminalLinkStub(channel).Connect(timeout=DEADLINE)
            await Line(call).say(hello=pb.Hello(epoch=1))
            happens()
            terminal.write(started())
            items: dict[str, dict[str, object]] = {
                "heartbeat": {"heartbeat": pb.Heartbeat()},
                "a batch": {"journal": batch(terminal)},
                "a batch that makes no sense": {"journal": pb.JournalBatch()},
                "an advice": {"advice": pb.SignedAdvice()},
            }
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await Line(call).say(**items[item])
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    with bench.engine.begin() as connection:
        assert last_place(connection, revoked.name, 1).sequence == 0, "nothing of it was kept"


@contextmanager
def locked(bench: Bench) -> Generator[None]:
    """Every operation of the database finds it locked."""

    def refuse(_connection: Connection) -> None:
        raise OperationalError("BEGIN", None, sqlite3.OperationalError("database is locked"))

    event.listen(bench.engine, "begin", refuse)
    try:
        yield
    finally:
        event.remove(bench.engine, "begin", refuse)


async def test_a_locked_database_refuses_an_item_and_does_not_end_the_stream(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    async with line(terminal, ports) as said:
        with locked(bench):
            refused = await said.say(heartbeat=pb.Heartbeat())
        assert refused.refused.code == pb.REFUSAL_CODE_BUSY
        assert (await said.say(heartbeat=pb.Heartbeat())).HasField("noted")


async def test_a_locked_database_lets_no_terminal_in_and_says_to_come_again(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    async with grpc.aio.secure_channel(f"localhost:{ports.port}", terminal.credentials()) as channel:
        call = terminal_link_pb2_grpc.TerminalLinkStub(channel).Connect(timeout=DEADLINE)
        with locked(bench), pytest.raises(grpc.aio.AioRpcError) as caught:
            await Line(call).say(hello=pb.Hello(epoch=1))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_submit_says_what_is_wrong_with_an_advice(bench: Bench, ports: Ports) -> None:
    terminal, live = bench.enrol("T-1"), bench.enrol("T-2", Ledger.LIVE)
    good = terminal.advice(1, [Note(1)], account=ANNA)
    cases = (
        (pb.SignedAdvice(content=b"\xff", signature=b""), grpc.StatusCode.INVALID_ARGUMENT),
        (pb.SignedAdvice(content=good.content, signature=b"x"), grpc.StatusCode.INVALID_ARGUMENT),
        (live.advice(1, [Note(1)], account=ANNA), grpc.StatusCode.INVALID_ARGUMENT),
        (terminal.advice(1, [Note(1, outcome_number=2)], account=ANNA), grpc.StatusCode.UNAVAILABLE),
    )
    async with grpc.aio.secure_channel(
        f"localhost:{ports.enrol_port}", grpc.ssl_channel_credentials(terminal.authority)
    ) as channel:
        stub = terminal_link_pb2_grpc.DepositsStub(channel)
        for advice, code in cases:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Submit(pb.SubmitRequest(advice=advice), timeout=DEADLINE)
            assert caught.value.code() is code


async def test_terminals_settle_side_by_side(bench: Bench, ports: Ports) -> None:
    terminals = [bench.enrol(f"T-{number}") for number in range(5)]

    async def deposit(terminal: BenchTerminal) -> int:
        async with line(terminal, ports) as said:
            answers = [
                await said.say(advice=terminal.advice(n, [Note(n * 10), Note(n * 10 + 1)], account=ANNA))
                for n in range(4)
            ]
        return sum(answer.HasField("answer") for answer in answers)

    assert await asyncio.gather(*(deposit(terminal) for terminal in terminals)) == [4] * 5
    with bench.engine.begin() as connection:
        assert connection.execute(select(func.count()).select_from(journal_entries)).scalar_one() == 0
