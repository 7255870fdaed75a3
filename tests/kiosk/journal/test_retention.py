"""What is settled, countersigned and old goes; the rest is as if it were still there; nobody else can make anything
go.
"""

# apsw's own stubs leave type parameters of execute() open.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import apsw
import pytest

from guichet.journal.chain import ChainError
from guichet.journal.checkpoint import Checkpoint, countersigned
from guichet.journal.records import Fact, decode, fact_of
from guichet.v1 import journal_pb2 as pb
from guichet.v1 import money_pb2
from kiosk.journal import snapshot
from kiosk.journal.faults import Fault, JournalError
from kiosk.journal.file import JournalFile
from kiosk.journal.replay import verify_links, verify_snapshots
from kiosk.journal.retention import Base, Countersigned
from kiosk.journal.store import DAY_US, KEEP_DAYS, Journal, kept_stopped, read_stopped
from tests.kiosk.journal.standing import incident, opened
from tests.kiosk.journal.stories import Story
from tests.kiosk.settlement.standing import HOST
from tests.kiosk.terminal.standing import TERMINAL, WRITER, Clock

EVERY = 20
CLOCK = Clock()
"""The terminal's, which goes as the host's does, unless a test says otherwise."""
EURO = money_pb2.Money(minor=500, currency="EUR")


@pytest.fixture(autouse=True)
def first_day() -> None:
    CLOCK.wall = DAY_US


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def says(journal: Journal, day: int) -> None:
    """The host countersigns what there is, on that day of its clock and of ours."""
    last = journal.last
    assert last is not None
    CLOCK.wall = day * DAY_US
    said = Checkpoint(TERMINAL, last.epoch, last.sequence, last.hash, day * DAY_US)
    signed = countersigned(said, HOST)
    journal.keep_checkpoint(Countersigned(said, signed.content, signed.signature))


def retire(journal: Journal, most: int = 1_000) -> int:
    """All that may go now; gives how many entries that were."""
    gone = 0
    while count := journal.retire(most):
        gone += count
    return gone


def deposit(number: int, *, period: str = "p", outcome: Fact | None = None, answered: bool = True) -> Iterator[Fact]:
    """A session with a deposit of one note, in doubt where ``outcome`` says so."""
    name, note = f"d{number}", f"n{number}"
    yield pb.SessionOpened(session_id=f"s{number}")
    yield pb.DepositOpened(deposit_id=name, session_id=f"s{number}", currency="EUR", box_period_id=period)
    yield pb.NoteEscrowed(note_id=note, deposit_id=name, value=EURO)
    yield pb.StackIntended(note_id=note)
    yield outcome or pb.NoteStacked(note_id=note, outcome_number=1)
    yield pb.NoteCleared(note_id=note) if outcome is None else pb.Incident(code="in-doubt")
    yield pb.DepositClosed(deposit_id=name)
    advice = pb.AdviceSigned(deposit_id=name, content=name.encode())
    yield advice
    if answered:
        yield settled(advice)
    yield pb.SessionClosed(session_id=f"s{number}")


def settled(advice: pb.AdviceSigned) -> pb.Settled:
    digest = sha256(advice.content).digest()
    return pb.Settled(deposit_id=advice.deposit_id, answer=b"answer", advice_hash=digest)


def lives(journal: Journal, first: int, count: int) -> None:
    for number in range(first, first + count):
        for fact in deposit(number):
            journal.append(fact)


# --- what goes ------------------------------------------------------------------------------------------------------


def test_what_is_settled_countersigned_and_old_goes(path: Path) -> None:
    with opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, _):
        journal.append(pb.BoxPeriodOpened(box_period_id="p", device_serial="D"))
        lives(journal, 0, 10)
        says(journal, 1)
        lives(journal, 10, 10)
        says(journal, 1 + KEEP_DAYS)
        lives(journal, 20, 1)
        before, counts = snapshot.encode(journal.fold), journal.fold.box_counts()
        gone = retire(journal)
        base = journal.base
        assert base is not None
        assert gone == base.place[1] - 1
        assert gone > 50
        assert next(journal.entries(1)).sequence == base.place[1]
        assert retire(journal) == 0
    entries, kept = read_stopped(path, WRITER.key), kept_stopped(path, WRITER.key)
    assert kept.base is not None
    assert verify_links(entries, kept.base.begins) == len(entries)
    assert verify_snapshots(kept.snapshots, entries, kept.base) == len(kept.snapshots) > 0
    with opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, connection):
        assert snapshot.encode(journal.fold) == before
        assert journal.fold.box_counts() == counts
        assert counts.total() == 21
        connection.execute("DELETE FROM snapshots")
    with opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, _):
        assert snapshot.encode(journal.fold) == before, "also from the base alone"


