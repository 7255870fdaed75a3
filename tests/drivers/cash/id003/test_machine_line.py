"""The host's side of ID-003: answers that are lost, damaged or late, and silence."""

from __future__ import annotations

import pytest

from drivers.api.cash import (
    Answered,
    CashCommand,
    Cleared,
    Completed,
    Escrowed,
    Lost,
    Presence,
    Ready,
    Refusal,
    Rejected,
    Returned,
    Stacked,
    Stacking,
    Trouble,
    TroubleKind,
)
from drivers.cash.id003.framing import frame
from drivers.cash.id003.messages import Command, State
from drivers.cash.id003.simulator_device import Firmware
from drivers.cash.steps import Received
from drivers.simulation.notes import Place
from drivers.simulation.script import Fault, What
from tests.drivers.cash.bench import Disturb, On, cut_short, damaged, nothing
from tests.drivers.cash.id003.virtual import SERIAL, TEN, Bench, bench, communication_error, device, invalid, run_into
from tests.drivers.cash.sheet import row

STACK, RETURN = CashCommand.STACK, CashCommand.RETURN
FAST, SLOW = Firmware(shows_transients=True), Firmware(shows_transients=False)


@row("stray ENQ 05")
def test_a_stray_enquiry_is_no_answer_and_does_no_harm() -> None:
    b = bench()
    b.from_device = lambda data: frame(b"\x05") + data if data else data
    b.escrowed()
    b.step(Received(frame(b"\x05")))
    b.command(STACK)
    b.cleared()
    assert b.places() == [Place.BOX]
    assert b.troubles() == []


def test_garbage_on_an_idle_line_is_not_answered() -> None:
    b = bench()
    b.ready()
    b.run(0.5)
    before = len(b.sent)
    b.step(Received(bytes.fromhex("FC051127 00")))
    b.step(Received(bytes.fromhex("FC05150310")))
    assert len(b.sent) == before
    assert not b.heard(Stacked), "an event that nobody asked for is not believed: the next poll asks"


@row("W1 STACK sent, answer lost")
@pytest.mark.parametrize("disturb", [nothing, damaged, cut_short, run_into])
def test_window_w1_a_stack_whose_answer_is_lost_is_never_sent_again_blindly(disturb: Disturb) -> None:
    b = bench()
    b.escrowed()
    b.from_device = On(Command.STACK_2, b, 1, disturb)
    b.command(STACK)
    b.until(Stacked)
    assert b.commands(Command.STACK_2) == [Command.STACK_2]
    assert b.heard(Completed)[-1] == Completed(STACK), "the state said that it was done"
    b.cleared()
    assert b.places() == [Place.BOX]


@row("W1 STACK sent, answer lost")
@pytest.mark.parametrize("command", [STACK, RETURN])
def test_window_w1_13_after_a_command_without_an_answer_says_that_it_was_not_done(command: CashCommand) -> None:
    b = bench()
    b.escrowed()
    b.to_device = lambda data: b"" if data[2] in (Command.STACK_2, Command.RETURN) else data
    b.command(command)
    assert b.until(Completed) == Completed(command, Refusal.NOT_DONE)
    assert b.commands(Command.STACK_2, Command.RETURN) == [Command(0x42 if command is STACK else 0x43)]
    b.to_device = bytes
    b.command(RETURN)
    b.cleared()
    assert b.places() == [Place.HAND]


def test_a_stack_that_arrived_damaged_is_read_as_not_done() -> None:
    b = bench()
    b.escrowed()
    b.to_device = lambda data: damaged(data) if data[2] == Command.STACK_2 else data
    b.command(STACK)
    assert b.until(Completed) == Completed(STACK, Refusal.NOT_DONE)


@row("W1 STACK sent, answer lost")
def test_window_w1_a_stack_that_comes_too_late_is_refused_by_4b_and_the_note_told_as_returned_by_17_79() -> None:
    b = bench()
    b.escrowed()
    b.run(9.9 - 0.2)
    b.device.metal.due = b.now  # The time of escrow ends between the poll and the command.
    b.command(STACK)
    assert b.until(Completed) == Completed(STACK, Refusal.REFUSED)
    b.cleared()
    assert [event.frame[2:4] for event in b.heard(Returned)] == [b"\x17\x79"]
    assert not b.heard(Stacked)
    assert not b.heard(Rejected)


