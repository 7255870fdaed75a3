"""Tables of no single room: counted failures, by which guessing is slowed down."""

from __future__ import annotations

from sqlalchemy import Column, Named, String, Table, TypedColumns

from host.store.metadata import BIG, metadata


class AttemptColumns(TypedColumns):
    """Failures in a bucket since the beginning of its window. A bucket is a place and who knocks there."""

    bucket = Column(String(200), primary_key=True)
    failures: Named[int]
    since_us: Named[int] = Column(BIG)


attempts = Table("attempts", metadata, AttemptColumns)
