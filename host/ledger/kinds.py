"""The words of the books, as closed sets."""

from __future__ import annotations

from enum import Enum


class Ledger(Enum):
    """Two sets of books that share nothing: what a training terminal takes is not money."""

    LIVE = "live"
    TRAINING = "training"


class AccountKind(Enum):
    """What an account stands for. Assets have negative balances here, liabilities positive ones."""

    CUSTOMER = "customer"
    CASH_IN_TERMINAL = "cash-in-terminal"
    CASH_UNCONFIRMED = "cash-unconfirmed"
    VAULT = "vault"
    CLEARING = "clearing"
    SUSPENSE = "suspense"
    IN_DOUBT = "in-doubt"


class AccountState(Enum):
    """Only an open account can be credited; for the others a deposit goes to suspense."""

    OPEN = "open"
    BLOCKED = "blocked"
    CLOSED = "closed"


class Outcome(Enum):
    """What became of a note, as the terminal says: host.ledger.advice reads it from the wire. NOT_FOUND is the host's
    own word, which no terminal has: two operators decided that a note in doubt is not in the box.
    """

    CREDITED = "credited"
    RETURNED = "returned"
    IN_DOUBT = "in-doubt"
    FOUND = "found"
    WITHHELD = "withheld"
    NOT_FOUND = "not-found"


class Booking(Enum):
    """What the host did about a note's outcome."""

    CUSTOMER = "customer"
    SUSPENSE = "suspense"
    IN_DOUBT = "in-doubt"
    NOTHING = "nothing"


class TransactionKind(Enum):
    """Why a transaction was booked."""

    DEPOSIT = "deposit"
    CORRECTION = "correction"
    TRANSFER = "transfer"


class ClaimReason(Enum):
    """Why somebody may ask for money that is not on his account."""

    IN_DOUBT = "in-doubt"
    FOUND = "found"
    WITHHELD = "withheld"
    ACCOUNT_UNUSABLE = "account-unusable"


IN_BOX = (Outcome.CREDITED, Outcome.FOUND, Outcome.WITHHELD)
"""The outcomes of a note that lies in the box."""

SUCCESSORS = {
    Outcome.IN_DOUBT: frozenset(
        {Outcome.CREDITED, Outcome.RETURNED, Outcome.FOUND, Outcome.WITHHELD, Outcome.NOT_FOUND}
    ),
    Outcome.FOUND: frozenset({Outcome.CREDITED, Outcome.WITHHELD}),
    Outcome.CREDITED: frozenset[Outcome](),
    Outcome.RETURNED: frozenset[Outcome](),
    Outcome.WITHHELD: frozenset[Outcome](),
    Outcome.NOT_FOUND: frozenset[Outcome](),
}
"""Which numbered outcome may follow which. What is credited or returned stays so; only a person corrects it."""
