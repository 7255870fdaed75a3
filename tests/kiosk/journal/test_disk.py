"""The journal on a disk that is full, gives up, or is not ours: real file systems, where this machine lets us mount
one, and every answer of SQLite that no disk gives on demand.

Whatever happens, the reason has a name, nothing that was durable is lost, and nothing more is written until the next
start.
"""

# apsw's own stubs leave type parameters of execute() open.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from kiosk.journal.faults import MEND, Fault, JournalError, failed
from kiosk.journal.store import RESERVE_BYTES, Journal, read_stopped
from tests.kiosk.journal.standing import incident, opened
from tests.kiosk.terminal.standing import WRITER, Clock
from tests.simulation.disk import Disk, Disks, close_dead
from tests.simulation.loop import Life

_NOT_MOUNTED = 77


def run_on_a_disk(mount: str, code: str, place: Path, repository: Path) -> str:
    """What ``code`` says that runs in a name space of its own, where ``mount`` has put a file system at ``place``."""
    place.mkdir()
    script = f'{mount} || exit {_NOT_MOUNTED}; exec "$PYTHON" -c "$CODE"'
    paths = os.pathsep.join(filter(None, (str(repository), os.environ.get("PYTHONPATH", ""))))
    environment = {"PYTHON": sys.executable, "CODE": code, "PLACE": str(place), "PYTHONPATH": paths}
    ran = subprocess.run(
        ["unshare", "-m", "--propagation", "private", "sh", "-c", script],
        capture_output=True, text=True, cwd=repository, check=False, env={**os.environ, **environment},
    )  # fmt: skip
    if ran.returncode in (1, _NOT_MOUNTED) and "Traceback" not in ran.stderr:
        pytest.skip(f"no file system can be mounted here: {ran.stderr.strip()}")
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


_BEGIN = """
import os, subprocess
from pathlib import Path
from kiosk.journal.faults import Fault, JournalError
from kiosk.journal.store import Journal
from tests.kiosk.journal.standing import incident
from tests.kiosk.terminal.standing import WRITER, Clock
place = Path(os.environ["PLACE"])
path = place / "journal.db"

def kept(journal):
    return [entry.sequence for entry in journal.entries(1)]
"""


def test_a_full_disk_stops_the_journal_and_loses_nothing(tmp_path: Path, repository: Path) -> None:
    code = """
journal = Journal.open(path, WRITER, Clock())
assert not journal.can_take_a_note()
count = 0
try:
    for count in range(10000):
        journal.append(incident("x" * 1000))
except JournalError as error:
    print(error.fault.value)
assert count > 10
assert journal.failure.fault is Fault.FULL
assert kept(journal) == list(range(1, count + 1)), (kept(journal)[-1], count)
journal.close()
journal = Journal.open(path, WRITER, Clock())
assert journal.last.sequence == count
"""
    said = run_on_a_disk('mount -t tmpfs -o size=512k tmpfs "$PLACE"', _BEGIN + code, tmp_path / "disk", repository)
    assert said == "journal-full\n"


def test_a_disk_that_the_kernel_gives_up_in_mid_run_stops_the_journal_and_keeps_what_it_has(
    tmp_path: Path, repository: Path
) -> None:
    """ext4 is told to abort, as it does by itself when its disk fails: from then on it is read-only."""
    code = """
journal = Journal.open(path, WRITER, Clock())
journal.append(incident("kept"))
subprocess.run(["mount", "-o", "remount,abort", str(place)], check=True)
for attempt in range(2):
    try:
        journal.append(incident("lost"))
    except JournalError as error:
        print(error.fault.value)
assert kept(journal) == [1]
assert not journal.can_take_a_note()
journal.close()
try:
    Journal.open(path, WRITER, Clock())
except JournalError as error:
    print(error.fault.value)
"""
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(8 * 1024 * 1024)
    mount = f'PATH="$PATH:/sbin:/usr/sbin" && mkfs.ext4 -q "{image}" && mount -o loop "{image}" "$PLACE"'
    said = run_on_a_disk(mount, _BEGIN + code, tmp_path / "disk", repository)
    assert said == "journal-read-only\n" * 3


def test_a_disk_that_is_mounted_for_reading_is_said_so(tmp_path: Path, repository: Path) -> None:
    code = """
Journal.open(path, WRITER, Clock()).close()
subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
try:
    Journal.open(path, WRITER, Clock())
except JournalError as error:
    print(error.fault.value)
"""
    said = run_on_a_disk('mount -t tmpfs -o size=4m tmpfs "$PLACE"', _BEGIN + code, tmp_path / "disk", repository)
    assert said == "journal-read-only\n"


