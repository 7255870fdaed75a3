"""Claims, counts and box periods at a glance: what the command line and the operations page show of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import ColumnElement, Connection, select, tuple_

from guichet.ids import TerminalId, short
from guichet.money import Money
from host.claims.books import boxes_of
from host.claims.box import Line, Pieces, judge
from host.claims.counts import KeptCount, kept_counts
from host.claims.deciding import OpenProposal, standing_proposals
from host.claims.periods import BoxPeriod
from host.claims.records import BoxCount
from host.claims.schema import box_counts, claim_confirmations, claim_proposals, claims
from host.journal.records import epochs_held
from host.ledger.kinds import Booking, ClaimReason, Ledger, Outcome
from host.ledger.reading import KeptOutcome, kept_outcomes, of_deposits
from host.ledger.schema import accounts, note_outcomes, resolutions
from host.readable import masked


class Source(Enum):
    """Who gave a note an outcome."""

    TERMINAL = "terminal"
    COUNT = "count"
    OPERATORS = "two operators"


class ClaimState(Enum):
    """Where a claim stands. SUSPENSE: the note is in the box and not on an account; what is closed says how."""

    OPEN = "open"
    PROPOSED = "proposed"
    SUSPENSE = "in suspense"
    CREDITED = "credited"
    RETURNED = "returned"
    NOT_FOUND = "not found"


@dataclass(frozen=True, slots=True)
class ClaimOutcome:
    """One numbered outcome of a claim's note. ``said``: which count it was, or who decided."""

    number: int
    outcome: Outcome
    booking: Booking
    booked_on: str
    source: Source
    said: str


@dataclass(frozen=True, slots=True)
class ClaimView:
    """A claim with the story of its note. ``box_period_id``: in whose box the note lies, or is thought to."""

    claim_number: str
    terminal_id: str
    deposit_id: str
    note_id: str
    ledger: Ledger
    reason: ClaimReason
    value: Money
    account: str
    box_period_id: str
    opened_at_us: int
    closed_at_us: int | None
    outcomes: tuple[ClaimOutcome, ...]
    proposal: OpenProposal | None

    @property
    def state(self) -> ClaimState:
        """Where it stands."""
        last = self.outcomes[-1]
        if self.closed_at_us is None:
            if last.booking is Booking.SUSPENSE:
                return ClaimState.SUSPENSE
            return ClaimState.OPEN if self.proposal is None else ClaimState.PROPOSED
        if last.outcome is Outcome.NOT_FOUND:
            return ClaimState.NOT_FOUND
        return ClaimState.CREDITED if last.booking is Booking.CUSTOMER else ClaimState.RETURNED


@dataclass(frozen=True, slots=True)
class PeriodView:
    """A box period of a terminal, with the notes of the books, and its last count beside them where there is one."""

    terminal_id: str
    period: BoxPeriod
    count: BoxCount | None
    lines: tuple[Line, ...]


def list_periods(connection: Connection, terminal: str | None = None) -> tuple[PeriodView, ...]:
    """The periods of every terminal, or of one, in order. Reads whole journals."""
    names = dict.fromkeys(name for name, _ in epochs_held(connection) if terminal is None or name == terminal)
    return tuple(view for name in names for view in _periods_of(connection, name))


def _periods_of(connection: Connection, terminal: TerminalId) -> Iterable[PeriodView]:
    boxes = boxes_of(connection, terminal)
    hindrances = boxes.hindrances()
    for ordinal, (name, period) in enumerate(boxes.periods.found.items()):
        count = boxes.counts.get(name)
        pieces = count.as_pieces(ordinal) if count is not None else Pieces(name, ordinal, {})
        yield PeriodView(terminal, period, count, judge(pieces, boxes.notes, hindrances))


def list_counts(connection: Connection, limit: int = 20) -> tuple[KeptCount, ...]:
    """The newest counts first."""
    c = box_counts.c
    newest = select(c.terminal_id, c.box_period_id, c.count_number).order_by(c.counted_at_us.desc()).limit(limit)
    keys = [tuple(row) for row in connection.execute(newest)]
    kept = kept_counts(connection, tuple_(c.terminal_id, c.box_period_id, c.count_number).in_(keys))
    return tuple(sorted(kept, key=lambda one: (one.count.counted_at_us, one.count.number), reverse=True))


