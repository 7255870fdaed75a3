"""Power cuts at any write, with any sectors on the disk that were not synced: nothing durable is lost, and nothing that
a power cut may leave is taken for damage.
"""

# apsw's own stubs leave type parameters of execute() open.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import random
from collections.abc import Generator
from pathlib import Path

import pytest

from kiosk.journal.faults import JournalError
from tests.kiosk.journal.standing import incident, opened
from tests.kiosk.journal.tearing import Disk, TearingFiles

_LIVES = 4
_CHECKPOINTS = (3, 10, 40, 1000)
_LENGTHS = (10, 300, 3000, 9000)


@pytest.fixture
def disk() -> Generator[Disk]:
    disk = Disk()
    files = TearingFiles(disk)
    yield disk
    files.unregister()


class Lives:
    """One journal after the other on a disk that loses its power."""

    def __init__(self, disk: Disk, place: Path, seed: int, synchronous: str = "FULL") -> None:
        self.durable = 0
        self._disk = disk
        self._dice = random.Random(seed)
        self._path = place / "journal.db"
        self._synchronous = synchronous

    def live(self) -> int:
        """A life, and the cut that ends it. Gives the last entry that it began with."""
        dice, disk = self._dice, self._disk
        del disk.notes[:]
        with opened(self._path) as (journal, connection):
            began = journal.last.sequence if journal.last is not None else 0
            connection.execute(f"PRAGMA wal_autocheckpoint={dice.choice(_CHECKPOINTS)}").fetchall()
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            durable = [(0, began)]
            for _ in range(dice.randint(1, 40)):
                last = journal.append(*(incident("x" * dice.choice(_LENGTHS)) for _ in range(dice.randint(1, 3))))
                durable.append((len(disk.notes), last.sequence))
            written = len(disk.notes)
        # The power may also go while it is closed, and its log is folded into the file.
        cut = dice.randint(0, dice.choice((written, len(disk.notes))))
        self.durable = max(sequence for at, sequence in durable if at <= cut)
        disk.began = disk.after_a_cut(cut, dice)
        for file in self._path.parent.glob("journal.db*"):
            file.unlink()
        for name, content in disk.began.items():
            (self._path.parent / name).write_bytes(content)
        return began


@pytest.mark.parametrize("seed", range(60))
def test_what_was_durable_is_there_after_any_power_cut_and_nothing_is_taken_for_damage(
    disk: Disk, tmp_path: Path, seed: int
) -> None:
    lives = Lives(disk, tmp_path, seed)
    for _ in range(_LIVES):
        durable = lives.durable
        assert lives.live() >= durable


def test_a_journal_that_does_not_sync_each_commit_loses_some_here(disk: Disk, tmp_path: Path) -> None:
    """So the cuts are such as a commit must survive."""
    lost = 0
    for seed in range(10):
        place = tmp_path / str(seed)
        place.mkdir()
        disk.began = {}
        lives = Lives(disk, place, seed, "NORMAL")
        try:
            lives.live()
            durable = lives.durable
            lost += lives.live() < durable
        except JournalError:
            lost += 1
    assert lost >= 3