@row("7.3 return")
def test_4b_to_a_second_return_changes_nothing() -> None:
    """In the capture: 43 is answered 50, 43 again 4B, and the note comes back."""
    b = bench()
    b.escrowed()
    b.command(RETURN)
    b.command(RETURN)
    b.cleared()
    assert [event.refused for event in b.heard(Completed)[-2:]] == [None, Refusal.NO_NOTE_IN_ESCROW]
    assert b.commands(Command.RETURN) == [Command.RETURN]
    assert b.places() == [Place.HAND]


@row("stack sent, 11")
def test_a_stack_that_was_answered_and_then_a_path_that_is_empty_without_15_is_no_credit_and_no_return() -> None:
    """Stacked with its 15 lost, or handed back unseen: the protocol does not say. The start-up table's doubt."""
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until_state(State.STACKING)
    b.told.clear()
    b.from_device = lambda data: frame(b"\x11") if b.last_sent is Command.STATUS else data
    assert b.cleared() == Cleared(None, enabled=True)
    assert [event for event in b.told if isinstance(event, Stacked | Returned)] == []


@row("stack sent, 17")
def test_a_note_that_turns_back_after_stack_is_told_as_returned() -> None:
    """17 7C: it never reached the box, and no 15 came."""
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    b.device.show(State.REJECTING, b"\x7c")
    b.run(0.5)
    b.device.show(State.DISABLED)
    assert b.until(Returned).frame[2:4] == b"\x17\x7c"
    assert b.heard(Cleared) == [Cleared(None, enabled=False)]
    assert not b.heard(Rejected)


def test_a_note_that_went_back_and_then_forward_again_is_not_told_as_returned() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until_state(State.STACKING)
    b.device.show(State.RETURNING)
    b.run(0.5)
    b.device.show(None)
    b.cleared()
    assert not b.heard(Returned)
    assert b.heard(Stacked)


@pytest.mark.parametrize("behind", [1, 2, 3])
def test_late_answers_to_earlier_polls_are_not_taken_for_the_state_after_stack(behind: int) -> None:
    """So many polls are answered only when STACK has been sent: they still say 13, and STACK was done."""
    b = bench()
    b.escrowed()
    held_back: list[bytes] = []

    def late(data: bytes) -> bytes:
        if b.last_sent is Command.STATUS and len(held_back) < behind and not b.commands(Command.STACK_2):
            held_back.append(data)
            return b""
        if b.last_sent is Command.STACK_2:
            return b"".join(held_back) + data
        return data

    b.from_device = late
    while len(held_back) < behind:
        b.run(0.05)
    b.command(STACK)
    b.cleared()
    assert len(b.commands(Command.STACK_2)) == 1
    assert b.heard(Completed)[-1] == Completed(STACK)
    assert b.places() == [Place.BOX]


def test_after_a_stack_without_an_answer_the_line_is_left_alone_until_late_answers_are_past() -> None:
    b = bench()
    b.escrowed()
    b.from_device = On(Command.STACK_2, b, 1, nothing)
    b.command(STACK)
    b.until(Completed)
    (sent,) = b.times(Command.STACK_2)
    assert min(at for at in b.times() if at > sent) - sent >= 1.0


def test_a_bad_frame_brings_the_event_again() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until_state(State.VEND_VALID)
    b.device.line.garbage = 3
    b.cleared()
    assert len(b.heard(Stacked)) == 1
    assert b.places() == [Place.BOX]


def test_an_answer_that_cannot_be_read_is_not_acknowledged_and_told_once() -> None:
    b = bench()
    b.enabled()
    b.from_device = lambda data: frame(b"\x23\x05") if b.last_sent is Command.STATUS else data
    before = len(b.sent)
    b.run(4)
    assert b.troubles() == [Trouble(TroubleKind.UNREADABLE)], "once, not at every poll: each one becomes a record"
    assert set(b.commands()[before:]) == {Command.STATUS}
    assert not b.heard(Lost)
    b.from_device = bytes
    b.run(1)
    assert b.troubles() == [Trouble(TroubleKind.UNREADABLE), Trouble(TroubleKind.UNREADABLE, over=True)]


