"""Entering the count of a box: it is kept, it closes what it covers, and what needs a person becomes an incident."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from sqlalchemy import Connection, select

from guichet.ids import TerminalId, short
from guichet.money import Money
from guichet.seams import Signer
from host.claims.books import Boxes, boxes_of
from host.claims.box import Credit, Line, Obstacle, Pieces, Verdict, after, decide, judge
from host.claims.counts import keep_count
from host.claims.records import BoxCount
from host.fleet.incidents import Incident, open_incidents
from host.fleet.schema import terminals
from host.ledger.kinds import Outcome
from host.ledger.resolving import Resolved, Resolver, Ruling

_MAX_NAME = 64
_MAX_PIECES = 1_000_000


class CountError(ValueError):
    """A count that cannot be taken; the text says why. Nothing of it is kept."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What somebody counted. ``box_period_id`` may be its last eight characters. What ``pieces`` does not name was not
    there. ``witness`` is empty where nobody else was there.
    """

    terminal_id: TerminalId
    box_period_id: str
    pieces: Mapping[Money, int]
    counted_by: str
    witness: str = ""


@dataclass(frozen=True, slots=True)
class CountPlan:
    """What a count would do. ``fresh``: it says something else than the last count of its period, if there is one.
    ``rulings`` are what it decides, also about a neighbouring period that it made decidable. ``lines`` are as they
    stand afterwards.
    """

    count: BoxCount
    fresh: bool
    before: BoxCount | None
    credits: tuple[Credit, ...]
    rulings: tuple[Ruling, ...]
    lines: tuple[Line, ...]


def plan_count(connection: Connection, counted: Counted, now_us: int) -> CountPlan:
    """Work out what a count would do; writes nothing. Raises :class:`CountError`."""
    _check(connection, counted)
    boxes = boxes_of(connection, counted.terminal_id)
    period = ended_period(boxes, counted.terminal_id, counted.box_period_id)
    before = boxes.counts.get(period)
    pieces = Pieces(period, boxes.periods.ordinal(period), counted.pieces)
    fresh = before is None or before.pieces != {value: count for value, count in counted.pieces.items() if count}
    hindrances = boxes.hindrances(pieces if fresh else None)
    count = before
    if count is None or fresh:
        number = before.number + 1 if before is not None else 1
        lines = judge(pieces, boxes.notes, hindrances)
        count = BoxCount(counted.terminal_id, period, number, counted.counted_by, counted.witness, now_us, lines)
    others = tuple(other for other in boxes.pieces() if other.box_period_id != period)
    credits = decide((*others, pieces), boxes.notes, hindrances)
    rulings = _rulings(credits, {**boxes.counts, period: count})
    return CountPlan(count, fresh, before, credits, rulings, judge(pieces, after(credits, boxes.notes), hindrances))


def _rulings(credits: Iterable[Credit], counts: Mapping[str, BoxCount]) -> tuple[Ruling, ...]:
    return tuple(
        Ruling(credit.key, Outcome.CREDITED, credit.box_period_id, count_number=counts[credit.box_period_id].number)
        for credit in credits
    )


def enter_count(
    connection: Connection, counted: Counted, signer: Signer, resolver: Resolver, now_us: int
) -> tuple[CountPlan, tuple[Resolved, ...]]:
    """Keep a count and book what it decides, in the caller's transaction. Raises :class:`CountError`.

    The same pieces again are the same count; it is looked at anew, which matters where it waited for settlement.
    """
    made = plan_count(connection, counted, now_us)
    if made.fresh:
        keep_count(connection, made.count, signer)
        open_incidents(connection, tuple(_recounted(made)), now_us)
    resolved = resolver.resolve(connection, made.rulings)
    open_incidents(connection, tuple(_incidents(made)), now_us)
    return made, resolved


def look_again(connection: Connection, terminal: TerminalId, resolver: Resolver) -> tuple[Resolved, ...]:
    """Book what the counts of a terminal's boxes decide now that something else about its notes was decided."""
    boxes = boxes_of(connection, terminal)
    credits = decide(boxes.pieces(), boxes.notes, boxes.hindrances())
    return resolver.resolve(connection, _rulings(credits, boxes.counts))