class _NamedFilesOnly(apsw.VFS):
    """The system's own files, and no temporary one: there is no other place to write to."""

    def __init__(self) -> None:
        super().__init__("named-files-only", "", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        if name is None:
            raise apsw.CantOpenError("a temporary file")
        return apsw.VFSFile("unix", name, flags)


def test_much_goes_at_once_without_a_file_anywhere_else(path: Path) -> None:
    """A terminal may write in its own folder and nowhere else; the temporary folder may be full, or read-only."""
    files = _NamedFilesOnly()
    try:
        with opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, _):
            lives(journal, 0, 80)
            says(journal, 1)
            lives(journal, 80, 10)
            says(journal, 1 + KEEP_DAYS)
            lives(journal, 90, 1)
            assert retire(journal, most=256) > 256
            assert journal.failure is None
    finally:
        files.unregister()


def countersign_none(journal: Journal) -> None:
    """The host says nothing."""


def countersign_young(journal: Journal) -> None:
    says(journal, 1)
    lives(journal, 50, 1)
    says(journal, KEEP_DAYS)


@pytest.mark.parametrize("countersign", [countersign_none, countersign_young])
def test_what_the_host_has_not_countersigned_long_ago_by_its_own_clock_stays(
    path: Path, countersign: Callable[[Journal], None]
) -> None:
    with opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, _):
        lives(journal, 0, 10)
        countersign(journal)
        CLOCK.wall = 10_000 * DAY_US  # The terminal's clock alone makes nothing go.
        lives(journal, 60, 10)
        assert retire(journal) == 0
        assert journal.base is None


def test_one_step_of_the_hosts_clock_makes_nothing_go_and_is_over_with_the_next_word(path: Path) -> None:
    with opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, _):
        lives(journal, 0, 10)
        says(journal, 1)
        lives(journal, 10, 5)
        says(journal, 5_000)
        CLOCK.wall = 3 * DAY_US
        lives(journal, 15, 1)
        assert retire(journal) == 0
        says(journal, 4)
        lives(journal, 20, 5)
        says(journal, 4 + KEEP_DAYS)
        lives(journal, 30, 1)
        assert retire(journal) > 0


def grown_old(journal: Journal) -> None:
    says(journal, 1)
    lives(journal, 100, 10)
    says(journal, 1 + KEEP_DAYS)
    lives(journal, 120, 1)


OPEN: dict[str, Sequence[Fact]] = {
    "not answered": list(deposit(90, answered=False)),
    "not closed": [one for one in deposit(90) if not isinstance(one, pb.DepositClosed | pb.AdviceSigned | pb.Settled)],
    "in doubt, of this box": list(deposit(90, outcome=pb.NoteInDoubt(note_id="n90", outcome_number=1))),
    "in doubt, of another box, not answered": list(
        deposit(90, period="before", outcome=pb.NoteInDoubt(note_id="n90", outcome_number=1), answered=False)
    ),
}


@pytest.mark.parametrize("name", OPEN)
def test_what_is_open_stays_with_all_that_came_after_it_however_old(path: Path, name: str) -> None:
    with opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, _):
        journal.append(pb.BoxPeriodOpened(box_period_id="p", device_serial="D"))
        for fact in OPEN[name]:
            journal.append(fact)
        lives(journal, 0, 8)
        grown_old(journal)
        assert retire(journal) == 0


def test_a_doubt_that_only_a_count_can_close_keeps_nothing_and_is_remembered(path: Path) -> None:
    """The box is out, the host has it as in doubt: no record will ever decide it."""
    doubt = list(deposit(90, period="before", outcome=pb.NoteInDoubt(note_id="n90", outcome_number=1)))
    good: list[Fact] = [
        pb.NoteEscrowed(note_id="good", deposit_id="d90", value=EURO),
        pb.StackIntended(note_id="good"),
        pb.NoteStacked(note_id="good", outcome_number=1),
        pb.NoteCleared(note_id="good"),
    ]
    with opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, _):
        journal.append(pb.BoxPeriodOpened(box_period_id="before", device_serial="D"))
        for fact in (*doubt[:2], *good, *doubt[2:]):
            journal.append(fact)
        journal.append(pb.BoxPeriodOpened(box_period_id="p", device_serial="D"))
        lives(journal, 0, 8)
        grown_old(journal)
        assert retire(journal) > 50
        assert [note.note_id for note in journal.fold.in_doubt] == ["n90"]
    with opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, _):
        assert [note.note_id for note in journal.fold.in_doubt] == ["n90"]


