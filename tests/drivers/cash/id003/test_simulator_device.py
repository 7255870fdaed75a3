"""The simulated validator by itself: what a real one does that a driver must not be spared."""

from __future__ import annotations

import pytest

from drivers.cash.id003.framing import frame
from drivers.cash.id003.messages import (
    Acknowledged,
    Answer,
    Command,
    CommunicationError,
    Invalid,
    Request,
    SerialNumber,
    Setting,
    State,
    Status,
    decode_answer,
    encode_request,
)
from drivers.cash.id003.simulator_device import Firmware, Validator
from drivers.simulation.mechanism import Box, Spot
from drivers.simulation.notes import Place
from drivers.simulation.script import parse
from tests.drivers.cash.bench import damaged
from tests.drivers.cash.id003.virtual import FIVE, SERIAL, TABLE, TWENTY, device
from tests.drivers.cash.sheet import row

POLL = frame(b"\x11")


class Hand:
    """Asks one validator, and lets time pass."""

    def __init__(self, firmware: Firmware | None = None) -> None:
        self.device: Validator = device(firmware=firmware)
        self.now = 0.0

    def ask(self, request: Request | Command) -> Answer | None:
        request = Request(request) if isinstance(request, Command) else request
        answer = self.device.receive(frame(encode_request(request)), self.now)
        return decode_answer(request.command, answer[2:-2]) if answer else None

    def set(self, command: Command, data: bytes) -> Answer | None:
        return self.ask(Request(command, data))

    def later(self, seconds: float = 0.31) -> None:
        self.now += seconds

    def poll(self) -> State:
        answer = self.ask(Command.STATUS)
        assert isinstance(answer, Status)
        return answer.state

    def enabled(self) -> None:
        assert self.ask(Command.RESET) == Acknowledged()
        assert self.poll() is State.INITIALIZE
        self.set(Command.SET_OPTIONS, b"\x02\x00")
        self.later(0.6)
        assert self.poll() is State.DISABLED
        self.set(Command.SET_DENOMINATIONS, b"\x00\x00")
        self.set(Command.SET_INHIBIT, b"\x00")
        assert self.poll() is State.IDLING

    def in_escrow(self) -> None:
        self.enabled()
        self.device.insert("paper", TWENTY, self.now)
        self.later()
        assert self.poll() is State.ESCROW

    def vended(self) -> None:
        self.in_escrow()
        assert self.ask(Command.STACK_2) == Acknowledged()
        self.later()
        assert self.poll() is State.VEND_VALID


@pytest.fixture
def hand() -> Hand:
    return Hand()


def test_settings_are_refused_in_power_up_and_echoed_afterwards(hand: Hand) -> None:
    assert hand.set(Command.SET_DENOMINATIONS, b"\x00\x00") == Invalid()
    assert hand.ask(Command.GET_INHIBIT) == Setting(Command.GET_INHIBIT, b"\x01")
    assert hand.ask(Command.SERIAL) == SerialNumber(SERIAL)
    assert hand.ask(Command.NOTE_TABLE) == TABLE
    hand.ask(Command.RESET)
    assert hand.set(Command.SET_OPTIONS, b"\x02\x00") == Setting(Command.SET_OPTIONS, b"\x02\x00")
    assert hand.ask(Command.GET_OPTIONS) == Setting(Command.GET_OPTIONS, b"\x02\x00")


def test_the_inhibit_is_on_after_every_reset(hand: Hand) -> None:
    hand.enabled()
    hand.ask(Command.RESET)
    hand.later(0.6)
    assert hand.ask(Command.GET_INHIBIT) == Setting(Command.GET_INHIBIT, b"\x01")
    assert hand.poll() is State.DISABLED


def test_the_inhibit_alone_does_not_enable_a_denomination(hand: Hand) -> None:
    hand.ask(Command.RESET)
    hand.later(0.6)
    hand.set(Command.SET_INHIBIT, b"\x00")
    hand.device.insert("paper", TWENTY, hand.now)
    hand.later()
    assert hand.ask(Command.STATUS) == Status(State.REJECTING, b"\x79")


@row("C0: a bit that is set disables")
def test_a_bit_that_is_set_disables_its_escrow_code(hand: Hand) -> None:
    hand.enabled()
    hand.set(Command.SET_DENOMINATIONS, b"\x02\x00")  # 62h.
    hand.device.insert("paper", FIVE, hand.now)
    hand.later()
    assert hand.ask(Command.STATUS) == Status(State.REJECTING, b"\x79")
    hand.later()
    hand.device.insert("paper", TWENTY, hand.now)
    hand.later()
    assert hand.ask(Command.STATUS) == Status(State.ESCROW, b"\x64")


