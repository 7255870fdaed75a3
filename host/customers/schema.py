"""The tables of customers. A card number is never stored: only a keyed hash of it, and its last four digits."""

from __future__ import annotations

from enum import Enum

from sqlalchemy import Column, ForeignKey, Index, Named, String, Table, TypedColumns

from host.ledger.kinds import Ledger
from host.store.metadata import BIG, metadata, words


class CardState(Enum):
    """Whether the bank lets a card be used. Too many wrong PINs are counted apart from it."""

    ACTIVE = "active"
    BLOCKED = "blocked"


class CustomerColumns(TypedColumns):
    """A customer of one ledger: training terminals know only training customers."""

    customer_id = Column(String(64), primary_key=True)
    ledger: Named[Ledger] = Column(words(Ledger, "ledger"))
    display_name = Column(String(60), nullable=False)
    language = Column(String(16), nullable=False)


customers = Table("customers", metadata, CustomerColumns)


class CardColumns(TypedColumns):
    """A card by the keyed hash of its number. ``expiry`` is YYMM; ``pin_reference`` is what the module compares to."""

    pan_index: Named[bytes] = Column(primary_key=True)
    ledger: Named[Ledger] = Column(words(Ledger, "ledger"), primary_key=True)
    customer_id = Column(String(64), ForeignKey("customers.customer_id"), nullable=False)
    masked = Column(String(19), nullable=False)
    expiry = Column(String(4), nullable=False)
    state: Named[CardState] = Column(words(CardState, "state"))
    pin_reference: Named[bytes]
    wrong_tries: Named[int]


cards = Table("cards", metadata, CardColumns)


class SessionColumns(TypedColumns):
    """An open customer session, by the SHA-256 of its token; bound to the terminal that opened it."""

    token_hash: Named[bytes] = Column(primary_key=True)
    terminal_id = Column(String(16), ForeignKey("terminals.terminal_id"), nullable=False)
    customer_id = Column(String(64), ForeignKey("customers.customer_id"), nullable=False)
    session_id = Column(String(36), nullable=False)
    expires_at_us: Named[int] = Column(BIG)


customer_sessions = Table("customer_sessions", metadata, SessionColumns, Index(None, "expires_at_us"))
