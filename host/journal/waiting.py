"""Advices that stand in a terminal's journal and that nobody has sent: its disk or its power is gone, or the books were
restored from a backup and their answers with them. They were signed when they were written, so they can be settled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, and_, or_, select, update

from guichet.ids import TerminalId
from guichet.journal.records import RecordError, decode
from host.journal.schema import journal_advices, journal_entries
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
    """Those without an answer, in the order of their journals, of all terminals or of one; none that was tried since
    ``tried_before_us``.
    """
    a, e = journal_advices.c, journal_entries.c
    same = and_(e.terminal_id == a.terminal_id, e.epoch == a.epoch, e.sequence == a.sequence)
    query = (
        select(a.advice_hash, a.terminal_id, e.record)
        .join_from(journal_advices, journal_entries, same)
        .outerjoin(advices, advices.c.advice_hash == a.advice_hash)
        .where(advices.c.advice_hash.is_(None), a.received_at_us < received_before_us)
        .where(or_(a.tried_us.is_(None), a.tried_us < tried_before_us))
        .order_by(a.terminal_id, a.epoch, a.sequence)
        .limit(limit)
    )
    if terminal is not None:
        query = query.where(a.terminal_id == terminal)
    rows = connection.execute(query).all()
    found = (_advice(digest, TerminalId(terminal), record) for digest, terminal, record in rows)
    return tuple(advice for advice in found if advice is not None)


def _advice(digest: bytes, terminal: TerminalId, record: bytes) -> WaitingAdvice | None:
    try:
        signed = decode(record).advice_signed
    except RecordError:
        return None
    return WaitingAdvice(digest, terminal, signed.content, signed.signature)


def note_tries(connection: Connection, hashes: Iterable[bytes], now_us: int) -> None:
    """They were tried now, and not taken."""
    query = update(journal_advices).where(journal_advices.c.advice_hash.in_(list(hashes)))
    connection.execute(query.values(tried_us=now_us))
