"""What the host does with the journals that it holds: countersigns them, gives them back, settles what stands in
them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import grpc
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, func, select, text

from guichet.ids import TerminalId
from guichet.journal.chain import Entry
from guichet.journal.checkpoint import check_checkpoint
from guichet.journal.export import Head, read_export, write_export
from guichet.v1 import journal_pb2, replication_pb2, settlement_pb2
from guichet.v1 import terminal_link_pb2 as pb
from guichet.v1.replication_pb2_grpc import JournalsStub
from host.cli import main as host_main
from host.commands.common import CommandError
from host.commands.take_in import TakenIn, take_in
from host.fleet.incidents import list_incidents
from host.fleet.standing import withdraw
from host.journal.records import keep_batch
from host.journal.schema import journal_entries, journal_forks
from host.ledger.schema import advices, note_outcomes
from host.ledger.verify import verify_books
from host.pki.schema import Withdrawal
from host.services.desk import SettlementDesk
from host.services.from_journals import GRACE_US, settle_waiting
from host.services.server import Ports
from host.store.migrate import migrate
from tests.host.bench import ANNA, Bench
from tests.host.terminal import OUTCOME_IN_DOUBT, BenchTerminal, Note, an_id, deposit_id
from tests.host.test_link import DEADLINE, batch, line, started
from tests.host.test_settlement import answer

T = TypeVar("T")


def incidents(bench: Bench) -> list[tuple[str, str]]:
    with bench.engine.begin() as connection:
        return [(one.code, one.text) for one in list_incidents(connection)]


def held(bench: Bench, terminal: BenchTerminal, entries: list[Entry] | None = None) -> None:
    """The host holds them."""
    with bench.engine.begin() as connection:
        keep_batch(connection, terminal.name, terminal.entries if entries is None else entries, bench.clock.now_us)


def advised(terminal: BenchTerminal, number: int, *notes: Note, written: int | None = None) -> pb.SignedAdvice:
    """A deposit in the terminal's journal, its advice included, which nobody sends."""
    place = terminal.write_deposit(number, notes, ANNA)
    signed = terminal.advice(number, notes, account=ANNA, place=written or place)
    fact = journal_pb2.AdviceSigned(deposit_id=deposit_id(number), content=signed.content, signature=signed.signature)
    terminal.write(fact)
    return signed


# --- countersigning -------------------------------------------------------------------------------------------------


