"""What a driver is given besides its configuration: time, randomness, a way to open wires."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drivers.transport.api import OpenTransport


@dataclass(frozen=True, slots=True)
class DriverContext:
    """The seams of a driver. ``monotonic`` gives seconds, ``random_bytes`` bytes fit for keys."""

    monotonic: Callable[[], float]
    random_bytes: Callable[[int], bytes]
    open_transport: OpenTransport
