"""The answer to an advice as the terminal gets it. Serialised and signed once, then kept."""

from __future__ import annotations

import datetime

from guichet.journal.records import to_wire
from guichet.v1 import settlement_pb2 as pb
from host.ledger.advice import Advice
from host.ledger.booking import Conflict, Plan, Settled
from host.ledger.kinds import Booking

BOOKINGS = {
    Booking.CUSTOMER: pb.BOOKING_CUSTOMER,
    Booking.SUSPENSE: pb.BOOKING_SUSPENSE,
    Booking.IN_DOUBT: pb.BOOKING_IN_DOUBT,
    Booking.NOTHING: pb.BOOKING_NOTHING,
}


def answer_to(advice: Advice, plan: Plan, today: datetime.date) -> bytes:
    """The bytes of the answer. Its dates are those of the newest booking in it; value date is business date."""
    days = [answer.booked_on for answer in plan.answers if isinstance(answer, Settled)]
    day = max(days, default=today).isoformat()
    message = pb.SettlementAnswer(
        terminal_id=advice.terminal_id,
        deposit_id=advice.deposit_id,
        advice_hash=advice.hash,
        notes=[_note(answer) for answer in plan.answers],
        business_date=day,
        value_date=day,
    )
    return message.SerializeToString(deterministic=True)


def _note(answer: Settled | Conflict) -> pb.NoteAnswer:
    message = pb.NoteAnswer(
        note_id=answer.note.note_id,
        outcome_number=answer.note.outcome_number,
        booking=pb.BOOKING_CONFLICT,
        value=to_wire(answer.note.value),
    )
    if isinstance(answer, Settled):
        message.booking = BOOKINGS[answer.booking]
        message.claim_number = answer.claim_number
    return message
