"""A security module in software: for development and training, where no hardware module is at hand.

Its keys are files beside the database. Whoever has both has everything, which is what a hardware module is there for.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path

from guichet.pin import Key, Ksn, Pin, PinError, decode_pin_block, derive_initial_key, derive_pin_key
from guichet.seams import Random
from host.hsm.api import PinCheck
from host.pki.files import kept_secret


@dataclass(frozen=True, slots=True, repr=False)
class ModuleKeys:
    """The base derivation key of the PIN pads, and keys of 32 bytes for card numbers and PIN references."""

    base: Key
    pan_index: bytes
    pin_reference: bytes

    def __repr__(self) -> str:
        return "ModuleKeys(****)"


def open_module(directory: Path, random: Random) -> SoftwareModule:
    """The module whose keys are under ``directory``, made where they are missing."""

    def key(name: str, length: int) -> bytes:
        return kept_secret(directory / name, lambda: random.bytes(length))

    return SoftwareModule(ModuleKeys(Key(key("pin-base.key", 16)), key("pan-index.key", 32), key("pin-check.key", 32)))


class SoftwareModule:
    """A :class:`host.hsm.api.SecurityModule` with its keys in memory."""

    def __init__(self, keys: ModuleKeys) -> None:
        self._keys = keys

    def pan_index(self, pan: str) -> bytes:
        """HMAC-SHA256 of the digits."""
        return hmac.digest(self._keys.pan_index, b"pan\0" + pan.encode("ascii"), "sha256")

    def initial_key(self, key_id: bytes) -> bytes:
        """Derived from the base key, as ANSI X9.24-3 says."""
        return derive_initial_key(self._keys.base, key_id).value

    def verify_pin(self, pan: str, block: bytes, ksn: Ksn, reference: bytes) -> PinCheck:
        """Decode, compare the keyed hashes in constant time, wipe."""
        key = derive_pin_key(derive_initial_key(self._keys.base, ksn.key_id), ksn)
        try:
            pin = decode_pin_block(key, block, pan.encode("ascii"))
        except PinError:
            return PinCheck.UNREADABLE
        try:
            right = hmac.compare_digest(self._reference(pan, pin), reference)
        finally:
            pin.wipe()
        return PinCheck.RIGHT if right else PinCheck.WRONG

    def pin_reference(self, pan: str, digits: str) -> bytes:
        """HMAC-SHA256 of card number and PIN. Raises :class:`guichet.pin.PinError` for what is no PIN."""
        return self._reference(pan, Pin(digits.encode("ascii")))

    def _reference(self, pan: str, pin: Pin) -> bytes:
        content = b"pin\0" + pan.encode("ascii") + b"\0" + pin.reveal()
        return hmac.new(self._keys.pin_reference, content, hashlib.sha256).digest()
