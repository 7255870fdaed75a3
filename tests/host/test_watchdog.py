"""The watchdog says that the host is alive while its database can be read, and stops saying it when it cannot."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import OperationalError

from host.store.engine import open_engine
from host.store.executor import InlineExecutor, Store, ThreadExecutor
from host.store.migrate import migrate
from host.store.schema import attempts
from host.store.throttle import Limit, failed
from host.watchdog import PATIENCE_SECONDS, ping, watch
from tests.host.bench import BenchClock

DEADLINE = 20.0
LOCKED = OperationalError("BEGIN", None, sqlite3.OperationalError("database is locked"))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "host.db"
    engine = open_engine(path)
    migrate(engine)
    engine.dispose()
    return path


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Another process writes, and takes its time."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def count(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(attempts)).scalar_one()


async def test_what_only_reads_does_not_wait_for_who_writes(database: Path) -> None:
    store = Store(open_engine(database), ThreadExecutor())
    with locked(database):
        async with asyncio.timeout(5):  # A writer would wait for ten seconds.
            assert await store.read(count) == 0
            await ping(store)
    await store.run(lambda connection: failed(connection, "bucket", Limit(1, 1), 1))
    assert await store.read(count) == 1
    store.close()


async def test_what_only_reads_cannot_write(database: Path) -> None:
    store = Store(open_engine(database), InlineExecutor())
    with pytest.raises(OperationalError, match="readonly"):
        await store.read(lambda connection: failed(connection, "bucket", Limit(1, 1), 1))
    await store.run(lambda connection: failed(connection, "bucket", Limit(1, 1), 1))
    assert await store.run(count) == 1
    store.close()


@dataclass
class Database:
    """Answers as the script says, over and over its last word; :meth:`asked` counts."""

    script: Iterator[Exception | None]
    clock: BenchClock
    step: float
    said: list[str] = field(default_factory=list[str])
    asked: int = 0
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    async def ping(self) -> None:
        self.asked += 1
        self.clock.ticks += self.step
        try:
            error = next(self.script)
        except StopIteration:
            self.finished.set()
            await asyncio.Event().wait()  # It never answers again.
            return
        if error is not None:
            raise error

    def notify(self, message: str) -> bool:
        self.said.append(message)
        return True


async def watched(database: Database) -> None:
    """Watch until the script is over."""
    task = asyncio.create_task(watch(database.ping, database.clock, database.notify, 0.001))
    async with asyncio.timeout(DEADLINE):
        await database.finished.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_one_locked_moment_is_logged_and_the_host_stays_alive(caplog: pytest.LogCaptureFixture) -> None:
    database = Database(iter([None, LOCKED, None]), BenchClock(), step=1.0)
    await watched(database)
    assert database.said[:3] == ["WATCHDOG=1"] * 3
    (logged,) = [record for record in caplog.records if record.getMessage() == "watchdog.no-answer"]
    assert logged.levelno == logging.ERROR
    assert logged.exc_info is not None


async def test_a_host_whose_database_cannot_be_read_for_long_stops_saying_that_it_is_alive(
    caplog: pytest.LogCaptureFixture,
) -> None:
    patient = int(PATIENCE_SECONDS) // 10
    script = [None, *[LOCKED] * (patient + 3)]
    database = Database(iter(script), BenchClock(), step=10.0)
    await watched(database)
    assert database.said == ["WATCHDOG=1"] * (1 + patient)
    assert "watchdog.silent" in {record.getMessage() for record in caplog.records}


async def test_a_database_that_answers_again_is_told_of_again() -> None:
    script = [LOCKED] * 9 + [None]
    database = Database(iter(script), BenchClock(), step=10.0)
    await watched(database)
    assert database.said[-1] == "WATCHDOG=1"
    assert len(database.said) < len(script)


async def test_a_database_that_never_answers_is_waited_for_only_so_long() -> None:
    clock = BenchClock()
    said: list[str] = []
    silent = asyncio.Event()

    def notify(message: str) -> bool:
        said.append(message)
        clock.ticks += 10.0
        if len(said) > PATIENCE_SECONDS / 10.0:
            silent.set()
        return True

    async def never() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(watch(never, clock, notify, 0.001))
    async with asyncio.timeout(DEADLINE):
        await silent.wait()
    before = len(said)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(said) == before
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_ping_asks_the_database(database: Path) -> None:
    engine = open_engine(database)
    store = Store(engine, InlineExecutor())
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    with pytest.raises(OperationalError, match="alembic_version"):
        asyncio.run(ping(store))
    store.close()
