"""The host's side of ID-003 when answers are lost, power goes, processes die and devices are exchanged."""

from __future__ import annotations

from itertools import pairwise

import pytest

from drivers.api.cash import (
    Accepting,
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
from drivers.cash.steps import Acknowledge, Proceed
from drivers.simulation.mechanism import Box
from drivers.simulation.notes import Place, Vault
from tests.drivers.cash.bench import Disturb, On, cut_short, damaged, nothing
from tests.drivers.cash.id003.virtual import SERIAL, TABLE, TEN, TWENTY, Bench, device, run_into, trouble

STACK, RETURN = CashCommand.STACK, CashCommand.RETURN


def bench(firmware: Firmware | None = None) -> Bench:
    return Bench(device(firmware=firmware))


def invalid(_: bytes) -> bytes:
    return frame(b"\x4b")


def communication_error(_: bytes) -> bytes:
    return frame(b"\x4a")


# --- answers that are lost or damaged -------------------------------------------------------------------------------


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


def test_two_stacks_in_a_row_have_a_poll_between_them() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.command(STACK)
    b.cleared()
    first = b.commands().index(Command.STACK_2)
    assert Command.STACK_2 not in b.commands()[first + 1 :]
    assert [event.refused for event in b.heard(Completed)[-2:]] == [None, Refusal.NO_NOTE_IN_ESCROW]


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
    b.run(20)
    assert b.troubles() == [Trouble(TroubleKind.UNREADABLE)], "once, not at every poll: each one becomes a record"
    assert set(b.commands()[before:]) == {Command.STATUS}
    assert not b.heard(Lost)
    b.from_device = bytes
    b.run(1)
    assert b.troubles() == [Trouble(TroubleKind.UNREADABLE), Trouble(TroubleKind.UNREADABLE, over=True)]


@pytest.mark.parametrize("question", [Command.SERIAL, Command.VERSION, Command.NOTE_TABLE])
@pytest.mark.parametrize("wrong", ["unreadable", "lost", "damaged", "not understood"])
def test_a_question_that_goes_wrong_is_asked_again_until_the_device_is_known_whole(
    question: Command, wrong: str
) -> None:
    b = bench()
    answers: dict[str, Disturb] = {
        "unreadable": lambda _: frame(b"\x8a\x02\x03"),
        "lost": nothing,
        "damaged": damaged,
        "not understood": communication_error,
    }
    b.until(Answered)
    b.from_device = On(question, b, 5, answers[wrong])
    ready = b.ready()
    assert dict(ready.values) == dict(TABLE.values)
    assert ready.identity.serial == SERIAL


@pytest.mark.parametrize("disturb", [nothing, damaged])
def test_a_device_that_does_not_say_who_it_is_is_reported_all_the_same(disturb: Disturb) -> None:
    b = bench()
    b.from_device = On(Command.SERIAL, b, 3, disturb)
    answered = b.until(Answered)
    assert answered.identity is None
    assert answered.presence is Presence.PATH_EMPTY
    assert b.ready().identity.serial == SERIAL


def test_what_a_device_says_while_it_is_being_asked_who_it_is_is_what_is_reported() -> None:
    """It comes to another state between two tries: the report is of the state that it is in."""
    b = bench()
    b.from_device = On(Command.SERIAL, b, 1, nothing)
    b.run(0.1)
    b.device.show(State.VEND_VALID)
    assert b.until(Answered).presence is Presence.STACKED
    again = bench()
    again.from_device = On(Command.SERIAL, again, 1, nothing)
    again.run(0.1)
    again.device.show(State.INITIALIZE)
    again.run(10)
    assert not again.heard(Answered), "a state that passes is waited for"
    again.device.show(None)
    assert again.until(Answered).presence is Presence.PATH_EMPTY


@pytest.mark.parametrize("command", [Command.SET_DENOMINATIONS, Command.SET_INHIBIT])
@pytest.mark.parametrize("disturb", [nothing, damaged])
def test_opening_the_slot_is_tried_three_times_and_no_more(command: Command, disturb: Disturb) -> None:
    b = bench()
    b.ready()
    b.from_device = On(command, b, 2, disturb)
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE)
    assert len(b.commands(command)) == 3
    b.from_device = On(command, b, 9, disturb)
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE, Refusal.NO_ANSWER)
    assert len(b.commands(command)) == 6


