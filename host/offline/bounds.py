"""Whether deposits without the host kept to what it had signed. What did not is booked all the same: the cash is in the
box. It is an incident, for a person to look at the terminal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from guichet.ids import TerminalId
from guichet.offline import DAY_US, Limit, Limits
from host.fleet.incidents import Incident
from host.ledger.kinds import Outcome
from host.ledger.reading import Deposit, kept_outcomes, of_deposits
from host.ledger.schema import note_outcomes
from host.offline.limits import numbered
from host.offline.schema import offline_deposits

_USED = (Outcome.CREDITED, Outcome.IN_DOUBT)


@dataclass(frozen=True, slots=True)
class Began:
    """A deposit that began without the host. ``minor``: what is in the box by it, or may be, of its currency."""

    terminal_id: TerminalId
    deposit_id: str
    pan_index: bytes
    limits_number: int
    bin: str
    currency: str
    started_at_us: int
    minor: int = 0


def outside(one: Began, limits: Limits | None, day: Sequence[Began]) -> Iterator[str]:
    """Each way in which ``one`` went over what it says it began by. ``day``: all of its terminal's that day, itself
    too. Pure.
    """
    if limits is None:
        yield f"it began by list {one.limits_number}, which this terminal never had"
        return
    if not limits.issued_at_us <= one.started_at_us < limits.expires_at_us:
        yield f"it began when list {one.limits_number} was not good"
    limit = next((x for x in limits.limits if (x.bin, x.currency.code) == (one.bin, one.currency)), None)
    if limit is None:
        yield f"list {one.limits_number} has no limit for BIN {one.bin} in {one.currency}"
        return
    yield from _over(limit, one, [other for other in day if (other.bin, other.currency) == (one.bin, one.currency)])


def _over(limit: Limit, one: Began, of_bin: Sequence[Began]) -> Iterator[str]:
    of_card = [other for other in of_bin if other.pan_index == one.pan_index]
    if (minor := sum(other.minor for other in of_bin)) > limit.per_terminal.minor:
        yield f"the day's deposits of BIN {one.bin} come to {minor} minor units, over {limit.per_terminal} a terminal"
    if (minor := sum(other.minor for other in of_card)) > limit.per_card.minor:
        yield f"the card's deposits of the day come to {minor} minor units, over {limit.per_card} a card"
    if (count := sum(other.minor > 0 for other in of_card)) > limit.deposits:
        yield f"the card has made {count} deposits that day, over {limit.deposits}"


def incidents_of(connection: Connection, deposits: Collection[Deposit]) -> list[Incident]:
    """An incident for each way in which one of ``deposits``, as they are booked now, went over its limits."""
    found: list[Incident] = []
    for terminal, deposit in sorted(deposits):
        one, day = _day_of(connection, terminal, deposit)
        if one is None:
            continue
        for text in outside(one, numbered(connection, one.terminal_id, one.limits_number), day):
            what = f"deposit {deposit}, made while this host was away: {text}; it is booked all the same"
            found.append(Incident("offline-outside-limits", terminal, deposit, what, f"{deposit}/{text}"))
    return found


def _day_of(connection: Connection, terminal: str, deposit: str) -> tuple[Began | None, list[Began]]:
    c = offline_deposits.c
    columns = (c.terminal_id, c.deposit_id, c.pan_index, c.limits_number, c.bin, c.currency, c.started_at_us)
    query = select(*columns).where(c.terminal_id == terminal)
    row = connection.execute(query.where(c.deposit_id == deposit)).first()
    if row is None:
        return None, []
    begin = row[-1] // DAY_US * DAY_US
    that_day = query.where(c.started_at_us >= begin, c.started_at_us < begin + DAY_US)
    rows = connection.execute(that_day).all()
    used = _used(connection, {(row[0], row[1]) for row in rows})
    day = [
        Began(TerminalId(row[0]), row[1], row[2], row[3], row[4], row[5], row[6], used.get((row[0], row[1], row[5]), 0))
        for row in rows
    ]
    return next(one for one in day if one.deposit_id == deposit), day


def _used(connection: Connection, deposits: Collection[Deposit]) -> dict[tuple[str, str, str], int]:
    """Minor units in the box, or maybe, by terminal, deposit and currency."""
    c = note_outcomes.c
    last = {
        (*kept.deposit, kept.settled.note.note_id): kept.settled.note
        for kept in kept_outcomes(connection, of_deposits(c.terminal_id, c.deposit_id, deposits))
    }
    used: dict[tuple[str, str, str], int] = {}
    for (terminal, deposit, _), note in last.items():
        if note.outcome in _USED:
            key = (terminal, deposit, note.value.currency.code)
            used[key] = used.get(key, 0) + note.value.minor
    return used
