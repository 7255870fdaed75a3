"""Key exchange and encrypted packets, by the published numbers and by what can go wrong with them."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import given
from hypothesis import strategies as st

from drivers.cash.essp.framing import Deframer, Frame, crc16, frame
from drivers.cash.essp.keys import DEFAULT_FIXED_KEY, Dice, is_prime, session_key, share
from drivers.cash.essp.messages import Command, Request
from drivers.cash.essp.sealing import MAX_SEALED, Seal, SealError
from drivers.cash.essp.wire import Wire

KEY = bytes.fromhex("67452301674523015EFAE50D00000000")


def zeros(count: int) -> bytes:
    return bytes(count)


def test_the_published_exchange_gives_the_published_key() -> None:
    generator, modulus, ours, theirs = 982451653, 1287821, 12345, 54321
    assert share(generator, ours, modulus) == 0x2D4D4
    assert share(generator, theirs, modulus) == 0xC0264
    assert share(0xC0264, ours, modulus) == share(0x2D4D4, theirs, modulus) == 0xE4E0
    assert session_key(DEFAULT_FIXED_KEY, 0xE4E0).hex() == "6745230167452301e0e4000000000000"


def test_the_published_poll_with_ack_is_sealed_byte_for_byte() -> None:
    packet = Seal(session_key(DEFAULT_FIXED_KEY, 0xE4E0)).close(0, b"\x56", zeros)
    assert frame(packet, flag=True) == bytes.fromhex("7F80117EA67A94718AAC60465AA1F259C4A6740D59A1")


def test_the_published_protocol_version_is_opened() -> None:
    (found,) = Deframer().feed(bytes.fromhex("7F80117E8601F3A785EC6F4B3D0FF0FED48D16642A23"))
    assert isinstance(found, Frame)
    assert Seal(KEY).open(found.payload) == (0, bytes.fromhex("0606"))


@given(st.binary(min_size=1, max_size=MAX_SEALED), st.integers(0, 2**32 - 1), st.binary(min_size=16, max_size=16))
def test_what_is_sealed_is_opened_by_its_key_alone(data: bytes, count: int, key: bytes) -> None:
    packet = Seal(key).close(count, data, Dice(data).draw)
    assert len(packet) % 16 == 1
    assert Seal(key).open(packet) == (count, data)
    with pytest.raises(SealError):
        Seal(bytes(byte ^ 1 for byte in key)).open(packet)


@given(st.binary(max_size=260))
def test_whatever_comes_is_opened_or_refused(packet: bytes) -> None:
    for payload in (packet, b"\x7e" + packet):
        with pytest.raises(SealError):
            Seal(KEY).open(payload)


@pytest.mark.parametrize("size", [0, MAX_SEALED + 1])
def test_data_that_no_packet_carries_is_refused(size: int) -> None:
    with pytest.raises(SealError, match=str(size)):
        Seal(KEY).close(0, bytes(size), zeros)


@pytest.mark.parametrize("length", [0, 30])
def test_a_packet_that_says_a_length_that_it_has_no_room_for_is_refused(length: int) -> None:
    text = bytes((length,)) + bytes(13)
    whole = text + crc16(text).to_bytes(2, "little")
    encryptor = Cipher(AES(KEY), ECB()).encryptor()  # noqa: S305 - the protocol has no other mode
    with pytest.raises(SealError, match=f"{length} bytes"):
        Seal(KEY).open(b"\x7e" + encryptor.update(whole))


def test_primes_are_told_from_what_is_none() -> None:
    assert [number for number in range(50) if is_prime(number)] == [
        2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47,
    ]  # fmt: skip
    assert is_prime(982451653)
    assert is_prime(1287821)
    assert is_prime(2**61 - 1)
    assert is_prime(18446744073709551557)
    for composite in (3215031751, 3825123056546413051, 2**62 - 1, 18446744073709551555):
        assert not is_prime(composite)


@given(st.binary(max_size=64))
def test_any_entropy_gives_primes_below_2_to_the_31_and_the_same_gives_the_same(entropy: bytes) -> None:
    numbers = [Dice(entropy).prime(), Dice(entropy).prime()]
    assert numbers[0] == numbers[1]
    assert is_prime(numbers[0])
    assert 2**30 < numbers[0] < 2**31


def in_64_bits(base: int, exponent: int, modulus: int) -> int:
    """Square and multiply as the maker's SDK does it: what is over 64 bits is lost before the remainder is taken."""
    power, base = 1, base % modulus
    while exponent:
        if exponent & 1:
            power = (power * base & 2**64 - 1) % modulus
        base, exponent = (base * base & 2**64 - 1) % modulus, exponent >> 1
    return power


