"""The SQLite engine: one connection, write-ahead log, a sync at every commit, foreign keys enforced."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.exc import OperationalError

_BUSY_MS = 10_000
"""How long to wait for another process that writes: a command beside a running server."""

_READS = "guichet_reads"


class StoreError(Exception):
    """The database cannot be used as it is: missing, of another version, or without its safety settings."""


class NoDatabase(StoreError):
    """There is none at the place that was named."""

    def __init__(self, path: Path | None) -> None:
        super().__init__(f"no database at {path}; create it with: guichet-host migrate")


def open_engine(path: Path | None, *, read_only: bool = False) -> Engine:
    """The host's database at ``path``; None: one in memory, for simulation and tests.

    Raises :class:`StoreError` where ``read_only`` and no database is there, or where SQLite refuses a safety setting.
    """
    if read_only and (path is None or not path.exists()):
        raise NoDatabase(path)
    engine = create_engine(_url(path, read_only), poolclass=StaticPool, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _settings(wal=path is not None and not read_only))
    event.listen(engine, "begin", _begin)
    return reading(engine) if read_only else engine


def reading(engine: Engine) -> Engine:
    """The same database for those who only read: they wait for no writer, and SQLite refuses what would write."""
    return engine.execution_options(**{_READS: True})


def _url(path: Path | None, read_only: bool) -> URL:
    if path is None:
        return URL.create("sqlite")
    if not read_only:
        return URL.create("sqlite", database=str(path))
    return URL.create("sqlite", database=f"file:{path.resolve()}", query={"mode": "ro", "uri": "true"})


def _settings(*, wal: bool) -> Any:  # an event's listener; SQLAlchemy types both sides of it as Any
    def connected(connection: Any, _record: object) -> None:
        # The driver's own idea of when to begin would leave reads outside any transaction: SQLAlchemy's events begin.
        connection.isolation_level = None
        _pragma(connection, "busy_timeout", _BUSY_MS)
        _pragma(connection, "foreign_keys", "ON")
        if not wal:
            return
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreError(f"SQLite keeps its journal as {mode!r}, not as a write-ahead log")
        _pragma(connection, "synchronous", "FULL")

    return connected


def _pragma(connection: Any, name: str, value: str | int) -> None:
    connection.execute(f"PRAGMA {name} = {value}")


def _begin(connection: Connection) -> None:
    reads = bool(connection.get_execution_options().get(_READS, False))
    # The driver itself: these come with every transaction, and have no result that SQLAlchemy need prepare for.
    driver: Any = connection.connection.dbapi_connection
    # Taking the write lock at once makes two processes wait for each other instead of failing halfway.
    begin = "BEGIN" if reads else "BEGIN IMMEDIATE"
    try:
        # Only where it changes: with every such word SQLite forgets all statements that it has prepared.
        if connection.info.get(_READS, False) is not reads:
            driver.execute(f"PRAGMA query_only = {'ON' if reads else 'OFF'}").close()
            connection.info[_READS] = reads
        driver.execute(begin).close()
    except sqlite3.OperationalError as error:
        raise OperationalError(begin, None, error) from error
