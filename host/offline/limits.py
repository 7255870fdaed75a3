"""The limits that the host signs for a terminal: numbered lists, of which the newest counts and none ever changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select

from guichet.ids import TerminalId
from guichet.offline import Limit, Limits, limits_bytes, parse_limits
from guichet.seams import Domain, Signer
from host.fleet.schema import terminals
from host.offline.schema import offline_limits


class UnknownTerminal(Exception):
    """No terminal of this name has ever enrolled."""


@dataclass(frozen=True, slots=True)
class SignedLimits:
    """A list as it is kept: ``content`` and ``signature`` verbatim, and who had it signed when."""

    limits: Limits
    set_at_us: int
    set_by: str
    content: bytes
    signature: bytes

    def good(self, now_us: int) -> bool:
        """Whether a deposit may begin by it now."""
        return bool(self.limits.limits) and now_us < self.limits.expires_at_us


def newest(connection: Connection, terminal: TerminalId) -> SignedLimits | None:
    """The list that counts; None where there never was one."""
    c = offline_limits.c
    query = select(c.set_at_us, c.set_by, c.content, c.signature).where(c.terminal_id == terminal)
    row = connection.execute(query.order_by(c.number.desc()).limit(1)).first()
    return None if row is None else SignedLimits(parse_limits(row[2]), *row)


def numbered(connection: Connection, terminal: TerminalId, number: int) -> Limits | None:
    """The list of that number; None where the terminal never had it."""
    c = offline_limits.c
    row = connection.execute(select(c.content).where(c.terminal_id == terminal, c.number == number)).first()
    return None if row is None else parse_limits(row[0])


def _number_at(now_us: int) -> int:
    """The second as it is written, 20261130164500. A host that has lost lists with its database gives no number again
    that a terminal goes by already.
    """
    return int(f"{datetime.fromtimestamp(now_us // 1_000_000, UTC):%Y%m%d%H%M%S}")


def set_limits(
    connection: Connection,
    signer: Signer,
    terminal: TerminalId,
    limits: Iterable[Limit],
    life_us: int,
    who: str,
    now_us: int,
) -> SignedLimits:
    """Sign a new list, good for ``life_us`` microseconds; without limits it withdraws all that were. Raises
    :class:`UnknownTerminal` and :class:`guichet.offline.OfflineError`.
    """
    if connection.execute(select(terminals.c.terminal_id).where(terminals.c.terminal_id == terminal)).first() is None:
        raise UnknownTerminal(f"no terminal {terminal} has enrolled here")
    before = newest(connection, terminal)
    number = max(_number_at(now_us), 0 if before is None else before.limits.number + 1)
    made = Limits(terminal, number, now_us, now_us + life_us, tuple(limits))
    content = limits_bytes(made)
    signature = signer.sign(Domain.OFFLINE_LIMITS, content)
    values = {
        "terminal_id": terminal,
        "number": number,
        "set_at_us": now_us,
        "set_by": who[:64],
        "content": content,
        "signature": signature,
    }
    connection.execute(insert(offline_limits).values(values))
    return SignedLimits(made, now_us, who[:64], content, signature)
