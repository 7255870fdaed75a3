"""Bringing a database to the schema that this version of the host works with."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from host.store.engine import StoreError

_SCRIPTS = Path(__file__).parent / "migrations"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    return config


def wanted_revision() -> str:
    """The newest migration of this version."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise StoreError("this installation has no migrations")
    return head


def revision(connection: Connection) -> str | None:
    """The migration that the database is at; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Run what is missing, in one transaction. Gives the revisions before and after."""
    with engine.begin() as connection:
        before = revision(connection)
        command.upgrade(_config(connection), "head")
    return before, wanted_revision()


def check_revision(connection: Connection) -> None:
    """Raises :class:`host.store.engine.StoreError` unless the database is at this version's schema."""
    found, wanted = revision(connection), wanted_revision()
    if found != wanted:
        state = "is empty" if found is None else f"is at schema {found}"
        raise StoreError(f"the database {state}, this version needs {wanted}: run guichet-host migrate")