async def test_a_batch_is_countersigned_when_that_is_asked_for(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    entries = [terminal.write(started()) for _ in range(5)]
    async with line(terminal, ports) as said:
        plain = await said.say(journal=batch(terminal, entries[:2]))
        assert not plain.journal_held.HasField("checkpoint")
        asked = await said.say(journal=pb.JournalBatch(entries=terminal.journal(entries[2:4]), countersign=True))
    said_of = check_checkpoint(asked.journal_held.checkpoint, terminal.answer_key, terminal.name)
    assert (said_of.place, said_of.hash) == ((1, 4), entries[3].hash)
    assert said_of.host_time_us == bench.clock.now_us


async def test_a_welcome_countersigns_what_is_held_and_names_what_is_held_of_earlier_epochs(
    bench: Bench, ports: Ports
) -> None:
    terminal = bench.enrol("T-1")
    terminal.write(started())
    held(bench, terminal)
    again = bench.enrol("T-1")
    async with line(again, ports, hello=False) as said:
        fresh = (await said.say(hello=pb.Hello(epoch=2))).welcome
        assert not fresh.HasField("checkpoint")
        first = terminal.entries[-1]
        assert list(fresh.earlier) == [replication_pb2.EpochHeld(epoch=1, sequence=1, hash=first.hash)]
        again.write(started())
        await said.say(journal=batch(again))
        known = (await said.say(hello=pb.Hello(epoch=2, last_sequence=1))).welcome
    said_of = check_checkpoint(known.checkpoint, again.answer_key, again.name)
    assert (said_of.place, said_of.hash) == ((2, 1), again.entries[-1].hash)


async def test_a_gap_is_an_incident_that_names_the_records(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    for _ in range(6):
        terminal.write(started())
    async with line(terminal, ports) as said:
        await said.say(journal=batch(terminal, terminal.entries[:2]))
        for _ in range(2):
            assert (await said.say(journal=batch(terminal, terminal.entries[4:]))).refused.code == pb.REFUSAL_CODE_GAP
    assert incidents(bench) == [("journal-gap", "entries 3 to 4 of epoch 1 were not sent and are not held")]


async def test_a_disk_that_went_back_is_an_incident_that_names_the_records(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    for _ in range(6):
        terminal.write(started())
    held(bench, terminal)
    async with line(terminal, ports, hello=False) as said:
        await said.say(hello=pb.Hello(epoch=1, last_sequence=4))
    ((code, words),) = incidents(bench)
    assert code == "journal-went-back"
    assert "no longer has entries 5 to 6 of epoch 1" in words


# --- branches -------------------------------------------------------------------------------------------------------


async def test_a_branch_is_kept_as_far_as_it_goes_and_the_refusal_says_where_it_begins(
    bench: Bench, ports: Ports
) -> None:
    terminal = bench.enrol("T-1")
    for _ in range(4):
        terminal.write(started())
    held(bench, terminal)
    terminal.entries = terminal.entries[:2]
    for number in range(6):
        terminal.write(started(f"another life {number}"))
    async with line(terminal, ports) as said:
        refused = (await said.say(journal=batch(terminal, terminal.entries[:5]))).refused
        assert (refused.code, refused.sequence) == (pb.REFUSAL_CODE_FORK, 3)
        more = (await said.say(journal=batch(terminal, terminal.entries[5:]))).refused
        assert (more.code, more.sequence) == (pb.REFUSAL_CODE_FORK, 6)
    with bench.engine.begin() as connection:
        kept = connection.execute(select(journal_forks.c.sequence, journal_forks.c.hash)).all()
        assert connection.execute(select(func.count()).select_from(journal_entries)).scalar_one() == 4
    assert sorted(tuple(row) for row in kept) == [(entry.sequence, entry.hash) for entry in terminal.entries[2:]]
    assert [code for code, _ in incidents(bench)] == ["journal-fork", "journal-went-back"]


@pytest.mark.parametrize(
    ("place", "booking"), [(2, settlement_pb2.BOOKING_CUSTOMER), (3, settlement_pb2.BOOKING_SUSPENSE)]
)
def test_new_notes_of_a_journal_with_two_branches_go_to_suspense(
    bench: Bench, place: int, booking: settlement_pb2.Booking.ValueType
) -> None:
    terminal = bench.enrol("T-1")
    for _ in range(4):
        terminal.write(started())
    held(bench, terminal)
    terminal.entries = terminal.entries[:2]
    terminal.write(started("another life"))
    held(bench, terminal)
    said = answer(bench, terminal.advice(1, [Note(1)], account=ANNA, place=place))
    assert [note.booking for note in said.notes] == [booking]
    forked = booking == settlement_pb2.BOOKING_SUSPENSE
    assert bool(said.notes[0].claim_number) == forked
    assert [code for code, _ in incidents(bench)] == ["deposit-of-a-fork"] * forked + ["journal-fork"]


async def test_the_disk_whose_journal_is_held_is_told_that_another_writes_it_too_until_it_is_enrolled_again(
    bench: Bench, ports: Ports
) -> None:
    """An image of its disk, booted once on a bench: it has the same key and the same epoch."""
    terminal = bench.enrol("T-1")
    for _ in range(3):
        terminal.write(started())
    held(bench, terminal)
    image = replace(terminal, entries=terminal.entries[:2])
    image.write(started("another life"))
    async with line(terminal, ports, hello=False) as said:
        assert (await said.say(hello=pb.Hello(epoch=1, last_sequence=3))).welcome.forked_sequence == 0
        async with line(image, ports) as another:
            assert (await another.say(journal=batch(image))).refused.code == pb.REFUSAL_CODE_FORK
        taken = (await said.say(journal=batch(terminal, [terminal.write(started())]))).journal_held
        assert (taken.sequence, taken.forked_sequence) == (4, 3)
        again = (await said.say(hello=pb.Hello(epoch=1, last_sequence=4))).welcome
        assert (again.held_sequence, again.forked_sequence) == (4, 3)
    anew = bench.enrol("T-1", former=(terminal,))
    async with line(anew, ports, hello=False) as said:
        assert (await said.say(hello=pb.Hello(epoch=2))).welcome.forked_sequence == 0
        taken = (await said.say(journal=batch(terminal, [terminal.write(started())]))).journal_held
        assert (taken.epoch, taken.forked_sequence) == (1, 3), "what is left of the epoch before is said as it is"
        assert (await said.say(journal=batch(anew, [anew.write(started())]))).journal_held.forked_sequence == 0


# --- a disk that was made anew --------------------------------------------------------------------------------------


def made_anew(terminal: BenchTerminal, of: BenchTerminal, copied: int) -> None:
    """``terminal``'s disk goes on from the first ``copied`` entries of ``of``."""
    terminal.write(journal_pb2.JournalRestored(entries=copied, last_epoch=of.epoch, last_sequence=copied))


async def told_of_earlier(terminal: BenchTerminal, ports: Ports) -> list[tuple[int, int, bytes]]:
    async with line(terminal, ports, hello=False) as said:
        welcome = (await said.say(hello=pb.Hello(epoch=terminal.epoch, last_sequence=len(terminal.entries)))).welcome
    return [(one.epoch, one.sequence, one.hash) for one in welcome.earlier]


async def test_a_disk_made_anew_is_not_told_of_what_the_old_one_wrote_behind_its_copy(
    bench: Bench, ports: Ports
) -> None:
    """That came to the host later: the new disk can have none of it, and is asked for none."""
    old = bench.enrol("T-1")
    for _ in range(6):
        old.write(started())
    held(bench, old, old.entries[:4])
    new = bench.enrol("T-1")
    assert await told_of_earlier(new, ports) == [(1, 4, old.entries[3].hash)]
    made_anew(new, old, 4)
    held(bench, new)
    assert incidents(bench) == []
    held(bench, old, old.entries[4:5])
    held(bench, old, old.entries[5:])
    ((code, words),) = incidents(bench)
    assert code == "journal-of-a-former-disk"
    assert "does not go on with entries of epoch 1 from 5 on" in words
    assert await told_of_earlier(new, ports) == [(1, 4, old.entries[3].hash)]
    third = bench.enrol("T-1")
    assert await told_of_earlier(third, ports) == [(1, 4, old.entries[3].hash), (2, 1, new.entries[0].hash)]
    third.write(journal_pb2.JournalRestored())
    held(bench, third)
    assert await told_of_earlier(third, ports) == []


async def test_a_disk_that_comes_back_after_another_is_told_of_what_that_one_wrote(bench: Bench, ports: Ports) -> None:
    """It goes on behind its own end, and must know what became of the terminal meanwhile."""
    old = bench.enrol("T-1")
    for _ in range(6):
        old.write(started())
    held(bench, old, old.entries[:4])
    spare = bench.enrol("T-1")
    made_anew(spare, old, 4)
    held(bench, spare)
    back = bench.enrol("T-1", former=(old,))
    back.write(journal_pb2.TerminalStarted(last_epoch=1, last_sequence=6))
    held(bench, old)
    held(bench, back)
    async with line(back, ports, hello=False) as said:
        welcome = (await said.say(hello=pb.Hello(epoch=3, last_sequence=1))).welcome
    assert [(one.epoch, one.sequence) for one in welcome.earlier] == [(1, 6)]
    assert list(welcome.beside) == [2]
    said_of = {text.partition(", which")[0].rpartition(" of ")[2] for _code, text in incidents(bench)}
    assert said_of == {"epoch 1 from 5 on", "epoch 2 from 1 on"}


def test_the_incident_comes_also_where_the_old_disks_end_was_there_before_the_new_ones_beginning(bench: Bench) -> None:
    old = bench.enrol("T-1")
    for _ in range(6):
        old.write(started())
    held(bench, old, old.entries[:4])
    new = bench.enrol("T-1")
    made_anew(new, old, 4)
    held(bench, old)
    assert incidents(bench) == []
    held(bench, new)
    ((code, words),) = incidents(bench)
    assert (code, "entries of epoch 1 from 5 on" in words) == ("journal-of-a-former-disk", True)


async def test_a_disk_that_was_enrolled_again_may_send_what_was_left_of_its_epoch(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    for _ in range(6):
        terminal.write(started())
    held(bench, terminal, terminal.entries[:4])
    again = bench.enrol("T-1", former=(terminal,))
    again.write(started())
    held(bench, again)
    held(bench, terminal, terminal.entries[4:])
    assert await told_of_earlier(again, ports) == [(1, 6, terminal.entries[5].hash)]
    assert incidents(bench) == []


def test_what_the_old_disk_advised_behind_the_copy_is_settled(bench: Bench) -> None:
    """The customer of its last deposit gets the money, and no restored disk can say otherwise of notes that it does not
    know.
    """
    old = bench.enrol("T-1")
    advised(old, 1, Note(1))
    copied = len(old.entries)
    held(bench, old)
    new = bench.enrol("T-1")
    made_anew(new, old, copied)
    held(bench, new)
    signed = advised(old, 2, Note(2))
    held(bench, old)
    assert [note.booking for note in answer(bench, signed).notes] == [settlement_pb2.BOOKING_CUSTOMER]
    with bench.engine.begin() as connection:
        assert verify_books(connection, bench.host.keys.signer.public_key()).good


def test_where_the_old_disk_knew_what_became_of_a_note_that_the_new_one_doubts_both_are_kept(bench: Bench) -> None:
    """The doubt is booked and has its claim; the credit that comes later is a conflict, which a person sees. Nothing is
    wrong with the books.
    """
    old = bench.enrol("T-1")
    credit = advised(old, 1, Note(1))
    held(bench, old, old.entries[:2])
    new = bench.enrol("T-1")
    new.write(journal_pb2.NoteInDoubt(note_id=an_id(1), outcome_number=1))
    made_anew(new, old, 2)
    place = new.write(journal_pb2.DepositClosed(deposit_id=deposit_id(1))).sequence
    doubt = new.advice(1, [Note(1, outcome=OUTCOME_IN_DOUBT)], account=ANNA, place=place)
    new.write(journal_pb2.AdviceSigned(deposit_id=deposit_id(1), content=doubt.content, signature=doubt.signature))
    held(bench, new)
    assert [note.booking for note in answer(bench, doubt).notes] == [settlement_pb2.BOOKING_IN_DOUBT]
    held(bench, old, old.entries[2:])
    assert [note.booking for note in answer(bench, credit).notes] == [settlement_pb2.BOOKING_CONFLICT]
    assert {code for code, _ in incidents(bench)} == {"settlement-conflict", "journal-of-a-former-disk"}
    with bench.engine.begin() as connection:
        assert verify_books(connection, bench.host.keys.signer.public_key()).findings == ()


# --- the way back ---------------------------------------------------------------------------------------------------


async def fetched(terminal: BenchTerminal, ports: Ports, **after: int) -> list[replication_pb2.FetchResponse]:
    async with grpc.aio.secure_channel(f"localhost:{ports.port}", terminal.credentials()) as channel:
        request = replication_pb2.FetchRequest(**after)
        return [part async for part in JournalsStub(channel).Fetch(request, timeout=DEADLINE)]


async def test_a_terminal_gets_back_all_that_is_held_of_it_countersigned(bench: Bench, ports: Ports) -> None:
    old = bench.enrol("T-1")
    for _ in range(600):
        old.write(started())
    for begin in range(0, 600, 256):
        held(bench, old, old.entries[begin : begin + 256])
    other = bench.enrol("T-2")
    other.write(started())
    held(bench, other)
    new = bench.enrol("T-1")
    new.write(started())
    held(bench, new)
    parts = await fetched(new, ports)
    got = [(e.epoch, e.sequence, e.record) for part in parts for e in part.entries]
    assert got == [(e.epoch, e.sequence, e.record) for e in (*old.entries, *new.entries)]
    signed = [part.checkpoint for part in parts if part.HasField("checkpoint")]
    places = [check_checkpoint(one, new.answer_key, new.name).place for one in signed]
    assert places == [(1, 600), (2, 1)]
    rest = await fetched(new, ports, after_epoch=1, after_sequence=599)
    assert [(e.epoch, e.sequence) for part in rest for e in part.entries] == [(1, 600), (2, 1)]


async def test_a_terminal_that_was_withdrawn_gets_nothing_back(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    terminal.write(started())
    held(bench, terminal)
    with bench.engine.begin() as connection:
        withdraw(connection, terminal.name, Withdrawal.REVOKED, bench.clock.now_us)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await fetched(terminal, ports)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_place_out_of_range_is_refused(bench: Bench, ports: Ports) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await fetched(bench.enrol("T-1"), ports, after_epoch=2**63)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


# --- what nobody sent -----------------------------------------------------------------------------------------------


async def looked(bench: Bench, ports: Ports, grace_us: int = GRACE_US) -> int:
    """One look, over a desk of its own."""
    desk = SettlementDesk(bench.host.store, bench.host.settlement)
    working = asyncio.create_task(desk.run())
    try:
        return await settle_waiting(bench.host, desk, grace_us)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_what_stands_signed_in_a_journal_is_settled_though_its_terminal_never_comes_back(
    bench: Bench, ports: Ports
) -> None:
    terminal = bench.enrol("T-1")
    advised(terminal, 1, Note(1, 5_000), Note(2, outcome=OUTCOME_IN_DOUBT))
    sent = advised(terminal, 2, Note(3))
    held(bench, terminal)
    answer(bench, sent)
    assert await looked(bench, ports) == 0, "the terminal may still send it itself"
    bench.clock.now_us += GRACE_US + 1
    assert await looked(bench, ports) == 1
    assert await looked(bench, ports) == 0
    with bench.engine.begin() as connection:
        rows = connection.execute(select(note_outcomes.c.value_minor, note_outcomes.c.booking)).all()
        assert sorted((row[0], row[1].value) for row in rows) == [
            (2_000, "customer"), (2_000, "in-doubt"), (5_000, "customer")
        ]  # fmt: skip
        assert verify_books(connection, terminal.answer_key).good


async def test_a_terminal_that_sends_it_after_all_gets_the_answer_that_was_given(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    signed = advised(terminal, 1, Note(1))
    held(bench, terminal)
    bench.clock.now_us += GRACE_US + 1
    await looked(bench, ports)
    with bench.engine.begin() as connection:
        kept = connection.execute(select(advices.c.answer)).scalar_one()
    assert answer(bench, signed).SerializeToString(deterministic=True) == kept


async def test_what_cannot_be_settled_is_one_incident_and_is_tried_again_after_an_hour(
    bench: Bench, ports: Ports
) -> None:
    terminal, thief = bench.enrol("T-1"), bench.enrol("T-2")
    notes = (Note(1),)
    place = terminal.write_deposit(1, notes, ANNA)
    signed = terminal.advice(1, notes, account=ANNA, place=place)
    forged = thief.signed(signed.content).signature
    terminal.write(journal_pb2.AdviceSigned(deposit_id=deposit_id(1), content=signed.content, signature=forged))
    held(bench, terminal)
    bench.clock.now_us += GRACE_US + 1
    assert [await looked(bench, ports) for _ in range(2)] == [1, 0]
    bench.clock.now_us += 3_600_000_001
    assert await looked(bench, ports) == 1
    assert [code for code, _ in incidents(bench)] == ["advice-not-settled"]


def test_a_database_of_before_knows_where_its_advices_stand(bench: Bench, tmp_path: Path) -> None:
    terminal = bench.enrol("T-1")
    advised(terminal, 1, Note(1))
    held(bench, terminal)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[2] / "host/store/migrations"))
    with bench.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0004")
    migrate(bench.engine)
    with bench.engine.begin() as connection:
        found = connection.execute(text("SELECT terminal_id, epoch, sequence FROM journal_advices")).all()
    assert [tuple(row) for row in found] == [("T-1", 1, len(terminal.entries))]


# --- a file instead of the wire -------------------------------------------------------------------------------------


def exported(terminal: BenchTerminal, path: Path, entries: list[Entry] | None = None) -> Path:
    head = Head(terminal.name, 1, "1", terminal.signer.public_key())
    path.write_bytes(b"".join(write_export(head, terminal.entries if entries is None else entries, terminal.signer)))
    return path


def taken(bench: Bench, path: Path) -> TakenIn:
    def write(operation: Callable[[Connection], T]) -> T:
        with bench.engine.begin() as connection:
            return operation(connection)

    return take_in(read_export(path.read_bytes()), bench.host.settlement, write, bench.clock.now_us)


def test_an_export_is_taken_in_as_if_it_had_come_by_the_link_and_settles(bench: Bench, tmp_path: Path) -> None:
    terminal = bench.enrol("T-1")
    advised(terminal, 1, Note(1, 5_000))
    held(bench, terminal, terminal.entries[:2])
    for _ in range(300):
        terminal.write(started())
    advised(terminal, 2, Note(2))
    with bench.engine.begin() as connection:
        withdraw(connection, terminal.name, Withdrawal.REVOKED, bench.clock.now_us)
    file = exported(terminal, tmp_path / "export")
    count = len(terminal.entries)
    assert taken(bench, file) == TakenIn(TerminalId("T-1"), count, kept=count - 2, settled=2)
    assert taken(bench, file) == TakenIn(TerminalId("T-1"), count), "again, it changes nothing"
    with bench.engine.begin() as connection:
        assert verify_books(connection, terminal.answer_key).good


def test_an_export_with_a_branch_a_gap_or_an_epoch_that_was_not_given_says_so(bench: Bench, tmp_path: Path) -> None:
    terminal = bench.enrol("T-1")
    for _ in range(4):
        terminal.write(started())
    held(bench, terminal)
    terminal.entries = terminal.entries[:2]
    terminal.write(started("another life"))
    forked = taken(bench, exported(terminal, tmp_path / "forked"))
    assert forked.wrong == ["another entry is held at 1/3: both are kept"]
    for _ in range(600):
        terminal.write(started("another life"))
    advised(terminal, 7, Note(7))
    gap = taken(bench, exported(terminal, tmp_path / "gap", terminal.entries[7:]))
    assert gap.wrong == ["the host holds up to 4 of epoch 1, the batch begins at 8"]
    assert gap.settled == 1, "what was signed is settled, whatever becomes of the journal around it"
    terminal.epoch, terminal.entries = 9, []
    terminal.write(started())
    unknown = taken(bench, exported(terminal, tmp_path / "unknown"))
    assert unknown.wrong == ["epoch 9 was not given to T-1"]


def test_what_a_branch_advises_is_settled_to_suspense_also_if_its_disk_never_speaks_again(
    bench: Bench, tmp_path: Path
) -> None:
    terminal = bench.enrol("T-1")
    for _ in range(4):
        terminal.write(started())
    held(bench, terminal)
    terminal.entries = terminal.entries[:2]
    advised(terminal, 1, Note(1, 5_000))
    forked = taken(bench, exported(terminal, tmp_path / "forked"))
    assert forked.settled == 1
    with bench.engine.begin() as connection:
        rows = connection.execute(select(note_outcomes.c.value_minor, note_outcomes.c.booking)).all()
        assert [(row[0], row[1].value) for row in rows] == [(5_000, "suspense")]


async def test_a_branch_that_came_by_the_link_is_settled_too(bench: Bench, ports: Ports) -> None:
    terminal = bench.enrol("T-1")
    for _ in range(4):
        terminal.write(started())
    held(bench, terminal)
    terminal.entries = terminal.entries[:2]
    advised(terminal, 1, Note(1, 5_000))
    held(bench, terminal)
    bench.clock.now_us += GRACE_US + 1
    assert await looked(bench, ports) == 1
    with bench.engine.begin() as connection:
        assert [row[0].value for row in connection.execute(select(note_outcomes.c.booking))] == ["suspense"]


def test_an_export_of_a_revoked_key_extends_no_journal_that_has_a_newer_one(bench: Bench, tmp_path: Path) -> None:
    old = bench.enrol("T-1")
    advised(old, 1, Note(1))
    with bench.engine.begin() as connection:
        withdraw(connection, old.name, Withdrawal.REVOKED, bench.clock.now_us)
    bench.enrol("T-1")
    stolen = taken(bench, exported(old, tmp_path / "export"))
    assert (stolen.kept, stolen.settled) == (0, 1)
    assert "sealed by a key that was revoked" in stolen.wrong[0]
    assert "export-after-revocation" in [code for code, _ in incidents(bench)]


def test_an_export_that_another_sealed_is_not_taken_in(bench: Bench, tmp_path: Path) -> None:
    terminal, thief = bench.enrol("T-1"), bench.enrol("T-2")
    terminal.write(started())
    head = Head(terminal.name, 1, "1", thief.signer.public_key())
    file = tmp_path / "export"
    file.write_bytes(b"".join(write_export(head, terminal.entries, thief.signer)))
    with pytest.raises(CommandError, match="not sealed by a key that T-1 has or had"):
        taken(bench, file)


def test_the_command_says_what_it_cannot_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "export"
    file.write_bytes(b"\x00nothing")
    data = tmp_path / "host"
    assert host_main(["migrate", "--data", str(data)]) == 0
    assert host_main(["operator", "take-in", str(file), "--data", str(data)]) == 1
    assert "the part at byte 1 is cut short, or is none" in capsys.readouterr().err


async def test_a_journal_of_large_records_is_given_back_in_parts_that_a_message_takes(
    bench: Bench, ports: Ports
) -> None:
    terminal = bench.enrol("T-1")
    for number in range(250):
        terminal.write(journal_pb2.Incident(code="large", text=f"{number}" + "x" * 30_000))
    held(bench, terminal)
    parts = await fetched(terminal, ports)
    assert len(parts) > 2
    assert [entry.sequence for part in parts for entry in part.entries] == list(range(1, 251))
    assert [part.HasField("checkpoint") for part in parts] == [False] * (len(parts) - 1) + [True]
