"""The journal's file: durable, append-only, chained, one process, and honest when the disk is not."""

# apsw's own stubs leave type parameters of execute() open.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guichet.journal.chain import GENESIS, Entry, entry_hash, entry_seal, next_entry, verify_chain
from guichet.journal.records import Fact, RecordError, decode, encode, fact_of
from guichet.money import Currency, Money
from guichet.v1 import journal_pb2 as pb
from guichet.v1 import money_pb2
from kiosk.journal.faults import Fault, JournalError
from kiosk.journal.folds import Fold
from kiosk.journal.store import Journal, read_stopped
from tests.kiosk.journal.standing import incident, opened
from tests.kiosk.terminal.standing import TERMINAL, WRITER, Clock

EUR = Currency("EUR")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


# --- durability -----------------------------------------------------------------------------------------------------


def test_the_file_is_in_wal_mode_with_full_sync_and_locked(path: Path) -> None:
    with opened(path) as (_, connection):
        assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
        assert connection.execute("PRAGMA synchronous").fetchall() == [(2,)]
        assert connection.execute("PRAGMA locking_mode").fetchall() == [("exclusive",)]


def test_an_entry_is_in_the_file_when_append_returns(path: Path, tmp_path: Path) -> None:
    """Read from a copy of what is on disk, as after a power cut: no close, no checkpoint."""
    with opened(path) as (journal, _):
        last = journal.append(incident("first"), incident("second"))
        copy = tmp_path / "after"
        copy.mkdir()
        for file in path.parent.glob("journal.db*"):
            if file.is_file():
                shutil.copy(file, copy)
        assert [entry.sequence for entry in read_stopped(copy / "journal.db")] == [1, 2]
        assert read_stopped(copy / "journal.db")[-1] == last


def test_facts_of_one_append_are_written_together_or_not_at_all(path: Path) -> None:
    with opened(path) as (journal, connection):
        journal.append(incident("kept"))
        connection.execute("CREATE TEMP TRIGGER third BEFORE INSERT ON main.entries WHEN NEW.sequence = 3 "
                           "BEGIN SELECT RAISE(ABORT, 'no'); END")  # fmt: skip
        with pytest.raises(JournalError):
            journal.append(incident("a"), incident("b"))
        assert [entry.sequence for entry in journal.entries(1)] == [1]
        assert journal.last is not None
        assert journal.last.sequence == 1


def test_only_its_owner_and_group_can_read_the_journal(path: Path) -> None:
    with opened(path) as (journal, _):
        journal.append(incident("x"))
        for file in path.parent.glob("journal.db*"):
            assert stat.S_IMODE(file.stat().st_mode) & 0o007 == 0, file.name


# --- append-only ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statement", ["UPDATE entries SET record = x'00'", "DELETE FROM entries"])
def test_entries_are_never_changed_and_never_removed(path: Path, statement: str) -> None:
    with opened(path) as (journal, connection):
        journal.append(incident("x"))
        with pytest.raises(apsw.ConstraintError, match="append-only"):
            connection.execute(statement)
        assert len(list(journal.entries(1))) == 1


# --- one process ----------------------------------------------------------------------------------------------------


def test_a_second_connection_is_kept_out_with_a_clear_error(path: Path) -> None:
    with opened(path):
        with pytest.raises(JournalError, match="locked"):
            Journal.open(path, WRITER, Clock())
        with pytest.raises(JournalError, match="locked"):
            read_stopped(path)
    with opened(path) as (journal, _):
        journal.append(incident("free again"))


def test_a_second_process_is_kept_out(path: Path, repository: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from kiosk.journal.store import read_stopped;"
        "read_stopped(Path(sys.argv[1]))"
    )
    with opened(path) as (journal, _):
        journal.append(incident("x"))
        other = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, cwd=repository, check=False
        )
    assert other.returncode != 0
    assert "JournalError" in other.stderr
    assert "locked" in other.stderr


# --- damage ---------------------------------------------------------------------------------------------------------


