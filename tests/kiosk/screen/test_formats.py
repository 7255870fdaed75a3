from __future__ import annotations

import pytest

from guichet.money import MoneyError, parse_money
from guichet.v1.money_pb2 import Money as MoneyMessage
from kiosk.screen import formats


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("1234.50 EUR", "€1,234.50"),
        ("0 EUR", "€0.00"),
        ("-0.05 EUR", "−€0.05"),
        ("1234567890.12 USD", "$1,234,567,890.12"),
        ("20000 JPY", "¥20,000"),
        ("12.345 KWD", "KWD\N{NO-BREAK SPACE}12.345"),
        ("-20 CHF", "−CHF\N{NO-BREAK SPACE}20.00"),
    ],
)
def test_an_amount_has_all_its_decimals_and_a_comma_every_three_digits(amount: str, text: str) -> None:
    assert formats.amount(parse_money(amount)) == text


@pytest.mark.parametrize(
    ("amount", "text"), [("50 EUR", "€50"), ("0.50 EUR", "€0.50"), ("1000 JPY", "¥1,000"), ("200 CHF", "CHF\xa0200")]
)
def test_a_banknotes_value_has_decimals_only_where_it_has_some(amount: str, text: str) -> None:
    assert formats.note(parse_money(amount)) == text


def test_money_that_came_in_has_a_plus_and_money_that_went_a_minus() -> None:
    signed = [formats.signed(parse_money(text)) for text in ("12 EUR", "-12 EUR", "0 EUR")]
    assert signed == ["+€12.00", "−€12.00", "€0.00"]


@pytest.mark.parametrize("message", [MoneyMessage(minor=5), MoneyMessage(minor=10**16, currency="EUR")])
def test_an_amount_that_both_ends_refuse_is_refused(message: MoneyMessage) -> None:
    with pytest.raises(MoneyError):
        formats.money(message)


def test_a_date_is_read_as_people_write_it_and_anything_else_stays_as_it_came() -> None:
    assert formats.day("2025-11-03") == "3\xa0Nov\xa02025"
    assert formats.short_day("2025-11-03") == "3\xa0Nov"
    assert formats.day("soon") == formats.short_day("soon") == "soon"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("************4417", "••••\xa04417"),
        ("****4417", "••••4417"),
        ("**** 4417", "••••\xa04417"),
        ("541333******4417", "541333••••••4417"),
        ("", ""),
    ],
)
def test_a_masked_number_shows_bullets_for_stars(number: str, text: str) -> None:
    assert formats.masked(number) == text
