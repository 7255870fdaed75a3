"""Customer sessions: a secret token, ten minutes, one terminal, one customer's accounts."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from guichet.seams import Random
from host.customers.schema import customer_sessions, customers
from host.fleet.standing import Terminal
from host.ledger.kinds import AccountKind, AccountState
from host.ledger.schema import accounts
from host.readable import masked

LIFE_US = 10 * 60 * 1_000_000


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """An account as its holder may see it. ``masked`` shows the last four digits."""

    account_id: str
    masked: str
    product: str
    currency: str
    takes_deposits: bool


@dataclass(frozen=True, slots=True)
class Session:
    """Who a token stands for."""

    customer_id: str
    display_name: str


def open_session(
    connection: Connection, terminal: Terminal, customer_id: str, session_id: str, random: Random, now_us: int
) -> str:
    """A new token. Sessions that are over are cleared away by the way."""
    token = base64.urlsafe_b64encode(random.bytes(32)).decode("ascii").rstrip("=")
    connection.execute(delete(customer_sessions).where(customer_sessions.c.expires_at_us <= now_us))
    values = {
        "token_hash": _hash(token),
        "terminal_id": terminal.terminal_id,
        "customer_id": customer_id,
        "session_id": session_id,
        "expires_at_us": now_us + LIFE_US,
    }
    connection.execute(insert(customer_sessions).values(values))
    return token


def find_session(connection: Connection, terminal: Terminal, token: str, now_us: int) -> Session | None:
    """Who the token stands for; None where it is unknown, over, or another terminal's."""
    c = customer_sessions.c
    query = select(c.customer_id, customers.c.display_name).join_from(customer_sessions, customers)
    open_here = (c.token_hash == _hash(token), c.terminal_id == terminal.terminal_id, c.expires_at_us > now_us)
    row = connection.execute(query.where(*open_here)).first()
    return None if row is None else Session(*row)


def accounts_of(connection: Connection, customer_id: str) -> tuple[OwnAccount, ...]:
    """The customer's accounts that are not closed, by product."""
    c = accounts.c
    query = select(c.account_id, c.number, c.product, c.currency, c.takes_deposits, c.state)
    query = query.where(c.customer_id == customer_id, c.kind == AccountKind.CUSTOMER)
    rows = connection.execute(query.where(c.state != AccountState.CLOSED).order_by(c.product, c.number)).all()
    return tuple(
        OwnAccount(account, masked(number), product, currency, takes and state is AccountState.OPEN)
        for account, number, product, currency, takes, state in rows
    )


def own_account(connection: Connection, session: Session, account_id: str) -> OwnAccount | None:
    """The account if it is this customer's; None otherwise."""
    mine = [account for account in accounts_of(connection, session.customer_id) if account.account_id == account_id]
    return mine[0] if mine else None


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
