"""Balances and statements: read from the postings, one consistent picture each."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from guichet.limits import MAX_STATEMENT_DAYS, MAX_STATEMENT_LINES
from guichet.money import Currency, Money
from host.ledger.schema import accounts, postings, transactions


class BadPeriod(ValueError):
    """A period that ends before it begins, or is too long."""


class TooManyLines(Exception):
    """More lines than one statement has."""


@dataclass(frozen=True, slots=True)
class Line:
    """One posting as the customer reads it: positive in his favour; ``balance`` is the one after it."""

    booked_on: datetime.date
    value_date: datetime.date
    text: str
    amount: Money
    balance: Money


@dataclass(frozen=True, slots=True)
class Statement:
    """``opening`` and the lines' amounts add up to ``closing``. Lines are oldest first."""

    opening: Money
    lines: tuple[Line, ...]
    closing: Money
    total_in: Money
    total_out: Money


def balance(connection: Connection, account_id: str) -> Money:
    """What is booked on an account now. Raises :class:`LookupError` for an unknown one."""
    return Money(_sum(connection, account_id, None), _currency(connection, account_id))


def statement(connection: Connection, account_id: str, begin: datetime.date, end: datetime.date) -> Statement:
    """The statement from ``begin`` to ``end``, both inclusive.

    Raises :class:`BadPeriod`, :class:`TooManyLines`, or :class:`LookupError` for an unknown account.
    """
    check_period(begin, end)
    currency = _currency(connection, account_id)
    opening = Money(_sum(connection, account_id, begin), currency)
    lines: list[Line] = []
    after = opening
    for booked_on, value_date, text, minor in _rows(connection, account_id, begin, end):
        after += Money(minor, currency)
        lines.append(Line(booked_on, value_date, text, Money(minor, currency), after))
    if len(lines) > MAX_STATEMENT_LINES:
        raise TooManyLines(f"more than {MAX_STATEMENT_LINES} lines: ask for a shorter period")
    total_in = sum((line.amount for line in lines if line.amount.minor > 0), Money(0, currency))
    return Statement(opening, tuple(lines), after, total_in, after - opening - total_in)


def check_period(begin: datetime.date, end: datetime.date) -> None:
    """Raises :class:`BadPeriod` unless ``begin`` to ``end`` is 1 to 366 days."""
    if end < begin:
        raise BadPeriod("the period ends before it begins")
    if (end - begin).days + 1 > MAX_STATEMENT_DAYS:
        raise BadPeriod(f"the period is longer than {MAX_STATEMENT_DAYS} days")


def _currency(connection: Connection, account_id: str) -> Currency:
    code = connection.execute(select(accounts.c.currency).where(accounts.c.account_id == account_id)).scalar()
    if code is None:
        raise LookupError(f"no account {account_id}")
    return Currency(code)


def _sum(connection: Connection, account_id: str, before: datetime.date | None) -> int:
    query = select(func.coalesce(func.sum(postings.c.amount_minor), 0)).where(postings.c.account_id == account_id)
    if before is not None:
        joined = postings.c.transaction_id == transactions.c.transaction_id
        query = query.join_from(postings, transactions, joined).where(transactions.c.business_date < before)
    return connection.execute(query).scalar_one()


def _rows(
    connection: Connection, account_id: str, begin: datetime.date, end: datetime.date
) -> list[tuple[datetime.date, datetime.date, str, int]]:
    t, p = transactions.c, postings.c
    query = select(t.business_date, t.value_date, t.text, p.amount_minor, p.posting_no)
    query = query.join_from(postings, transactions, p.transaction_id == t.transaction_id)
    query = query.where(p.account_id == account_id, t.business_date.between(begin, end))
    query = query.order_by(t.business_date, p.posting_no).limit(MAX_STATEMENT_LINES + 1)
    return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]
