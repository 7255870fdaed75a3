"""Writing what was decided: every table of the books by one statement a batch."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Table, insert, tuple_, update
from sqlalchemy.dialects.sqlite import insert as insert_unless_there

from host.claims.schema import claims
from host.fleet.incidents import Incident, open_incidents
from host.ledger.advice import Advice
from host.ledger.booking import Place, Plan, Settled, claim_reason
from host.ledger.kinds import AccountKind, AccountState, TransactionKind
from host.ledger.schema import accounts, advices, note_conflicts, note_outcomes, postings, transactions
from host.store.metadata import Row

_INTERNAL = {
    AccountKind.CASH_IN_TERMINAL: "Cash in terminal",
    AccountKind.CASH_UNCONFIRMED: "Cash unconfirmed",
    AccountKind.SUSPENSE: "Suspense",
    AccountKind.IN_DOUBT: "Notes in doubt",
}


class Raced(Exception):
    """Another transaction booked one of these keys meanwhile. Nothing was kept: settle the batch anew."""


@dataclass(frozen=True, slots=True)
class Booked:
    """An advice with what was decided about it, ready to be written."""

    advice: Advice
    signature: bytes
    place: Place
    plan: Plan
    answer: bytes
    answer_signature: bytes
    transaction_id: str | None
    today: datetime.date
    received_at_us: int


@dataclass(frozen=True, slots=True)
class NewOutcome:
    """An outcome that is about to be kept. It comes from an advice or from a resolution."""

    place: Place
    deposit_id: str
    settled: Settled
    transaction_id: str | None
    advice_hash: bytes | None = None
    resolution_no: int | None = None


def write(connection: Connection, booked: Sequence[Booked], incidents: Sequence[Incident], now_us: int) -> None:
    """Keep a batch. Raises :class:`Raced`; any error leaves nothing behind, since the caller's transaction ends."""
    ensure_internal_accounts(connection, {one.place for one in booked if one.transaction_id})
    _insert(connection, advices, (_advice_row(one) for one in booked))
    insert_postings(connection, [(one.transaction_id, one.place, one.plan.legs) for one in booked])
    _insert(connection, transactions, (_transaction_row(one) for one in booked if one.transaction_id))
    insert_outcomes(connection, [outcome for one in booked for outcome in _new_outcomes(one)])
    _insert(connection, note_conflicts, (row for one in booked for row in _conflict_rows(one)))
    keep_claims(connection, [outcome for one in booked for outcome in _new_outcomes(one)], now_us)
    open_incidents(connection, incidents, now_us)


def ensure_internal_accounts(connection: Connection, places: Iterable[Place]) -> None:
    """The internal accounts of these places exist afterwards."""
    rows = {row["account_id"]: row for place in places for row in _account_rows(place)}
    if rows:
        connection.execute(insert_unless_there(accounts).on_conflict_do_nothing(), list(rows.values()))


def _account_rows(place: Place) -> Iterable[Row]:
    own = (AccountKind.CASH_IN_TERMINAL, AccountKind.CASH_UNCONFIRMED)
    for kind, product in _INTERNAL.items():
        yield {
            "account_id": place.account(kind),
            "ledger": place.ledger,
            "kind": kind,
            "currency": place.currency,
            "terminal_id": place.terminal_id if kind in own else None,
            "customer_id": None,
            "number": "",
            "product": product,
            "state": AccountState.OPEN,
            "takes_deposits": False,
        }


