"""``make demo`` proves the day, and does not say so when something is wrong."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from guichet.system import SystemClock
from guichet.v1 import journal_pb2
from kiosk.journal.key import key_file, load_key
from kiosk.journal.store import Journal
from kiosk.terminal.enrolment import load_identity
from tests.e2e.conftest import DemoDay
from tests.e2e.demo.__main__ import summary
from tests.e2e.processes import commands_with

_PICTURES = ("attract", "menu", "statement", "deposit-105", "deposit-host-away", "recovered", "out-of-service")
_RECEIPTS = ("statement", "receipt-booked", "receipt-provisional")


def compare(base: Path, repository: Path) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "tests.e2e.demo", "--compare", str(base))
    return subprocess.run(command, cwd=repository, check=False, capture_output=True, text=True, timeout=120)


@pytest.fixture
def day(demo_day: DemoDay, tmp_path: Path) -> Path:
    """A copy of what the day left, elsewhere, to be spoilt."""
    return Path(shutil.copytree(demo_day.keep, tmp_path / "day"))


def test_the_day_ends_well_and_shows_its_evidence(demo_day: DemoDay) -> None:
    assert demo_day.status == 0, demo_day.printed
    assert "all agree" in demo_day.printed
    for evidence in ("SIGKILL between", "NoteStacked EVIDENCE_EVENT_AFTER_RESTART", "5 notes", "18500 cents"):
        assert evidence in demo_day.printed


def test_its_pictures_and_receipts_are_there_and_not_blank(demo_day: DemoDay) -> None:
    folder = demo_day.out / "demo"
    pictures = {path.stem.partition("-")[2]: path for path in folder.glob("[0-9][0-9]-*.png")}
    assert set(_PICTURES) <= set(pictures)
    for path in (*pictures.values(), *(folder / f"{name}.png" for name in _RECEIPTS)):
        with Image.open(path) as picture:
            assert len(set(picture.convert("L").reduce(4).tobytes())) > 8, f"{path.name} is blank"
    for name, words in zip(_RECEIPTS, ("ACCOUNT STATEMENT", "CASH DEPOSIT", "PROVISIONAL RECEIPT"), strict=True):
        assert words in (folder / f"{name}.txt").read_text(encoding="utf-8")


def test_it_replaces_what_the_day_before_left_and_touches_nothing_else(demo_day: DemoDay) -> None:
    assert not (demo_day.out / "demo" / "of-yesterday.png").exists()
    assert (demo_day.out / "someone-else's.txt").exists()


def test_it_leaves_no_process_behind(demo_day: DemoDay) -> None:
    assert commands_with("guichet-demo-") == []


def test_the_books_of_the_day_agree_also_when_they_are_compared_elsewhere(day: Path, repository: Path) -> None:
    done = compare(day, repository)
    assert done.returncode == 0, done.stderr
    assert "all agree" in done.stdout


def test_one_corrupted_posting_is_found_and_named(day: Path, repository: Path) -> None:
    with closing(sqlite3.connect(day / "host" / "host.db")) as database, database:
        _drop_triggers(database, "postings")
        number, transaction = database.execute(
            "SELECT posting_no, transaction_id FROM postings p JOIN transactions t USING (transaction_id)"
            " JOIN accounts a USING (account_id) WHERE t.deposit_id IS NOT NULL AND a.customer_id IS NOT NULL LIMIT 1"
        ).fetchone()
        database.execute("UPDATE postings SET amount_minor = amount_minor + 1 WHERE posting_no = ?", (number,))
    done = compare(day, repository)
    assert done.returncode == 1
    assert "deposits' postings are 18501, the notes 18500" in done.stderr
    assert f"transaction {transaction}" in done.stderr
    assert "they do not agree" in done.stdout


def test_one_note_that_is_not_in_the_box_is_missed(day: Path, repository: Path) -> None:
    memory = json.loads((day / "metal" / "cash.json").read_text(encoding="utf-8"))
    gone = next(note for note in memory["notes"] if note["place"] == "box")
    gone["place"] = "hand"
    (day / "metal" / "cash.json").write_text(json.dumps(memory), encoding="utf-8")
    done = compare(day, repository)
    assert done.returncode == 1
    assert "WRONG: the host credited" in done.stderr
    assert "WRONG: the journal credits" in done.stderr


@pytest.mark.parametrize("says", ["answered", "cleared"])
def test_a_device_counter_that_disagrees_is_found(day: Path, repository: Path, says: str) -> None:
    """The box and its memory are as they were; only what came over the wire says otherwise."""
    journal = Journal.open(
        day / "kiosk" / "journal.db",
        load_identity(day / "kiosk").writer(load_key(key_file(day / "kiosk"))),
        SystemClock(),
    )
    last = journal.fold.last_note
    assert last is not None
    if says == "answered":
        journal.append(journal_pb2.DeviceAnswered(device="cash", stacked_counter=6))
    else:
        journal.append(journal_pb2.NoteCleared(note_id=last, stacked_counter=6))
    journal.close()
    done = compare(day, repository)
    assert done.returncode == 1
    assert [line.strip() for line in done.stderr.splitlines()] == ["WRONG: the device counts 6"]
    assert "counted by the device (on the wire)  6 notes" in done.stdout
    assert "they do not agree" in done.stdout


def test_a_day_that_takes_too_long_says_so() -> None:
    assert summary(89.6) == "90 s"
    assert summary(90.6) == "91 s, MORE THAN THE 90 s that it should take"


def test_one_flipped_byte_of_the_journal_is_found(day: Path, repository: Path) -> None:
    with closing(sqlite3.connect(day / "kiosk" / "journal.db")) as database, database:
        _drop_triggers(database, "entries")
        sequence, record = database.execute(
            "SELECT sequence, record FROM entries ORDER BY sequence LIMIT 1 OFFSET 9"
        ).fetchone()
        spoilt = record[:-1] + bytes((record[-1] ^ 1,))
        database.execute("UPDATE entries SET record = ? WHERE sequence = ?", (spoilt, sequence))
    done = compare(day, repository)
    assert done.returncode == 1
    assert "WRONG: the journal cannot be read" in done.stderr
    assert f"{sequence}" in done.stderr
    assert "Traceback" not in done.stderr


def _drop_triggers(database: sqlite3.Connection, table: str) -> None:
    names = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table,))
    for (name,) in names.fetchall():
        database.execute(f'DROP TRIGGER "{name}"')
