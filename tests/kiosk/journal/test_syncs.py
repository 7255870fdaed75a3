"""What a commit waits for, in every mode: counted at the file system, and compared with the page that says so."""

# apsw's own stubs leave type parameters of execute() open.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import apsw
import pytest

from kiosk.journal.faults import MEND, Fault
from tests.kiosk.journal.standing import incident, opened

_NAME = "counts-syncs"


class _Files(apsw.VFS):
    """The system's own files, and which of them were synced, in order. The default for whoever opens one."""

    def __init__(self) -> None:
        super().__init__(_NAME, "", makedefault=True)
        self.synced: list[str] = []

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _File(self.synced, name, flags)


class _File(apsw.VFSFile):
    def __init__(self, synced: list[str], name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        full = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        self._name, self._synced = Path(full).name, synced
        super().__init__("unix", name, flags)

    def xSync(self, flags: int) -> None:
        self._synced.append(self._name)
        super().xSync(flags)


@pytest.fixture
def synced() -> Generator[list[str]]:
    files = _Files()
    yield files.synced
    files.unregister()


def between(page: str, mark: str) -> list[str]:
    """The rows of a table between two marks of a page."""
    table = page.split(f"<!-- {mark} -->")[1].split(f"<!-- end of the {mark} -->")[0]
    return table.strip().splitlines()[2:]


def test_an_append_returns_when_its_log_is_synced_once(tmp_path: Path, synced: list[str]) -> None:
    with opened(tmp_path / "journal.db") as (journal, _):
        journal.append(incident("the first makes the log"))
        for count in range(1, 4):
            del synced[:]
            journal.append(*(incident("x") for _ in range(count)))
            assert synced == ["journal.db-wal"]


def test_the_page_says_what_each_mode_syncs(tmp_path: Path, synced: list[str], repository: Path) -> None:
    rows: list[str] = []
    for mode in ("WAL", "DELETE"):
        for synchronous in ("NORMAL", "FULL", "EXTRA"):
            place = tmp_path / f"{mode}-{synchronous}"
            place.mkdir()
            connection = apsw.Connection(str(place / "journal.db"))
            connection.execute(f"PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode={mode}").fetchall()
            connection.execute(f"PRAGMA synchronous={synchronous}; CREATE TABLE entries (record)")
            connection.execute("INSERT INTO entries VALUES (zeroblob(300))")
            del synced[:]
            connection.execute("INSERT INTO entries VALUES (zeroblob(300))")
            rows.append(f"| {mode} | {synchronous} | {', '.join(synced) or 'none'} |")
            connection.close()
    page = (repository / "kiosk" / "journal" / "README.md").read_text(encoding="utf-8")
    assert rows == between(page, "syncs")


def test_the_page_names_every_fault(repository: Path) -> None:
    page = (repository / "kiosk" / "journal" / "README.md").read_text(encoding="utf-8")
    assert between(page, "faults") == [f"| `{fault.value}` | {MEND[fault]} |" for fault in Fault]
