"""Whether a deposit may begin while the host is away, and how much it may be. Pure: everything comes in as values.

The host has said beforehand what cards of which BIN may do (guichet.offline). Where several reasons speak against it,
the one that concerns the terminal comes first. A limit with less left than the smallest note counts as used up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum

from guichet.ids import DepositId
from guichet.money import Currency, Money
from guichet.offline import DAY_US, MARK_BITS, Limit, Limits, OfflineStart
from kiosk.journal.offline import Card, Use

BIN_DIGITS = 8
"""So much of a card number a limit looks at, at most."""


class Reason(Enum):
    """Why no deposit may begin; the value is the code for the engineer."""

    OFF = "offline-off"
    NO_TRUSTED_TIME = "offline-no-time"
    EXPIRED = "offline-expired"
    CARD_EXPIRED = "card-expired"
    JOURNAL_RESTORED = "offline-journal-restored"
    OTHER_BIN = "offline-other-bin"
    OTHER_CURRENCY = "offline-other-currency"
    TERMINAL_USED_UP = "offline-terminal-used-up"
    CARD_USED_UP = "offline-card-used-up"


@dataclass(frozen=True, slots=True)
class Standing:
    """How things are at the terminal. ``limits``: the newest list, None for none. ``now_us``: the host's time, None
    where nobody knows it. ``certificate_until_us``: until when this terminal is one; afterwards it serves nobody by
    itself either. ``uses``: what was deposited today, by card. ``notes``: the values that the terminal takes.
    ``full``: currencies of which only this machine knows of as much as it may. ``closed_day``: what was used up to this
    day nobody knows.
    """

    limits: Limits | None
    now_us: int | None
    certificate_until_us: int
    uses: Mapping[Card, Use]
    notes: Collection[Money]
    full: Collection[Currency] = ()
    closed_day: int = -1


@dataclass(frozen=True, slots=True)
class Holder:
    """What of a card counts: its first digits, its mark, and its expiry as YYMM."""

    digits: str
    mark: int
    expiry: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """A deposit may begin by ``limit``, at ``now_us`` of the host's time, of at most ``left``."""

    limit: Limit
    limits_number: int
    now_us: int
    left: Money


@dataclass(frozen=True, slots=True)
class Opening:
    """A deposit that begins without the host: of at most ``most``; ``start`` is how, once it has its id."""

    most: Money
    start: Callable[[DepositId], OfflineStart]


def allowance(standing: Standing, holder: Holder, year_month: str) -> Allowed | Reason:
    """Whether ``holder`` may deposit, and how much. ``year_month``: the month of the standing's time, as YYMM. Of
    several currencies the first of the list is taken in which something is left.
    """
    good = _good(standing)
    if isinstance(good, Reason):
        return good
    limits, now_us = good
    if holder.expiry.isdecimal() and holder.expiry < year_month:
        return Reason.CARD_EXPIRED
    of_card = limits.of(holder.digits)
    if not of_card:
        return Reason.OTHER_BIN
    taken = [limit for limit in of_card if _smallest(standing.notes, limit.currency) is not None]
    if not taken:
        return Reason.OTHER_CURRENCY
    lefts = [_left(standing, limit, holder) for limit in taken]
    for limit, left in zip(taken, lefts, strict=True):
        if isinstance(left, Money):
            return Allowed(limit, limits.number, now_us, left)
    return next(left for left in lefts if isinstance(left, Reason))


def open_to_some(standing: Standing) -> Reason | None:
    """Whether any card at all may deposit now; None: yes."""
    good = _good(standing)
    if isinstance(good, Reason):
        return good
    limits, _ = good
    taken = [limit for limit in limits.limits if _smallest(standing.notes, limit.currency) is not None]
    if not taken:
        return Reason.OTHER_CURRENCY
    return None if any(_enough(standing, _of_terminal(standing, limit)) for limit in taken) else Reason.TERMINAL_USED_UP


def fits(left: Money, notes: Collection[Money]) -> bool:
    """Whether the smallest note of ``notes`` still fits in ``left``."""
    smallest = _smallest(notes, left.currency)
    return smallest is not None and smallest.minor <= left.minor


def mark_of(digest: bytes) -> int:
    """A card's mark: the first bits of its keyed hash."""
    return int.from_bytes(digest[:2], "big") >> (16 - MARK_BITS)


def _good(standing: Standing) -> tuple[Limits, int] | Reason:
    if standing.limits is None or not standing.limits.limits:
        return Reason.OFF
    if standing.now_us is None or standing.now_us < standing.limits.issued_at_us:
        return Reason.NO_TRUSTED_TIME  # A clock that stands before the list was made is not the one that made it.
    if standing.now_us >= min(standing.limits.expires_at_us, standing.certificate_until_us):
        return Reason.EXPIRED
    if standing.now_us // DAY_US <= standing.closed_day:
        return Reason.JOURNAL_RESTORED
    return standing.limits, standing.now_us


def _left(standing: Standing, limit: Limit, holder: Holder) -> Money | Reason:
    of_terminal = _of_terminal(standing, limit)
    if not _enough(standing, of_terminal):
        return Reason.TERMINAL_USED_UP
    uses = [use for card, use in _uses(standing, limit) if card.mark == holder.mark]
    of_card = Money(limit.per_card.minor - sum(use.minor for use in uses), limit.currency)
    if not _enough(standing, of_card) or sum(use.deposits for use in uses) >= limit.deposits:
        return Reason.CARD_USED_UP
    return min(of_card, of_terminal)


def _of_terminal(standing: Standing, limit: Limit) -> Money:
    if limit.currency in standing.full:
        return Money(0, limit.currency)
    used = sum(use.minor for _, use in _uses(standing, limit))
    return Money(limit.per_terminal.minor - used, limit.currency)


def _uses(standing: Standing, limit: Limit) -> list[tuple[Card, Use]]:
    return [
        (card, use)
        for card, use in standing.uses.items()
        if card.currency == limit.currency.code and card.shares_bin(limit.bin)
    ]


def _enough(standing: Standing, left: Money) -> bool:
    return fits(left, standing.notes)


def _smallest(notes: Collection[Money], currency: Currency) -> Money | None:
    values = [note.minor for note in notes if note.currency == currency]
    return Money(min(values), currency) if values else None
