"""The text of a recording: written and read back the same; what is none is refused with its line."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api.device import DeviceIdentity
from drivers.transport.recording import (
    MAX_LINE,
    MOST_SECONDS,
    BadRecording,
    Header,
    Mark,
    Moment,
    Recording,
    from_lines,
    identity_moment,
    lines_of,
    moment_of,
    to_text,
    without_keys,
)
from guichet.ids import DeviceSerial

IDENTITY = DeviceIdentity("ccnet", "SM", DeviceSerial("0001"), "1.0", False)
HEADER = Header("cash", "ccnet", "/dev/guichet/cash@9600,8E1", {"poll_ms": "50"}, 1_790_000_000_000_000)
TEXT = """\
guichet wire recording 1
{"device": "cash", "driver": "ccnet", "address": "/dev/guichet/cash@9600,8E1", "options": {"poll_ms": "50"}, \
"began_us": 1790000000000000}
103.25 ! opened 0102
103.25 > 02 03 06 33 DA 81
103.262 < 02 03 06 10 43 C7
103.3 = {"driver": "ccnet", "model": "SM", "serial": "0001", "firmware": "1.0", "simulated": false}
103.4 > withheld 6
103.5 ~ 12 moments are not kept
104.0 .
"""
MOMENTS = (
    Moment(103.25, Mark.STEP, text="opened 0102"),
    Moment(103.25, Mark.SENT, bytes.fromhex("02030633DA81")),
    Moment(103.262, Mark.RECEIVED, bytes.fromhex("0203061043C7")),
    identity_moment(103.3, IDENTITY),
    Moment(103.4, Mark.SENT, withheld=6),
    Moment(103.5, Mark.GAP, text="12 moments are not kept"),
    Moment(104.0, Mark.CLOSED),
)


def test_a_recording_is_a_text_that_can_be_read() -> None:
    assert to_text(Recording(HEADER, MOMENTS)) == TEXT
    assert from_lines(TEXT.splitlines()) == Recording(HEADER, MOMENTS)


def test_who_the_device_is_stands_in_the_header_or_where_it_was_learnt() -> None:
    assert Recording(HEADER, MOMENTS).identity == IDENTITY
    assert Recording(HEADER, MOMENTS[:2]).identity is None
    known = Header("cash", "ccnet", "/dev/x", {}, 0, IDENTITY)
    assert from_lines(to_text(Recording(known, ())).splitlines()).identity == IDENTITY


def test_a_recording_with_a_gap_or_with_bytes_withheld_is_not_whole() -> None:
    assert Recording(HEADER, MOMENTS[:4]).whole
    assert not Recording(HEADER, MOMENTS[4:5]).whole
    assert not Recording(HEADER, MOMENTS[5:6]).whole


def test_keys_are_stars() -> None:
    assert without_keys({"fixed_key": "0123", "poll_ms": "5"}) == {"fixed_key": "****", "poll_ms": "5"}
    secret = Header("cash", "essp", "/dev/x", {"fixed_key": "0123456701234567"})
    assert "01234567" not in to_text(Recording(secret, ()))


@pytest.mark.parametrize(
    ("number", "line", "why"),
    [
        (1, "something else", "line 1: a recording begins with 'guichet wire recording 1'"),
        (2, "[]", "line 2: expected a JSON object"),
        (2, "{", "line 2: expected a JSON object"),
        (2, "[" * 100_000, "line 2: expected a JSON object"),
        (2, "{}", "line 2: a header has options and began_us"),
        (2, '{"options": {}, "began_us": 1}', "line 2: device is missing, or no text"),
        (2, '{"options": {}, "began_us": -1}', "line 2: began_us is no time: -1"),
        (2, '{"options": {}, "began_us": 999999999999999999999}', "line 2: began_us is no time"),
        (2, '{"options": {}, "began_us": true}', "line 2: a header has options and began_us"),
        (3, "103.25", "line 3: expected a time and one of > < ! = ~ ."),
        (3, "noon > 00", "line 3: expected a time"),
        (3, "nan > 00", "line 3: no time: nan"),
        (3, "1.0 ? 00", "line 3: expected a time"),
        (3, "-1e308 > 00", "line 3: no time: -1e308"),
        (3, "1000000000001 .", "line 3: no time: 1000000000001"),
        (3, "1.0 >", "line 3: no bytes: >"),
        (3, "1.0 <  ", "line 3: no bytes: <"),
        (3, "1.0 > 0G", "line 3: not hexadecimal: '0G'"),
        (3, "1.0 > withheld many", "line 3: withheld bytes are counted"),
        (3, "1.0 > withheld 0", "line 3: withheld bytes are counted"),
        (3, "1.0 = {}", "line 3: an identity says whether it is simulated"),
        (3, '1.0 = {"simulated": true}', "line 3: serial is missing, or no text"),
        (3, "1.0 ! " + "x" * (1 << 20), "line 3: a line of"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_recording_is_refused_with_its_line(number: int, line: str, why: str) -> None:
    lines: list[str] = [*TEXT.splitlines()]
    lines[number - 1] = line
    with pytest.raises(BadRecording) as refused:
        from_lines(lines)
    assert str(refused.value).startswith(why)


def test_no_more_of_a_line_is_read_than_a_line_may_be_long() -> None:
    file = StringIO("x" * (MAX_LINE - 1) + "\n" + "y" * (3 * MAX_LINE))
    lines = lines_of(file)
    assert len(next(lines)) == MAX_LINE
    with pytest.raises(BadRecording, match="a line of more than"):
        next(lines)
    assert file.tell() == 2 * MAX_LINE + 1


def test_an_empty_file_is_no_recording() -> None:
    with pytest.raises(BadRecording, match="line 1"):
        from_lines([])


TIMES = st.floats(-MOST_SECONDS, MOST_SECONDS)
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)
MOMENT = st.one_of(
    st.builds(Moment, TIMES, st.sampled_from([Mark.SENT, Mark.RECEIVED]), st.binary(min_size=1)),
    st.builds(Moment, TIMES, st.sampled_from([Mark.STEP, Mark.GAP]), text=WORDS),
    st.builds(Moment, TIMES, st.just(Mark.SENT), withheld=st.integers(1, 10**6)),
)


@given(st.lists(MOMENT))
def test_any_recording_is_read_as_it_was_written_times_exactly(moments: list[Moment]) -> None:
    recording = Recording(HEADER, tuple(moments))
    assert from_lines(to_text(recording).splitlines()) == recording


@given(st.text())
def test_no_line_raises_anything_else(line: str) -> None:
    try:
        moment = moment_of(line)
    except BadRecording:
        return
    assert isinstance(moment, Moment)
