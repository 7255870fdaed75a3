"""The table of claims."""

from __future__ import annotations

from sqlalchemy import Column, Index, Named, String, Table, TypedColumns, UniqueConstraint

from host.ledger.kinds import ClaimReason, Ledger
from host.store.metadata import BIG, metadata, words


class ClaimColumns(TypedColumns):
    """One claim a note, open until a later outcome of the note closes it. The account is the claimant's, if known."""

    claim_number = Column(String(14), primary_key=True)
    terminal_id = Column(String(16), nullable=False)
    deposit_id = Column(String(36), nullable=False)
    note_id = Column(String(36), nullable=False)
    ledger: Named[Ledger] = Column(words(Ledger, "ledger"))
    reason: Named[ClaimReason] = Column(words(ClaimReason, "reason"))
    account_id = Column(String(64), nullable=False)
    opened_at_us: Named[int] = Column(BIG)
    closed_at_us: Named[int | None] = Column(BIG)


claims = Table(
    "claims",
    metadata,
    ClaimColumns,
    UniqueConstraint("terminal_id", "deposit_id", "note_id"),
    Index(None, "closed_at_us"),
)
