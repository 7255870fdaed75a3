"""A ccTalk bill validator or coin acceptor on a bus."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from typing import TypeVar

from drivers.api.device import DeviceConfig
from drivers.cash.cctalk.framing import Checksum
from drivers.cash.cctalk.machine import Machine
from drivers.cash.cctalk.roles import COINS, NOTES, Role
from drivers.cash.cctalk.timing import Timing
from drivers.cash.cctalk.values import CoinUnit
from drivers.cash.module import CashDevice, poll_seconds
from drivers.context import DriverContext
from drivers.errors import ConfigurationError
from drivers.options import refuse_unknown

_POLL_MS = 200
_ADDRESSES = range(2, 256)
_OPTIONS = ("poll_ms", "checksum", "echo", "bus_address")
_ECHO: Mapping[str, bool] = {"yes": True, "no": False}
Choice = TypeVar("Choice", bound=Enum)


def open_device(config: DeviceConfig, context: DriverContext) -> CashDevice:
    """The bill validator at ``config.address``.

    Options: ``checksum``: simple or crc16 (simple); ``echo``: yes where the line gives the host its own bytes back
    (no); ``bus_address``: 2 to 255 (40); ``poll_ms``: milliseconds between polls, 5 to 1000 (as the device asks, else
    200).
    """
    refuse_unknown(config, *_OPTIONS)
    return _open(config, context, NOTES)


def open_coin_acceptor(config: DeviceConfig, context: DriverContext) -> CashDevice:
    """The coin acceptor at ``config.address``. Options as for :func:`open_device`, with bus address 2, and ``unit``:
    whether a coin's digits count minor or major units of its currency (minor), which no message says.
    """
    refuse_unknown(config, *_OPTIONS, "unit")
    return _open(config, context, COINS)


def _open(config: DeviceConfig, context: DriverContext, role: Role) -> CashDevice:
    fixed = "poll_ms" in config.options
    timing = replace(Timing(), poll=poll_seconds(config, _POLL_MS), poll_is_fixed=fixed)
    role = replace(role, address=_address(config, role.address))
    checksum = _choice(config, "checksum", Checksum.SIMPLE)
    unit = _choice(config, "unit", CoinUnit.MINOR)
    echo = config.options.get("echo", "no")
    if echo not in _ECHO:
        raise ConfigurationError(config.name, "bad-option", f"echo {echo!r}: yes or no")
    return CashDevice(config, context, lambda: Machine(role, timing, checksum, echo=_ECHO[echo], unit=unit))


def _address(config: DeviceConfig, usual: int) -> int:
    text = config.options.get("bus_address", str(usual))
    if re.fullmatch("[0-9]{1,3}", text) is None or int(text) not in _ADDRESSES:
        raise ConfigurationError(config.name, "bad-option", f"bus_address {text[:16]!r}: 2 to 255")
    return int(text)


def _choice(config: DeviceConfig, option: str, usual: Choice) -> Choice:
    text, kind = config.options.get(option, usual.value), type(usual)
    try:
        return kind(text)
    except ValueError:
        words = " or ".join(str(choice.value) for choice in kind)
        raise ConfigurationError(config.name, "bad-option", f"{option} {text!r}: {words}") from None
