"""What can still be read of a damaged journal: every entry that no damage has touched, and none that never was."""

# apsw's own stubs leave type parameters of execute() open.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import os
import random
import shutil
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guichet.journal.chain import Entry, entry_hash, entry_seal, next_entry
from guichet.journal.records import encode
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.faults import Fault, JournalError
from kiosk.journal.file import JournalFile, refuse_one_in_use
from kiosk.journal.salvage import Found, salvage
from kiosk.journal.store import Journal, read_stopped
from tests.kiosk.journal.standing import incident, opened
from tests.kiosk.terminal.standing import TERMINAL, WRITER, Clock

_PAGE = 4096
_LENGTHS = (1, 60, 300, 700, 900, 1100, 2500, 4000, 4100, 9000, 30_000)


def write(path: Path, count: int = 150, *, epochs: int = 1) -> list[Entry]:
    """A journal with records of all sizes: many a page, one in many pages. So are its snapshots."""
    advice = pb.AdviceSigned(deposit_id="d", content=bytes(9000))
    for epoch in range(1, epochs + 1):
        with opened(path, epoch, snapshot_every=4) as (journal, connection):
            connection.execute("PRAGMA synchronous=OFF")  # Speed; what is found does not depend on it.
            for number in range(count):
                journal.append(incident("x" * _LENGTHS[number % len(_LENGTHS)]) if number else advice)
    return read_stopped(path)


def salvaged(file: bytes, log: bytes = b"") -> list[Found]:
    return salvage(memoryview(file), memoryview(log))


def test_of_a_whole_file_everything_is_found_with_its_seal(tmp_path: Path) -> None:
    entries = write(tmp_path / "journal.db", 60, epochs=3)
    found = salvaged((tmp_path / "journal.db").read_bytes())
    assert [one.entry for one in found] == entries
    assert all(one.seal == entry_seal(WRITER.key, one.entry.hash) for one in found)


def test_what_only_the_log_has_is_found(tmp_path: Path) -> None:
    """As a power cut leaves it: nothing was folded into the file."""
    path, after = tmp_path / "journal.db", tmp_path / "after"
    after.mkdir()
    with opened(path) as (journal, _):
        for number in range(40):
            journal.append(incident("x" * _LENGTHS[number % len(_LENGTHS)]))
        for file in tmp_path.glob("journal.db*"):
            shutil.copy(file, after)
        entries = list(journal.entries(1))
    file, log = (after / "journal.db").read_bytes(), (after / "journal.db-wal").read_bytes()
    assert [one.entry for one in salvaged(file, log)] == entries
    assert [one.entry for one in salvaged(b"", log)] == entries, "also where the file itself is gone"


def test_whichever_page_went_bad_only_what_it_held_is_lost(tmp_path: Path) -> None:
    entries = write(tmp_path / "journal.db")
    whole = (tmp_path / "journal.db").read_bytes()
    losses: list[int] = []
    for begin in range(0, len(whole), _PAGE):
        damaged = whole[:begin] + b"\xa5" * _PAGE + whole[begin + _PAGE :]
        found = [one.entry for one in salvaged(damaged)]
        assert set(found) <= set(entries)
        losses.append(len(entries) - len(found))
    assert losses[0] == 0, "the first page holds no entry, and without it SQLite reads nothing at all"
    assert 0 < max(losses) <= 12, "no more than a page holds"
    assert len(losses) > 100


