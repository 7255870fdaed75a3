"""Where each signed advice stands in the replicated journals, those that are there already included."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

from guichet.journal.records import RecordError, decode

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table and fill it."""
    advices = op.create_table(
        "journal_advices",
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("advice_hash", sa.LargeBinary(), nullable=False),
        sa.Column("epoch", BIG, nullable=False),
        sa.Column("sequence", BIG, nullable=False),
        sa.Column("received_at_us", BIG, nullable=False),
        sa.Column("tried_us", BIG, nullable=True),
        sa.ForeignKeyConstraint(
            ["terminal_id"], ["terminals.terminal_id"], name=op.f("fk_journal_advices_terminal_id")
        ),
        sa.PrimaryKeyConstraint("terminal_id", "advice_hash", name=op.f("pk_journal_advices")),
    )
    op.create_index(op.f("ix_journal_advices_received_at_us"), "journal_advices", ["received_at_us"])
    connection = op.get_bind()
    query = sa.text("SELECT terminal_id, epoch, sequence, received_at_us, record FROM journal_entries")
    found: dict[tuple[str, bytes], dict[str, object]] = {}
    for terminal, epoch, sequence, received, record in connection.execute(query):
        content = _advice_in(record)
        if content:
            digest = hashlib.sha256(content).digest()
            place = {"terminal_id": terminal, "epoch": epoch, "sequence": sequence}
            found.setdefault((terminal, digest), {"advice_hash": digest, **place, "received_at_us": received})
    if found:
        op.bulk_insert(advices, list(found.values()))


def _advice_in(record: bytes) -> bytes:
    try:
        return decode(record).advice_signed.content
    except RecordError:
        return b""


def downgrade() -> None:
    """The journals hold all of it."""
    op.drop_table("journal_advices")
