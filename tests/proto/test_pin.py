"""PIN blocks and AES DUKPT against the published vectors of X9.24-3 and ISO 9564-1."""

from __future__ import annotations

import pickle

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from guichet.pin import (
    Key,
    Ksn,
    Pin,
    PinError,
    decode_pin_block,
    derive_initial_key,
    derive_pin_key,
    encode_pin_block,
    next_counter,
    parse_ksn,
)

BASE = Key(bytes.fromhex("FEDCBA9876543210F1F1F1F1F1F1F1F1"))
KEY_ID = bytes.fromhex("1234567890123456")
INITIAL = Key(bytes.fromhex("1273671EA26AC29AFA4D1084127652A1"))
PAN = b"4111111111111111"
DIGITS = st.integers(4, 12).flatmap(lambda n: st.text("0123456789", min_size=n, max_size=n)).map(str.encode)
PANS = st.integers(8, 19).flatmap(lambda n: st.text("0123456789", min_size=n, max_size=n)).map(str.encode)


def test_the_initial_key_is_that_of_the_standard() -> None:
    assert derive_initial_key(BASE, KEY_ID) == INITIAL


@pytest.mark.parametrize(
    ("counter", "pin_key"),
    [(1, "AF8CB133A78F8DC2D1359F18527593FB"), (2, "D30BDC73EC9714B000BEC66BDB7B6D09")],
)
def test_the_pin_keys_are_those_of_the_standard(counter: int, pin_key: str) -> None:
    assert derive_pin_key(INITIAL, Ksn(KEY_ID, counter)).value.hex().upper() == pin_key


def test_a_block_under_dukpt_is_that_of_the_standard() -> None:
    key = derive_pin_key(INITIAL, Ksn(KEY_ID, 1))
    block = encode_pin_block(key, Pin(b"1234"), PAN, bytes.fromhex("2F69ADDE2E9E7ACE"))
    assert block.hex().upper() == "A912150391AB65A67E52883D81CE2D15"


@pytest.mark.parametrize(
    ("counter", "block"),
    [(1, "A912150391AB65A67E52883D81CE2D15"), (2, "52A00503BD34BA1383F6A7EE9FE2547F")],
)
def test_published_blocks_under_dukpt_are_opened(counter: int, block: str) -> None:
    key = derive_pin_key(INITIAL, Ksn(KEY_ID, counter))
    assert decode_pin_block(key, bytes.fromhex(block), PAN).reveal() == b"1234"


def test_a_block_under_a_fixed_key_is_that_of_iso_9564() -> None:
    key = Key(bytes.fromhex("00112233445566778899AABBCCDDEEFF"))
    pan = b"432198765432109870"
    block = encode_pin_block(key, Pin(b"1234"), pan, bytes.fromhex("146C6601F4A8035C"))
    assert block.hex().upper() == "88E33C3ACF404F234F10F889C364E377"
    assert decode_pin_block(key, block, pan).reveal() == b"1234"


@given(DIGITS, PANS, st.binary(min_size=8, max_size=8), st.binary(min_size=16, max_size=16))
def test_what_is_encoded_is_decoded(digits: bytes, pan: bytes, entropy: bytes, key: bytes) -> None:
    block = encode_pin_block(Key(key), Pin(digits), pan, entropy)
    assert decode_pin_block(Key(key), block, pan).reveal() == digits


@given(st.binary(max_size=40), PANS, st.binary(min_size=16, max_size=16))
def test_other_bytes_raise_pin_error_and_nothing_else(block: bytes, pan: bytes, key: bytes) -> None:
    with pytest.raises(PinError) as caught:  # a random block is a PIN block less than once in 10**7 tries
        decode_pin_block(Key(key), block, pan)
    assert pan.decode() not in str(caught.value)


