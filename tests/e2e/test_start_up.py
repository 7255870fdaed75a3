"""A terminal that cannot begin, or begins under bad circumstances: what it says, and that nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from guichet.v1 import journal_pb2 as journal
from kiosk.journal.store import RESERVE_BYTES
from tests.e2e.whole_kiosk import Books, Kiosk, run_tool

_DISK_BYTES = 24 * 1024 * 1024


def one(value: str) -> Books:
    return Books(Counter({value: 1}), Counter({value: 1}), Counter())


def deposit_five(kiosk: Kiosk) -> None:
    """A whole deposit of one note, to the receipt."""
    kiosk.sign_in()
    kiosk.begin_deposit()
    kiosk.person.insert("5 EUR")
    kiosk.sees_total("€5")
    assert kiosk.finish().says("The money is in your account")
    kiosk.leave()


# --- what cannot begin ------------------------------------------------------------------------------------------------

GOOD = """data = "{data}"
socket = "{data}/terminal.sock"
denominations = ["5 EUR", "20 EUR"]
[devices.cash]
driver = "ccnet"
[devices.card]
driver = "pcsc"
[devices.pinpad]
driver = "epp"
"""


def terminal(config: Path) -> subprocess.CompletedProcess[str]:
    return run_tool("guichet-kiosk", "terminal", "--config", str(config))


def test_a_machine_that_is_not_enrolled_is_told_how_to_enrol(tmp_path: Path) -> None:
    config = tmp_path / "terminal.toml"
    config.write_text(GOOD.format(data=tmp_path))
    done = terminal(config)
    assert done.returncode == 2
    assert done.stderr == f"guichet-kiosk terminal: {tmp_path} is not enrolled: run 'guichet-kiosk enrol'\n"


@pytest.mark.parametrize(
    ("good", "bad", "named"),
    [
        ("denominations", "denomination", "denomination"),
        ('"20 EUR"', '"20 EURO"', "denominations"),
        ('driver = "epp"', "driver = 5", "driver"),
        ("[devices.cash]", "[timings]\nescrow_hold = -1\n[devices.cash]", "timings.escrow_hold"),
        ("[devices.pinpad]", "[devices.pin]", "pin"),
        ("data = ", "data : ", "line 1"),
    ],
)
def test_a_bad_configuration_is_refused_with_the_key_that_is_bad(
    tmp_path: Path, good: str, bad: str, named: str
) -> None:
    config = tmp_path / "terminal.toml"
    config.write_text(GOOD.format(data=tmp_path).replace(good, bad))
    done = terminal(config)
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_terminal_on_the_same_journal_is_refused_and_the_first_goes_on(kiosk: Kiosk) -> None:
    done = terminal(kiosk.stack.config)
    assert done.returncode == 1
    assert "another process" in done.stderr
    assert "Traceback" not in done.stderr
    kiosk.sign_in()
    kiosk.leave()


@contextmanager
def clock_off(kiosk: Kiosk, hours: int) -> Generator[None]:
    """In place of the terminal the same one with its clock ``hours`` off."""
    stack, command = kiosk.stack, kiosk.stack.terminal.command
    stack.terminal.stop()
    script = str(Path(__file__).with_name("odd_terminal.py"))
    stack.terminal.command = (sys.executable, "-P", script, str(stack.config), str(hours))
    try:
        stack.start_terminal()
        kiosk.until(kiosk.in_service, "the terminal to serve")
        yield
    finally:
        stack.terminal.stop()
        stack.terminal.command = command
        stack.start_terminal()


# --- circumstances ----------------------------------------------------------------------------------------------------


def test_a_clock_that_is_hours_off_is_an_incident_and_deposits_settle_all_the_same(kiosk: Kiosk) -> None:
    before = kiosk.books()
    with clock_off(kiosk, 5):
        assert "clock-off" in [incident.code for incident in kiosk.facts(journal.Incident)]
        deposit_five(kiosk)
        assert kiosk.books().since(before) == one("5.00 EUR")
        told = json.loads(kiosk.host("operator", "incidents", "--json").stdout)
        assert "clock-off" in [incident["code"] for incident in told]


@pytest.fixture
def small_disk(kiosk: Kiosk) -> Iterator[Path]:
    """The terminal's data on a disk of its own, which is small."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk under the journal")
    data, stack = kiosk.stack.base / "kiosk", kiosk.stack
    kept = stack.base / "kiosk-kept"
    stack.terminal.stop()
    shutil.copytree(data, kept)
    mount = ("mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "guichet-test", str(data))
    if subprocess.run(mount, check=False).returncode:
        shutil.rmtree(kept)
        stack.start_terminal()
        pytest.skip("no file system can be mounted here")
    shutil.copytree(kept, data, dirs_exist_ok=True)
    stack.start_terminal()
    kiosk.until(kiosk.in_service, "the terminal to serve from its small disk")
    yield data
    (data / "ballast").unlink(missing_ok=True)
    stack.terminal.stop()
    shutil.copytree(data, kept, dirs_exist_ok=True)
    subprocess.run(("umount", str(data)), check=True)
    shutil.copytree(kept, data, dirs_exist_ok=True)
    shutil.rmtree(kept)
    stack.start_terminal()


def leave_free(disk: Path, free: int) -> None:
    """Fill the disk up to so many bytes."""
    with (disk / "ballast").open("ab", buffering=0) as ballast:
        room = os.statvfs(disk)
        size = room.f_bavail * room.f_frsize - free
        while size > 0:
            try:
                size -= ballast.write(bytes(min(size, 65536)))
            except OSError:
                return


def test_a_full_disk_takes_deposits_off_before_a_note_and_loses_none(kiosk: Kiosk, small_disk: Path) -> None:
    before = kiosk.books()
    # Little space: no deposit is offered any more.
    leave_free(small_disk, RESERVE_BYTES // 2)
    kiosk.person.wait_until(lambda seen: seen.name == "attract" and seen.says("Not available"), "no deposits")
    (small_disk / "ballast").unlink()
    kiosk.person.wait_until(lambda seen: seen.name == "attract" and not seen.says("Not available"), "deposits")

    # The disk fills up while the slot is open: the note that cannot be recorded comes back.
    kiosk.sign_in()
    kiosk.begin_deposit()
    leave_free(small_disk, 0)
    kiosk.person.insert("20 EUR")
    kiosk.stack.tell("cash", "wait returning")
    notes = json.loads(kiosk.stack.tell("cash", "notes"))["notes"]
    assert notes[-1]["face"] == "20.00 EUR"
    kiosk.until(
        lambda: json.loads(kiosk.stack.tell("cash", "notes"))["notes"][-1]["place"] == "hand", "the note to be back"
    )
    kiosk.person.take_card()
    kiosk.person.wait_until(lambda seen: seen.says("Code journal-full"), "the reason")

    # It stays up to say so, here and at the host.
    kiosk.until(lambda: kiosk.connected() and not kiosk.works("cash"), "the terminal to have let go of its devices")
    kiosk.person.wait_until(lambda seen: seen.says("Code journal-full"), "the reason still")

    # With space again, it finds the journal whole by itself and closes what was open.
    (small_disk / "ballast").unlink()
    kiosk.until(kiosk.in_service, "the terminal to serve again")
    verified = run_tool("guichet-kiosk", "journal", "verify", "--config", str(kiosk.stack.config))
    assert verified.returncode == 0, verified.stdout
    opened, closed = kiosk.facts(journal.DepositOpened), kiosk.facts(journal.DepositClosed)
    assert opened[-1].deposit_id == closed[-1].deposit_id
    assert kiosk.books().since(before) == Books(Counter(), Counter(), Counter())


def test_a_disk_that_fills_up_under_a_note_on_its_way_to_the_box_stops_the_terminal_no_longer_than_it_is_full(
    kiosk: Kiosk, small_disk: Path
) -> None:
    before, log = kiosk.books(), kiosk.stack.base / "log" / "terminal.log"
    kiosk.sign_in()
    kiosk.begin_deposit()
    kiosk.stack.tell("cash", "pace 1")
    kiosk.person.insert("20 EUR")
    kiosk.stack.tell("cash", "wait stacking")
    leave_free(small_disk, 0)
    kiosk.person.take_card()
    said = len(log.read_text(encoding="utf-8"))
    seen: set[str] = set()

    def has_let_go() -> bool:
        seen.update(kiosk.person.look().texts)
        return "terminal.stopped" in log.read_text(encoding="utf-8")[said:]

    # Nothing can be decided before there is room: nobody waits for that, and the reason is shown from first to last.
    kiosk.until(has_let_go, "the terminal to give up what it cannot record")
    kiosk.person.wait_until(lambda seen: seen.says("Code journal-full"), "the reason")
    assert not [text for text in seen if "Code stopping" in text]
    assert "terminal.note-on-its-way" not in log.read_text(encoding="utf-8")[said:]

    (small_disk / "ballast").unlink()
    kiosk.until(kiosk.in_service, "the terminal to serve again")
    assert kiosk.books().since(before) == one("20.00 EUR")


@pytest.fixture
def journal_file(kiosk: Kiosk) -> Iterator[Path]:
    """The journal of a terminal that has stopped. Whatever becomes of it, the next test has one that it serves with."""
    kiosk.stack.terminal.stop()
    file = kiosk.stack.base / "kiosk" / "journal.db"
    whole = file.with_name("whole.db")
    shutil.copyfile(file, whole)
    yield file
    if not kiosk.in_service():
        kiosk.stack.terminal.stop()
        whole.replace(file)
        kiosk.stack.start_terminal()
        kiosk.until(kiosk.in_service, "the terminal to serve again")
    whole.unlink(missing_ok=True)


def test_a_terminal_whose_journal_is_damaged_says_so_everywhere_and_serves_again_with_what_is_salvaged(
    kiosk: Kiosk, journal_file: Path
) -> None:
    whole = journal_file.read_bytes()
    damaged = b"\xa5" * 4096 + whole[4096:]
    journal_file.write_bytes(damaged)
    kiosk.stack.start_terminal()
    assert kiosk.person.wait_view("out_of_service").says("Code journal-damaged")
    kiosk.until(kiosk.connected, "the terminal to be at its host all the same")
    diag = kiosk.diag()
    assert diag.returncode == 1
    assert "journal  fault [journal-damaged]  it cannot be read as it is" in diag.stdout

    def told() -> bool:
        (terminal,) = json.loads(kiosk.host("operator", "terminals", "--json").stdout)
        return (terminal["service"], terminal["journal_fault"]) == ("out of service", "journal-damaged")

    kiosk.until(told, "operations to see why")
    incidents = json.loads(kiosk.host("operator", "incidents", "--json").stdout)
    assert "journal-fault" in {one["code"] for one in incidents}
    assert "journal-went-back" not in {one["code"] for one in incidents}
    verified = run_tool("guichet-kiosk", "journal", "verify", "--config", str(kiosk.stack.config))
    assert verified.returncode == 2
    assert "journal-damaged" in verified.stderr
    # Another start finds the same, and ends as it is told to.
    kiosk.stack.terminal.stop()
    kiosk.stack.start_terminal()
    kiosk.until(kiosk.connected, "the terminal to be at its host again")

    new, key = journal_file.with_name("new.db"), journal_file.with_name("journal.key")
    words = ("journal", "salvage", "--file", str(journal_file), "--key", str(key), "--out", str(new))
    salvaged = run_tool("guichet-kiosk", *words)
    assert salvaged.returncode == 0, salvaged.stdout
    assert journal_file.read_bytes() == damaged
    new.replace(journal_file)
    kiosk.until(kiosk.in_service, "the terminal to serve again, by itself")
    before = kiosk.books()
    deposit_five(kiosk)
    assert kiosk.books().since(before) == one("5.00 EUR")


def test_a_revoked_terminal_serves_nobody_and_what_it_signed_is_settled(kiosk: Kiosk) -> None:
    before = kiosk.books()
    kiosk.sign_in()
    kiosk.begin_deposit()
    kiosk.person.insert("50 EUR")
    kiosk.sees_total("€50")
    kiosk.stack.pull_cables()
    kiosk.until(lambda: not kiosk.connected(), "the terminal to miss its host")
    assert kiosk.finish().says("Your deposit is recorded")
    done = kiosk.host("operator", "revoke", "K001")
    assert done.returncode == 0, done.stderr
    try:
        kiosk.stack.plug_cables_in()
        kiosk.person.take_card()
        kiosk.person.wait_until(lambda seen: seen.says("Code host-refused"), "the code of a refused terminal")
        assert kiosk.books().since(before) == one("50.00 EUR")
        assert not kiosk.connected()
        told = json.loads(kiosk.host("operator", "incidents", "--json").stdout)
        assert ("K001", "advice-after-revocation") in {(one["terminal_id"], one["code"]) for one in told}
        verified = run_tool("guichet-kiosk", "journal", "verify", "--config", str(kiosk.stack.config))
        assert verified.returncode == 0, verified.stdout
    finally:
        readmit(kiosk)


def readmit(kiosk: Kiosk) -> None:
    """In the field a revoked terminal is enrolled anew; here the next tests need the journal that it has."""
    with sqlite3.connect(kiosk.stack.base / "host" / "host.db", timeout=10) as database:
        database.execute("UPDATE certificates SET withdrawn_at_us = NULL, withdrawal = NULL")
    database.close()
    kiosk.stack.terminal.stop()  # It asks more and more rarely; the next start asks at once.
    kiosk.stack.start_terminal()
