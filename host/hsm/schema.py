"""The tables of PIN keys: which terminal has which, and how far its counter has come."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Named, String, Table, TypedColumns

from host.store.metadata import BIG, metadata


class PinKeyColumns(TypedColumns):
    """An initial key id of 8 bytes and the highest transaction counter that was seen under it."""

    key_id: Named[bytes] = Column(primary_key=True)
    terminal_id = Column(String(16), ForeignKey("terminals.terminal_id"), nullable=False)
    highest_counter: Named[int] = Column(BIG)


pin_keys = Table("pin_keys", metadata, PinKeyColumns)
