"""Power cuts at any write, with any sectors on the disk that were not synced: nothing durable is lost, and nothing that
a power cut may leave is taken for damage.
"""

# apsw's own stubs leave type parameters of execute() open.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import random
from collections.abc import Generator
from pathlib import Path

import apsw
import pytest

from guichet.journal.records import Fact
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.faults import JournalError
from tests.kiosk.journal.standing import incident, opened
from tests.kiosk.journal.tearing import Disk, TearingFiles

_LIVES = 4
_CHECKPOINTS = (3, 10, 40, 1000)
_LENGTHS = (10, 300, 3000, 9000)
# So often that every life has some, with states of one page and of several.
_SNAPSHOT_EVERY = 3


@pytest.fixture
def disk() -> Generator[Disk]:
    disk = Disk()
    files = TearingFiles(disk)
    yield disk
    files.unregister()


class Lives:
    """One journal after the other on a disk that loses its power. ``kept``: of which entries there were snapshots when
    an entry was the last one.
    """

    def __init__(self, disk: Disk, place: Path, seed: int, synchronous: str = "FULL") -> None:
        self.durable = 0
        self.kept: dict[int, list[int]] = {0: []}
        self._disk = disk
        self._dice = random.Random(seed)
        self._path = place / "journal.db"
        self._synchronous = synchronous

    def live(self) -> tuple[int, list[int]]:
        """A life, and the cut that ends it. Gives the last entry that it began with, and of which entries there were
        snapshots then.
        """
        dice, disk = self._dice, self._disk
        del disk.notes[:]
        with opened(self._path, snapshot_every=_SNAPSHOT_EVERY) as (journal, connection):
            began, snapshots = journal.last.sequence if journal.last is not None else 0, _snapshots(connection)
            connection.execute(f"PRAGMA wal_autocheckpoint={dice.choice(_CHECKPOINTS)}").fetchall()
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            durable = [(0, began)]
            for _ in range(dice.randint(1, 40)):
                last = journal.append(*(self._fact() for _ in range(dice.randint(1, 3))))
                durable.append((len(disk.notes), last.sequence))
                self.kept[last.sequence] = _snapshots(connection)
            written = len(disk.notes)
        # The power may also go while it is closed, and its log is folded into the file.
        cut = dice.randint(0, dice.choice((written, len(disk.notes))))
        self.durable = max(sequence for at, sequence in durable if at <= cut)
        disk.began = disk.after_a_cut(cut, dice)
        for file in self._path.parent.glob("journal.db*"):
            file.unlink()
        for name, content in disk.began.items():
            (self._path.parent / name).write_bytes(content)
        return began, snapshots

    def _fact(self) -> Fact:
        """Mostly one that a snapshot says nothing of; at times one that makes it larger."""
        text = "x" * self._dice.choice(_LENGTHS)
        if self._dice.random() < 0.1:
            return pb.AdviceSigned(deposit_id="d", content=f"{self._dice.random()}{text}".encode())
        return incident(text)


def _snapshots(connection: apsw.Connection) -> list[int]:
    return [int(str(sequence)) for (sequence,) in connection.execute("SELECT sequence FROM snapshots ORDER BY number")]


@pytest.mark.parametrize("seed", range(60))
def test_what_was_durable_is_there_after_any_power_cut_and_nothing_is_taken_for_damage(
    disk: Disk, tmp_path: Path, seed: int
) -> None:
    lives = Lives(disk, tmp_path, seed)
    for _ in range(_LIVES):
        durable = lives.durable
        began, snapshots = lives.live()
        assert began >= durable
        assert snapshots == lives.kept[began], "a snapshot and the entry beside it are both there, or neither"
    assert any(lives.kept.values())


def test_a_journal_that_does_not_sync_each_commit_loses_some_here(disk: Disk, tmp_path: Path) -> None:
    """So the cuts are such as a commit must survive."""
    lost = 0
    for seed in range(24):
        place = tmp_path / str(seed)
        place.mkdir()
        disk.began = {}
        lives = Lives(disk, place, seed, "NORMAL")
        try:
            lives.live()
            durable = lives.durable
            lost += lives.live()[0] < durable
        except JournalError:
            lost += 1
    assert lost >= 3
