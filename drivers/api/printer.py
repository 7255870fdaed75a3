"""Printers for receipts and statements."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable

from drivers.api.device import Device
from drivers.api.document import Document


class Paper(Enum):
    """How much paper there is."""

    ADEQUATE = "adequate"
    NEAR_END = "near end"
    OUT = "out"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PrinterState:
    """What the printer's own status bytes say; ``can_print`` is what a caller wants to know before it promises."""

    online: bool
    paper: Paper
    cover_open: bool
    fault: str = ""

    @property
    def can_print(self) -> bool:
        """Whether a document sent now would come out."""
        return self.online and not self.cover_open and not self.fault and self.paper in (Paper.ADEQUATE, Paper.NEAR_END)


@runtime_checkable
class ReceiptPrinter(Device, Protocol):
    """A printer for receipts and statements."""

    async def state(self) -> PrinterState:
        """Ask the printer now. Raises :class:`drivers.errors.NoAnswer` for a mute one, within a second."""
        ...

    async def print(self, document: Document) -> None:
        """Print and cut; returns when the printer says that it is done. Raises :class:`drivers.errors.DeviceFault`
        with code ``paper-out``, ``cover-open``, ``offline`` or the printer's fault, and
        :class:`drivers.errors.NoAnswer`, where what came out is not a whole document.
        """
        ...
