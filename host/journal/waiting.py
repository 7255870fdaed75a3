"""Advices that stand in a terminal's journal and that nobody has sent: its disk or its power is gone, or the books were
restored from a backup and their answers with them. They were signed when they were written, so they can be settled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, or_, select, update

from guichet.ids import TerminalId
from guichet.journal.records import RecordError, decode
from host.journal.schema import journal_advices, journal_entries, journal_forks
from host.ledger.schema import advices


@dataclass(frozen=True, slots=True)
class WaitingAdvice:
    """An advice as its terminal signed it; ``hash`` is the SHA-256 of ``content``."""

    hash: bytes
    terminal_id: TerminalId
    content: bytes
    signature: bytes


def waiting_advices(
    connection: Connection,
    *,
    received_before_us: int,
    tried_before_us: int,
    limit: int,
    terminal: TerminalId | None = None,
) -> tuple[WaitingAdvice, ...]:
    """Those that are not known to have an answer, in the order of their journals, of all terminals or of one; none that
    was tried since ``tried_before_us``.
    """
    a = journal_advices.c
    query = (
        select(a.advice_hash, a.terminal_id, a.epoch, a.sequence)
        .where(a.received_at_us < received_before_us)
        .where(or_(a.tried_us.is_(None), a.tried_us < tried_before_us))
        .order_by(a.terminal_id, a.epoch, a.sequence)
        .limit(limit)
    )
    if terminal is not None:
        query = query.where(a.terminal_id == terminal)
    rows = connection.execute(query).all()
    records = ((row, _records(connection, *row[1:])) for row in rows)
    found = (_advice(row[0], TerminalId(row[1]), these) for row, these in records)
    return tuple(advice for advice in found if advice is not None)


def _records(connection: Connection, terminal: str, epoch: int, sequence: int) -> list[bytes]:
    """What is held at a place, and what a branch has there."""
    return [
        record
        for table in (journal_entries, journal_forks)
        for record in connection.execute(
            select(table.c.record).where(
                table.c.terminal_id == terminal, table.c.epoch == epoch, table.c.sequence == sequence
            )
        ).scalars()
    ]


def _advice(digest: bytes, terminal: TerminalId, records: Iterable[bytes]) -> WaitingAdvice | None:
    for record in records:
        try:
            signed = decode(record).advice_signed
        except RecordError:
            continue
        if hashlib.sha256(signed.content).digest() == digest:
            return WaitingAdvice(digest, terminal, signed.content, signed.signature)
    return None


def forget_answered(connection: Connection) -> None:
    """Nothing is to be done any more about advices that have their answer: only where they stood is forgotten."""
    answered = select(advices.c.advice_hash).where(advices.c.advice_hash == journal_advices.c.advice_hash)
    connection.execute(delete(journal_advices).where(answered.exists()))


def note_tries(connection: Connection, hashes: Iterable[bytes], now_us: int) -> None:
    """They were tried now, and not taken."""
    query = update(journal_advices).where(journal_advices.c.advice_hash.in_(list(hashes)))
    connection.execute(query.values(tried_us=now_us))
