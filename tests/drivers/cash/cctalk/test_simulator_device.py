"""The simulated ccTalk devices by themselves: what they answer, what they keep silent about, what a power cut takes."""

from __future__ import annotations

import pytest

from drivers.cash.cctalk.framing import Checksum, frame
from drivers.cash.cctalk.messages import Header
from drivers.cash.cctalk.simulator_device import Validator, serial_number
from drivers.simulation.mechanism import Box, Moved, Step
from drivers.simulation.notes import Place, Vault
from drivers.simulation.script import Fault, What, parse
from tests.drivers.cash.cctalk.virtual import TABLE, TEN, TWENTY, coins, device
from tests.drivers.cash.sheet import row

ACK = bytes.fromhex("01002800D7")
READ = frame(40, 159)


def opened(validator: Validator | None = None) -> Validator:
    """Initialised, and the slot open, at second 1."""
    validator = validator or device()
    validator.receive(READ, 0.0)
    validator.advance(1.0)
    for header, data in ((231, b"\xff" * 8), (228, b"\x01")):
        assert validator.receive(frame(40, header, data), 1.0) == ACK
    validator.receive(READ, 1.0)
    return validator


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("280001FED9", "01002800D7"),
        ("2801019D0138", "01072800 45553030303541 30"),
        ("2802019C45559F", "010328006400026E"),
        ("28010199033A", "01002800D7"),
        ("280801E7FFFFFFFFFFFFFFFFF0", "01002800D7"),
        ("280101E401F1", "01002800D7"),
        ("2800019F38", "010B28000000000000000000000000CC"),
    ],
)
def test_the_sheets_vectors_are_answered_byte_for_byte(question: str, answer: str) -> None:
    assert device().receive(bytes.fromhex(question), 0.0) == bytes.fromhex(answer)


def test_the_sheets_serial_number_and_coin_id() -> None:
    assert coins().receive(bytes.fromhex("020001F20B"), 0.0) == bytes.fromhex("010302004E61BC8F")
    assert coins().receive(bytes.fromhex("020101B80143"), 0.0) == bytes.fromhex("01060200 455530323041 8A")
    assert coins().receive(bytes.fromhex("020001F508"), 0.0)[4:-1] == b"Coin Acceptor"


def test_the_sheets_escrow_and_stacked_frames() -> None:
    validator = opened()
    validator.insert("paper", TWENTY, 1.0)
    validator.advance(2.0)
    assert validator.receive(READ, 2.0) == bytes.fromhex("010B2800 0103010000000000000000 C7")
    assert validator.receive(bytes.fromhex("2801019A013B"), 2.0) == ACK
    validator.advance(3.0)
    assert validator.receive(READ, 3.0) == bytes.fromhex("010B2800 0203000301000000000000 C3")


def test_the_sheets_crc_poll() -> None:
    validator = device()
    validator.checksum = Checksum.CRC16
    assert validator.receive(bytes.fromhex("2800B6FE21"), 0.0) == bytes.fromhex("0100300037")


@pytest.mark.parametrize(("values", "flags"), [(False, "00"), (True, "01")])
def test_a_coin_acceptor_says_in_its_option_flags_what_a_credit_is(values: bool, flags: str) -> None:
    acceptor = coins()
    acceptor.credits_are_values = values
    assert acceptor.receive(frame(2, 213), 0.0)[:-1].hex() == f"01010200{flags}"
    assert device().receive(frame(40, 213), 0.0) == b"", "a validator's flags are others"


@row("no answer to a wrong checksum, address or header")
@pytest.mark.parametrize(
    "question",
    [
        pytest.param("280001FED8", id="wrong checksum"),
        pytest.param("290001FED8", id="another address"),
        pytest.param("2800B6FE21", id="the other kind of checksum"),
        pytest.param(frame(40, 167, b"\x01").hex(), id="a header that it does not have"),
        pytest.param(frame(40, 229).hex(), id="the coin acceptor's events"),
        pytest.param(frame(40, 154, b"\x07").hex(), id="a route that there is not"),
        pytest.param(frame(40, 1, b"\x01").hex(), id="a reset with data"),
        pytest.param(frame(0, 254).hex(), id="to everybody"),
    ],
)
def test_there_is_no_answer_at_all_to(question: str) -> None:
    validator = opened()
    validator.insert("paper", TEN, 1.0)
    validator.advance(2.0)
    assert validator.receive(bytes.fromhex(question), 2.0) == b""


def test_the_line_gives_the_host_its_own_bytes_back_also_without_power() -> None:
    validator = device()
    validator.echo = True
    assert validator.receive(READ, 0.0)[: len(READ)] == READ
    validator.cut_power(0.0)
    assert validator.receive(READ, 0.0) == READ


def test_154_with_an_empty_escrow_answers_254() -> None:
    assert opened().receive(frame(40, 154, b"\x01"), 1.0) == frame(1, 0, b"\xfe", source=40)


