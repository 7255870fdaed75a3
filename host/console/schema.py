"""The tables of operators and of what they did."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Named, String, Table, TypedColumns

from host.store.metadata import BIG, metadata


class OperatorColumns(TypedColumns):
    """Who may log in. The password is kept as scrypt(password, salt)."""

    name = Column(String(32), primary_key=True)
    salt: Named[bytes]
    password_hash: Named[bytes]
    created_at_us: Named[int] = Column(BIG)


operators = Table("operators", metadata, OperatorColumns)


class OperatorSessionColumns(TypedColumns):
    """A log-in, by the SHA-256 of its cookie."""

    token_hash: Named[bytes] = Column(primary_key=True)
    operator = Column(String(32), ForeignKey("operators.name"), nullable=False)
    form_token = Column(String(64), nullable=False)
    expires_at_us: Named[int] = Column(BIG)


operator_sessions = Table("operator_sessions", metadata, OperatorSessionColumns, Index(None, "expires_at_us"))


class AuditColumns(TypedColumns):
    """One action of a person. A trigger keeps this table append-only."""

    entry_no: Named[int] = Column(BIG, primary_key=True)
    at_us: Named[int] = Column(BIG)
    actor = Column(String(64), nullable=False)
    action = Column(String(40), nullable=False)
    subject = Column(String(100), nullable=False)
    result = Column(String(40), nullable=False)
    origin = Column(String(64), nullable=False)


audit_log = Table("audit_log", metadata, AuditColumns)
