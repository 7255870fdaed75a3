"""PIN pads that encrypt what is typed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from drivers.api.card import Pan
from drivers.api.device import Device


@dataclass(frozen=True, slots=True)
class PinBlock:
    """An encrypted PIN: ISO 9564 format 4, 16 bytes, under the AES DUKPT key of ``ksn`` (12 bytes)."""

    block: bytes
    ksn: bytes


@runtime_checkable
class PinPad(Device, Protocol):
    """A pad that encrypts what is typed before it leaves the pad."""

    async def enter_pin(self, pan: Pan, on_digits: Callable[[int], None]) -> PinBlock | None:
        """Let the customer type a PIN of 4 to 12 digits; ``on_digits`` hears how many there are. None: the customer
        pressed cancel. Cancelling the task ends the entry at the pad. Raises :class:`drivers.errors.DeviceError`.
        """
        ...
