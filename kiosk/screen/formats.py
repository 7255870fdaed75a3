"""Amounts, dates and card numbers as people read them. No float comes near an amount."""

from __future__ import annotations

from datetime import date

from guichet.money import Currency, Money
from guichet.v1 import money_pb2

_SYMBOLS = {"CNY": "¥", "EUR": "€", "GBP": "£", "JPY": "¥", "USD": "$"}
_MINUS = "\N{MINUS SIGN}"
_SPACE = "\N{NO-BREAK SPACE}"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def money(message: money_pb2.Money) -> Money:
    """The amount in a message; raises :class:`guichet.money.MoneyError` for one that both ends refuse."""
    return Money(message.minor, Currency(message.currency))


def amount(value: Money) -> str:
    """``€1,234.50``, ``−€0.05``, ``CHF 20.00``: with all the decimals of its currency."""
    return _written(value, value.major.lstrip("-"))


def signed(value: Money) -> str:
    """As :func:`amount`, with a plus where money came in."""
    return ("+" if value.minor > 0 else "") + amount(value)


def note(value: Money) -> str:
    """A banknote's value: ``€50``; decimals only where it has some."""
    major = value.major.lstrip("-")
    whole, _, decimals = major.partition(".")
    return _written(value, major if decimals.strip("0") else whole)


def face(value: Money) -> int:
    """The value in whole major units, rounded down: 50 for a fifty."""
    return int(value.major.lstrip("-").partition(".")[0])


def _written(value: Money, major: str) -> str:
    whole, point, decimals = major.partition(".")
    digits = f"{int(whole):,}{point}{decimals}"
    code = value.currency.code
    symbol = _SYMBOLS.get(code, code + _SPACE)
    return (_MINUS if value.minor < 0 else "") + symbol + digits


def day(text: str) -> str:
    """``2025-11-03`` as ``3 Nov 2025``; anything else as it came."""
    try:
        value = date.fromisoformat(text)
    except ValueError:
        return text
    return f"{value.day}{_SPACE}{_MONTHS[value.month - 1]}{_SPACE}{value.year}"


def short_day(text: str) -> str:
    """``2025-11-03`` as ``3 Nov``: for lines under a heading that has the year."""
    return day(text).rpartition(_SPACE)[0] or text


def masked(number: str) -> str:
    """A masked number, on one line, with bullets for its stars, and only the last four of a longer row of stars."""
    bulleted = number.replace("*", "•")
    hidden = bulleted.count("•")
    if hidden > 4 and bulleted.startswith("•" * hidden):
        return "••••" + _SPACE + bulleted[hidden:].strip()
    return bulleted.replace("• ", "•" + _SPACE)
