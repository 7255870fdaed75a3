"""The tables of the fleet."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Named, String, Table, TypedColumns

from host.ledger.kinds import Ledger
from host.store.metadata import BIG, metadata, words


class TerminalColumns(TypedColumns):
    """A terminal that has enrolled at least once. Its ledger never changes."""

    terminal_id = Column(String(16), primary_key=True)
    ledger: Named[Ledger] = Column(words(Ledger, "ledger"))
    description = Column(String(200), nullable=False)
    enrolled_at_us: Named[int] = Column(BIG)


terminals = Table("terminals", metadata, TerminalColumns)


class EpochColumns(TypedColumns):
    """The epochs that a terminal's disks were given."""

    terminal_id = Column(String(16), ForeignKey("terminals.terminal_id"), primary_key=True)
    epoch: Named[int] = Column(BIG, primary_key=True, autoincrement=False)
    issued_at_us: Named[int] = Column(BIG)


terminal_epochs = Table("terminal_epochs", metadata, EpochColumns)


class HealthColumns(TypedColumns):
    """The last that a terminal said of itself: a serialised guichet.v1.TerminalHealth, empty before the first."""

    terminal_id = Column(String(16), ForeignKey("terminals.terminal_id"), primary_key=True)
    last_seen_us: Named[int] = Column(BIG)
    report: Named[bytes]


terminal_health = Table("terminal_health", metadata, HealthColumns)


class IncidentColumns(TypedColumns):
    """Something that a person should look at. ``occasion`` makes it one, however often the same thing is seen."""

    incident_no: Named[int] = Column(BIG, primary_key=True)
    occasion = Column(String(200), nullable=False, unique=True)
    opened_at_us: Named[int] = Column(BIG)
    code = Column(String(60), nullable=False)
    terminal_id: Named[str | None] = Column(String(16))
    subject = Column(String(100), nullable=False)
    text = Column(String(400), nullable=False)


incidents = Table("incidents", metadata, IncidentColumns, Index(None, "terminal_id"))
