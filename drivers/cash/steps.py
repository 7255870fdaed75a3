"""What goes into a cash protocol's machine and what comes out: the same for all of them.

A machine does no input or output, reads no clock and rolls no dice: bytes, time and the caller's wishes come in; bytes
and events go out, in the order in which they must happen.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.api import CashCommand, CashEvent


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes came."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Tick:
    """The deadline has passed, or nothing in particular."""


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


Input = Received | Tick | Proceed | Acknowledge | Do


@dataclass(frozen=True, slots=True)
class Send:
    """Put these bytes on the line."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Emit:
    """Tell the caller, before anything that follows is sent."""

    event: CashEvent


Output = Send | Emit
