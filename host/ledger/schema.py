"""The tables of the books. Nothing in them is ever changed or deleted, except an account's state."""

from __future__ import annotations

import datetime

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Named,
    String,
    Table,
    TypedColumns,
    UniqueConstraint,
)

from host.ledger.kinds import AccountKind, AccountState, Booking, Ledger, Outcome, TransactionKind
from host.store.metadata import BIG, metadata, words


class AccountColumns(TypedColumns):
    """An account of one currency in one ledger. ``number`` is what a statement prints; internal accounts have none."""

    account_id = Column(String(64), primary_key=True)
    ledger: Named[Ledger] = Column(words(Ledger, "ledger"))
    kind: Named[AccountKind] = Column(words(AccountKind, "kind"))
    currency = Column(String(3), nullable=False)
    terminal_id: Named[str | None] = Column(String(16))
    customer_id: Named[str | None] = Column(String(64), ForeignKey("customers.customer_id"))
    number = Column(String(34), nullable=False)
    product = Column(String(60), nullable=False)
    state: Named[AccountState] = Column(words(AccountState, "state"))
    takes_deposits: Named[bool]


accounts = Table(
    "accounts",
    metadata,
    AccountColumns,
    UniqueConstraint("account_id", "ledger", "currency"),
    Index(None, "customer_id"),
)


class TransactionColumns(TypedColumns):
    """One event in the books; its postings sum to zero. Dates are the host's. The advice is that of a deposit; what the
    host itself resolved has a resolution instead.
    """

    transaction_id = Column(String(36), primary_key=True)
    ledger: Named[Ledger] = Column(words(Ledger, "ledger"))
    kind: Named[TransactionKind] = Column(words(TransactionKind, "kind"))
    business_date: Named[datetime.date]
    value_date: Named[datetime.date]
    booked_at_us: Named[int] = Column(BIG)
    text = Column(String(60), nullable=False)
    terminal_id: Named[str | None] = Column(String(16))
    deposit_id: Named[str | None] = Column(String(36))
    advice_hash: Named[bytes | None] = Column(ForeignKey("advices.advice_hash"))
    resolution_no: Named[int | None] = Column(BIG, ForeignKey("resolutions.resolution_no"))


transactions = Table(
    "transactions",
    metadata,
    TransactionColumns,
    UniqueConstraint("transaction_id", "ledger"),
    Index(None, "business_date"),
    Index(None, "terminal_id", "deposit_id"),
)


class PostingColumns(TypedColumns):
    """An amount on an account, in minor units: positive a credit, negative a debit, never zero."""

    posting_no: Named[int] = Column(BIG, primary_key=True)
    transaction_id = Column(String(36), nullable=False)
    ledger: Named[Ledger] = Column(words(Ledger, "ledger"))
    account_id = Column(String(64), nullable=False)
    currency = Column(String(3), nullable=False)
    amount_minor: Named[int] = Column(BIG)


# The composite keys let the database itself refuse a posting across ledgers or currencies. Postings are written before
# their transaction, whose row closes it: a trigger then checks that it sums to zero, and later postings are refused.
postings = Table(
    "postings",
    metadata,
    PostingColumns,
    ForeignKeyConstraint(
        ["transaction_id", "ledger"],
        ["transactions.transaction_id", "transactions.ledger"],
        deferrable=True,
        initially="DEFERRED",
    ),
    ForeignKeyConstraint(
        ["account_id", "ledger", "currency"], ["accounts.account_id", "accounts.ledger", "accounts.currency"]
    ),
    CheckConstraint("amount_minor <> 0", name="not_zero"),
    UniqueConstraint("transaction_id", "account_id"),
    Index(None, "account_id", "posting_no"),
)


class AdviceColumns(TypedColumns):
    """An advice as it came, and the answer that it has for ever. Both are kept verbatim with their signatures."""

    advice_hash: Named[bytes] = Column(primary_key=True)
    terminal_id = Column(String(16), nullable=False)
    deposit_id = Column(String(36), nullable=False)
    session_id = Column(String(36), nullable=False)
    epoch: Named[int] = Column(BIG)
    sequence: Named[int] = Column(BIG)
    content: Named[bytes]
    signature: Named[bytes]
    received_at_us: Named[int] = Column(BIG)
    answer: Named[bytes]
    answer_signature: Named[bytes]