def altered(path: Path, sequence: int, column: str, value: bytes | int) -> None:
    """Change an entry as someone with the file in hands would."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("DROP TRIGGER entries_are_never_changed")
    connection.execute(f"UPDATE entries SET {column} = ? WHERE sequence = ?", (value, sequence))  # noqa: S608
    connection.close()


@pytest.fixture
def written(path: Path) -> Path:
    with opened(path) as (journal, _):
        for text in ("one", "two", "three"):
            journal.append(incident(text))
    return path


@pytest.mark.parametrize("place", range(1, 4))
@pytest.mark.parametrize(
    ("column", "value"), [("record", b"\x00"), ("hash", bytes(32)), ("previous_hash", b"\x01" * 32), ("sequence", 9)]
)
def test_an_altered_entry_is_found_when_the_journal_is_opened(
    written: Path, place: int, column: str, value: bytes | int
) -> None:
    altered(written, place, column, value)
    with pytest.raises(JournalError, match="journal entry"):
        Journal.open(written, WRITER, Clock())
    # The file is not kept locked by an attempt that failed.
    assert len(read_stopped(written)) == 3


def test_a_byte_that_went_bad_on_the_disk_is_found(written: Path) -> None:
    data = bytearray(written.read_bytes())
    place = data.index(b"two")
    data[place] ^= 0x20
    written.write_bytes(data)
    with pytest.raises(JournalError, match="entry 2: was altered"):
        Journal.open(written, WRITER, Clock())


def test_a_file_that_is_no_journal_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(JournalError, match="not a database"):
        Journal.open(path, WRITER, Clock())
    with pytest.raises(JournalError, match="not a database"):
        read_stopped(path)


def test_a_directory_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="nowhere"):
        Journal.open(tmp_path / "nowhere" / "journal.db", WRITER, Clock())
    with pytest.raises(JournalError, match="no such file"):
        read_stopped(tmp_path / "nowhere.db")


def test_a_disk_that_has_no_wal_is_refused() -> None:
    """A file in memory has none: SQLite answers with the mode that it really has."""
    with pytest.raises(JournalError, match="not wal"):
        Journal.open(Memory(), WRITER, Clock())


class Memory(type(Path())):
    """A path that SQLite takes for a database in memory."""

    def __str__(self) -> str:
        return ":memory:"

    def touch(self, mode: int = 0o666, exist_ok: bool = True) -> None:
        """There is no file."""

    def chmod(self, mode: int, *, follow_symlinks: bool = True) -> None:
        """There is no file."""


def put(path: Path, *records: bytes) -> None:
    """A well-chained journal of any bytes."""
    with opened(path):
        pass
    connection, last = apsw.Connection(str(path)), None
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    for record in records:
        last = next_entry(1, last, record)
        seal = entry_seal(WRITER.key, last.hash)
        connection.execute(
            "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)",
            (last.epoch, last.sequence, last.previous_hash, last.hash, seal, last.record),
        )
    connection.close()


def test_a_record_of_another_schema_or_without_a_fact_is_refused_at_the_start(path: Path) -> None:
    put(path, pb.JournalRecord(terminal_id="T1", schema=2, incident=incident("x")).SerializeToString())
    with pytest.raises(JournalError, match="schema 2"):
        Journal.open(path, WRITER, Clock())


@pytest.mark.parametrize(
    "fact",
    [
        pb.NoteStacked(note_id="nobody's", outcome_number=1),
        pb.NoteEscrowed(note_id="n", deposit_id="nobody's", value=money_pb2.Money(minor=1, currency="EUR")),
        pb.DepositOpened(deposit_id="d", currency="XXX"),
    ],
    ids=["a note that is unknown", "a deposit that is unknown", "a currency that is unknown"],
)
def test_records_that_make_no_story_are_refused_at_the_start(path: Path, fact: Fact) -> None:
    put(path, encode(TERMINAL, 0, fact))
    with pytest.raises(JournalError):
        Journal.open(path, WRITER, Clock())
    assert len(read_stopped(path)) == 1, "and can still be read by a person"


# --- the seal -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, bytes(32)], ids=["no key", "a key of their own"])
def test_who_rewrites_the_journal_without_the_terminals_key_is_found(written: Path, key: bytes | None) -> None:
    """A forger who knows everything but the key makes a chain that is whole."""
    seals, last = [sealed(written, sequence) for sequence in (1, 2, 3)], None
    connection = apsw.Connection(str(written))
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("DROP TRIGGER entries_are_never_changed")
    for sequence, text in enumerate(("one", "forged", "three"), 1):
        last = next_entry(1, last, encode(TERMINAL, 0, incident(text)))
        seal = seals[sequence - 1] if key is None else entry_seal(key, last.hash)
        connection.execute(
            "UPDATE entries SET previous_hash = ?, hash = ?, seal = ?, record = ? WHERE sequence = ?",
            (last.previous_hash, last.hash, seal, last.record, sequence),
        )
    connection.close()
    assert verify_chain(read_stopped(written), 1)[0] == 3, "nothing but the seal shows it"
    with pytest.raises(JournalError, match="entry 1: was not sealed") as refused:
        Journal.open(written, WRITER, Clock())
    assert refused.value.fault is Fault.BROKEN
    with pytest.raises(JournalError, match="entry 1: was not sealed"):
        read_stopped(written, WRITER.key)


def sealed(path: Path, sequence: int) -> bytes:
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    row = connection.execute("SELECT seal FROM entries WHERE sequence = ?", (sequence,)).fetchone()
    connection.close()
    assert row is not None
    assert isinstance(row[0], bytes)
    return row[0]


def test_a_journal_whose_key_is_lost_is_read_by_people_and_not_gone_on_with(written: Path) -> None:
    with pytest.raises(JournalError, match="not sealed with this terminal's key"):
        Journal.open(written, replace(WRITER, key=bytes(32)), Clock())
    assert fact_of(decode(read_stopped(written)[0].record)) == incident("one")


def test_a_key_is_never_printed() -> None:
    assert WRITER.key.hex() not in repr(WRITER)
    assert repr(WRITER.key) not in repr(WRITER)


# --- its form -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pragma", ["user_version=5", "user_version=3", "user_version=2", "user_version=0", "application_id=0"]
)
def test_a_file_of_another_form_is_not_touched_and_nobody_can_have_it_sealed(written: Path, pragma: str) -> None:
    """Not one of a later version, and not one that is said to be of a time before there were seals."""
    connection = apsw.Connection(str(written))
    connection.execute(f"PRAGMA {pragma}")
    connection.close()
    before = written.read_bytes()
    for attempt in (lambda: Journal.open(written, WRITER, Clock()), lambda: read_stopped(written)):
        with pytest.raises(JournalError, match="no journal of form 4") as refused:
            attempt()
        assert refused.value.fault is Fault.OTHER_FORM
    assert written.read_bytes() == before


# --- order and reading ----------------------------------------------------------------------------------------------


def test_entries_are_chained_from_the_first_on_and_read_from_anywhere(written: Path) -> None:
    with opened(written) as (journal, _):
        entries = list(journal.entries(1))
        assert entries[0].previous_hash == GENESIS
        assert verify_chain(entries, 1) == (3, entries[-1].hash)
        assert list(journal.entries(2)) == entries[1:]
        assert list(journal.entries(1, 2)) == entries[:2]
        assert list(journal.entries(9)) == []
        assert journal.last == entries[-1]


def test_another_epoch_begins_its_own_chain_in_the_same_file(written: Path) -> None:
    with opened(written, epoch=2) as (journal, _):
        assert journal.last is None
        assert journal.append(incident("new disk")).sequence == 1
    assert [(entry.epoch, entry.sequence) for entry in read_stopped(written)] == [(1, 1), (1, 2), (1, 3), (2, 1)]


def test_observers_hear_every_entry_once_it_is_durable(path: Path) -> None:
    heard: list[tuple[int, str]] = []
    with opened(path) as (journal, _):
        journal.observe(lambda entry, fact: heard.append((entry.sequence, fact.DESCRIPTOR.name)))
        journal.append(incident("a"), pb.SessionOpened(session_id="s"))
    assert heard == [(1, "Incident"), (2, "SessionOpened")]


def test_an_entry_in_another_form_is_refused(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(
        "CREATE TABLE entries (epoch, sequence, previous_hash, hash, seal, record);"
        "INSERT INTO entries VALUES (1, 1, 'text', x'00', x'00', x'00');"
        "INSERT INTO entries VALUES ('x', 2, x'00', x'00', x'00', x'00');"
        "PRAGMA application_id=0x4755494A; PRAGMA user_version=3"
    )
    connection.close()
    with pytest.raises(JournalError, match="form"):
        read_stopped(path)
    connection = apsw.Connection(str(path))
    connection.execute("DELETE FROM entries WHERE sequence = 1")
    connection.close()
    with pytest.raises(JournalError, match="form"):
        read_stopped(path)


# --- the fold -------------------------------------------------------------------------------------------------------


@st.composite
def stories(draw: st.DrawFn) -> list[Fact]:
    """Deposits and notes in any lawful mixture."""
    facts: list[Fact] = [pb.BoxPeriodOpened(box_period_id="p1", device_serial="D")]
    for deposit in range(draw(st.integers(1, 3))):
        name = f"d{deposit}"
        facts.append(
            pb.DepositOpened(deposit_id=name, session_id="s", currency="EUR", box_period_id="p1", device_serial="D")
        )
        for number in range(draw(st.integers(0, 3))):
            note = f"{name}n{number}"
            value = money_pb2.Money(minor=draw(st.sampled_from([500, 2000])), currency="EUR")
            facts.append(pb.NoteEscrowed(note_id=note, deposit_id=name, value=value, note_type=1, device_serial="D"))
            facts += draw(st.sampled_from(_ends(note)))
        facts.append(pb.DepositClosed(deposit_id=name))
        facts += draw(st.sampled_from(_settlements(name)))
    return facts


def _ends(note: str) -> list[list[Fact]]:
    intended = pb.StackIntended(note_id=note, counter_baseline=3)
    stacked = pb.NoteStacked(note_id=note, outcome_number=1)
    dollar = money_pb2.Money(minor=100, currency="USD")
    return [
        [],
        [pb.ReturnIntended(note_id=note), pb.NoteReturned(note_id=note, outcome_number=1)],
        [intended],
        [intended, stacked],
        [intended, stacked, pb.AckSent(note_id=note), pb.NoteCleared(note_id=note)],
        [intended, pb.NoteInDoubt(note_id=note, outcome_number=1, reason="why")],
        [pb.NoteFound(note_id=note + "f", value=dollar, device_serial="D", outcome_number=1)],
        [pb.NoteFound(note_id=note + "f", device_serial="D", outcome_number=1)],
        [pb.Incident(code="box-removed"), pb.DeviceAnswered(presence=pb.DEVICE_PRESENCE_MOVING)],
    ]  # fmt: skip


def _settlements(deposit: str) -> list[list[Fact]]:
    signed = pb.AdviceSigned(deposit_id=deposit, content=deposit.encode(), signature=b"s")
    digest = sha256(deposit.encode()).digest()
    sent = pb.SettlementSent(deposit_id=deposit, attempt=2, advice_hash=digest)
    settled = pb.Settled(deposit_id=deposit, answer=b"a", advice_hash=digest)
    return [[], [signed], [signed, sent], [signed, sent, settled], [signed, settled, sent, settled]]


@given(stories())
@settings(max_examples=40, deadline=None)
def test_the_fold_is_the_same_after_the_journal_was_opened_again(
    tmp_path_factory: pytest.TempPathFactory, facts: list[Fact]
) -> None:
    path = tmp_path_factory.mktemp("fold") / "journal.db"
    with opened(path) as (journal, connection):
        connection.execute("PRAGMA synchronous=OFF")  # Speed; what is folded does not depend on it.
        journal.append(*facts)
        before = journal.fold
    with opened(path) as (journal, _):
        assert journal.fold == before
        assert journal.fold is not before


def test_a_fold_is_a_function_of_the_records_alone() -> None:
    facts: list[Fact] = [pb.SessionOpened(session_id="s"), pb.TerminalStarted(), pb.SessionClosed(session_id="s")]
    first, second, last = Fold(), Fold(), None
    for fact in facts:
        last = next_entry(1, last, encode(TERMINAL, 0, fact))
        first.apply(last, fact)
        second.apply(last, fact_of(decode(last.record)))
    assert first == second
    assert first.session is None


def test_a_fact_that_no_fold_knows_is_a_defect_that_is_heard() -> None:
    entry = Entry(1, 1, GENESIS, entry_hash(1, 1, GENESIS, b""), b"")
    with pytest.raises(ValueError, match="no fold knows"):
        Fold().apply(entry, pb.NoteTypeValue())  # pyright: ignore[reportArgumentType]


def test_a_settled_deposit_leaves_the_outbox_and_a_late_sending_changes_nothing() -> None:
    fold, last = Fold(), None
    for fact in _settlements("d1")[4]:
        last = next_entry(1, last, encode(TERMINAL, 0, fact))
        fold.apply(last, fact)
    assert fold.outbox == {}
    assert fold.answers == {"d1": b"a"}


def test_a_note_table_is_kept_by_device(path: Path) -> None:
    kinds = [pb.NoteTypeValue(note_type=2, value=money_pb2.Money(minor=500, currency="EUR"))]
    with opened(path) as (journal, _):
        journal.append(pb.NoteTableRead(device_serial="D", table_hash=b"h", types=kinds))
        assert journal.fold.tables == {"D": {2: Money(500, EUR)}}
        assert journal.fold.table_hashes == {"D": b"h"}


def test_a_record_beyond_its_bounds_is_not_written(path: Path) -> None:
    with opened(path) as (journal, _):
        with pytest.raises(RecordError, match="over"):
            journal.append(incident("x" * 40_000))
        assert journal.failure is None
        assert journal.append(incident("x")).sequence == 1


def test_what_an_earlier_epoch_left_unsettled_is_still_to_be_settled(path: Path) -> None:
    opened_deposit = pb.DepositOpened(deposit_id="d1", session_id="s", currency="EUR", box_period_id="p1")
    signed = pb.AdviceSigned(deposit_id="d1", content=b"d1", signature=b"s")
    with opened(path) as (journal, _):
        journal.append(pb.BoxPeriodOpened(box_period_id="p1", device_serial="D"), opened_deposit, signed)
    with opened(path, epoch=2) as (journal, _):
        assert [advice.content for advice in journal.fold.outbox.values()] == [signed.content]
        assert set(journal.fold.deposits) == {"d1"}
        assert journal.last is None
        assert journal.append(incident("x")).sequence == 1
    with opened(path, epoch=2) as (journal, _):
        assert journal.last is not None
        assert (journal.last.epoch, journal.last.sequence) == (2, 1)


def test_a_journal_of_a_later_enrolment_is_not_written_by_an_earlier_one(path: Path) -> None:
    with opened(path, epoch=2) as (journal, _):
        journal.append(incident("x"))
    with pytest.raises(JournalError, match="of epoch 2, and this enrolment of 1"), opened(path, epoch=1):
        pass


def test_what_only_this_machine_knows_of_is_summed_by_currency_and_by_the_record_of_the_outcome(path: Path) -> None:
    def note(name: str, minor: int, currency: str = "EUR") -> Fact:
        return pb.NoteFound(note_id=name, value=money_pb2.Money(minor=minor, currency=currency), outcome_number=1)

    with opened(path) as (journal, _):
        journal.append(note("a", 500), note("b", 1000), note("c", 700, "USD"))
        fold = journal.fold
        assert fold.value_decided_after((1, 0), EUR) == Money(1500, EUR)
        assert fold.value_decided_after((1, 1), EUR) == Money(1000, EUR)
        assert fold.value_decided_after((1, 3), EUR) == Money(0, EUR)
        assert fold.value_decided_after((1, 1), Currency("USD")) == Money(700, Currency("USD"))
