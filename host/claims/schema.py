"""The tables of claims, of counts, and of what operators decide. All but the claims themselves are append-only."""

from __future__ import annotations

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

from host.claims.box import Obstacle, Verdict
from host.ledger.kinds import ClaimReason, Ledger, Outcome
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


class BoxCountColumns(TypedColumns):
    """One count of one period's box. Number n names n - 1, which it replaces; both are kept. ``signature`` is the
    host's, over the count with its lines.
    """

    terminal_id = Column(String(16), ForeignKey("terminals.terminal_id"), primary_key=True)
    box_period_id = Column(String(64), primary_key=True)
    count_number: Named[int] = Column(primary_key=True, autoincrement=False)
    counted_by = Column(String(64), nullable=False)
    witness = Column(String(64), nullable=False)
    counted_at_us: Named[int] = Column(BIG)
    signature: Named[bytes]


box_counts = Table("box_counts", metadata, BoxCountColumns, Index(None, "counted_at_us"))


class BoxCountLineColumns(TypedColumns):
    """One denomination of a count, and the notes of the books beside it as they stood at that moment."""

    terminal_id = Column(String(16), primary_key=True)
    box_period_id = Column(String(64), primary_key=True)
    count_number: Named[int] = Column(primary_key=True, autoincrement=False)
    currency = Column(String(3), primary_key=True)
    value_minor: Named[int] = Column(BIG, primary_key=True, autoincrement=False)
    pieces: Named[int]
    credited: Named[int]
    found: Named[int]
    withheld: Named[int]
    in_doubt: Named[int]
    unsettled: Named[int]
    verdict: Named[Verdict] = Column(words(Verdict, "verdict"))
    obstacle: Named[Obstacle | None] = Column(words(Obstacle, "obstacle"))


box_count_lines = Table(
    "box_count_lines",
    metadata,
    BoxCountLineColumns,
    ForeignKeyConstraint(
        ["terminal_id", "box_period_id", "count_number"],
        ["box_counts.terminal_id", "box_counts.box_period_id", "box_counts.count_number"],
    ),
    CheckConstraint("pieces >= 0", name="no_fewer_than_none"),
)


class ProposalColumns(TypedColumns):
    """What an operator proposes about a claim in doubt. The last one of a claim stands; it books nothing."""

    proposal_no: Named[int] = Column(BIG, primary_key=True)
    claim_number = Column(String(14), ForeignKey("claims.claim_number"), nullable=False)
    outcome: Named[Outcome] = Column(words(Outcome, "outcome"))
    reason = Column(String(400), nullable=False)
    proposed_by = Column(String(32), ForeignKey("operators.name"), nullable=False)
    proposed_at_us: Named[int] = Column(BIG)
    signature: Named[bytes]


claim_proposals = Table("claim_proposals", metadata, ProposalColumns, Index(None, "claim_number"))


class ConfirmationColumns(TypedColumns):
    """That another operator decides the same. A trigger refuses the one who proposed it."""

    proposal_no: Named[int] = Column(BIG, ForeignKey("claim_proposals.proposal_no"), primary_key=True)
    reason = Column(String(400), nullable=False)
    confirmed_by = Column(String(32), ForeignKey("operators.name"), nullable=False)
    confirmed_at_us: Named[int] = Column(BIG)


claim_confirmations = Table("claim_confirmations", metadata, ConfirmationColumns)
