"""ccTalk frames: the sheet's vectors, and every way in which a line can mangle them."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cash.cctalk.framing import MAX_DATA, Checksum, Deframer, Frame, FramingError, Noise, crc16, frame
from tests.drivers.cash.sheet import row

# Sheet section 10, in hexadecimal: what is sent to a device, and what it answers.
SIMPLE = {
    "serial of a coin acceptor": ("02 00 01 F2 0B", "01 03 02 00 4E 61 BC 8F"),
    "simple poll of a bill validator": ("28 00 01 FE D9", "01 00 28 00 D7"),
    "category": ("02 00 01 F5 08", "01 0D 02 00 43 6F 69 6E 20 41 63 63 65 70 74 6F 72 16"),
    "manufacturer": ("02 00 01 F6 07", "01 00 02 00 FD"),
    "coin id 1": ("02 01 01 B8 01 43", "01 06 02 00 45 55 30 32 30 41 8A"),
    "inhibit 255 0": ("02 02 01 E7 FF 00 15", "01 00 02 00 FD"),
    "master on": ("02 01 01 E4 01 17", "01 00 02 00 FD"),
    "master off": ("02 01 01 E4 00 18", "01 00 02 00 FD"),
    "coin events after start": ("02 00 01 E5 18", "01 0B 02 00 00 00 00 00 00 00 00 00 00 00 00 F2"),
    "coin 3 by path 2": ("02 00 01 E5 18", "01 0B 02 00 01 03 02 00 00 00 00 00 00 00 00 EC"),
    "bill id 1": ("28 01 01 9D 01 38", "01 07 28 00 45 55 30 30 30 35 41 30"),
    "scaling EU": ("28 02 01 9C 45 55 9F", "01 03 28 00 64 00 02 6E"),
    "mode 3": ("28 01 01 99 03 3A", "01 00 28 00 D7"),
    "inhibit 8 x 255": ("28 08 01 E7 FF FF FF FF FF FF FF FF F0", "01 00 28 00 D7"),
    "master of a bill validator": ("28 01 01 E4 01 F1", "01 00 28 00 D7"),
    "bill events idle": ("28 00 01 9F 38", "01 0B 28 00 00 00 00 00 00 00 00 00 00 00 00 CC"),
    "type 3 in escrow": ("28 00 01 9F 38", "01 0B 28 00 01 03 01 00 00 00 00 00 00 00 00 C7"),
    "route 1": ("28 01 01 9A 01 3B", "01 00 28 00 D7"),
    "type 3 stacked": ("28 00 01 9F 38", "01 0B 28 00 02 03 00 03 01 00 00 00 00 00 00 C3"),
}
CRC = {
    "poll 40": "28 00 B6 FE 21",
    "its answer": "01 00 30 00 37",
    "answer AST": "01 03 72 00 41 53 54 C0",
    "address 40, header 1": "28 00 46 01 3F",
}
RAW_CRCS = {
    "49D5F2": 0xA6B3, "2FBD9D": 0x90B2, "D953D1": 0x7BB5, "70B8D9640415": 0xFB00, "7261B94ED078": 0x93E3,
    "63FAD19FE619": 0x5BB3, b"123456789".hex(): 0x31C3,
}  # fmt: skip
IDLE = bytes.fromhex(SIMPLE["bill events idle"][1])
ACK = bytes.fromhex("01002800D7")


def frames(found: list[Frame | Noise]) -> list[bytes]:
    return [item.raw for item in found if isinstance(item, Frame)]


@row("CRC-16")
@pytest.mark.parametrize(("data", "crc"), RAW_CRCS.items(), ids=RAW_CRCS.keys())
def test_the_crc_is_that_of_xmodem(data: str, crc: int) -> None:
    assert crc16(bytes.fromhex(data)) == crc


@pytest.mark.parametrize(("question", "answer"), SIMPLE.values(), ids=SIMPLE.keys())
def test_a_vector_with_the_simple_checksum_is_built_and_found_byte_for_byte(question: str, answer: str) -> None:
    for raw in (bytes.fromhex(question), bytes.fromhex(answer)):
        assert sum(raw) % 256 == 0
        assert frame(raw[0], raw[3], raw[4:-1], source=raw[2]) == raw
        assert Deframer(frozenset({raw[0]})).feed(raw) == [Frame(raw[0], raw[2], raw[3], raw[4:-1], raw)]


@row("CRC-16")
@pytest.mark.parametrize("text", CRC.values(), ids=CRC.keys())
def test_a_vector_with_the_crc_is_built_and_found_byte_for_byte(text: str) -> None:
    raw = bytes.fromhex(text)
    assert frame(raw[0], raw[3], raw[4:-1], checksum=Checksum.CRC16) == raw
    found = Deframer(frozenset({raw[0]}), checksum=Checksum.CRC16).feed(raw)
    assert found == [Frame(raw[0], None, raw[3], raw[4:-1], raw)]


@pytest.mark.parametrize(
    ("to", "header", "data", "source"),
    [(256, 0, b"", 1), (1, -1, b"", 1), (1, 0, bytes(MAX_DATA + 1), 1), (1, 0, b"", 256)],
)
def test_what_no_frame_carries_is_refused(to: int, header: int, data: bytes, source: int) -> None:
    with pytest.raises(FramingError, match="no frame carries"):
        frame(to, header, data, source=source)


@pytest.mark.parametrize("checksum", Checksum)
def test_the_longest_frame_comes_through(checksum: Checksum) -> None:
    raw = frame(1, 0, bytes(range(255)), source=40, checksum=checksum)
    assert len(raw) == 260
    assert frames(Deframer(checksum=checksum).feed(raw)) == [raw]


def test_another_address_is_not_ours() -> None:
    poll = bytes.fromhex("280001FED9")
    assert frames(Deframer(frozenset({2})).feed(poll)) == []
    assert frames(Deframer(frozenset({40})).feed(poll)) == [poll]


def test_an_answer_of_another_device_on_the_bus_is_not_ours() -> None:
    other = frame(1, 0, b"\x05", source=3)
    assert Deframer(source=40).feed(other + ACK) == [Noise(other, damaged=False), *Deframer().feed(ACK)]


@pytest.mark.parametrize("place", range(len(IDLE) + 1))
def test_a_frame_may_come_in_any_two_pieces(place: int) -> None:
    deframer = Deframer(source=40)
    found = deframer.feed(IDLE[:place]) + deframer.feed(IDLE[place:])
    assert frames(found) == [IDLE]


def test_two_frames_in_one_piece_are_two() -> None:
    assert frames(Deframer(source=40).feed(ACK + IDLE)) == [ACK, IDLE]


@pytest.mark.parametrize("garbage", [b"\xff", b"\x00\x00", b"\x28\x00", b"\x01\xff\x55"])
def test_garbage_before_a_frame_is_noise(garbage: bytes) -> None:
    found = Deframer(source=40).feed(garbage + IDLE)
    assert frames(found) == [IDLE]
    assert found[0] == Noise(garbage, damaged=False)


def test_garbage_after_a_frame_is_noise() -> None:
    assert Deframer(source=40).feed(ACK + b"\xee")[1:] == [Noise(b"\xee", damaged=False)]


@pytest.mark.parametrize("place", range(len(ACK)))
@pytest.mark.parametrize("checksum", Checksum)
def test_one_changed_byte_anywhere_is_no_frame(place: int, checksum: Checksum) -> None:
    raw = bytearray(frame(1, 0, b"", source=40, checksum=checksum))
    raw[place] ^= 0x10
    deframer = Deframer(source=40, checksum=checksum)
    assert frames(deframer.feed(bytes(raw))) == []
    deframer.clear()
    assert frames(deframer.feed(ACK if checksum is Checksum.SIMPLE else bytes.fromhex("0100300037"))) != []


def test_a_damaged_frame_is_said_to_be_one_and_the_next_is_found() -> None:
    damaged = ACK[:-1] + b"\x00"
    found = Deframer(source=40).feed(damaged + IDLE)
    assert found[0] == Noise(damaged, damaged=True)
    assert frames(found) == [IDLE]


def test_the_two_checksums_do_not_understand_each_other() -> None:
    poll = frame(40, 254)
    assert frames(Deframer(frozenset({40}), checksum=Checksum.CRC16).feed(poll)) == []
    poll = frame(40, 254, checksum=Checksum.CRC16)
    assert frames(Deframer(frozenset({40})).feed(poll)) == []


def test_a_frame_that_was_begun_is_forgotten_on_request() -> None:
    deframer = Deframer(source=40)
    deframer.feed(IDLE[:7])
    deframer.clear()
    assert frames(deframer.feed(ACK)) == [ACK]


@given(st.lists(st.binary(max_size=80), max_size=30), st.sampled_from(Checksum))
def test_no_bytes_do_anything_but_become_frames_and_noise(pieces: list[bytes], checksum: Checksum) -> None:
    deframer = Deframer(source=40, checksum=checksum)
    for piece in pieces:
        assert all(isinstance(item, Frame | Noise) for item in deframer.feed(piece))
        pending = getattr(deframer, next(f.name for f in fields(deframer) if f.name.endswith("pending")))
        assert len(pending) < 260


@given(st.binary(max_size=255), st.integers(0, 255), st.binary(max_size=6), st.sampled_from(Checksum))
def test_every_frame_is_found_after_silence_whatever_was_before(
    data: bytes, header: int, before: bytes, checksum: Checksum
) -> None:
    raw = frame(1, header, data, source=40, checksum=checksum)
    deframer = Deframer(source=40, checksum=checksum)
    deframer.feed(before)
    deframer.clear()
    assert frames(deframer.feed(raw)) == [raw]
