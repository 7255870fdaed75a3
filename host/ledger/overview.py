"""Deposits at a glance: each with its notes, how they were booked, and which claims are open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Connection, select, tuple_

from guichet.money import Currency, Money, total
from host.claims.schema import claims
from host.ledger.kinds import Booking, ClaimReason, Ledger, Outcome
from host.ledger.reading import KeptOutcome, kept_outcomes
from host.ledger.schema import accounts, advices, note_conflicts, note_outcomes


class DepositState(Enum):
    """Whether a person may have to look at a deposit."""

    SETTLED = "settled"
    CLAIM_OPEN = "claim open"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class NoteView:
    """One numbered outcome of a note, booked or (``conflict``: why) refused."""

    note_id: str
    outcome_number: int
    outcome: Outcome
    value: Money
    booking: Booking | None
    claim_number: str
    conflict: str


@dataclass(frozen=True, slots=True)
class DepositView:
    """A deposit that at least one advice came of. ``received_at_us``: the first of them."""

    terminal_id: str
    deposit_id: str
    ledger: Ledger
    received_at_us: int
    account: str
    credited: Money
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
    """The newest first, at most ``limit``; those of one terminal, or in one state, where asked."""
    c = advices.c
    query = select(c.terminal_id, c.deposit_id, c.received_at_us).order_by(c.received_at_us.desc())
    if terminal is not None:
        query = query.where(c.terminal_id == terminal)
    found: dict[tuple[str, str], int] = {}
    for name, deposit, received_at_us in connection.execute(query):
        found[name, deposit] = received_at_us  # the last one wins: the oldest
    views = _views(connection, found)
    return tuple(view for view in views if state is None or view.state is state)[:limit]


def _views(connection: Connection, found: dict[tuple[str, str], int]) -> list[DepositView]:
    c = note_outcomes.c
    notes: dict[tuple[str, str], list[KeptOutcome]] = {}
    for kept in kept_outcomes(connection, tuple_(c.terminal_id, c.deposit_id).in_(found)):
        notes.setdefault(kept.deposit, []).append(kept)
    refused = _conflicts(connection)
    numbers = {row[0]: row[1] for row in connection.execute(select(accounts.c.account_id, accounts.c.number))}
    return [
        _view(deposit, received, notes.get(deposit, []), refused.get(deposit, []), numbers)
        for deposit, received in found.items()
    ]


def _view(
    deposit: tuple[str, str],
    received_at_us: int,
    kept: list[KeptOutcome],
    refused: list[NoteView],
    numbers: dict[str, str],
) -> DepositView:
    last = {outcome.settled.note.note_id: outcome.settled for outcome in kept}
    currency = kept[0].settled.note.value.currency if kept else Currency("EUR")
    credited = total((s.note.value for s in last.values() if s.booking is Booking.CUSTOMER), currency)
    state = DepositState.CONFLICT if refused else DepositState.SETTLED
    if not refused and any(settled.claim_number for settled in last.values()):
        state = DepositState.CLAIM_OPEN
    account = numbers.get(kept[0].settled.account_id, "") if kept else ""
    return DepositView(
        terminal_id=deposit[0],
        deposit_id=deposit[1],
        ledger=kept[0].ledger if kept else Ledger.LIVE,
        received_at_us=received_at_us,
        account=f"**** {account[-4:]}" if account else "unknown",
        credited=credited,
        state=state,
        notes=(*_kept_views(kept), *refused),
    )


def _kept_views(kept: Iterable[KeptOutcome]) -> Iterable[NoteView]:
    for outcome in kept:
        note = outcome.settled.note
        yield NoteView(
            note.note_id, note.outcome_number, note.outcome, note.value, outcome.settled.booking,
            outcome.settled.claim_number, "",
        )  # fmt: skip


def _conflicts(connection: Connection) -> dict[tuple[str, str], list[NoteView]]:
    found: dict[tuple[str, str], list[NoteView]] = {}
    for row in connection.execute(select(note_conflicts)):
        value = Money(row.value_minor, Currency(row.currency))
        view = NoteView(row.note_id, row.outcome_number, row.outcome, value, None, "", row.reason)
        found.setdefault((row.terminal_id, row.deposit_id), []).append(view)
    return found


def open_claims(connection: Connection, *, reason: ClaimReason | None = None) -> tuple[OpenClaim, ...]:
    """The open claims, oldest first; of one reason where asked."""
    query = select(claims).where(claims.c.closed_at_us.is_(None)).order_by(claims.c.opened_at_us, claims.c.claim_number)
    if reason is not None:
        query = query.where(claims.c.reason == reason)
    values = {
        (*kept.deposit, kept.settled.note.note_id): kept.settled.note.value
        for kept in kept_outcomes(connection, note_outcomes.c.claim_number != "")
    }
    return tuple(
        OpenClaim(
            row.claim_number, row.terminal_id, row.deposit_id, row.note_id, row.ledger, row.reason,
            values[row.terminal_id, row.deposit_id, row.note_id], row.opened_at_us,
        )
        for row in connection.execute(query)
    )  # fmt: skip
