"""Counts as they are kept: written once, read back with their signatures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, insert, select, true

from guichet.money import Currency, Money
from guichet.seams import Domain, Signer
from host.claims.box import Line, Verdict
from host.claims.records import BoxCount
from host.claims.schema import box_count_lines, box_counts


@dataclass(frozen=True, slots=True)
class KeptCount:
    """A count with the host's signature. ``verdicts``: what was concluded when it was kept, a word a line."""

    count: BoxCount
    verdicts: tuple[Verdict, ...]
    signature: bytes


def kept_counts(connection: Connection, where: ColumnElement[bool] | None = None) -> Iterator[KeptCount]:
    """Counts in the order of terminal, period and number; ``where``, about box_counts, narrows them."""
    c, n = box_counts.c, box_count_lines.c
    narrowed = true() if where is None else where
    lines: dict[tuple[str, str, int], list[tuple[Line, Verdict]]] = {}
    same = (n.terminal_id == c.terminal_id, n.box_period_id == c.box_period_id, n.count_number == c.count_number)
    query = select(box_count_lines).join_from(box_count_lines, box_counts, same[0] & same[1] & same[2])
    for row in connection.execute(query.where(narrowed).order_by(n.currency, n.value_minor)):
        value = Money(row.value_minor, Currency(row.currency))
        books = (row.credited, row.found, row.withheld, row.in_doubt, row.unsettled)
        line = Line(value, row.pieces, *books, obstacle=row.obstacle)
        lines.setdefault((row.terminal_id, row.box_period_id, row.count_number), []).append((line, row.verdict))
    ordered = select(box_counts).where(narrowed).order_by(c.terminal_id, c.box_period_id, c.count_number)
    for row in connection.execute(ordered):
        of_it = lines.get((row.terminal_id, row.box_period_id, row.count_number), [])
        count = BoxCount(
            row.terminal_id, row.box_period_id, row.count_number, row.counted_by, row.witness, row.counted_at_us,
            tuple(line for line, _ in of_it),
        )  # fmt: skip
        yield KeptCount(count, tuple(verdict for _, verdict in of_it), row.signature)


def counts_of(connection: Connection, terminal: str) -> dict[str, tuple[BoxCount, ...]]:
    """The counts of each period of a terminal that was counted, in order."""
    counts: dict[str, tuple[BoxCount, ...]] = {}
    for one in kept_counts(connection, box_counts.c.terminal_id == terminal):
        counts[one.count.box_period_id] = (*counts.get(one.count.box_period_id, ()), one.count)
    return counts


def keep_count(connection: Connection, count: BoxCount, signer: Signer) -> None:
    """Keep a count for ever."""
    key = {
        "terminal_id": count.terminal_id, "box_period_id": count.box_period_id, "count_number": count.number,
    }  # fmt: skip
    said = {"counted_by": count.counted_by, "witness": count.witness, "counted_at_us": count.counted_at_us}
    signature = signer.sign(Domain.BOX_COUNT, count.content())
    connection.execute(insert(box_counts).values({**key, **said, "signature": signature}))
    rows = [
        {
            **key,
            "currency": line.value.currency.code,
            "value_minor": line.value.minor,
            "pieces": line.pieces,
            "credited": line.credited,
            "found": line.found,
            "withheld": line.withheld,
            "in_doubt": line.in_doubt,
            "unsettled": line.unsettled,
            "verdict": line.verdict,
            "obstacle": line.obstacle,
        }
        for line in count.lines
    ]
    if rows:
        connection.execute(insert(box_count_lines), rows)
