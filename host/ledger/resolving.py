"""Outcomes that the host itself gives to notes in doubt, because of a count or of what two operators decided.

Each is the note's next numbered outcome. It takes back what the doubt posted and posts its own in one transaction of
the books, linked to the resolution that says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, insert

from guichet.seams import Domain, Ids, Signer
from host.bankdays import Calendar
from host.claims.box import NoteKey
from host.claims.numbers import claim_number
from host.claims.records import Decision, Resolution, Subject
from host.ledger.booking import Settled, booking_of, legs
from host.ledger.kinds import Booking, Outcome, TransactionKind
from host.ledger.reading import KeptOutcome, customer_accounts, kept_outcomes, of_deposits
from host.ledger.schema import note_outcomes, resolutions, transactions
from host.ledger.writing import NewOutcome, ensure_internal_accounts, insert_outcomes, insert_postings, keep_claims


class NotInDoubt(Exception):
    """The note has another last outcome meanwhile: there is nothing to resolve."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is to become of a note in doubt, and why: the number of a count of ``box_period_id``, or a decision."""

    key: NoteKey
    outcome: Outcome
    box_period_id: str
    count_number: int | None = None
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """A resolution with the outcome that it made. A claim that stays open has a number in ``settled``."""

    resolution: Resolution
    settled: Settled


class Resolver:
    """Books rulings. Holds no state of its own."""

    def __init__(self, signer: Signer, ids: Ids, calendar: Calendar) -> None:
        self._signer = signer
        self._ids = ids
        self._calendar = calendar

    def resolve(self, connection: Connection, rulings: Sequence[Ruling]) -> tuple[Resolved, ...]:
        """Book them, within the caller's transaction of the database. Raises :class:`NotInDoubt`."""
        return tuple(self._one(connection, ruling) for ruling in rulings)

    def _one(self, connection: Connection, ruling: Ruling) -> Resolved:
        before, now_us = _last(connection, ruling.key), self._calendar.clock.wall_us()
        number = before.settled.note.outcome_number + 1
        subject = Subject(before.settled.account_id, before.settled.note.value)
        resolution = Resolution(
            ruling.key, number, ruling.outcome, ruling.box_period_id, ruling.count_number, ruling.decision, now_us,
            subject,
        )  # fmt: skip
        settled = self._settled(connection, before, ruling)
        posted = legs([(settled, before.settled)], before.place)
        # Without postings there is no transaction: this cannot be for a doubt, which has posted something.
        transaction_id = self._ids.new() if posted else None
        resolution_no = self._keep(connection, resolution, subject)
        new = NewOutcome(before.place, before.deposit_id, settled, transaction_id, resolution_no=resolution_no)
        ensure_internal_accounts(connection, [before.place])
        insert_postings(connection, [(transaction_id, before.place, posted)])
        if transaction_id is not None:
            self._close(connection, new, now_us)
        insert_outcomes(connection, [new])
        keep_claims(connection, [new], now_us)
        return Resolved(resolution, settled)

    def _settled(self, connection: Connection, before: KeptOutcome, ruling: Ruling) -> Settled:
        doubt = before.settled
        account = customer_accounts(connection, [doubt.account_id]).get(doubt.account_id)
        usable = account is not None and account.usable(before.place)
        booking = booking_of(ruling.outcome, usable)
        key = ruling.key
        claim = claim_number(key.terminal_id, key.deposit_id, key.note_id) if booking is Booking.SUSPENSE else ""
        note = replace(doubt.note, outcome=ruling.outcome, outcome_number=doubt.note.outcome_number + 1)
        return replace(doubt, note=note, booking=booking, claim_number=claim, booked_on=self._calendar.today())

    def _keep(self, connection: Connection, resolution: Resolution, subject: Subject) -> int:
        key, decision = resolution.key, resolution.decision
        statement = insert(resolutions).values(
            terminal_id=key.terminal_id,
            deposit_id=key.deposit_id,
            note_id=key.note_id,
            outcome_number=resolution.outcome_number,
            outcome=resolution.outcome,
            box_period_id=resolution.box_period_id,
            count_number=resolution.count_number,
            proposal_no=None if decision is None else decision.proposal_no,
            resolved_at_us=resolution.resolved_at_us,
            signature=self._signer.sign(Domain.CLAIM_RESOLUTION, resolution.content()),
            account_id=subject.account_id,
            currency=subject.value.currency.code,
            value_minor=subject.value.minor,
        )
        return connection.execute(statement.returning(resolutions.c.resolution_no)).scalar_one()

    def _close(self, connection: Connection, new: NewOutcome, now_us: int) -> None:
        row = {
            "transaction_id": new.transaction_id,
            "ledger": new.place.ledger,
            "kind": TransactionKind.CORRECTION,
            "business_date": new.settled.booked_on,
            "value_date": new.settled.booked_on,
            "booked_at_us": now_us,
            "text": f"Correction of a cash deposit, terminal {new.place.terminal_id}",
            "terminal_id": new.place.terminal_id,
            "deposit_id": new.deposit_id,
            "resolution_no": new.resolution_no,
        }
        connection.execute(insert(transactions).values(row))


def _last(connection: Connection, key: NoteKey) -> KeptOutcome:
    c = note_outcomes.c
    of_note = of_deposits(c.terminal_id, c.deposit_id, [(key.terminal_id, key.deposit_id)]) & (c.note_id == key.note_id)
    kept = list(kept_outcomes(connection, of_note))
    if not kept or kept[-1].settled.note.outcome is not Outcome.IN_DOUBT:
        last = kept[-1].settled.note.outcome.value if kept else "unknown"
        raise NotInDoubt(f"note {key.note_id} is {last}: there is nothing to resolve")
    return kept[-1]
