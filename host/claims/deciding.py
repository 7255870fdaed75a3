"""What two operators decide about a claim in doubt: one proposes, another confirms, and only then it is booked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from guichet.ids import TerminalId, short
from guichet.seams import Domain, Signer
from host.claims.books import Boxes, boxes_of
from host.claims.box import BoxNote, NoteKey, Standing, resting_place, waiting
from host.claims.counting import look_again
from host.claims.records import Decision, Proposal
from host.claims.schema import claim_confirmations, claim_proposals, claims
from host.ledger.kinds import ClaimReason, Outcome
from host.ledger.resolving import Resolved, Resolver, Ruling
from host.ledger.schema import note_outcomes

DECIDABLE = (Outcome.CREDITED, Outcome.NOT_FOUND)
_MAX_REASON = 400


class DecisionError(ValueError):
    """What cannot be decided, or not by this operator; the text says why. Nothing is kept of it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an operator, who has shown to be one, wants to become of a claim."""

    claim_number: str
    outcome: Outcome
    reason: str
    operator: str


@dataclass(frozen=True, slots=True)
class Decided:
    """What a wish led to: a proposal that waits for another operator, or a confirmed decision that is booked. ``also``:
    the claims that the count of a box covers all of, now that this one is decided.
    """

    proposal: Proposal
    resolved: Resolved | None
    also: tuple[Resolved, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenProposal:
    """The proposal of a claim that stands and that nobody has confirmed."""

    number: int
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class _Doubt:
    key: NoteKey
    lies_in: str


def decide_claim(connection: Connection, wish: Wish, signer: Signer, resolver: Resolver, now_us: int) -> Decided:
    """Propose, or confirm what another operator proposed, in the caller's transaction. A wish for something else than
    was proposed is a new proposal, which stands from then on. Raises :class:`DecisionError`.
    """
    if wish.outcome not in DECIDABLE:
        raise DecisionError(f"{wish.outcome.value} is nothing that persons decide")
    if not wish.reason.strip() or len(wish.reason) > _MAX_REASON or not wish.reason.isprintable():
        raise DecisionError(f"a reason has 1 to {_MAX_REASON} printable characters")
    doubt = _doubt(connection, wish)
    there = standing_proposal(connection, wish.claim_number)
    if there is None or there.proposal.outcome is not wish.outcome:
        return Decided(_propose(connection, wish, signer, now_us), None)
    if there.proposal.proposed_by == wish.operator:
        raise DecisionError(f"{wish.operator} proposed this: another operator must confirm it")
    decision = _confirm(connection, there, wish, now_us)
    (resolved,) = resolver.resolve(connection, [Ruling(doubt.key, wish.outcome, doubt.lies_in, decision=decision)])
    return Decided(there.proposal, resolved, look_again(connection, TerminalId(doubt.key.terminal_id), resolver))


def standing_proposal(connection: Connection, claim_number: str) -> OpenProposal | None:
    """The last proposal about a claim, unless it is confirmed."""
    return standing_proposals(connection, [claim_number]).get(claim_number)


def standing_proposals(connection: Connection, claim_numbers: Collection[str]) -> dict[str, OpenProposal]:
    """Those of several claims, by their numbers."""
    c = claim_proposals.c
    query = select(claim_proposals, claim_confirmations.c.confirmed_by)
    query = query.outerjoin(claim_confirmations, claim_confirmations.c.proposal_no == c.proposal_no)
    standing: dict[str, OpenProposal] = {}
    for row in connection.execute(query.where(c.claim_number.in_(claim_numbers)).order_by(c.proposal_no)):
        standing.pop(row.claim_number, None)
        if row.confirmed_by is None:
            proposal = Proposal(row.claim_number, row.outcome, row.reason, row.proposed_by, row.proposed_at_us)
            standing[row.claim_number] = OpenProposal(row.proposal_no, proposal)
    return standing


def _doubt(connection: Connection, wish: Wish) -> _Doubt:
    """The note of an open claim in doubt, and in whose box it lies if it is credited."""
    row = connection.execute(select(claims).where(claims.c.claim_number == wish.claim_number)).first()
    if row is None:
        raise DecisionError(f"there is no claim {wish.claim_number}")
    if row.closed_at_us is not None:
        raise DecisionError(f"claim {wish.claim_number} is closed")
    if row.reason is not ClaimReason.IN_DOUBT:
        raise DecisionError(f"claim {wish.claim_number} is not in doubt: its note is in the box ({row.reason.value})")
    key = NoteKey(row.terminal_id, row.deposit_id, row.note_id)
    boxes = boxes_of(connection, TerminalId(row.terminal_id))
    note = next((note for note in boxes.notes if note.key == key and note.standing is Standing.IN_DOUBT), None)
    if note is None:
        text = f"the journal of {row.terminal_id} has decided about this note by itself: wait for its settlement"
        raise DecisionError(f"claim {wish.claim_number}: {text}")
    _check_ended(note, boxes)
    _check_settled(note, boxes)
    own = _own_period(connection, key)
    return _Doubt(key, own if wish.outcome is not Outcome.CREDITED else _room(note, own, boxes))


def _check_ended(note: BoxNote, boxes: Boxes) -> None:
    """As long as a box is in, what lies in it can neither be counted nor be looked at."""
    found = boxes.periods.found
    if still := sorted(name for name in note.periods if name in found and found[name].ended_at_us is None):
        where = ", ".join(short(period) for period in still)
        text = f"box period {where} has not ended: its box is in, or the journal that says otherwise has not come yet"
        raise DecisionError(f"{text}; decide once it is out")


def _check_settled(note: BoxNote, boxes: Boxes) -> None:
    """Nothing is decided beside a note that is not settled: what is over, or missing, may be its piece."""
    if periods := waiting(note, boxes.notes):
        where = ", ".join(short(period) for period in periods)
        text = f"the journal has another note of {note.value} in box period {where} that the books do not have yet"
        raise DecisionError(f"{text}: wait for its settlement")


def _own_period(connection: Connection, key: NoteKey) -> str:
    c = note_outcomes.c
    first = (c.terminal_id == key.terminal_id, c.deposit_id == key.deposit_id, c.note_id == key.note_id)
    return connection.execute(select(c.box_period_id).where(*first, c.outcome_number == 1)).scalar_one()


def _room(note: BoxNote, own: str, boxes: Boxes) -> str:
    """A note that is not in the box is never credited: where every box that it can lie in was counted, one of them must
    have a piece that the books do not account for.
    """
    place = resting_place(note, own, boxes.pieces(), boxes.notes)
    if place is None:
        counted = ", ".join(short(period) for period in sorted(note.periods))
        raise DecisionError(f"no piece of {note.value} is over in the count of box period {counted}: it is not there")
    return place


def _propose(connection: Connection, wish: Wish, signer: Signer, now_us: int) -> Proposal:
    proposal = Proposal(wish.claim_number, wish.outcome, wish.reason, wish.operator, now_us)
    values = {
        "claim_number": proposal.claim_number,
        "outcome": proposal.outcome,
        "reason": proposal.reason,
        "proposed_by": proposal.proposed_by,
        "proposed_at_us": proposal.proposed_at_us,
        "signature": signer.sign(Domain.CLAIM_PROPOSAL, proposal.content()),
    }
    connection.execute(insert(claim_proposals).values(values))
    return proposal


def _confirm(connection: Connection, there: OpenProposal, wish: Wish, now_us: int) -> Decision:
    values = {
        "proposal_no": there.number,
        "reason": wish.reason,
        "confirmed_by": wish.operator,
        "confirmed_at_us": now_us,
    }
    connection.execute(insert(claim_confirmations).values(values))
    return Decision(there.number, there.proposal, wish.reason, wish.operator, now_us)
