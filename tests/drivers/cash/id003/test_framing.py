"""ID-003 frames: published captures, and every way in which a line can mangle them."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cash.id003.framing import MAX_PAYLOAD, Deframer, Frame, FramingError, Noise, crc16, frame
from tests.drivers.cash.id003.vectors import ANSWERS, OF_A_RECYCLER, REQUESTS, UNDOCUMENTED

POLL = bytes.fromhex("FC051127 56")
ESCROW = bytes.fromhex("FC061364 1DAC")
WITH_SYNC_INSIDE = bytes.fromhex("FC06C7FC878C")
LOOKS_LIKE_A_FRAME = frame(b"\x8a\xfc\x05\x11\x27")
PUBLISHED = sorted({*REQUESTS, *ANSWERS, *OF_A_RECYCLER, UNDOCUMENTED})


def frames(found: list[Frame | Noise]) -> list[bytes]:
    return [item.raw for item in found if isinstance(item, Frame)]


def test_the_check_value_of_the_crc_is_that_of_kermit() -> None:
    assert crc16(b"123456789") == 0x2189
    assert crc16(b"") == 0


@pytest.mark.parametrize("text", PUBLISHED)
def test_a_published_frame_is_built_and_found_byte_for_byte(text: str) -> None:
    raw = bytes.fromhex(text)
    assert crc16(raw) == 0
    assert frame(raw[2:-2]) == raw
    assert Deframer().feed(raw) == [Frame(raw[2:-2], raw)]


@pytest.mark.parametrize("text", PUBLISHED)
def test_a_published_frame_is_found_wherever_it_is_split(text: str) -> None:
    raw = bytes.fromhex(text)
    for cut in range(len(raw) + 1):
        deframer = Deframer()
        assert frames(deframer.feed(raw[:cut]) + deframer.feed(raw[cut:])) == [raw], f"cut at {cut}"


def test_the_last_text_bytes_of_a_version_are_not_its_crc() -> None:
    """A public unit test takes the last two letters of the text for it: the CRC that is missing there is 2D 6D."""
    text = b"i(EUR5)100-SS ID003-05V300-45 28JUN23 7F23"
    whole = frame(b"\x88" + text)
    assert whole[1] == 0x2F
    assert whole[-2:].hex() == "2d6d"
    assert Deframer().feed(whole[:-2]) == []


@pytest.mark.parametrize("size", [0, MAX_PAYLOAD + 1])
def test_a_payload_that_no_frame_carries_is_refused(size: int) -> None:
    with pytest.raises(FramingError, match=str(size)):
        frame(bytes(size))


def test_the_longest_payload_comes_through() -> None:
    raw = frame(bytes(range(MAX_PAYLOAD)))
    assert len(raw) == 255
    assert frames(Deframer().feed(raw)) == [raw]


TABLE: dict[str, tuple[bytes, list[bytes]]] = {
    "a frame alone": (ESCROW, [ESCROW]),
    "garbage before": (b"\xff\x00\x31" + ESCROW, [ESCROW]),
    "garbage after": (ESCROW + b"\xff\x00\x31", [ESCROW]),
    "garbage between": (ESCROW + b"\xaa" + POLL, [ESCROW, POLL]),
    "two frames glued": (ESCROW + POLL, [ESCROW, POLL]),
    "a sync byte in the data": (WITH_SYNC_INSIDE, [WITH_SYNC_INSIDE]),
    "what looks like a frame in the data": (LOOKS_LIKE_A_FRAME, [LOOKS_LIKE_A_FRAME]),
    "a sync byte before the frame": (b"\xfc" + ESCROW + bytes(250), [ESCROW]),
    "sync and a length before the frame": (b"\xfc\x06" + ESCROW, [ESCROW]),
    "a beginning that breaks off, then a frame": (b"\xfc\x06\x13" + ESCROW, [ESCROW]),
    "a bad CRC, then a good frame": (ESCROW[:-1] + b"\x00" + POLL, [POLL]),
    "garbage in the middle of a frame, then a frame": (ESCROW[:2] + b"\x55" + ESCROW[2:] + POLL, [POLL]),
    "a length too short": (b"\xfc\x04\x14\x67" + ESCROW, [ESCROW]),
    "a length of nothing": (b"\xfc\x00" + ESCROW, [ESCROW]),
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
    broken = ESCROW[:-1] + b"\x00"
    found = Deframer().feed(b"\x55" + broken + POLL)
    assert found[:2] == [Noise(b"\x55", damaged=False), Noise(broken, damaged=True)]
    assert frames(found[2:]) == [POLL]


def test_clearing_forgets_a_frame_that_was_begun() -> None:
    deframer = Deframer()
    assert deframer.feed(ESCROW[:4]) == []
    deframer.clear()
    assert frames(deframer.feed(ESCROW[4:] + POLL)) == [POLL]


LINES = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from([ESCROW, POLL, WITH_SYNC_INSIDE, ESCROW[:4]]),
        st.sampled_from([b"\xfc", b"\xfc\x05", b"\xfc\xff", b"\xfc\x00"]),
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
