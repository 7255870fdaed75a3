"""Checking counts, proposals and resolutions from the ground: signatures, what each rests on, and what it made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sqlalchemy import Connection, select

from guichet.ids import TerminalId
from guichet.money import Currency, Money
from guichet.seams import Domain
from guichet.signing import BadSignature, verify
from host.claims.books import Boxes, boxes_of
from host.claims.box import NoteKey, Obstacle, Standing, judge, recounted
from host.claims.counts import KeptCount, kept_counts
from host.claims.numbers import claim_number
from host.claims.records import BoxCount, Decision, Proposal, Resolution, Subject
from host.claims.schema import claim_confirmations, claim_proposals
from host.console.schema import operators
from host.ledger.booking import Settled, before
from host.ledger.evidence import Finding
from host.ledger.kinds import IN_BOX, Outcome
from host.ledger.reading import KeptOutcome, by_deposit
from host.ledger.schema import advices, resolutions

CountKey: TypeAlias = tuple[str, str, int]
"""Terminal, period and number of a count."""


@dataclass(frozen=True, slots=True)
class KeptResolution:
    """A resolution with its number and the host's signature."""

    number: int
    resolution: Resolution
    signature: bytes

    @property
    def subject(self) -> str:
        """What a finding calls it."""
        return f"resolution {self.number} of note {self.resolution.key.note_id}"


def counts_stand(connection: Connection, host_key: bytes) -> Iterator[Finding]:
    """Each count is the host's, of a period that its terminal's journal has, and none of a period is missing."""
    expected: dict[tuple[str, str], int] = {}
    periods: dict[str, frozenset[str]] = {}
    for kept in kept_counts(connection):
        count, subject = kept.count, _name(kept)
        if not _signed(host_key, Domain.BOX_COUNT, count.content(), kept.signature):
            yield Finding("count", subject, "is not as the host signed it")
        if kept.verdicts != tuple(line.verdict for line in count.lines):
            yield Finding("count", subject, "concludes otherwise than its own figures do")
        number = expected.get((count.terminal_id, count.box_period_id), 0) + 1
        expected[count.terminal_id, count.box_period_id] = count.number
        if count.number != number:
            yield Finding("count", subject, f"count {number} of this period is not there")
        if count.terminal_id not in periods:
            boxes = boxes_of(connection, TerminalId(count.terminal_id))
            periods[count.terminal_id] = frozenset(boxes.periods.found)
        if count.box_period_id not in periods[count.terminal_id]:
            yield Finding("count", subject, "is of a period that the journal does not have")


def proposals_stand(connection: Connection, host_key: bytes) -> Iterator[Finding]:
    """Each proposal is as the host signed it."""
    for row in connection.execute(select(claim_proposals)):
        proposal = Proposal(row.claim_number, row.outcome, row.reason, row.proposed_by, row.proposed_at_us)
        if not _signed(host_key, Domain.CLAIM_PROPOSAL, proposal.content(), row.signature):
            yield Finding("decision", f"proposal {row.proposal_no}", "is not as the host signed it")


def resolutions_stand(connection: Connection, host_key: bytes, kept: Sequence[KeptOutcome]) -> Iterator[Finding]:
    """Each resolution is the host's, follows a doubt, made exactly the outcome that it says, and rests on a count that
    covers all it closed or on two operators.
    """
    made = {outcome.resolution_no: outcome for outcome in kept if outcome.resolution_no is not None}
    known, names = by_deposit(kept), frozenset(connection.execute(select(operators.c.name)).scalars())
    there = list(_resolutions(connection))
    for one in there:
        if not _signed(host_key, Domain.CLAIM_RESOLUTION, one.resolution.content(), one.signature):
            yield Finding("resolution", one.subject, "is not as the host signed it")
        outcome = made.get(one.number)
        if outcome is None or not _is_of(outcome, one.resolution):
            yield Finding("resolution", one.subject, "is not what was booked")
            continue
        doubt = before(outcome.settled, known[outcome.deposit])
        if doubt is None or doubt.note.outcome is not Outcome.IN_DOUBT:
            yield Finding("resolution", one.subject, "follows no doubt")
        elif not _same_subject(doubt, outcome.settled, one.resolution.subject):
            yield Finding("resolution", one.subject, "is of another account, value, box or device than the doubt")
        yield from _four_eyes(one, names)
    for number in made.keys() - {one.number for one in there}:
        yield Finding("resolution", f"note {made[number].settled.note.note_id}", f"resolution {number} is not there")
    yield from _rest_on_counts(connection, there, made)
    yield from _within_counts(connection, there, kept)