def test_vend_valid_is_held_until_it_is_acknowledged_whatever_else_is_asked(hand: Hand) -> None:
    hand.vended()
    for _ in range(3):
        hand.ask(Command.GET_INHIBIT)
        assert hand.ask(Command.ACK) is None, "an ACK is for the answer before it"
        assert hand.poll() is State.VEND_VALID
    hand.ask(Command.ACK)
    assert hand.poll() is State.STACKED
    assert hand.poll() is State.IDLING
    hand.ask(Command.ACK)
    assert hand.poll() is State.IDLING


def test_an_ack_does_not_reach_a_vend_valid_that_has_come_up_since_the_poll(hand: Hand) -> None:
    hand.in_escrow()
    hand.ask(Command.STACK_2)
    assert hand.poll() is State.STACKING
    hand.later()
    hand.ask(Command.ACK)
    assert hand.poll() is State.VEND_VALID


def test_slow_hosts_see_neither_stacking_nor_stacked() -> None:
    hand = Hand(Firmware(shows_transients=False))
    hand.in_escrow()
    hand.ask(Command.STACK_2)
    assert hand.poll() is State.VEND_VALID
    hand.ask(Command.ACK)
    assert hand.poll() is State.IDLING


def test_stack_1_raises_vend_valid_before_the_note_lies_in_the_box(hand: Hand) -> None:
    hand.in_escrow()
    assert hand.ask(Command.STACK_1) == Acknowledged()
    assert hand.poll() is State.VEND_VALID
    assert hand.device.vault.notes[0].place is Place.TRANSPORT
    hand.ask(Command.ACK)
    assert hand.poll() is State.STACKING
    hand.later()
    assert hand.poll() is State.IDLING, "and not a second time"
    assert hand.device.vault.notes[0].place is Place.BOX


def test_a_reset_takes_a_vend_valid_away_that_was_not_acknowledged(hand: Hand) -> None:
    hand.vended()
    hand.ask(Command.RESET)
    hand.later(0.6)
    assert hand.poll() is State.DISABLED


@pytest.mark.parametrize("recovers", [True, False])
@pytest.mark.parametrize("option", [True, False])
def test_power_recovery_needs_the_firmware_and_the_option(recovers: bool, option: bool) -> None:
    hand = Hand(Firmware(recovers=recovers))
    hand.in_escrow()
    hand.ask(Command.STACK_2)
    hand.device.cut_power(hand.now)
    hand.device.restore_power(hand.now)
    assert hand.poll() is State.POWER_UP_NOTE_IN_STACKER
    hand.ask(Command.RESET)
    if option:
        hand.set(Command.SET_OPTIONS, b"\x02\x00")
    hand.later(0.6)
    assert hand.poll() is (State.VEND_VALID if recovers and option else State.DISABLED)
    assert hand.device.vault.notes[0].place is Place.BOX


@pytest.mark.parametrize("remembers", [True, False])
def test_an_unacknowledged_vend_valid_survives_a_power_cut_where_the_firmware_remembers(remembers: bool) -> None:
    hand = Hand(Firmware(remembers_credit=remembers))
    hand.vended()
    hand.device.cut_power(hand.now)
    hand.device.restore_power(hand.now)
    assert hand.poll() is (State.POWER_UP_NOTE_IN_STACKER if remembers else State.POWER_UP)
    hand.ask(Command.RESET)
    hand.later(0.6)
    assert hand.poll() is (State.VEND_VALID if remembers else State.DISABLED)


def test_hold_buys_ten_seconds_more_in_escrow_and_the_note_can_still_be_decided_about(hand: Hand) -> None:
    hand.in_escrow()
    hand.later(9.0)
    assert hand.set(Command.HOLD, b"\xff") == Acknowledged()
    hand.later(9.0)
    assert hand.poll() is State.HOLDING
    assert hand.ask(Command.RETURN) == Acknowledged()
    assert hand.poll() is State.RETURNING
    assert hand.ask(Command.RETURN) == Invalid(), "a second RETURN while it goes back"


@row("escrow without a command: 17 79")
def test_escrow_without_a_command_ends_in_17_79(hand: Hand) -> None:
    hand.in_escrow()
    hand.later(10.1)
    assert hand.ask(Command.STATUS) == Status(State.REJECTING, b"\x79")
    assert hand.ask(Command.STACK_2) == Invalid()
    hand.later()
    assert hand.poll() is State.IDLING


def test_what_is_not_allowed_in_a_state_is_invalid(hand: Hand) -> None:
    hand.in_escrow()
    for command in (Command.SERIAL, Command.VERSION, Command.NOTE_TABLE, Command.WAIT, Command.BOOT_VERSION):
        assert hand.ask(command) == Invalid()
    assert hand.set(Command.SET_COMMUNICATION, b"\x01") == Invalid()
    assert hand.set(Command.SET_COMMUNICATION, b"\x00") == Setting(Command.SET_COMMUNICATION, b"\x00")
    hand.device.firmware.accepts_wait = True
    assert hand.ask(Command.WAIT) == Acknowledged()


