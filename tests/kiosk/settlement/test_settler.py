"""The outbox: oldest first, until answered, nothing believed that is not the host's answer to this very advice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import pytest

from guichet.journal.chain import Entry
from guichet.journal.records import decode, fact_of
from guichet.seams import Clock, Domain
from guichet.v1 import journal_pb2
from guichet.v1 import settlement_pb2 as settlement
from guichet.v1 import terminal_link_pb2 as pb
from kiosk.journal.faults import Fault, JournalError
from kiosk.journal.file import JournalFile
from kiosk.journal.snapshot import Snapshot
from kiosk.journal.store import Journal
from kiosk.settlement.courier import HostAway, HostRefused
from kiosk.settlement.settler import BadAnswer, Settler, check_answer
from kiosk.settlement.waiting import Backoff, jittered
from tests.kiosk.settlement.standing import (
    HOST,
    Copy,
    Dice,
    Host,
    RealTime,
    advice,
    attempts,
    kept,
    log,
    signed,
    stated,
)
from tests.kiosk.terminal.standing import SIGNER, WRITER

BUSY = HostRefused(pb.REFUSAL_CODE_BUSY, "later")


# --- the answer -----------------------------------------------------------------------------------------------------


def test_the_hosts_own_answer_to_this_advice_is_taken() -> None:
    ours = advice(1, ("a", 2000), ("b", 500))
    answer = check_answer(kept(ours), signed(stated(ours.content)), HOST.public_key())
    assert [note.value.minor for note in answer.notes] == [2000, 500]
    assert answer.business_date == "2026-01-31"


def changed(change: Callable[[settlement.SettlementAnswer], object]) -> pb.SignedAnswer:
    answer = stated(advice(1, ("a", 2000), ("b", 500)).content)
    change(answer)
    return signed(answer)


FALSE: dict[str, Callable[[], pb.SignedAnswer]] = {
    "no answer at all": pb.SignedAnswer,
    "signed for another purpose": lambda: signed(
        stated(advice(1, ("a", 2000), ("b", 500)).content), Domain.DEPOSIT_ADVICE
    ),
    "signed by the terminal": lambda: pb.SignedAnswer(
        content=(content := stated(advice(1, ("a", 2000), ("b", 500)).content).SerializeToString()),
        signature=SIGNER.sign(Domain.SETTLEMENT_ANSWER, content),
    ),
    "bytes that are no message": lambda: pb.SignedAnswer(
        content=b"\xff", signature=HOST.sign(Domain.SETTLEMENT_ANSWER, b"\xff")
    ),
    "to another advice": lambda: signed(stated(advice(2, ("a", 2000), ("b", 500)).content)),
    "about another deposit": lambda: changed(lambda a: setattr(a, "deposit_id", "deposit-9")),
    "with another hash": lambda: changed(lambda a: setattr(a, "advice_hash", bytes(32))),
    "without a note": lambda: changed(lambda a: a.notes.pop()),
    "with a note more": lambda: changed(lambda a: a.notes.add(note_id="c", outcome_number=1)),
    "with another note": lambda: changed(lambda a: setattr(a.notes[0], "note_id", "x")),
    "with the notes exchanged": lambda: changed(lambda a: a.notes.reverse()),
    "with another outcome number": lambda: changed(lambda a: setattr(a.notes[0], "outcome_number", 2)),
    "with another amount": lambda: changed(lambda a: setattr(a.notes[0].value, "minor", 2001)),
    "with another currency": lambda: changed(lambda a: setattr(a.notes[0].value, "currency", "USD")),
}


@pytest.mark.parametrize("name", FALSE)
def test_anything_else_is_refused(name: str) -> None:
    with pytest.raises(BadAnswer):
        check_answer(kept(advice(1, ("a", 2000), ("b", 500))), FALSE[name](), HOST.public_key())


# --- the outbox at work ---------------------------------------------------------------------------------------------


class Office:
    """A settler over a real journal, with a host in memory."""

    def __init__(self, path: Path, late_seconds: float = 60.0, clock: Clock | None = None) -> None:
        clock = clock or RealTime()
        self.host = Host()
        self.journal = Journal.open(path, WRITER, clock)
        events, self.log = log()
        self.dice = Dice()
        key = HOST.public_key()
        self.copy = Copy()
        self.settler = Settler(
            self.journal, self.host, self.host, self.copy, key, clock, self.dice, events, late_seconds
        )
        self.task: asyncio.Task[None] | None = None

    def run(self) -> None:
        self.task = asyncio.create_task(self.settler.run())

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        self.journal.close()

    def sign(self, *numbers: int) -> None:
        for number in numbers:
            self.journal.append(advice(number))

    async def all_settled(self) -> None:
        await self.host.until(lambda: not self.journal.fold.outbox)


@pytest.fixture
async def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    monkeypatch.setattr("kiosk.settlement.settler._RETRY", Backoff(0.01, 600.0))
    office = Office(tmp_path / "journal.db")
    yield office
    await office.stop()


async def test_advices_are_delivered_oldest_first_and_their_answers_kept(office: Office) -> None:
    office.sign(1, 2, 3)
    office.run()
    office.host.connect()
    await office.all_settled()
    assert office.host.asked == ["deposit-1", "deposit-2", "deposit-3"]
    assert attempts(office.journal) == [("deposit-1", 1), ("deposit-2", 1), ("deposit-3", 1)]
    assert set(office.journal.fold.answers) == {"deposit-1", "deposit-2", "deposit-3"}


async def test_an_attempt_is_on_record_before_it_is_on_the_wire(office: Office) -> None:
    seen: list[list[tuple[str, int]]] = []

    def look(item: pb.ConnectRequest) -> pb.ConnectResponse:
        seen.append(attempts(office.journal))
        return office.host.answer(item)

    office.host.replace = [look]
    office.sign(1)
    office.run()
    office.host.connect()
    await office.all_settled()
    assert seen == [[("deposit-1", 1)]]


def resting_on(number: int, sequence: int) -> journal_pb2.AdviceSigned:
    signed = advice(number)
    content = settlement.DepositAdvice.FromString(signed.content)
    content.epoch, content.sequence = 1, sequence
    return journal_pb2.AdviceSigned(deposit_id=signed.deposit_id, content=content.SerializeToString())


async def test_over_a_session_an_advice_waits_for_the_records_that_it_rests_on_and_blocks_no_other(
    office: Office,
) -> None:
    office.copy.up_to = (1, 6)
    office.journal.append(resting_on(1, 7), resting_on(2, 5))
    office.run()
    office.host.connect()
    await office.host.until(lambda: len(office.journal.fold.outbox) == 1)
    for _ in range(20):
        await asyncio.sleep(0)
    assert office.host.asked == ["deposit-2"]
    office.copy.grow((1, 7))
    await office.all_settled()
    assert office.host.asked == ["deposit-2", "deposit-1"]


async def test_without_a_session_there_is_no_copy_to_wait_for(revoked: Office) -> None:
    revoked.copy.up_to = (0, 0)
    revoked.journal.append(resting_on(1, 7))
    revoked.run()
    await revoked.all_settled()
    assert revoked.host.late == ["deposit-1"]


async def test_what_is_signed_later_is_delivered_too(office: Office) -> None:
    office.run()
    office.host.connect()
    office.sign(1)
    await office.all_settled()
    office.sign(2)
    await office.all_settled()
    assert office.host.asked == ["deposit-1", "deposit-2"]


async def test_one_that_is_refused_is_tried_again_and_blocks_no_other(office: Office) -> None:
    office.host.refuses["deposit-1"] = HostRefused(pb.REFUSAL_CODE_MALFORMED, "no")
    office.sign(1, 2, 3)
    office.run()
    office.host.connect()
    await office.host.until(lambda: len(office.journal.fold.outbox) == 1 and office.host.asked.count("deposit-1") > 2)
    assert set(office.journal.fold.answers) == {"deposit-2", "deposit-3"}
    del office.host.refuses["deposit-1"]
    await office.all_settled()
    sent = [attempt for deposit, attempt in attempts(office.journal) if deposit == "deposit-1"]
    assert sent == list(range(1, len(sent) + 1)), "attempts are numbered"


@pytest.mark.parametrize(("rolled", "part"), [(0, 0.5), (128, 0.75)])
async def test_the_wait_after_refusals_doubles_and_is_between_half_and_all_of_it(
    office: Office, monkeypatch: pytest.MonkeyPatch, rolled: int, part: float
) -> None:
    monkeypatch.setattr("kiosk.settlement.settler._RETRY", Backoff(0.2, 600.0))
    office.dice.rolls = rolled
    office.host.refuses["deposit-1"] = BUSY
    office.sign(1)
    office.run()
    office.host.connect()
    await office.host.until(lambda: office.log.getvalue().count("settlement.refused") >= 3)
    waits = [float(line.split('"retry_seconds": ')[1].rstrip("}\n")) for line in office.log.getvalue().splitlines()]
    assert waits[:3] == pytest.approx([0.2 * part, 0.4 * part, 0.8 * part], abs=0.001)


def test_waits_double_up_to_the_longest_and_never_shrink_below_the_first() -> None:
    backoff = Backoff(first=2.0, longest=600.0)
    waits = [backoff.after(None)]
    while len(waits) < 12:
        waits.append(backoff.after(waits[-1]))
    assert waits == [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 600.0, 600.0, 600.0]
    assert backoff.after(0.0) == 2.0


def test_no_two_terminals_need_wait_alike() -> None:
    dice = Dice()
    waited: list[float] = []
    for dice.rolls in range(256):
        waited.append(jittered(100.0, dice))
    assert min(waited) == 50.0
    assert max(waited) < 100.0
    assert len(set(waited)) == 256


async def test_a_person_hears_once_why_an_advice_is_not_taken(office: Office) -> None:
    office.host.refuses["deposit-1"] = HostRefused(pb.REFUSAL_CODE_MALFORMED, "no")
    office.host.refuses["deposit-2"] = BUSY
    office.sign(1, 2)
    office.run()
    office.host.connect()
    await office.host.until(lambda: min(office.host.asked.count(f"deposit-{n}") for n in (1, 2)) > 2)
    assert [(one.code, one.text.partition(":")[0]) for one in incidents(office.journal)] == [
        ("settlement-refused", "deposit deposit-1 is not settled, and is sent again")
    ]


class Counting(RealTime):
    """Every look at it is 15 ms later than the last."""

    def __init__(self) -> None:
        super().__init__()
        self._looks = 0

    def monotonic(self) -> float:
        self._looks += 1
        return self._looks * 0.015


async def test_a_refusal_that_comes_due_while_the_settler_looks_for_work_is_not_slept_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.settlement.settler._RETRY", Backoff(0.05, 600.0))
    office = Office(tmp_path / "journal.db", clock=Counting())
    office.host.replace = [BUSY]
    office.sign(1)
    office.run()
    office.host.connect()
    await office.all_settled()
    assert attempts(office.journal) == [("deposit-1", 1), ("deposit-1", 2)]
    await office.stop()


async def test_a_host_that_comes_back_is_asked_at_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.settlement.settler._RETRY", Backoff(3000.0, 3000.0))
    office.host.refuses["deposit-1"] = BUSY
    office.sign(1)
    office.run()
    office.host.connect()
    await office.host.until(lambda: "settlement.refused" in office.log.getvalue())
    office.host.disconnect()
    office.host.refuses.clear()
    office.host.connect()
    await office.all_settled()


async def test_nothing_is_sent_without_a_connection(office: Office) -> None:
    office.sign(1)
    office.run()
    office.host.connect()
    office.host.disconnect()
    for _ in range(20):
        await asyncio.sleep(0)
    assert office.host.asked == []
    assert office.host.late == []
    assert attempts(office.journal) == []


async def test_an_answer_that_does_not_come_is_asked_for_again(office: Office) -> None:
    office.host.replace = [HostAway("no answer in time"), HostAway("again")]
    office.sign(1)
    office.run()
    office.host.connect()
    await office.all_settled()
    assert attempts(office.journal) == [("deposit-1", 1), ("deposit-1", 2), ("deposit-1", 3)]


async def test_a_false_answer_is_not_kept_and_the_true_one_is(office: Office) -> None:
    office.host.replace = [
        lambda _: pb.ConnectResponse(noted=pb.Noted()),
        lambda _: pb.ConnectResponse(answer=signed(stated(advice(7).content))),
    ]
    office.sign(1)
    office.run()
    office.host.connect()
    await office.all_settled()
    assert office.log.getvalue().count("settlement.refused") == 2
    settled = [fact for fact in facts(office.journal) if isinstance(fact, journal_pb2.Settled)]
    assert len(settled) == 1
    assert [one.code for one in incidents(office.journal)] == ["settlement-answer-refused"]
    assert settlement.SettlementAnswer.FromString(settled[0].answer).deposit_id == "deposit-1"


async def test_a_journal_that_takes_no_record_any_more_ends_delivery_and_not_the_process(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that cannot be kept is asked for again after the next start; meanwhile nobody is asked."""
    office.sign(1)
    write = JournalFile.write

    def fails(file: JournalFile, entries: Iterable[Entry], snapshot: Snapshot | None, *more: None) -> None:
        entries = list(entries)
        if isinstance(fact_of(decode(entries[0].record)), journal_pb2.Settled):
            raise JournalError(Fault.FULL, "the disk is full")
        write(file, entries, snapshot, *more)

    monkeypatch.setattr(JournalFile, "write", fails)
    office.run()
    office.host.connect()
    await office.host.until(lambda: "journal.failed" in office.log.getvalue())
    office.host.disconnect()
    office.host.connect()
    await asyncio.sleep(0)
    assert office.task is not None
    assert not office.task.done()
    assert office.host.asked == ["deposit-1"]
    assert len(office.journal.fold.outbox) == 1


