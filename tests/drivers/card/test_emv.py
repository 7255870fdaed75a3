"""Identifying a card: the exchange as hex on the page, then the outcome."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.api.card import Card
from drivers.card.pcsc.apdu import Answer, BadAnswer, Command, Dialogue, exchange, wipe
from drivers.card.pcsc.emv import KNOWN_AIDS, Terminal, identify
from drivers.card.pcsc.holder import EmvFailure, Reason, luhn_holds
from drivers.card.pcsc.simulator_cards import CARDS, CardFile, Fault, Protocol, load_cards
from drivers.card.pcsc.simulator_chip import Chip
from drivers.card.pcsc.tlv import Format, Supplied, encode

VISA = "A0000000031010"
MASTERCARD = "A0000000041010"
PSE = "00A404000E315041592E5359532E4444463031"
ANNA = load_cards(CARDS)["anna"]
CDOLS = encode(0x8C, b"\x9f\x02\x06") + encode(0x8D, b"\x8a\x02")


def hexed(text: str) -> bytes:
    return bytes.fromhex(text.replace(" ", ""))


def play(dialogue: Dialogue[Card], answer: Callable[[bytes], bytes], said: list[bytearray] | None = None) -> Card:
    """Drive a dialogue with a card that is a function."""
    try:
        command = next(dialogue)
        while True:
            raw = bytearray(answer(command))
            if said is not None:
                said.append(raw)
            command = dialogue.send(raw)
    except StopIteration as done:
        return done.value


def script(*lines: tuple[str, str]) -> Callable[[bytes], bytes]:
    """A card that expects exactly these commands."""
    rest = list(lines)

    def answer(command: bytes) -> bytes:
        expected, reply = rest.pop(0)
        assert command.hex().upper() == expected.replace(" ", "")
        return hexed(reply)

    return answer


def chip(card: CardFile) -> Callable[[bytes], bytes]:
    made = Chip(card)

    def answer(command: bytes) -> bytes:
        reply = made.answer(command)
        assert reply is not None
        return reply

    return answer


class Applications:
    """A card made of answers: by SELECT name, for GPO, by (SFI, record). What is missing is not found."""

    def __init__(self) -> None:
        self.selects: dict[str, bytes] = {}
        self.options = hexed("800A 1800 08010100 10010100 9000")
        self.records: dict[tuple[int, int], bytes] = {}
        self.commands: list[str] = []

    def __call__(self, command: bytes) -> bytes:
        self.commands.append(command.hex().upper())
        if command[1] == 0xA4:
            if command[3] == 0x02:
                return hexed("6A82")
            return self.selects.get(command[5:-1].hex().upper(), hexed("6A82"))
        if command[1] == 0xA8:
            return self.options
        if command[1] == 0xC0:
            return hexed("6985")
        assert command[1] == 0xB2, "only reading commands are sent"
        return self.records.get((command[3] >> 3, command[2]), hexed("6A83"))


def fci(aid: str, content: bytes = b"") -> bytes:
    return encode(0x6F, encode(0x84, hexed(aid)), encode(0xA5, encode(0x50, b"CARD"), content)) + b"\x90\x00"


def record(*objects: bytes) -> bytes:
    return encode(0x70, *objects) + b"\x90\x00"


def good_card(aid: str = VISA) -> Applications:
    card = Applications()
    card.selects[aid] = fci(aid)
    card.records[1, 1] = record(encode(0x57, hexed("4761739001010119D22122011758928889")), CDOLS)
    card.records[2, 1] = record(encode(0x5A, hexed("4761739001010119")), encode(0x5F24, hexed("221231")))
    return card


def outcome(card: Callable[[bytes], bytes], terminal: Terminal | None = None) -> Reason:
    with pytest.raises(EmvFailure) as caught:
        play(identify(terminal or Terminal(), t0=False), card)
    for secret in ("4761739001010119", "D2212"):
        assert secret not in str(caught.value)
    return caught.value.reason


def test_the_published_trace_of_a_visa_card_is_identified() -> None:
    """T=0: answers wait behind 61xx, and 6Cxx asks for another Le."""
    card = play(
        identify(Terminal(), t0=True),
        script(
            (PSE, "6126"),
            ("00C0000026", "6F24840E315041592E5359532E4444463031A5128801015F2D08656E6573667264659F110101 9000"),
            ("00B2010C00", "6C1C"),
            ("00B2010C1C", "701A61184F07A0000000031010500A56495341204445424954870101 9000"),
            ("00B2020C00", "6A83"),
            ("00A4040007A0000000031010", "6117"),
            ("00C0000017", "6F15 8407A0000000031010 A50A 50084465626974202020 9000"),
            ("80A8000002 8300", "6110"),
            ("00C0000010", "800E5C00 08010100 10010300 18010201 9000"),
            ("00B2010C00", "6C15"),
            ("00B2010C15", "7013 5711 4761739001010119D22122011758928889 9000"),
            ("00B2011400", "7006 5F25 03150101 9000"),
            ("00B2021400", "7003 8C019A 9000"),
            ("00B2031400", "7003 8D019A 9000"),
            ("00B2011C00", "70145A0847617390010101195F3401015F2403221231 9000"),
            ("00B2021C00", "7004 82021800 9000"),
        ),
    )
    assert card.masked == "**** 0119"
    assert card.pan.reveal() == b"4761739001010119"
    assert (card.expiry, card.label, card.languages) == ("2212", "Debit", ())


@pytest.mark.parametrize("name", ["anna", "boris", "unknown", "expired"])
def test_every_good_training_card_is_identified(name: str) -> None:
    file = load_cards(CARDS)[name]
    card = play(identify(Terminal(), t0=file.protocol is Protocol.T0), chip(file))
    assert card.pan.reveal().decode() == file.pan
    assert (card.expiry, card.label, card.languages) == (file.expiry, file.label, file.languages)


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("directory", [True, False])
@pytest.mark.parametrize("pan", ["4012345678909", "4761739001010010", "6799990100000000019"])
def test_protocol_directory_and_length_do_not_matter(protocol: Protocol, directory: bool, pan: str) -> None:
    file = dataclasses.replace(ANNA, protocol=protocol, directory=directory, pan=pan)
    assert play(identify(Terminal(), t0=protocol is Protocol.T0), chip(file)).pan.reveal().decode() == pan


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.UNREADABLE, Reason.UNREADABLE),
        (Fault.BLOCKED, Reason.BLOCKED),
        (Fault.APPLICATION_BLOCKED, Reason.BLOCKED),
        (Fault.OTHER_NUMBER_IN_TRACK_2, Reason.INVALID),
    ],
)
@pytest.mark.parametrize("directory", [True, False])
def test_a_faulty_card_says_what_is_wrong_with_it(fault: Fault, reason: Reason, directory: bool) -> None:
    file = dataclasses.replace(ANNA, fault=fault, directory=directory, protocol=Protocol.T1)
    assert outcome(chip(file)) is reason


def test_a_number_with_a_wrong_check_digit_is_invalid() -> None:
    assert outcome(chip(dataclasses.replace(ANNA, pan="4761739001010011", protocol=Protocol.T1))) is Reason.INVALID


def test_a_card_of_no_known_scheme_has_no_application() -> None:
    assert (
        outcome(chip(dataclasses.replace(load_cards(CARDS)["foreign"], protocol=Protocol.T1))) is Reason.NO_APPLICATION
    )


def test_everything_that_the_card_said_is_wiped() -> None:
    said: list[bytearray] = []
    card = play(identify(Terminal(), t0=False), chip(dataclasses.replace(ANNA, protocol=Protocol.T1)), said)
    assert card.pan.reveal() == b"4761739001010010"
    assert len(said) > 5
    assert not any(any(answer) for answer in said)


def test_an_answer_without_a_status_word_is_wiped_too() -> None:
    said: list[bytearray] = []
    with pytest.raises(EmvFailure):
        play(identify(Terminal(), t0=False), lambda _: b"\x47", said)
    assert said == [bytearray(1)]


@pytest.mark.parametrize("command", ["", "31", "00C0"])
def test_a_command_that_is_cut_off_has_a_wrong_length(command: str) -> None:
    for protocol in Protocol:
        assert Chip(dataclasses.replace(ANNA, protocol=protocol)).answer(hexed(command)) in (b"\x67\x00", b"\x69\x85")


def test_the_terminals_data_are_told_to_a_chip_that_asks() -> None:
    card = good_card()
    card.selects[VISA] = fci(VISA, encode(0x9F38, hexed("9F1A02 9A03 9F3704")))
    supplied = {0x9F1A: Supplied(hexed("0428"), Format.NUMERIC), 0x9F37: Supplied(hexed("01020304"))}
    play(identify(Terminal(supplied), t0=False), card)
    assert "80A800000B8309042800000001020304" + "00" in card.commands


def test_nothing_but_reading_commands_are_sent() -> None:
    card = good_card()
    play(identify(Terminal(), t0=False), card)
    assert {command[2:4] for command in card.commands} == {"A4", "A8", "B2"}


# --- choosing the application ---


def two_applications(first: str, second: str) -> Applications:
    card = good_card(MASTERCARD)
    entries = [
        encode(0x61, encode(0x4F, hexed(aid)), encode(0x87, hexed(p)))
        for aid, p in ((VISA, first), (MASTERCARD, second))
    ]
    card.selects[PSE[10:]] = fci(PSE[10:], encode(0x88, b"\x03"))
    card.selects[VISA] = fci(VISA)
    card.records[3, 1] = record(*entries)
    return card


@pytest.mark.parametrize(
    ("visa", "mastercard", "chosen"),
    [
        ("01", "02", VISA),
        ("02", "01", MASTERCARD),
        ("00", "05", MASTERCARD),
        ("82", "01", MASTERCARD),
        ("01", "01", VISA),
    ],
)
def test_the_application_of_the_highest_priority_is_chosen(visa: str, mastercard: str, chosen: str) -> None:
    card = two_applications(visa, mastercard)
    play(identify(Terminal(), t0=False), card)
    selected = [command for command in card.commands if command.startswith("00A40400")][-1]
    assert selected == f"00A4040007{chosen}00"


def test_when_an_application_will_not_start_the_next_is_tried() -> None:
    card = two_applications("01", "02")
    plain = card.options
    answers = iter([hexed("6985"), plain])

    def answer(command: bytes) -> bytes:
        return next(answers) if command[1] == 0xA8 else card(command)

    assert play(identify(Terminal(), t0=False), answer).masked == "**** 0119"


@pytest.mark.parametrize("status", ["6283", "6A82", "6999"])
def test_when_an_application_cannot_be_selected_the_next_is_tried(status: str) -> None:
    card = two_applications("01", "02")
    card.selects[VISA] = hexed(status)
    assert play(identify(Terminal(), t0=False), card).masked == "**** 0119"


@pytest.mark.parametrize("status", ["6A82", "6283", "6D00"])
def test_without_a_directory_the_known_names_are_tried(status: str) -> None:
    card = good_card(KNOWN_AIDS[5].hex().upper())
    card.selects[PSE[10:]] = hexed(status)
    assert play(identify(Terminal(), t0=False), card).masked == "**** 0119"


@pytest.mark.parametrize(
    "broken", ["6F02 8400 9000", "7000 9000", "6F05 A503 880100 9000", "6F06 A504 88011F00 9000", "9000"]
)
def test_a_broken_directory_is_no_obstacle(broken: str) -> None:
    card = good_card()
    card.selects[PSE[10:]] = hexed(broken)
    assert play(identify(Terminal(), t0=False), card).masked == "**** 0119"


def test_a_longer_name_than_the_known_one_is_found_by_its_beginning() -> None:
    card = good_card()
    card.selects[VISA] = fci(VISA + "01")
    card.selects[VISA + "01"] = fci(VISA + "01")
    play(identify(Terminal(), t0=False), card)
    assert f"00A4040207{VISA}00" in card.commands
    assert f"00A4040008{VISA}0100" in card.commands


def test_an_application_that_answers_for_another_is_invalid() -> None:
    card = two_applications("01", "02")
    card.selects[VISA] = fci(MASTERCARD)
    assert outcome(card) is Reason.INVALID


# --- reading it ---


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("6A81", Reason.UNREADABLE),
        ("6283", Reason.BLOCKED),
        ("6985", Reason.NO_APPLICATION),
        ("9000", Reason.INVALID),
        ("8002 1800 9000", Reason.INVALID),
        ("8005 1800 080101 9000", Reason.INVALID),
        ("7704 8202 1800 9000", Reason.INVALID),
        ("8006 1800 00010100 9000", Reason.INVALID),
        ("8006 1800 F8010100 9000", Reason.INVALID),
        ("8006 1800 09010100 9000", Reason.INVALID),
        ("8006 1800 08000100 9000", Reason.INVALID),
        ("8006 1800 08020100 9000", Reason.INVALID),
        ("8006 1800 08010102 9000", Reason.INVALID),
        ("8006 1800 0801FF00 9000", Reason.INVALID),
        ("8006 1800 08010200 9000", Reason.UNREADABLE),
        ("8009 1800 9000", Reason.INVALID),
        ("90", Reason.UNREADABLE),
        ("", Reason.UNREADABLE),
    ],
)
def test_bad_processing_options_end_the_reading(options: str, reason: Reason) -> None:
    card = good_card()
    card.options = hexed(options)
    assert outcome(card) is reason


def test_processing_options_in_the_other_format_are_read_too() -> None:
    card = good_card()
    card.options = hexed("770E 8202 1800 9408 08010100 10010100 9000")
    assert play(identify(Terminal(), t0=False), card).expiry == "2212"


PAN = encode(0x5A, hexed("4761739001010119"))
EXPIRY = encode(0x5F24, hexed("221231"))


@pytest.mark.parametrize(
    "objects",
    [
        (PAN,),
        (EXPIRY,),
        (PAN, PAN, EXPIRY),
        (encode(0x5A, hexed("47617390010101F9")), EXPIRY),
        (encode(0x5A, hexed("4761739001A10119")), EXPIRY),
        (encode(0x5A, hexed("47617390010F")), EXPIRY),
        (encode(0x5A, b""), EXPIRY),
        (PAN, encode(0x5F24, hexed("221331"))),
        (PAN, encode(0x5F24, hexed("22A231"))),
        (PAN, encode(0x5F24, hexed("2212"))),
    ],
)
def test_records_that_contradict_the_rules_are_invalid(objects: tuple[bytes, ...]) -> None:
    card = good_card()
    card.records[2, 1] = record(*objects)
    assert outcome(card) is Reason.INVALID


@pytest.mark.parametrize("track", ["4761739001010010D2212", "4761739001010119", "D2212201", ""])
def test_track_2_with_another_number_is_invalid(track: str) -> None:
    card = good_card()
    card.records[1, 1] = record(encode(0x57, hexed(track + "F" * (len(track) % 2))), CDOLS)
    assert outcome(card) is Reason.INVALID


@pytest.mark.parametrize("raw", ["5A0112 9000", "9000", "7000 7000 9000", "7001 9000"])
def test_a_record_that_is_not_one_template_is_invalid(raw: str) -> None:
    card = good_card()
    card.records[2, 1] = hexed(raw)
    assert outcome(card) is Reason.INVALID


def test_records_of_the_issuers_own_files_are_not_looked_into() -> None:
    card = good_card()
    card.options = hexed("800E 1800 08010100 10010100 58010100 9000")
    card.records[11, 1] = hexed("0102030405 9000")
    assert play(identify(Terminal(), t0=False), card).masked == "**** 0119"


@pytest.mark.parametrize(
    ("content", "label"),
    [
        (encode(0x9F12, "Карта".encode("iso8859_5")) + encode(0x9F11, b"\x05"), "Карта"),
        (encode(0x9F12, b"\xff\xff") + encode(0x9F11, b"\x63"), "CARD"),
        (encode(0x9F12, b"Name") + encode(0x9F11, b"\x00\x05"), "CARD"),
        (encode(0x9F12, b"Name") + encode(0x9F11, b"\xff" * 1800), "CARD"),
        (encode(0x9F12, b"Name"), "CARD"),
        (b"", "CARD"),
    ],
)
def test_the_preferred_name_is_shown_where_its_alphabet_is_known(content: bytes, label: str) -> None:
    card = good_card()
    card.selects[VISA] = fci(VISA, content)
    assert play(identify(Terminal(), t0=False), card).label == label


@pytest.mark.parametrize(
    ("value", "languages"),
    [
        (b"lven", ("lv", "en")),
        (b"LVe", ("lv",)),
        (b"", ()),
        (b"\xff\xffen", ("en",)),
        (b"aabbccddee", ("aa", "bb", "cc", "dd")),
    ],
)
def test_the_cards_languages_are_those_that_it_names(value: bytes, languages: tuple[str, ...]) -> None:
    card = good_card()
    card.selects[VISA] = fci(VISA, encode(0x5F2D, value))
    assert play(identify(Terminal(), t0=False), card).languages == languages


@given(st.data())
def test_any_answers_at_all_end_in_a_card_or_an_emv_failure(data: st.DataObject) -> None:
    good = good_card()
    budget = 2000

    def answer(command: bytes) -> bytes:
        nonlocal budget
        budget -= 1
        assert budget > 0, "a hostile card keeps the terminal busy"
        honest = good(command)
        return data.draw(
            st.one_of(st.just(honest), st.binary(max_size=40), st.binary(max_size=20).map(lambda b: b + b"\x90\x00"))
        )

    try:
        card = play(identify(Terminal(), t0=data.draw(st.booleans())), answer)
    except EmvFailure:
        return  # what is wrong has a reason: every other error fails this test
    assert luhn_holds(card.pan.reveal())


# --- single commands ---


def test_a_card_that_always_has_more_to_say_is_given_up() -> None:
    dialogue = exchange(Command(b"\0\xa4\4\0", b"\1"), t0=True)
    next(dialogue)
    for _ in range(16):
        assert dialogue.send(bytearray.fromhex("AA6101")).hex() == "00c0000001"
    with pytest.raises(BadAnswer, match="always has more"):
        dialogue.send(bytearray.fromhex("AA6101"))


def test_a_warning_keeps_its_status_and_its_data_are_fetched() -> None:
    dialogue = exchange(Command(b"\0\xa4\4\0", b"\1"), t0=True)
    assert next(dialogue).hex() == "00a404000101"
    assert dialogue.send(bytearray.fromhex("6283")).hex() == "00c0000000"
    assert dialogue.send(bytearray.fromhex("6C02")).hex() == "00c0000002"
    with pytest.raises(StopIteration) as done:
        dialogue.send(bytearray.fromhex("A1B29000"))
    answer: Answer = done.value.value
    assert (bytes(answer.data).hex(), f"{answer.status:04X}") == ("a1b2", "6283")
    assert repr(answer) == "Answer(2 bytes, 6283)"


def test_long_answers_are_put_together() -> None:
    dialogue = exchange(Command(b"\0\xb2\1\x0c"), t0=True)
    next(dialogue)
    assert dialogue.send(bytearray.fromhex("01026103")).hex() == "00c0000003"
    with pytest.raises(StopIteration) as done:
        dialogue.send(bytearray.fromhex("0304059000"))
    assert bytes(done.value.value.data).hex() == "0102030405"


def test_a_wiped_buffer_is_zeros() -> None:
    buffer = bytearray(b"4761")
    wipe(buffer)
    assert buffer == bytes(4)


@pytest.mark.parametrize("bad", [(b"\0" * 3, b""), (b"\0" * 4, bytes(256))])
def test_only_short_commands_are_made(bad: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="short command"):
        Command(*bad)
