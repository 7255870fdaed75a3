"""What the host asks of a security module. A PIN goes in only as a block; none ever comes out."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from guichet.pin import Ksn


class PinCheck(Enum):
    """What became of one verification."""

    RIGHT = "right"
    WRONG = "wrong"
    UNREADABLE = "unreadable"
    """Not a block of this key and card: a pad with another key, or altered bytes. Nobody's try."""


class SecurityModule(Protocol):
    """A hardware module in production, :class:`host.hsm.software.SoftwareModule` in development and training."""

    def pan_index(self, pan: str) -> bytes:
        """32 bytes that name a card number in the database and tell nothing to whoever has no key."""
        ...

    def initial_key(self, key_id: bytes) -> bytes:
        """The initial key (16 bytes) of a software pad with this id (8 bytes); a real pad is loaded by its maker."""
        ...

    def verify_pin(self, pan: str, block: bytes, ksn: Ksn, reference: bytes) -> PinCheck:
        """Whether the PIN in ``block`` (ISO 9564 format 4, under the key that ``ksn`` names) is the one of
        ``reference``. Takes as long for a wrong PIN as for the right one.
        """
        ...

    def pin_reference(self, pan: str, digits: str) -> bytes:
        """32 bytes to verify a PIN against: for issuing a card."""
        ...
