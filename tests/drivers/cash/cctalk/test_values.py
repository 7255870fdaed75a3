"""What identifiers are worth: exactly, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cash.cctalk.simulator_device import coin_identifier, note_identifier, value_credit
from drivers.cash.cctalk.values import (
    TOKEN,
    CoinUnit,
    Scaling,
    coin_value,
    credit_values,
    credited,
    is_identifier,
    note_value,
)
from guichet.money import Money, parse_money
from tests.drivers.cash.sheet import row


@row("157 and 156: what a bill is worth")
@pytest.mark.parametrize(
    ("identifier", "factor", "decimals", "value"),
    [
        ("EU0005A", 100, 2, "5 EUR"),
        ("EU0500B", 100, 2, "500 EUR"),
        ("US0020A", 100, 2, "20 USD"),
        ("EU.005A", 10000, 2, "0.50 EUR"),
        ("EU0.50A", 10000, 2, "50 EUR"),
        ("EU05.0A", 10000, 2, "500 EUR"),
        ("EU5.00A", 100, 2, "5 EUR"),
        ("EU0005A", 5, 0, "25 EUR"),
        ("JP1000A", 1, 0, "1000 JPY"),
        ("JP0010A", 10000, 2, "1000 JPY"),
    ],
)
def test_a_notes_digits_times_its_countrys_scaling_are_minor_units(
    identifier: str, factor: int, decimals: int, value: str
) -> None:
    assert note_value(identifier, Scaling(factor, decimals)) == parse_money(value)


@pytest.mark.parametrize(
    ("identifier", "factor", "decimals"),
    [
        (".......", 100, 2), ("EU....A", 100, 2), ("EU0000A", 100, 2), ("EU0005A", 0, 0), ("XX0005A", 100, 2),
        ("EU1E05A", 100, 2), ("EUNaN0A", 100, 2), ("EU-005A", 100, 2), ("EU0.5.A", 100, 2), ("EU.005A", 1, 2),
        ("EU0005", 100, 2), ("EU00055A", 100, 2), ("", 100, 2), ("JP0001A", 1, 2), ("EU0005A", 1, 255),
        ("EU\u0660\u0660\u0660\u0665A", 100, 2),
    ],
)  # fmt: skip
def test_what_cannot_be_read_exactly_as_a_note_is_worth_nothing_that_anybody_knows(
    identifier: str, factor: int, decimals: int
) -> None:
    assert note_value(identifier, Scaling(factor, decimals)) is None


@row("184: what a coin is worth")
@pytest.mark.parametrize(
    ("digits", "value"),
    [
        ("001", "0.01 EUR"), ("010", "0.10 EUR"), ("020", "0.20 EUR"), ("100", "1 EUR"), ("1K0", "10 EUR"),
        ("2K5", "25 EUR"), ("10K", "100 EUR"), ("M10", "1000 EUR"), ("1M0", "10000 EUR"), ("G10", "1000000 EUR"),
    ],
)  # fmt: skip
def test_a_coins_letter_is_its_point_and_its_power(digits: str, value: str) -> None:
    assert coin_value(f"EU{digits}A", CoinUnit.MINOR) == parse_money(value)


@pytest.mark.parametrize(
    ("digits", "value"),
    [(".01", "0.01 EUR"), ("10m", "0.01 EUR"), (".10", "0.10 EUR"), (".50", "0.50 EUR"), ("001", "1 EUR"),
     ("2.5", "2.50 EUR"), ("100", "100 EUR")],
)  # fmt: skip
def test_a_product_that_counts_in_major_units_is_read_so_only_when_told(digits: str, value: str) -> None:
    assert coin_value(f"EU{digits}A", CoinUnit.MAJOR) == parse_money(value)


@pytest.mark.parametrize(
    "identifier", ["......", "EU...A", "EU000A", "XX100A", "EU1.1.", "EU5m0A", "EU100", "EUK1KA", ""]
)
def test_what_cannot_be_read_exactly_as_a_coin_is_worth_nothing_that_anybody_knows(identifier: str) -> None:
    assert coin_value(identifier, CoinUnit.MINOR) is None


@given(st.text(max_size=9), st.integers(0, 65535), st.integers(0, 255), st.sampled_from(CoinUnit))
def test_no_text_is_anything_but_money_or_nothing(text: str, factor: int, decimals: int, unit: CoinUnit) -> None:
    for value in (note_value(text, Scaling(factor, decimals)), coin_value(text, unit)):
        assert value is None or (isinstance(value, Money) and value.minor > 0)


@pytest.mark.parametrize("identifier", ["EU0005A", "GB.005A", "US05.0B", "KW00501"])
def test_a_notes_identifier_has_a_country_four_digits_and_an_issue(identifier: str) -> None:
    assert is_identifier(identifier, note=True)
    assert not is_identifier(identifier, note=False)


@pytest.mark.parametrize("identifier", ["EU020A", "GB.50A", "US2K5B", "RUM10A"])
def test_a_coins_identifier_has_a_country_a_value_and_an_issue(identifier: str) -> None:
    assert is_identifier(identifier, note=False)
    assert not is_identifier(identifier, note=True)


@pytest.mark.parametrize(
    "text", [".......", "......", "eu0005A", "", "GUICHET-SIM", "CT40", "SIM1", "\0" * 11, "EU0005\n", "EU\u0660005A"]
)
def test_what_a_device_says_to_something_else_or_of_an_empty_position_is_no_identifier(text: str) -> None:
    assert not is_identifier(text, note=True)
    assert not is_identifier(text, note=False)


@pytest.mark.parametrize("face", ["5 EUR", "500 EUR", "20 USD", "1000 JPY", "5 KWD"])
def test_the_simulators_notes_are_read_back(face: str) -> None:
    assert note_value(note_identifier(parse_money(face)), Scaling(100, 2)) == parse_money(face)


@pytest.mark.parametrize("face", ["0.05 EUR", "2 EUR", "0.25 USD", "10 EUR", "25 EUR"])
def test_the_simulators_coins_are_read_back(face: str) -> None:
    assert coin_value(coin_identifier(parse_money(face)), CoinUnit.MINOR) == parse_money(face)


@pytest.mark.parametrize("face", ["0.50 EUR", "10000 EUR", "0 EUR"])
def test_a_note_that_no_identifier_can_name_is_refused(face: str) -> None:
    with pytest.raises(ValueError, match="no identifier"):
        note_identifier(parse_money(face))


@pytest.mark.parametrize("face", ["10.01 EUR", "1000 EUR", "0 EUR"])
def test_a_coin_that_no_identifier_can_name_is_refused(face: str) -> None:
    with pytest.raises(ValueError, match="no identifier"):
        coin_identifier(parse_money(face))


# --- credits that are values ----------------------------------------------------------------------------------------


@row("213 CVF: a credit is a value")
@pytest.mark.parametrize(
    ("credit", "counts"),
    [(1, 1), (5, 5), (100, 100), (127, 127), (129, 10), (148, 200), (153, 250), (178, 500), (228, 1000), (254, 1260)],
)
def test_a_credit_that_is_a_value_is_seven_bits_and_ten_times_with_the_eighth(credit: int, counts: int) -> None:
    assert credited(credit) == counts


@pytest.mark.parametrize("credit", [0, 128, TOKEN])
def test_a_token_and_nothing_at_all_are_no_money(credit: int) -> None:
    assert credited(credit) is None


def worth(*coins: str, unit: CoinUnit = CoinUnit.MINOR) -> dict[int, str]:
    return {credit: str(value) for credit, value in credit_values(map(parse_money, coins), unit).items()}


def test_a_credit_is_worth_what_a_coin_is_that_the_acceptor_names_and_nothing_else() -> None:
    assert worth("0.05 EUR", "1 EUR", "2 EUR") == {
        5: "0.05 EUR", 100: "1.00 EUR", 138: "1.00 EUR", 148: "2.00 EUR"
    }  # fmt: skip
    assert worth() == {}


def test_a_coin_that_no_credit_can_name_has_none() -> None:
    assert worth("1.28 EUR", "12.70 EUR", "12.60 EUR") == {254: "12.60 EUR"}


def test_two_issues_of_one_coin_are_one() -> None:
    assert worth("1 EUR", "1 EUR") == {100: "1.00 EUR", 138: "1.00 EUR"}


def test_a_credit_that_two_currencies_share_is_worth_nothing_that_anybody_knows() -> None:
    assert worth("0.20 EUR", "0.20 USD", "2 EUR") == {148: "2.00 EUR"}


def test_where_identifiers_count_major_units_a_credit_may_count_either_and_one_that_differs_is_worth_nothing() -> None:
    assert worth("1 EUR", "2 EUR", unit=CoinUnit.MAJOR) == {
        1: "1.00 EUR", 2: "2.00 EUR", 100: "1.00 EUR", 138: "1.00 EUR", 148: "2.00 EUR"
    }  # fmt: skip
    assert worth("0.01 EUR", "1 EUR", "2 EUR", unit=CoinUnit.MAJOR) == {2: "2.00 EUR", 148: "2.00 EUR"}


@given(st.integers(1, 20_000))
def test_the_simulators_credits_are_read_back(minor: int) -> None:
    coin = Money(minor, parse_money("1 EUR").currency)
    try:
        credit = value_credit(coin)
    except ValueError:
        assert coin not in credit_values([coin], CoinUnit.MINOR).values()
        return
    assert credit_values([coin], CoinUnit.MINOR)[credit] == coin