@pytest.mark.parametrize("seed", range(5))
def test_a_file_in_tatters_gives_what_is_left_and_nothing_else(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    entries = set(write(tmp_path / "journal.db"))
    data = bytearray((tmp_path / "journal.db").read_bytes())
    for _ in range(60):
        at = dice.randrange(len(data))
        data[at : at + dice.choice((1, 8, 600))] = b""  # Everything behind it moves.
        at = dice.randrange(len(data))
        data[at] ^= 1 << dice.randrange(8)
    found = {one.entry for one in salvaged(bytes(data))}
    assert found <= entries
    assert {one.entry for one in salvaged(bytes(data[: len(data) // 2]))} <= entries


@given(st.binary(max_size=3 * _PAGE), st.binary(max_size=2 * _PAGE))
@example(b"\x0a\x00\x00\xff\xff" + b"\x00\x08" * 4000, b"")
@settings(deadline=None)
def test_any_bytes_hold_no_entry_and_do_no_harm(file: bytes, log: bytes) -> None:
    assert salvaged(file, log) == []
    assert salvaged(b"\x0a" + file, log) == []


def test_overflow_pages_that_point_in_a_circle_or_are_there_many_times_come_to_an_end() -> None:
    """A cell that claims 32 KiB, of which all lies in a page that goes on in itself, and that the log has 200 times."""
    page = bytearray(_PAGE)
    page[0], page[3:5], page[8:10] = 0x0A, (1).to_bytes(2, "big"), (100).to_bytes(2, "big")
    page[100:103] = b"\x82\x80\x00"  # 32768 bytes
    circle = (2).to_bytes(4, "big") + bytes(_PAGE - 4)
    page[100 + 3 + 489 : 100 + 3 + 493] = (2).to_bytes(4, "big")  # Of such a payload 489 bytes lie in the cell.
    log = bytes(32) + b"".join((2).to_bytes(4, "big") + bytes(20) + circle for _ in range(200))
    assert salvaged(bytes(page) + circle, log) == []


def test_ways_that_all_end_nowhere_come_to_an_end_too() -> None:
    """Seven overflow pages, each there 30 times, of which the last points to none: 30 to the power of 7 ways."""
    page = bytearray(_PAGE)
    page[0], page[3:5], page[8:10] = 0x0A, (1).to_bytes(2, "big"), (100).to_bytes(2, "big")
    page[100:103] = b"\x82\x80\x00"
    page[100 + 3 + 489 : 100 + 3 + 493] = (3).to_bytes(4, "big")
    frames = [
        number.to_bytes(4, "big") + bytes(20) + (number + 1).to_bytes(4, "big") + bytes((copy,)) * (_PAGE - 4)
        for number in range(3, 10)
        for copy in range(30)
    ]
    assert salvaged(bytes(_PAGE) + bytes(page), bytes(32) + b"".join(frames)) == []


def test_an_overflow_page_that_is_cut_off_is_none() -> None:
    page = bytearray(_PAGE)
    page[0], page[3:5], page[8:10] = 0x0A, (1).to_bytes(2, "big"), (100).to_bytes(2, "big")
    page[100:103] = b"\x82\x80\x00"
    page[100 + 3 + 489 : 100 + 3 + 493] = (3).to_bytes(4, "big")
    assert salvaged(bytes(_PAGE) + bytes(page) + (3).to_bytes(4, "big") + b"x") == []


def test_a_record_that_claims_a_part_of_its_hashes_is_no_entry(tmp_path: Path) -> None:
    """The hash is over the bytes of both, one behind the other: their lengths say where one ends."""
    entries = write(tmp_path / "journal.db", 2)
    last = entries[1]
    for cut in (1, 8, 20):
        moved = replace(last, previous_hash=last.previous_hash + last.record[:cut], record=last.record[cut:])
        assert entry_hash(1, 2, moved.previous_hash, moved.record) == last.hash, "as good as the true one by its hash"
        file = JournalFile.create(tmp_path / f"moved{cut}.db")
        file.keep([(moved, entry_seal(WRITER.key, last.hash))])
        file.goes_on()
        file.close()
        assert salvaged((tmp_path / f"moved{cut}.db").read_bytes()) == []
        with pytest.raises(JournalError, match="not in the journal's form"):
            read_stopped(tmp_path / f"moved{cut}.db", WRITER.key)


def test_two_that_claim_one_place_are_both_given(tmp_path: Path) -> None:
    entries = write(tmp_path / "journal.db", 3)
    other = next_entry(1, entries[1], encode(TERMINAL, 0, incident("another third")))
    file = JournalFile.create(tmp_path / "other.db")
    file.keep([(entries[0], bytes(32)), (other, bytes(32))])
    file.goes_on()
    file.close()
    both = (tmp_path / "journal.db").read_bytes() + (tmp_path / "other.db").read_bytes()
    claims = {one.entry for one in salvaged(both) if one.entry.sequence == 3}
    assert claims == {entries[2], other}
    assert {one.seal for one in salvaged(both) if one.entry.sequence == 1} == {
        bytes(32), entry_seal(WRITER.key, entries[0].hash)
    }, "which seal is right, who has the key can tell"  # fmt: skip


# --- the file that comes of it --------------------------------------------------------------------------------------


def test_a_journal_whose_first_page_is_gone_is_salvaged_and_gone_on_with(tmp_path: Path) -> None:
    entries = write(tmp_path / "journal.db", 30)
    data = b"\xa5" * _PAGE + (tmp_path / "journal.db").read_bytes()[_PAGE:]
    (tmp_path / "journal.db").write_bytes(data)
    with pytest.raises(JournalError):
        Journal.open(tmp_path / "journal.db", WRITER, Clock())
    file = JournalFile.create(tmp_path / "new.db")
    file.keep((one.entry, one.seal) for one in salvaged(data))
    file.goes_on()
    file.close()
    with opened(tmp_path / "new.db") as (journal, _):
        assert journal.last == entries[-1]
        assert journal.append(incident("on it goes")).sequence == 31


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "new.db").write_text("mine")
    with pytest.raises(JournalError, match="File exists"):
        JournalFile.create(tmp_path / "new.db")
    assert (tmp_path / "new.db").read_text() == "mine"


def test_to_ask_whether_a_journal_is_in_use_changes_nothing_of_it(tmp_path: Path) -> None:
    path, after = tmp_path / "journal.db", tmp_path / "after"
    after.mkdir()
    with opened(path) as (journal, _):
        journal.append(incident("x"))
        with pytest.raises(JournalError) as refused:
            refuse_one_in_use(path)
        assert refused.value.fault is Fault.LOCKED
        for file in tmp_path.glob("journal.db*"):
            shutil.copy(file, after)
    before = {file.name: file.read_bytes() for file in after.iterdir()}
    assert len(before["journal.db-wal"]) > 0
    refuse_one_in_use(after / "journal.db")
    assert {file.name: file.read_bytes() for file in after.iterdir()} == before
    (after / "journal.db").write_bytes(os.urandom(_PAGE))
    refuse_one_in_use(after / "journal.db")
    with pytest.raises(JournalError, match="no such file"):
        refuse_one_in_use(tmp_path / "none.db")


def test_the_system_s_page_size_is_the_one_that_is_looked_for(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as (_, connection):
        assert connection.execute("PRAGMA page_size").fetchall() == [(_PAGE,)]
        assert isinstance(connection, apsw.Connection)