@pytest.mark.parametrize(
    ("answer", "tries"), [(b"\x4b", 1), (b"\x4a", 3), (b"\xc3\x01", 3)], ids=["4B", "4A", "another echo"]
)
def test_a_slot_command_that_is_not_echoed_is_refused(answer: bytes, tries: int) -> None:
    b = bench()
    b.ready()
    b.from_device = On(Command.SET_INHIBIT, b, 9, lambda _: frame(answer))
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE, Refusal.REFUSED)
    assert len(b.commands(Command.SET_INHIBIT)) == tries


def test_c0_that_is_refused_opens_nothing() -> None:
    b = bench()
    b.ready()
    b.from_device = On(Command.SET_DENOMINATIONS, b, 1, invalid)
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE, Refusal.REFUSED)
    assert not b.commands(Command.SET_INHIBIT)
    assert b.device.state is State.DISABLED


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


def test_a_device_that_will_not_tell_its_table_is_polled_meanwhile_and_told_once() -> None:
    b = bench()
    b.until(Answered)
    b.from_device = On(Command.NOTE_TABLE, b, 15, nothing)
    ready = b.ready()
    told = [trouble for trouble in b.troubles() if trouble.code == "failure-not-identified"]
    assert told == [
        Trouble(TroubleKind.FAILURE, "not-identified"),
        Trouble(TroubleKind.FAILURE, "not-identified", over=True),
    ]
    tries = b.times(Command.NOTE_TABLE)[1:]
    polls = b.times(Command.STATUS)
    assert all(any(first < poll < second for poll in polls) for first, second in pairwise(tries))
    assert dict(ready.values) == dict(TABLE.values)
    assert not b.heard(Lost)


def test_a_device_that_takes_its_time_over_its_identity_is_waited_for() -> None:
    b = bench()
    asked: list[Command] = []

    def slow(data: bytes) -> bytes:
        if b.last_sent in (Command.SERIAL, Command.VERSION, Command.NOTE_TABLE):
            asked.append(b.last_sent)
            b.now += 1.5
        return data

    b.from_device = slow
    b.ready()
    assert len(asked) == 6, "each was asked once for the report and once for the reading"


# --- silence --------------------------------------------------------------------------------------------------------


def test_sequence_7_11_a_mute_device_is_lost_after_five_seconds_and_reported_anew_when_it_is_back() -> None:
    b = bench()
    b.enabled()
    began = b.now
    b.device.line.mute = True
    assert b.until(Lost) == Lost("silent")
    assert 5.0 <= b.now - began < 6.0
    b.run(30)
    assert len(b.heard(Lost)) == 1
    b.device.line.mute = False
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    assert b.until(Ready).identity.serial == SERIAL


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


def test_a_device_that_was_never_there_is_lost_too() -> None:
    b = bench()
    b.device.powered = False
    assert b.until(Lost) == Lost("silent")
    b.device.restore_power(b.now)
    b.ready()


def test_what_was_wanted_of_a_device_that_is_gone_ends_as_lost() -> None:
    b = bench()
    b.escrowed()
    b.device.cut_power(b.now)
    b.command(STACK)
    b.command(CashCommand.DISABLE)
    b.until(Lost)
    assert b.heard(Completed)[-2:] == [Completed(STACK, Refusal.LOST), Completed(CashCommand.DISABLE, Refusal.LOST)]


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


# --- power cuts at the device ---------------------------------------------------------------------------------------


def cut(b: Bench) -> Answered:
    """Power off and on again, and what the device then says first."""
    b.device.cut_power(b.now)
    b.run(1.0)
    b.proceeds = False
    b.device.restore_power(b.now)
    answered = b.until(Answered)
    sent = len(b.sent)
    b.run(5)
    assert len(b.sent) == sent, "nothing is reset before the answer is on record"
    assert answered.identity is not None
    return answered


