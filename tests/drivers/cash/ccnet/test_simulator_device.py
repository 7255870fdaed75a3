"""The simulated validator by itself: what a real one does that a driver must not be spared."""

from __future__ import annotations

import pytest

from drivers.cash.ccnet.framing import frame
from drivers.cash.ccnet.messages import (
    ALL_TYPES,
    Acknowledged,
    Answer,
    Command,
    EnabledTypes,
    Illegal,
    NotAcknowledged,
    PollAnswer,
    Request,
    State,
    decode_answer,
    encode_request,
)
from drivers.cash.ccnet.simulator_device import Validator
from drivers.simulation.mechanism import Box, Spot
from drivers.simulation.notes import Place
from tests.drivers.cash.bench import damaged
from tests.drivers.cash.ccnet.virtual import FIVE, TABLE, TWENTY, device, trouble
from tests.drivers.cash.sheet import row

POLL = frame(b"\x33")
ACK = frame(b"\x00")


class Hand:
    """Asks one validator, and lets time pass."""

    def __init__(self) -> None:
        self.device: Validator = device()
        self.now = 0.0

    def ask(self, request: Request | Command) -> Answer | None:
        request = Request(request) if isinstance(request, Command) else request
        answer = self.device.receive(frame(encode_request(request)), self.now)
        return decode_answer(request.command, answer[3:-2]) if answer else None

    def later(self, seconds: float = 0.31) -> None:
        self.now += seconds

    def poll(self) -> State:
        answer = self.ask(Command.POLL)
        assert isinstance(answer, PollAnswer)
        self.ask(Command.ACK)
        return answer.state

    def enabled(self, types: frozenset[int] = ALL_TYPES, escrow: frozenset[int] = ALL_TYPES) -> None:
        self.ask(Command.RESET)
        self.later()
        self.ask(Request(Command.ENABLE_NOTE_TYPES, types, escrow))
        assert self.poll() is State.IDLING

    def in_escrow(self) -> None:
        self.enabled()
        self.device.insert("paper", TWENTY, self.now)
        self.later()
        assert self.poll() is State.ESCROW


@pytest.fixture
def hand() -> Hand:
    return Hand()


def test_an_acknowledgement_is_for_the_answer_before_it_and_not_for_an_event_that_overtook_it(hand: Hand) -> None:
    hand.in_escrow()
    hand.ask(Command.STACK)
    assert hand.ask(Command.POLL) == PollAnswer(State.STACKING)
    hand.later()  # The note arrives between the device's answer and the host's acknowledgement of it.
    assert hand.ask(Command.ACK) is None
    assert hand.ask(Command.POLL) == PollAnswer(State.STACKED, TWENTY)
    hand.ask(Command.ACK)
    assert hand.poll() is State.IDLING


def test_an_event_is_held_until_it_is_acknowledged_whatever_else_is_asked(hand: Hand) -> None:
    hand.in_escrow()
    hand.ask(Command.STACK)
    hand.later()
    for _ in range(3):
        assert hand.ask(Command.POLL) == PollAnswer(State.STACKED, TWENTY)
        hand.ask(Command.COUNT_STACKED)
        hand.ask(Command.ACK)  # For the count.
        hand.ask(Command.NAK)
    assert hand.poll() is State.STACKED
    assert hand.poll() is State.IDLING


def test_an_event_outlives_the_exchange_of_the_box_and_an_attempt_to_cheat(hand: Hand) -> None:
    hand.in_escrow()
    hand.ask(Command.STACK)
    hand.later()
    hand.device.change_box(Box.OUT, hand.now)
    assert hand.poll() is State.BOX_REMOVED
    hand.device.change_box(Box.IN, hand.now, "BOX-1")
    hand.later()
    trouble(hand.device, State.CHEATED, hand.now)
    assert hand.poll() is State.CHEATED
    hand.later()
    assert hand.ask(Command.POLL) == PollAnswer(State.STACKED, TWENTY)


def test_without_escrow_a_note_goes_straight_into_the_box(hand: Hand) -> None:
    hand.enabled(escrow=frozenset())
    hand.device.insert("paper", FIVE, hand.now)
    hand.later()
    assert hand.poll() is State.STACKING
    hand.later()
    assert hand.poll() is State.STACKED


def test_a_type_that_is_not_enabled_is_rejected(hand: Hand) -> None:
    hand.enabled(types=frozenset({TWENTY}))
    hand.device.insert("paper", FIVE, hand.now)
    hand.later()
    assert hand.ask(Command.POLL) == PollAnswer(State.REJECTING, 0x68)
    hand.later()
    assert hand.poll() is State.IDLING
    assert hand.device.vault.notes[0].place is Place.HAND


