"""A resolution says whose account and which value it is about, so that its signature covers both."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns. Those that are there were signed without them, and stay so."""
    op.add_column("resolutions", sa.Column("account_id", sa.String(length=64), nullable=True))
    op.add_column("resolutions", sa.Column("currency", sa.String(length=3), nullable=True))
    op.add_column("resolutions", sa.Column("value_minor", BIG, nullable=True))


def downgrade() -> None:
    """Go back where nothing was resolved yet. Otherwise RuntimeError: it is kept."""
    there = sa.select(sa.literal(1)).select_from(sa.table("resolutions")).limit(1)
    if op.get_bind().execute(there).first() is not None:
        raise RuntimeError("resolutions is not empty: what was decided is not thrown away by a command")
    for column in ("value_minor", "currency", "account_id"):
        op.drop_column("resolutions", column)
