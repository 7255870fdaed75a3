"""Devices in their places: what is missing or of another kind is named before anything starts."""

from __future__ import annotations

import pytest

from drivers.api.device import Device, DeviceConfig
from drivers.context import DriverContext
from drivers.registry import open_device
from drivers.transport.open import open_address
from kiosk.terminal.config import ConfigError
from kiosk.terminal.fitted import Fitted, places_of

DRIVERS = {"cash": "ccnet", "card": "pcsc", "pinpad": "epp", "printer": "escpos"}


def fitted(**drivers: str) -> dict[str, Fitted]:
    def device(name: str, driver: str) -> Device:
        context = DriverContext(lambda: 0.0, bytes, lambda address: open_address(address, device=name))
        return open_device(DeviceConfig(name, driver, "/dev/null"), context)

    return {name: Fitted(driver, device(name, driver)) for name, driver in drivers.items()}


async def test_each_device_is_in_its_place_and_the_printer_may_be_missing() -> None:
    devices = fitted(**DRIVERS)
    places = places_of(devices)
    assert places.cash is devices["cash"].device
    assert places.printer is devices["printer"].device
    del devices["printer"]
    assert places_of(devices).printer is None


@pytest.mark.parametrize("missing", ["cash", "card", "pinpad"])
async def test_a_device_that_is_missing_is_named(missing: str) -> None:
    devices = fitted(**DRIVERS)
    del devices[missing]
    with pytest.raises(ConfigError, match=f"^devices: {missing} is missing$"):
        places_of(devices)


@pytest.mark.parametrize(
    ("place", "driver", "what"),
    [
        ("cash", "escpos", "cash module"),
        ("card", "ccnet", "card reader"),
        ("pinpad", "pcsc", "PIN pad"),
        ("printer", "epp", "receipt printer"),
    ],
)
async def test_a_driver_for_something_else_is_named(place: str, driver: str, what: str) -> None:
    with pytest.raises(ConfigError, match=f"^devices.{place}: '{driver}' is not the driver of a {what}$"):
        places_of(fitted(**{**DRIVERS, place: driver}))