def test_nothing_goes_while_somebody_is_served(path: Path) -> None:
    with opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, _):
        lives(journal, 0, 10)
        grown_old(journal)
        journal.append(pb.SessionOpened(session_id="now"))
        assert retire(journal) == 0
        journal.append(pb.SessionClosed(session_id="now"))
        assert retire(journal) > 0


def test_it_goes_a_little_at_a_time_and_a_stop_between_changes_nothing(path: Path) -> None:
    with opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, _):
        lives(journal, 0, 10)
        grown_old(journal)
        assert journal.retire(7) == 7
        before = snapshot.encode(journal.fold)
    entries, kept = read_stopped(path, WRITER.key), kept_stopped(path, WRITER.key)
    assert kept.base is not None
    assert verify_links(entries, kept.base.begins) == len(entries), "what is still to go is not there any more"
    with opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, connection):
        assert snapshot.encode(journal.fold) == before
        assert retire(journal) == kept.base.place[1] - 8
        assert connection.execute("SELECT count(*) FROM entries").fetchone() == (len(entries),)


def test_years_of_it_keep_little_more_than_was_asked_for(path: Path) -> None:
    sizes, firsts = list[int](), list[int]()
    with opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, connection):
        connection.execute("PRAGMA synchronous=OFF")  # Speed; what is kept does not depend on it.
        for day in range(1, 4 * KEEP_DAYS):
            lives(journal, 2 * day, 2)
            says(journal, day)
            retire(journal)
            entries = list(journal.entries(1))
            firsts.append(entries[0].sequence)
            sizes.append(len(entries))
        milestones = connection.execute("SELECT count(*) FROM milestones").fetchone()
    a_day = 20
    assert max(sizes) < KEEP_DAYS * a_day * 1.3
    assert min(sizes[KEEP_DAYS:]) >= (KEEP_DAYS - 1) * a_day
    assert firsts == sorted(firsts)
    assert len(set(firsts)) > 15
    assert milestones is not None
    assert milestones[0] <= 9
    with opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, _):
        assert journal.fold.at_rest


@pytest.mark.parametrize("seed", [0, 1, 2, 4, 5, 6])
def test_whatever_happens_it_is_as_if_everything_were_still_there(path: Path, seed: int) -> None:
    """Days of all kinds; a twin that never lets anything go comes to the same, at every start."""
    twin = path.with_name("twin.db")
    day = gone = 0
    days = list(Story(seed).days(60))
    for part in range(0, len(days), 60):
        with (
            opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, one),
            opened(twin, snapshot_every=EVERY, clock=CLOCK) as (other, two),
        ):
            assert snapshot.encode(journal.fold) == snapshot.encode(other.fold)
            one.execute("PRAGMA synchronous=OFF")
            two.execute("PRAGMA synchronous=OFF")
            for facts in days[part : part + 60]:
                journal.append(*facts)
                other.append(*facts)
                day += 3
                says(journal, day)
                gone += journal.retire(50)
            entries = [entry for entry in other.entries(1) if entry.sequence >= next(journal.entries(1)).sequence]
            assert list(journal.entries(1)) == entries
    assert gone > 0


# --- nobody else ----------------------------------------------------------------------------------------------------


@pytest.fixture
def old(path: Path) -> Base:
    """A journal that begins with a base; the base."""
    with opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, _):
        lives(journal, 0, 10)
        grown_old(journal)
        retire(journal)
        assert journal.base is not None
        return journal.base


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM entries",
        "DELETE FROM entries WHERE sequence = (SELECT max(sequence) FROM entries)",
        "DELETE FROM entries WHERE sequence = (SELECT min(sequence) FROM entries)",
        "UPDATE entries SET record = x'00'",
        "UPDATE bases SET sequence = sequence + 1",
        "DELETE FROM bases",
        "UPDATE milestones SET state = x'00'",
    ],
)
def test_what_is_not_before_the_base_is_never_removed(path: Path, old: Base, statement: str) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    if "milestones" in statement:
        connection.execute("INSERT INTO milestones VALUES (9, 9, x'', x'', x'', x'', x'')")
    with pytest.raises(apsw.ConstraintError):
        connection.execute(statement)
    connection.close()