@pytest.mark.parametrize(
    ("directory", "file"), [(0o555, 0o640), (0o755, 0o640), (0o755, 0o444)], ids=["directory", "owner", "file"]
)
def test_a_place_that_is_not_ours_is_said_so(tmp_path: Path, repository: Path, directory: int, file: int) -> None:
    """As another user, for nobody stands in the way of root."""
    if os.geteuid() != 0:
        pytest.skip("only root can be someone else")
    code = f"""
Journal.open(path, WRITER, Clock()).close()
os.chmod(path, {file:#o})
os.chmod(place, {directory:#o})
os.setgid(65534), os.setuid(65534)
try:
    Journal.open(path, WRITER, Clock())
except JournalError as error:
    print(error.fault.value)
"""
    said = run_on_a_disk('mount -t tmpfs -o size=4m tmpfs "$PLACE"', _BEGIN + code, tmp_path / "disk", repository)
    assert said == "journal-denied\n"


@contextmanager
def no_file_grows_beyond(size: int) -> Generator[None]:
    """Writes beyond ``size`` bytes of a file fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_a_write_that_fails_is_an_error_that_sticks(path: Path) -> None:
    with opened(path) as (journal, _):
        journal.append(incident("kept"))
        size = path.with_name("journal.db-wal").stat().st_size
        with no_file_grows_beyond(size + 100), pytest.raises(JournalError) as first:
            journal.append(incident("lost"))
        assert journal.failure is first.value
        assert first.value.fault is Fault.FULL
        with pytest.raises(JournalError) as second:
            journal.append(incident("after"))
        assert second.value is first.value, "what the page cache shows is no evidence: nothing is written any more"
        assert not journal.can_take_a_note()
        assert journal.last is not None
        assert journal.last.sequence == 1
    with opened(path) as (journal, _):
        assert [entry.sequence for entry in journal.entries(1)] == [1]
        assert journal.failure is None
        assert journal.append(incident("a new life")).sequence == 2


def test_what_cannot_be_read_any_more_is_not_written_any_more_either(path: Path) -> None:
    with opened(path) as (journal, connection):
        journal.append(incident("one"), incident("two"))
        connection.execute(
            "DROP TRIGGER entries_are_never_changed; UPDATE entries SET seal = zeroblob(32) WHERE sequence = 2"
        )
        assert [entry.sequence for entry in journal.entries(1, 1)] == [1]
        with pytest.raises(JournalError, match="entry 2: was not sealed") as broken:
            list(journal.entries(1))
        assert broken.value.fault is Fault.BROKEN
        with pytest.raises(JournalError) as stopped:
            journal.append(incident("three"))
        assert stopped.value is broken.value is journal.failure


def crashed(path: Path, count: int, after: Path) -> list[int]:
    """File and log as a power cut leaves them in ``after``, with so many entries; the sizes of the log after each."""
    sizes: list[int] = []
    with opened(path) as (journal, _):
        for number in range(count):
            journal.append(incident(f"{number} " + "x" * 400))
            sizes.append(path.with_name("journal.db-wal").stat().st_size)
        after.mkdir()
        for name in ("journal.db", "journal.db-wal"):
            shutil.copy(path.with_name(name), after)
    return sizes


def contents(place: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in place.iterdir()}


def opening(file: Path) -> tuple[Fault | None, int]:
    """What is wrong with a journal; how many entries it has, where nothing is."""
    try:
        with opened(file) as (journal, _):
            return None, journal.last.sequence if journal.last is not None else 0
    except JournalError as error:
        return error.fault, 0


def test_a_bit_that_went_bad_in_the_log_is_no_reason_to_go_on_without_what_lies_behind_it(
    path: Path, tmp_path: Path
) -> None:
    """SQLite reads a log up to the first damage, takes the rest for never written, and says nothing."""
    sizes = crashed(path, 30, tmp_path / "after")
    file, log = tmp_path / "after" / "journal.db", tmp_path / "after" / "journal.db-wal"
    whole, good = file.read_bytes(), log.read_bytes()
    lost = 0
    for at in range(40, len(good), 997):
        damaged = bytearray(good)
        damaged[at] ^= 0x10
        log.write_bytes(damaged)
        file.write_bytes(whole)
        before = contents(file.parent)
        fault, held = opening(file)
        if fault is None:
            # Of the last transaction nobody can tell: it may be one that was not finished. Nor of the one before it,
            # where its mark of an end is hit.
            assert held >= 29 or at >= sizes[-3], (at, held)
        else:
            assert (fault, contents(file.parent)) == (Fault.DAMAGED, before)
            lost += 1
    assert lost > 100


def test_a_last_transaction_that_was_not_finished_is_none(path: Path, tmp_path: Path) -> None:
    sizes = crashed(path, 5, tmp_path / "after")
    file, log = tmp_path / "after" / "journal.db", tmp_path / "after" / "journal.db-wal"
    for size in range(sizes[3], sizes[4], 512):
        for name, content in contents(path.parent / "after").items():
            (tmp_path / "again").mkdir(exist_ok=True)
            (tmp_path / "again" / name).write_bytes(content[:size] if name == log.name else content)
        with opened(tmp_path / "again" / file.name) as (journal, _):
            assert journal.last is not None
            assert journal.last.sequence == 4


def test_a_last_transaction_of_which_only_the_end_is_on_the_disk_is_none(path: Path, tmp_path: Path) -> None:
    """A disk may write in any order what was not synced yet."""
    with opened(path) as (journal, _):
        journal.append(incident("one"))
        journal.append(incident("two"))
        begin = path.with_name("journal.db-wal").stat().st_size
        journal.append(incident("x" * 20_000))  # Of many pages.
        (tmp_path / "after").mkdir()
        shutil.copy(path, tmp_path / "after")
        log = bytearray(path.with_name("journal.db-wal").read_bytes())
    assert len(log) > begin + 4 * 4120
    log[begin : begin + 4120] = bytes(4120)
    (tmp_path / "after" / "journal.db-wal").write_bytes(log)
    assert opening(tmp_path / "after" / "journal.db") == (None, 2)


def test_a_log_that_was_just_begun_anew_is_no_damage_whichever_sectors_of_it_are_on_the_disk(
    path: Path, tmp_path: Path
) -> None:
    log = path.with_name("journal.db-wal")
    with opened(path) as (journal, connection):
        for number in range(20):
            journal.append(incident(f"{number} " + "x" * 400))
        before = log.read_bytes()
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        file = path.read_bytes()
        journal.append(incident("the first of the new log"))
        after = log.read_bytes()
    assert before[:32] != after[:32]
    assert len(before) == len(after)
    again = tmp_path / "again"
    again.mkdir()
    for at in range(0, 4096 * 3, 512):
        for mixed in (before[:at] + after[at:], after[:at] + before[at:]):
            (again / "journal.db").write_bytes(file)
            (again / "journal.db-wal").write_bytes(mixed)
            fault, held = opening(again / "journal.db")
            assert (fault, held in (20, 21)) == (None, True), at


@pytest.mark.parametrize("at", [0, 13, 27, 32, 41, 60, 3000])
def test_damage_at_the_very_beginning_of_a_log_is_seen(path: Path, tmp_path: Path, at: int) -> None:
    """In its header, in the first frame's header, in its page: SQLite takes all of the log for never written."""
    crashed(path, 20, tmp_path / "after")
    log = tmp_path / "after" / "journal.db-wal"
    data = bytearray(log.read_bytes())
    data[at] ^= 1
    log.write_bytes(data)
    before = contents(log.parent)
    assert opening(tmp_path / "after" / "journal.db") == (Fault.DAMAGED, 0)
    assert contents(log.parent) == before


