"""Whose a deposit is that began without the host: from the sealed card number to an account, once for ever.

Of the customer's open accounts of the deposit's currency that take deposits, the first by product and number is taken:
the one that the terminal would have listed first. The PIN's tries do not matter, for no PIN was asked for. A card
counts as expired if it was on the day on which the deposit began.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from sqlalchemy import Connection, insert, select

from guichet.ids import DepositId
from guichet.offline import OfflineStart, pan_purpose
from guichet.sealing import BadSeal, unseal
from host.bankdays import Calendar
from host.customers.authentication import expired
from host.customers.schema import CardState, cards
from host.fleet.incidents import Incident, open_incidents
from host.fleet.standing import Terminal
from host.hsm.api import SecurityModule
from host.ledger.kinds import AccountKind, AccountState
from host.ledger.schema import accounts
from host.offline.schema import Resolved, offline_deposits

_PAN = re.compile(r"[0-9]{12,19}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Resolution:
    """``account_id`` is empty where there is none; ``pan_index`` where the number could not be read."""

    resolved: Resolved
    account_id: str = ""
    pan_index: bytes = b""


@dataclass(frozen=True, slots=True)
class CardAccounts:
    """Finds accounts by sealed card numbers. A number is in memory for as long as it is looked up, and nowhere else."""

    key: X25519PrivateKey
    module: SecurityModule
    calendar: Calendar

    def account_of(self, connection: Connection, terminal: Terminal, deposit: DepositId, start: OfflineStart) -> str:
        """The account of the deposit, empty for none: what its first advice found, whatever has changed since."""
        c, now_us = offline_deposits.c, self.calendar.clock.wall_us()
        mine = (c.terminal_id == terminal.terminal_id, c.deposit_id == deposit)
        sealed_hash = hashlib.sha256(start.sealed_pan).digest()
        row = connection.execute(select(c.account_id, c.sealed_hash).where(*mine)).first()
        if row is not None:
            if row[1] != sealed_hash:
                open_incidents(connection, (_another_card(terminal, deposit, sealed_hash),), now_us)
            return row[0]
        found = self._resolve(connection, terminal, deposit, start, now_us)
        _keep(connection, terminal, deposit, start, sealed_hash, found, now_us)
        return found.account_id

    def _resolve(
        self, connection: Connection, terminal: Terminal, deposit: DepositId, start: OfflineStart, now_us: int
    ) -> Resolution:
        try:
            pan = unseal(self.key, start.sealed_pan, pan_purpose(deposit)).decode("latin-1")
        except BadSeal:
            pan = ""
        if _PAN.fullmatch(pan) is None:
            incident = _unreadable(terminal, deposit)
            open_incidents(connection, (incident,), now_us)
            return Resolution(Resolved.UNREADABLE)
        if not pan.startswith(start.bin):
            open_incidents(connection, (_other_bin(terminal, deposit, start),), now_us)
        index = self.module.pan_index(pan)
        c = cards.c
        query = select(c.customer_id, c.expiry, c.state).where(c.pan_index == index, c.ledger == terminal.ledger)
        row = connection.execute(query).first()
        if row is None:
            return Resolution(Resolved.UNKNOWN_CARD, pan_index=index)
        customer, expiry, state = row
        if state is CardState.BLOCKED:
            return Resolution(Resolved.CARD_BLOCKED, pan_index=index)
        if expired(expiry, self.calendar.day_of(min(start.started_at_us, now_us))):
            return Resolution(Resolved.CARD_EXPIRED, pan_index=index)
        account = _first_account(connection, customer, terminal, start.currency.code)
        resolved = Resolved.ACCOUNT if account else Resolved.NO_ACCOUNT
        return Resolution(resolved, account, index)


def _first_account(connection: Connection, customer: str, terminal: Terminal, currency: str) -> str:
    c = accounts.c
    takes = (
        c.customer_id == customer,
        c.kind == AccountKind.CUSTOMER,
        c.ledger == terminal.ledger,
        c.currency == currency,
        c.state == AccountState.OPEN,
        c.takes_deposits.is_(True),
    )
    query = select(c.account_id).where(*takes).order_by(c.product, c.number, c.account_id).limit(1)
    return connection.execute(query).scalar() or ""


def _keep(
    connection: Connection,
    terminal: Terminal,
    deposit: DepositId,
    start: OfflineStart,
    sealed_hash: bytes,
    found: Resolution,
    now_us: int,
) -> None:
    values = {
        "terminal_id": terminal.terminal_id,
        "deposit_id": deposit,
        "sealed_hash": sealed_hash,
        "pan_index": found.pan_index,
        "account_id": found.account_id,
        "resolved": found.resolved,
        "limits_number": start.limits_number,
        "bin": start.bin,
        "currency": start.currency.code,
        "started_at_us": start.started_at_us,
        "resolved_at_us": now_us,
    }
    connection.execute(insert(offline_deposits).values(values))


def _another_card(terminal: Terminal, deposit: str, sealed_hash: bytes) -> Incident:
    text = f"deposit {deposit} came again with another sealed card number; it stays with the account of the first"
    return Incident("offline-another-card", terminal.terminal_id, deposit, text, f"{deposit}/{sealed_hash.hex()}")


def _unreadable(terminal: Terminal, deposit: str) -> Incident:
    text = f"the card number of deposit {deposit} was not sealed to this host's key for it: it is booked to suspense"
    return Incident("offline-card-unreadable", terminal.terminal_id, deposit, text, deposit)


def _other_bin(terminal: Terminal, deposit: str, start: OfflineStart) -> Incident:
    text = (
        f"the card of deposit {deposit} is not of BIN {start.bin}, by whose limit it began; it is booked all the same"
    )
    return Incident("offline-outside-limits", terminal.terminal_id, deposit, text, f"{deposit}/bin")
