"""The indexes by which the newest deposits and the open claims are found without reading all that ever were."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them. The index of a deposit's advices gets their time as its last column."""
    op.drop_index(op.f("ix_advices_terminal_id_deposit_id"), "advices")
    op.create_index(
        op.f("ix_advices_terminal_id_deposit_id_received_at_us"),
        "advices",
        ["terminal_id", "deposit_id", "received_at_us"],
    )
    op.create_index(op.f("ix_advices_received_at_us"), "advices", ["received_at_us"])
    op.create_index(op.f("ix_advices_terminal_id_received_at_us"), "advices", ["terminal_id", "received_at_us"])
    op.create_index(op.f("ix_claims_closed_at_us"), "claims", ["closed_at_us"])


def downgrade() -> None:
    """Go back to the indexes that were; they hold nothing that the tables do not."""
    op.drop_index(op.f("ix_claims_closed_at_us"), "claims")
    op.drop_index(op.f("ix_advices_terminal_id_received_at_us"), "advices")
    op.drop_index(op.f("ix_advices_received_at_us"), "advices")
    op.drop_index(op.f("ix_advices_terminal_id_deposit_id_received_at_us"), "advices")
    op.create_index(op.f("ix_advices_terminal_id_deposit_id"), "advices", ["terminal_id", "deposit_id"])
