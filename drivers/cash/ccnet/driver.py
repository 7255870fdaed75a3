"""A CCNET validator on a line."""

from __future__ import annotations

from dataclasses import replace

from drivers.api.device import DeviceConfig
from drivers.cash.ccnet.machine import Machine
from drivers.cash.ccnet.timing import Timing
from drivers.cash.module import CashDevice, poll_seconds
from drivers.context import DriverContext
from drivers.options import refuse_unknown

_POLL_MS = 200


def open_device(config: DeviceConfig, context: DriverContext) -> CashDevice:
    """The validator at ``config.address``. Option ``poll_ms``: milliseconds between polls, 5 to 1000 (200)."""
    refuse_unknown(config, "poll_ms")
    timing = replace(Timing(), poll=poll_seconds(config, _POLL_MS))
    return CashDevice(config, context, lambda: Machine(timing))