@row("38 hold leaves 1A")
def test_hold_buys_ten_seconds_more_in_escrow(hand: Hand) -> None:
    hand.in_escrow()
    hand.later(9.0)
    assert hand.ask(Command.HOLD) == Acknowledged()
    hand.later(9.0)
    assert hand.poll() is State.HOLDING
    hand.later(1.1)
    assert hand.poll() is State.RETURNING


@row("38 hold leaves 1A")
@pytest.mark.parametrize(("command", "then"), [(Command.STACK, State.STACKING), (Command.RETURN, State.RETURNING)])
def test_a_note_that_is_held_can_still_be_decided_about_and_the_next_one_is_not(
    hand: Hand, command: Command, then: State
) -> None:
    hand.in_escrow()
    hand.ask(Command.HOLD)
    assert hand.ask(command) == Acknowledged()
    assert hand.poll() is then
    hand.later(1.0)
    assert hand.poll() in (State.STACKED, State.RETURNED)
    hand.in_escrow()
    assert hand.poll() is State.ESCROW


def test_what_is_not_allowed_in_a_state_is_illegal(hand: Hand) -> None:
    hand.enabled()
    for command in (Command.STACK, Command.RETURN, Command.HOLD, Command.IDENTIFICATION, Command.GET_NOTE_TABLE):
        assert hand.ask(command) == Illegal()
    assert hand.ask(Request(Command.ENABLE_NOTE_TYPES)) == Acknowledged()
    assert hand.ask(Command.GET_NOTE_TABLE) == TABLE


def test_a_command_that_it_does_not_know_is_illegal_and_a_damaged_one_not_acknowledged(hand: Hand) -> None:
    assert decode_answer(Command.POLL, hand.device.receive(frame(b"\x66"), 0.0)[3:-2]) == Illegal()
    assert decode_answer(Command.POLL, hand.device.receive(damaged(POLL), 0.0)[3:-2]) == NotAcknowledged()
    assert hand.device.receive(b"\x55\x55", 0.0) == b""
    security = frame(b"\x32\x00\x00\x00")
    assert decode_answer(Command.SET_SECURITY, hand.device.receive(security, 0.0)[3:-2]) == Acknowledged()


def test_the_status_says_what_is_enabled_and_nothing_that_it_does_not_support(hand: Hand) -> None:
    hand.enabled()
    assert hand.ask(Command.GET_STATUS) == EnabledTypes(frozenset({2, 3, 4, 5}), frozenset())


def test_the_slot_is_shut_without_power_and_when_nothing_is_enabled(hand: Hand) -> None:
    with pytest.raises(ValueError, match="power_up"):
        hand.device.insert("paper", FIVE, 0.0)
    hand.enabled()
    hand.device.cut_power(hand.now)
    with pytest.raises(ValueError, match="no power"):
        hand.device.insert("paper", FIVE, hand.now)
    assert hand.device.receive(POLL, hand.now) == b""


def test_faults_pass_when_they_are_used_up(hand: Hand) -> None:
    hand.device.line.lost = 1
    hand.device.line.garbage = 1
    assert hand.device.receive(POLL, 0.0) == b""
    assert hand.device.receive(POLL, 0.0) == damaged_last(frame(b"\x10"))
    assert hand.device.receive(POLL, 0.0) == frame(b"\x10")


def damaged_last(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 0xFF,))


def test_reset_gives_back_what_can_be_given_back_and_packs_what_cannot(hand: Hand) -> None:
    hand.in_escrow()
    hand.ask(Command.RESET)
    hand.later()
    assert hand.poll() is State.DISABLED
    assert hand.device.vault.notes[0].place is Place.HAND
    hand.in_escrow()
    hand.ask(Command.STACK)
    hand.ask(Command.RESET)
    hand.later()
    assert hand.ask(Command.POLL) == PollAnswer(State.STACKED, TWENTY)


def test_restoring_power_that_was_never_gone_changes_nothing(hand: Hand) -> None:
    hand.in_escrow()
    hand.device.restore_power(hand.now)
    assert hand.poll() is State.ESCROW


def test_a_glued_poll_and_acknowledgement_are_two_frames(hand: Hand) -> None:
    assert hand.device.receive(POLL + ACK, 0.0) == frame(b"\x10")


@pytest.mark.parametrize("loose", [True, False])
def test_reset_sets_free_what_sticks_loosely_on_its_way_to_the_box(hand: Hand, loose: bool) -> None:
    hand.in_escrow()
    hand.device.jam(Spot.TRANSPORT, loose=loose)
    hand.ask(Command.STACK)
    hand.later()
    assert hand.poll() is State.JAM_BOX
    hand.ask(Command.RESET)
    hand.later()
    seen = [hand.poll() for _ in range(4)]
    assert (State.STACKED in seen, State.JAM_BOX in seen) == (loose, not loose)
    assert hand.device.vault.notes[0].place is (Place.BOX if loose else Place.TRANSPORT)
