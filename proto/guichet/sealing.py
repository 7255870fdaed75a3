"""Sealing: HPKE (RFC 9180), base mode, X25519 / HKDF-SHA256 / AES-128-GCM, bound to a purpose.

A terminal seals a card number to the host's public key; whoever steals the terminal's disk cannot read it.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
_PREFIX = b"guichet/v1/seal/"


class BadSeal(ValueError):
    """Sealed bytes that this key cannot open for this purpose."""


class HpkeSealer:
    """A :class:`guichet.seams.Sealer` to one host key: 32 raw bytes of X25519."""

    def __init__(self, host_public_key: bytes) -> None:
        self._key = X25519PublicKey.from_public_bytes(host_public_key)

    def seal(self, secret: bytes, purpose: bytes) -> bytes:
        """The encapsulated key followed by the ciphertext; a different one at every call."""
        return _SUITE.encrypt(secret, self._key, info=_PREFIX + purpose)


def unseal(key: X25519PrivateKey, sealed: bytes, purpose: bytes) -> bytes:
    """The secret. Raises :class:`BadSeal` for another key, another purpose, or bytes that were altered."""
    try:
        return _SUITE.decrypt(sealed, key, info=_PREFIX + purpose)
    except (InvalidTag, ValueError) as error:
        raise BadSeal("sealed bytes that this key does not open for this purpose") from error