def test_a_damaged_file_and_its_log_stay_as_they_are_whoever_looks_at_them(path: Path, tmp_path: Path) -> None:
    crashed(path, 40, tmp_path / "after")
    file = tmp_path / "after" / "journal.db"
    file.write_bytes(b"\xa5" * 4096 + file.read_bytes()[4096:])
    log = file.with_name("journal.db-wal")
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)
    before = contents(file.parent)
    for attempt in (
        lambda: Journal.open(file, WRITER, Clock()),
        lambda: read_stopped(file),
        lambda: read_stopped(file),
    ):
        with pytest.raises(JournalError):
            attempt()
        assert contents(file.parent) == before


def test_who_only_reads_leaves_file_and_log_as_they_are(path: Path, tmp_path: Path) -> None:
    crashed(path, 10, tmp_path / "after")
    before = contents(tmp_path / "after")
    assert len(read_stopped(tmp_path / "after" / "journal.db")) == 10
    assert contents(tmp_path / "after") == before


@pytest.mark.parametrize("page", ["first", "in the middle", "last"])
def test_a_page_that_went_bad_is_damage_and_the_file_is_left_as_it_is(path: Path, page: str) -> None:
    with opened(path) as (journal, _):
        for number in range(200):
            journal.append(incident(f"{number} " + "x" * 400))
    data = bytearray(path.read_bytes())
    pages = len(data) // 4096
    assert pages > 20
    number = {"first": 0, "in the middle": pages // 2, "last": pages - 1}[page]
    data[number * 4096 : (number + 1) * 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    with pytest.raises(JournalError) as refused:
        Journal.open(path, WRITER, Clock())
    assert refused.value.fault is Fault.DAMAGED
    assert path.read_bytes() == data


# --- every error has a name -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (apsw.BusyError("x"), Fault.LOCKED), (apsw.LockedError("x"), Fault.LOCKED), (apsw.FullError("x"), Fault.FULL),
        (apsw.CorruptError("x"), Fault.DAMAGED), (apsw.NotADBError("x"), Fault.DAMAGED),
        (apsw.PermissionsError("x"), Fault.DENIED), (apsw.IOError("x"), Fault.IO), (apsw.CantOpenError("x"), Fault.IO),
        (apsw.ProtocolError("x"), Fault.IO), (OSError(errno.EIO, "x"), Fault.IO), (OSError("x"), Fault.IO),
        (OSError(errno.ENOSPC, "x"), Fault.FULL), (OSError(errno.EROFS, "x"), Fault.READ_ONLY),
        (OSError(errno.EACCES, "x"), Fault.DENIED), (OSError(errno.ENOENT, "x"), Fault.ABSENT),
    ],
)  # fmt: skip
def test_every_error_of_disk_and_sqlite_has_a_name(path: Path, error: apsw.Error | OSError, fault: Fault) -> None:
    named = failed(path, error)
    assert named.fault is fault
    assert fault.value in str(named)
    assert MEND[fault] in str(named)


