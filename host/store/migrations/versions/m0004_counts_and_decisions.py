"""Counts of cash boxes, what operators decide about claims, and outcomes that come from these and not from an advice.

SQLite changes no constraint of a table that is there: note_outcomes is made anew and filled with what it held.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
APPEND_ONLY = ("box_counts", "box_count_lines", "claim_proposals", "claim_confirmations", "resolutions")
TERMINAL_S = ("credited", "returned", "in-doubt", "found", "withheld")
OUTCOMES = (*TERMINAL_S, "not-found")
VERDICTS = (
    "exact", "covers the doubts", "does not cover all doubts", "nothing over for the doubts", "short", "over",
    "waits for settlement",
)  # fmt: skip
COUNT = ["terminal_id", "box_period_id", "count_number"]
KEPT = (
    "terminal_id", "deposit_id", "note_id", "outcome_number", "outcome", "currency", "value_minor", "account_id",
    "box_period_id", "device_serial", "ledger", "booking", "business_date", "claim_number", "transaction_id",
    "advice_hash",
)  # fmt: skip
KEPT_CONFLICTS = (
    "advice_hash", "note_id", "outcome_number", "terminal_id", "deposit_id", "outcome", "currency", "value_minor",
    "reason",
)  # fmt: skip


def words(*values: str, name: str) -> sa.Enum:
    """A column of one of these words."""
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    """Create them."""
    _counts()
    _decisions()
    _resolutions()
    _note_outcomes(with_resolutions=True)
    _conflicts(OUTCOMES)
    op.execute(
        "ALTER TABLE transactions ADD COLUMN resolution_no INTEGER "
        "CONSTRAINT fk_transactions_resolution_no REFERENCES resolutions (resolution_no)"
    )
    for table in APPEND_ONLY:
        _guard(table)
    op.execute(
        "CREATE TRIGGER claim_confirmations_four_eyes BEFORE INSERT ON claim_confirmations "
        "WHEN EXISTS (SELECT 1 FROM claim_proposals WHERE proposal_no = NEW.proposal_no "
        "AND proposed_by = NEW.confirmed_by) "
        "BEGIN SELECT RAISE(ABORT, 'who proposed it cannot confirm it'); END"
    )


def downgrade() -> None:
    """Go back where nothing was counted, proposed or resolved yet. Otherwise RuntimeError: it is kept."""
    for table in ("box_counts", "claim_proposals", "resolutions"):
        if op.get_bind().execute(sa.select(sa.literal(1)).select_from(sa.table(table)).limit(1)).first() is not None:
            raise RuntimeError(f"{table} is not empty: what was counted and decided is not thrown away by a command")
    _note_outcomes(with_resolutions=False)
    _conflicts(TERMINAL_S)
    op.execute("ALTER TABLE transactions DROP COLUMN resolution_no")
    for table in reversed(APPEND_ONLY):
        op.drop_table(table)


def _guard(table: str) -> None:
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _counts() -> None:
    op.create_table(
        "box_counts",
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("box_period_id", sa.String(length=64), nullable=False),
        sa.Column("count_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("counted_by", sa.String(length=64), nullable=False),
        sa.Column("witness", sa.String(length=64), nullable=False),
        sa.Column("counted_at_us", BIG, nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["terminal_id"], ["terminals.terminal_id"], name=op.f("fk_box_counts_terminal_id")),
        sa.PrimaryKeyConstraint(*COUNT, name=op.f("pk_box_counts")),
    )
    op.create_index(op.f("ix_box_counts_counted_at_us"), "box_counts", ["counted_at_us"])
    op.create_table(
        "box_count_lines",
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("box_period_id", sa.String(length=64), nullable=False),
        sa.Column("count_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("value_minor", BIG, autoincrement=False, nullable=False),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("pieces", "credited", "found", "withheld", "in_doubt", "unsettled")
        ),
        sa.Column("verdict", words(*VERDICTS, name="verdict"), nullable=False),
        sa.CheckConstraint("pieces >= 0", name=op.f("ck_box_count_lines_no_fewer_than_none")),
        sa.ForeignKeyConstraint(
            COUNT,
            [f"box_counts.{column}" for column in COUNT],
            name=op.f("fk_box_count_lines_terminal_id_box_period_id_count_number"),
        ),
        sa.PrimaryKeyConstraint(*COUNT, "currency", "value_minor", name=op.f("pk_box_count_lines")),
    )


def _decisions() -> None:
    op.create_table(
        "claim_proposals",
        sa.Column("proposal_no", BIG, nullable=False),
        sa.Column("claim_number", sa.String(length=14), nullable=False),
        sa.Column("outcome", words(*OUTCOMES, name="outcome"), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("proposed_by", sa.String(length=32), nullable=False),
        sa.Column("proposed_at_us", BIG, nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["claim_number"], ["claims.claim_number"], name=op.f("fk_claim_proposals_claim_number")
        ),
        sa.ForeignKeyConstraint(["proposed_by"], ["operators.name"], name=op.f("fk_claim_proposals_proposed_by")),
        sa.PrimaryKeyConstraint("proposal_no", name=op.f("pk_claim_proposals")),
    )
    op.create_index(op.f("ix_claim_proposals_claim_number"), "claim_proposals", ["claim_number"])
    op.create_table(
        "claim_confirmations",
        sa.Column("proposal_no", BIG, nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("confirmed_by", sa.String(length=32), nullable=False),
        sa.Column("confirmed_at_us", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["proposal_no"], ["claim_proposals.proposal_no"], name=op.f("fk_claim_confirmations_proposal_no")
        ),
        sa.ForeignKeyConstraint(["confirmed_by"], ["operators.name"], name=op.f("fk_claim_confirmations_confirmed_by")),
        sa.PrimaryKeyConstraint("proposal_no", name=op.f("pk_claim_confirmations")),
    )


def _resolutions() -> None:
    op.create_table(
        "resolutions",
        sa.Column("resolution_no", BIG, nullable=False),
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("deposit_id", sa.String(length=36), nullable=False),
        sa.Column("note_id", sa.String(length=36), nullable=False),
        sa.Column("outcome_number", sa.Integer(), nullable=False),
        sa.Column("outcome", words(*OUTCOMES, name="outcome"), nullable=False),
        sa.Column("box_period_id", sa.String(length=64), nullable=False),
        sa.Column("count_number", sa.Integer(), nullable=True),
        sa.Column("proposal_no", BIG, nullable=True),
        sa.Column("resolved_at_us", BIG, nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "(count_number IS NULL) <> (proposal_no IS NULL)", name=op.f("ck_resolutions_one_reason")
        ),
        sa.ForeignKeyConstraint(
            ["proposal_no"], ["claim_confirmations.proposal_no"], name=op.f("fk_resolutions_proposal_no")
        ),
        sa.ForeignKeyConstraint(
            COUNT,
            [f"box_counts.{column}" for column in COUNT],
            name=op.f("fk_resolutions_terminal_id_box_period_id_count_number"),
        ),
        sa.PrimaryKeyConstraint("resolution_no", name=op.f("pk_resolutions")),
        sa.UniqueConstraint(
            "terminal_id", "deposit_id", "note_id", "outcome_number",
            name=op.f("uq_resolutions_terminal_id_deposit_id_note_id_outcome_number"),
        ),
        sa.UniqueConstraint("proposal_no", name=op.f("uq_resolutions_proposal_no")),
    )  # fmt: skip


def _note_outcomes(*, with_resolutions: bool) -> None:
    resolutions = (
        sa.Column("resolution_no", BIG, nullable=True),
        sa.CheckConstraint(
            "(advice_hash IS NULL) <> (resolution_no IS NULL)", name=op.f("ck_note_outcomes_one_source")
        ),
        sa.ForeignKeyConstraint(
            ["resolution_no"], ["resolutions.resolution_no"], name=op.f("fk_note_outcomes_resolution_no")
        ),
        sa.UniqueConstraint("resolution_no", name=op.f("uq_note_outcomes_resolution_no")),
    )
    op.create_table(
        "note_outcomes_anew",
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("deposit_id", sa.String(length=36), nullable=False),
        sa.Column("note_id", sa.String(length=36), nullable=False),
        sa.Column("outcome_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("outcome", words(*(OUTCOMES if with_resolutions else TERMINAL_S), name="outcome"), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("value_minor", BIG, nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("box_period_id", sa.String(length=64), nullable=False),
        sa.Column("device_serial", sa.String(length=64), nullable=False),
        sa.Column("ledger", words("live", "training", name="ledger"), nullable=False),
        sa.Column("booking", words("customer", "suspense", "in-doubt", "nothing", name="booking"), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("claim_number", sa.String(length=14), nullable=False),
        sa.Column("transaction_id", sa.String(length=36), nullable=True),
        sa.Column("advice_hash", sa.LargeBinary(), nullable=with_resolutions),
        sa.ForeignKeyConstraint(["advice_hash"], ["advices.advice_hash"], name=op.f("fk_note_outcomes_advice_hash")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["transactions.transaction_id"], name=op.f("fk_note_outcomes_transaction_id")
        ),
        sa.PrimaryKeyConstraint(
            "terminal_id", "deposit_id", "note_id", "outcome_number", name=op.f("pk_note_outcomes")
        ),
        *(resolutions if with_resolutions else ()),
    )
    _take_the_place("note_outcomes", KEPT)
    op.create_index(op.f("ix_note_outcomes_box_period_id"), "note_outcomes", ["box_period_id"])
    op.create_index(op.f("ix_note_outcomes_transaction_id"), "note_outcomes", ["transaction_id"])


def _conflicts(outcomes: tuple[str, ...]) -> None:
    op.create_table(
        "note_conflicts_anew",
        sa.Column("advice_hash", sa.LargeBinary(), nullable=False),
        sa.Column("note_id", sa.String(length=36), nullable=False),
        sa.Column("outcome_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("deposit_id", sa.String(length=36), nullable=False),
        sa.Column("outcome", words(*outcomes, name="outcome"), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("value_minor", BIG, nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["advice_hash"], ["advices.advice_hash"], name=op.f("fk_note_conflicts_advice_hash")),
        sa.PrimaryKeyConstraint("advice_hash", "note_id", "outcome_number", name=op.f("pk_note_conflicts")),
    )
    _take_the_place("note_conflicts", KEPT_CONFLICTS)
    op.create_index(op.f("ix_note_conflicts_terminal_id_deposit_id"), "note_conflicts", ["terminal_id", "deposit_id"])


def _take_the_place(table: str, columns: tuple[str, ...]) -> None:
    """Fill the table that was made anew, and let it be the table, guarded as that was. Its old triggers go with it."""
    there = sa.table(table, *(sa.column(name, sa.LargeBinary()) for name in columns))
    op.execute(
        sa.insert(sa.table(f"{table}_anew", *(sa.column(name, sa.LargeBinary()) for name in columns))).from_select(
            list(columns), sa.select(there)
        )
    )
    op.drop_table(table)
    op.rename_table(f"{table}_anew", table)
    _guard(table)
