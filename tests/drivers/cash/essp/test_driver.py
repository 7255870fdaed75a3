"""The SSP driver's options."""

from __future__ import annotations

import time

import pytest

from drivers.api.device import DeviceConfig
from drivers.cash.essp.driver import open_device
from drivers.context import DriverContext
from drivers.errors import ConfigurationError
from drivers.transport.api import ByteTransport


async def unused(address: str) -> ByteTransport:
    raise AssertionError(address)


@pytest.mark.parametrize("key", ["", "0123", "0123456701234567x", "g123456701234567"])
def test_a_fixed_key_that_is_none_is_refused_and_not_repeated(key: str) -> None:
    config = DeviceConfig("cash", "essp", "/dev/x", {"fixed_key": key})
    with pytest.raises(ConfigurationError, match="16 hexadecimal digits"):
        open_device(config, DriverContext(time.monotonic, bytes, unused))


def test_another_fixed_key_is_taken() -> None:
    config = DeviceConfig("cash", "essp", "/dev/x", {"fixed_key": "00000000000000FF"})
    assert open_device(config, DriverContext(time.monotonic, bytes, unused)).capabilities.counter_modulus == 2**32
