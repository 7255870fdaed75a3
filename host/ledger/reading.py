"""Reading the books: outcomes as they are kept, and the accounts that advices name."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, func, select, true, tuple_

from guichet.ids import NoteId
from guichet.money import Currency, Money
from host.ledger.advice import AdvisedNote
from host.ledger.booking import CustomerAccount, Key, Place, Settled
from host.ledger.kinds import Ledger
from host.ledger.schema import accounts, note_outcomes, resolutions

Deposit = tuple[str, str]
"""Terminal id and deposit id."""


@dataclass(frozen=True, slots=True)
class KeptOutcome:
    """A numbered outcome with where it was booked, and by which advice or resolution. ``lies_in``: the period in whose
    box the note lies, or is thought to; a resolution can say another than the note's own.
    """

    terminal_id: str
    deposit_id: str
    ledger: Ledger
    settled: Settled
    transaction_id: str | None
    advice_hash: bytes | None
    resolution_no: int | None
    lies_in: str

    @property
    def deposit(self) -> Deposit:
        """Whose note it is."""
        return self.terminal_id, self.deposit_id

    @property
    def key(self) -> Key:
        """Its key within the deposit."""
        return self.settled.note.note_id, self.settled.note.outcome_number

    @property
    def place(self) -> Place:
        """Where its postings go."""
        return Place(self.ledger, self.terminal_id, self.settled.note.value.currency.code)


def kept_outcomes(connection: Connection, where: ColumnElement[bool] | None = None) -> Iterator[KeptOutcome]:
    """The outcomes that are kept, in the order of their keys; ``where`` narrows them."""
    c = note_outcomes.c
    lies_in = func.coalesce(resolutions.c.box_period_id, c.box_period_id).label("lies_in")
    resolved = resolutions.c.resolution_no == c.resolution_no
    query = select(note_outcomes, lies_in).outerjoin_from(note_outcomes, resolutions, resolved)
    query = query.where(true() if where is None else where)
    for row in connection.execute(query.order_by(c.terminal_id, c.deposit_id, c.note_id, c.outcome_number)):
        note = AdvisedNote(
            NoteId(row.note_id), row.outcome_number, row.outcome, Money(row.value_minor, Currency(row.currency))
        )
        settled = Settled(
            note, row.account_id, row.box_period_id, row.device_serial, row.booking, row.claim_number, row.business_date
        )
        yield KeptOutcome(
            row.terminal_id, row.deposit_id, row.ledger, settled, row.transaction_id, row.advice_hash,
            row.resolution_no, row.lies_in,
        )  # fmt: skip


def known_outcomes(connection: Connection, deposits: Collection[Deposit]) -> dict[Deposit, dict[Key, Settled]]:
    """Every outcome of these deposits that is booked."""
    c = note_outcomes.c
    return by_deposit(kept_outcomes(connection, of_deposits(c.terminal_id, c.deposit_id, deposits)))


def of_deposits(
    terminal: ColumnElement[str], deposit: ColumnElement[str], deposits: Collection[Deposit]
) -> ColumnElement[bool]:
    """That a row is of one of ``deposits``, by its two columns.

    For the pairs alone SQLite reads the whole table; each column asked for by itself, too, lets it use their index.
    """
    by_terminal = terminal.in_({name for name, _ in deposits})
    by_deposit = deposit.in_({name for _, name in deposits})
    return and_(by_terminal, by_deposit, tuple_(terminal, deposit).in_(deposits))


def by_deposit(kept: Iterator[KeptOutcome] | Collection[KeptOutcome]) -> dict[Deposit, dict[Key, Settled]]:
    """Outcomes under their deposits and keys."""
    known: dict[Deposit, dict[Key, Settled]] = {}
    for outcome in kept:
        known.setdefault(outcome.deposit, {})[outcome.key] = outcome.settled
    return known


def customer_accounts(connection: Connection, names: Collection[str]) -> dict[str, CustomerAccount]:
    """The accounts of these ids, whoever's they are."""
    c = accounts.c
    query = select(c.account_id, c.ledger, c.kind, c.currency, c.state, c.takes_deposits)
    rows = connection.execute(query.where(c.account_id.in_(names))).all()
    return {row[0]: CustomerAccount(*row) for row in rows}