def test_a_command_that_it_does_not_know_is_invalid_and_a_damaged_one_a_communication_error(hand: Hand) -> None:
    assert decode_answer(Command.STATUS, hand.device.receive(frame(b"\x66"), 0.0)[2:-2]) == Invalid()
    assert decode_answer(Command.STATUS, hand.device.receive(damaged(POLL), 0.0)[2:-2]) == CommunicationError()
    assert hand.device.receive(b"\x55\x55", 0.0) == b""


def test_a_unit_that_is_acknowledged_too_late_says_nothing_until_it_is_reset() -> None:
    hand = Hand(Firmware(ack_patience=60.0))
    hand.vended()
    hand.later(61)
    assert hand.poll() is State.VEND_VALID
    hand.ask(Command.ACK)
    assert hand.ask(Command.STATUS) is None
    assert hand.device.receive(damaged(POLL), hand.now) == b""
    assert hand.device.receive(frame(b"\x66"), hand.now) == b""
    assert hand.ask(Command.RESET) == Acknowledged()
    assert hand.poll() is State.INITIALIZE


def test_without_the_serial_number_command_it_is_invalid() -> None:
    assert Hand(Firmware(knows_serial=False)).ask(Command.SERIAL) == Invalid()


def test_a_box_that_is_full_out_and_back_is_said(hand: Hand) -> None:
    hand.enabled()
    hand.device.change_box(Box.FULL, hand.now)
    assert hand.poll() is State.BOX_FULL
    hand.device.change_box(Box.OUT, hand.now)
    assert hand.poll() is State.BOX_REMOVED
    hand.device.change_box(Box.IN, hand.now, "BOX-2")
    assert hand.poll() is State.INITIALIZE


def test_a_reset_does_not_free_a_note_that_is_stuck(hand: Hand) -> None:
    hand.in_escrow()
    hand.device.jam(Spot.TRANSPORT)
    hand.ask(Command.STACK_2)
    hand.later()
    assert hand.poll() is State.JAM_STACKER
    hand.ask(Command.RESET)
    assert hand.poll() is State.JAM_STACKER


def test_a_glued_poll_and_ack_are_two_frames(hand: Hand) -> None:
    assert hand.device.receive(POLL + frame(b"\x50"), 0.0) == frame(b"\x40")


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("note 1 in escrow: power off 1", State.POWER_UP_NOTE_IN_ACCEPTOR),
        ("note 1 in stacking: power off 1", State.POWER_UP_NOTE_IN_STACKER),
        ("note 1 in stacking: cheat", State.CHEATED),
        ("note 1: jam in head", State.JAM_ACCEPTOR),
        ("note 1: jam in box", State.JAM_STACKER),
        ("note 1 in escrow: second note", State.PAUSE),
        ("note 1 in escrow: fail", State.FAILURE),
        ("note 1 in escrow: box removed", State.BOX_REMOVED),
        ("note 1 in escrow: serial OTHER", State.POWER_UP_NOTE_IN_ACCEPTOR),
    ],
)
def test_a_fault_script_is_seen_as_this_protocol_says_it(line: str, state: State) -> None:
    hand = Hand()
    hand.device = Validator(hand.device.vault, TABLE, SERIAL, script=parse(line))
    seen: list[State] = []
    hand.enabled()
    hand.device.insert("paper", TWENTY, hand.now)
    for _ in range(40):
        hand.later(0.05)
        answer = hand.ask(Command.STATUS)
        if isinstance(answer, Status):
            seen.append(answer.state)
            if answer.state is State.ESCROW:
                hand.ask(Command.STACK_2)
    assert state in seen


@pytest.mark.parametrize("loose", [True, False])
def test_reset_sets_free_what_sticks_loosely_on_its_way_to_the_box(loose: bool) -> None:
    hand = Hand()
    hand.enabled()
    hand.device.insert("paper", TWENTY, hand.now)
    hand.later()
    hand.device.jam(Spot.TRANSPORT, loose=loose)
    hand.ask(Command.STACK_2)
    hand.later()
    assert hand.ask(Command.STATUS) == Status(State.JAM_STACKER)
    hand.ask(Command.RESET)
    for _ in range(20):
        hand.later()
        hand.ask(Command.STATUS)
    assert (hand.ask(Command.STATUS) == Status(State.JAM_STACKER)) is not loose
    assert hand.device.vault.notes[0].place is (Place.BOX if loose else Place.TRANSPORT)
