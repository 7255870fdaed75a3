"""The devices that are fitted to this terminal: each with its driver's name, each in the place that it is for, and
with what goes over its line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from drivers.api.card import CardReader
from drivers.api.cash import CashModule
from drivers.api.device import Device, DeviceConfig, DeviceIdentity
from drivers.api.pinpad import PinPad
from drivers.api.printer import ReceiptPrinter
from drivers.context import DriverContext
from drivers.transport.api import OpenTransport
from drivers.transport.recorder import Tape, recorded
from drivers.transport.recording import Header
from drivers.transport.shelf import Shelf
from guichet.seams import Clock, Random
from kiosk.log import EventLog
from kiosk.terminal.config import ConfigError

OpenDevice = Callable[[DeviceConfig, DriverContext], Device]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A device, the name of its driver, and what goes over its line, where it has one."""

    driver: str
    device: Device
    tape: Tape | None = None


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every device is made with. ``record``: the folder of recordings; None: none are written."""

    clock: Clock
    random: Random
    log: EventLog
    open_device: OpenDevice
    record: Path | None

    def fit(self, config: DeviceConfig, open_transport: OpenTransport) -> Fitted:
        """The device that ``config`` describes, its line on tape. What a PIN pad or an unknown kind of device says is
        not kept: a card number may be in it.
        """
        made: list[Device] = []

        def header() -> Header:
            began_us = self.clock.wall_us()
            return Header(config.name, config.driver, config.address, config.options, began_us, identity())

        def identity() -> DeviceIdentity | None:
            return made[0].status.identity if made else None

        tape = Tape(header, identity)
        transport = recorded(open_transport, tape, self.clock.monotonic)
        device = self.open_device(config, DriverContext(self.clock.monotonic, self.random.bytes, transport))
        made.append(device)
        if isinstance(device, CashModule | ReceiptPrinter):
            tape.reveal()
        if self.record is not None:
            tape.listen(Shelf(self.record, config.name, self._recording_failed))
        return Fitted(config.driver, device, tape)

    def _recording_failed(self, reason: str) -> None:
        self.log.event("recording.ended", reason=reason)


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
