"""The journal's copy at the host: in order, without gaps, and a fork stops it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from guichet.journal.chain import Entry
from guichet.journal.records import Fact, decode, fact_of
from guichet.limits import MAX_RECORDS_PER_BATCH
from guichet.v1 import journal_pb2
from guichet.v1 import terminal_link_pb2 as pb
from kiosk.journal.faults import Fault, JournalError
from kiosk.journal.store import Journal
from kiosk.settlement.courier import HostAway, HostRefused
from kiosk.settlement.replication import Replicator
from tests.kiosk.settlement.standing import Answer, Host, RealTime, log
from tests.kiosk.terminal.standing import WRITER


class Copying:
    """A replicator over a real journal, with a host in memory."""

    def __init__(self, path: Path) -> None:
        self.host = Host()
        self.journal = Journal.open(path, WRITER, RealTime())
        events, self.log = log()
        self.replicator = Replicator(self.journal, self.host, events)
        self.task: asyncio.Task[None] | None = None

    def run(self) -> None:
        self.task = asyncio.create_task(self.replicator.run())

    def write(self, count: int) -> None:
        self.journal.append(*(journal_pb2.Incident(code="test", text=str(number)) for number in range(count)))

    async def held(self, sequence: int) -> None:
        await self.host.until(lambda: self.replicator.held_sequence == sequence)


@pytest.fixture
async def copying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Copying]:
    monkeypatch.setattr("kiosk.settlement.replication._RETRY_SECONDS", 0.01)
    monkeypatch.setattr("kiosk.settlement.replication._FIRST_HELLO_SECONDS", 0.01)
    copying = Copying(tmp_path / "journal.db")
    yield copying
    if copying.task is not None:
        copying.task.cancel()
        await asyncio.gather(copying.task, return_exceptions=True)
    copying.journal.close()


async def test_entries_go_up_in_order_and_in_batches(copying: Copying) -> None:
    copying.write(MAX_RECORDS_PER_BATCH * 2 + 10)
    copying.run()
    copying.host.connect()
    await copying.held(522)
    assert copying.host.batches == [(1, 256), (257, 512), (513, 522)]
    sent = [(e.sequence, e.previous_hash, e.hash, e.record) for e in copying.host.entries]
    assert sent == [(e.sequence, e.previous_hash, e.hash, e.record) for e in copying.journal.entries(1)]


async def test_what_is_written_later_follows(copying: Copying) -> None:
    copying.run()
    copying.host.connect()
    copying.write(1)
    await copying.held(1)
    copying.write(2)
    await copying.held(3)
    assert copying.host.batches == [(1, 1), (2, 3)]


async def test_after_a_break_it_goes_on_where_the_host_says(copying: Copying) -> None:
    copying.write(3)
    copying.run()
    copying.host.connect()
    await copying.held(3)
    copying.host.disconnect()
    copying.write(2)
    copying.host.connect()
    await copying.held(5)
    assert copying.host.batches == [(1, 3), (4, 5)]


async def test_a_host_from_a_backup_is_given_what_it_lost(copying: Copying) -> None:
    copying.write(5)
    copying.run()
    copying.host.connect()
    await copying.held(5)
    copying.host.disconnect()
    del copying.host.entries[2:]
    copying.host.connect()
    await copying.host.until(lambda: len(copying.host.entries) == 5)
    assert copying.host.batches[-1] == (3, 5)


async def test_an_answer_that_does_not_come_is_asked_for_again_over_the_same_connection(copying: Copying) -> None:
    copying.write(3)
    copying.host.replace = [HostAway("no answer in time"), HostRefused(pb.REFUSAL_CODE_BUSY, "later")]
    copying.run()
    copying.host.connect()
    await copying.held(3)
    assert copying.host.batches == [(1, 3)] * 3


async def test_an_answer_that_holds_nothing_more_does_not_spin(copying: Copying) -> None:
    copying.write(3)
    copying.host.replace = [lambda _: pb.ConnectResponse(noted=pb.Noted())] * 3
    copying.run()
    copying.host.connect()
    await copying.held(3)
    assert len(copying.host.batches) == 4


def refused(*codes: pb.RefusalCode.ValueType) -> list[Answer | Exception]:
    return [HostRefused(code, "no") for code in codes]


def incidents(copying: Copying) -> list[str]:
    facts = [fact_of(decode(entry.record)) for entry in copying.journal.entries(1)]
    codes = [fact.code for fact in facts if isinstance(fact, journal_pb2.Incident)]
    return [code for code in codes if code != "test"]


STOPS = (pb.REFUSAL_CODE_GAP, pb.REFUSAL_CODE_MALFORMED, pb.REFUSAL_CODE_BAD_SIGNATURE)


@pytest.mark.parametrize("code", STOPS, ids=pb.RefusalCode.Name)
async def test_a_batch_that_is_refused_makes_the_terminal_say_hello_again_and_goes_on_from_there(
    copying: Copying, code: pb.RefusalCode.ValueType
) -> None:
    copying.write(3)
    copying.host.replace = refused(code)
    copying.run()
    copying.host.connect()
    await copying.held(4)
    assert copying.host.begun_again == 1
    assert copying.host.batches == [(1, 3), (1, 4)]
    name = pb.RefusalCode.Name(code).removeprefix("REFUSAL_CODE_").lower().replace("_", "-")
    assert incidents(copying) == [f"journal-refused-{name}"]
    assert not copying.replicator.refused


async def test_a_refusal_that_stays_is_one_incident_and_every_hello_waits_longer(
    copying: Copying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.settlement.replication._RAREST_HELLO_SECONDS", 0.04)
    copying.write(3)
    copying.host.replace = refused(*[pb.REFUSAL_CODE_MALFORMED] * 5, pb.REFUSAL_CODE_GAP)
    copying.run()
    copying.host.connect()
    await copying.host.until(lambda: copying.log.getvalue().count("journal.refused") == 5)
    assert copying.replicator.refused
    lines = [json.loads(line) for line in copying.log.getvalue().splitlines()]
    assert [line["hello_seconds"] for line in lines] == [0.01, 0.02, 0.04, 0.04, 0.04]
    assert incidents(copying) == ["journal-refused-malformed"]
    await copying.held(5)
    assert incidents(copying) == ["journal-refused-malformed", "journal-refused-gap"]
    assert copying.host.begun_again == 6
    assert not copying.replicator.refused


async def test_after_a_batch_that_is_taken_the_next_refusal_waits_briefly_again(copying: Copying) -> None:
    copying.write(3)
    copying.host.replace = refused(*[pb.REFUSAL_CODE_GAP] * 3)
    copying.run()
    copying.host.connect()
    await copying.held(4)
    copying.host.replace = refused(pb.REFUSAL_CODE_GAP)
    copying.write(1)
    await copying.held(5)
    lines = [json.loads(line) for line in copying.log.getvalue().splitlines()]
    assert [line["hello_seconds"] for line in lines] == [0.01, 0.02, 0.04, 0.01]


async def test_a_refusal_is_over_when_the_host_turns_out_to_hold_everything(copying: Copying) -> None:
    copying.write(3)
    copying.host.replace = refused(pb.REFUSAL_CODE_GAP)
    copying.run()
    copying.host.connect()
    await copying.host.until(lambda: copying.replicator.refused)
    last = copying.journal.last
    assert last is not None
    copying.host.connect(pb.Welcome(held_sequence=last.sequence, held_hash=last.hash))
    assert not copying.replicator.refused


async def test_a_refusal_that_cannot_be_put_on_record_is_logged(copying: Copying) -> None:
    copying.write(3)
    copying.host.replace = refused(pb.REFUSAL_CODE_GAP)

    def full(*_: Fact) -> Entry:
        raise JournalError(Fault.FULL, "no space left")

    copying.journal.append = full
    copying.run()
    copying.host.connect()
    await copying.held(3)
    assert "no space left" in copying.log.getvalue()


async def test_a_journal_that_cannot_be_read_any_more_is_said_and_the_link_stays_up(copying: Copying) -> None:
    copying.write(3)
    real = copying.journal.entries

    def broken(from_sequence: int, limit: int = -1) -> Iterator[Entry]:
        raise JournalError(Fault.BROKEN, "entry 2 was altered")

    copying.journal.entries = broken
    copying.run()
    copying.host.connect(pb.Welcome(held_sequence=1, held_hash=bytes(32)))
    await copying.host.until(lambda: copying.log.getvalue().count("journal.failed") == 2)
    assert copying.host.batches == []
    assert not copying.replicator.forked
    copying.journal.entries = real
    copying.host.connect()
    await copying.held(3)


async def test_a_gap_waits_for_a_new_hello(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.settlement.replication._FIRST_HELLO_SECONDS", 3000.0)
    copying.write(3)
    copying.host.replace = [HostRefused(pb.REFUSAL_CODE_GAP, "gap")]
    copying.run()
    copying.host.connect()
    await copying.host.until(lambda: "journal.refused" in copying.log.getvalue())
    copying.write(1)
    for _ in range(20):
        await asyncio.sleep(0)
    assert copying.host.batches == [(1, 3)]
    assert copying.host.begun_again == 0
    copying.host.connect()
    await copying.held(5)


@pytest.mark.parametrize(
    "welcome",
    [
        pb.Welcome(held_sequence=2, held_hash=b"\x01" * 32),
        pb.Welcome(held_sequence=2),
        pb.Welcome(held_sequence=9, held_hash=b"\x01" * 32),
    ],
    ids=["another entry there", "no hash", "more than this disk has"],
)
async def test_a_host_that_holds_another_journal_in_our_place_is_a_fork(copying: Copying, welcome: pb.Welcome) -> None:
    copying.write(3)
    copying.run()
    copying.host.connect(welcome)
    await copying.host.until(lambda: "journal.forked" in copying.log.getvalue())
    assert copying.replicator.forked
    copying.write(1)
    for _ in range(20):
        await asyncio.sleep(0)
    assert copying.host.batches == []


async def test_a_fork_that_the_host_finds_stops_it_too(copying: Copying) -> None:
    copying.write(3)
    copying.host.replace = [HostRefused(pb.REFUSAL_CODE_FORK, "fork")]
    copying.run()
    copying.host.connect()
    await copying.host.until(lambda: copying.replicator.forked)
    assert copying.replicator.refused
    copying.write(1)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(copying.host.batches) == 1


async def test_whoever_needs_a_record_to_be_safe_can_wait_for_it(copying: Copying) -> None:
    copying.write(2)
    assert not await copying.replicator.wait_held(2, 0.01)
    copying.run()
    waiting = asyncio.create_task(copying.replicator.wait_held(2, 20.0))
    copying.host.connect()
    assert await waiting
    assert await copying.replicator.wait_held(2, 0.0)
    assert not await copying.replicator.wait_held(3, 0.01)


async def test_a_welcome_that_holds_it_already_ends_the_wait(copying: Copying) -> None:
    copying.write(2)
    last = copying.journal.last
    assert last is not None
    copying.run()
    waiting = asyncio.create_task(copying.replicator.wait_held(2, 20.0))
    for _ in range(5):
        await asyncio.sleep(0)
    copying.host.connect(pb.Welcome(held_sequence=2, held_hash=last.hash))
    assert await waiting
    assert copying.host.batches == []