def test_what_the_operating_system_said_is_more_than_an_io_error(path: Path) -> None:
    assert failed(path, apsw.IOError("disk I/O error"), errno.ENOSPC).fault is Fault.FULL
    assert failed(path, apsw.IOError("disk I/O error"), errno.EROFS).fault is Fault.READ_ONLY
    assert failed(path, apsw.CantOpenError("unable to open"), errno.EACCES).fault is Fault.DENIED


def test_a_file_that_may_not_be_written_is_a_matter_of_rights_where_the_disk_may_be(path: Path) -> None:
    assert failed(path, apsw.ReadOnlyError("attempt to write")).fault is Fault.DENIED
    assert failed(path / "no" / "such" / "place", apsw.ReadOnlyError("attempt to write")).fault is Fault.DENIED


def test_every_fault_says_what_a_person_can_do() -> None:
    assert set(MEND) == set(Fault)


# --- before it is full ----------------------------------------------------------------------------------------------


def test_little_space_and_no_way_to_tell_are_both_a_reason_to_take_no_note(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(path) as (journal, _):
        assert journal.can_take_a_note()
        real = os.statvfs(path.parent)
        little = os.statvfs_result((*real[:4], (RESERVE_BYTES // real.f_frsize) - 1, *real[5:10]))

        def nearly_full(_: object) -> os.statvfs_result:
            return little

        monkeypatch.setattr(os, "statvfs", nearly_full)
        assert journal.free_bytes() < RESERVE_BYTES
        assert not journal.can_take_a_note()

        def gone(_: object) -> os.statvfs_result:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "statvfs", gone)
        with pytest.raises(JournalError, match="Input/output"):
            journal.free_bytes()
        assert not journal.can_take_a_note()


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_what_a_failed_sync_has_lost_is_written_again_before_the_journal_goes_on(tmp_path: Path, failing: int) -> None:
    """Linux takes the pages of a failed sync for written, and shows them. A process that is killed then leaves a log
    with a hole that nobody sees until the power goes; what was written behind the hole would go with it.
    """
    files, disk = Disks(), Disk(tmp_path / "disk")
    files.add(disk)
    path, first, open_ones = disk.folder / "journal.db", Life("the first", lambda _: None), list[Journal]()

    def write_until_it_fails() -> None:
        open_ones.append(Journal.open(path, WRITER, Clock()))
        open_ones[0].append(incident("before"))
        disk.fails_in(failing)
        with pytest.raises(JournalError):
            open_ones[0].append(incident("lost to a failed sync"))

    first.within(write_until_it_fails)
    first.die()
    disk.mended()
    close_dead(first)
    open_ones.append(Journal.open(path, WRITER, Clock()))
    last = open_ones[1].append(incident("durable"))
    disk.cut(NothingUnsynced())
    with opened(path) as (again, _):
        assert again.last == last
    open_ones[1].close()
    files.unregister()


class NothingUnsynced(random.Random):
    """No sector that was not synced is on the disk."""

    def random(self) -> float:
        return 1.0