def test_row_41_power_cut_while_a_note_is_drawn_in() -> None:
    b = bench()
    b.enabled()
    b.device.insert("paper", TWENTY, b.now)
    b.until(Accepting)
    answered = cut(b)
    assert (answered.presence, answered.frame[2]) == (Presence.RETURNABLE, 0x41)
    b.go_on()
    b.until(Ready)
    assert b.places() == [Place.HAND]
    assert not b.heard(Stacked)


def test_row_41_power_cut_with_a_note_in_escrow() -> None:
    b = bench()
    b.escrowed()
    answered = cut(b)
    assert (answered.presence, answered.frame[2]) == (Presence.RETURNABLE, 0x41)
    b.go_on()
    b.until(Ready)
    assert b.places() == [Place.HAND]
    assert not b.heard(Stacked)


def test_row_42_with_power_recovery_ends_in_a_vend_valid() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    answered = cut(b)
    assert (answered.presence, answered.frame[2]) == (Presence.MOVING, 0x42)
    b.go_on()
    assert b.until(Stacked) == Stacked(None, None, bytes.fromhex("FC05150310"))
    b.until(Ready)
    assert b.places() == [Place.BOX]


def test_row_42_without_power_recovery_comes_to_rest_without_15_and_is_told_as_that() -> None:
    """The note is in the box and nothing says so: no credit, no return. The start-up table's doubt."""
    b = bench(Firmware(recovers=False))
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    assert cut(b).presence is Presence.MOVING
    b.go_on()
    b.until(Ready)
    assert b.places() == [Place.BOX]
    assert not b.heard(Stacked)
    assert not b.heard(Returned)


def test_row_42_that_turns_back_after_reset_is_told_as_returned() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    cut(b)
    b.from_device = lambda data: frame(b"\x17\x7c") if data[2:3] == b"\x1b" else data
    b.go_on()
    assert b.until(Returned).frame[2:4] == b"\x17\x7c"


@pytest.mark.parametrize("remembers", [False, True])
def test_window_w4_power_cut_after_the_note_was_stacked_and_before_15_was_acknowledged(remembers: bool) -> None:
    """Whether a unit remembers is nowhere said: some would say 42 and 15 again, others 40."""
    b = bench(Firmware(remembers_credit=remembers))
    b.acknowledges = False
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    answered = cut(b)
    assert answered.presence is (Presence.MOVING if remembers else Presence.PATH_EMPTY)
    assert answered.frame[2] == (0x42 if remembers else 0x40)
    b.acknowledges = True
    told = len(b.heard(Stacked))
    b.go_on()
    b.until(Ready)
    assert len(b.heard(Stacked)) == told + remembers
    assert b.places() == [Place.BOX]


def test_power_cut_while_a_note_comes_back() -> None:
    b = bench()
    b.escrowed()
    b.command(RETURN)
    b.until_state(State.RETURNING)
    assert cut(b).presence is Presence.RETURNABLE
    b.go_on()
    b.until(Ready)
    assert b.places() == [Place.HAND]


def test_power_cut_with_a_note_that_was_seen_turning_back_after_stack_leaves_no_doubt() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    b.device.show(State.REJECTING, b"\x7c")
    b.run(0.5)
    b.device.metal.give_back(b.now)
    b.device.vault.move(b.device.vault.notes[0], Place.HAND)
    assert cut(b).presence is Presence.PATH_EMPTY
    assert [event.frame[2:4] for event in b.heard(Returned)] == [b"\x17\x7c"]


def test_power_cut_too_short_for_silence_is_seen_by_the_power_up_state() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    b.device.cut_power(b.now)
    b.run(0.2)
    b.device.restore_power(b.now)
    assert b.until(Answered).presence is Presence.MOVING
    assert not b.heard(Lost)
    b.until(Stacked)