def _insert(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    values = list(rows)
    if values:
        connection.execute(insert(table), values)


def insert_outcomes(connection: Connection, outcomes: Sequence[NewOutcome]) -> None:
    """Keep them. Raises :class:`Raced` where one's key is taken."""
    if not outcomes:
        return
    statement = insert_unless_there(note_outcomes).on_conflict_do_nothing().returning(note_outcomes.c.note_id)
    if len(connection.execute(statement, [_outcome_row(outcome) for outcome in outcomes]).all()) != len(outcomes):
        raise Raced("a key of this batch was booked by another transaction")


def insert_postings(connection: Connection, posted: Iterable[tuple[str | None, Place, Mapping[str, int]]]) -> None:
    """Keep the postings of transactions: each with its place, and minor units by account. They come before the
    transaction's own row, which closes it.
    """
    _insert(connection, postings, (row for one in posted for row in _posting_rows(*one)))


def _advice_row(one: Booked) -> Row:
    return {
        "advice_hash": one.advice.hash,
        "terminal_id": one.advice.terminal_id,
        "deposit_id": one.advice.deposit_id,
        "session_id": one.advice.session_id,
        "epoch": one.advice.epoch,
        "sequence": one.advice.sequence,
        "content": one.advice.content,
        "signature": one.signature,
        "received_at_us": one.received_at_us,
        "answer": one.answer,
        "answer_signature": one.answer_signature,
    }


def _posting_rows(transaction_id: str | None, place: Place, legs: Mapping[str, int]) -> Iterable[Row]:
    for account, amount in legs.items():
        yield {
            "transaction_id": transaction_id,
            "ledger": place.ledger,
            "account_id": account,
            "currency": place.currency,
            "amount_minor": amount,
        }


def _transaction_row(one: Booked) -> Row:
    first = all(outcome.note.outcome_number == 1 for outcome in one.plan.new)
    text = "Cash deposit, terminal" if first else "Correction of a cash deposit, terminal"
    return {
        "transaction_id": one.transaction_id,
        "ledger": one.place.ledger,
        "kind": TransactionKind.DEPOSIT if first else TransactionKind.CORRECTION,
        "business_date": one.today,
        "value_date": one.today,
        "booked_at_us": one.received_at_us,
        "text": f"{text} {one.advice.terminal_id}",
        "terminal_id": one.advice.terminal_id,
        "deposit_id": one.advice.deposit_id,
        "advice_hash": one.advice.hash,
    }


def _new_outcomes(one: Booked) -> Iterable[NewOutcome]:
    for outcome in one.plan.new:
        yield NewOutcome(one.place, one.advice.deposit_id, outcome, one.transaction_id, advice_hash=one.advice.hash)


def _outcome_row(new: NewOutcome) -> Row:
    outcome = new.settled
    return {
        "terminal_id": new.place.terminal_id,
        "deposit_id": new.deposit_id,
        "note_id": outcome.note.note_id,
        "outcome_number": outcome.note.outcome_number,
        "outcome": outcome.note.outcome,
        "currency": outcome.note.value.currency.code,
        "value_minor": outcome.note.value.minor,
        "account_id": outcome.account_id,
        "box_period_id": outcome.box_period_id,
        "device_serial": outcome.device_serial,
        "ledger": new.place.ledger,
        "booking": outcome.booking,
        "claim_number": outcome.claim_number,
        "business_date": outcome.booked_on,
        "transaction_id": new.transaction_id,
        "advice_hash": new.advice_hash,
        "resolution_no": new.resolution_no,
    }


def _conflict_rows(one: Booked) -> Iterable[Row]:
    for conflict in one.plan.conflicts:
        yield {
            "advice_hash": one.advice.hash,
            "note_id": conflict.note.note_id,
            "outcome_number": conflict.note.outcome_number,
            "terminal_id": one.advice.terminal_id,
            "deposit_id": one.advice.deposit_id,
            "outcome": conflict.note.outcome,
            "currency": conflict.note.value.currency.code,
            "value_minor": conflict.note.value.minor,
            "reason": conflict.reason,
        }


def keep_claims(connection: Connection, outcomes: Sequence[NewOutcome], now_us: int) -> None:
    """Open a claim for a note whose last outcome has one, and close it where a later outcome settled the note."""
    last = {(new.place.terminal_id, new.deposit_id, new.settled.note.note_id): new for new in outcomes}
    closed = [key for key, new in last.items() if not new.settled.claim_number]
    opened = [_claim_row(new, now_us) for new in last.values() if new.settled.claim_number]
    c = claims.c
    key = (c.terminal_id, c.deposit_id, c.note_id)
    if closed:
        done = update(claims).where(tuple_(*key).in_(closed), c.closed_at_us.is_(None))
        connection.execute(done.values(closed_at_us=now_us))
    if opened:
        statement = insert_unless_there(claims)
        news = {"reason": statement.excluded.reason, "account_id": statement.excluded.account_id}
        connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=news), opened)


def _claim_row(new: NewOutcome, now_us: int) -> Row:
    outcome = new.settled
    return {
        "claim_number": outcome.claim_number,
        "terminal_id": new.place.terminal_id,
        "deposit_id": new.deposit_id,
        "note_id": outcome.note.note_id,
        "ledger": new.place.ledger,
        "reason": claim_reason(outcome.note.outcome),
        "account_id": outcome.account_id,
        "opened_at_us": now_us,
        "closed_at_us": None,
    }
