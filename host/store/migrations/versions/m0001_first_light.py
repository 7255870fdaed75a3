"""The tables of the first version.

A migration is a record of what was: it names every column itself and never follows later changes of the code.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def words(*values: str, name: str) -> sa.Enum:
    """A column of one of these words."""
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    """Create everything."""
    _store()
    _fleet()
    _trust()
    _customers()
    _books()
    _refused_and_claimed()
    _journals()
    _console()


def downgrade() -> None:
    """There is nothing before the first version: the books are not thrown away by a command."""
    raise NotImplementedError("the first version cannot be taken back")


def _store() -> None:
    op.create_table(
        "attempts",
        sa.Column("bucket", sa.String(length=200), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("since_us", BIG, nullable=False),
        sa.PrimaryKeyConstraint("bucket", name=op.f("pk_attempts")),
    )


def _fleet() -> None:
    op.create_table(
        "terminals",
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("ledger", words("live", "training", name="ledger"), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("enrolled_at_us", BIG, nullable=False),
        sa.PrimaryKeyConstraint("terminal_id", name=op.f("pk_terminals")),
    )
    op.create_table(
        "terminal_epochs",
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("epoch", BIG, autoincrement=False, nullable=False),
        sa.Column("issued_at_us", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["terminal_id"], ["terminals.terminal_id"], name=op.f("fk_terminal_epochs_terminal_id")
        ),
        sa.PrimaryKeyConstraint("terminal_id", "epoch", name=op.f("pk_terminal_epochs")),
    )
    op.create_table(
        "terminal_health",
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("last_seen_us", BIG, nullable=False),
        sa.Column("report", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["terminal_id"], ["terminals.terminal_id"], name=op.f("fk_terminal_health_terminal_id")
        ),
        sa.PrimaryKeyConstraint("terminal_id", name=op.f("pk_terminal_health")),
    )
    op.create_table(
        "incidents",
        sa.Column("incident_no", BIG, nullable=False),
        sa.Column("occasion", sa.String(length=200), nullable=False),
        sa.Column("opened_at_us", BIG, nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("terminal_id", sa.String(length=16), nullable=True),
        sa.Column("subject", sa.String(length=100), nullable=False),
        sa.Column("text", sa.String(length=400), nullable=False),
        sa.PrimaryKeyConstraint("incident_no", name=op.f("pk_incidents")),
        sa.UniqueConstraint("occasion", name=op.f("uq_incidents_occasion")),
    )
    op.create_index(op.f("ix_incidents_terminal_id"), "incidents", ["terminal_id"], unique=False)


def _trust() -> None:
    op.create_table(
        "certificates",
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("not_before_us", BIG, nullable=False),
        sa.Column("not_after_us", BIG, nullable=False),
        sa.Column("withdrawn_at_us", BIG, nullable=True),
        sa.Column("withdrawal", words("superseded", "revoked", name="withdrawal"), nullable=True),
        sa.ForeignKeyConstraint(["terminal_id"], ["terminals.terminal_id"], name=op.f("fk_certificates_terminal_id")),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_certificates")),
    )
    op.create_index(op.f("ix_certificates_terminal_id"), "certificates", ["terminal_id"], unique=False)
    op.create_table(
        "enrolment_codes",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("ledger", words("live", "training", name="ledger"), nullable=False),
        sa.Column("created_at_us", BIG, nullable=False),
        sa.Column("expires_at_us", BIG, nullable=False),
        sa.Column("used_at_us", BIG, nullable=True),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_enrolment_codes")),
    )
    op.create_table(
        "pin_keys",
        sa.Column("key_id", sa.LargeBinary(), nullable=False),
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("highest_counter", BIG, nullable=False),
        sa.ForeignKeyConstraint(["terminal_id"], ["terminals.terminal_id"], name=op.f("fk_pin_keys_terminal_id")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_pin_keys")),
    )


def _customers() -> None:
    op.create_table(
        "customers",
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("ledger", words("live", "training", name="ledger"), nullable=False),
        sa.Column("display_name", sa.String(length=60), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_customers")),
    )
    op.create_table(
        "cards",
        sa.Column("pan_index", sa.LargeBinary(), nullable=False),
        sa.Column("ledger", words("live", "training", name="ledger"), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("masked", sa.String(length=19), nullable=False),
        sa.Column("expiry", sa.String(length=4), nullable=False),
        sa.Column("state", words("active", "blocked", name="state"), nullable=False),
        sa.Column("pin_reference", sa.LargeBinary(), nullable=False),
        sa.Column("wrong_tries", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.customer_id"], name=op.f("fk_cards_customer_id")),
        sa.PrimaryKeyConstraint("pan_index", "ledger", name=op.f("pk_cards")),
    )
    op.create_table(
        "customer_sessions",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("expires_at_us", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.customer_id"], name=op.f("fk_customer_sessions_customer_id")
        ),
        sa.ForeignKeyConstraint(
            ["terminal_id"], ["terminals.terminal_id"], name=op.f("fk_customer_sessions_terminal_id")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_customer_sessions")),
    )
    op.create_index(op.f("ix_customer_sessions_expires_at_us"), "customer_sessions", ["expires_at_us"], unique=False)


def _books() -> None:
    op.create_table(
        "accounts",
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("ledger", words("live", "training", name="ledger"), nullable=False),
        sa.Column(
            "kind",
            words(
                "customer",
                "cash-in-terminal",
                "cash-unconfirmed",
                "vault",
                "clearing",
                "suspense",
                "in-doubt",
                name="kind",
            ),
            nullable=False,
        ),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("terminal_id", sa.String(length=16), nullable=True),
        sa.Column("customer_id", sa.String(length=64), nullable=True),
        sa.Column("number", sa.String(length=34), nullable=False),
        sa.Column("product", sa.String(length=60), nullable=False),
        sa.Column("state", words("open", "blocked", "closed", name="state"), nullable=False),
        sa.Column("takes_deposits", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.customer_id"], name=op.f("fk_accounts_customer_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("account_id", "ledger", "currency", name=op.f("uq_accounts_account_id_ledger_currency")),
    )
    op.create_index(op.f("ix_accounts_customer_id"), "accounts", ["customer_id"], unique=False)
    op.create_table(
        "advices",
        sa.Column("advice_hash", sa.LargeBinary(), nullable=False),
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("deposit_id", sa.String(length=36), nullable=False),
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("epoch", BIG, nullable=False),
        sa.Column("sequence", BIG, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("received_at_us", BIG, nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("answer_signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("advice_hash", name=op.f("pk_advices")),
    )
    op.create_index(op.f("ix_advices_terminal_id_deposit_id"), "advices", ["terminal_id", "deposit_id"], unique=False)
    op.create_table(
        "transactions",
        sa.Column("transaction_id", sa.String(length=36), nullable=False),
        sa.Column("ledger", words("live", "training", name="ledger"), nullable=False),
        sa.Column("kind", words("deposit", "correction", "transfer", name="kind"), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("value_date", sa.Date(), nullable=False),
        sa.Column("booked_at_us", BIG, nullable=False),
        sa.Column("text", sa.String(length=60), nullable=False),
        sa.Column("terminal_id", sa.String(length=16), nullable=True),
        sa.Column("deposit_id", sa.String(length=36), nullable=True),
        sa.Column("advice_hash", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["advice_hash"], ["advices.advice_hash"], name=op.f("fk_transactions_advice_hash")),
        sa.PrimaryKeyConstraint("transaction_id", name=op.f("pk_transactions")),
        sa.UniqueConstraint("transaction_id", "ledger", name=op.f("uq_transactions_transaction_id_ledger")),
    )
    op.create_index(op.f("ix_transactions_business_date"), "transactions", ["business_date"], unique=False)
    op.create_index(
        op.f("ix_transactions_terminal_id_deposit_id"), "transactions", ["terminal_id", "deposit_id"], unique=False
    )
    op.create_table(
        "postings",
        sa.Column("posting_no", BIG, nullable=False),
        sa.Column("transaction_id", sa.String(length=36), nullable=False),
        sa.Column("ledger", words("live", "training", name="ledger"), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", BIG, nullable=False),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ck_postings_not_zero")),
        sa.ForeignKeyConstraint(
            ["account_id", "ledger", "currency"],
            ["accounts.account_id", "accounts.ledger", "accounts.currency"],
            name=op.f("fk_postings_account_id_ledger_currency"),
        ),
        sa.ForeignKeyConstraint(
            ["transaction_id", "ledger"],
            ["transactions.transaction_id", "transactions.ledger"],
            name=op.f("fk_postings_transaction_id_ledger"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("posting_no", name=op.f("pk_postings")),
        sa.UniqueConstraint("transaction_id", "account_id", name=op.f("uq_postings_transaction_id_account_id")),
    )
    op.create_index(op.f("ix_postings_account_id_posting_no"), "postings", ["account_id", "posting_no"], unique=False)
    op.create_table(
        "note_outcomes",
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("deposit_id", sa.String(length=36), nullable=False),
        sa.Column("note_id", sa.String(length=36), nullable=False),
        sa.Column("outcome_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "outcome", words("credited", "returned", "in-doubt", "found", "withheld", name="outcome"), nullable=False
        ),
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
        sa.Column("advice_hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["advice_hash"], ["advices.advice_hash"], name=op.f("fk_note_outcomes_advice_hash")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["transactions.transaction_id"], name=op.f("fk_note_outcomes_transaction_id")
        ),
        sa.PrimaryKeyConstraint(
            "terminal_id", "deposit_id", "note_id", "outcome_number", name=op.f("pk_note_outcomes")
        ),
    )
    op.create_index(op.f("ix_note_outcomes_box_period_id"), "note_outcomes", ["box_period_id"], unique=False)
    op.create_index(op.f("ix_note_outcomes_transaction_id"), "note_outcomes", ["transaction_id"], unique=False)


def _refused_and_claimed() -> None:
    op.create_table(
        "note_conflicts",
        sa.Column("advice_hash", sa.LargeBinary(), nullable=False),
        sa.Column("note_id", sa.String(length=36), nullable=False),
        sa.Column("outcome_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("deposit_id", sa.String(length=36), nullable=False),
        sa.Column(
            "outcome", words("credited", "returned", "in-doubt", "found", "withheld", name="outcome"), nullable=False
        ),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("value_minor", BIG, nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["advice_hash"], ["advices.advice_hash"], name=op.f("fk_note_conflicts_advice_hash")),
        sa.PrimaryKeyConstraint("advice_hash", "note_id", "outcome_number", name=op.f("pk_note_conflicts")),
    )
    op.create_index(
        op.f("ix_note_conflicts_terminal_id_deposit_id"), "note_conflicts", ["terminal_id", "deposit_id"], unique=False
    )
    op.create_table(
        "claims",
        sa.Column("claim_number", sa.String(length=14), nullable=False),
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("deposit_id", sa.String(length=36), nullable=False),
        sa.Column("note_id", sa.String(length=36), nullable=False),
        sa.Column("ledger", words("live", "training", name="ledger"), nullable=False),
        sa.Column("reason", words("in-doubt", "found", "withheld", "account-unusable", name="reason"), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("opened_at_us", BIG, nullable=False),
        sa.Column("closed_at_us", BIG, nullable=True),
        sa.PrimaryKeyConstraint("claim_number", name=op.f("pk_claims")),
        sa.UniqueConstraint(
            "terminal_id", "deposit_id", "note_id", name=op.f("uq_claims_terminal_id_deposit_id_note_id")
        ),
    )


def _journals() -> None:
    op.create_table(
        "journal_entries",
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("epoch", BIG, autoincrement=False, nullable=False),
        sa.Column("sequence", BIG, autoincrement=False, nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("received_at_us", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["terminal_id"], ["terminals.terminal_id"], name=op.f("fk_journal_entries_terminal_id")
        ),
        sa.PrimaryKeyConstraint("terminal_id", "epoch", "sequence", name=op.f("pk_journal_entries")),
    )
    op.create_table(
        "journal_forks",
        sa.Column("terminal_id", sa.String(length=16), nullable=False),
        sa.Column("epoch", BIG, autoincrement=False, nullable=False),
        sa.Column("sequence", BIG, autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("received_at_us", BIG, nullable=False),
        sa.ForeignKeyConstraint(["terminal_id"], ["terminals.terminal_id"], name=op.f("fk_journal_forks_terminal_id")),
        sa.PrimaryKeyConstraint("terminal_id", "epoch", "sequence", "hash", name=op.f("pk_journal_forks")),
    )


def _console() -> None:
    op.create_table(
        "operators",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("password_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at_us", BIG, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_operators")),
    )
    op.create_table(
        "operator_sessions",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("operator", sa.String(length=32), nullable=False),
        sa.Column("form_token", sa.String(length=64), nullable=False),
        sa.Column("expires_at_us", BIG, nullable=False),
        sa.ForeignKeyConstraint(["operator"], ["operators.name"], name=op.f("fk_operator_sessions_operator")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_operator_sessions")),
    )
    op.create_index(op.f("ix_operator_sessions_expires_at_us"), "operator_sessions", ["expires_at_us"], unique=False)
    op.create_table(
        "audit_log",
        sa.Column("entry_no", BIG, nullable=False),
        sa.Column("at_us", BIG, nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=100), nullable=False),
        sa.Column("result", sa.String(length=40), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("entry_no", name=op.f("pk_audit_log")),
    )
