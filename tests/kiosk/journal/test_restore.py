"""A journal made anew: of the host's copy, and of what was salvaged behind it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from guichet.journal.chain import Entry, next_entry
from guichet.journal.records import decode, encode, fact_of
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.faults import Fault, JournalError
from kiosk.journal.file import JournalFile
from kiosk.journal.restore import RestoreError, merged, said_of_it, write_restored
from kiosk.journal.store import Journal, read_stopped
from tests.kiosk.journal.standing import incident
from tests.kiosk.terminal.standing import TERMINAL, WRITER, Clock


def chain(epoch: int, count: int, text: str = "") -> list[Entry]:
    entries: list[Entry] = []
    for number in range(count):
        record = encode(TERMINAL, 0, incident(f"{text}{number}"))
        entries.append(next_entry(epoch, entries[-1] if entries else None, record))
    return entries


def test_what_the_host_holds_and_what_is_behind_it_make_one_journal() -> None:
    whole = [*chain(1, 9), *chain(2, 5)]
    held = [*whole[:7], *whole[9:12]]
    assert merged(held, whole[3:]) == whole
    assert merged(whole, []) == whole
    assert merged([], []) == []
    assert merged(held[:7], whole[6:9]) == whole[:9]


def test_another_entry_in_one_place_is_not_chosen_between() -> None:
    with pytest.raises(RestoreError, match="the host holds another entry at 1/3"):
        merged(chain(1, 3), [*chain(1, 2), chain(1, 3, "other")[2]])


def test_what_has_a_gap_is_no_journal() -> None:
    whole = chain(1, 9)
    with pytest.raises(RestoreError, match="there is a gap: journal entry 7"):
        merged(whole[:4], whole[6:])
    with pytest.raises(RestoreError, match="there is a gap: journal entry 4"):
        merged(whole[:3], chain(1, 5, "other")[3:])


def test_what_a_later_disk_went_on_without_is_no_part_of_it() -> None:
    """The first disk's end came to the host after the second had begun: with it there would be no story."""
    first, second = chain(1, 9), said_of_it(replace(WRITER, epoch=2), chain(1, 5), 0)
    assert merged([*first, *second], []) == [*first[:5], *second]
    assert merged([*first[:5], *second], first) == [*first[:5], *second]
    told = said_of_it(replace(WRITER, epoch=3), [*first[:5], *second], 0)
    assert fact_of(decode(told[0].record)) == pb.JournalRestored(entries=6, last_epoch=2, last_sequence=1)


def test_it_is_gone_on_with_in_a_new_epoch(tmp_path: Path) -> None:
    path, entries = tmp_path / "journal.db", [*chain(1, 1_500), *chain(2, 3)]
    write_restored(path, WRITER.key, 3, entries)
    assert [file.name for file in tmp_path.iterdir()] == ["journal.db"]
    assert read_stopped(path, WRITER.key) == entries
    journal = Journal.open(path, replace(WRITER, epoch=3), Clock())
    journal.append(incident("goes on"))
    journal.close()
    assert [(entry.epoch, entry.sequence) for entry in read_stopped(path)[-2:]] == [(2, 3), (3, 1)]


@pytest.mark.parametrize("epoch", [1, 2])
def test_an_epoch_that_was_written_is_never_written_again(tmp_path: Path, epoch: int) -> None:
    with pytest.raises(RestoreError, match="enrol again"):
        write_restored(tmp_path / "journal.db", WRITER.key, epoch, chain(2, 3))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["journal.db", "journal.db-wal"])
def test_nothing_that_is_there_is_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"evidence")
    with pytest.raises(RestoreError, match="move both away first"):
        write_restored(tmp_path / "journal.db", WRITER.key, 2, chain(1, 3))
    assert (tmp_path / name).read_bytes() == b"evidence"


def test_where_the_disk_fails_there_is_no_half_a_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = JournalFile.write
    done: list[int] = []

    def fails(file: JournalFile, entries: list[Entry]) -> None:
        if done:
            raise JournalError(Fault.FULL, "the disk is full")
        done.append(len(entries))
        write(file, entries)

    monkeypatch.setattr(JournalFile, "write", fails)
    with pytest.raises(JournalError):
        write_restored(tmp_path / "journal.db", WRITER.key, 2, chain(1, 2_500))
    assert not (tmp_path / "journal.db").exists()
    monkeypatch.undo()
    write_restored(tmp_path / "journal.db", WRITER.key, 2, chain(1, 2_500))
    assert len(read_stopped(tmp_path / "journal.db")) == 2_500


def test_a_terminal_that_was_started_meanwhile_keeps_what_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, goes_on = tmp_path / "journal.db", JournalFile.goes_on

    def started(file: JournalFile) -> None:
        goes_on(file)
        path.write_bytes(b"another's")

    monkeypatch.setattr(JournalFile, "goes_on", started)
    with pytest.raises(RestoreError, match="came to be there meanwhile"):
        write_restored(path, WRITER.key, 2, chain(1, 3))
    assert path.read_bytes() == b"another's"
    assert [file.name for file in tmp_path.iterdir() if "begun" in file.name] == []


def test_a_later_epoch_never_begins_without_what_came_before_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with pytest.raises(JournalError, match="guichet-kiosk journal restore") as refused:
        Journal.open(path, replace(WRITER, epoch=2), Clock())
    assert refused.value.fault is Fault.ABSENT
    assert list(tmp_path.iterdir()) == []
    write_restored(path, WRITER.key, 2, [])
    Journal.open(path, replace(WRITER, epoch=2), Clock()).close()


def test_what_is_said_of_a_restored_journal_is_how_its_epoch_begins(tmp_path: Path) -> None:
    path, entries, writer = tmp_path / "journal.db", chain(1, 3), replace(WRITER, epoch=2)
    said = said_of_it(writer, entries, 7)
    write_restored(path, WRITER.key, 2, entries, said)
    assert read_stopped(path, WRITER.key) == [*entries, *said]
    (record,) = [decode(entry.record) for entry in said]
    assert (record.recorded_at_us, record.journal_restored.entries) == (7, 3)
    journal = Journal.open(path, writer, Clock())
    assert journal.append(incident("goes on")).sequence == 2
    journal.close()


def test_records_that_make_no_story_are_not_restored() -> None:
    record = encode(TERMINAL, 0, pb.StackIntended(note_id="nobody's"))
    with pytest.raises(RestoreError, match="they make no story: KeyError"):
        said_of_it(replace(WRITER, epoch=2), [next_entry(1, None, record)], 0)