def ended_period(boxes: Boxes, terminal: str, name: str) -> str:
    """The full id of the ended period that ``name``, or its last eight characters, means. Raises CountError."""
    found = [period for period in boxes.periods.found if name == period or name.upper() == short(period)]
    if not found:
        raise CountError(f"the journal of {terminal} has no box period {name}; see: guichet-host operator periods")
    if len(found) > 1:
        raise CountError(f"{len(found)} box periods of {terminal} end in {name}: give the whole id")
    if boxes.periods.found[found[0]].ended_at_us is None:
        raise CountError(
            f"box period {short(found[0])} of {terminal} has not ended: its box is in, or the journal that says "
            "otherwise has not come yet"
        )
    return found[0]


def _check(connection: Connection, counted: Counted) -> None:
    if (
        connection.execute(select(terminals.c.ledger).where(terminals.c.terminal_id == counted.terminal_id)).first()
        is None
    ):
        raise CountError(f"no terminal {counted.terminal_id} has enrolled here")
    for name, what in ((counted.counted_by, "who counted"), (counted.witness or "-", "the witness")):
        if not name.strip() or len(name) > _MAX_NAME or not name.isprintable():
            raise CountError(f"{what}: a name has 1 to {_MAX_NAME} printable characters")
    if counted.counted_by.strip().casefold() == counted.witness.strip().casefold():
        raise CountError("the witness is somebody else than who counted")
    for value, count in counted.pieces.items():
        if value.minor <= 0 or not 0 <= count <= _MAX_PIECES:
            raise CountError(f"{count} pieces of {value}: a count has 0 to {_MAX_PIECES} pieces of a value above zero")


# --- what a person should look at -------------------------------------------------------------------------------------


def _recounted(made: CountPlan) -> Iterator[Incident]:
    before, count = made.before, made.count
    if before is None:
        return
    values = sorted(before.pieces.keys() | count.pieces.keys(), key=lambda value: (value.currency.code, value.minor))
    changes = ", ".join(
        f"{value}: {before.pieces.get(value, 0)} then {count.pieces.get(value, 0)}"
        for value in values
        if before.pieces.get(value, 0) != count.pieces.get(value, 0)
    )
    text = f"count {count.number} of this period differs from count {before.number}; both are kept. {changes}"
    yield _incident("box-recounted", count, text, "")


def _incidents(made: CountPlan) -> Iterator[Incident]:
    for line in made.lines:
        code, text = _said(line)
        if code:
            yield _incident(code, made.count, text, str(line.value))


def _said(line: Line) -> tuple[str, str]:
    """Code and text for a line as it stands once everything that could be decided is; empty where nothing is left."""
    found = f"{line.pieces} x {line.value} counted, {line.certain} in the books"
    why = "" if line.obstacle is None else f"; {_WHY[line.obstacle]}"
    match line.verdict:
        case Verdict.EXACT | Verdict.COVERED:
            return "", ""
        case Verdict.OVER:
            return "box-over", f"{found}: {line.over} more than anybody claims; nothing is booked for them{why}"
        case Verdict.SHORT:
            return "box-short", f"{found}: {-line.over} missing; no claim is closed by it{why}"
        case Verdict.NOT_ALL | Verdict.NOTHING_OVER:
            text = f"{found}, {line.in_doubt} in doubt: two operators must decide the claims{why}"
            return "claims-not-covered", text
        case Verdict.PERSONS:
            return "count-undecided", f"{found}, {line.in_doubt} in doubt: persons decide{why}"
        case Verdict.WAITING:
            text = f"{found}, {line.unsettled} not settled as the journal has them: enter this count again afterwards"
            return "count-waits", text
        case _:
            assert_never(line.verdict)


_WHY = {
    Obstacle.CONFLICT: "terminal and books differ about a note, see the incident settlement-conflict",
    Obstacle.NO_EXCHANGE: "between this period and the next to it no box was seen to leave: one box may have the notes "
    "of both",
    Obstacle.ANOTHER_BOX: "a note that the books have in this box, or in the next to it, may lie in the other",
    Obstacle.UNKNOWN_FIND: "a note of unknown value was found, and may be one of these",
    Obstacle.RECOUNT: "an earlier count of this box has fewer",
}


def _incident(code: str, count: BoxCount, text: str, about: str) -> Incident:
    occasion = f"{count.box_period_id}/{count.number}/{about}"
    return Incident(code, count.terminal_id, f"period {count.box_period_id}", text, occasion)
