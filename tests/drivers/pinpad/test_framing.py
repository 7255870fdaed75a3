"""Frames of the PIN pad's line, with noise before, inside and after them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.pinpad.framing import Deframer, Frame, crc, encode_frame

STATUS = Frame(1, 0x02)
STATUS_BYTES = "02 0002 01 02 73AC"
FRAMES = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=96))


def test_the_check_value_of_the_crc_is_the_published_one() -> None:
    assert crc(b"123456789") == 0x906E


def test_a_frame_looks_like_this() -> None:
    assert encode_frame(STATUS) == bytes.fromhex(STATUS_BYTES)


@pytest.mark.parametrize(
    ("line", "frames"),
    [
        (STATUS_BYTES, [STATUS]),
        ("FF 00 41" + STATUS_BYTES, [STATUS]),
        ("02" + STATUS_BYTES, [STATUS]),
        ("02 0001 02 FFFF" + STATUS_BYTES, [STATUS]),
        (STATUS_BYTES + "41" + STATUS_BYTES, [STATUS, STATUS]),
        ("02 0002 01 02 73AD" + STATUS_BYTES, [STATUS]),
        ("02 0002 01 03 73AC", []),
        ("", []),
    ],
)
def test_frames_are_found_in_noise(line: str, frames: list[Frame]) -> None:
    assert Deframer().feed(bytes.fromhex(line)) == frames


@given(st.lists(FRAMES, max_size=4), st.lists(st.integers(0, 300), max_size=6))
def test_frames_arrive_however_they_are_cut(frames: list[Frame], cuts: list[int]) -> None:
    line = b"".join(encode_frame(frame) for frame in frames)
    deframer = Deframer()
    found: list[Frame] = []
    for cut in cuts:
        found += deframer.feed(line[:cut])
        line = line[cut:]
    assert found + deframer.feed(line) == frames


@given(st.binary(max_size=600))
def test_any_noise_and_a_silence_leave_the_line_usable(noise: bytes) -> None:
    deframer = Deframer()
    deframer.feed(noise)
    deframer.forget()
    assert deframer.feed(encode_frame(STATUS)) == [STATUS]


def test_a_body_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="97 bytes"):
        encode_frame(Frame(1, 1, bytes(97)))


def test_a_frame_does_not_print_its_body() -> None:
    assert repr(Frame(1, 3, b"4761")) == "Frame(1, 03, 4 bytes)"
