"""Demo customers of the training ledger: seeded, the same every time, with half a year of postings up to today.

Their card numbers are test numbers, their PINs are printed in the README: nothing here is a secret.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from guichet.ids import make_id
from host.customers.schema import CardState, cards, customers
from host.hsm.api import SecurityModule
from host.ledger.booking import Place
from host.ledger.kinds import AccountKind, AccountState, Ledger, TransactionKind
from host.ledger.schema import accounts, postings, transactions
from host.readable import masked
from host.store.metadata import Row

LEDGER = Ledger.TRAINING
CURRENCY = "EUR"
_CLEARING = Place(LEDGER, "", CURRENCY).account(AccountKind.CLEARING)
_DAYS = 183


@dataclass(frozen=True, slots=True)
class DemoCustomer:
    """A customer with a current account and savings. ``cards``: number and expiry (YYMM). Amounts are minor units."""

    name: str
    language: str
    cards: tuple[tuple[str, str], ...]
    pin: str
    state: CardState
    current: str
    savings: str
    opening: int
    salary: int
    employer: str
    rent: int


PEOPLE = (
    DemoCustomer(
        "Anna Ozoliņa", "en", (("4761739001010010", "3112"),), "1234", CardState.ACTIVE,
        "LV61GUIC0000435804711", "LV34GUIC0000435809902", 184_210, 214_500, "SIA Baltā Bura, salary", 62_000,
    ),
    DemoCustomer(
        "Boris Petrov", "ru", (("5413330089020011", "3106"),), "4321", CardState.ACTIVE,
        "LV12GUIC0000435812087", "LV82GUIC0000435816640", 156_575, 178_300, "Rīgas Mehānika AS, salary", 48_000,
    ),
    DemoCustomer(
        "Clara Lejniece", "lv", (("4761739001010119", "2406"), ("5413330089010483", "2012")), "1111", CardState.ACTIVE,
        "LV77GUIC0000435823315", "LV50GUIC0000435827001", 125_120, 139_900, "Daugavas Tirgus, salary", 39_500,
    ),
    DemoCustomer(
        "Dmitri Kask", "en", (("6011111111111117", "3009"),), "2222", CardState.BLOCKED,
        "LV29GUIC0000435831126", "LV02GUIC0000435835548", 151_800, 165_000, "OÜ Põhjatuul, salary", 51_000,
    ),
)  # fmt: skip
"""Anna and Boris can be served; Clara's card is over; Dmitri's is blocked."""

_SHOPS = (
    ("Tirgus 24, groceries", 1_150, 6_900), ("Ziedu pagrabs, groceries", 860, 5_400), ("Kafijas stūris", 220, 690),
    ("City transport, ticket", 150, 900), ("Zaļā aptieka, pharmacy", 430, 3_100), ("Ceļš, fuel", 3_200, 6_400),
    ("Burtnīca, books", 890, 3_600), ("Kino Zvaigzne", 700, 2_100), ("Pie krāsns, lunch", 620, 1_590),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Movement:
    """One line to be: ``minor`` goes to ``account`` (negative: away from it), against ``other``."""

    day: datetime.date
    account: str
    other: str
    minor: int
    text: str


class Dice:
    """Numbers from a seed, the same on every machine and in every version."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._rolls = 0

    def between(self, low: int, high: int) -> int:
        """A number from ``low`` to ``high``, both inclusive."""
        self._rolls += 1
        digest = hashlib.sha256(f"{self._seed}/{self._rolls}".encode()).digest()
        return low + int.from_bytes(digest[:8], "big") % (high - low + 1)


def add_demo(connection: Connection, module: SecurityModule, today: datetime.date, now_us: int) -> bool:
    """Add the demo customers where they are not there yet; False where they are."""
    found = connection.execute(
        select(customers.c.customer_id).where(customers.c.customer_id == _customer_id(PEOPLE[0]))
    )
    if found.first() is not None:
        return False
    connection.execute(insert(customers), [_customer_row(person) for person in PEOPLE])
    connection.execute(insert(cards), [row for person in PEOPLE for row in _card_rows(person, module)])
    connection.execute(insert(accounts), list(_account_rows()))
    movements = [movement for person in PEOPLE for movement in history(person, today)]
    _post(connection, sorted(movements, key=lambda movement: movement.day), now_us)
    return True


def account_id(number: str) -> str:
    """The id of a demo account, from its number."""
    digest = hashlib.sha256(f"demo/{number}".encode()).digest()
    return make_id(0, digest[:10])


