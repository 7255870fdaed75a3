"""``guichet-kiosk journal salvage``: a new file of what is left, and the plain truth about what is not."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from guichet.journal.chain import Entry, entry_seal, next_entry
from guichet.journal.records import encode
from kiosk.cli import main
from kiosk.journal.file import JournalFile
from kiosk.journal.store import read_stopped
from tests.kiosk.journal.standing import incident, opened
from tests.kiosk.terminal.standing import TERMINAL, WRITER

_PAGE = 4096
Run = Callable[..., tuple[int, str]]


class Salvage:
    """A place with a journal, its key, and a file that is to come."""

    def __init__(self, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.file, self.out, self.key = place / "journal.db", place / "new.db", place / "journal.key"
        self.key.write_bytes(WRITER.key)
        self._capsys = capsys

    def write(self, count: int) -> list[Entry]:
        """So many entries, some a page."""
        with opened(self.file) as (journal, _):
            journal.append(*(incident("x" * 300) for _ in range(count)))
        return read_stopped(self.file)

    def page_of(self, entry: Entry) -> int:
        """The page of the file that has it."""
        return self.file.read_bytes().index(entry.hash) // _PAGE

    def damage(self, *pages: int) -> None:
        """Pages, from 0, go bad."""
        data = bytearray(self.file.read_bytes())
        for page in pages:
            data[page * _PAGE : (page + 1) * _PAGE] = b"\xa5" * _PAGE
        self.file.write_bytes(data)

    def __call__(self, *more: str | Path) -> tuple[int, str]:
        """Run it; its exit status, and what it said."""
        words = ("journal", "salvage", "--file", self.file, "--out", self.out, *more)
        status = main([str(word) for word in words])
        said = self._capsys.readouterr()
        return status, said.err if status == 2 else said.out


@pytest.fixture
def salvage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Salvage:
    return Salvage(tmp_path, capsys)


def test_a_journal_without_its_first_page_is_whole_again(salvage: Salvage) -> None:
    entries = salvage.write(20)
    salvage.damage(0)
    before = salvage.file.read_bytes()
    status, said = salvage("--key", salvage.key)
    assert status == 0
    assert "epoch 1: 20 entries, the last 1/20\n" in said
    assert "only the host can tell" in said
    assert "move that away, and journal.db-wal with it" in said
    assert read_stopped(salvage.out, WRITER.key) == entries
    assert salvage.file.read_bytes() == before


def test_what_is_missing_is_named(salvage: Salvage) -> None:
    entries = salvage.write(60)
    salvage.damage(0, salvage.page_of(entries[30]))
    status, said = salvage()
    kept = read_stopped(salvage.out)
    lost = sorted({one.sequence for one in entries} - {one.sequence for one in kept})
    assert status == 1
    assert lost
    assert f"  MISSING: {lost[0]} to {lost[-1]}" in said
    assert "seals not looked at, for want of the key" in said
    assert "No terminal goes on with a gap" in said
    salvage.out.unlink()
    status, said = salvage("--json", "--key", salvage.key)
    assert status == 1
    epoch = {"epoch": 1, "entries": len(kept), "last": 60, "missing": [[lost[0], lost[-1]]], "breaks": []}
    assert json.loads(said) == {
        "entries": len(kept), "whole": False, "epochs": [epoch], "twice": [], "unsealed": 0, "unread_pages": 0
    }  # fmt: skip


SEAL = b"s" * 32


def kept(path: Path, *sealed: tuple[Entry, bytes]) -> None:
    """A journal of these."""
    file = JournalFile.create(path)
    file.keep(sealed)
    file.goes_on()
    file.close()


def true(entry: Entry) -> tuple[Entry, bytes]:
    """With the seal that its terminal gave it."""
    return entry, entry_seal(WRITER.key, entry.hash)


def test_what_has_another_seal_is_counted_and_not_kept(salvage: Salvage) -> None:
    entries = salvage.write(3)
    salvage.file.unlink()
    forged = [next_entry(1, entries[2], encode(TERMINAL, 0, incident("forged")))]
    forged.append(next_entry(1, forged[0], encode(TERMINAL, 0, incident("and more"))))
    kept(salvage.file, *map(true, entries), *((one, SEAL) for one in forged))
    assert salvage()[0] == 0, "without the key nobody can tell"
    salvage.out.unlink()
    status, said = salvage("--key", salvage.key)
    assert status == 1
    assert "NOT SEALED: 2 entries" in said
    assert read_stopped(salvage.out, WRITER.key) == entries
    salvage.out.unlink()
    salvage.key.write_bytes(bytes(32))
    status, said = salvage("--key", salvage.key)
    assert (status, "5 have another seal than this key's" in said) == (2, True)
    assert not salvage.out.exists()


def test_a_seal_that_went_bad_in_one_place_does_not_hide_the_good_one_in_another(salvage: Salvage) -> None:
    entries = salvage.write(3)
    other = salvage.file.with_name("other.db")
    kept(other, *((one, SEAL) for one in entries))
    salvage.file.write_bytes(other.read_bytes() + salvage.file.read_bytes())
    status, _ = salvage("--key", salvage.key)
    assert status == 0
    assert read_stopped(salvage.out, WRITER.key) == entries


def test_pages_that_the_disk_does_not_give_are_said(salvage: Salvage, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = salvage.write(60)
    real, lost = os.pread, salvage.page_of(entries[30]) * _PAGE

    def failing(descriptor: int, size: int, at: int) -> bytes:
        if at == lost:
            raise OSError(errno.EIO, "Input/output error")
        return real(descriptor, size, at)

    monkeypatch.setattr(os, "pread", failing)
    status, said = salvage("--key", salvage.key)
    assert status == 1
    assert "UNREAD: 1 pages" in said
    assert "MISSING" in said
    assert set(read_stopped(salvage.out, WRITER.key)) < set(entries)


def test_an_entry_that_does_not_continue_breaks_the_chain(salvage: Salvage) -> None:
    entries = salvage.write(3)
    stranger = next_entry(1, next_entry(1, entries[1], encode(TERMINAL, 0, incident("other"))), b"")
    salvage.file.unlink()
    kept(salvage.file, *((one, SEAL) for one in (*entries, stranger)))
    status, said = salvage()
    assert status == 1
    assert "  BROKEN: 4 does not continue" in said


def test_of_two_that_claim_one_place_neither_is_kept(salvage: Salvage) -> None:
    entries = salvage.write(3)
    other = salvage.file.with_name("other.db")
    kept(other, (next_entry(1, entries[1], encode(TERMINAL, 0, incident("another"))), SEAL))
    salvage.file.write_bytes(salvage.file.read_bytes() + other.read_bytes())
    status, said = salvage()
    assert status == 1
    assert "TWICE: two entries claim 1/3; neither was kept" in said
    assert [one.sequence for one in read_stopped(salvage.out)] == [1, 2]


def test_what_cannot_be_done_is_a_clear_error(salvage: Salvage, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = salvage()
    assert (status, "no such file" in said) == (2, True)
    salvage.file.write_bytes(b"nothing of a journal" * 1000)
    status, said = salvage()
    assert (status, "not one entry is left" in said) == (2, True)
    salvage.file.unlink()
    with opened(salvage.file) as (journal, _):
        journal.append(incident("x"))
        status, said = salvage()
        assert (status, "journal-locked" in said) == (2, True)
    salvage.out.write_text("mine")
    status, said = salvage()
    assert (status, "is there already" in said, salvage.out.read_text()) == (2, True, "mine")
    nowhere = salvage.out.parent / "no-folder" / "new.db"
    assert main(["journal", "salvage", "--file", str(salvage.file), "--out", str(nowhere)]) == 2
    assert f"{nowhere.parent} is no folder; nothing was written" in capsys.readouterr().err
    assert main(["journal", "salvage", "--file", str(salvage.file)]) == 2
    assert "needs --file" in capsys.readouterr().err
    assert main(["journal", "salvage", "--config", str(salvage.file), "--out", "x"]) == 2
