"""The triggers that keep the books and the evidence as they were written, and every transaction at zero."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

APPEND_ONLY = (
    "transactions",
    "postings",
    "advices",
    "note_outcomes",
    "note_conflicts",
    "journal_entries",
    "journal_forks",
    "audit_log",
)


def upgrade() -> None:
    """Create them."""
    for table in APPEND_ONLY:
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    # The row of a transaction closes it: what was posted must balance, and nothing is posted afterwards.
    op.execute(
        "CREATE TRIGGER transactions_balance BEFORE INSERT ON transactions "
        "WHEN EXISTS (SELECT 1 FROM postings WHERE transaction_id = NEW.transaction_id "
        "GROUP BY currency HAVING SUM(amount_minor) <> 0) "
        "BEGIN SELECT RAISE(ABORT, 'the transaction does not sum to zero'); END"
    )
    op.execute(
        "CREATE TRIGGER postings_before_their_transaction BEFORE INSERT ON postings "
        "WHEN EXISTS (SELECT 1 FROM transactions WHERE transaction_id = NEW.transaction_id) "
        "BEGIN SELECT RAISE(ABORT, 'the transaction is closed'); END"
    )


def downgrade() -> None:
    """What guards the books is not taken off by a command."""
    raise NotImplementedError("the books stay guarded")
