"""What a position of a ccTalk device is worth: the identifiers of notes and coins, read as money. Pure.

Digits are read as decimals, never as floats, and what cannot be read exactly is worth nothing that anybody knows: the
position stays unnamed. (ccTalk generic specification 4.7, part 3; sheet section 5.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from guichet.money import Currency, Money, MoneyError

# The specification's two letters are those of ISO 3166, but for the euro. A code that is not here names no currency.
_CURRENCIES: Mapping[str, str] = {
    "EU": "EUR", "US": "USD", "GB": "GBP", "CH": "CHF", "CZ": "CZK", "DK": "DKK", "HU": "HUF", "NO": "NOK",
    "PL": "PLN", "RO": "RON", "RU": "RUB", "SE": "SEK", "TR": "TRY", "UA": "UAH", "CA": "CAD", "CN": "CNY",
    "IN": "INR", "JP": "JPY", "KR": "KRW", "KZ": "KZT", "MX": "MXN", "ZA": "ZAR", "BG": "BGN", "BY": "BYN",
    "AE": "AED", "KW": "KWD", "QA": "QAR", "UZ": "UZS",
}  # fmt: skip
COUNTRY_OF: Mapping[str, str] = {code: country for country, code in _CURRENCIES.items()}
"""The two letters for a currency's code."""

_POWERS = {"m": Decimal("0.001"), ".": Decimal(1), "K": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9)}
_EMPTY = "."


@dataclass(frozen=True, slots=True)
class Scaling:
    """What a country's note values are multiplied by to be minor units, and how many decimals these have."""

    factor: int
    decimals: int

    @property
    def supported(self) -> bool:
        """Whether the device knows the country at all: 0 and 0 say that it does not."""
        return self.factor != 0


class CoinUnit(Enum):
    """What a coin's digits count. The specification's samples have both; a product has one."""

    MINOR = "minor"
    MAJOR = "major"


_NOTE_IDENTIFIER = re.compile(r"[A-Z]{2}[0-9.]{4}[A-Z0-9]", re.ASCII)
_COIN_IDENTIFIER = re.compile(r"[A-Z]{2}[0-9.mKMG]{3}[A-Z0-9]", re.ASCII)


def is_identifier(text: str, *, note: bool) -> bool:
    """Whether ``text`` has the form of a note's or a coin's identifier: an empty position's has not, nor has what was
    said to another question.
    """
    return (_NOTE_IDENTIFIER if note else _COIN_IDENTIFIER).fullmatch(text) is not None


def note_value(identifier: str, scaling: Scaling) -> Money | None:
    """``CCVVVVI``: four characters of digits, perhaps with a point, times the country's factor, in minor units."""
    digits = identifier[2:6]
    if len(identifier) != 7 or not scaling.supported or not re.fullmatch(r"[0-9]*\.?[0-9]*", digits, re.ASCII):
        return None
    if digits.strip(_EMPTY) == "":
        return None
    return _money(Decimal(digits) * scaling.factor / 10**scaling.decimals, identifier)


def coin_value(identifier: str, unit: CoinUnit) -> Money | None:
    """``CCVVVI``: three characters, of which a letter is both the point and the power: ``5m0``, ``.50``, ``2K5``,
    ``M10``.
    """
    found = re.fullmatch(r"([0-9]*)([.mKMG]?)([0-9]*)", identifier[2:5], re.ASCII)
    if len(identifier) != 6 or found is None or not (found[1] or found[3]):
        return None
    digits = Decimal(f"{found[1] or '0'}.{found[3] or '0'}") * _POWERS[found[2] or "."]
    if unit is CoinUnit.MAJOR:
        return _money(digits, identifier)
    currency = _currency(identifier)
    return _money(digits / 10**currency.exponent, identifier) if currency is not None else None


# --- credits that are values ----------------------------------------------------------------------------------------

TOKEN = 255
"""The credit of something that is no money."""

_TIMES_TEN = 0x80


def credited(credit: int) -> int | None:
    """What a credit that is a value counts: its low seven bits, ten times with the eighth. None: nothing, or a token
    (sheet section 5, "CVF").
    """
    number = credit & ~_TIMES_TEN
    return None if credit == TOKEN else (number * 10 if credit & _TIMES_TEN else number) or None


def credit_values(coins: Iterable[Money], unit: CoinUnit) -> Mapping[int, Money]:
    """What each credit is worth, of an acceptor of ``coins`` whose credits are values.

    A credit names neither currency nor unit. So it is only worth what one of the coins is worth that the acceptor names
    itself. Whether it counts what the identifiers count or minor units, where that differs, nobody says: it may be
    either. A coin that another one could be taken for, of another currency for one, has no credit at all.
    """
    meant: dict[int, set[Money]] = {}
    for coin in coins:
        for count in _counts(coin, unit):
            meant.setdefault(count, set()).add(coin)
    doubtful = {coin for alike in meant.values() if len(alike) > 1 for coin in alike}
    certain = {count: coin for count, alike in meant.items() for coin in alike - doubtful}
    return {credit: certain[count] for credit in range(TOKEN) if (count := credited(credit)) in certain}


def _counts(coin: Money, unit: CoinUnit) -> set[int]:
    major, rest = divmod(coin.minor, 10**coin.currency.exponent)
    return {coin.minor, major} if unit is CoinUnit.MAJOR and not rest else {coin.minor}


# --- money ----------------------------------------------------------------------------------------------------------


def _currency(identifier: str) -> Currency | None:
    code = _CURRENCIES.get(identifier[:2])
    return Currency(code) if code is not None else None


def _money(major: Decimal, identifier: str) -> Money | None:
    """``major`` units of the country's currency, if they are a whole number of minor ones, and more than none."""
    currency = _currency(identifier)
    if currency is None:
        return None
    minor = major * 10**currency.exponent
    if minor <= 0 or minor != minor.to_integral_value():
        return None
    try:
        return Money(int(minor), currency)
    except MoneyError:
        return None
