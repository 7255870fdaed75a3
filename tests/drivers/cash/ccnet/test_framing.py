"""CCNET frames: published captures, and every way in which a line can mangle them."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cash.ccnet.framing import MAX_PAYLOAD, Deframer, Frame, FramingError, Noise, crc16, frame

POLL = bytes.fromhex("02030633DA81")
IDLING = bytes.fromhex("0203061467D4")
WITH_SYNC_INSIDE = frame(b"\x80\x02")
LOOKS_LIKE_A_FRAME = frame(b"\x02\x03\x06\x14\x67")

PUBLISHED = {
    "POLL": "02 03 06 33 DA 81",
    "ACK": "02 03 06 00 C2 82",
    "NAK": "02 03 06 FF BA 8D",
    "RESET": "02 03 06 30 41 B3",
    "GET STATUS": "02 03 06 31 C8 A2",
    "STACK": "02 03 06 35 EC E4",
    "RETURN": "02 03 06 36 77 D6",
    "IDENTIFICATION": "02 03 06 37 FE C7",
    "HOLD": "02 03 06 38 09 3F",
    "GET BILL TABLE": "02 03 06 41 4F D1",
    "enable all, no escrow": "02 03 0C 34 FF FF FF 00 00 00 B5 C1",
    "enable all, escrow on all": "02 03 0C 34 FF FF FF FF FF FF FE F7",
    "disable all": "02 03 0C 34 00 00 00 00 00 00 17 0C",
    "POWER UP": "02 03 06 10 43 92",
    "IDLING": "02 03 06 14 67 D4",
    "ACCEPTING": "02 03 06 15 EE C5",
    "STACKING": "02 03 06 17 FC E6",
    "UNIT DISABLED": "02 03 06 19 82 0F",
    "ESCROW 1": "02 03 07 80 01 05 22",
    "STACKED 1": "02 03 07 81 01 DD 3B",
    "GET STATUS answer": "02 03 0B 00 00 00 00 00 00 A8 67",
    "IDENTIFICATION answer": (
        "02 03 27 46 4C 53 2D 45 55 31 30 2D 36 39 33 36 33 39 30 37 4B 49 34 31 41 53 37 34 38 32 "
        "75 ED 8D C8 03 3F 7B 35 DA"
    ),
}


def frames(found: list[Frame | Noise]) -> list[bytes]:
    return [item.raw for item in found if isinstance(item, Frame)]


def test_the_check_value_of_the_crc_is_that_of_kermit() -> None:
    assert crc16(b"123456789") == 0x2189
    assert crc16(b"") == 0


@pytest.mark.parametrize("text", PUBLISHED.values(), ids=PUBLISHED.keys())
def test_a_published_frame_is_built_and_found_byte_for_byte(text: str) -> None:
    raw = bytes.fromhex(text)
    assert crc16(raw) == 0
    assert frame(raw[3:-2]) == raw
    assert Deframer().feed(raw) == [Frame(0x03, raw[3:-2], raw)]


@pytest.mark.parametrize("size", [0, MAX_PAYLOAD + 1])
def test_a_payload_that_no_frame_carries_is_refused(size: int) -> None:
    with pytest.raises(FramingError, match=str(size)):
        frame(bytes(size))


def test_the_longest_payload_comes_through() -> None:
    raw = frame(bytes(range(MAX_PAYLOAD)))
    assert len(raw) == 250
    assert frames(Deframer().feed(raw)) == [raw]


def test_a_frame_that_only_a_long_form_could_carry_is_noise_though_its_crc_is_right() -> None:
    for length in (251, 255):
        head = bytes((0x02, 0x03, length)) + bytes(length - 5)
        raw = head + crc16(head).to_bytes(2, "little")
        assert Deframer().feed(raw + IDLING) == [Noise(raw, damaged=False), Frame(0x03, b"\x14", IDLING)]


def test_another_address_is_not_ours() -> None:
    assert Deframer().feed(frame(b"\x14", address=0x01)) == [Noise(frame(b"\x14", address=0x01), damaged=False)]
    assert frames(Deframer(address=0x01).feed(frame(b"\x14", address=0x01))) == [frame(b"\x14", address=0x01)]


TABLE: dict[str, tuple[bytes, list[bytes]]] = {
    "a frame alone": (IDLING, [IDLING]),
    "garbage before": (b"\xff\x00\x31" + IDLING, [IDLING]),
    "garbage after": (IDLING + b"\xff\x00\x31", [IDLING]),
    "garbage between": (IDLING + b"\xaa" + POLL, [IDLING, POLL]),
    "two frames glued": (IDLING + POLL, [IDLING, POLL]),
    "a sync byte in the payload": (WITH_SYNC_INSIDE, [WITH_SYNC_INSIDE]),
    "what looks like a frame in the payload": (LOOKS_LIKE_A_FRAME, [LOOKS_LIKE_A_FRAME]),
    "a sync byte before the frame": (b"\x02" + IDLING, [IDLING]),
    "sync and address before the frame": (b"\x02\x03" + IDLING, [IDLING]),
    "a beginning that breaks off, then a frame": (b"\x02\x03\x07\x80" + IDLING, [IDLING]),
    "a bad CRC, then a good frame": (IDLING[:-1] + b"\x00" + POLL, [POLL]),
    "garbage in the middle of a frame, then a frame": (IDLING[:3] + b"\x55" + IDLING[3:] + POLL, [POLL]),
    "a length too short": (b"\x02\x03\x05\x14\x67" + IDLING, [IDLING]),
    "the malformed NAK of one public driver": (b"\x02\x03\x05\xff\xba\x8d" + IDLING, [IDLING]),
    "the long form, which is not for us": (b"\x02\x03\x00\x41\x01\x00" + IDLING, [IDLING]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize(("line", "expected"), TABLE.values(), ids=TABLE.keys())
def test_the_frames_in_a_line_are_found(line: bytes, expected: list[bytes]) -> None:
    assert frames(Deframer().feed(line)) == expected


@pytest.mark.parametrize(("line", "expected"), TABLE.values(), ids=TABLE.keys())
def test_the_frames_in_a_line_are_found_wherever_it_is_split(line: bytes, expected: list[bytes]) -> None:
    for cut in range(len(line) + 1):
        deframer = Deframer()
        assert frames(deframer.feed(line[:cut]) + deframer.feed(line[cut:])) == expected, f"cut at {cut}"
    one_by_one = Deframer()
    assert frames([item for byte in line for item in one_by_one.feed(bytes((byte,)))]) == expected


def test_a_damaged_frame_is_told_from_plain_noise_and_both_come_in_order() -> None:
    broken = IDLING[:-1] + b"\x00"
    found = Deframer().feed(b"\x55" + broken + POLL)
    assert found[:2] == [Noise(b"\x55", damaged=False), Noise(broken, damaged=True)]
    assert frames(found[2:]) == [POLL]


def test_clearing_forgets_a_frame_that_was_begun() -> None:
    deframer = Deframer()
    assert deframer.feed(IDLING[:4]) == []
    deframer.clear()
    assert frames(deframer.feed(IDLING[4:] + POLL)) == [POLL]


LINES = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from([IDLING, POLL, WITH_SYNC_INSIDE, IDLING[:4]]),
        st.sampled_from([b"\x02", b"\x02\x03", b"\x02\x03\xff", b"\x02\x03\x00"]),
    ),
    max_size=12,
)  # fmt: skip


@given(LINES)
def test_whatever_comes_nothing_is_raised_and_never_more_than_one_frame_is_kept(pieces: list[bytes]) -> None:
    deframer, found = Deframer(), list[Frame | Noise]()
    for piece in pieces:
        found += deframer.feed(piece)
        assert kept_length(deframer) < 255
    for item in found:
        assert not isinstance(item, Frame) or crc16(item.raw) == 0


def kept_length(deframer: Deframer) -> int:
    """All the bytes that a deframer holds, in whatever field."""
    return sum(len(value) for f in fields(deframer) if isinstance(value := getattr(deframer, f.name), bytearray))


@given(LINES, st.binary(min_size=1, max_size=40))
def test_a_good_frame_after_any_noise_is_found_once_the_line_is_quiet(pieces: list[bytes], payload: bytes) -> None:
    deframer = Deframer()
    for piece in pieces:
        deframer.feed(piece)
    deframer.clear()
    assert frames(deframer.feed(frame(payload))) == [frame(payload)]


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=5), st.data())
def test_frames_come_out_as_they_went_in_however_they_are_cut(payloads: list[bytes], data: st.DataObject) -> None:
    line = b"".join(frame(payload) for payload in payloads)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(line)), max_size=6)))
    deframer, found = Deframer(), list[Frame | Noise]()
    for begin, end in zip([0, *cuts], [*cuts, len(line)], strict=True):
        found += deframer.feed(line[begin:end])
    assert [item.payload for item in found if isinstance(item, Frame)] == payloads
    assert len(found) == len(payloads)
