"""Deposits at a glance: each with its notes, how they were booked, and which claims are open."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from sqlalchemy import ColumnElement, Connection, and_, exists, func, select, tuple_

from guichet.money import Currency, Money, total
from host.claims.schema import claims
from host.ledger.booking import Settled
from host.ledger.kinds import Booking, ClaimReason, Ledger, Outcome
from host.ledger.reading import Deposit, KeptOutcome, kept_outcomes, of_deposits
from host.ledger.schema import accounts, advices, note_conflicts, note_outcomes
from host.readable import masked


class DepositState(Enum):
    """Whether a person may have to look at a deposit."""

    SETTLED = "settled"
    CLAIM_OPEN = "claim open"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class NoteView:
    """One numbered outcome of a note, booked or (``conflict``: why) refused. ``by_host``: the terminal did not tell it;
    a count or two operators made it.
    """

    note_id: str
    outcome_number: int
    outcome: Outcome
    value: Money
    booking: Booking | None
    claim_number: str
    conflict: str
    by_host: bool = False


@dataclass(frozen=True, slots=True)
class DepositView:
    """A deposit that at least one advice came of. ``received_at_us``: the first of them. ``credited``: a sum a
    currency, that of the account first.
    """

    terminal_id: str
    deposit_id: str
    ledger: Ledger
    received_at_us: int
    account: str
    credited: tuple[Money, ...]
    state: DepositState
    notes: tuple[NoteView, ...]


@dataclass(frozen=True, slots=True)
class OpenClaim:
    """Money that may be somebody's."""

    claim_number: str
    terminal_id: str
    deposit_id: str
    note_id: str
    ledger: Ledger
    reason: ClaimReason
    value: Money
    opened_at_us: int


def list_deposits(
    connection: Connection, *, terminal: str | None = None, state: DepositState | None = None, limit: int = 100
) -> tuple[DepositView, ...]:
    """The newest first, at most ``limit``; those of one terminal, or in one state, where asked. A deposit is as new as
    its last advice.
    """
    c, other = advices.c, advices.alias("other")
    same = (other.c.terminal_id == c.terminal_id, other.c.deposit_id == c.deposit_id)
    newer = tuple_(other.c.received_at_us, other.c.advice_hash) > tuple_(c.received_at_us, c.advice_hash)
    first = select(func.min(other.c.received_at_us)).where(*same).scalar_subquery()
    query = select(c.terminal_id, c.deposit_id, first).where(~exists().where(*same, newer))
    if terminal is not None:
        query = query.where(c.terminal_id == terminal)
    if state is not None:
        query = query.where(*_in_state(state))
    rows = connection.execute(query.order_by(c.received_at_us.desc()).limit(limit))
    return tuple(_views(connection, {(name, deposit): first_us for name, deposit, first_us in rows}))


def _in_state(state: DepositState) -> Sequence[ColumnElement[bool]]:
    """What the database knows of a deposit in ``state``; :func:`_state` says the same of what was read."""
    deposit = tuple_(advices.c.terminal_id, advices.c.deposit_id)
    conflict = deposit.in_(select(note_conflicts.c.terminal_id, note_conflicts.c.deposit_id))
    still_open = claims.c.closed_at_us.is_(None)
    claim = deposit.in_(select(claims.c.terminal_id, claims.c.deposit_id).where(still_open))
    match state:
        case DepositState.CONFLICT:
            return (conflict,)
        case DepositState.CLAIM_OPEN:
            return claim, ~conflict
        case DepositState.SETTLED:
            return ~claim, ~conflict
        case _:
            assert_never(state)


@dataclass(frozen=True, slots=True)
class _Account:
    """What is shown of an account that outcomes name. Internal ones have no number."""

    number: str
    currency: Currency


def _views(connection: Connection, found: Mapping[Deposit, int]) -> list[DepositView]:
    c = note_outcomes.c
    notes: dict[Deposit, list[KeptOutcome]] = {}
    for kept in kept_outcomes(connection, of_deposits(c.terminal_id, c.deposit_id, found)):
        notes.setdefault(kept.deposit, []).append(kept)
    refused = _conflicts(connection, found)
    known = _accounts(connection, {kept.settled.account_id for each in notes.values() for kept in each})
    return [
        _view(deposit, received, notes.get(deposit, []), refused.get(deposit, []), known)
        for deposit, received in found.items()
    ]


