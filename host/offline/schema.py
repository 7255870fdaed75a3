"""The tables of deposits without the host. Append-only."""

from __future__ import annotations

from enum import Enum

from sqlalchemy import Column, ForeignKey, Index, Named, String, Table, TypedColumns

from host.store.metadata import BIG, metadata, words


class Resolved(Enum):
    """What a sealed card number came to. For all but the first, the money is in suspense with a claim."""

    ACCOUNT = "account"
    UNREADABLE = "unreadable"
    UNKNOWN_CARD = "unknown card"
    CARD_BLOCKED = "card blocked"
    CARD_EXPIRED = "card expired"
    NO_ACCOUNT = "no account"


class LimitsColumns(TypedColumns):
    """Every list that was ever signed for a terminal, verbatim, and who had it signed. The newest counts."""

    terminal_id = Column(String(16), ForeignKey("terminals.terminal_id"), primary_key=True)
    number: Named[int] = Column(BIG, primary_key=True, autoincrement=False)
    set_at_us: Named[int] = Column(BIG)
    set_by = Column(String(64), nullable=False)
    content: Named[bytes]
    signature: Named[bytes]


offline_limits = Table("offline_limits", metadata, LimitsColumns)


class OfflineDepositColumns(TypedColumns):
    """Whose a deposit without the host is: found once, by its first advice, and the same for ever. ``account_id`` is
    empty where there is none; ``pan_index`` is empty where the number could not be read; ``sealed_hash`` is the SHA-256
    of the sealed number.
    """

    terminal_id = Column(String(16), primary_key=True)
    deposit_id = Column(String(36), primary_key=True)
    sealed_hash: Named[bytes]
    pan_index: Named[bytes]
    account_id = Column(String(64), nullable=False)
    resolved: Named[Resolved] = Column(words(Resolved, "resolved"))
    limits_number: Named[int] = Column(BIG)
    bin = Column(String(8), nullable=False)
    currency = Column(String(3), nullable=False)
    started_at_us: Named[int] = Column(BIG)
    resolved_at_us: Named[int] = Column(BIG)


offline_deposits = Table(
    "offline_deposits", metadata, OfflineDepositColumns, Index(None, "terminal_id", "started_at_us")
)
