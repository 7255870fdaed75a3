"""The journal's copy at the host: in order, without gaps, and a fork stops it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from guichet.journal.chain import Entry, next_entry
from guichet.journal.checkpoint import check_checkpoint
from guichet.journal.export import to_message
from guichet.journal.records import Fact, decode, encode, fact_of
from guichet.limits import MAX_RECORDS_PER_BATCH
from guichet.seams import Domain
from guichet.v1 import journal_pb2, replication_pb2
from guichet.v1 import terminal_link_pb2 as pb
from kiosk.journal.faults import Fault, JournalError
from kiosk.journal.file import JournalFile
from kiosk.journal.restore import said_of_it, write_restored
from kiosk.journal.store import DAY_US, Journal, Writer, read_stopped
from kiosk.settlement.comparison import Standing, compare
from kiosk.settlement.courier import HostAway, HostRefused
from kiosk.settlement.replication import Replicator
from kiosk.settlement.waiting import Backoff
from tests.kiosk.journal.standing import opened
from tests.kiosk.journal.test_retention import CLOCK, EVERY, grown_old, lives, retire
from tests.kiosk.settlement.standing import HOST, Answer, Host, RealTime, log
from tests.kiosk.terminal.standing import SIGNER, WRITER


class Copying:
    """A replicator over a real journal, with a host in memory."""

    def __init__(self, path: Path, writer: Writer = WRITER, journal: Journal | None = None) -> None:
        self.path = path
        self.host = Host()
        self.journal = journal or Journal.open(path, writer, RealTime())
        events, self.log = log()
        self.replicator = Replicator(self.journal, self.host, WRITER.terminal, HOST.public_key(), events)
        self.task: asyncio.Task[None] | None = None

    def run(self) -> None:
        self.task = asyncio.create_task(self.replicator.run())

    def write(self, count: int) -> None:
        self.journal.append(*(journal_pb2.Incident(code="test", text=str(number)) for number in range(count)))

    async def held(self, sequence: int) -> None:
        await self.host.until(lambda: self.replicator.held_place == (WRITER.epoch, sequence))


@pytest.fixture
async def copying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Copying]:
    monkeypatch.setattr("kiosk.settlement.replication._RETRY_SECONDS", 0.01)
    monkeypatch.setattr("kiosk.settlement.replication._HELLO", Backoff(0.01, 600.0))
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
    monkeypatch.setattr("kiosk.settlement.replication._HELLO", Backoff(0.01, 0.04))
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


async def test_a_refusal_is_over_when_the_host_turns_out_to_hold_everything(
    copying: Copying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.settlement.replication._HELLO", Backoff(3000.0, 3000.0))
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
    real = copying.journal.of_epoch

    def broken(epoch: int, from_sequence: int, limit: int = -1) -> Iterator[Entry]:
        raise JournalError(Fault.BROKEN, "entry 2 was altered")

    copying.journal.of_epoch = broken
    copying.run()
    copying.host.connect(pb.Welcome(held_sequence=1, held_hash=bytes(32)))
    await copying.host.until(lambda: copying.log.getvalue().count("journal.failed") == 2)
    assert copying.host.batches == []
    assert not copying.replicator.forked
    copying.journal.of_epoch = real
    copying.host.connect()
    await copying.held(3)


async def test_a_gap_waits_for_a_new_hello(copying: Copying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.settlement.replication._HELLO", Backoff(3000.0, 3000.0))
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


# --- forks ----------------------------------------------------------------------------------------------------------


def another_disk(copying: Copying, alike: int, count: int) -> None:
    """The host holds ``count`` entries, of which the first ``alike`` are ours too, once ours are written."""
    last: Entry | None = None
    for entry in copying.journal.entries(1, alike):
        last = entry
        copying.host.entries.append(to_message(entry))
    for number in range(count - alike):
        record = encode(WRITER.terminal, 0, journal_pb2.Incident(code="theirs", text=str(number)))
        last = next_entry(WRITER.epoch, last, record)
        copying.host.entries.append(to_message(last))


@pytest.mark.parametrize(
    ("ours", "alike", "theirs"),
    [(3, 1, 2), (3, 0, 3), (3, 3, 9), (600, 599, 700), (600, 3, 4), (600, 300, 1000), (5, 2, 400)],
)
async def test_a_journal_that_is_not_the_hosts_stops_it_and_all_that_is_not_alike_is_kept_there(
    copying: Copying, ours: int, alike: int, theirs: int
) -> None:
    copying.write(ours)
    another_disk(copying, alike, theirs)
    before = len(copying.host.entries)
    copying.run()
    copying.host.connect()
    await copying.host.until(lambda: copying.replicator.forked)
    assert copying.replicator.refused
    copying.write(1)
    branch = {(entry.sequence, entry.hash) for entry in copying.journal.entries(alike + 1)}
    await copying.host.until(lambda: copying.host.branch == branch)
    assert len(copying.host.entries) == before, "and none of it was taken for the host's own"
    assert incidents(copying) == ["journal-forked"]
    assert copying.replicator.held_place == (WRITER.epoch, theirs)


async def test_settlement_need_not_wait_for_a_copy_that_nobody_will_take(copying: Copying) -> None:
    """What is signed goes to the host whatever becomes of the journal."""
    copying.write(3)
    assert not copying.replicator.holds((1, 1))
    progress: list[bool] = []
    copying.replicator.on_progress(lambda: progress.append(copying.replicator.holds((1, 3))))
    copying.run()
    copying.host.connect()
    await copying.held(3)
    assert progress == [False, True]
    another_disk(copying, 3, 5)
    copying.write(1)
    await copying.host.until(lambda: copying.replicator.forked)
    assert copying.replicator.holds((1, 4))
    assert progress[-1]


async def test_a_fork_that_the_host_finds_stops_it_too(copying: Copying) -> None:
    copying.write(3)
    copying.run()
    copying.host.connect()
    await copying.held(3)
    another_disk(copying, 3, 5)
    copying.write(1)
    await copying.host.until(lambda: copying.replicator.forked and copying.host.branch != set())
    assert copying.replicator.refused
    assert [sequence for sequence, _ in sorted(copying.host.branch)] == [4, 5]


@pytest.mark.parametrize("connected", [True, False], ids=["while it is connected", "at its next hello"])
async def test_a_disk_beside_which_another_writes_takes_no_money_and_sends_on(
    copying: Copying, *, connected: bool
) -> None:
    """What the host holds is ours, so nothing is refused: only the host can know of the other."""
    copying.write(3)
    copying.run()
    copying.host.connect()
    await copying.held(3)
    assert not copying.replicator.refused
    copying.host.branch.add((3, b"another disk's"))
    if connected:
        copying.write(1)
    else:
        copying.host.disconnect()
        copying.host.connect()
    await copying.host.until(lambda: copying.replicator.doubted)
    written = copying.journal.last
    assert written is not None
    await copying.held(written.sequence)
    assert copying.replicator.refused
    assert not copying.replicator.forked
    assert incidents(copying) == ["journal-contested"]
    copying.write(1)
    await copying.held(written.sequence + 1)
    assert incidents(copying) == ["journal-contested"], "once"


async def test_a_branch_that_parts_before_what_this_disk_still_has_is_sent_from_there_once(tmp_path: Path) -> None:
    CLOCK.wall = DAY_US
    with opened(tmp_path / "journal.db", snapshot_every=EVERY, clock=CLOCK) as (journal, _):
        lives(journal, 0, 10)
        grown_old(journal)
        assert retire(journal) > 0
        base = journal.base
        assert base is not None
        copying = Copying(tmp_path / "unused.db", journal=journal)
        last: Entry | None = None
        for number in range(400):
            record = encode(WRITER.terminal, 0, journal_pb2.Incident(code="theirs", text=str(number)))
            last = next_entry(WRITER.epoch, last, record)
            copying.host.entries.append(to_message(last))
        copying.run()
        copying.host.connect()
        await copying.host.until(lambda: copying.replicator.forked)
        branch = {(entry.sequence, entry.hash) for entry in journal.entries(1)}
        await copying.host.until(lambda: copying.host.branch == branch)
        sent = len(copying.host.batches)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(copying.host.batches) == sent
        assert min(sequence for sequence, _ in branch) == base.place[1]
        assert copying.task is not None
        copying.task.cancel()
        await asyncio.gather(copying.task, return_exceptions=True)


# --- epochs before this one -----------------------------------------------------------------------------------------


@pytest.fixture
async def enrolled_again(copying: Copying, tmp_path: Path) -> AsyncIterator[Copying]:
    """Three entries of the first epoch, of which the host holds two; then a second one."""
    copying.write(3)
    copying.journal.close()
    again = Copying(tmp_path / "journal.db", replace(WRITER, epoch=2))
    again.host.entries = [to_message(entry) for entry in again.journal.of_epoch(1, 1, 2)]
    again.write(2)
    yield again
    if again.task is not None:
        again.task.cancel()
        await asyncio.gather(again.task, return_exceptions=True)
    again.journal.close()


async def test_what_an_earlier_enrolment_left_goes_up_first(enrolled_again: Copying) -> None:
    again = enrolled_again
    assert again.replicator.held_place == (1, 0)
    again.run()
    again.host.connect(again.host.welcome(2))
    assert again.replicator.held_place == (1, 2)
    await again.host.until(lambda: again.replicator.held_place == (2, 2))
    assert [(entry.epoch, entry.sequence) for entry in again.host.entries] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]
    assert not again.replicator.refused


async def test_a_disk_without_what_the_host_holds_of_earlier_ones_takes_no_money(
    copying: Copying, tmp_path: Path
) -> None:
    copying.write(3)
    copying.host.entries = [to_message(entry) for entry in copying.journal.entries(1)]
    write_restored(tmp_path / "fresh.db", WRITER.key, 2, [])
    fresh = Copying(tmp_path / "fresh.db", replace(WRITER, epoch=2))
    fresh.host.entries, fresh.host.epoch = list(copying.host.entries), 2
    fresh.write(1)
    fresh.run()
    fresh.host.connect()
    assert fresh.replicator.refused
    assert not fresh.replicator.forked
    assert incidents(fresh) == ["journal-lacking"]
    await fresh.host.until(lambda: (fresh.host.entries[-1].epoch, fresh.host.entries[-1].sequence) == (2, 2))
    await fresh.host.until(lambda: fresh.host.begun_again == 1)
    assert fresh.replicator.refused, "it has said nothing of going on without them"
    assert fresh.task is not None
    fresh.task.cancel()
    await asyncio.gather(fresh.task, return_exceptions=True)
    fresh.journal.close()


@pytest.mark.parametrize("restored", [False, True])
async def test_a_disk_that_comes_back_after_another_takes_no_money_until_it_was_restored(
    copying: Copying, tmp_path: Path, *, restored: bool
) -> None:
    copying.write(3)
    copying.journal.close()
    old = read_stopped(tmp_path / "journal.db", WRITER.key)
    spare = said_of_it(replace(WRITER, epoch=2), old[:2], 0)
    writer, path = replace(WRITER, epoch=3), tmp_path / "journal.db"
    if restored:
        path = tmp_path / "restored.db"
        write_restored(path, WRITER.key, 3, old, said_of_it(writer, old, 0))
    back = Copying(path, writer)
    back.host.entries, back.host.epoch = [to_message(entry) for entry in (*old, *spare)], 3
    if not restored:
        back.journal.append(journal_pb2.TerminalStarted(last_epoch=1, last_sequence=3))
    back.run()
    back.host.connect()
    await back.host.until(lambda: back.host.entries[-1].epoch == 3 and back.replicator.refused is not restored)
    assert ("journal-lacking" in incidents(back)) or restored
    back.host.disconnect()
    back.host.connect()
    assert back.replicator.refused is not restored
    assert list(back.host.welcome().beside) == [2]
    assert back.task is not None
    back.task.cancel()
    await asyncio.gather(back.task, return_exceptions=True)
    back.journal.close()


def test_a_journal_whose_epoch_began_long_ago_was_asked_then_what_others_wrote(tmp_path: Path) -> None:
    """Its first entries are gone by now, and with them what the epoch goes on from."""
    CLOCK.wall = DAY_US
    with opened(tmp_path / "journal.db", snapshot_every=EVERY, clock=CLOCK) as (journal, _):
        lives(journal, 0, 10)
        assert compare(pb.Welcome(beside=[1]), journal).standing is Standing.LACKING
        grown_old(journal)
        assert retire(journal) > 0
        assert compare(pb.Welcome(beside=[1]), journal).standing is Standing.CONTINUES


async def test_another_disks_branch_in_an_earlier_epoch_stops_nothing(enrolled_again: Copying) -> None:
    """That is over with the new enrolment."""
    enrolled_again.host.branch.add((2, b"another disk's"))
    enrolled_again.run()
    enrolled_again.host.connect(enrolled_again.host.welcome(2))
    await enrolled_again.host.until(lambda: len(enrolled_again.host.entries) == 5)
    await enrolled_again.host.until(lambda: enrolled_again.replicator.held_place == (2, 2))
    assert not enrolled_again.replicator.refused


async def test_what_a_former_disk_brought_in_meanwhile_is_lacking_only_until_the_host_knows_how_this_one_begins(
    copying: Copying, tmp_path: Path
) -> None:
    """It came between the copy and this disk's first word."""
    copying.write(5)
    old = list(copying.journal.entries(1))
    writer = replace(WRITER, epoch=2)
    write_restored(tmp_path / "fresh.db", WRITER.key, 2, old[:3], said_of_it(writer, old[:3], 0))
    fresh = Copying(tmp_path / "fresh.db", writer)
    fresh.host.entries, fresh.host.epoch = [to_message(entry) for entry in old], 2
    fresh.run()
    fresh.host.connect()
    assert fresh.replicator.refused
    await fresh.host.until(lambda: fresh.host.begun_again == 1 and not fresh.replicator.refused)
    assert incidents(fresh) == ["journal-lacking"]
    fresh.write(1)
    await fresh.host.until(lambda: fresh.replicator.held_place == (2, 3))
    assert fresh.host.begun_again == 1
    assert fresh.task is not None
    fresh.task.cancel()
    await asyncio.gather(fresh.task, return_exceptions=True)
    fresh.journal.close()