def facts(journal: Journal) -> list[object]:
    return [fact_of(decode(entry.record)) for entry in journal.entries(1)]


def incidents(journal: Journal) -> list[journal_pb2.Incident]:
    return [fact for fact in facts(journal) if isinstance(fact, journal_pb2.Incident)]


async def test_the_same_advice_signed_twice_is_settled_once(office: Office) -> None:
    office.sign(1, 1)
    office.run()
    office.host.connect()
    await office.all_settled()
    assert office.host.asked == ["deposit-1"]


async def test_a_conflict_is_an_answer_and_is_heard(office: Office) -> None:
    def conflict(item: pb.ConnectRequest) -> pb.ConnectResponse:
        answer = stated(item.advice.content)
        answer.notes[0].booking = settlement.BOOKING_CONFLICT
        return pb.ConnectResponse(answer=signed(answer))

    office.host.replace = [conflict]
    office.sign(1)
    office.run()
    office.host.connect()
    await office.all_settled()
    assert [(one.code, one.note_id) for one in incidents(office.journal)] == [("settlement-conflict", "note-1")]


async def test_a_new_process_delivers_what_the_old_one_could_not(office: Office, tmp_path: Path) -> None:
    office.sign(1)
    office.host.replace = [HostAway("cable")]
    office.run()
    office.host.connect()
    await office.host.until(lambda: bool(office.host.asked))
    office.host.disconnect()
    await office.stop()
    again = Office(tmp_path / "journal.db")
    again.run()
    again.host.connect()
    await again.all_settled()
    assert attempts(again.journal) == [("deposit-1", 1), ("deposit-1", 2)]
    await again.stop()


