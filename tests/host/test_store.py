"""The database: its schema, its safety settings, its executors."""

from __future__ import annotations

import asyncio
import json
import logging
from importlib.resources import files
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, column, func, insert, select, table, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.types import NullType

from host.claims.numbers import claim_number
from host.log import JsonFormatter, event
from host.store.engine import StoreError, open_engine
from host.store.executor import InlineExecutor, Store, ThreadExecutor
from host.store.migrate import check_revision, migrate, wanted_revision
from host.store.schema import attempts
from host.store.tables import ROOMS, metadata
from host.store.throttle import Limit, exhausted, failed, succeeded
from tests.host.bench import Bench


def test_the_migrations_make_exactly_the_tables_of_the_code(bench: Bench) -> None:
    assert len(ROOMS) == 10
    with bench.engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_database_syncs_at_every_commit_and_keeps_a_write_ahead_log(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "host.db")
    with engine.begin() as connection:
        settings = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in PRAGMAS}
    engine.dispose()
    assert settings == PRAGMAS


PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_reader_writes_nothing_and_wants_a_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="guichet-host migrate"):
        open_engine(tmp_path / "host.db", read_only=True)
    writer = open_engine(tmp_path / "host.db")
    migrate(writer)
    reader = open_engine(tmp_path / "host.db", read_only=True)
    with reader.begin() as connection:
        check_revision(connection)
        with pytest.raises(Exception, match="readonly"):
            connection.execute(insert(attempts).values(bucket="x", failures=1, since_us=1))
    reader.dispose()
    writer.dispose()


def test_a_transaction_that_cannot_begin_says_so_as_any_other_error_of_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The services answer whatever SQLAlchemy raises with "busy"; what else came would end a terminal's stream."""
    monkeypatch.setattr("host.store.engine._BUSY_MS", 1)
    ours, theirs = open_engine(tmp_path / "host.db"), open_engine(tmp_path / "host.db")
    with ours.begin(), pytest.raises(OperationalError, match="database is locked"), theirs.begin():
        raise AssertionError("two write at once")
    with theirs.begin() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    ours.dispose()
    theirs.dispose()


def test_an_old_database_is_told_what_it_lacks(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "host.db")
    with engine.begin() as connection, pytest.raises(StoreError, match="is empty"):
        check_revision(connection)
    assert migrate(engine) == (None, wanted_revision())
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with engine.begin() as connection, pytest.raises(StoreError, match="is at schema 0001"):
        check_revision(connection)
    engine.dispose()


