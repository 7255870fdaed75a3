"""What goes into a cash protocol's machine and what comes out: the same for all of them.

A machine does no input or output, reads no clock and rolls no dice: bytes, time, randomness and the caller's wishes
come in; bytes and events go out, in the order in which they must happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from drivers.api.cash import CashCapabilities, CashCommand, CashEvent
from guichet.ids import DeviceSerial


@dataclass(frozen=True, slots=True)
class Opened:
    """The line is open; always the first input. ``entropy``: 64 random bytes, fit for keys, of this connection."""

    entropy: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes came."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Tick:
    """The deadline has passed, or nothing in particular."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """The answer to :class:`Recall`, at once: the mark that was last stored for the device, None if there is none."""

    mark: int | None


@dataclass(frozen=True, slots=True)
class Proceed:
    """The first answer is on record."""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The event that the device holds is on record."""


@dataclass(frozen=True, slots=True)
class Do:
    """A command. ``own``: the machine's own wish, of which nobody awaits the completion."""

    command: CashCommand
    own: bool = False


Input = Opened | Received | Tick | Recalled | Proceed | Acknowledge | Do


@dataclass(frozen=True, slots=True)
class Send:
    """Put these bytes on the line."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Emit:
    """Tell the caller, before anything that follows is sent."""

    event: CashEvent


@dataclass(frozen=True, slots=True)
class Recall:
    """Ask which mark was last stored for a device."""

    serial: DeviceSerial


Output = Send | Emit | Recall


class CashMachine(Protocol):
    """One connection to one device. It never blocks, and never raises for anything that comes over the line."""

    @property
    def capabilities(self) -> CashCapabilities:
        """What the device can do, as far as it is known."""
        ...

    @property
    def deadline(self) -> float | None:
        """When :class:`Tick` is due, in monotonic seconds; None: only something from outside can move it."""
        ...

    def step(self, happened: Input, now: float) -> Sequence[Output]:
        """What follows from ``happened`` at ``now`` (monotonic seconds)."""
        ...