async def test_whoever_waits_for_an_answer_gets_it_or_hears_that_there_is_none_yet(office: Office) -> None:
    office.sign(1)
    assert await office.settler.wait_settled("deposit-1", 0.01) is None
    office.run()
    waiting = asyncio.create_task(office.settler.wait_settled("deposit-1", 20.0))
    office.host.connect()
    answer = await waiting
    assert answer is not None
    assert answer.value_date == "2026-02-01"
    assert await office.settler.wait_settled("deposit-1", 0.0) == answer
    assert await office.settler.wait_settled("deposit-2", 0.01) is None


# --- without a session ----------------------------------------------------------------------------------------------


@pytest.fixture
async def revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    """A terminal that gets no session any more, and does not wait long."""
    monkeypatch.setattr("kiosk.settlement.settler._RETRY", Backoff(0.01, 600.0))
    office = Office(tmp_path / "journal.db", late_seconds=0.02)
    yield office
    await office.stop()


async def test_what_is_signed_is_delivered_without_a_session_after_a_while(revoked: Office) -> None:
    revoked.sign(1, 2, 3)
    revoked.run()
    await revoked.all_settled()
    assert revoked.host.late == ["deposit-1", "deposit-2", "deposit-3"]
    assert revoked.host.asked == []


async def test_one_that_is_refused_without_a_session_blocks_no_other(revoked: Office) -> None:
    revoked.host.refuses["deposit-1"] = HostRefused(pb.REFUSAL_CODE_MALFORMED, "no")
    revoked.sign(1, 2, 3)
    revoked.run()
    await revoked.host.until(lambda: len(revoked.journal.fold.outbox) == 1)
    assert set(revoked.journal.fold.answers) == {"deposit-2", "deposit-3"}


async def test_where_nobody_answers_it_is_tried_more_and_more_rarely_and_a_session_comes_first(
    revoked: Office,
) -> None:
    revoked.host.late_is_open = False
    revoked.sign(1)
    revoked.run()
    await revoked.host.until(lambda: len(revoked.host.late) >= 3)
    revoked.host.connect()
    await revoked.all_settled()
    assert revoked.host.asked == ["deposit-1"]


async def test_where_the_host_refuses_the_terminal_nobody_waits_for_a_session(office: Office) -> None:
    office.sign(1, 2)
    office.run()
    office.host.refuse()
    await office.all_settled()
    assert office.host.late == ["deposit-1", "deposit-2"]
    assert office.host.asked == []


async def test_a_session_that_is_only_lost_is_waited_for(office: Office) -> None:
    office.run()
    office.host.connect()
    office.host.disconnect()
    office.sign(1)
    for _ in range(20):
        await asyncio.sleep(0)
    assert office.host.late == []
    office.host.connect()
    await office.all_settled()
    assert office.host.asked == ["deposit-1"]
