"""The ccTalk drivers as they are registered, and their options."""

from __future__ import annotations

import time
from importlib.metadata import entry_points

import pytest

from drivers.api.cash import CashCapabilities, CashModule
from drivers.api.device import DeviceConfig
from drivers.cash.cctalk.driver import open_coin_acceptor, open_device
from drivers.context import DriverContext
from drivers.errors import ConfigurationError
from drivers.transport.api import ByteTransport


async def no_transport(address: str) -> ByteTransport:
    raise AssertionError(f"nothing is opened yet, least of all {address}")


CONTEXT = DriverContext(time.monotonic, bytes, no_transport)


@pytest.mark.parametrize(
    "options",
    [
        {}, {"poll_ms": "50"}, {"checksum": "simple"}, {"checksum": "crc16"}, {"echo": "yes"}, {"echo": "no"},
        {"bus_address": "41"},
    ],
)  # fmt: skip
def test_options_that_there_are(options: dict[str, str]) -> None:
    for opens in (open_device, open_coin_acceptor):
        assert isinstance(opens(DeviceConfig("cash", "cctalk", "somewhere", options), CONTEXT), CashModule)


def test_only_coins_have_a_unit() -> None:
    config = DeviceConfig("cash", "cctalk-coin", "somewhere", {"unit": "major"})
    assert isinstance(open_coin_acceptor(config, CONTEXT), CashModule)
    with pytest.raises(ConfigurationError, match="unknown-option: unit "):
        open_device(config, CONTEXT)


@pytest.mark.parametrize(
    "options",
    [
        {"poll_ms": "4"}, {"checksum": "crc"}, {"echo": "true"}, {"bus_address": "1"}, {"bus_address": "256"},
        {"bus_address": "x"}, {"unit": "cents"},
    ],
)  # fmt: skip
def test_options_that_there_are_not(options: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_coin_acceptor(DeviceConfig("cash", "cctalk-coin", "somewhere", options), CONTEXT)
    assert refused.value.code == "bad-option"


def test_what_they_can_do() -> None:
    config = DeviceConfig("cash", "cctalk", "somewhere", {})
    assert open_device(config, CONTEXT).capabilities == CashCapabilities(escrow=True, marks=True)
    assert open_coin_acceptor(config, CONTEXT).capabilities == CashCapabilities(escrow=False, marks=True)


@pytest.mark.parametrize(("name", "opens"), [("cctalk", open_device), ("cctalk-coin", open_coin_acceptor)])
def test_both_are_registered(name: str, opens: object) -> None:
    (entry,) = entry_points(group="guichet.drivers", name=name)
    assert entry.load() is opens