async def test_an_earlier_epoch_that_is_not_the_hosts_is_a_fork(enrolled_again: Copying) -> None:
    again = enrolled_again
    again.host.entries = []
    record = encode(WRITER.terminal, 0, journal_pb2.Incident(code="theirs"))
    again.host.entries.append(to_message(next_entry(1, None, record)))
    again.run()
    again.host.connect(again.host.welcome(2))
    await again.host.until(lambda: len(again.host.branch) == 3)
    assert again.replicator.forked


# --- the host's word ------------------------------------------------------------------------------------------------


async def test_the_hosts_word_is_asked_for_now_and_then_and_kept(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path / "journal.db", WRITER, RealTime(), snapshot_every=10)
    copying = Copying(tmp_path / "unused.db", journal=journal)
    copying.run()
    copying.host.connect()
    for _ in range(30):
        copying.write(1)
        last = journal.last
        assert last is not None
        await copying.held(last.sequence)
    assert copying.host.days == 3
    assert copying.task is not None
    copying.task.cancel()
    await asyncio.gather(copying.task, return_exceptions=True)
    journal.close()
    file = JournalFile.open_stopped(tmp_path / "journal.db", WRITER.key)
    kept = file.checkpoint()
    file.close()
    assert kept is not None
    assert kept.checkpoint.place == (1, 20), "the last one waits for the next entry"
    check_checkpoint(kept.signed, HOST.public_key(), WRITER.terminal)