@row("4A and 4B are no states")
@pytest.mark.parametrize("refuse", [invalid, communication_error])
def test_4b_and_4a_to_a_poll_are_no_states(refuse: Disturb) -> None:
    b = bench()
    b.from_device = On(Command.STATUS, b, 5, refuse)
    b.ready()
    b.escrowed()
    b.from_device = On(Command.STATUS, b, 5, refuse)
    b.run(3)
    assert len(b.heard(Escrowed)) == 1
    b.command(STACK)
    b.cleared()
    assert b.troubles() == []


@row("7.11 communication lost")
def test_sequence_7_11_a_mute_device_is_lost_after_eight_seconds_and_reported_anew_when_it_is_back() -> None:
    b = bench()
    b.enabled()
    began = b.now
    b.device.line.mute = True
    assert b.until(Lost) == Lost("silent")
    assert 8.0 <= b.now - began < 9.5
    b.run(30)
    assert len(b.heard(Lost)) == 1
    b.device.line.mute = False
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    assert b.until(Ready).identity.serial == SERIAL


@row("7.11 communication lost")
def test_sequence_7_11_a_vend_valid_that_was_missed_in_a_silence_is_the_first_answer_after_it() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    b.device.line.mute = True
    b.until(Lost)
    b.device.line.mute = False
    answered = b.until(Answered)
    assert (answered.presence, answered.note_type) == (Presence.STACKED, None)
    b.until(Ready)
    assert not b.heard(Stacked), "told once, with the report"
    assert b.places() == [Place.BOX]


def test_nothing_known_before_a_silence_is_said_of_what_answers_after_it() -> None:
    b = bench()
    b.escrowed()
    b.device.line.mute = True
    b.until(Lost)
    other = Bench(device(serial="OTHER0000002"), now=b.now)
    other.escrowed(TEN)
    b.device = other.device
    b.proceeds = False
    answered = b.until(Answered)
    assert (answered.presence, answered.identity) == (Presence.IN_ESCROW, None)
    assert not b.machine.known.values


def test_another_device_at_power_up_says_so_before_anything_is_reset() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    b.device.cut_power(b.now)
    b.until(Lost)
    b.device = device(serial="OTHER0000002")
    b.proceeds = False
    answered = b.until(Answered)
    assert answered.identity is not None
    assert answered.identity.serial == "OTHER0000002"
    assert b.commands(Command.RESET) == [Command.RESET]


def test_a_note_that_was_seen_going_back_before_a_silence_is_told_as_returned() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.stage_seconds = 3.0
    b.command(RETURN)
    b.until_state(State.RETURNING)
    b.run(0.5)
    b.device.line.mute = True
    b.until(Lost)
    assert [event.frame[2] for event in b.heard(Returned)] == [0x18]


def test_a_command_that_is_refused_again_and_again_does_not_keep_the_machine_from_looking() -> None:
    """A device that was switched off and on refuses every setting: only a poll shows that it has begun anew."""
    b = bench()
    b.enabled()
    b.device.cut_power(b.now)
    b.device.restore_power(b.now)
    for _ in range(200):
        b.command(CashCommand.ENABLE)
        b.run(0.05)
    assert len(b.heard(Answered)) == 2, "it has been seen to be back"
    b.run(30)
    assert len(b.heard(Ready)) == 2


@pytest.mark.parametrize("lateness", [0.5, 1.4])
def test_a_late_answer_is_waited_for_and_not_taken_for_the_next_one(lateness: float) -> None:
    b = bench()
    b.escrowed()
    b.device.act(What(Fault.LATE, seconds=lateness), b.now)
    b.command(STACK)
    b.cleared()
    assert b.heard(Completed)[-1] == Completed(STACK)
    assert b.places() == [Place.BOX]
