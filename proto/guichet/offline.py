"""Deposits that begin while the host is away: the limits, and how such a deposit began, as both ends read them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from guichet.ids import DepositId, IdError, TerminalId, check_terminal_id
from guichet.money import Currency, Money, MoneyError
from guichet.v1 import offline_pb2 as pb

MAX_LIMITS = 32
MAX_DEPOSITS = 100
MAX_LIFE_US = 31 * 86_400_000_000
"""So long may a list be good: 31 days."""

MARK_BITS = 10
DAY_US = 86_400_000_000

_BIN = re.compile(r"[0-9]{6,8}", re.ASCII)
_MASKED = re.compile(r"\*{4} [0-9]{4}", re.ASCII)
_MAX_SEALED = 1_024
_MAX_NUMBER = 2**63 - 1
# A day later is still a number that a database takes.
_LATEST_US = _MAX_NUMBER - DAY_US


class OfflineError(ValueError):
    """Limits, or the start of a deposit, that cannot be what they claim to be."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What cards of ``bin`` may deposit at a terminal in a day: one of them, all of them, and in how many deposits.
    Raises :class:`OfflineError`.
    """

    bin: str
    per_card: Money
    per_terminal: Money
    deposits: int

    def __post_init__(self) -> None:
        if _BIN.fullmatch(self.bin) is None:
            raise OfflineError(f"a BIN is the first 6 to 8 digits of card numbers, not {self.bin[:20]!r}")
        if self.per_card.currency != self.per_terminal.currency:
            raise OfflineError(f"{self.per_card} a card and {self.per_terminal} a terminal: two currencies")
        if not 0 < self.per_card.minor <= self.per_terminal.minor:
            raise OfflineError(f"{self.per_card} a card, {self.per_terminal} a terminal: above zero, a card's not more")
        if not 1 <= self.deposits <= MAX_DEPOSITS:
            raise OfflineError(f"{self.deposits} deposits a card: 1 to {MAX_DEPOSITS}")

    @property
    def currency(self) -> Currency:
        """The currency of both amounts."""
        return self.per_card.currency


@dataclass(frozen=True, slots=True)
class Limits:
    """One list of a terminal's. Times are the host's, in microseconds since 1970. Raises :class:`OfflineError`."""

    terminal_id: TerminalId
    number: int
    issued_at_us: int
    expires_at_us: int
    limits: tuple[Limit, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.number <= _MAX_NUMBER:
            raise OfflineError("lists are numbered from 1")
        if not 0 <= self.expires_at_us - self.issued_at_us <= MAX_LIFE_US:
            raise OfflineError("a list is good for at most 31 days, and not before it was issued")
        if len(self.limits) > MAX_LIMITS:
            raise OfflineError(f"{len(self.limits)} limits are over {MAX_LIMITS}")
        if len({(limit.bin, limit.currency) for limit in self.limits}) < len(self.limits):
            raise OfflineError("two limits for one BIN and currency")

    def of(self, digits: str) -> tuple[Limit, ...]:
        """The limits for a card whose number begins with ``digits``: a currency at most one, the longest BIN's."""
        longest: dict[Currency, Limit] = {}
        for limit in sorted(self.limits, key=lambda limit: len(limit.bin)):
            if digits.startswith(limit.bin):
                longest[limit.currency] = limit
        return tuple(longest.values())


def limits_bytes(limits: Limits) -> bytes:
    """A list as it is signed, serialised this once."""
    return pb.OfflineLimits(
        terminal_id=limits.terminal_id,
        number=limits.number,
        issued_at_us=limits.issued_at_us,
        expires_at_us=limits.expires_at_us,
        limits=[_limit_message(limit) for limit in limits.limits],
    ).SerializeToString(deterministic=True)


def _limit_message(limit: Limit) -> pb.OfflineLimit:
    return pb.OfflineLimit(
        bin=limit.bin,
        currency=limit.currency.code,
        per_card_day_minor=limit.per_card.minor,
        per_terminal_day_minor=limit.per_terminal.minor,
        deposits_per_card_day=limit.deposits,
    )


def parse_limits(content: bytes) -> Limits:
    """The list in ``content``. Raises :class:`OfflineError`."""
    try:
        message = pb.OfflineLimits.FromString(content)
        return Limits(
            check_terminal_id(message.terminal_id),
            message.number,
            message.issued_at_us,
            message.expires_at_us,
            tuple(_limit(limit) for limit in message.limits),
        )
    except DecodeError as error:
        raise OfflineError("not a list of limits") from error
    except (IdError, MoneyError) as error:
        raise OfflineError(str(error)) from error


def _limit(message: pb.OfflineLimit) -> Limit:
    currency = Currency(message.currency)
    per_card = Money(message.per_card_day_minor, currency)
    per_terminal = Money(message.per_terminal_day_minor, currency)
    return Limit(message.bin, per_card, per_terminal, message.deposits_per_card_day)


@dataclass(frozen=True, slots=True)
class OfflineStart:
    """How a deposit began without the host. ``limits_number`` and ``bin``: by which limit; ``started_at_us``: the
    host's time as the terminal knew it; ``card_mark``: see offline.proto. Raises :class:`OfflineError`.
    """

    sealed_pan: bytes
    card_masked: str
    limits_number: int
    bin: str
    currency: Currency
    started_at_us: int
    card_mark: int

    def __post_init__(self) -> None:
        if not 1 <= len(self.sealed_pan) <= _MAX_SEALED:
            raise OfflineError(f"a sealed card number has 1 to {_MAX_SEALED} bytes")
        if _MASKED.fullmatch(self.card_masked) is None or _BIN.fullmatch(self.bin) is None:
            raise OfflineError("a card is masked down to four digits, and a BIN has 6 to 8")
        if not 1 <= self.limits_number <= _MAX_NUMBER or not 0 <= self.started_at_us <= _LATEST_US:
            raise OfflineError("a number or a time out of range")
        if not 0 <= self.card_mark < 2**MARK_BITS:
            raise OfflineError(f"a card's mark has {MARK_BITS} bits")

    @property
    def day(self) -> int:
        """The day that it counts for: UTC days since 1970."""
        return self.started_at_us // DAY_US


def start_message(start: OfflineStart) -> pb.OfflineStart:
    """As a message."""
    return pb.OfflineStart(
        sealed_pan=start.sealed_pan,
        card_masked=start.card_masked,
        limits_number=start.limits_number,
        bin=start.bin,
        currency=start.currency.code,
        started_at_us=start.started_at_us,
        card_mark=start.card_mark,
    )


def start_of(message: pb.OfflineStart) -> OfflineStart:
    """From a message. Raises :class:`OfflineError`."""
    try:
        currency = Currency(message.currency)
    except MoneyError as error:
        raise OfflineError(str(error)) from error
    return OfflineStart(
        message.sealed_pan,
        message.card_masked,
        message.limits_number,
        message.bin,
        currency,
        message.started_at_us,
        message.card_mark,
    )


def pan_purpose(deposit: DepositId) -> bytes:
    """What a card number is sealed for: one deposit, so that a seal that was copied opens for no other."""
    return b"offline-deposit/" + deposit.encode("ascii")
