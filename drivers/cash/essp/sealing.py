"""Encrypted packets: ``7E``, then AES-128-ECB of ``length | count (4) | data | packing | CRC (2)``.

The count goes up by one with every packet, so that none can be repeated, dropped or exchanged unnoticed. (SSP manual
GA138, encryption layer; the CRC stands low byte first, which makes the manual's "CRC over all is 0" untrue.)
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from drivers.cash.essp.framing import crc16

SEALED = 0x7E
_BLOCK = 16
_OVERHEAD = 7
MAX_SEALED = 240 - _OVERHEAD
COUNT_MODULUS = 1 << 32


class SealError(ValueError):
    """Data that cannot be sealed, or a packet that this key did not seal."""


class Seal:
    """Closes and opens packets with one key. ECB carries nothing from block to block: one cipher serves them all."""

    def __init__(self, key: bytes) -> None:
        cipher = Cipher(AES(key), ECB())  # noqa: S305 - the protocol has no other mode; the count makes packets differ
        self._encryptor, self._decryptor = cipher.encryptor(), cipher.decryptor()

    def __repr__(self) -> str:
        return "Seal(****)"

    def close(self, count: int, data: bytes, packing: Callable[[int], bytes]) -> bytes:
        """A packet around ``data`` (1 to 233 bytes); ``packing`` gives so many bytes to fill the last block with.
        Raises :class:`SealError` for another size.
        """
        if not 1 <= len(data) <= MAX_SEALED:
            raise SealError(f"an encrypted packet carries 1 to {MAX_SEALED} bytes, not {len(data)}")
        text = bytes((len(data),)) + count.to_bytes(4, "little") + data
        text += packing(-(len(text) + 2) % _BLOCK)
        text += crc16(text).to_bytes(2, "little")
        return bytes((SEALED,)) + self._encryptor.update(text)

    def open(self, packet: bytes) -> tuple[int, bytes]:
        """The count and the data of a packet. Raises :class:`SealError` for one that is damaged or of another key."""
        if len(packet) <= _BLOCK or packet[0] != SEALED or len(packet) % _BLOCK != 1:
            raise SealError(f"no encrypted packet of {len(packet)} bytes")
        text = self._decryptor.update(packet[1:])
        if crc16(text[:-2]) != int.from_bytes(text[-2:], "little"):
            raise SealError("not of this key")
        length = text[0]
        if not 1 <= length <= len(text) - _OVERHEAD:
            raise SealError(f"{length} bytes in a packet of {len(text)}")
        return int.from_bytes(text[1:5], "little"), text[5 : 5 + length]
