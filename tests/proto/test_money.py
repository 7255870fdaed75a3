"""Money: integers of minor units, currencies that do not mix."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guichet.money import MAX_MINOR, Currency, Money, MoneyError, parse_money, total

EUR, JPY, KWD = Currency("EUR"), Currency("JPY"), Currency("KWD")
AMOUNTS = st.builds(Money, st.integers(-MAX_MINOR, MAX_MINOR), st.sampled_from([EUR, JPY, KWD]))


@pytest.mark.parametrize("code", ["", "eur", "EU", "EURO", "XXX", "€"])
def test_a_currency_that_is_not_known_is_refused(code: str) -> None:
    with pytest.raises(MoneyError, match="unknown currency"):
        Currency(code)


def test_a_currency_knows_its_decimals() -> None:
    assert [currency.exponent for currency in (EUR, JPY, KWD)] == [2, 0, 3]
    assert str(EUR) == "EUR"
    assert sorted([KWD, EUR]) == [EUR, KWD]


@pytest.mark.parametrize("minor", [1.0, True, "1", None])
def test_an_amount_is_an_integer_and_nothing_else(minor: object) -> None:
    with pytest.raises(MoneyError, match="integer"):
        Money(minor, EUR)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("minor", [MAX_MINOR + 1, -MAX_MINOR - 1])
def test_an_amount_out_of_range_is_refused(minor: int) -> None:
    with pytest.raises(MoneyError, match="out of range"):
        Money(minor, EUR)


def test_a_sum_out_of_range_is_refused() -> None:
    with pytest.raises(MoneyError, match="out of range"):
        _ = Money(MAX_MINOR, EUR) + Money(1, EUR)
    with pytest.raises(MoneyError, match="out of range"):
        _ = Money(MAX_MINOR, EUR) * 2


def test_currencies_do_not_mix() -> None:
    one, other = Money(1, EUR), Money(1, JPY)
    for mixed in (lambda: one + other, lambda: one - other, lambda: one < other, lambda: total([one, other], EUR)):
        with pytest.raises(MoneyError, match="do not mix"):
            mixed()
    assert one != other


def test_amounts_add_up() -> None:
    two, three = Money(200, EUR), Money(300, EUR)
    assert two + three == Money(500, EUR)
    assert two - three == -Money(100, EUR)
    assert two * 3 == Money(600, EUR)
    assert two < three
    assert max(two, three) == three
    assert total([two, three], EUR) == Money(500, EUR)
    assert total([], EUR) == Money(0, EUR)


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(123450, EUR), "1234.50 EUR"), (Money(-5, EUR), "-0.05 EUR"), (Money(500, JPY), "500 JPY"),
        (Money(0, EUR), "0.00 EUR"), (Money(1, KWD), "0.001 KWD"), (Money(-7, JPY), "-7 JPY"),
    ],
)  # fmt: skip
def test_an_amount_is_written_with_its_decimals(money: Money, text: str) -> None:
    assert str(money) == text
    assert parse_money(text) == money


def test_missing_decimals_are_zeros() -> None:
    assert parse_money(" 20 EUR ") == parse_money("20.0 EUR") == Money(2000, EUR)


@pytest.mark.parametrize(
    "text",
    ["", "20", "EUR 20", "20.001 EUR", "1.5 JPY", "20,00 EUR", "2e3 EUR", "+20 EUR", "20 eur", "20 XXX", "٢٠ EUR",
     "1" * 17 + " EUR", "1" * 16 + " EUR", "20.00  EUR", "--1 EUR"],
)  # fmt: skip
def test_a_text_that_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        parse_money(text)


@given(AMOUNTS)
def test_any_amount_is_read_back_as_it_was_written(money: Money) -> None:
    assert parse_money(str(money)) == money


@given(st.text(max_size=20))
def test_any_text_is_an_amount_or_refused(text: str) -> None:
    try:
        money = parse_money(text)
    except MoneyError:
        return
    assert parse_money(str(money)) == money