def _resolutions(connection: Connection) -> Iterator[KeptResolution]:
    query = select(resolutions, claim_proposals, claim_confirmations)
    query = query.outerjoin_from(
        resolutions, claim_proposals, claim_proposals.c.proposal_no == resolutions.c.proposal_no
    )
    query = query.outerjoin(claim_confirmations, claim_confirmations.c.proposal_no == resolutions.c.proposal_no)
    r, p, f = resolutions.c, claim_proposals.c, claim_confirmations.c
    for said in connection.execute(query.order_by(r.resolution_no)).mappings():  # names stand in several tables
        decision = None
        if said[r.proposal_no] is not None:
            proposal = Proposal(
                said[p.claim_number], said[p.outcome], said[p.reason], said[p.proposed_by], said[p.proposed_at_us]
            )
            decision = Decision(
                said[r.proposal_no], proposal, said[f.reason], said[f.confirmed_by], said[f.confirmed_at_us]
            )
        resolution = Resolution(
            NoteKey(said[r.terminal_id], said[r.deposit_id], said[r.note_id]), said[r.outcome_number], said[r.outcome],
            said[r.box_period_id], said[r.count_number], decision, said[r.resolved_at_us],
            _subject(said[r.account_id], said[r.currency], said[r.value_minor]),
        )  # fmt: skip
        yield KeptResolution(said[r.resolution_no], resolution, said[r.signature])


def _subject(account: str | None, currency: str | None, minor: int | None) -> Subject | None:
    if account is None or currency is None or minor is None:
        return None
    return Subject(account, Money(minor, Currency(currency)))


def _is_of(outcome: KeptOutcome, resolution: Resolution) -> bool:
    note = outcome.settled.note
    booked = (NoteKey(outcome.terminal_id, outcome.deposit_id, note.note_id), note.outcome_number, note.outcome)
    return outcome.advice_hash is None and booked == (resolution.key, resolution.outcome_number, resolution.outcome)


def _same_subject(doubt: Settled, settled: Settled, subject: Subject | None) -> bool:
    """Whether a resolution left the note with whom and where the doubt had it. What names no subject is judged by what
    it made.
    """
    place = (doubt.account_id, doubt.note.value, doubt.box_period_id, doubt.device_serial)
    made = (settled.account_id, settled.note.value, settled.box_period_id, settled.device_serial)
    return made == place and subject in (None, Subject(doubt.account_id, doubt.note.value))


def _four_eyes(one: KeptResolution, names: frozenset[str]) -> Iterator[Finding]:
    resolution, decision = one.resolution, one.resolution.decision
    if decision is None:
        return
    proposal, key = decision.proposal, resolution.key
    who = {proposal.proposed_by, decision.confirmed_by}
    if len(who) < 2 or not who <= names:
        yield Finding("resolution", one.subject, "was not decided by two operators")
    number = claim_number(key.terminal_id, key.deposit_id, key.note_id)
    if (proposal.claim_number, proposal.outcome) != (number, resolution.outcome):
        yield Finding("resolution", one.subject, "is not what was proposed and confirmed")


# --- counts -----------------------------------------------------------------------------------------------------------


def _rest_on_counts(
    connection: Connection, there: Sequence[KeptResolution], made: Mapping[int, KeptOutcome]
) -> Iterator[Finding]:
    """What a count closed, worked out anew from books and journal: the box holds all of it, and all was closed."""
    counts: dict[CountKey, BoxCount] = {
        (kept.count.terminal_id, kept.count.box_period_id, kept.count.number): kept.count
        for kept in kept_counts(connection)
    }
    boxes: dict[str, Boxes] = {}
    closed: dict[tuple[CountKey, Money], list[KeptResolution]] = {}
    for one in there:
        resolution, outcome = one.resolution, made.get(one.number)
        if resolution.count_number is None or outcome is None:
            continue
        terminal = resolution.key.terminal_id
        if terminal not in boxes:
            boxes[terminal] = boxes_of(connection, TerminalId(terminal))
        own = outcome.settled.box_period_id
        candidates = boxes[terminal].periods.candidates(resolution.key.note_id, own)
        if resolution.outcome is not Outcome.CREDITED or resolution.box_period_id not in candidates:
            yield Finding("resolution", one.subject, "is nothing that this count can decide")
        key = (terminal, resolution.box_period_id, resolution.count_number)
        closed.setdefault((key, outcome.settled.note.value), []).append(one)
    for (key, value), resolved in closed.items():
        yield from _covered(counts.get(key), value, boxes[key[0]], resolved[0].subject)
        yield from _unhindered(key, value, boxes[key[0]], resolved[0].subject)