def not_by_the_host(host: Host, entry: Entry) -> replication_pb2.SignedCheckpoint:
    content = host.checkpoint(1, entry.sequence, entry.hash).content
    return replication_pb2.SignedCheckpoint(content=content, signature=SIGNER.sign(Domain.JOURNAL_CHECKPOINT, content))


FALSE_WORDS: dict[str, Callable[[Host, Entry], replication_pb2.SignedCheckpoint]] = {
    "of an entry that is not there": lambda host, entry: host.checkpoint(1, 9, entry.hash),
    "of another entry": lambda host, entry: host.checkpoint(1, entry.sequence, bytes(32)),
    "not signed by the host": not_by_the_host,
}


@pytest.mark.parametrize("name", FALSE_WORDS)
async def test_a_word_that_is_not_the_hosts_or_not_of_our_journal_is_not_kept(copying: Copying, name: str) -> None:
    copying.write(3)
    last = copying.journal.last
    assert last is not None
    copying.host.entries = [to_message(entry) for entry in copying.journal.entries(1)]
    welcome = copying.host.welcome()
    welcome.checkpoint.CopyFrom(FALSE_WORDS[name](copying.host, last))
    copying.run()
    copying.host.connect(welcome)
    assert incidents(copying) == ["checkpoint-refused"]
    copying.write(1)
    file = JournalFile.open_stopped
    copying.journal.close()
    stopped = file(copying.path, WRITER.key)
    assert stopped.checkpoint() is None
    stopped.close()


# --- waiting --------------------------------------------------------------------------------------------------------


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
