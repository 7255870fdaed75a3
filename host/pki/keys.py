"""The host's own keys, kept in its data directory: answers are signed with one, secrets sealed to another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from guichet.seams import Random
from guichet.signing import EcdsaSigner
from host.pki.files import KeyFileError, kept_secret

_SCALAR = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def new_signing_key() -> bytes:
    """A new P-256 key as PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(*_SCALAR)


def load_signing_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """A P-256 key from PEM. Raises :class:`host.pki.files.KeyFileError` for anything else."""
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyFileError("a key that should be on P-256 is another")
    return key


@dataclass(frozen=True, slots=True)
class HostKeys:
    """``signer`` signs answers; ``sealing`` opens what terminals sealed."""

    signer: EcdsaSigner
    sealing: X25519PrivateKey

    @property
    def sealing_public(self) -> bytes:
        """32 raw bytes, as a terminal gets them."""
        return self.sealing.public_key().public_bytes_raw()


def open_keys(directory: Path, random: Random) -> HostKeys:
    """The keys under ``directory``, made where they are missing."""
    signing = load_signing_key(kept_secret(directory / "signing.key", new_signing_key))
    sealing = X25519PrivateKey.from_private_bytes(kept_secret(directory / "sealing.key", lambda: random.bytes(32)))
    return HostKeys(EcdsaSigner(signing), sealing)