advices = Table(
    "advices",
    metadata,
    AdviceColumns,
    Index(None, "terminal_id", "deposit_id", "received_at_us"),
    # The console shows the newest every few seconds, of all terminals or of one.
    Index(None, "received_at_us"),
    Index(None, "terminal_id", "received_at_us"),
)


class NoteOutcomeColumns(TypedColumns):
    """One numbered outcome of one note and how it was booked. The first four columns are the key of a settlement. It
    comes from an advice of the terminal or from a resolution of the host, never from both.
    """

    terminal_id = Column(String(16), primary_key=True)
    deposit_id = Column(String(36), primary_key=True)
    note_id = Column(String(36), primary_key=True)
    outcome_number: Named[int] = Column(primary_key=True, autoincrement=False)
    outcome: Named[Outcome] = Column(words(Outcome, "outcome"))
    currency = Column(String(3), nullable=False)
    value_minor: Named[int] = Column(BIG)
    account_id = Column(String(64), nullable=False)
    box_period_id = Column(String(64), nullable=False)
    device_serial = Column(String(64), nullable=False)
    ledger: Named[Ledger] = Column(words(Ledger, "ledger"))
    booking: Named[Booking] = Column(words(Booking, "booking"))
    claim_number = Column(String(14), nullable=False)
    business_date: Named[datetime.date]
    transaction_id: Named[str | None] = Column(String(36), ForeignKey("transactions.transaction_id"))
    advice_hash: Named[bytes | None] = Column(ForeignKey("advices.advice_hash"))
    resolution_no: Named[int | None] = Column(BIG, ForeignKey("resolutions.resolution_no"))


note_outcomes = Table(
    "note_outcomes",
    metadata,
    NoteOutcomeColumns,
    CheckConstraint("(advice_hash IS NULL) <> (resolution_no IS NULL)", name="one_source"),
    UniqueConstraint("resolution_no"),
    Index(None, "transaction_id"),
    Index(None, "box_period_id"),
)


class ResolutionColumns(TypedColumns):
    """Why the host itself gave a note in doubt its next outcome: a count, or what two operators decided.
    ``box_period_id`` is the period in whose box the note lies. ``signature`` is the host's, over all of it and, for a
    decision, over both operators' words. The account and the value of the note are empty where it was signed without.
    """

    resolution_no: Named[int] = Column(BIG, primary_key=True)
    terminal_id = Column(String(16), nullable=False)
    deposit_id = Column(String(36), nullable=False)
    note_id = Column(String(36), nullable=False)
    outcome_number: Named[int]
    outcome: Named[Outcome] = Column(words(Outcome, "outcome"))
    box_period_id = Column(String(64), nullable=False)
    count_number: Named[int | None]
    proposal_no: Named[int | None] = Column(BIG, ForeignKey("claim_confirmations.proposal_no"))
    resolved_at_us: Named[int] = Column(BIG)
    signature: Named[bytes]
    account_id: Named[str | None] = Column(String(64))
    currency: Named[str | None] = Column(String(3))
    value_minor: Named[int | None] = Column(BIG)


resolutions = Table(
    "resolutions",
    metadata,
    ResolutionColumns,
    ForeignKeyConstraint(
        ["terminal_id", "box_period_id", "count_number"],
        ["box_counts.terminal_id", "box_counts.box_period_id", "box_counts.count_number"],
    ),
    CheckConstraint("(count_number IS NULL) <> (proposal_no IS NULL)", name="one_reason"),
    UniqueConstraint("terminal_id", "deposit_id", "note_id", "outcome_number"),
    UniqueConstraint("proposal_no"),
)


class NoteConflictColumns(TypedColumns):
    """An outcome that was refused because its key has other content. Kept beside the other, booked nowhere."""

    advice_hash: Named[bytes] = Column(ForeignKey("advices.advice_hash"), primary_key=True)
    note_id = Column(String(36), primary_key=True)
    outcome_number: Named[int] = Column(primary_key=True, autoincrement=False)
    terminal_id = Column(String(16), nullable=False)
    deposit_id = Column(String(36), nullable=False)
    outcome: Named[Outcome] = Column(words(Outcome, "outcome"))
    currency = Column(String(3), nullable=False)
    value_minor: Named[int] = Column(BIG)
    reason = Column(String(200), nullable=False)


note_conflicts = Table("note_conflicts", metadata, NoteConflictColumns, Index(None, "terminal_id", "deposit_id"))