def edited(path: Path, *statements: str, values: Sequence[bytes] = ()) -> None:
    """Somebody has the disk, and not the key."""
    connection = sqlite3.connect(path, isolation_level=None)
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement, values if "?" in statement else ())
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


EDITS = {
    "a base at another entry": "UPDATE bases SET sequence = sequence + 1",
    "another state": "UPDATE bases SET state = x'00'",
    "another checkpoint": "UPDATE bases SET content = later, signature = later_signature",
    "another age": "UPDATE bases SET later = content, later_signature = signature",
    "another seal": "UPDATE bases SET seal = zeroblob(32)",
    "its entry is gone": "DELETE FROM entries WHERE sequence = (SELECT sequence FROM bases)",
    "the base is gone": "DELETE FROM bases",
}


@pytest.mark.parametrize("name", EDITS)
def test_a_journal_that_somebody_else_has_shortened_is_broken(path: Path, old: Base, name: str) -> None:
    edited(path, EDITS[name], "DELETE FROM snapshots")
    with pytest.raises(JournalError) as refused:
        Journal.open(path, WRITER, Clock())
    assert refused.value.fault is Fault.BROKEN


def test_a_checkpoint_whose_time_somebody_has_written_makes_nothing_go(path: Path) -> None:
    with opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, _):
        lives(journal, 0, 10)
        says(journal, 1)
        lives(journal, 10, 1)
    file = JournalFile.open_stopped(path, WRITER.key)
    by = file.checkpoint()
    file.close()
    assert by is not None
    later = countersigned(replace(by.checkpoint, host_time_us=900 * DAY_US), HOST).content
    edited(path, "UPDATE checkpoints SET content = ?", values=(later,))
    with pytest.raises(JournalError) as refused:
        Journal.open(path, WRITER, Clock())
    assert refused.value.fault is Fault.BROKEN


def test_a_milestone_that_was_edited_stops_the_terminal_before_anything_goes(path: Path) -> None:
    with opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, _):
        lives(journal, 0, 10)
        grown_old(journal)
    edited(path, "UPDATE milestones SET content = ?", values=(b"",))
    with pytest.raises(JournalError) as refused:
        Journal.open(path, WRITER, Clock())
    assert refused.value.fault is Fault.BROKEN


def test_entries_behind_the_base_are_still_chained_to_it(path: Path, old: Base) -> None:
    entries = read_stopped(path)
    with pytest.raises(ChainError, match="is not what it begins with"):
        verify_links(entries[1:], old.begins)
    with pytest.raises(ChainError, match="does not follow"):
        verify_links([entries[0], *entries[2:]], old.begins)
    with pytest.raises(ChainError, match="does not follow 0"):
        verify_links(entries)


def test_a_base_of_another_version_is_only_needed_where_there_is_no_snapshot(
    path: Path, old: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that can be read is refused; what cannot be is said as what it is."""
    monkeypatch.setattr(snapshot, "VERSION", snapshot.VERSION + 1)
    with pytest.raises(JournalError) as refused:
        Journal.open(path, WRITER, Clock())
    assert refused.value.fault is Fault.OTHER_FORM
    monkeypatch.undo()
    with opened(path) as (journal, _):
        assert journal.fold.at_rest


def test_a_disk_that_fails_while_entries_go_ends_it_as_everywhere(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(path, snapshot_every=EVERY, clock=CLOCK) as (journal, _):
        lives(journal, 0, 10)
        grown_old(journal)

        def fails(*_: object) -> None:
            raise JournalError(Fault.IO, "the disk failed")

        monkeypatch.setattr("kiosk.journal.file.JournalFile.rest_on", fails)
        with pytest.raises(JournalError):
            journal.retire()
        with pytest.raises(JournalError):
            journal.append(incident("more"))


def test_the_records_that_are_left_can_be_read(path: Path, old: Base) -> None:
    for entry in read_stopped(path, WRITER.key):
        assert fact_of(decode(entry.record))
