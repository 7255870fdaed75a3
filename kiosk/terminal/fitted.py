"""The devices that are fitted to this terminal: each with its driver's name, and each in the place that it is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.api.card import CardReader
from drivers.api.cash import CashModule
from drivers.api.device import Device
from drivers.api.pinpad import PinPad
from drivers.api.printer import ReceiptPrinter
from kiosk.terminal.config import ConfigError


@dataclass(frozen=True, slots=True)
class Fitted:
    """A device and the name of its driver."""

    driver: str
    device: Device


@dataclass(frozen=True, slots=True)
class Places:
    """What each device is used as. ``printer`` is None where none is configured."""

    cash: CashModule
    card: CardReader
    pinpad: PinPad
    printer: ReceiptPrinter | None


def places_of(fitted: Mapping[str, Fitted]) -> Places:
    """The devices in their places. Raises :class:`kiosk.terminal.config.ConfigError` for one that is missing, or whose
    driver is for something else.
    """
    devices = {name: one.device for name, one in fitted.items()}
    cash, card, pinpad, printer = (devices.get(name) for name in ("cash", "card", "pinpad", "printer"))
    if not isinstance(cash, CashModule):
        raise _misfit(fitted, "cash", "cash module")
    if not isinstance(card, CardReader):
        raise _misfit(fitted, "card", "card reader")
    if not isinstance(pinpad, PinPad):
        raise _misfit(fitted, "pinpad", "PIN pad")
    if printer is not None and not isinstance(printer, ReceiptPrinter):
        raise _misfit(fitted, "printer", "receipt printer")
    return Places(cash, card, pinpad, printer)


def _misfit(fitted: Mapping[str, Fitted], name: str, what: str) -> ConfigError:
    if name not in fitted:
        return ConfigError(f"devices: {name} is missing")
    return ConfigError(f"devices.{name}: {fitted[name].driver!r} is not the driver of a {what}")
