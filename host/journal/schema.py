"""The tables of the replicated journals. What came is append-only; what is still to be done about it is not."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Named, String, Table, TypedColumns

from host.store.metadata import BIG, metadata


class EntryColumns(TypedColumns):
    """One entry of a terminal's journal; the record's bytes are those that the terminal stored."""

    terminal_id = Column(String(16), ForeignKey("terminals.terminal_id"), primary_key=True)
    epoch: Named[int] = Column(BIG, primary_key=True, autoincrement=False)
    sequence: Named[int] = Column(BIG, primary_key=True, autoincrement=False)
    previous_hash: Named[bytes]
    hash: Named[bytes]
    record: Named[bytes]
    received_at_us: Named[int] = Column(BIG)


journal_entries = Table("journal_entries", metadata, EntryColumns)


class ForkColumns(TypedColumns):
    """An entry that claims a place where another is held, or that continues from one that is not held."""

    terminal_id = Column(String(16), ForeignKey("terminals.terminal_id"), primary_key=True)
    epoch: Named[int] = Column(BIG, primary_key=True, autoincrement=False)
    sequence: Named[int] = Column(BIG, primary_key=True, autoincrement=False)
    hash: Named[bytes] = Column(primary_key=True)
    previous_hash: Named[bytes]
    record: Named[bytes]
    received_at_us: Named[int] = Column(BIG)


journal_forks = Table("journal_forks", metadata, ForkColumns)


class AdviceColumns(TypedColumns):
    """Where an advice stands in a journal, so that it is settled also if its terminal never sends it. ``tried_us``:
    when it last was, from here, without success.
    """

    terminal_id = Column(String(16), ForeignKey("terminals.terminal_id"), primary_key=True)
    advice_hash: Named[bytes] = Column(primary_key=True)
    epoch: Named[int] = Column(BIG)
    sequence: Named[int] = Column(BIG)
    received_at_us: Named[int] = Column(BIG)
    tried_us: Named[int | None] = Column(BIG)


journal_advices = Table("journal_advices", metadata, AdviceColumns, Index(None, "received_at_us"))