def _accounts(connection: Connection, names: Collection[str]) -> dict[str, _Account]:
    c = accounts.c
    rows = connection.execute(select(c.account_id, c.number, c.currency).where(c.account_id.in_(names)))
    return {account: _Account(number, Currency(currency)) for account, number, currency in rows}


def _view(
    deposit: Deposit,
    received_at_us: int,
    kept: Sequence[KeptOutcome],
    refused: Sequence[NoteView],
    known: Mapping[str, _Account],
) -> DepositView:
    last = {outcome.settled.note.note_id: outcome.settled for outcome in kept}
    account = known.get(kept[0].settled.account_id) if kept else None
    return DepositView(
        terminal_id=deposit[0],
        deposit_id=deposit[1],
        ledger=kept[0].ledger if kept else Ledger.LIVE,
        received_at_us=received_at_us,
        account=masked(account.number) if account is not None and account.number else "unknown",
        credited=_credited(last.values(), account),
        state=_state(last.values(), refused),
        notes=(*_kept_views(kept), *refused),
    )


def _state(last: Iterable[Settled], refused: Sequence[NoteView]) -> DepositState:
    if refused:
        return DepositState.CONFLICT
    return DepositState.CLAIM_OPEN if any(settled.claim_number for settled in last) else DepositState.SETTLED


def _credited(last: Collection[Settled], account: _Account | None) -> tuple[Money, ...]:
    """What customers have of it, a sum a currency; the account's own currency is first, and there in any case."""
    values = [settled.note.value for settled in last if settled.booking is Booking.CUSTOMER]
    own = account.currency if account is not None else next((s.note.value.currency for s in last), Currency("EUR"))
    currencies = dict.fromkeys([own, *(value.currency for value in values)])
    return tuple(total((v for v in values if v.currency == currency), currency) for currency in currencies)


def _kept_views(kept: Iterable[KeptOutcome]) -> Iterable[NoteView]:
    for outcome in kept:
        note = outcome.settled.note
        yield NoteView(
            note.note_id, note.outcome_number, note.outcome, note.value, outcome.settled.booking,
            outcome.settled.claim_number, "", by_host=outcome.resolution_no is not None,
        )  # fmt: skip


def _conflicts(connection: Connection, deposits: Collection[Deposit]) -> dict[Deposit, list[NoteView]]:
    c = note_conflicts.c
    found: dict[Deposit, list[NoteView]] = {}
    query = select(note_conflicts).where(of_deposits(c.terminal_id, c.deposit_id, deposits))
    for row in connection.execute(query):
        value = Money(row.value_minor, Currency(row.currency))
        view = NoteView(row.note_id, row.outcome_number, row.outcome, value, None, "", row.reason)
        found.setdefault((row.terminal_id, row.deposit_id), []).append(view)
    return found


def open_claims(connection: Connection, *, reason: ClaimReason | None = None) -> tuple[OpenClaim, ...]:
    """The open claims, oldest first; of one reason where asked."""
    c, n = claims.c, note_outcomes.c
    # A note keeps its value from its first outcome on.
    first = (n.terminal_id == c.terminal_id, n.deposit_id == c.deposit_id, n.note_id == c.note_id)
    query = select(claims, n.value_minor, n.currency).join_from(claims, note_outcomes, and_(*first))
    query = query.where(c.closed_at_us.is_(None), n.outcome_number == 1)
    if reason is not None:
        query = query.where(c.reason == reason)
    return tuple(
        OpenClaim(
            row.claim_number, row.terminal_id, row.deposit_id, row.note_id, row.ledger, row.reason,
            Money(row.value_minor, Currency(row.currency)), row.opened_at_us,
        )
        for row in connection.execute(query.order_by(c.opened_at_us, c.claim_number))
    )  # fmt: skip
