"""Signatures: ECDSA over P-256 with SHA-256, deterministic (RFC 6979), bound to a purpose.

The content that is signed is exactly the bytes that travel: nothing is parsed or serialised again to be verified.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from guichet.seams import Domain

_PREFIX = b"guichet/v1/"


class BadSignature(ValueError):
    """The signature is not this key's for these bytes and this purpose."""


def bound(domain: Domain, content: bytes) -> bytes:
    """The bytes that are really signed: the purpose, a zero byte, the content."""
    return _PREFIX + domain.value.encode("ascii") + b"\0" + content


class EcdsaSigner:
    """A :class:`guichet.seams.Signer` with the private key in memory."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        if not isinstance(key.curve, ec.SECP256R1):
            raise ValueError(f"a signing key is on P-256, not {key.curve.name}")  # noqa: TRY004  a curve is a value
        self._key = key

    def sign(self, domain: Domain, content: bytes) -> bytes:
        """A DER-encoded signature; the same content always gives the same one."""
        return self._key.sign(bound(domain, content), ec.ECDSA(hashes.SHA256(), deterministic_signing=True))

    def public_key(self) -> bytes:
        """The public half, as :func:`verify` takes it: DER SubjectPublicKeyInfo."""
        return public_bytes(self._key.public_key())


def public_bytes(key: ec.EllipticCurvePublicKey) -> bytes:
    """A public key as DER SubjectPublicKeyInfo."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def verify(public_key: bytes, domain: Domain, content: bytes, signature: bytes) -> None:
    """Raises :class:`BadSignature` unless ``signature`` is ``public_key``'s for ``domain`` and ``content``."""
    try:
        key = serialization.load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadSignature("not a public key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadSignature("not a P-256 key")
    try:
        key.verify(signature, bound(domain, content), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise BadSignature(f"the signature does not verify for {domain.value}") from error