def _covered(count: BoxCount | None, value: Money, boxes: Boxes, subject: str) -> Iterator[Finding]:
    if count is None:
        yield Finding("resolution", subject, "rests on a count that is not there")
        return
    for line in judge(count.as_pieces(0), boxes.notes):
        if line.value == value and line.certain > line.pieces:
            text = f"{line.pieces} x {value} were counted, {line.certain} are credited, found or withheld"
            yield Finding("resolution", subject, text)
    for note in boxes.notes:
        candidate = count.box_period_id in note.periods and note.value == value
        if candidate and note.standing is Standing.IN_DOUBT:
            yield Finding(
                "resolution", subject, f"note {note.key.note_id} has the same claim on this count, and is open"
            )


def _unhindered(key: CountKey, value: Money, boxes: Boxes, subject: str) -> Iterator[Finding]:
    """A count with an obstacle closes nothing. What a terminal said otherwise may have come after the count."""
    _, period, number = key
    counts = [count.as_pieces(0) for count in boxes.counted.get(period, ()) if count.number <= number]
    told = (one for one in boxes.told if one.obstacle is not Obstacle.CONFLICT)
    for one in (*told, *recounted(counts)):
        if one.about(period, value):
            yield Finding("resolution", subject, f"was for persons to decide: {one.obstacle.value}")


def _within_counts(
    connection: Connection, there: Sequence[KeptResolution], kept: Sequence[KeptOutcome]
) -> Iterator[Finding]:
    """No decision credited more than had been counted before it. What a terminal said of a doubt of its own, or what
    was resolved, only afterwards is not held against it.
    """
    rows = connection.execute(select(advices.c.advice_hash, advices.c.received_at_us))
    received = {row.advice_hash: row.received_at_us for row in rows}
    counts = [one.count for one in kept_counts(connection)]
    values = {one.resolution_no: one.settled.note.value for one in kept}
    for one in there:
        said, value = one.resolution, values.get(one.number)
        if said.decision is None or said.outcome is not Outcome.CREDITED or value is None:
            continue
        count = _counted_before(counts, said)
        if count is None:
            continue
        known = (outcome for outcome in kept if not _came_later(outcome, one, received))
        certain = len([outcome for outcome in _in_box(known, count) if outcome.settled.note.value == value])
        if certain > count.pieces.get(value, 0):
            text = f"{count.pieces.get(value, 0)} x {value} were counted, {certain} are credited, found or withheld"
            yield Finding("resolution", one.subject, text)


def _counted_before(counts: Iterable[BoxCount], said: Resolution) -> BoxCount | None:
    """The count that stood when this was decided; None where there was none."""
    of_period = (c for c in counts if (c.terminal_id, c.box_period_id) == (said.key.terminal_id, said.box_period_id))
    before = [count for count in of_period if count.counted_at_us <= said.resolved_at_us]
    return max(before, key=lambda count: count.number, default=None)


def _came_later(outcome: KeptOutcome, one: KeptResolution, received: Mapping[bytes, int]) -> bool:
    if outcome.resolution_no is not None:
        return outcome.resolution_no > one.number
    at_us = received.get(outcome.advice_hash or b"", 0)
    return outcome.settled.note.outcome_number > 1 and at_us > one.resolution.resolved_at_us


def _in_box(kept: Iterable[KeptOutcome], count: BoxCount) -> Iterator[KeptOutcome]:
    """The last outcomes of the notes that the books have in the box of a count."""
    last = {(*outcome.deposit, outcome.settled.note.note_id): outcome for outcome in kept}
    for outcome in last.values():
        here = (outcome.terminal_id, outcome.lies_in) == (count.terminal_id, count.box_period_id)
        if here and outcome.settled.note.outcome in IN_BOX:
            yield outcome


def _name(kept: KeptCount) -> str:
    count = kept.count
    return f"count {count.number} of {count.terminal_id}, period {count.box_period_id}"


def _signed(key: bytes, domain: Domain, content: bytes, signature: bytes) -> bool:
    try:
        verify(key, domain, content, signature)
    except BadSignature:
        return False
    return True
