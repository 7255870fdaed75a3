"""SSP messages against the published frames: every command, status, event and table that matters to a deposit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cash.essp.events import Event, EventCode, decode_events, encode_events
from drivers.cash.essp.messages import (
    REJECT_REASONS,
    Answer,
    Command,
    Counters,
    KeyShare,
    MessageError,
    Plain,
    Polled,
    RejectCode,
    Request,
    SerialNumber,
    Status,
    Version,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)
from drivers.cash.essp.notetable import Setup, decode_setup, encode_setup
from guichet.money import Currency, Money, parse_money
from tests.drivers.cash.essp.virtual import events
from tests.drivers.cash.sheet import row

REQUESTS = {
    "01": Request(Command.RESET),
    "02 07 00": Request(Command.SET_INHIBITS, channels=frozenset({1, 2, 3})),
    "02 FF FF": Request(Command.SET_INHIBITS, channels=frozenset(range(1, 17))),
    "02 00 00 01": Request(Command.SET_INHIBITS, channels=frozenset({17})),
    "03": Request(Command.DISPLAY_ON),
    "04": Request(Command.DISPLAY_OFF),
    "05": Request(Command.SETUP),
    "06 08": Request(Command.PROTOCOL, 8),
    "07": Request(Command.POLL),
    "08": Request(Command.REJECT),
    "09": Request(Command.DISABLE),
    "0A": Request(Command.ENABLE),
    "0C": Request(Command.SERIAL),
    "11": Request(Command.SYNC),
    "17": Request(Command.LAST_REJECT),
    "18": Request(Command.HOLD),
    "20": Request(Command.FIRMWARE),
    "4A C5 05 8F 3A 00 00 00 00": Request(Command.SET_GENERATOR, 982451653),
    "4B 8D A6 13 00 00 00 00 00": Request(Command.SET_MODULUS, 1287821),
    "4C 79 C8 9C E2 DE 06 00 00": Request(Command.KEY_EXCHANGE, 0x06DEE29CC879),
    "56": Request(Command.POLL_WITH_ACK),
    "57": Request(Command.EVENT_ACK),
    "58": Request(Command.COUNTERS),
}


@row("02 inhibits mask")
@pytest.mark.parametrize(("text", "request_"), REQUESTS.items(), ids=REQUESTS.keys())
def test_a_command_is_written_and_read_as_published(text: str, request_: Request) -> None:
    assert encode_request(request_) == bytes.fromhex(text)
    assert decode_request(bytes.fromhex(text)) == request_


@pytest.mark.parametrize("text", ["", "66", "0101", "02", "0200000000", "06", "060808", "4A00", "5600"])
def test_what_is_no_command_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        decode_request(bytes.fromhex(text))


@pytest.mark.parametrize("status", Status)
def test_every_generic_response_is_a_value(status: Status) -> None:
    if status is not Status.OK:
        assert decode_answer(Command.POLL_WITH_ACK, bytes((status,))) == Plain(status)
    assert decode_answer(Command.HOLD, bytes((status,))) == Plain(status)
    assert encode_answer(Plain(status)) == bytes((status,))


def test_f5_may_have_a_reason_byte_and_no_other_status_may() -> None:
    assert decode_answer(Command.REJECT, b"\xf5\x03") == Plain(Status.CANNOT)
    for text in (b"\xf5\x03\x01", b"\xf8\x01", b"\xf1", b""):
        with pytest.raises(MessageError):
            decode_answer(Command.REJECT, text)


ANSWERS: list[tuple[Command, str, Answer]] = [
    (Command.SERIAL, "F0 00 1C 96 2C", SerialNumber(1873452)),
    (Command.LAST_REJECT, "F0 08", RejectCode(8)),
    (Command.KEY_EXCHANGE, "F0 23 68 1B FA E5 3C 27 DB", KeyShare(0xDB273CE5FA1B6823)),
    (Command.FIRMWARE, "F0 4E 56 30 30 30 39", Version("NV0009")),
    (
        Command.COUNTERS,
        "F0 05 01 00 00 00 02 01 00 00 03 00 00 00 04 00 00 00 05 00 00 00",
        Counters(1, 258, 3, 4, 5),
    ),
    (Command.POLL_WITH_ACK, "F0", Polled(())),
    (
        Command.POLL_WITH_ACK,
        "F0 CC EE 01",
        Polled(events(EventCode.STACKING, (EventCode.CREDIT, 1))),
    ),
]


@pytest.mark.parametrize(("asked", "text", "answer"), ANSWERS, ids=[text for _, text, _ in ANSWERS])
def test_an_answer_is_read_and_written(asked: Command, text: str, answer: Answer) -> None:
    assert decode_answer(asked, bytes.fromhex(text)) == answer
    assert encode_answer(answer) == bytes.fromhex(text)


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (Command.SERIAL, "F0 00 1C 96"), (Command.LAST_REJECT, "F0"), (Command.COUNTERS, "F0 05 01"),
        (Command.COUNTERS, "F0 04" + "00" * 16), (Command.KEY_EXCHANGE, "F0 01"), (Command.FIRMWARE, "F0"),
        (Command.HOLD, "F0 01"), (Command.SETUP, "F0"),
    ],
)  # fmt: skip
def test_an_ok_that_is_no_answer_to_the_question_is_refused(asked: Command, text: str) -> None:
    with pytest.raises(MessageError):
        decode_answer(asked, bytes.fromhex(text))


# --- poll events ----------------------------------------------------------------------------------------------------

EVENTS: dict[str, tuple[Event, ...]] = {
    "F1 E8": events(EventCode.SLAVE_RESET, EventCode.DISABLED),
    "EF 00": events((EventCode.READ, 0)),
    "EF 03": events((EventCode.READ, 3)),
    "EE 01 EB": events((EventCode.CREDIT, 1), EventCode.STACKED),
    "ED": events(EventCode.REJECTING),
    "EC": events(EventCode.REJECTED),
    "CC": events(EventCode.STACKING),
    "EB": events(EventCode.STACKED),
    "EA": events(EventCode.SAFE_JAM),
    "E9": events(EventCode.UNSAFE_JAM),
    "E8": events(EventCode.DISABLED),
    "E7": events(EventCode.STACKER_FULL),
    "E6 02": events((EventCode.FRAUD, 2)),
    "E5": events(EventCode.TICKET_VALIDATED),
    "E4": events(EventCode.BOX_REPLACED),
    "E3": events(EventCode.BOX_REMOVED),
    "E2 02": events((EventCode.CLEARED_TO_BOX, 2)),
    "E1 00": events((EventCode.CLEARED_FROM_FRONT, 0)),
    "E0": events(EventCode.PATH_OPEN),
    "B5": events(EventCode.ALL_DISABLED),
    "B6": events(EventCode.INITIALISING),
    "B0": events(EventCode.JAM_RECOVERY),
}


@pytest.mark.parametrize(("text", "expected"), EVENTS.items(), ids=EVENTS.keys())
def test_an_event_has_its_length_and_the_next_is_found_behind_it(text: str, expected: tuple[Event, ...]) -> None:
    raw = bytes.fromhex(text)
    assert decode_events(raw + b"\xee\x07", 8) == ((*expected, Event(EventCode.CREDIT, b"\x07")), b"")
    assert encode_events(expected) == raw


LENGTHS = [
    (0xCA, 7, 0), (0xCB, 7, 0), (0xCE, 7, 0), (0xCA, 8, 7), (0xCB, 8, 7), (0xCE, 8, 7), (0xC9, 6, 7), (0xCD, 6, 7),
    (0xDB, 8, 0), (0xC2, 8, 0), (0xC3, 8, 0), (0xC4, 8, 0), (0xC5, 8, 0), (0xC6, 8, 0), (0xC7, 8, 0), (0xC8, 8, 0),
    (0xCF, 8, 0), (0xB7, 8, 0), (0xD1, 8, 0), (0xDA, 5, 4), (0xDC, 5, 8), (0xDD, 5, 8),
]  # fmt: skip


@row("event lengths by version")
@pytest.mark.parametrize(("code", "version", "length"), LENGTHS)
def test_the_length_of_an_event_follows_the_protocol_version(code: int, version: int, length: int) -> None:
    found, rest = decode_events(bytes((code,)) + bytes(range(length)) + b"\xee\x07", version)
    assert [event.code for event in found] == [EventCode(code), EventCode.CREDIT]
    assert rest == b""


@pytest.mark.parametrize(
    ("code", "each", "more"),
    [*((code, 7, 0) for code in (0xDA, 0xD2, 0xD5, 0xD6, 0xD7, 0xD8, 0xD9, 0xDE, 0xDF, 0xB3, 0xB4)),
     (0xDC, 11, 0), (0xDD, 11, 0), (0xB1, 7, 1)],
)  # fmt: skip
def test_a_counted_event_is_as_long_as_its_count_says(code: int, each: int, more: int) -> None:
    for count in (0, 1, 3):
        raw = bytes((code, count)) + bytes(each * count + more)
        found, rest = decode_events(raw + b"\xee\x07", 6)
        assert [len(event.data) for event in found] == [1 + each * count + more, 1]
        assert rest == b""


@pytest.mark.parametrize("text", ["A0 EE 01", "EE", "EF", "DA", "DA 02 01 02", "FF"])
def test_an_event_that_is_not_known_or_not_whole_ends_the_reading(text: str) -> None:
    raw = bytes.fromhex(text)
    assert decode_events(b"\xee\x02" + raw, 8) == (events((EventCode.CREDIT, 2)), raw)


@row("17 last reject code")
@pytest.mark.parametrize("code", range(0x20))
def test_every_last_reject_code_has_a_word_but_the_one_that_no_text_names(code: int) -> None:
    assert (code in REJECT_REASONS) is (code != 0x1E)


# --- the table ------------------------------------------------------------------------------------------------------


def setup(
    values: tuple[int, ...], *, short: int = 1, real: int = 100, countries: tuple[str, ...] = (), version: int = 8
) -> bytes:
    """A setup as a device sends it; expanded values are the same as the short ones, or ``short`` is 0."""
    count = len(values)
    raw = b"\x000333EUR" + short.to_bytes(3, "big") + bytes((count,))
    raw += bytes(value // short if short and value // short < 256 else 0 for value in values)
    raw += b"\x02" * count + real.to_bytes(3, "big") + bytes((version,))
    if version >= 6:
        raw += "".join(countries or ("EUR",) * count).encode("latin-1")
        raw += b"".join(value.to_bytes(4, "little") for value in values)
    return raw


def worth(raw: bytes) -> dict[int, str]:
    return {channel: str(value) for channel, value in decode_setup(raw).values.items()}


@row("05 setup: channel values")
def test_channels_are_counted_from_1_and_worth_value_times_real_multiplier() -> None:
    assert worth(setup((5, 10, 20))) == {1: "5.00 EUR", 2: "10.00 EUR", 3: "20.00 EUR"}


def test_each_channel_has_its_own_country_from_version_6() -> None:
    assert worth(setup((5, 20), countries=("EUR", "USD"))) == {1: "5.00 EUR", 2: "20.00 USD"}


def test_below_version_6_one_country_is_for_all() -> None:
    assert worth(setup((5, 20), version=5)) == {1: "5.00 EUR", 2: "20.00 EUR"}


@row("05 setup: channel values")
def test_a_short_multiplier_of_0_means_the_expanded_values() -> None:
    assert worth(setup((5, 500), short=0)) == {1: "5.00 EUR", 2: "500.00 EUR"}
    assert worth(setup((5, 500), short=5)) == {1: "5.00 EUR", 2: "500.00 EUR"}
    assert worth(setup((5, 500), short=1)) == {1: "5.00 EUR", 2: "500.00 EUR"}, "a byte has no room for 500"
    assert worth(setup((5,), short=0, version=5)) == {}


def test_where_the_two_values_differ_neither_is_believed() -> None:
    raw = bytearray(setup((5, 10)))
    raw[12] = 50
    assert worth(bytes(raw)) == {2: "10.00 EUR"}


def test_the_manuals_own_example_has_a_multiplier_that_cannot_be() -> None:
    raw = bytes.fromhex("00 30 31 30 30 47 42 50 00 00 01 03 05 0A 14 02 02 02 40 00 00 05")
    table = decode_setup(raw)
    assert (table.firmware, table.channels, table.version, table.values) == ("0100", 3, 5, {})


def test_what_is_no_amount_of_a_known_currency_leaves_its_channel_without_a_value() -> None:
    assert worth(setup((5, 5, 0, 5), countries=("XYZ", "\xff\xfe\xfd", "EUR", "EUR"))) == {4: "5.00 EUR"}
    assert worth(setup((0xFFFFFFFF,), short=0, real=0xFFFFFF)) == {}


@pytest.mark.parametrize("unit", [3, 8, 0x55])
def test_a_hopper_or_a_printer_is_not_taken_for_a_validator(unit: int) -> None:
    with pytest.raises(MessageError):
        decode_setup(bytes((unit,)) + setup((5,))[1:])


def test_a_setup_that_is_not_as_long_as_it_says_is_refused() -> None:
    whole = setup((5, 10))
    for cut in range(len(whole)):
        with pytest.raises(MessageError):
            decode_setup(whole[:cut])
    with pytest.raises(MessageError):
        decode_setup(whole + b"\0")
    with pytest.raises(MessageError):
        decode_setup(setup((1,) * 25))


def test_a_table_goes_out_as_it_came_in() -> None:
    table = encode_setup({1: parse_money("5 EUR"), 3: parse_money("500 EUR"), 4: parse_money("20 USD")})
    assert decode_answer(Command.SETUP, encode_answer(table)) == table
    assert dict(table.values) == {1: Money(500, Currency("EUR")), 3: parse_money("500 EUR"), 4: parse_money("20 USD")}
    assert table.channels == 4


@pytest.mark.parametrize(
    "values", [{1: "0.50 EUR"}, {0: "5 EUR"}, {25: "5 EUR"}, {1: "5 EUR", 2: "1000 JPY"}, {1: "-5 EUR"}]
)
def test_a_table_that_no_device_holds_is_refused(values: dict[int, str]) -> None:
    with pytest.raises(MessageError):
        encode_setup({channel: parse_money(value) for channel, value in values.items()})


# --- whatever comes -------------------------------------------------------------------------------------------------


@given(st.sampled_from(Command), st.binary(max_size=255), st.sampled_from([6, 7, 8]))
def test_an_answer_is_understood_or_refused_and_nothing_else(asked: Command, payload: bytes, version: int) -> None:
    try:
        answer = decode_answer(asked, payload, version)
    except MessageError:
        return
    if not isinstance(answer, Version | Plain):  # Padding, and a reason byte, are shed.
        assert encode_answer(answer) == payload


@given(st.binary(max_size=255), st.sampled_from([6, 7, 8]))
def test_of_a_polls_answer_nothing_is_lost(data: bytes, version: int) -> None:
    found, rest = decode_events(data, version)
    assert encode_events(found) + rest == data


@given(st.binary(max_size=12))
def test_a_command_is_understood_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        request = decode_request(data)
    except MessageError:
        return
    assert decode_request(encode_request(request)) == request


@given(st.binary(max_size=120))
def test_a_table_never_yields_an_amount_that_is_none(raw: bytes) -> None:
    try:
        table: Setup = decode_setup(b"\x00" + raw)
    except MessageError:
        return
    assert all(value.minor > 0 for value in table.values.values())
    assert set(table.values) <= set(range(1, table.channels + 1))
