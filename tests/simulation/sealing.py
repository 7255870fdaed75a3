"""HPKE (RFC 9180, base mode) with an ephemeral key that is not random, so that a seed writes the same bytes. What it
seals, the product's own unsealing opens.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

_KEM = b"KEM" + (0x20).to_bytes(2, "big")
_SUITE = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x20, 0x01, 0x01))
_PREFIX = b"guichet/v1/seal/"


class CountingSealer:
    """Seals to ``host_key``; ``ephemeral`` gives 32 bytes, others at every call."""

    def __init__(self, host_key: bytes, ephemeral: Callable[[], bytes]) -> None:
        self._key, self._ephemeral = host_key, ephemeral

    def seal(self, secret: bytes, purpose: bytes) -> bytes:
        mine = X25519PrivateKey.from_private_bytes(self._ephemeral())
        encapsulated = mine.public_key().public_bytes_raw()
        shared = _shared(mine.exchange(X25519PublicKey.from_public_bytes(self._key)), encapsulated + self._key)
        context = (
            b"\0" + _extract(b"", _SUITE, b"psk_id_hash", b"") + _extract(b"", _SUITE, b"info_hash", _PREFIX + purpose)
        )
        scheduled = _extract(shared, _SUITE, b"secret", b"")
        key = _expand(scheduled, _SUITE, b"key", context, 16)
        nonce = _expand(scheduled, _SUITE, b"base_nonce", context, 12)
        return encapsulated + AESGCM(key).encrypt(nonce, secret, b"")


def _shared(exchanged: bytes, context: bytes) -> bytes:
    return _expand(_extract(b"", _KEM, b"eae_prk", exchanged), _KEM, b"shared_secret", context, 32)


def _extract(salt: bytes, suite: bytes, label: bytes, content: bytes) -> bytes:
    mac = HMAC(salt or bytes(32), hashes.SHA256())
    mac.update(b"HPKE-v1" + suite + label + content)
    return mac.finalize()


def _expand(key: bytes, suite: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return HKDFExpand(hashes.SHA256(), length, labelled).derive(key)
