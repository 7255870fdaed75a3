"""From a driver's name to the driver: ours and everyone else's, by the entry-point group ``guichet.drivers``.

A driver module is imported only when a configuration names it: a kiosk without a PC/SC reader needs no pyscard.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import cast

from drivers.api.device import Device, DeviceConfig
from drivers.context import DriverContext
from drivers.errors import ConfigurationError

GROUP = "guichet.drivers"

OpenDevice = Callable[[DeviceConfig, DriverContext], Device]
"""What an entry point names: makes the device; nothing is opened before :meth:`drivers.api.device.Device.run`."""


def names() -> tuple[str, ...]:
    """Every driver that is installed, sorted."""
    return tuple(sorted(point.name for point in entry_points(group=GROUP)))


def open_device(config: DeviceConfig, context: DriverContext) -> Device:
    """The device that ``config`` describes. Raises :class:`drivers.errors.ConfigurationError` for an unknown driver,
    for one whose entry point leads nowhere or that needs what is not installed, and for options that it does not have.
    """
    points = entry_points(group=GROUP, name=config.driver)
    if not points:
        known = ", ".join(names())
        raise ConfigurationError(config.name, "unknown-driver", f"{config.driver!r} is not one of: {known}")
    point = next(iter(points))
    try:
        load = cast("OpenDevice", point.load())
    except (ImportError, AttributeError) as error:
        text = f"driver {config.driver!r}, {point.value}: {error}"
        raise ConfigurationError(config.name, "cannot-load", text) from error
    return load(config, context)