def history(person: DemoCustomer, today: datetime.date) -> Iterator[Movement]:
    """Half a year of somebody's money, oldest first, the last of it not after ``today``."""
    dice = Dice(f"guichet demo {person.current[-4:]}")
    current, savings = account_id(person.current), account_id(person.savings)
    begin = today - datetime.timedelta(days=_DAYS)
    yield Movement(begin, current, _CLEARING, person.opening, "Balance brought forward")
    yield Movement(begin, savings, _CLEARING, person.opening * 3, "Balance brought forward")
    for offset in range(1, _DAYS + 1):
        day = begin + datetime.timedelta(days=offset)
        yield from _regular(person, day, current, savings, dice)
        if dice.between(1, 100) <= 62:
            shop, low, high = _SHOPS[dice.between(0, len(_SHOPS) - 1)]
            yield Movement(day, current, _CLEARING, -dice.between(low, high), shop)


def _regular(person: DemoCustomer, day: datetime.date, current: str, savings: str, dice: Dice) -> Iterator[Movement]:
    match day.day:
        case 1:
            yield Movement(day, current, _CLEARING, -person.rent, "Rent")
        case 5:
            yield Movement(day, current, _CLEARING, person.salary, person.employer)
        case 6:
            yield Movement(day, savings, current, 15_000, "To savings")
        case 12:
            yield Movement(day, current, _CLEARING, -dice.between(4_100, 9_800), "Electricity")
        case 20:
            yield Movement(day, current, _CLEARING, -2_490, "Internet and telephone")
        case 28 if dice.between(1, 3) == 1:
            yield Movement(day, current, _CLEARING, -dice.between(3, 9) * 1_000, "Cash withdrawal, Brīvības iela")
        case _:
            return


def _post(connection: Connection, movements: list[Movement], now_us: int) -> None:
    """Book them in order: a posting's number orders the lines of a day."""
    legs: list[Row] = []
    heads: list[Row] = []
    for index, movement in enumerate(movements):
        transaction = make_id(0, hashlib.sha256(f"demo transaction {index}".encode()).digest()[:10])
        legs += _leg_rows(transaction, movement)
        heads.append(_head_row(transaction, movement, now_us))
    connection.execute(insert(postings), legs)
    connection.execute(insert(transactions), heads)


def _leg_rows(transaction: str, movement: Movement) -> Iterator[Row]:
    for name, minor in ((movement.account, movement.minor), (movement.other, -movement.minor)):
        yield {
            "transaction_id": transaction,
            "ledger": LEDGER,
            "account_id": name,
            "currency": CURRENCY,
            "amount_minor": minor,
        }


def _head_row(transaction: str, movement: Movement, now_us: int) -> Row:
    return {
        "transaction_id": transaction,
        "ledger": LEDGER,
        "kind": TransactionKind.TRANSFER,
        "business_date": movement.day,
        "value_date": movement.day,
        "booked_at_us": now_us,
        "text": movement.text,
    }


def _customer_id(person: DemoCustomer) -> str:
    return f"demo-{person.current[-4:]}"


def _customer_row(person: DemoCustomer) -> Row:
    return {
        "customer_id": _customer_id(person),
        "ledger": LEDGER,
        "display_name": person.name,
        "language": person.language,
    }


def _card_rows(person: DemoCustomer, module: SecurityModule) -> Iterator[Row]:
    for pan, expiry in person.cards:
        yield {
            "pan_index": module.pan_index(pan),
            "ledger": LEDGER,
            "customer_id": _customer_id(person),
            "masked": masked(pan),
            "expiry": expiry,
            "state": person.state,
            "pin_reference": module.pin_reference(pan, person.pin),
            "wrong_tries": 0,
        }


def _account_rows() -> Iterator[Row]:
    for person in PEOPLE:
        yield _account_row(person.current, "Current account", _customer_id(person), takes_deposits=True)
        yield _account_row(person.savings, "Savings account", _customer_id(person), takes_deposits=False)
    yield {
        "account_id": _CLEARING,
        "ledger": LEDGER,
        "kind": AccountKind.CLEARING,
        "currency": CURRENCY,
        "terminal_id": None,
        "customer_id": None,
        "number": "",
        "product": "Other banks",
        "state": AccountState.OPEN,
        "takes_deposits": False,
    }


def _account_row(number: str, product: str, customer: str, *, takes_deposits: bool) -> Row:
    return {
        "account_id": account_id(number),
        "ledger": LEDGER,
        "kind": AccountKind.CUSTOMER,
        "currency": CURRENCY,
        "terminal_id": None,
        "customer_id": customer,
        "number": number,
        "product": product,
        "state": AccountState.OPEN,
        "takes_deposits": takes_deposits,
    }
