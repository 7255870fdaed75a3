"""The tables of deposits that begin while a terminal cannot reach its host."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
RESOLVED = ("account", "unreadable", "unknown card", "card blocked", "card expired", "no account")


def upgrade() -> None:
    """Create them, append-only."""
    op.create_table(
        "offline_limits",
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("number", BIG, autoincrement=False, nullable=False),
        sa.Column("set_at_us", BIG, nullable=False),
        sa.Column("set_by", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["terminal_id"], ["terminals.terminal_id"], name=op.f("fk_offline_limits_terminal_id")),
        sa.PrimaryKeyConstraint("terminal_id", "number", name=op.f("pk_offline_limits")),
    )
    op.create_table(
        "offline_deposits",
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("deposit_id", sa.String(length=36), nullable=False),
        sa.Column("sealed_hash", sa.LargeBinary(), nullable=False),
        sa.Column("pan_index", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column(
            "resolved",
            sa.Enum(*RESOLVED, name="resolved", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("limits_number", BIG, nullable=False),
        sa.Column("bin", sa.String(length=8), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("started_at_us", BIG, nullable=False),
        sa.Column("resolved_at_us", BIG, nullable=False),
        sa.PrimaryKeyConstraint("terminal_id", "deposit_id", name=op.f("pk_offline_deposits")),
    )
    op.create_index(
        op.f("ix_offline_deposits_terminal_id_started_at_us"), "offline_deposits", ["terminal_id", "started_at_us"]
    )
    for table in ("offline_limits", "offline_deposits"):
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def downgrade() -> None:
    """Take them away, as long as nothing is in them: what was signed and what was found stay."""
    for table in ("offline_deposits", "offline_limits"):
        if op.get_bind().execute(sa.text(f"SELECT count(*) FROM {table}")).scalar():  # noqa: S608 - names of our own
            raise NotImplementedError(f"{table} is not thrown away by a command")
        op.drop_table(table)
