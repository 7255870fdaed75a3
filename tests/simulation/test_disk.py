"""The simulated disk: what survives its power cut, what fails on it, and what the dead can still do to it."""

# apsw's own stubs leave type parameters of execute() open.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import apsw
import pytest

from tests.simulation.disk import Disk, Disks, close_dead
from tests.simulation.loop import Dead, Life

ALL, NONE = 0.0, 1.0


class Dice(random.Random):
    """Always the same face: every sector that was not synced is there (0), or none is (1)."""

    def __init__(self, face: float) -> None:
        super().__init__(0)
        self._face = face

    def random(self) -> float:
        return self._face


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    files, disk = Disks(), Disk(tmp_path / "disk")
    files.add(disk)
    yield disk
    files.unregister()


def opened(disk: Disk, synchronous: str = "FULL") -> apsw.Connection:
    connection = apsw.Connection(str(disk.folder / "a.db"))
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("PRAGMA journal_mode=WAL").fetchall()
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute("CREATE TABLE IF NOT EXISTS t (v)")
    return connection


def insert(connection: apsw.Connection, values: Iterable[int]) -> None:
    for value in values:
        connection.execute("INSERT INTO t VALUES (?)", (value,))


def values(disk: Disk) -> list[int]:
    connection = opened(disk)
    try:
        return [int(str(row[0])) for row in connection.execute("SELECT v FROM t ORDER BY v")]
    finally:
        connection.close()


@pytest.mark.parametrize("face", [ALL, NONE])
def test_what_was_committed_survives_a_power_cut(disk: Disk, face: float) -> None:
    connection = opened(disk)
    connection.execute("INSERT INTO t VALUES (1)")
    assert not disk.unsynced
    disk.cut(Dice(face))
    connection.close()
    assert values(disk) == [1]


def test_what_was_not_synced_does_not(disk: Disk) -> None:
    connection = opened(disk, "NORMAL")
    connection.execute("INSERT INTO t VALUES (1)")
    assert disk.unsynced
    disk.cut(Dice(NONE))
    with pytest.raises(apsw.SQLError, match="no such table"):
        apsw.Connection(str(disk.folder / "a.db")).execute("SELECT v FROM t").fetchall()


def test_a_process_that_is_killed_leaves_what_it_wrote(disk: Disk) -> None:
    life = Life("one", lambda _: None)
    connections: list[apsw.Connection] = []

    def write() -> None:
        connections.append(opened(disk, "NORMAL"))
        connections[0].execute("INSERT INTO t VALUES (1)")

    life.within(write)
    life.die()
    close_dead(life)
    assert values(disk) == [1]


@pytest.mark.parametrize("effect", range(1, 9))
def test_it_can_die_before_and_after_every_write_and_sync(disk: Disk, effect: int) -> None:
    life = Life("one", lambda _: None)
    connections: list[apsw.Connection] = []
    life.within(lambda: connections.append(opened(disk)))
    life.within(lambda: connections[0].execute("INSERT INTO t VALUES (1)"))
    life.dies_at_effect(effect)
    with pytest.raises(Dead):
        life.within(lambda: insert(connections[0], range(2, 6)))
    assert not life.alive
    close_dead(life)
    disk.cut(Dice(NONE))
    assert values(disk)[0] == 1


def test_the_dead_can_write_and_delete_nothing(disk: Disk) -> None:
    life = Life("one", lambda _: None)
    connections: list[apsw.Connection] = []
    life.within(lambda: connections.append(opened(disk)))
    life.within(lambda: connections[0].execute("INSERT INTO t VALUES (1)"))
    before = {path.name: path.read_bytes() for path in disk.folder.iterdir()}
    life.die()
    with pytest.raises(Dead):
        life.within(lambda: connections[0].execute("INSERT INTO t VALUES (2)"))
    close_dead(life)
    assert {path.name: path.read_bytes() for path in disk.folder.iterdir()} == before


def test_a_full_disk_refuses_what_makes_a_file_longer(disk: Disk) -> None:
    connection = opened(disk)
    disk.full = True
    with pytest.raises(apsw.FullError):
        connection.execute("INSERT INTO t VALUES (1)")
    disk.mended()
    connection.execute("INSERT INTO t VALUES (2)")
    connection.close()
    assert values(disk) == [2]


def test_what_a_failed_sync_has_lost_no_later_one_brings_back(disk: Disk) -> None:
    """As Linux does it: pages of a failed write-back are clean afterwards, and are read as if they were there."""
    connection = opened(disk)
    connection.execute("INSERT INTO t VALUES (1)")
    disk.fails_in(3)
    with pytest.raises(apsw.IOError):
        connection.execute("INSERT INTO t VALUES (2)")
    disk.mended()
    disk.cut(Dice(NONE))
    connection.close()
    assert values(disk) == [1]


def test_a_deletion_may_be_undone_by_a_power_cut_until_the_next_sync(disk: Disk) -> None:
    disk.put("a", b"content")
    disk.deleted("a", surely=False)
    (disk.folder / "a").unlink()
    disk.cut(Dice(ALL))
    assert disk.contents("a") == b"content"
    disk.deleted("a", surely=True)
    (disk.folder / "a").unlink()
    disk.cut(Dice(ALL))
    assert disk.contents("a") is None