def test_154_that_cannot_give_a_note_back_answers_255_and_the_note_stays() -> None:
    validator = opened()
    validator.insert("paper", TWENTY, 1.0)
    validator.advance(2.0)
    validator.act(What(Fault.MOUTH_SHUT, seconds=10.0), 2.0)
    assert validator.receive(frame(40, 154, b"\x00"), 3.0) == bytes.fromhex("01012800FFD7")
    assert validator.vault.notes[0].place is Place.ESCROW
    assert validator.receive(frame(40, 154, b"\x00"), 13.0) == ACK


def test_events_are_five_newest_first_and_the_counter_never_says_0_again() -> None:
    validator = device()
    for _ in range(254):
        validator.post(0, 2)
    for event in range(1, 4):
        validator.post(event, 0)
    answer = validator.receive(READ, 0.0)
    assert list(answer[4:-1]) == [2, 3, 0, 2, 0, 1, 0, 0, 2, 0, 2]


@pytest.mark.parametrize(
    ("step", "place", "event"),
    [(Step.DRAWING_IN, Place.HAND, (0, 1)), (Step.ESCROW, Place.HAND, (0, 1)), (Step.STACKING, Place.BOX, (TWENTY, 0))],
)
@pytest.mark.parametrize("tells", [True, False])
def test_a_power_cut_takes_counter_and_inhibits_and_the_path_clears_itself(
    step: Step, place: Place, event: tuple[int, int], tells: bool
) -> None:
    validator = opened()
    validator.tells_power_up = tells
    validator.insert("paper", TWENTY, 1.0)
    if step is not Step.DRAWING_IN:
        validator.advance(1.5)
    if step is Step.STACKING:
        validator.receive(frame(40, 154, b"\x01"), 1.5)
    validator.cut_power(1.55)
    assert validator.receive(READ, 1.6) == b""
    validator.restore_power(2.0)
    assert (validator.counter, any(validator.mask), validator.accepts) == (0, False, False)
    validator.advance(3.0)
    assert [note.place for note in validator.vault.notes] == [place]
    assert list(validator.events) == ([event] if tells else [])


def test_a_note_is_given_back_when_nobody_decides() -> None:
    validator = opened()
    validator.insert("paper", TWENTY, 1.0)
    for second in range(2, 40, 3):
        validator.receive(READ, float(second))
    assert validator.vault.notes[0].place is Place.HAND
    assert (0, 1) in validator.events


def test_a_host_that_does_not_read_for_5_s_has_the_slot_shut_and_an_event_says_so() -> None:
    validator = opened()
    validator.advance(5.9)
    assert validator.accepts
    validator.advance(6.1)
    assert not validator.accepts
    assert list(validator.events) == [(0, 0)]
    validator.advance(30.0)
    assert len(validator.events) == 1


@pytest.mark.parametrize(("box", "fault", "event"), [(Box.OUT, 44, 11), (Box.FULL, 45, 14)])
def test_a_box_that_cannot_take_notes_is_a_fault_and_an_event(box: Box, fault: int, event: int) -> None:
    validator = opened()
    validator.change_box(box, 1.0)
    assert validator.events[0] == (0, event)
    assert validator.receive(frame(40, 232), 1.0)[4] == fault
    assert not validator.accepts
    validator.change_box(Box.IN, 1.0)
    assert validator.events[0] == (0, 12)
    assert validator.accepts


def test_reading_on_after_an_event_is_all_the_acknowledgement_that_there_is() -> None:
    validator = opened()
    before = validator.acknowledgements
    validator.post(0, 2)
    first = validator.receive(READ, 1.0)
    assert validator.acknowledgements == before
    assert validator.receive(READ, 1.2) == first
    assert validator.receive(READ, 1.4) == first
    assert validator.acknowledgements == before + 1


def test_a_partial_frame_is_dropped_after_50_ms() -> None:
    validator = device()
    assert validator.receive(READ[:3], 0.0) == b""
    assert len(validator.receive(READ, 0.1)) == 16


def test_serial_numbers_are_24_bits_of_digits_or_stand_for_a_name() -> None:
    assert serial_number("12345678") == 12345678
    assert serial_number("ANOTHER") == serial_number("ANOTHER") < 1 << 24
    assert serial_number("ANOTHER") != serial_number("OTHER")


def test_a_script_cuts_the_power_and_swaps_the_device() -> None:
    script = parse("note 1 in escrow: power off 2\nat 9: serial 42")
    validator = opened(Validator(Vault(None), TABLE, "7", script=script))
    validator.insert("paper", TWENTY, 1.0)
    validator.advance(1.4)
    assert not validator.powered
    validator.advance(5.0)
    assert validator.vault.notes[0].place is Place.HAND
    validator.advance(9.5)
    assert validator.receive(frame(40, 242), 9.5)[4] == 42


def test_it_says_what_it_would_take() -> None:
    validator = opened()
    assert validator.says == "accepting"
    validator.act(What(Fault.FAIL), 1.0)
    assert validator.says == "fault"
    validator.failed = False
    validator.receive(frame(40, 228, b"\x00"), 1.0)
    assert validator.says == "inhibited"
    assert {"accepting", "fault", "inhibited", "escrow"} <= validator.sayings
    validator.moved(Moved.INITIALISED, None, 1.0)
    assert validator.receive(frame(40, Header.GET_MASTER), 1.0)[4] == 0
