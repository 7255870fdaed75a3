"""ccTalk messages: every header that we use, both directions, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cash.cctalk.messages import (
    Acknowledged,
    Answer,
    Busy,
    Code,
    EventBuffer,
    Header,
    Mask,
    MessageError,
    NotAcknowledged,
    NotRouted,
    OptionFlags,
    PollEvery,
    Request,
    Route,
    SerialNumber,
    Text,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
    route,
    set_master,
)
from drivers.cash.cctalk.values import Scaling
from tests.drivers.cash.sheet import row

REQUESTS = [
    (Request(Header.RESET), 1, ""),
    (Request(Header.SIMPLE_POLL), 254, ""),
    (Request(Header.POLLING_PRIORITY), 249, ""),
    (Request(Header.STATUS), 248, ""),
    (Request(Header.MANUFACTURER), 246, ""),
    (Request(Header.CATEGORY), 245, ""),
    (Request(Header.PRODUCT), 244, ""),
    (Request(Header.SERIAL), 242, ""),
    (Request(Header.SOFTWARE), 241, ""),
    (Request(Header.SELF_CHECK), 232, ""),
    (Request(Header.SET_INHIBITS, b"\xff\x00"), 231, "FF00"),
    (Request(Header.GET_INHIBITS), 230, ""),
    (Request(Header.COIN_EVENTS), 229, ""),
    (set_master(accepting=True), 228, "01"),
    (set_master(accepting=False), 228, "00"),
    (Request(Header.GET_MASTER), 227, ""),
    (Request(Header.OPTION_FLAGS), 213, ""),
    (Request(Header.COIN_ID, b"\x01"), 184, "01"),
    (Request(Header.NOTE_EVENTS), 159, ""),
    (Request(Header.NOTE_ID, b"\x01"), 157, "01"),
    (Request(Header.SCALING, b"EU"), 156, "4555"),
    (route(Route.RETURN), 154, "00"),
    (route(Route.STACK), 154, "01"),
    (route(Route.HOLD), 154, "FF"),
    (Request(Header.SET_MODE, b"\x03"), 153, "03"),
    (Request(Header.REVISION, b"EU"), 145, "4555"),
]
ANSWERS: list[tuple[Header, Answer, int, str]] = [
    (Header.SIMPLE_POLL, Acknowledged(), 0, ""),
    (Header.ROUTE, Acknowledged(), 0, ""),
    (Header.ROUTE, NotRouted.ESCROW_EMPTY, 0, "FE"),
    (Header.ROUTE, NotRouted.FAILED, 0, "FF"),
    (Header.ROUTE, NotAcknowledged(), 5, ""),
    (Header.NOTE_EVENTS, Busy(), 6, ""),
    (Header.SERIAL, SerialNumber(12345678), 0, "4E61BC"),
    (Header.CATEGORY, Text("Coin Acceptor"), 0, "436F696E204163636570746F72"),
    (Header.COIN_ID, Text("EU020A"), 0, "455530323041"),
    (Header.NOTE_ID, Text("EU0005A"), 0, "45553030303541"),
    (Header.SCALING, Scaling(100, 2), 0, "640002"),
    (Header.SCALING, Scaling(0, 0), 0, "000000"),
    (Header.GET_INHIBITS, Mask(b"\xff\x00"), 0, "FF00"),
    (Header.SELF_CHECK, Code(44), 0, "2C"),
    (Header.STATUS, Code(2), 0, "02"),
    (Header.GET_MASTER, Code(1), 0, "01"),
    (Header.OPTION_FLAGS, OptionFlags(1), 0, "01"),
    (Header.OPTION_FLAGS, NotAcknowledged(), 5, ""),
    (Header.POLLING_PRIORITY, PollEvery(0.2), 0, "0214"),
    (Header.POLLING_PRIORITY, PollEvery(None), 0, "0000"),
    (Header.COIN_EVENTS, EventBuffer(1, ((3, 2), (0, 0), (0, 0), (0, 0), (0, 0))), 0, "0103020000000000000000"),
    (Header.NOTE_EVENTS, EventBuffer(2, ((3, 0), (3, 1), (0, 0), (0, 0), (0, 0))), 0, "0203000301000000000000"),
]


@pytest.mark.parametrize(("request_", "header", "data"), REQUESTS, ids=lambda value: str(value)[:60])
def test_every_request_goes_out_and_comes_back(request_: Request, header: int, data: str) -> None:
    assert encode_request(request_) == (header, bytes.fromhex(data))
    assert decode_request(header, bytes.fromhex(data)) == request_


def test_every_header_that_we_know_has_a_row() -> None:
    assert {request.header for request, _, _ in REQUESTS} == set(Header)


@pytest.mark.parametrize(("asked", "answer", "header", "data"), ANSWERS, ids=lambda value: str(value)[:60])
def test_every_answer_goes_out_and_comes_back(asked: Header, answer: Answer, header: int, data: str) -> None:
    assert encode_answer(answer) == (header, bytes.fromhex(data))
    assert decode_answer(asked, header, bytes.fromhex(data)) == answer


@pytest.mark.parametrize(
    ("header", "data"),
    [
        (0, ""), (2, ""), (167, "00"), (1, "28"), (159, "01"), (154, ""), (154, "0101"), (157, ""), (156, "45"),
        (231, ""), (231, "FF" * 9), (228, ""), (999, ""),
    ],
)  # fmt: skip
def test_what_is_no_request_is_said_to_be_none(header: int, data: str) -> None:
    with pytest.raises(MessageError):
        decode_request(header, bytes.fromhex(data))


@row("reset has no data")
def test_a_reset_with_data_is_none_and_so_noise_before_a_frame_does_not_reset() -> None:
    with pytest.raises(MessageError, match="RESET with 1 bytes"):
        decode_request(1, b"\x00")


@pytest.mark.parametrize(
    ("asked", "header", "data"),
    [
        (Header.SIMPLE_POLL, 0, "01"), (Header.SIMPLE_POLL, 254, ""), (Header.ROUTE, 0, "01"),
        (Header.ROUTE, 0, "FEFE"), (Header.NOTE_EVENTS, 0, ""), (Header.NOTE_EVENTS, 0, "00" * 10),
        (Header.NOTE_EVENTS, 0, "00" * 12), (Header.SERIAL, 0, "0000"), (Header.CATEGORY, 0, ""),
        (Header.SCALING, 0, "64"), (Header.GET_INHIBITS, 0, ""), (Header.SELF_CHECK, 0, "000000"),
        (Header.POLLING_PRIORITY, 0, "02"), (Header.SET_MASTER, 7, ""), (Header.OPTION_FLAGS, 0, ""),
        (Header.OPTION_FLAGS, 0, "0100"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_said_to_be_none(asked: Header, header: int, data: str) -> None:
    with pytest.raises(MessageError):
        decode_answer(asked, header, bytes.fromhex(data))


@pytest.mark.parametrize(
    ("data", "seconds"),
    [("01C8", 0.2), ("0214", 0.2), ("0301", 1.0), ("0401", 60.0), ("0501", 3600.0), ("00FF", None), ("0905", None),
     ("0100", None)],
)  # fmt: skip
def test_polling_priority_has_units(data: str, seconds: float | None) -> None:
    assert decode_answer(Header.POLLING_PRIORITY, 0, bytes.fromhex(data)) == PollEvery(seconds)


@pytest.mark.parametrize(("flags", "values"), [(0, False), (1, True), (254, False), (255, True)])
def test_the_lowest_option_flag_of_a_coin_acceptor_says_that_its_credits_are_values(flags: int, values: bool) -> None:
    assert OptionFlags(flags).credits_are_values is values


@given(st.sampled_from(Header), st.integers(0, 255), st.binary(max_size=255))
def test_no_answer_raises_anything_but_the_codecs_own_error(asked: Header, header: int, data: bytes) -> None:
    try:
        answer = decode_answer(asked, header, data)
    except MessageError:
        return
    assert encode_answer(answer)[0] in (0, 5, 6)


@given(st.integers(0, 255), st.binary(max_size=255))
def test_no_request_raises_anything_but_the_codecs_own_error(header: int, data: bytes) -> None:
    try:
        request = decode_request(header, data)
    except MessageError:
        return
    assert encode_request(request) == (header, data)
