"""ID-003 messages against the published captures, and the note table with everything that makers put into it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cash.id003.framing import frame
from drivers.cash.id003.messages import (
    COUNTRIES,
    REJECT_REASONS,
    SETTINGS,
    Acknowledged,
    Answer,
    BootVersion,
    Command,
    CommunicationError,
    Enquiry,
    Invalid,
    MessageError,
    NoteTable,
    Request,
    SerialNumber,
    Setting,
    State,
    Status,
    Version,
    decode_answer,
    decode_note_table,
    decode_request,
    encode_answer,
    encode_note_table,
    encode_request,
    set_of,
)
from guichet.money import Currency, Money, parse_money
from tests.drivers.cash.id003.vectors import ANSWERS, OF_A_RECYCLER, REQUESTS, TABLE_DATA, UNDOCUMENTED
from tests.drivers.cash.sheet import row


@pytest.mark.parametrize(("text", "request_"), REQUESTS.items(), ids=REQUESTS.keys())
def test_a_published_command_is_understood_and_built_byte_for_byte(text: str, request_: Request) -> None:
    raw = bytes.fromhex(text)
    assert decode_request(raw[2:-2]) == request_
    assert frame(encode_request(request_)) == raw


@pytest.mark.parametrize(("text", "case"), ANSWERS.items(), ids=ANSWERS.keys())
def test_a_published_answer_is_understood_and_built_byte_for_byte(text: str, case: tuple[Command, Answer]) -> None:
    raw, (asked, answer) = bytes.fromhex(text), case
    assert decode_answer(asked, raw[2:-2]) == answer
    assert frame(encode_answer(answer)) == raw


@pytest.mark.parametrize("text", [*OF_A_RECYCLER, UNDOCUMENTED])
def test_what_is_of_a_recycler_or_undocumented_is_no_message_of_ours(text: str) -> None:
    payload = bytes.fromhex(text)[2:-2]
    with pytest.raises(MessageError):
        decode_request(payload)
    with pytest.raises(MessageError):
        decode_answer(Command.STATUS, payload)


STATES = {
    0x11: "IDLING", 0x12: "ACCEPTING", 0x13: "ESCROW", 0x14: "STACKING", 0x15: "VEND_VALID", 0x16: "STACKED",
    0x17: "REJECTING", 0x18: "RETURNING", 0x19: "HOLDING", 0x1A: "DISABLED", 0x1B: "INITIALIZE", 0x1C: "BUSY",
    0x1D: "END", 0x1E: "RETURNED", 0x40: "POWER_UP", 0x41: "POWER_UP_NOTE_IN_ACCEPTOR",
    0x42: "POWER_UP_NOTE_IN_STACKER", 0x43: "BOX_FULL", 0x44: "BOX_REMOVED", 0x45: "JAM_ACCEPTOR",
    0x46: "JAM_STACKER", 0x47: "PAUSE", 0x48: "CHEATED", 0x49: "FAILURE", 0x4C: "RECYCLER_FAILURE",
}  # fmt: skip
MAY_HAVE_DATA = {"ESCROW", "VEND_VALID", "STACKED", "REJECTING", "HOLDING", "FAILURE"}


@pytest.mark.parametrize(("code", "name"), STATES.items(), ids=STATES.values())
def test_every_state_has_its_code_and_only_the_data_that_it_may_have(code: int, name: str) -> None:
    state = State(code)
    assert state.name == name
    if name == "ESCROW":
        with pytest.raises(MessageError):
            decode_answer(Command.STATUS, bytes((code,)))
    else:
        assert decode_answer(Command.STATUS, bytes((code,))) == Status(state)
    if name in MAY_HAVE_DATA:
        assert decode_answer(Command.STATUS, bytes((code, 0x64))) == Status(state, b"\x64")
    else:
        with pytest.raises(MessageError):
            decode_answer(Command.STATUS, bytes((code, 0x64)))


def test_every_state_is_in_the_list() -> None:
    assert {state.value for state in State} == set(STATES)


def test_vend_valid_with_a_byte_is_still_a_vend_valid() -> None:
    """One description has a denomination there, no capture has."""
    assert decode_answer(Command.STATUS, b"\x15\x64") == Status(State.VEND_VALID, b"\x64")


def test_a_ticket_in_escrow_brings_its_characters() -> None:
    assert decode_answer(Command.STATUS, b"\x13\x6f0123456789") == Status(State.ESCROW, b"\x6f0123456789")


def test_4b_and_4a_are_answers_to_anything_and_never_states() -> None:
    for asked in Command:
        assert decode_answer(asked, b"\x4b") == Invalid()
        assert decode_answer(asked, b"\x4a") == CommunicationError()
        assert decode_answer(asked, b"\x05") == Enquiry()
    assert {0x4A, 0x4B, 0x05}.isdisjoint(STATES)


def test_ack_is_the_answer_to_an_operation_and_to_nothing_else() -> None:
    operations = {0x40, 0x41, 0x42, 0x43, 0x44, 0x45}
    for asked in Command:
        if asked in operations:
            assert decode_answer(asked, b"\x50") == Acknowledged()
        elif asked is not Command.ACK:
            with pytest.raises(MessageError):
                decode_answer(asked, b"\x50")


def test_a_state_is_no_answer_to_a_command_of_the_same_code() -> None:
    """40 to 45 mean one thing from the host and another from the device: a late status is not taken for a yes."""
    for code in range(0x40, 0x46):
        assert isinstance(decode_answer(Command.STATUS, bytes((code,))), Status)
        with pytest.raises(MessageError):
            decode_answer(Command(code), bytes((code,)))


@pytest.mark.parametrize(("setting", "size"), SETTINGS.items(), ids=[setting.name for setting in SETTINGS])
def test_a_setting_is_echoed_and_read_back_by_its_code_less_40h(setting: Command, size: int) -> None:
    get = Command(setting - 0x40)
    assert set_of(get) is setting
    assert set_of(setting) is None
    for asked in (setting, get):
        data = bytes(range(size))
        assert decode_answer(asked, bytes((asked,)) + data) == Setting(asked, data)
        assert encode_answer(Setting(asked, data)) == bytes((asked,)) + data
        with pytest.raises(MessageError):
            decode_answer(asked, bytes((asked,)) + data + b"\0")


TEXTS = {
    Command.VERSION: Version("i(EUR5)100-SS ID003-05V300-45 28JUN23 7F23"),
    Command.BOOT_VERSION: BootVersion("B05"),
    Command.SERIAL: SerialNumber("231000760443"),
}


@row("91 serial number")
@pytest.mark.parametrize(("asked", "answer"), TEXTS.items(), ids=[command.name for command in TEXTS])
def test_a_text_sheds_its_padding_and_survives_what_is_no_ascii(asked: Command, answer: Answer) -> None:
    assert decode_answer(asked, encode_answer(answer)) == answer
    assert decode_answer(asked, encode_answer(answer) + b" \0") == answer
    odd = decode_answer(asked, bytes((asked,)) + b"\xff12")
    assert isinstance(odd, Version | BootVersion | SerialNumber)
    assert odd.text == "\ufffd12"
    assert encode_answer(odd) == bytes((asked,)) + b"?12"


def test_the_reasons_of_a_rejection_have_stable_words() -> None:
    assert REJECT_REASONS[0x71] == "insertion"
    assert REJECT_REASONS[0x76] == "identification"
    assert REJECT_REASONS[0x79] == "inhibited"
    assert 0x7A not in REJECT_REASONS


@pytest.mark.parametrize(
    ("asked", "payload"),
    [
        (Command.STATUS, ""), (Command.STATUS, "10"), (Command.STATUS, "4D"), (Command.STATUS, "23"),
        (Command.STATUS, "50"), (Command.STATUS, "156465"), (Command.STACK_2, "13 64"), (Command.RETURN, "11"),
        (Command.STACK_2, "5000"), (Command.SET_INHIBIT, "1A"), (Command.SET_INHIBIT, "C0 00 00"),
        (Command.SERIAL, "88 41"), (Command.NOTE_TABLE, "8A"), (Command.NOTE_TABLE, "8A 61 00 00"), (Command.ACK, "11"),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_refused(asked: Command, payload: str) -> None:
    with pytest.raises(MessageError):
        decode_answer(asked, bytes.fromhex(payload))


@pytest.mark.parametrize(
    "payload", ["", "99", "1100", "42FF", "44FFFF", "C0", "C000", "C3", "C30000", "CD", "D0", "50FF"]
)
def test_a_command_that_is_none_is_refused(payload: str) -> None:
    with pytest.raises(MessageError):
        decode_request(bytes.fromhex(payload))


def test_hold_may_have_a_byte_or_none() -> None:
    assert decode_request(b"\x44") == Request(Command.HOLD)
    assert decode_request(b"\x44\xff") == Request(Command.HOLD, b"\xff")


# --- the note table -------------------------------------------------------------------------------------------------


def values(*records: str) -> dict[int, str]:
    table = decode_answer(Command.NOTE_TABLE, b"\x8a" + b"".join(bytes.fromhex(record) for record in records))
    assert isinstance(table, NoteTable)
    return {code: str(value) for code, value in table.values.items()}


@row("currency table: value, exponent, empty slot")
def test_the_captured_table_is_euro_from_5_to_500_with_the_first_slot_empty() -> None:
    assert {code: str(value) for code, value in decode_note_table(TABLE_DATA).values.items()} == {
        0x62: "5.00 EUR", 0x63: "10.00 EUR", 0x64: "20.00 EUR", 0x65: "50.00 EUR", 0x66: "100.00 EUR",
        0x67: "200.00 EUR", 0x68: "500.00 EUR",
    }  # fmt: skip


@row("currency table: any number of records")
def test_a_table_may_have_any_number_of_records_and_two_of_the_same_value() -> None:
    assert values("61E00500") == {0x61: "5.00 EUR"}
    assert values("61E00500", "62E00500") == {0x61: "5.00 EUR", 0x62: "5.00 EUR"}
    assert values("69010100", "6A081400") == {0x69: "1.00 USD", 0x6A: "20.00 CAD"}


def test_two_records_that_disagree_about_a_code_leave_it_without_a_value() -> None:
    assert values("61E00500", "61E03200", "62E00A00") == {0x62: "10.00 EUR"}
    assert values("61990500", "61E03200") == {}
    assert values("61E00500", "61E00500") == {0x61: "5.00 EUR"}


def test_a_country_that_is_not_generally_known_has_no_value_unless_the_configuration_names_it() -> None:
    raw = bytes.fromhex("61170500 62E00500")
    assert set(decode_note_table(raw).values) == {0x62}
    told = decode_note_table(raw, {**COUNTRIES, 0x17: "GBP"})
    assert str(told.values[0x61]) == "5.00 GBP"
    assert decode_answer(Command.NOTE_TABLE, b"\x8a" + raw, {0x17: "GBP"}) == NoteTable(
        {0x61: parse_money("5 GBP")}, raw
    )


def test_what_is_no_amount_leaves_its_code_without_a_value() -> None:
    assert values("61E00000", "62E0050A", "63E005FF", "64E00500") == {0x64: "5.00 EUR"}
    assert values("61E0FF09") == {0x61: "255000000000.00 EUR"}


def test_a_currency_that_this_build_does_not_know_leaves_its_code_without_a_value() -> None:
    assert decode_note_table(bytes.fromhex("61170500 62E00500"), {0x17: "XXX", 0xE0: "EUR"}).values == {
        0x62: parse_money("5 EUR")
    }


def test_a_ticket_is_no_note() -> None:
    assert values("6FE00500") == {}


def test_a_table_goes_out_as_the_captured_one() -> None:
    faces = ("5 EUR", "10 EUR", "20 EUR", "50 EUR", "100 EUR", "200 EUR", "500 EUR")
    table = encode_note_table({0x62 + n: parse_money(face) for n, face in enumerate(faces)})
    assert table == decode_note_table(TABLE_DATA)
    assert table.raw == TABLE_DATA
    assert len(encode_note_table({}).raw) == 8 * 4


@pytest.mark.parametrize(
    ("code", "value"),
    [(0x62, "0.50 EUR"), (0x62, "257 EUR"), (0x62, "0 EUR"), (0x60, "5 EUR"), (0x6F, "5 EUR"), (0x171, "5 EUR"),
     (0x62, "5 GBP")],
)  # fmt: skip
def test_a_value_that_no_table_holds_is_refused(code: int, value: str) -> None:
    with pytest.raises(MessageError):
        encode_note_table({code: parse_money(value)})


# --- whatever comes -------------------------------------------------------------------------------------------------

TEXT = {Command.VERSION, Command.BOOT_VERSION, Command.SERIAL}


@given(st.sampled_from(Command), st.binary(max_size=60), st.booleans())
def test_an_answer_is_understood_or_refused_and_nothing_else(asked: Command, payload: bytes, own: bool) -> None:
    payload = bytes((asked,)) + payload if own else payload
    try:
        answer = decode_answer(asked, payload)
    except MessageError:
        return
    if asked not in TEXT or isinstance(answer, Invalid | CommunicationError | Enquiry):  # A text sheds its padding.
        assert encode_answer(answer) == payload


@given(st.sampled_from(Command), st.integers(0, 255), st.binary(max_size=6))
def test_a_command_is_understood_or_refused_and_nothing_else(known: Command, other: int, rest: bytes) -> None:
    for head in (known, other):
        payload = bytes((head,)) + rest
        try:
            request = decode_request(payload)
        except MessageError:
            continue
        assert encode_request(request) == payload


@given(st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=60))
def test_a_table_never_yields_an_amount_that_is_none(records: list[bytes]) -> None:
    table = decode_note_table(b"".join(records))
    for code, value in table.values.items():
        assert value.minor > 0
        assert value.currency.code in COUNTRIES.values()
        assert any(record[0] == code and record[2] * 10 ** (record[3] + 2) == value.minor for record in records)


@pytest.mark.parametrize("record", ["64 E0 64 09", "64 E0 C8 09", "61 01 01 09", "62 16 FF 08"])
def test_the_largest_amounts_of_a_table_come_through(record: str) -> None:
    table = decode_note_table(bytes.fromhex(record))
    assert table.values
    assert decode_note_table(encode_note_table(table.values).raw).values == table.values


@given(st.dictionaries(st.integers(0x61, 0x6E), st.tuples(st.integers(1, 99), st.integers(0, 4)), max_size=14))
def test_any_table_of_whole_amounts_comes_through(kinds: dict[int, tuple[int, int]]) -> None:
    amounts = {code: Money(digits * 10 ** (zeros + 2), Currency("EUR")) for code, (digits, zeros) in kinds.items()}
    assert decode_note_table(encode_note_table(amounts).raw).values == amounts
