"""A terminal's standing: whether it belongs here, by which certificate, and in which ledger."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Connection, bindparam, func, select, update

from guichet.ids import TerminalId
from host.fleet.schema import terminals
from host.ledger.kinds import Ledger
from host.pki.schema import Withdrawal, certificates

# Asked for with every item of every terminal: made once, only its values change.
_STANDING = (
    select(terminals.c.ledger, certificates.c.withdrawn_at_us, certificates.c.not_after_us)
    .join_from(certificates, terminals)
    .where(certificates.c.serial == bindparam("serial"), certificates.c.terminal_id == bindparam("terminal"))
)


class Standing(Enum):
    """What a terminal that shows a certificate may do."""

    GOOD = "good"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Terminal:
    """A terminal that may open a session."""

    terminal_id: TerminalId
    ledger: Ledger


@dataclass(frozen=True, slots=True)
class SignedBy:
    """A key that a terminal has or had, and whether it was revoked since."""

    terminal: Terminal
    public_key: bytes
    revoked: bool


def standing(
    connection: Connection, terminal: TerminalId, serial: str, now_us: int
) -> tuple[Standing, Terminal | None]:
    """What the database says about this certificate. Its signature was checked by TLS, as were its dates when the
    connection was opened; a connection may outlive them.
    """
    row = connection.execute(_STANDING, {"serial": serial, "terminal": terminal}).first()
    if row is None:
        return Standing.UNKNOWN, None
    ledger, withdrawn_at_us, not_after_us = row
    if withdrawn_at_us is not None or not_after_us <= now_us:
        return Standing.WITHDRAWN, None
    return Standing.GOOD, Terminal(terminal, ledger)


def keys_of(connection: Connection, terminals_asked: Collection[TerminalId]) -> dict[TerminalId, tuple[SignedBy, ...]]:
    """Every key that each terminal ever had, the newest first: what an old one signed is still to be settled."""
    query = select(terminals.c.terminal_id, terminals.c.ledger, certificates.c.public_key, certificates.c.withdrawal)
    query = query.join_from(certificates, terminals).where(terminals.c.terminal_id.in_(terminals_asked))
    keys: dict[TerminalId, tuple[SignedBy, ...]] = {}
    for name, ledger, key, why in connection.execute(query.order_by(certificates.c.not_after_us.desc())):
        terminal = Terminal(TerminalId(name), ledger)
        signed_by = SignedBy(terminal, key, why is Withdrawal.REVOKED)
        keys[terminal.terminal_id] = (*keys.get(terminal.terminal_id, ()), signed_by)
    return keys


def revoked_at_us(connection: Connection, terminal: TerminalId) -> int:
    """When the terminal was last revoked; before everything where it never was."""
    c = certificates.c
    mine = (c.terminal_id == terminal, c.withdrawal == Withdrawal.REVOKED)
    return connection.execute(select(func.max(c.withdrawn_at_us)).where(*mine)).scalar() or -1


def is_lost(connection: Connection, terminal: TerminalId) -> bool:
    """Whether the terminal was revoked and not enrolled again: it says nothing more."""
    c = certificates.c
    in_use = select(c.serial).where(c.terminal_id == terminal, c.withdrawn_at_us.is_(None)).limit(1)
    return revoked_at_us(connection, terminal) >= 0 and connection.execute(in_use).first() is None


def withdraw(
    connection: Connection, terminal: TerminalId, why: Withdrawal, now_us: int, *, serial: str | None = None
) -> int:
    """Take the terminal's certificates, or the one of ``serial``, out of use; gives how many were in use. Who revokes a
    terminal trusts none of the keys that it had before either: what they sign comes with an incident from then on.
    """
    if why is Withdrawal.REVOKED and serial is None:
        former = (certificates.c.terminal_id == terminal, certificates.c.withdrawal == Withdrawal.SUPERSEDED)
        connection.execute(update(certificates).where(*former).values(withdrawal=Withdrawal.REVOKED))
    in_use = [certificates.c.terminal_id == terminal, certificates.c.withdrawn_at_us.is_(None)]
    in_use += [certificates.c.serial == serial] if serial is not None else []
    statement = update(certificates).where(*in_use).values(withdrawn_at_us=now_us, withdrawal=why)
    return connection.execute(statement).rowcount
