"""What to do about each note of an advice, and which postings that makes. Pure: what is known comes in as values.

The table of postings (positive is a credit, see :mod:`host.ledger`):

    booking      from                  to
    customer     cash in terminal      the customer
    suspense     cash in terminal      suspense
    in doubt     cash unconfirmed      in doubt
    nothing      -                     -

A later outcome of a note takes back what the one before it posted and posts its own.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from guichet.ids import NoteId
from host.ledger.advice import Advice, AdvisedNote
from host.ledger.kinds import SUCCESSORS, AccountKind, AccountState, Booking, ClaimReason, Ledger, Outcome


@dataclass(frozen=True, slots=True)
class Place:
    """Where a terminal's notes are booked: its own accounts of one currency in its ledger."""

    ledger: Ledger
    terminal_id: str
    currency: str

    def account(self, kind: AccountKind) -> str:
        """The id of the terminal's (cash) or the ledger's (suspense, doubts) internal account."""
        match kind:
            case AccountKind.CASH_IN_TERMINAL | AccountKind.CASH_UNCONFIRMED:
                return f"{self.ledger.value}/{kind.value}/{self.terminal_id}/{self.currency}"
            case AccountKind.SUSPENSE | AccountKind.IN_DOUBT | AccountKind.VAULT | AccountKind.CLEARING:
                return f"{self.ledger.value}/{kind.value}/{self.currency}"
            case AccountKind.CUSTOMER:
                raise ValueError("a customer's account has an id of its own")
            case _:
                assert_never(kind)


@dataclass(frozen=True, slots=True)
class CustomerAccount:
    """What matters of an account that an advice names."""

    account_id: str
    ledger: Ledger
    kind: AccountKind
    currency: str
    state: AccountState
    takes_deposits: bool

    def usable(self, place: Place) -> bool:
        """Whether a note of this place can be credited to it."""
        mine = self.kind is AccountKind.CUSTOMER and self.ledger is place.ledger and self.currency == place.currency
        return mine and self.state is AccountState.OPEN and self.takes_deposits


@dataclass(frozen=True, slots=True)
class Settled:
    """An outcome as it is kept: what was advised, and how it was booked. Equal content is the same outcome."""

    note: AdvisedNote
    account_id: str
    box_period_id: str
    device_serial: str
    booking: Booking
    claim_number: str
    booked_on: datetime.date

    def same_content(self, other: Settled) -> bool:
        """Whether the two say the same thing, whatever was booked."""
        return _content(self) == _content(other)


@dataclass(frozen=True, slots=True)
class Conflict:
    """An outcome that is refused; the note's other outcomes stand."""

    note: AdvisedNote
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of an advice: in its order, each note known, new or in conflict."""

    answers: tuple[Settled | Conflict, ...]
    new: tuple[Settled, ...]
    conflicts: tuple[Conflict, ...]
    legs: Mapping[str, int]


class Premature(Exception):
    """A later outcome came before the one that it names. Nothing is booked; it is taken once the other is there."""


Key = tuple[NoteId, int]


def plan(
    advice: Advice,
    known: Mapping[Key, Settled],
    account: CustomerAccount | None,
    place: Place,
    today: datetime.date,
    number: Callable[[NoteId], str],
) -> Plan:
    """Decide about every note of ``advice``. ``known``: the deposit's outcomes that are booked already;
    ``number`` gives a note's claim number. Raises :class:`Premature`.
    """
    usable = account is not None and account.usable(place)

    def settle(note: AdvisedNote) -> Settled:
        booking = booking_of(note.outcome, usable)
        claim = number(note.note_id) if booking in (Booking.SUSPENSE, Booking.IN_DOUBT) else ""
        return Settled(note, advice.account_id, advice.box_period_id, advice.device_serial, booking, claim, today)

    seen = dict(known)
    decided: dict[Key, Settled | Conflict] = {}
    new: list[Settled] = []
    for note in sorted(advice.notes, key=lambda note: note.outcome_number):
        key = (note.note_id, note.outcome_number)
        decided[key] = result = _against(settle(note), seen)
        if isinstance(result, Settled) and key not in seen:
            seen[key] = result
            new.append(result)
    answers = tuple(decided[note.note_id, note.outcome_number] for note in advice.notes)
    conflicts = tuple(answer for answer in answers if isinstance(answer, Conflict))
    return Plan(answers, tuple(new), conflicts, legs(((outcome, before(outcome, seen)) for outcome in new), place))


def before(outcome: Settled, known: Mapping[Key, Settled]) -> Settled | None:
    """The outcome that ``outcome`` follows; None for a note's first."""
    return known.get((outcome.note.note_id, outcome.note.outcome_number - 1))


