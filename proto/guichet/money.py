"""Money as an integer of minor units with a currency; no float ever touches an amount."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# ISO 4217 code -> number of decimal places, for the currencies that a self-service terminal of ours may meet.
_EXPONENTS = {
    "AED": 2, "BGN": 2, "BYN": 2, "CAD": 2, "CHF": 2, "CNY": 2, "CZK": 2, "DKK": 2, "EUR": 2, "GBP": 2, "HUF": 2,
    "INR": 2, "JPY": 0, "KRW": 0, "KWD": 3, "KZT": 2, "MXN": 2, "NOK": 2, "PLN": 2, "QAR": 2, "RON": 2, "RUB": 2,
    "SEK": 2, "TRY": 2, "UAH": 2, "USD": 2, "UZS": 2, "ZAR": 2,
}  # fmt: skip

# The largest amount that any record, message or column carries: it fits a signed 64-bit integer with room for sums.
MAX_MINOR = 10**15


class MoneyError(ValueError):
    """An amount or a currency that cannot be what it claims to be."""


@dataclass(frozen=True, slots=True, order=True)
class Currency:
    """A currency by its ISO 4217 code.

    Raises :class:`MoneyError` for a code that this build does not know: an unknown exponent would make every amount
    of it a guess.
    """

    code: str

    def __post_init__(self) -> None:
        if self.code not in _EXPONENTS:
            raise MoneyError(f"unknown currency {self.code!r}")

    @property
    def exponent(self) -> int:
        """Decimal places between the major and the minor unit: 2 for EUR, 0 for JPY."""
        return _EXPONENTS[self.code]

    def __str__(self) -> str:
        return self.code


@dataclass(frozen=True, slots=True)
class Money:
    """An amount: ``minor`` units (cents) of one currency. Negative amounts are allowed: postings have signs.

    Raises :class:`MoneyError` for a non-integer or for more than ``MAX_MINOR`` either way.
    """

    minor: int
    currency: Currency

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise MoneyError(f"an amount is an integer of minor units, not {type(self.minor).__name__}")
        if not -MAX_MINOR <= self.minor <= MAX_MINOR:
            raise MoneyError(f"amount {self.minor} is out of range")

    def __add__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __mul__(self, count: int) -> Money:
        return Money(self.minor * count, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same_currency(other)
        return self.minor < other.minor

    def _same_currency(self, other: Money) -> None:
        if self.currency != other.currency:
            raise MoneyError(f"{self.currency} and {other.currency} do not mix")

    @property
    def major(self) -> str:
        """The amount in major units, digits only: ``1234.50``, ``-0.05``, ``500`` for a currency without cents."""
        places = self.currency.exponent
        digits = str(abs(self.minor)).rjust(places + 1, "0")
        sign = "-" if self.minor < 0 else ""
        return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)

    def __str__(self) -> str:
        return f"{self.major} {self.currency.code}"


def parse_money(text: str) -> Money:
    """Read ``"20.00 EUR"`` or ``"20 EUR"``: the form that ``str(Money)`` writes.

    Raises :class:`MoneyError` for anything else, and for more decimals than the currency has.
    """
    match = re.fullmatch(r"(-?)(\d{1,16})(?:\.(\d{1,3}))? ([A-Z]{3})", text.strip(), re.ASCII)
    if match is None:
        raise MoneyError(f"not an amount: {text!r} (expected a form like '20.00 EUR')")
    sign, major, decimals, code = match.groups()
    currency = Currency(code)
    if len(decimals or "") > currency.exponent:
        raise MoneyError(f"{code} has {currency.exponent} decimal places: {text!r}")
    minor = int(major + (decimals or "").ljust(currency.exponent, "0"))
    return Money(-minor if sign else minor, currency)


def total(amounts: Iterable[Money], currency: Currency) -> Money:
    """The sum of ``amounts``, all of ``currency``; zero of it for none."""
    return sum(amounts, Money(0, currency))
