"""What Alembic runs: migrations on the connection that host.store.migrate opened, inside its transaction."""

from __future__ import annotations

from typing import cast

from alembic import context
from sqlalchemy import Connection

from host.store.tables import metadata

connection = cast("Connection", context.config.attributes["connection"])
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=False)
context.run_migrations()
