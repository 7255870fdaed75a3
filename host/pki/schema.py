"""The tables of trust."""

from __future__ import annotations

from enum import Enum

from sqlalchemy import Column, ForeignKey, Index, Named, String, Table, TypedColumns

from host.ledger.kinds import Ledger
from host.store.metadata import BIG, metadata, words


class Withdrawal(Enum):
    """Why a certificate opens no session any more. What its key signed is taken all the same."""

    SUPERSEDED = "superseded"
    REVOKED = "revoked"


class CertificateColumns(TypedColumns):
    """Every certificate that a terminal was ever given: its public key verifies advices for ever."""

    serial = Column(String(40), primary_key=True)
    terminal_id = Column(String(16), ForeignKey("terminals.terminal_id"), nullable=False)
    public_key: Named[bytes]
    not_before_us: Named[int] = Column(BIG)
    not_after_us: Named[int] = Column(BIG)
    withdrawn_at_us: Named[int | None] = Column(BIG)
    withdrawal: Named[Withdrawal | None] = Column(words(Withdrawal, "withdrawal"))


certificates = Table("certificates", metadata, CertificateColumns, Index(None, "terminal_id"))


class EnrolmentCodeColumns(TypedColumns):
    """A one-time code, as its SHA-256."""

    code_hash: Named[bytes] = Column(primary_key=True)
    terminal_id = Column(String(16), nullable=False)
    ledger: Named[Ledger] = Column(words(Ledger, "ledger"))
    created_at_us: Named[int] = Column(BIG)
    expires_at_us: Named[int] = Column(BIG)
    used_at_us: Named[int | None] = Column(BIG)


enrolment_codes = Table("enrolment_codes", metadata, EnrolmentCodeColumns)
