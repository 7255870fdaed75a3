"""What all devices have in common, and how a configuration names one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from guichet.ids import NO_SERIAL, DeviceSerial, as_name


class DeviceState(Enum):
    """Whether a device can do its work."""

    STARTING = "starting"
    READY = "ready"
    WARNING = "warning"
    FAULT = "fault"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """Who the device says it is. ``simulated``: a program in a device's place, for development and training. A serial
    number that a journal, a host or a person could not take is written so that they can: :func:`guichet.ids.as_name`.
    One that is blank or nothing but zeros, as of a unit that was never given any, is :data:`guichet.ids.NO_SERIAL`.
    """

    driver: str
    model: str
    serial: DeviceSerial
    firmware: str
    simulated: bool

    def __post_init__(self) -> None:
        serial = DeviceSerial(as_name(self.serial)) if self.serial.strip(" 0") else NO_SERIAL
        object.__setattr__(self, "serial", serial)

    @property
    def numbered(self) -> bool:
        """Whether it can be told from another of its kind."""
        return self.serial != NO_SERIAL


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """How a device is now. ``fault`` is the driver's stable code, empty when there is none."""

    state: DeviceState
    fault: str = ""
    identity: DeviceIdentity | None = None
    counters: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class SelfTestStep:
    """One thing that a self-test looked at."""

    name: str
    passed: bool
    detail: str


class Device(Protocol):
    """What every device has in common."""

    @property
    def status(self) -> DeviceStatus:
        """How it is now; never blocks."""
        ...

    async def run(self) -> None:
        """Own the device until cancelled. Raises :class:`drivers.errors.DeviceError` when it is lost."""
        ...

    async def self_test(self) -> tuple[SelfTestStep, ...]:
        """Look at everything that can be looked at without money, paper or a customer."""
        ...


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """One device of a terminal's configuration: ``driver`` names it in :mod:`drivers.registry`; ``address`` is a
    serial port's path, ``tcp://host:port``, or a PC/SC reader's name; ``options`` are the driver's own.
    """

    name: str
    driver: str
    address: str
    options: Mapping[str, str] = field(default_factory=dict[str, str])