def list_claims(connection: Connection, *, closed: bool = False, limit: int = 200) -> tuple[ClaimView, ...]:
    """The open claims, oldest first; or those that were closed last, newest first."""
    c = claims.c
    if closed:
        return _views(connection, c.closed_at_us.is_not(None), c.closed_at_us.desc(), limit)
    return _views(connection, c.closed_at_us.is_(None), c.opened_at_us.asc(), limit)


def find_claims(connection: Connection, name: str) -> tuple[ClaimView, ...]:
    """The claim of this number, or the claims of the deposit whose id, or the last eight characters of it, this is: a
    provisional receipt has no other number.
    """
    c = claims.c
    found = _views(connection, c.claim_number == name.upper(), c.claim_number.asc(), 1)
    if found or len(name) < len(short(name)):
        return found
    return _views(connection, c.deposit_id.endswith(name.lower(), autoescape=True), c.claim_number.asc(), 200)


def _views(
    connection: Connection,
    where: ColumnElement[bool],
    order: ColumnElement[int] | ColumnElement[int | None] | ColumnElement[str],
    limit: int,
) -> tuple[ClaimView, ...]:
    rows = connection.execute(select(claims).where(where).order_by(order, claims.c.claim_number).limit(limit)).all()
    c = note_outcomes.c
    stories: dict[tuple[str, str, str], list[KeptOutcome]] = {}
    deposits = {(row.terminal_id, row.deposit_id) for row in rows}
    for kept in kept_outcomes(connection, of_deposits(c.terminal_id, c.deposit_id, deposits)):
        stories.setdefault((*kept.deposit, kept.settled.note.note_id), []).append(kept)
    named = select(accounts.c.account_id, accounts.c.number).where(
        accounts.c.account_id.in_({row.account_id for row in rows})
    )
    numbers = {row.account_id: row.number for row in connection.execute(named)}
    proposals = standing_proposals(connection, [row.claim_number for row in rows if row.closed_at_us is None])
    why = _why(connection, [kept.resolution_no for story in stories.values() for kept in story])
    return tuple(
        ClaimView(
            claim_number=row.claim_number,
            terminal_id=row.terminal_id,
            deposit_id=row.deposit_id,
            note_id=row.note_id,
            ledger=row.ledger,
            reason=row.reason,
            value=story[0].settled.note.value,
            account=masked(number) if (number := numbers.get(row.account_id, "")) else "unknown",
            box_period_id=story[-1].lies_in,
            opened_at_us=row.opened_at_us,
            closed_at_us=row.closed_at_us,
            outcomes=_outcomes(story, why),
            proposal=proposals.get(row.claim_number),
        )
        for row in rows
        if (story := stories.get((row.terminal_id, row.deposit_id, row.note_id)))
    )


def _outcomes(story: Sequence[KeptOutcome], why: dict[int | None, tuple[Source, str]]) -> tuple[ClaimOutcome, ...]:
    return tuple(
        ClaimOutcome(
            kept.settled.note.outcome_number,
            kept.settled.note.outcome,
            kept.settled.booking,
            kept.settled.booked_on.isoformat(),
            *why.get(kept.resolution_no, (Source.TERMINAL, kept.terminal_id)),
        )
        for kept in story
    )


def _why(connection: Connection, numbers: Collection[int | None]) -> dict[int | None, tuple[Source, str]]:
    """For each resolution its source, and which count it was or who decided."""
    r, p, f = resolutions.c, claim_proposals.c, claim_confirmations.c
    query = select(r.resolution_no, r.box_period_id, r.count_number, p.proposed_by, f.confirmed_by)
    query = query.outerjoin_from(resolutions, claim_proposals, p.proposal_no == r.proposal_no)
    query = query.outerjoin(claim_confirmations, f.proposal_no == r.proposal_no)
    wanted = [number for number in numbers if number is not None]
    said: dict[int | None, tuple[Source, str]] = {}
    for number, period, count, proposed_by, confirmed_by in connection.execute(
        query.where(r.resolution_no.in_(wanted))
    ):
        if count is not None:
            said[number] = (Source.COUNT, f"number {count} of box period {short(period)}")
        else:
            said[number] = (Source.OPERATORS, f"{proposed_by} and {confirmed_by}")
    return said
