"""A terminal's configuration: read whole, or refused with the key that is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guichet.money import Currency, parse_money
from kiosk.terminal.config import ConfigError, Timings, load_config

GOOD = """
data = "/var/lib/guichet"
socket = "/run/guichet/terminal.sock"
denominations = ["5 EUR", "20.00 EUR"]
unreplicated_cap = "300 EUR"
host = "bank.example:7443"

[timings]
escrow_hold = 0.5
customer = 30

[devices.cash]
driver = "ccnet"
address = "/dev/guichet/cash"
poll_ms = 100

[devices.card]
driver = "pcsc"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "terminal.toml"
    path.write_text(text)
    return path


def test_a_whole_configuration_is_read(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))
    assert config.journal == Path("/var/lib/guichet/journal.db")
    assert config.denominations == {parse_money("5 EUR"), parse_money("20 EUR")}
    assert config.unreplicated_cap(Currency("EUR")) == parse_money("300 EUR")
    assert config.unreplicated_cap(Currency("USD")) == parse_money("0 USD")
    assert config.timings == Timings(escrow_hold=0.5, customer=30.0)
    assert config.host == "bank.example:7443"
    assert list(config.devices) == ["cash", "card"]
    cash, card = config.devices["cash"], config.devices["card"]
    assert (cash.name, cash.driver, cash.address, cash.options) == (
        "cash",
        "ccnet",
        "/dev/guichet/cash",
        {"poll_ms": "100"},
    )
    assert (card.driver, card.address, card.options) == ("pcsc", "", {})


def test_the_version_names_the_very_bytes(tmp_path: Path) -> None:
    first = load_config(written(tmp_path, GOOD)).version
    assert re.fullmatch(r"[0-9a-f]{12}", first)
    assert load_config(written(tmp_path, GOOD)).version == first
    assert load_config(written(tmp_path, GOOD + "\n")).version != first


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, 'data = "d"\nsocket = "s"\ndenominations = ["5 EUR"]\n'))
    assert (config.host, config.late_host, config.timings, dict(config.devices)) == ("", "", Timings(), {})
    assert config.unreplicated_cap(Currency("EUR")) == parse_money("500 EUR")


BAD = {
    "data": ('data = "/var/lib/guichet"', "data = 5"),
    "socket": ('socket = "/run/guichet/terminal.sock"', ""),
    "host": ('host = "bank.example:7443"', 'host = ""'),
    "denominations": ('["5 EUR", "20.00 EUR"]', '"5 EUR"'),
    "denominations: not an amount: 'five'": ('"5 EUR"', '"five"'),
    "denominations: unknown currency 'XXX'": ('"5 EUR"', '"5 XXX"'),
    "denominations: expected a list": ('["5 EUR", "20.00 EUR"]', "[]"),
    "unreplicated_cap": ('"300 EUR"', '"lots"'),
    "timings.escrow_hold": ("escrow_hold = 0.5", "escrow_hold = -1"),
    "timings.escrow_hold: one of": ("escrow_hold = 0.5", "escrow_hold = 8.5"),
    "timings.customer": ("customer = 30", 'customer = "long"'),
    "timings.costumer": ("customer = 30", "costumer = 30"),
    "devices: unknown scanner": ("[devices.card]", "[devices.scanner]"),
    "devices.cash.driver": ('driver = "ccnet"', ""),
    "unknown denominashuns": ("denominations =", "denominashuns ="),
}


@pytest.mark.parametrize("key", BAD)
def test_what_is_wrong_is_named_by_its_key(tmp_path: Path, key: str) -> None:
    right, wrong = BAD[key]
    assert right in GOOD
    with pytest.raises(ConfigError, match=re.escape(key)):
        load_config(written(tmp_path, GOOD.replace(right, wrong)))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (GOOD.replace("[timings]", "[other]"), "unknown other"),
        (GOOD + "\n[devices.pinpad]\ndriver = 1", "devices.pinpad.driver"),
        (
            "timings = 1\n" + GOOD.replace("[timings]\nescrow_hold = 0.5\ncustomer = 30", ""),
            "timings: expected a table",
        ),
    ],
)
def test_tables_in_the_wrong_place_are_named_too(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(key)):
        load_config(written(tmp_path, text))


@pytest.mark.parametrize("content", [b"\xff\xfe", b"data = ", b"= 1"])
def test_a_file_that_is_no_toml_is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "terminal.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"terminal\.toml"):
        load_config(path)
    with pytest.raises(ConfigError, match=r"none\.toml"):
        load_config(tmp_path / "none.toml")
