"""An ID-003 validator on a line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from drivers.api.device import DeviceConfig
from drivers.cash.id003.machine import Machine
from drivers.cash.id003.messages import COUNTRIES
from drivers.cash.id003.timing import Timing
from drivers.cash.module import CashDevice, poll_seconds
from drivers.context import DriverContext
from drivers.errors import ConfigurationError
from drivers.options import refuse_unknown
from drivers.transport.address import with_framing
from guichet.money import Currency, MoneyError

_POLL_MS = 200


def open_device(config: DeviceConfig, context: DriverContext) -> CashDevice:
    """The validator at ``config.address``; a serial port is opened at 9600 baud, 8E1, where the address does not say
    otherwise. Options: ``poll_ms``, milliseconds between polls, 5 to 1000 (200); ``countries``, country codes of the
    note table that are not generally known, as ``17=GBP,1A=PLN``.
    """
    refuse_unknown(config, "poll_ms", "countries")
    timing = replace(Timing(), poll=poll_seconds(config, _POLL_MS))
    countries = _countries(config)
    line = replace(config, address=with_framing(config.address, "8E1"))
    return CashDevice(line, context, lambda: Machine(timing, countries))


def _countries(config: DeviceConfig) -> Mapping[int, str]:
    countries = dict(COUNTRIES)
    for pair in filter(None, config.options.get("countries", "").split(",")):
        found = re.fullmatch(r"([0-9A-Fa-f]{2})=([A-Z]{3})", pair.strip())
        if found is None:
            raise ConfigurationError(config.name, "bad-option", f"countries {pair!r}: a code and a currency, 17=GBP")
        try:
            countries[int(found[1], 16)] = Currency(found[2]).code
        except MoneyError as error:
            raise ConfigurationError(config.name, "bad-option", f"countries {pair!r}: {error}") from error
    return countries
