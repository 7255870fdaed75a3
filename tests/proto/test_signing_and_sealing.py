"""Signatures and seals: bound to a key, a purpose and the very bytes."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from guichet.sealing import BadSeal, HpkeSealer, unseal
from guichet.seams import Domain
from guichet.signing import BadSignature, EcdsaSigner, bound, public_bytes, verify

KEY = ec.generate_private_key(ec.SECP256R1())
SIGNER = EcdsaSigner(KEY)
SEALED_TO = X25519PrivateKey.generate()
SEALER = HpkeSealer(SEALED_TO.public_key().public_bytes_raw())


@given(st.binary(max_size=64), st.sampled_from(Domain))
def test_what_was_signed_verifies_and_is_always_signed_alike(content: bytes, domain: Domain) -> None:
    signature = SIGNER.sign(domain, content)
    assert signature == SIGNER.sign(domain, content)
    verify(SIGNER.public_key(), domain, content, signature)


def test_a_signature_is_of_one_purpose() -> None:
    signature = SIGNER.sign(Domain.DEPOSIT_ADVICE, b"x")
    for other in set(Domain) - {Domain.DEPOSIT_ADVICE}:
        with pytest.raises(BadSignature, match=other.value):
            verify(SIGNER.public_key(), other, b"x", signature)


def test_a_purpose_cannot_be_moved_into_the_content() -> None:
    assert bound(Domain.DEPOSIT_ADVICE, b"x") == b"guichet/v1/deposit-advice\0x"
    assert len({bound(domain, b"") for domain in Domain}) == len(Domain)


@given(st.binary(min_size=1, max_size=40), st.data())
def test_one_changed_bit_is_seen(content: bytes, data: st.DataObject) -> None:
    signature = SIGNER.sign(Domain.DEPOSIT_ADVICE, content)
    place = data.draw(st.integers(0, len(content) * 8 - 1))
    changed = bytearray(content)
    changed[place // 8] ^= 1 << place % 8
    with pytest.raises(BadSignature):
        verify(SIGNER.public_key(), Domain.DEPOSIT_ADVICE, bytes(changed), signature)


@given(st.binary(max_size=80))
def test_bytes_that_are_no_signature_are_refused(signature: bytes) -> None:
    with pytest.raises(BadSignature):
        verify(SIGNER.public_key(), Domain.DEPOSIT_ADVICE, b"x", signature)


def test_another_key_does_not_verify() -> None:
    other = EcdsaSigner(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(BadSignature):
        verify(other.public_key(), Domain.DEPOSIT_ADVICE, b"x", SIGNER.sign(Domain.DEPOSIT_ADVICE, b"x"))


# An elliptic-curve key on a curve that no library knows: the P-256 key's object identifier, altered.
UNKNOWN_CURVE = SIGNER.public_key().replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030177"))


@pytest.mark.parametrize(
    "key",
    [
        b"", b"junk", UNKNOWN_CURVE,
        public_bytes(ec.generate_private_key(ec.SECP384R1()).public_key()),
        ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    ],
    ids=["nothing", "junk", "an unknown curve", "P-384", "Ed25519"],
)  # fmt: skip
def test_what_is_no_p256_key_is_a_bad_signature_and_no_crash(key: bytes) -> None:
    with pytest.raises(BadSignature, match="not a"):
        verify(key, Domain.DEPOSIT_ADVICE, b"x", SIGNER.sign(Domain.DEPOSIT_ADVICE, b"x"))


def test_a_signer_is_on_p256() -> None:
    with pytest.raises(ValueError, match="P-256"):
        EcdsaSigner(ec.generate_private_key(ec.SECP384R1()))


# --- seals ----------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=40), st.binary(max_size=10))
def test_a_seal_opens_for_its_key_and_purpose(secret: bytes, purpose: bytes) -> None:
    assert unseal(SEALED_TO, SEALER.seal(secret, purpose), purpose) == secret


def test_a_seal_is_never_the_same_twice_and_does_not_show_what_it_holds() -> None:
    first, second = SEALER.seal(b"4761739001010010", b"pan"), SEALER.seal(b"4761739001010010", b"pan")
    assert first != second
    assert b"4761739001010010" not in first


@given(st.data())
def test_an_altered_seal_another_purpose_and_another_key_open_nothing(data: st.DataObject) -> None:
    sealed = bytearray(SEALER.seal(b"4761739001010010", b"pan"))
    for key, content, purpose in (
        (SEALED_TO, bytes(sealed), b"pin"),
        (X25519PrivateKey.generate(), bytes(sealed), b"pan"),
        (SEALED_TO, bytes(sealed[: data.draw(st.integers(0, len(sealed) - 1))]), b"pan"),
    ):
        with pytest.raises(BadSeal):
            unseal(key, content, purpose)
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 6))
    with pytest.raises(BadSeal):
        unseal(SEALED_TO, bytes(sealed), b"pan")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32"):
        HpkeSealer(bytes(size))