def test_power_cut_with_a_stack_that_was_not_confirmed_is_reported_before_anything_is_done() -> None:
    b = bench()
    b.escrowed()
    b.from_device = On(Command.STACK_2, b, 1, nothing)
    b.command(STACK)
    b.run(0.1)
    b.device.cut_power(b.now)
    b.run(0.3)
    b.device.restore_power(b.now)
    b.proceeds = False
    assert b.until(Answered).presence is Presence.MOVING
    assert b.heard(Completed)[-1] == Completed(STACK, Refusal.LOST)
    b.run(10)
    assert b.commands(Command.RESET) == [Command.RESET], "only the one at the very start"


def test_a_device_that_does_not_leave_power_up_is_reset_again_with_patience() -> None:
    b = bench()
    b.to_device = lambda data: b"" if data[2] == Command.RESET else data
    b.until(Answered)
    b.run(16)
    assert len(b.commands(Command.RESET)) in (3, 4)
    b.to_device = bytes
    b.ready()


def test_a_vault_outlives_the_power_and_a_new_device_stands_where_the_old_one_stood() -> None:
    vault = Vault(None)
    b = Bench(device(vault))
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    again = Bench(device(vault), now=b.now)
    assert again.until(Answered).presence is Presence.MOVING
    again.until(Stacked)
    assert again.places() == [Place.BOX]


# --- a new process over a living device -----------------------------------------------------------------------------

FIRST_ANSWERS = [
    ("drawn in", State.ACCEPTING, Presence.MOVING),
    ("in escrow", State.ESCROW, Presence.IN_ESCROW),
    ("held", State.HOLDING, Presence.IN_ESCROW),
    ("stacking", State.STACKING, Presence.MOVING),
    ("vend valid", State.VEND_VALID, Presence.STACKED),
    ("returning", State.RETURNING, Presence.RETURNABLE),
    ("rejecting", State.REJECTING, Presence.RETURNABLE),
]


def old_life(state: State) -> Bench:
    old = bench()
    old.acknowledges = False
    if state is State.ACCEPTING:
        old.enabled()
        old.device.insert("paper", TWENTY, old.now)
        old.until(Accepting)
    else:
        old.escrowed()
    if state in (State.STACKING, State.VEND_VALID):
        old.command(STACK)
    if state is State.RETURNING:
        old.command(RETURN)
    if state is State.HOLDING:
        old.device.receive(frame(b"\x44"), old.now)
    old.until_state(state)
    return old


@pytest.mark.parametrize(("_name", "state", "presence"), FIRST_ANSWERS, ids=[row[0] for row in FIRST_ANSWERS])
def test_a_new_process_reports_where_the_note_is_and_touches_nothing(
    _name: str, state: State, presence: Presence
) -> None:
    old = old_life(state)
    old.device.metal.stage_seconds = 1000.0
    b = Bench(old.device, now=old.now, proceeds=False, acknowledges=False)
    answered = b.until(Answered)
    assert answered.presence is presence
    assert answered.frame[2] == state
    assert answered.note_type == (TWENTY if state is State.ESCROW else None)
    b.run(3)
    assert set(b.commands()) == {Command.STATUS}, "a held event is not acknowledged by reading it"


SHOWN = [
    (State.POWER_UP, b"", Presence.PATH_EMPTY), (State.DISABLED, b"", Presence.PATH_EMPTY),
    (State.IDLING, b"", Presence.PATH_EMPTY), (State.POWER_UP_NOTE_IN_ACCEPTOR, b"", Presence.RETURNABLE),
    (State.POWER_UP_NOTE_IN_STACKER, b"", Presence.MOVING), (State.STACKED, b"", Presence.MOVING),
    (State.VEND_VALID, b"\x64", Presence.STACKED), (State.REJECTING, b"\x79", Presence.RETURNABLE),
    (State.JAM_ACCEPTOR, b"", Presence.JAMMED), (State.JAM_STACKER, b"", Presence.JAMMED),
    (State.FAILURE, b"\xab", Presence.JAMMED), (State.RECYCLER_FAILURE, b"", Presence.JAMMED),
    (State.BOX_FULL, b"", Presence.PATH_EMPTY), (State.BOX_REMOVED, b"", Presence.PATH_EMPTY),
]  # fmt: skip