@pytest.mark.parametrize(
    "field",
    [
        "341234AAAAAAAAAA",  # another format
        "431234AAAAAAAAAA",  # three digits
        "4D1234567890123A",  # 13 digits
        "441234AAAAABAAAA",  # a fill that is none
        "44123AAAAAAAAAAA",  # a PIN digit that is none
    ],
)
def test_a_field_that_is_not_a_pins_is_refused(field: str) -> None:
    key = Key(bytes(16))
    cipher = Cipher(algorithms.AES(key.value), modes.ECB()).encryptor()  # noqa: S305 — one block by hand, as the standard says
    pan_field = bytes.fromhex("44111111111111111" + "0" * 15)
    inner = cipher.update(bytes.fromhex(field) + bytes(8))
    block = cipher.update(bytes(a ^ b for a, b in zip(inner, pan_field, strict=True)))
    with pytest.raises(PinError, match="of this key and card"):
        decode_pin_block(key, block, PAN)


def test_another_card_number_does_not_open_a_block() -> None:
    key = derive_pin_key(INITIAL, Ksn(KEY_ID, 1))
    block = bytes.fromhex("A912150391AB65A67E52883D81CE2D15")
    with pytest.raises(PinError, match="of this key and card"):
        decode_pin_block(key, block, b"4761739001010010")


def test_another_counter_does_not_open_a_block() -> None:
    with pytest.raises(PinError):
        decode_pin_block(
            derive_pin_key(INITIAL, Ksn(KEY_ID, 3)), bytes.fromhex("A912150391AB65A67E52883D81CE2D15"), PAN
        )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (0, 1),
        (1, 2),
        (0x0000FFFE, 0x0000FFFF),
        (0x0000FFFF, 0x00010000),
        (0x0001FFFE, 0x00020000),  # 0x1FFFF has 17 one-bits: no key
        (0xFFFE0000, 0xFFFE8000 - 0x7FFF),  # 0xFFFE0001 has 16
        (0xFFFE0001, 0xFFFE0002),
        (0xFFFE8000, 0xFFFF0000),
    ],
)
def test_the_counter_skips_what_has_more_than_16_one_bits(before: int, after: int) -> None:
    assert next_counter(before) == after


def test_a_used_up_key_makes_no_further_counter() -> None:
    with pytest.raises(PinError, match="used up"):
        next_counter(0xFFFF0000)


@given(st.integers(0, 0xFFFEFFFF))
def test_every_next_counter_is_later_and_has_a_key(counter: int) -> None:
    following = next_counter(counter)
    assert following > counter
    assert Ksn(KEY_ID, following).counter == following
    assert all(skipped.bit_count() > 16 for skipped in range(counter + 1, min(following, counter + 300)))


def test_a_serial_number_survives_its_journey() -> None:
    assert parse_ksn(Ksn(KEY_ID, 0x01020304).encode()) == Ksn(KEY_ID, 0x01020304)


@pytest.mark.parametrize("data", [b"", KEY_ID, KEY_ID + bytes(4), KEY_ID + b"\0\1\xff\xff", KEY_ID + b"\xff\xff\0\1"])
def test_a_serial_number_without_a_key_is_refused(data: bytes) -> None:
    with pytest.raises(PinError):
        parse_ksn(data)


@pytest.mark.parametrize("digits", [b"", b"123", b"1234567890123", b"12a4", "١٢٣٤".encode()])
def test_what_is_not_4_to_12_digits_is_no_pin(digits: bytes) -> None:
    with pytest.raises(PinError) as caught:
        Pin(digits)
    assert repr(digits) not in str(caught.value)


def test_secrets_print_as_stars_and_do_not_pickle() -> None:
    pin = Pin(b"1234")
    assert f"{pin} {pin!r}" == "Pin(****) Pin(****)"
    assert repr(INITIAL) == str(INITIAL) == "Key(****)"
    with pytest.raises(TypeError):
        pickle.dumps(pin)


def test_a_wiped_pin_is_gone() -> None:
    pin = Pin(b"1234")
    pin.wipe()
    with pytest.raises(PinError, match="wiped"):
        pin.reveal()
