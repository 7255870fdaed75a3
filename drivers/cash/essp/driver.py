"""An SSP validator on a line."""

from __future__ import annotations

import re
from dataclasses import replace

from drivers.api.device import DeviceConfig
from drivers.cash.essp.keys import DEFAULT_FIXED_KEY
from drivers.cash.essp.machine import Machine
from drivers.cash.essp.timing import Timing
from drivers.cash.module import CashDevice, poll_seconds
from drivers.context import DriverContext
from drivers.errors import ConfigurationError
from drivers.options import refuse_unknown
from drivers.transport.address import with_framing

_POLL_MS = 200


def open_device(config: DeviceConfig, context: DriverContext) -> CashDevice:
    """The validator at ``config.address``; a serial port is opened at 9600 baud, 8N2, where the address does not say
    otherwise. Option ``poll_ms``: milliseconds between polls, 5 to 1000 (200); ``fixed_key``: 16 hexadecimal digits,
    where it is not as devices leave the factory.
    """
    refuse_unknown(config, "poll_ms", "fixed_key")
    timing = replace(Timing(), poll=poll_seconds(config, _POLL_MS))
    key = _fixed_key(config)
    line = replace(config, address=with_framing(config.address, "8N2"))
    return CashDevice(line, context, lambda: Machine(timing, key))


def _fixed_key(config: DeviceConfig) -> int:
    text = config.options.get("fixed_key", f"{DEFAULT_FIXED_KEY:016x}")
    if re.fullmatch("[0-9A-Fa-f]{16}", text) is None:
        raise ConfigurationError(config.name, "bad-option", "fixed_key: 16 hexadecimal digits")
    return int(text, 16)