@pytest.mark.parametrize(("state", "data", "presence"), SHOWN, ids=[row[0].name for row in SHOWN])
def test_every_first_answer_is_a_column_of_the_start_up_table(state: State, data: bytes, presence: Presence) -> None:
    validator = device()
    validator.show(state, data)
    b = Bench(validator, proceeds=False)
    answered = b.until(Answered)
    assert answered.presence is presence
    assert answered.frame[2:-2] == bytes((state,)) + data
    assert answered.note_type is None
    assert b.now < 105


@pytest.mark.parametrize(
    "state", [State.INITIALIZE, State.BUSY, State.END, State.RETURNED, State.PAUSE, State.CHEATED]
)  # fmt: skip
def test_a_first_answer_that_passes_is_waited_for_and_one_that_stays_is_as_good_as_a_jam(state: State) -> None:
    validator = device()
    validator.show(state)
    b = Bench(validator, proceeds=False)
    b.run(0.1)
    b.run(29)
    assert not b.heard(Answered)
    b.run(2)
    assert [event.presence for event in b.heard(Answered)] == [Presence.JAMMED]
    assert set(b.commands()) == {Command.STATUS}


@pytest.mark.parametrize("state", [State.STACKING, State.VEND_VALID])
def test_window_w2_a_note_that_an_earlier_process_sent_to_the_box_is_told_as_stacked(state: State) -> None:
    old = old_life(state)
    b = Bench(old.device, now=old.now)
    b.ready()
    assert b.polled[0] is state
    told = len(b.heard(Stacked)) + sum(event.presence is Presence.STACKED for event in b.heard(Answered))
    assert told == 1
    assert b.commands(Command.RESET, Command.STACK_2) == []
    assert b.commands(Command.ACK) == [Command.ACK]


def test_window_w6_a_vend_valid_that_is_the_first_answer_is_acknowledged_and_never_reset_away() -> None:
    b = Bench(old_life(State.VEND_VALID).device, now=103.0, proceeds=False, acknowledges=False)
    b.until(Answered)
    b.run(20)
    assert b.device.state is State.VEND_VALID
    b.step(Proceed())
    b.until(Stacked)
    b.run(20)
    assert b.commands(Command.RESET, Command.ACK) == []
    b.acknowledges = True
    b.until(Ready)
    assert b.commands(Command.RESET, Command.ACK) == [Command.ACK]


def test_an_acknowledgement_right_after_the_report_reaches_the_device_before_anything_else() -> None:
    b = Bench(old_life(State.VEND_VALID).device, now=103.0, proceeds=False, acknowledges=False)
    b.until(Answered)
    b.machine.step(Proceed(), b.now)
    again = Bench(b.device, now=b.now)
    again.until(Answered)
    assert again.commands() == [Command.STATUS, Command.ACK]
    again.step(Acknowledge())
    assert again.commands() == [Command.STATUS, Command.ACK]


def test_a_note_that_an_earlier_process_left_in_escrow_can_be_given_back() -> None:
    b = Bench(old_life(State.ESCROW).device, now=103.0, proceeds=False)
    b.until(Answered)
    b.command(RETURN)
    assert b.commands(Command.RETURN) == []
    b.go_on()
    b.until(Returned)
    b.ready()
    assert b.places() == [Place.HAND]
    assert not b.heard(Escrowed), "it is not announced as a new note"


def test_a_note_that_was_being_drawn_in_comes_to_escrow_without_a_value() -> None:
    """Its type means nothing yet: the table of this device has not been read."""
    old = old_life(State.ACCEPTING)
    b = Bench(old.device, now=old.now)
    assert b.until(Escrowed).value is None
    b.command(RETURN)
    b.ready()
    assert b.places() == [Place.HAND]


# --- trouble --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "code", "presence"),
    [
        (State.BOX_REMOVED, "box-removed", Presence.PATH_EMPTY),
        (State.BOX_FULL, "box-full", Presence.PATH_EMPTY),
        (State.JAM_STACKER, "jam-box", Presence.JAMMED),
        (State.JAM_ACCEPTOR, "jam-head", Presence.JAMMED),
        (State.FAILURE, "failure-a2", Presence.JAMMED),
    ],
)
def test_trouble_that_was_there_before_the_process_is_told_too(state: State, code: str, presence: Presence) -> None:
    validator = device()
    trouble(validator, state, 0.0)
    b = Bench(validator)
    assert b.until(Answered).presence is presence
    b.run(2)
    assert code in [trouble.code for trouble in b.troubles() if not trouble.over]


