"""SSP frames: published ones, and every way in which a line can mangle them."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cash.essp.framing import MAX_DATA, Deframer, Frame, FramingError, Noise, crc16, frame
from tests.drivers.cash.sheet import row

POLL = bytes.fromhex("7F8001071202")
OK = bytes.fromhex("7F8001F02380")
STUFFED = frame(b"\x0c\x7f", flag=True)
LOOKS_LIKE_A_FRAME = frame(OK, flag=False)

PUBLISHED = {
    "sync": "7F 80 01 11 65 82",
    "ok": "7F 80 01 F0 23 80",
    "poll, flag 1": "7F 80 01 07 12 02",
    "poll, flag 0": "7F 00 01 07 11 88",
    "reset and disabled": "7F 80 03 F0 F1 E8 BF 8C",
    "credit 1 and stacked": "7F 80 04 F0 EE 01 EB B9 48",
    "credit 4": "7F 80 03 F0 EE 04 D7 CC",
    "reading": "7F 80 03 F0 EF 00 CF CA",
    "escrow, channel 3": "7F 80 03 F0 EF 03 C5 CA",
    "stacking": "7F 80 02 F0 CC 97 A2",
    "stacked": "7F 80 02 F0 EB 45 A2",
    "rejecting": "7F 80 02 F0 ED 51 A2",
    "rejected": "7F 80 02 F0 EC 54 22",
    "unsafe jam": "7F 80 02 F0 E9 4A 22",
    "disabled": "7F 80 02 F0 E8 4F A2",
    "full": "7F 80 02 F0 E7 6D A2",
    "fraud, channel 2": "7F 80 03 F0 E6 02 C0 7C",
    "cleared from the front": "7F 80 03 F0 E1 00 CC 6E",
    "cleared to the box": "7F 80 03 F0 E2 02 C3 E4",
    "cash box out": "7F 80 02 F0 E3 76 22",
    "cash box in": "7F 80 02 F0 E4 67 A2",
    "inhibits 07 00": "7F 80 03 02 07 00 2B B6",
    "inhibits FF FF": "7F 80 03 02 FF FF 25 A4",
    "enable, flag 1": "7F 80 01 0A 3F 82",
    "enable, flag 0": "7F 00 01 0A 3C 08",
    "disable": "7F 80 01 09 35 82",
    "hold, flag 1": "7F 80 01 18 53 82",
    "hold, flag 0": "7F 00 01 18 50 08",
    "reject, flag 1": "7F 80 01 08 30 02",
    "reject, flag 0": "7F 00 01 08 33 88",
    "protocol 8": "7F 80 02 06 08 03 94",
    "protocol 9": "7F 80 02 06 09 06 14",
    "refused": "7F 80 01 F8 10 00",
    "serial number": "7F 80 01 0C 2B 82",
    "serial number 1873452": "7F 80 05 F0 00 1C 96 2C D4 97",
    "setup": "7F 80 01 05 1D 82",
    "setup answer": "7F 80 17 F0 00 30 31 30 30 47 42 50 00 00 01 03 05 0A 14 02 02 02 40 00 00 05 61 81",
    "last reject": "7F 80 01 17 71 82",
    "last reject 08": "7F 80 02 F0 08 0C 20",
    "poll with ack": "7F 80 01 56 F7 83",
    "stacking and credit 1": "7F 80 04 F0 CC EE 01 62 AA",
    "event ack": "7F 80 01 57 F2 03",
    "cannot": "7F 80 01 F5 3D 80",
    "generator 982451653": "7F 80 09 4A C5 05 8F 3A 00 00 00 00 B2 73",
    "modulus 1287821": "7F 80 09 4B 8D A6 13 00 00 00 00 00 6C F6",
    "key exchange": "7F 80 09 4C 79 C8 9C E2 DE 06 00 00 9D 52",
    "key exchange answer": "7F 80 09 F0 23 68 1B FA E5 3C 27 DB 80 8A",
    "stuffing in the data": "7F 80 02 0C 7F 7F 31 A9",
    "stuffing in the CRC": "7F 80 02 02 E2 7F 7F 8E",
    "encrypted protocol 6": "7F 80 11 7E 86 01 F3 A7 85 EC 6F 4B 3D 0F F0 FE D4 8D 16 64 2A 23",
    "encrypted poll with ack": "7F 80 11 7E A6 7A 94 71 8A AC 60 46 5A A1 F2 59 C4 A6 74 0D 59 A1",
    "a slip in a wiki: F8 for E8": "7F 80 03 F0 F1 F8 DC 0C",
}


def frames(found: list[Frame | Noise]) -> list[bytes]:
    return [item.raw for item in found if isinstance(item, Frame)]


@pytest.mark.parametrize("text", PUBLISHED.values(), ids=PUBLISHED.keys())
def test_a_published_frame_is_built_and_found_byte_for_byte(text: str) -> None:
    raw = bytes.fromhex(text)
    (found,) = Deframer().feed(raw)
    assert isinstance(found, Frame)
    assert (found.flag, found.address, found.raw) == (raw[1] == 0x80, 0, raw)
    assert frame(found.payload, flag=found.flag) == raw
    assert len(found.payload) == raw[2]


def test_the_check_value_of_the_crc_is_that_of_cms() -> None:
    assert crc16(b"123456789") == 0xAEE7


@pytest.mark.parametrize("size", [0, MAX_DATA + 1])
def test_data_that_no_frame_carries_is_refused(size: int) -> None:
    with pytest.raises(FramingError, match=str(size)):
        frame(bytes(size), flag=True)


def test_an_address_that_there_is_not_is_refused() -> None:
    with pytest.raises(FramingError, match="127"):
        frame(b"\x07", flag=True, address=0x7F)


@row("7F is sent twice")
def test_the_longest_data_comes_through_also_where_every_byte_is_stuffed() -> None:
    for data in (bytes(range(MAX_DATA)), b"\x7f" * MAX_DATA, b"\x7f" * 0x7F):
        (found,) = Deframer().feed(frame(data, flag=False))
        assert isinstance(found, Frame)
        assert found.payload == data


def test_another_address_is_not_ours() -> None:
    hopper = frame(b"\x07", flag=True, address=0x10)
    assert frames(Deframer().feed(hopper + OK)) == [OK]
    assert frames(Deframer(address=0x10).feed(hopper + OK)) == [hopper]


TABLE: dict[str, tuple[bytes, list[bytes]]] = {
    "a frame alone": (OK, [OK]),
    "garbage before": (b"\xff\x00\x31" + OK, [OK]),
    "garbage after": (OK + b"\xff\x00\x31", [OK]),
    "garbage between": (OK + b"\xaa" + POLL, [OK, POLL]),
    "two frames glued": (OK + POLL, [OK, POLL]),
    "a stuffed byte": (STUFFED, [STUFFED]),
    "what looks like a frame in the data": (LOOKS_LIKE_A_FRAME, [LOOKS_LIKE_A_FRAME]),
    "a first byte before the frame": (b"\x7f" + OK, [OK]),
    "first bytes in a row before the frame": (b"\x7f\x7f\x7f" + OK, [OK]),
    "a beginning that breaks off, then a frame": (b"\x7f\x80\x05\xf0\xef" + OK, [OK]),
    "a beginning that breaks off after a stuffed byte": (b"\x7f\x80\x05\x7f\x7f\xef" + OK, [OK]),
    "a beginning that breaks off in a stuffed byte": (b"\x7f\x80\x05\xf0\x7f" + OK + POLL, [OK, POLL]),
    "a bad CRC, then a good frame": (OK[:-1] + b"\x00" + POLL, [POLL]),
    "garbage in the middle of a frame, then a frame": (OK[:3] + b"\x55" + OK[3:] + POLL, [POLL]),
    "a length of nothing": (b"\x7f\x80\x00\x14\x67" + OK, [OK]),
    "a frame for somebody else between": (OK + frame(b"\x07", flag=True, address=3) + POLL, [OK, POLL]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize(("line", "expected"), TABLE.values(), ids=TABLE.keys())
def test_the_frames_in_a_line_are_found_wherever_it_is_split(line: bytes, expected: list[bytes]) -> None:
    for cut in range(len(line) + 1):
        deframer = Deframer()
        assert frames(deframer.feed(line[:cut]) + deframer.feed(line[cut:])) == expected, f"cut at {cut}"
    one_by_one = Deframer()
    assert frames([item for byte in line for item in one_by_one.feed(bytes((byte,)))]) == expected


def test_a_damaged_frame_is_told_from_plain_noise_and_both_come_in_order() -> None:
    broken = OK[:-1] + b"\x00"
    found = Deframer().feed(b"\x55" + broken + POLL)
    assert found[:2] == [Noise(b"\x55", damaged=False), Noise(broken, damaged=True)]
    assert frames(found[2:]) == [POLL]


def test_clearing_forgets_a_frame_that_was_begun() -> None:
    deframer = Deframer()
    assert deframer.feed(OK[:4]) == []
    deframer.clear()
    assert frames(deframer.feed(OK[4:] + POLL)) == [POLL]


LINES = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from([OK, POLL, STUFFED, OK[:4]]),
        st.sampled_from([b"\x7f", b"\x7f\x7f", b"\x7f\x80\xff", b"\x7f\x80\x00"]),
    ),
    max_size=12,
)


@given(LINES)
def test_whatever_comes_nothing_is_raised_and_never_more_than_one_frame_is_kept(pieces: list[bytes]) -> None:
    deframer, found = Deframer(), list[Frame | Noise]()
    for piece in pieces:
        found += deframer.feed(piece)
        assert kept_length(deframer) <= 1 + 2 * (2 + MAX_DATA + 2)
    assert sum(len(item.raw) for item in found if isinstance(item, Frame)) <= sum(map(len, pieces))


def kept_length(deframer: Deframer) -> int:
    """All the bytes that a deframer holds, in whatever field."""
    return sum(len(value) for f in fields(deframer) if isinstance(value := getattr(deframer, f.name), bytearray))


@given(LINES, st.binary(min_size=1, max_size=40), st.booleans())
def test_a_good_frame_after_any_noise_is_found_once_the_line_is_quiet(
    pieces: list[bytes], data: bytes, flag: bool
) -> None:
    deframer = Deframer()
    for piece in pieces:
        deframer.feed(piece)
    deframer.clear()
    assert frames(deframer.feed(frame(data, flag=flag))) == [frame(data, flag=flag)]


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=5), st.data())
def test_frames_come_out_as_they_went_in_however_they_are_cut(payloads: list[bytes], data: st.DataObject) -> None:
    line = b"".join(frame(payload, flag=bool(n % 2)) for n, payload in enumerate(payloads))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(line)), max_size=6)))
    deframer, found = Deframer(), list[Frame | Noise]()
    for begin, end in zip([0, *cuts], [*cuts, len(line)], strict=True):
        found += deframer.feed(line[begin:end])
    assert [(item.flag, item.payload) for item in found if isinstance(item, Frame)] == [
        (bool(n % 2), payload) for n, payload in enumerate(payloads)
    ]