def booking_of(outcome: Outcome, usable: bool) -> Booking:
    """Where a note with ``outcome`` is booked. Cash that is in the box is booked no matter what."""
    match outcome:
        case Outcome.CREDITED:
            return Booking.CUSTOMER if usable else Booking.SUSPENSE
        case Outcome.FOUND | Outcome.WITHHELD:
            return Booking.SUSPENSE
        case Outcome.IN_DOUBT:
            return Booking.IN_DOUBT
        case Outcome.RETURNED | Outcome.NOT_FOUND:
            return Booking.NOTHING
        case _:
            assert_never(outcome)


def claim_reason(outcome: Outcome) -> ClaimReason:
    """Why a note that was not credited may be claimed."""
    match outcome:
        case Outcome.IN_DOUBT:
            return ClaimReason.IN_DOUBT
        case Outcome.FOUND:
            return ClaimReason.FOUND
        case Outcome.WITHHELD:
            return ClaimReason.WITHHELD
        case Outcome.CREDITED | Outcome.RETURNED | Outcome.NOT_FOUND:
            return ClaimReason.ACCOUNT_UNUSABLE
        case _:
            assert_never(outcome)


def _against(outcome: Settled, known: Mapping[Key, Settled]) -> Settled | Conflict:
    """``outcome`` beside what is known: the known one if it says the same, itself if it is new and may follow."""
    note = outcome.note
    there = known.get((note.note_id, note.outcome_number))
    if there is not None:
        return there if there.same_content(outcome) else Conflict(note, "known with other content")
    if note.outcome_number == 1:
        return outcome
    previous = before(outcome, known)
    if previous is None:
        raise Premature(f"note {note.note_id}: outcome {note.outcome_number} names one that the host does not hold yet")
    if note.outcome not in SUCCESSORS[previous.note.outcome]:
        return Conflict(note, f"{note.outcome.value} cannot follow {previous.note.outcome.value}")
    if not _same_note(outcome, previous):
        return Conflict(note, "not of the same note as the outcome before it")
    return outcome


def _same_note(outcome: Settled, previous: Settled) -> bool:
    """A note keeps its value, box and device. What was found may get an account; what was in doubt keeps its own."""
    account_fits = outcome.account_id == previous.account_id or previous.note.outcome is Outcome.FOUND
    place = (outcome.note.value, outcome.box_period_id, outcome.device_serial)
    return account_fits and place == (previous.note.value, previous.box_period_id, previous.device_serial)


def _content(settled: Settled) -> tuple[AdvisedNote, str, str, str]:
    return settled.note, settled.account_id, settled.box_period_id, settled.device_serial


# --- postings ---------------------------------------------------------------------------------------------------------


def legs(outcomes: Iterable[tuple[Settled, Settled | None]], place: Place) -> dict[str, int]:
    """What a transaction of these outcomes, each with the one before it, posts: account -> minor units, never zero."""
    sums: dict[str, int] = {}
    for outcome, previous in outcomes:
        _add(sums, outcome, place, 1)
        if previous is not None:
            _add(sums, previous, place, -1)
    return {account: amount for account, amount in sums.items() if amount}


def _add(sums: dict[str, int], outcome: Settled, place: Place, sign: int) -> None:
    sides = _sides(outcome, place)
    if sides is None:
        return
    debit, credit = sides
    sums[debit] = sums.get(debit, 0) - sign * outcome.note.value.minor
    sums[credit] = sums.get(credit, 0) + sign * outcome.note.value.minor


def _sides(outcome: Settled, place: Place) -> tuple[str, str] | None:
    """The accounts that are debited and credited."""
    match outcome.booking:
        case Booking.CUSTOMER:
            return place.account(AccountKind.CASH_IN_TERMINAL), outcome.account_id
        case Booking.SUSPENSE:
            return place.account(AccountKind.CASH_IN_TERMINAL), place.account(AccountKind.SUSPENSE)
        case Booking.IN_DOUBT:
            return place.account(AccountKind.CASH_UNCONFIRMED), place.account(AccountKind.IN_DOUBT)
        case Booking.NOTHING:
            return None
        case _:
            assert_never(outcome.booking)
