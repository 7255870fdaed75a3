"""From names to drivers, and no import that nobody asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from drivers.api.device import DeviceConfig
from drivers.cash.module import CashDevice
from drivers.context import DriverContext
from drivers.errors import ConfigurationError, DeviceError, TransportError
from drivers.registry import names, open_device
from drivers.transport.api import ByteTransport


async def nowhere(address: str) -> ByteTransport:
    raise TransportError("cash", "absent", address)


CONTEXT = DriverContext(lambda: 0.0, bytes, nowhere)


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
