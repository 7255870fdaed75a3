"""CCNET messages against the published captures, and the note table with everything that makers put into it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cash.ccnet.framing import frame
from drivers.cash.ccnet.messages import (
    ALL_TYPES,
    Acknowledged,
    Answer,
    Command,
    EnabledTypes,
    Identification,
    Illegal,
    MessageError,
    NotAcknowledged,
    NoteTable,
    PollAnswer,
    Request,
    StackedCount,
    State,
    decode_answer,
    decode_note_table,
    decode_request,
    encode_answer,
    encode_note_table,
    encode_request,
)
from guichet.money import Currency, Money, parse_money
from tests.drivers.cash.sheet import row

REQUESTS = {
    "02 03 06 33 DA 81": Request(Command.POLL),
    "02 03 06 00 C2 82": Request(Command.ACK),
    "02 03 06 FF BA 8D": Request(Command.NAK),
    "02 03 06 30 41 B3": Request(Command.RESET),
    "02 03 06 31 C8 A2": Request(Command.GET_STATUS),
    "02 03 06 35 EC E4": Request(Command.STACK),
    "02 03 06 36 77 D6": Request(Command.RETURN),
    "02 03 06 37 FE C7": Request(Command.IDENTIFICATION),
    "02 03 06 38 09 3F": Request(Command.HOLD),
    "02 03 06 41 4F D1": Request(Command.GET_NOTE_TABLE),
    "02 03 0C 34 FF FF FF 00 00 00 B5 C1": Request(Command.ENABLE_NOTE_TYPES, ALL_TYPES),
    "02 03 0C 34 FF FF FF FF FF FF FE F7": Request(Command.ENABLE_NOTE_TYPES, ALL_TYPES, ALL_TYPES),
    "02 03 0C 34 00 00 00 00 00 00 17 0C": Request(Command.ENABLE_NOTE_TYPES),
}
ANSWERS: dict[str, tuple[Command, Answer]] = {
    "02 03 06 10 43 92": (Command.POLL, PollAnswer(State.POWER_UP)),
    "02 03 06 14 67 D4": (Command.POLL, PollAnswer(State.IDLING)),
    "02 03 06 15 EE C5": (Command.POLL, PollAnswer(State.ACCEPTING)),
    "02 03 06 17 FC E6": (Command.POLL, PollAnswer(State.STACKING)),
    "02 03 06 19 82 0F": (Command.POLL, PollAnswer(State.DISABLED)),
    "02 03 07 80 01 05 22": (Command.POLL, PollAnswer(State.ESCROW, 1)),
    "02 03 07 81 01 DD 3B": (Command.POLL, PollAnswer(State.STACKED, 1)),
    "02 03 06 00 C2 82": (Command.STACK, Acknowledged()),
    "02 03 06 FF BA 8D": (Command.STACK, NotAcknowledged()),
    "02 03 06 30 41 B3": (Command.STACK, Illegal()),
    "02 03 0B 00 00 00 00 00 00 A8 67": (Command.GET_STATUS, EnabledTypes(frozenset(), frozenset())),
    "02 03 27 46 4C 53 2D 45 55 31 30 2D 36 39 33 36 33 39 30 37 4B 49 34 31 41 53 37 34 38 32 "
    "75 ED 8D C8 03 3F 7B 35 DA": (
        Command.IDENTIFICATION,
        Identification("FLS-EU10-693639", "07KI41AS7482", bytes.fromhex("75ED8DC8033F7B")),
    ),
}
STATES_WITH_A_SECOND_BYTE = {"BUSY", "REJECTING", "FAILURE", "ESCROW", "STACKED", "RETURNED"}


@pytest.mark.parametrize(("text", "request_"), REQUESTS.items(), ids=REQUESTS.keys())
def test_a_published_command_is_understood_and_built_byte_for_byte(text: str, request_: Request) -> None:
    raw = bytes.fromhex(text)
    assert decode_request(raw[3:-2]) == request_
    assert frame(encode_request(request_)) == raw


@pytest.mark.parametrize(("text", "case"), ANSWERS.items(), ids=ANSWERS.keys())
def test_a_published_answer_is_understood_and_built_byte_for_byte(text: str, case: tuple[Command, Answer]) -> None:
    raw, (asked, answer) = bytes.fromhex(text), case
    assert decode_answer(asked, raw[3:-2]) == answer
    assert frame(encode_answer(answer)) == raw


@row("masks: types 23 to 16 first")
def test_a_mask_has_types_23_to_16_first_and_type_n_at_bit_n() -> None:
    request = Request(Command.ENABLE_NOTE_TYPES, frozenset({0, 9, 23}), frozenset({1}))
    assert encode_request(request).hex() == "34" + "800201" + "000002"
    assert decode_request(encode_request(request)) == request
    # What a real FLS answered to GET STATUS after everything had been enabled.
    status = decode_answer(Command.GET_STATUS, bytes.fromhex("80007F000000"))
    assert status == EnabledTypes(frozenset({23, 0, 1, 2, 3, 4, 5, 6}), frozenset())


@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_every_state_has_exactly_the_bytes_that_it_should(state: State) -> None:
    right, wrong = bytes((state,)), bytes((state, 7))
    if state.name in STATES_WITH_A_SECOND_BYTE:
        right, wrong = wrong, bytes((state, 7, 0, 0))
    answer = decode_answer(Command.POLL, right)
    assert answer == PollAnswer(state, 7 if len(right) == 2 else None)
    assert encode_answer(answer) == right
    with pytest.raises(MessageError):
        decode_answer(Command.POLL, wrong)


MALFORMED = {
    "81 04 01": PollAnswer(State.STACKED, 4), "80 04 00": PollAnswer(State.ESCROW, 4),
    "82 04 07": PollAnswer(State.RETURNED, 4), "10 00": PollAnswer(State.POWER_UP),
    "12 00": PollAnswer(State.POWER_UP_NOTE_IN_STACKER), "19 00 00": PollAnswer(State.DISABLED),
    "47": PollAnswer(State.FAILURE), "1C": PollAnswer(State.REJECTING), "1B": PollAnswer(State.BUSY),
}  # fmt: skip


@pytest.mark.parametrize(("payload", "answer"), MALFORMED.items())
def test_a_poll_answer_with_a_byte_too_many_or_without_its_code_means_the_same(
    payload: str, answer: PollAnswer
) -> None:
    assert decode_answer(Command.POLL, bytes.fromhex(payload)) == answer


def test_a_late_answer_to_another_question_is_not_taken_for_a_state_that_its_first_byte_would_be() -> None:
    """A part number that begins with G is no failure, and a count of 4101 no power-up."""
    identity, table = Identification("GUICHET", "1", bytes(7)), encode_note_table({0: parse_money("20 EUR")})
    for late in (encode_answer(identity), encode_answer(table), encode_answer(StackedCount(0x1005))):
        with pytest.raises(MessageError):
            decode_answer(Command.POLL, late)


@pytest.mark.parametrize(
    ("asked", "payload"),
    [
        (Command.POLL, ""), (Command.POLL, "16"), (Command.POLL, "8405"), (Command.POLL, "81"),
        (Command.STACK, "8005"), (Command.RETURN, "14"), (Command.ENABLE_NOTE_TYPES, "19"),
        (Command.COUNT_STACKED, "010203"), (Command.GET_STATUS, "0000000000"), (Command.IDENTIFICATION, "00" * 26),
        (Command.GET_NOTE_TABLE, "00" * 119), (Command.GET_NOTE_TABLE, "00" * 245), (Command.GET_NOTE_TABLE, "1455"),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_refused(asked: Command, payload: str) -> None:
    with pytest.raises(MessageError):
        decode_answer(asked, bytes.fromhex(payload))


@pytest.mark.parametrize("payload", ["", "99", "3301", "34", "34FFFFFF", "34" + "00" * 7, "32", "3200", "5B00"])
def test_a_command_that_is_none_is_refused(payload: str) -> None:
    with pytest.raises(MessageError):
        decode_request(bytes.fromhex(payload))


def test_set_security_and_the_counter_are_commands_too() -> None:
    assert decode_request(bytes.fromhex("32000000")) == Request(Command.SET_SECURITY)
    assert decode_request(b"\x5b") == Request(Command.COUNT_STACKED)
    assert decode_answer(Command.COUNT_STACKED, b"\x01\x02") == StackedCount(258)
    assert encode_answer(StackedCount(258)) == b"\x01\x02"


@row("37 part, serial and asset number")
def test_an_identification_sheds_its_padding_and_survives_what_is_no_ascii() -> None:
    raw = b"SM-1\0".ljust(15) + b"\xff12".ljust(12) + bytes(7)
    assert decode_answer(Command.IDENTIFICATION, raw) == Identification("SM-1", "\ufffd12", bytes(7))


@pytest.mark.parametrize("place", [9, 20])
def test_an_identification_that_is_no_ascii_can_be_sent_again_and_keeps_its_length(place: int) -> None:
    payload = bytearray(b"GUICHET-SIM-CC ".ljust(15) + b"SIM000000001" + bytes(7))
    payload[place] = 0xA0
    again = encode_answer(decode_answer(Command.IDENTIFICATION, bytes(payload)))
    assert again == bytes(payload[:place]) + b"?" + bytes(payload[place + 1 :])


# --- the note table -------------------------------------------------------------------------------------------------


def record(digits: int, country: bytes, scale: int) -> bytes:
    return bytes((digits,)) + country + bytes((scale,))


EMPTY = bytes(5)


def values(*records: bytes) -> dict[int, str]:
    table = decode_answer(Command.GET_NOTE_TABLE, b"".join(records))
    assert isinstance(table, NoteTable)
    return {kind: str(value) for kind, value in table.values.items()}


@row("note table: holes, and a first type that is not 0")
def test_a_table_may_have_holes_and_need_not_begin_at_0() -> None:
    found = values(EMPTY, EMPTY, record(5, b"EUR", 0), EMPTY, record(1, b"EUR", 1), record(5, b"EUR", 2))
    assert found == {2: "5.00 EUR", 4: "10.00 EUR", 5: "500.00 EUR"}


@row("note table: scale")
def test_a_scale_appends_zeros_or_sets_a_decimal_point() -> None:
    assert values(record(1, b"EUR", 3)) == {0: "1000.00 EUR"}
    assert values(record(50, b"EUR", 0x82)) == {0: "0.50 EUR"}
    assert values(record(5, b"EUR", 0x80)) == {0: "5.00 EUR"}
    assert values(record(5, b"KWD", 0x83)) == {0: "0.005 KWD"}
    assert values(record(10, b"JPY", 0x81)) == {0: "1 JPY"}


def test_what_is_no_amount_of_a_known_currency_leaves_its_type_without_a_value() -> None:
    below_a_cent = record(5, b"EUR", 0x83)
    below_a_yen = record(5, b"JPY", 0x81)
    beyond_all_bounds = record(255, b"EUR", 0x7F)
    unknown, not_ascii = record(5, b"CLO", 1), record(5, b"\xff\xfe\xfd", 1)
    assert values(below_a_cent, below_a_yen, beyond_all_bounds, unknown, not_ascii, record(2, b"EUR", 1)) == {
        5: "20.00 EUR"
    }


@row("note table: country")
def test_a_makers_country_code_is_mapped_and_never_guessed() -> None:
    assert values(record(1, b"RUS", 2), record(1, b"USA", 0), record(1, b"XYZ", 0)) == {0: "100.00 RUB", 1: "1.00 USD"}


@row("note table: type 23 is a bar code")
def test_the_bar_code_type_is_no_note_and_types_beyond_the_mask_do_not_exist() -> None:
    full = [record(1, b"EUR", 0)] * 48
    assert set(values(*full)) == set(range(23))


def test_a_table_goes_out_as_it_came_in() -> None:
    table = encode_note_table({2: parse_money("5 EUR"), 3: parse_money("500 EUR"), 9: parse_money("1000 JPY")})
    assert decode_note_table(encode_answer(table)) == table
    assert len(table.raw) == 120


@pytest.mark.parametrize(("kind", "value"), [(0, "0.50 EUR"), (0, "257 EUR"), (0, "0 EUR"), (24, "5 EUR")])
def test_a_value_that_no_table_holds_is_refused(kind: int, value: str) -> None:
    with pytest.raises(MessageError):
        encode_note_table({kind: parse_money(value)})


# --- whatever comes -------------------------------------------------------------------------------------------------


@given(st.sampled_from(Command), st.binary(max_size=250))
def test_an_answer_is_understood_or_refused_and_nothing_else(asked: Command, payload: bytes) -> None:
    try:
        answer = decode_answer(asked, payload)
    except MessageError:
        return
    if isinstance(answer, PollAnswer):  # Of a malformed one only the beginning is understood.
        assert payload.startswith(encode_answer(answer))
    elif not isinstance(answer, Identification):  # Its padding is shed.
        assert encode_answer(answer) == payload


@given(st.sampled_from(Command), st.integers(0, 255), st.binary(max_size=6))
def test_a_command_is_understood_or_refused_and_nothing_else(known: Command, other: int, rest: bytes) -> None:
    for head in (known, other):
        payload = bytes((head,)) + rest
        try:
            request = decode_request(payload)
        except MessageError:
            continue
        assert request.command is Command.SET_SECURITY or encode_request(request) == payload


@given(st.lists(st.binary(min_size=5, max_size=5), min_size=1, max_size=48))
def test_a_table_never_yields_an_amount_that_is_none(records: list[bytes]) -> None:
    table = decode_note_table(b"".join(records))
    for kind, value in table.values.items():
        digits = records[kind][0]
        assert value.minor > 0
        assert str(value.minor).rstrip("0") in {
            str(digits).rstrip("0"),
            str(digits * 10**value.currency.exponent).rstrip("0"),
        }


@given(st.sets(st.integers(0, 23)), st.sets(st.integers(0, 23)))
def test_any_mask_comes_through(enabled: set[int], escrow: set[int]) -> None:
    request = Request(Command.ENABLE_NOTE_TYPES, frozenset(enabled), frozenset(escrow))
    assert decode_request(encode_request(request)) == request


@pytest.mark.parametrize("record", ["82 555344 09", "64 455552 09", "01 4A5059 09", "C8 455552 08"])
def test_the_largest_amounts_of_a_table_come_through(record: str) -> None:
    table = decode_note_table(bytes.fromhex(record))
    assert table.values
    assert decode_note_table(encode_note_table(table.values).raw).values == table.values


@given(st.dictionaries(st.integers(0, 22), st.tuples(st.integers(1, 255), st.integers(0, 4)), max_size=23))
def test_any_table_of_whole_amounts_comes_through(kinds: dict[int, tuple[int, int]]) -> None:
    amounts = {kind: Money(digits * 10 ** (zeros + 2), Currency("EUR")) for kind, (digits, zeros) in kinds.items()}
    assert decode_note_table(encode_note_table(amounts).raw).values == amounts