@given(st.binary(max_size=64), st.integers(1, 2**64 - 1))
def test_a_device_that_loses_what_is_over_64_bits_comes_to_the_same_key(entropy: bytes, device: int) -> None:
    dice = Dice(entropy)
    generator, modulus, secret = dice.prime(), dice.prime(), dice.secret()
    assert 0 < secret < 2**31
    ours, theirs = share(generator, secret, modulus), in_64_bits(generator, device, modulus)
    assert in_64_bits(ours, device, modulus) == share(theirs, secret, modulus)


@given(st.integers(2**63, 2**64 - 1), st.integers(1, 2**64 - 1), st.integers(1, 2**64 - 1))
def test_both_ends_agree_over_all_of_64_bits(generator: int, ours: int, theirs: int) -> None:
    modulus = 18446744073709551557
    assert share(share(generator, ours, modulus), theirs, modulus) == share(
        share(generator, theirs, modulus), ours, modulus
    )


def test_dice_never_show_the_same_twice() -> None:
    dice = Dice(b"")
    assert len({dice.draw(7) for _ in range(1000)}) == 1000
    assert len(dice.draw(100)) == 100


# --- the host's end of the wire -------------------------------------------------------------------------------------


def found(raw: bytes) -> Frame:
    (item,) = Deframer().feed(raw)
    assert isinstance(item, Frame)
    return item


def test_sync_has_the_flag_1_and_every_new_command_inverts_it() -> None:
    wire = Wire()
    flags = [found(wire.pack(Request(command))).flag for command in (Command.SYNC, Command.HOLD, Command.SERIAL)]
    assert flags == [True, False, True]
    assert wire.last == frame(b"\x0c", flag=True)
    assert found(wire.pack(Request(Command.SYNC))).flag


def test_an_answer_of_the_other_flag_is_late_and_no_answer() -> None:
    wire = Wire()
    wire.pack(Request(Command.SYNC))
    assert wire.unpack(found(frame(b"\xf0", flag=False))) is None
    assert wire.unpack(found(frame(b"\xf0", flag=True))) == b"\xf0"


def agreed() -> Wire:
    wire = Wire()
    wire.pack(Request(Command.SYNC))
    wire.agree(KEY)
    return wire


def test_a_command_carries_the_count_and_its_answer_one_more() -> None:
    wire = agreed()
    for count in range(3):
        asked = found(wire.pack(Request(Command.POLL_WITH_ACK)))
        assert Seal(KEY).open(asked.payload) == (count, b"\x56")
        for wrong in (count - 1, count, count + 2):
            answer = Seal(KEY).close(wrong % 2**32, b"\xf0", zeros)
            assert wire.unpack(found(frame(answer, flag=asked.flag))) is None, "an answer of another count is dropped"
        answer = Seal(KEY).close(count + 1, b"\xf0", zeros)
        assert wire.unpack(found(frame(answer, flag=asked.flag))) == b"\xf0"


def test_with_a_key_nothing_is_believed_in_clear_but_that_there_is_no_key() -> None:
    wire = agreed()
    flag = found(wire.pack(Request(Command.POLL_WITH_ACK))).flag
    assert wire.unpack(found(frame(b"\xf0\xee\x01", flag=flag))) is None
    assert wire.unpack(found(frame(Seal(bytes(16)).close(1, b"\xf0", zeros), flag=flag))) is None
    assert wire.unpack(found(frame(b"\xfa", flag=flag))) == b"\xfa"


def test_without_a_key_an_encrypted_answer_is_of_an_earlier_life() -> None:
    wire = Wire()
    wire.pack(Request(Command.SYNC))
    assert wire.unpack(found(frame(Seal(KEY).close(1, b"\xf0", zeros), flag=True))) is None


def test_a_packet_that_cannot_be_opened_disturbs_none_after_it_and_the_key_prints_as_stars() -> None:
    seal = Seal(KEY)
    packet = seal.close(7, b"\x56", zeros)
    for bad in (packet[:-1] + bytes((packet[-1] ^ 1,)), packet[:-16], packet + b"\x00"):
        with pytest.raises(SealError):
            seal.open(bad)
        assert seal.open(packet) == (7, b"\x56")
    assert repr(seal) == "Seal(****)"
