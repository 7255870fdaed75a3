"""Who stands in front of a terminal: the card, the PIN, and the tries, counted here and nowhere else."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Connection, Update, select, update

from guichet.pin import Ksn
from host.customers.schema import CardState, cards, customers
from host.fleet.incidents import Incident, open_incidents
from host.fleet.standing import Terminal
from host.hsm.api import PinCheck, SecurityModule
from host.hsm.counters import take_counter

MAX_TRIES = 3
_NO_REFERENCE = bytes(32)
_PAN = re.compile(r"[0-9]{12,19}", re.ASCII)
_EXPIRY = re.compile(r"[0-9]{2}(0[1-9]|1[0-2])", re.ASCII)


class RefusedBecause(Enum):
    """Why a card holder is not let in."""

    WRONG_PIN = "wrong PIN"
    PIN_BLOCKED = "PIN blocked"
    UNKNOWN_CARD = "unknown card"
    CARD_EXPIRED = "card expired"
    CARD_BLOCKED = "card blocked"


class BadAttempt(ValueError):
    """What came cannot be an attempt: a card number or an expiry of another form."""


@dataclass(frozen=True, slots=True, repr=False)
class Attempt:
    """A card and a PIN block, once. Raises :class:`BadAttempt` for digits that are none."""

    pan: str
    expiry: str
    block: bytes
    ksn: Ksn

    def __post_init__(self) -> None:
        if _PAN.fullmatch(self.pan) is None:
            raise BadAttempt("a card number has 12 to 19 digits")
        if _EXPIRY.fullmatch(self.expiry) is None:
            raise BadAttempt("an expiry is YYMM")

    def __repr__(self) -> str:
        return "Attempt(****)"


@dataclass(frozen=True, slots=True)
class Known:
    """The customer who holds the card."""

    customer_id: str
    display_name: str
    language: str


@dataclass(frozen=True, slots=True)
class Denied:
    """Nobody is let in. ``tries_left`` is meant for a wrong PIN."""

    reason: RefusedBecause
    tries_left: int = 0


@dataclass(frozen=True, slots=True)
class Unverifiable:
    """A counter seen before, or a block of another key: no PIN was compared and no try is counted. ``text`` says which
    to the engineer.
    """

    text: str


@dataclass(frozen=True, slots=True)
class _Card:
    customer_id: str
    expiry: str
    state: CardState
    pin_reference: bytes
    wrong_tries: int
    holder: Known


def expired(expiry: str, today: datetime.date) -> bool:
    """Whether a card of ``expiry`` (YYMM) is over: it is good to the end of that month. Years are 2000 to 2099."""
    return (2000 + int(expiry[:2]), int(expiry[2:])) < (today.year, today.month)


def authenticate(
    connection: Connection,
    module: SecurityModule,
    terminal: Terminal,
    attempt: Attempt,
    today: datetime.date,
    now_us: int,
) -> Known | Denied | Unverifiable:
    """Decide about one attempt. What it changes (the counter, the tries) is to be committed whatever it gives back.

    The PIN is verified for an unknown card too, so that the answer's delay does not tell which numbers exist.
    """
    if not take_counter(connection, attempt.ksn, terminal.terminal_id):
        open_incidents(connection, (_replayed(terminal, attempt.ksn),), now_us)
        return Unverifiable("this PIN block's key is not this terminal's, or was used before")
    index = module.pan_index(attempt.pan)
    card = _card(connection, index, terminal)
    reference = _NO_REFERENCE if card is None else card.pin_reference
    checked = module.verify_pin(attempt.pan, attempt.block, attempt.ksn, reference)
    if checked is PinCheck.UNREADABLE:
        return Unverifiable("not a PIN block of this key and card")
    refusal = _unusable(card, attempt, today)
    if card is None or refusal is not None:
        return Denied(refusal or RefusedBecause.UNKNOWN_CARD)
    return _count(connection, index, terminal, card, right=checked is PinCheck.RIGHT)


def _unusable(card: _Card | None, attempt: Attempt, today: datetime.date) -> RefusedBecause | None:
    if card is None:
        return RefusedBecause.UNKNOWN_CARD
    if card.state is CardState.BLOCKED:
        return RefusedBecause.CARD_BLOCKED
    if expired(card.expiry, today) or expired(attempt.expiry, today):
        return RefusedBecause.CARD_EXPIRED
    return RefusedBecause.PIN_BLOCKED if card.wrong_tries >= MAX_TRIES else None


def _count(connection: Connection, index: bytes, terminal: Terminal, card: _Card, *, right: bool) -> Known | Denied:
    tries = 0 if right else card.wrong_tries + 1
    connection.execute(_card_update(index, terminal).values(wrong_tries=tries))
    if right:
        return card.holder
    left = MAX_TRIES - tries
    return Denied(RefusedBecause.WRONG_PIN, left) if left else Denied(RefusedBecause.PIN_BLOCKED)


def _card(connection: Connection, index: bytes, terminal: Terminal) -> _Card | None:
    c = cards.c
    query = select(
        c.customer_id, c.expiry, c.state, c.pin_reference, c.wrong_tries, customers.c.display_name, customers.c.language
    )
    query = query.join_from(cards, customers).where(c.pan_index == index, c.ledger == terminal.ledger)
    row = connection.execute(query).first()
    if row is None:
        return None
    customer_id, expiry, state, reference, tries, name, language = row
    return _Card(customer_id, expiry, state, reference, tries, Known(customer_id, name, language))


def _card_update(index: bytes, terminal: Terminal) -> Update:
    return update(cards).where(cards.c.pan_index == index, cards.c.ledger == terminal.ledger)


def _replayed(terminal: Terminal, ksn: Ksn) -> Incident:
    text = "a PIN block came whose key is not this terminal's, or whose counter was used before"
    return Incident("pin-block-replayed", terminal.terminal_id, ksn.key_id.hex(), text, ksn.encode().hex())