def test_a_database_of_an_earlier_version_is_brought_up_with_what_it_holds(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "host.db")
    config = Config()
    config.set_main_option("script_location", str(files("host.store") / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        failed(connection, "bucket", Limit(1, 1), 1)
        assert compare_metadata(MigrationContext.configure(connection), metadata) != []
    assert migrate(engine) == ("0002", wanted_revision())
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert connection.execute(select(attempts.c.bucket)).scalars().all() == ["bucket"]
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
        command.upgrade(config, "head")
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_settled_notes_outlive_the_table_that_is_made_anew_around_them(tmp_path: Path) -> None:
    """Migration 0004: what was booked by advices stays as it was, guarded as it was, and host's own outcomes fit in."""
    engine = open_engine(tmp_path / "host.db")
    config = Config()
    config.set_main_option("script_location", str(files("host.store") / "migrations"))
    row = (
        "T-1", "d", "n", 1, "in-doubt", "EUR", 2_000, "a", "p", "s", "live", "in-doubt", "2026-01-31", "C", None, b"x",
    )  # fmt: skip
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        connection.execute(text("INSERT INTO advices VALUES (x'78', 'T-1', 'd', '', 1, 1, x'', x'', 1, x'', x'')"))
        names = [str(info[1]) for info in connection.execute(text("PRAGMA table_info(note_outcomes)"))]
        there = table("note_outcomes", *(column(name, NullType()) for name in names))
        connection.execute(there.insert().values(row))
        before = connection.execute(select(there)).all()
    migrate(engine)
    with engine.begin() as connection:
        assert connection.execute(select(there)).all() == before == [row]
        assert connection.execute(text("SELECT resolution_no FROM note_outcomes")).all() == [(None,)]
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        for statement in ("UPDATE note_outcomes SET value_minor = 1", "DELETE FROM note_outcomes"):
            with pytest.raises(IntegrityError, match="append-only"):
                connection.execute(text(statement))
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    engine.dispose()


def test_counts_outlive_the_table_that_is_made_anew_around_their_lines(tmp_path: Path) -> None:
    """Migration 0007: figures and verdicts stay as they were signed, guarded as they were, with no obstacle."""
    engine = open_engine(tmp_path / "host.db")
    config = Config()
    config.set_main_option("script_location", str(files("host.store") / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
        connection.execute(text("INSERT INTO terminals VALUES ('T-1', 'live', '', 1)"))
        connection.execute(text("INSERT INTO box_counts VALUES ('T-1', 'p', 1, 'eva', '', 1, x'')"))
        line = "'T-1', 'p', 1, 'EUR', 2000, 2, 1, 0, 0, 1, 0, 'covers the doubts'"
        connection.execute(text(f"INSERT INTO box_count_lines VALUES ({line})"))  # noqa: S608 - of this test
        before = connection.execute(text("SELECT * FROM box_count_lines")).one()
    migrate(engine)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT * FROM box_count_lines")).one() == (*before, None)
        for statement in ("UPDATE box_count_lines SET pieces = 1", "DELETE FROM box_count_lines"):
            with pytest.raises(IntegrityError, match="append-only"):
                connection.execute(text(statement))
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        config.attributes["connection"] = connection
        with pytest.raises(RuntimeError, match="is not thrown away"):
            command.downgrade(config, "0006")
    engine.dispose()


def test_what_was_counted_is_not_thrown_away_by_going_back(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "host.db")
    migrate(engine)
    config = Config()
    config.set_main_option("script_location", str(files("host.store") / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        connection.execute(text("INSERT INTO terminals VALUES ('T-1', 'live', '', 1)"))
        connection.execute(text("INSERT INTO box_counts VALUES ('T-1', 'p', 1, 'eva', '', 1, x'')"))
        with pytest.raises(RuntimeError, match="is not thrown away"):
            command.downgrade(config, "0003")
    engine.dispose()


class Nowhere(Exception):
    """Raised inside an operation."""


@pytest.mark.parametrize("executor", [InlineExecutor, ThreadExecutor])
async def test_an_operation_is_one_transaction(
    tmp_path: Path, executor: type[InlineExecutor] | type[ThreadExecutor]
) -> None:
    engine = open_engine(tmp_path / "host.db")
    migrate(engine)
    store = Store(engine, executor())

    def fails(connection: Connection) -> None:
        failed(connection, "bucket", Limit(1, 1), 1)
        raise Nowhere

    def counts(connection: Connection) -> int:
        return connection.execute(select(func.count()).select_from(attempts)).scalar_one()

    with pytest.raises(Nowhere):
        await store.run(fails)
    assert await store.run(counts) == 0
    buckets = [f"bucket {number}" for number in range(20)]
    await asyncio.gather(*(store.run(lambda c, b=bucket: failed(c, b, Limit(1, 1), 1)) for bucket in buckets))
    assert await store.run(counts) == 20
    store.close()


def test_a_bucket_is_exhausted_after_its_failures_and_recovers(bench: Bench) -> None:
    limit = Limit(failures=2, window_us=100)
    with bench.engine.begin() as connection:
        for now_us in (0, 10):
            assert not exhausted(connection, "b", limit, now_us)
            failed(connection, "b", limit, now_us)
        assert exhausted(connection, "b", limit, 99)
        assert not exhausted(connection, "b", limit, 100)
        failed(connection, "b", limit, 150)
        assert not exhausted(connection, "b", limit, 150)
        failed(connection, "b", limit, 150)
        assert exhausted(connection, "b", limit, 150)
        succeeded(connection, "b")
        assert not exhausted(connection, "b", limit, 150)


def test_claim_numbers_have_no_letters_that_people_mistake() -> None:
    numbers = {claim_number("T-1", "deposit", str(note)) for note in range(2_000)}
    assert len(numbers) == 2_000
    assert not set("".join(numbers)) & set("ILOU")


def test_a_log_line_is_json_with_its_ids(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    event(logging.getLogger("t"), "deposit.answered", terminal="T-1", deposit="d")
    line = json.loads(JsonFormatter().format(caplog.records[0]))
    assert (line["event"], line["level"], line["terminal"], line["deposit"]) == (
        "deposit.answered", "info", "T-1", "d",
    )  # fmt: skip
