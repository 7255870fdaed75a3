"""From names to drivers, and no import that nobody asked for."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from drivers.api.device import DeviceConfig
from drivers.cash.module import CashDevice
from drivers.context import DriverContext
from drivers.errors import ConfigurationError, DeviceError, TransportError
from drivers.registry import GROUP, names, open_device
from drivers.transport.api import ByteTransport
from tests.elsewhere import installed


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on the path for somebody else's distributions."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


async def nowhere(address: str) -> ByteTransport:
    raise TransportError("cash", "absent", address)


CONTEXT = DriverContext(lambda: 0.0, bytes, nowhere)
OPTIONS = {
    "ccnet": "poll_ms",
    "id003": "poll_ms, countries",
    "essp": "poll_ms, fixed_key",
    "cctalk": "poll_ms, checksum, echo, bus_address",
    "cctalk-coin": "poll_ms, checksum, echo, bus_address, unit",
    "pcsc": "country, currency",
    "epp": "initial_key_file",
    "escpos": "columns, profile, completion, poll-seconds",
}
"""All that our drivers have, as an error lists them."""


def test_our_drivers_are_there_by_name() -> None:
    assert {"ccnet", "pcsc", "escpos", "epp"} <= set(names())
    assert list(names()) == sorted(names())


def test_a_name_gives_its_driver_and_nothing_is_opened() -> None:
    device = open_device(DeviceConfig("cash", "ccnet", "/dev/guichet/cash"), CONTEXT)
    assert isinstance(device, CashDevice)


def test_an_unknown_driver_is_an_error_that_says_which_there_are() -> None:
    with pytest.raises(ConfigurationError) as error:
        open_device(DeviceConfig("cash", "ccnett", "/dev/x"), CONTEXT)
    assert (error.value.device, error.value.code) == ("cash", "unknown-driver")
    assert "'ccnett'" in str(error.value)
    assert "ccnet, " in str(error.value)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("acme_gone.driver:open_device", "No module named 'acme_gone'"),
        ("drivers.cash.ccnet.driver:open_devise", "has no attribute 'open_devise'"),
        ("not an object", "has no attribute"),
    ],
)
def test_a_driver_that_cannot_be_loaded_is_an_error_of_the_configuration(elsewhere: Path, value: str, why: str) -> None:
    installed(elsewhere, "acme", {GROUP: {"acme": value}})
    with pytest.raises(ConfigurationError, match="driver 'acme', " + value) as error:
        open_device(DeviceConfig("cash", "acme", "/dev/x"), CONTEXT)
    assert (error.value.device, error.value.code) == ("cash", "cannot-load")
    assert why in str(error.value)
    assert isinstance(error.value.__cause__, ImportError | AttributeError)


@pytest.mark.parametrize(("driver", "known"), OPTIONS.items())
def test_every_driver_refuses_an_option_that_it_does_not_have_and_says_which_there_are(driver: str, known: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        open_device(DeviceConfig("it", driver, "/dev/x", {"pol_ms": "50", "colour": "red"}), CONTEXT)
    assert str(error.value) == f"it: unknown-option: colour, pol_ms (known: {known})"


def test_every_driver_of_ours_is_among_these() -> None:
    ours = {point.name for point in distribution("guichet-sst").entry_points if point.group == GROUP}
    assert set(OPTIONS) == ours


def test_a_driver_is_imported_only_when_it_is_named(repository: Path) -> None:
    code = (
        "import sys, drivers.registry as r; r.names();"
        "found = {'smartcard', 'escpos', 'serial', 'drivers.cash'} & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=repository)


def test_an_error_says_what_and_where_and_whether_money_is_at_risk() -> None:
    error = TransportError("cash", "hung-up", "EIO", money_at_risk=True)
    assert str(error) == "cash: hung-up: EIO"
    assert error.retryable
    assert error.money_at_risk
    assert str(DeviceError("card", "mute")) == "card: mute"
    assert not DeviceError.retryable
