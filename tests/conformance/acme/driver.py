"""The device on a line."""

from __future__ import annotations

from drivers.api.device import DeviceConfig
from drivers.cash.module import CashDevice, poll_seconds
from drivers.context import DriverContext
from drivers.options import refuse_unknown
from tests.conformance.acme.machine import Machine


def open_device(config: DeviceConfig, context: DriverContext) -> CashDevice:
    """The one at ``config.address``. Option ``poll_ms``: milliseconds between polls, 5 to 1000 (200)."""
    refuse_unknown(config, "poll_ms")
    poll = poll_seconds(config, 200)
    return CashDevice(config, context, lambda: Machine(poll))