@pytest.mark.parametrize("between", [State.PAUSE, State.BUSY, State.HOLDING, State.CHEATED])
def test_a_note_that_stays_in_escrow_is_announced_once_whatever_comes_between(between: State) -> None:
    b = bench()
    b.escrowed()
    b.device.show(between)
    b.run(0.6)
    b.device.show(None)
    b.run(1.0)
    assert len(b.heard(Escrowed)) == 1
    b.command(STACK)
    b.cleared()
    assert b.places() == [Place.BOX]


def test_a_box_that_is_taken_out_while_the_device_is_being_read_does_not_stop_it_for_ever() -> None:
    b = bench()
    b.until_state(State.DISABLED)
    b.device.change_box(Box.OUT, b.now)
    b.run(10)
    assert not b.heard(Ready)
    b.device.change_box(Box.IN, b.now, "BOX-2")
    assert b.ready().identity.serial == SERIAL


def test_a_box_that_is_taken_out_while_a_table_is_asked_for_is_noticed() -> None:
    b = bench()
    b.until(Answered)
    b.from_device = On(Command.NOTE_TABLE, b, 5, communication_error)
    b.run(2)
    b.device.change_box(Box.OUT, b.now)
    assert b.until(Trouble) == Trouble(TroubleKind.BOX_REMOVED)
    b.device.change_box(Box.IN, b.now, "BOX-2")
    b.until(Ready)
    assert Trouble(TroubleKind.BOX_REMOVED, over=True) in b.troubles()


def test_a_vend_valid_outlives_the_exchange_of_the_box() -> None:
    b = bench(Firmware(after_box=State.POWER_UP))
    b.acknowledges = False
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    b.device.change_box(Box.OUT, b.now)
    b.until(Trouble)
    b.device.change_box(Box.IN, b.now)
    b.acknowledges = True
    b.until(Ready)
    assert b.places() == [Place.BOX]


def test_a_box_that_was_full_and_is_not_any_more_makes_the_device_ready_anew() -> None:
    b = bench()
    b.ready()
    trouble(b.device, State.BOX_FULL, b.now)
    assert b.until(Trouble) == Trouble(TroubleKind.BOX_FULL)
    b.device.change_box(Box.IN, b.now)
    b.until(Ready)
    assert b.troubles()[-1] == Trouble(TroubleKind.BOX_FULL, over=True)


def test_more_commands_than_anybody_can_want_are_refused() -> None:
    b = bench()
    b.device.line.mute = True
    for _ in range(1000):
        b.command(CashCommand.DISABLE)
    refused = b.heard(Completed)
    assert len(refused) > 980
    assert set(refused) == {Completed(CashCommand.DISABLE, Refusal.NOT_READY)}


@pytest.mark.parametrize("disturb", [nothing, damaged])
def test_an_option_whose_answer_is_lost_is_sent_again_after_the_next_poll(disturb: Disturb) -> None:
    b = bench()
    b.from_device = On(Command.SET_OPTIONS, b, 1, disturb)
    b.ready()
    sent = b.commands()
    first = sent.index(Command.SET_OPTIONS)
    assert sent[first : first + 3] == [Command.SET_OPTIONS, Command.STATUS, Command.SET_OPTIONS]
    assert b.commands(Command.SET_OPTIONS) == [Command.SET_OPTIONS] * 2


def test_a_wish_does_not_hurry_past_a_vend_valid_that_waits_for_its_record() -> None:
    b = bench()
    b.acknowledges = False
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    sent = len(b.sent)
    b.command(CashCommand.DISABLE)
    b.run(0.1)
    assert len(b.sent) == sent, "the ACK still has its turn"
    b.step(Acknowledge())
    assert b.last_sent is Command.ACK
