"""The host's side of CCNET against the simulated validator, in memory and in virtual time."""

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
from drivers.cash.ccnet.framing import frame
from drivers.cash.ccnet.messages import Command, State
from drivers.cash.steps import Acknowledge, Received
from drivers.simulation.mechanism import Box, Spot
from drivers.simulation.notes import Place, Vault
from tests.drivers.cash.bench import Disturb, On, cut_short, damaged, nothing
from tests.drivers.cash.ccnet.virtual import (
    FIVE,
    SERIAL,
    TABLE,
    TEN,
    TWENTY,
    UNKNOWN_TYPE,
    Bench,
    device,
    run_into,
    trouble,
)

STACK, RETURN = CashCommand.STACK, CashCommand.RETURN


def bench() -> Bench:
    return Bench(device())


# --- a start --------------------------------------------------------------------------------------------------------


def test_nothing_but_questions_is_sent_before_the_first_answer_is_on_record() -> None:
    b = bench()
    b.proceeds = False
    answered = b.until(Answered)
    assert answered.presence is Presence.PATH_EMPTY
    assert answered.frame.hex() == "020306104392"
    assert answered.stacked_counter == 0
    assert answered.identity is not None
    assert answered.identity.serial == SERIAL
    assert answered.identity.simulated
    sent = len(b.sent)
    b.run(60)
    assert len(b.sent) == sent, "the line is quiet until the caller says proceed"
    assert set(b.commands()) == {Command.POLL, Command.ACK, Command.IDENTIFICATION, Command.COUNT_STACKED}


def test_a_device_at_power_up_is_reset_once_and_read_whole() -> None:
    b = bench()
    ready = b.ready()
    assert b.commands(Command.RESET) == [Command.RESET]
    assert dict(ready.values) == dict(TABLE.values)
    assert ready.stacked_counter == 0
    assert len(ready.table_hash) == 32
    b.run(30)
    assert b.commands(Command.RESET) == [Command.RESET]
    assert len(b.heard(Ready)) == 1


def test_a_device_that_is_enabled_already_is_disabled_and_not_reset() -> None:
    old = bench()
    old.enabled()
    b = Bench(old.device, now=old.now)
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    b.ready()
    assert b.commands(Command.RESET) == []
    assert b.device.state is State.DISABLED


def test_a_device_that_takes_its_time_over_its_table_is_waited_for() -> None:
    """Units in the field take up to 1.5 s over identification and table."""
    b = bench()
    asked_at: list[float] = []

    def slow(data: bytes) -> bytes:
        if b.sent[-1].command in (Command.IDENTIFICATION, Command.GET_NOTE_TABLE):
            asked_at.append(b.now)
            b.now += 1.2
        return data

    b.from_device = slow
    b.ready()
    assert len(asked_at) == 3, "each was asked once: two at the report and the reading, and the table"


def test_the_poll_comes_at_its_pace_and_never_on_the_heels_of_an_answer() -> None:
    b = bench()
    b.ready()
    b.sent.clear()
    b.run(10)
    times = b.times(Command.POLL)
    gaps = [after - before for before, after in pairwise(times)]
    assert min(gaps) >= 0.2
    assert max(gaps) < 0.3


def test_a_firmware_without_a_counter_is_read_and_serves_all_the_same() -> None:
    b = bench()
    b.device.forgets_count = True
    assert b.until(Answered).stacked_counter is None
    assert b.ready().stacked_counter is None
    b.escrowed()
    b.command(STACK)
    assert b.cleared() == Cleared(None, enabled=True)


# --- a note ---------------------------------------------------------------------------------------------------------


def test_a_note_is_accepted_through_escrow_into_the_box() -> None:
    b = bench()
    escrowed = b.escrowed(TWENTY)
    assert escrowed.value == TABLE.values[TWENTY]
    assert escrowed.frame[3:5] == b"\x80\x04"
    assert escrowed.table_hash == b.heard(Ready)[0].table_hash
    assert b.places() == [Place.ESCROW]
    b.told.clear()
    b.command(STACK)
    b.cleared()
    kinds = [type(event) for event in b.told]
    assert kinds == [Completed, Stacking, Stacked, Cleared]
    assert b.heard(Stacked)[0].note_type == TWENTY
    assert b.heard(Stacked)[0].value == TABLE.values[TWENTY]
    assert b.heard(Cleared) == [Cleared(1, enabled=True)]
    assert b.places() == [Place.BOX]
    assert b.commands(Command.STACK) == [Command.STACK]


def test_a_note_is_given_back_when_asked() -> None:
    b = bench()
    b.escrowed()
    b.command(RETURN)
    b.cleared()
    assert b.heard(Returned)
    assert not b.heard(Stacked)
    assert b.places() == [Place.HAND]
    assert b.heard(Cleared)[-1].stacked_counter == 0


def test_a_note_that_nobody_decides_about_comes_back_by_the_device_itself() -> None:
    b = bench()
    b.escrowed()
    b.cleared()
    assert b.heard(Returned)
    assert b.commands(Command.STACK, Command.RETURN) == []
    assert b.places() == [Place.HAND]


@pytest.mark.parametrize(("readable", "kind", "reason"), [(False, TWENTY, "identification"), (True, 9, "inhibited")])
def test_a_note_that_is_not_recognised_is_rejected_with_a_reason(readable: bool, kind: int, reason: str) -> None:
    b = bench()
    b.enabled()
    b.device.insert("paper", kind, b.now, readable=readable)
    assert b.until(Rejected) == Rejected(reason)
    b.cleared()
    assert not b.heard(Escrowed)
    assert b.places() == [Place.HAND]


def test_a_type_that_the_table_does_not_name_comes_to_escrow_without_a_value() -> None:
    b = bench()
    assert b.escrowed(UNKNOWN_TYPE).value is None
    b.command(RETURN)
    b.cleared()
    assert b.places() == [Place.HAND]


def test_a_reason_without_a_name_is_told_by_its_number() -> None:
    b = bench()
    b.enabled()
    b.device.insert("paper", TWENTY, b.now, readable=False)

    def other_reason(data: bytes) -> bytes:
        return frame(b"\x1c\x7e") if data[3:4] == b"\x1c" else data

    b.from_device = other_reason
    assert b.until(Rejected) == Rejected("reason-7e")


def test_many_notes_go_in_one_after_the_other() -> None:
    b = bench()
    for number, kind in enumerate((FIVE, TEN, TWENTY, FIVE), 1):
        b.enabled()
        b.device.insert("paper", kind, b.now)
        b.until(Escrowed)
        b.command(STACK)
        assert b.cleared().stacked_counter == number
    assert [event.note_type for event in b.heard(Stacked)] == [FIVE, TEN, TWENTY, FIVE]
    assert b.device.vault.counter == 4


def test_a_command_that_needs_a_note_is_refused_without_one_and_nothing_is_sent() -> None:
    b = bench()
    b.enabled()
    for command in (STACK, RETURN):
        b.command(command)
        assert b.until(Completed) == Completed(command, Refusal.NO_NOTE_IN_ESCROW)
    assert b.commands(Command.STACK, Command.RETURN) == []


def test_the_slot_cannot_be_opened_before_the_device_is_ready() -> None:
    b = bench()
    b.until(Answered)
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE, Refusal.NOT_READY)


def test_the_slot_is_shut_when_asked() -> None:
    b = bench()
    b.enabled()
    b.command(CashCommand.DISABLE)
    assert b.until(Completed) == Completed(CashCommand.DISABLE)
    assert b.device.state is State.DISABLED


# --- the acknowledgement --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [STACK, RETURN])
def test_an_event_is_repeated_at_every_poll_until_it_is_acknowledged(command: CashCommand) -> None:
    b = bench()
    b.acknowledges = False
    b.escrowed()
    b.command(command)
    kind = Stacked if command is STACK else Returned
    b.until(kind)
    b.run(10)
    assert len(b.heard(kind)) >= 40
    assert not b.heard(Cleared), "a device that holds an event is not done"
    assert b.device.state in (State.STACKED, State.RETURNED)
    b.acknowledges = True
    b.cleared()
    told = len(b.heard(kind))
    b.run(5)
    assert len(b.heard(kind)) == told, "once acknowledged, it is over"


def test_no_acknowledgement_is_sent_for_an_event_that_is_not_on_record() -> None:
    b = bench()
    b.acknowledges = False
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    before = len(b.sent)
    b.run(5)
    assert set(b.commands()[before:]) == {Command.POLL}


def test_an_acknowledgement_that_is_lost_brings_the_event_again() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until_state(State.STACKED)
    lost = [3]

    def lose_ack(data: bytes) -> bytes:
        if data[3] == Command.ACK and lost[0] and b.device.state is State.STACKED:
            lost[0] -= 1
            return damaged(data)
        return data

    b.to_device = lose_ack
    b.cleared()
    assert len(b.heard(Stacked)) == 4
    assert b.device.vault.counter == 1


def test_an_acknowledgement_out_of_season_is_not_sent() -> None:
    b = bench()
    b.enabled()
    before = len(b.sent)
    b.step(Acknowledge())
    assert len(b.sent) == before


# --- answers that are lost or damaged -------------------------------------------------------------------------------


@pytest.mark.parametrize("disturb", [nothing, damaged, cut_short, run_into])
def test_a_stack_whose_answer_is_lost_is_never_sent_again_blindly(disturb: Disturb) -> None:
    b = bench()
    b.escrowed()
    b.from_device = On(Command.STACK, b, 1, disturb)
    b.command(STACK)
    b.until(Stacked)
    assert b.commands(Command.STACK) == [Command.STACK]
    assert b.heard(Completed)[-1] == Completed(STACK), "the state said that it was done"
    b.cleared()
    assert b.places() == [Place.BOX]


@pytest.mark.parametrize("command", [STACK, RETURN])
def test_a_command_that_never_arrived_is_read_from_the_state_as_not_done(command: CashCommand) -> None:
    b = bench()
    b.escrowed()
    b.to_device = lambda data: b"" if data[3] in (Command.STACK, Command.RETURN) else data
    b.command(command)
    assert b.until(Completed) == Completed(command, Refusal.NOT_DONE)
    assert b.commands(Command.STACK, Command.RETURN) == [Command(0x35 if command is STACK else 0x36)]
    b.to_device = bytes
    b.command(RETURN)
    b.cleared()
    assert b.places() == [Place.HAND]


def test_a_stack_that_arrived_damaged_is_refused_by_the_device_and_read_as_not_done() -> None:
    b = bench()
    b.escrowed()
    b.to_device = lambda data: damaged(data) if data[3] == Command.STACK else data
    b.command(STACK)
    assert b.until(Completed) == Completed(STACK, Refusal.NOT_DONE)


def test_two_stacks_in_a_row_have_a_poll_between_them() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.command(STACK)
    b.cleared()
    first = b.commands().index(Command.STACK)
    assert Command.STACK not in b.commands()[first + 1 :]
    assert [event.refused for event in b.heard(Completed)[-2:]] == [None, Refusal.NO_NOTE_IN_ESCROW]


def test_a_late_answer_to_the_poll_is_not_taken_for_the_answer_to_stack() -> None:
    """The poll's answer comes after its deadline, when STACK has been sent: STACK is then open, not to be repeated."""
    b = bench()
    b.escrowed()
    held_back: list[bytes] = []

    def late(data: bytes) -> bytes:
        if b.sent[-1].command is Command.POLL and not held_back:
            held_back.append(data)
            return b""
        if b.sent[-1].command is Command.STACK and held_back[0]:
            data, held_back[0] = held_back[0], b""
        return data

    b.from_device = late
    b.run(0.3)  # The poll goes out and stays without an answer.
    assert held_back
    b.command(STACK)
    b.cleared()
    assert b.commands(Command.STACK) == [Command.STACK]
    assert b.places() == [Place.BOX]


def test_a_bad_frame_is_answered_with_nak_and_the_event_comes_again() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until_state(State.STACKED)
    b.device.line.garbage = 3
    b.until(Stacked)
    assert b.commands(Command.NAK) == [Command.NAK] * 3
    b.cleared()
    assert len(b.heard(Stacked)) == 1
    assert b.places() == [Place.BOX]


def test_garbage_around_the_answers_is_ignored() -> None:
    b = bench()
    b.from_device = lambda data: b"\x00\xff\x02" + data + b"\x02\x03\x55" if data else data
    b.escrowed()
    b.command(STACK)
    b.cleared()
    assert b.places() == [Place.BOX]


def test_garbage_on_an_idle_line_is_not_answered() -> None:
    b = bench()
    b.ready()
    b.run(0.5)
    before = len(b.sent)
    b.step(Received(damaged(bytes.fromhex("0203061467D4"))))
    b.step(Received(bytes.fromhex("02030781 0470 6C")))
    assert len(b.sent) == before
    assert not b.heard(Stacked), "an event that nobody asked for is not believed: the next poll asks"


def test_an_answer_that_cannot_be_read_is_not_acknowledged_and_told_once() -> None:
    b = bench()
    b.enabled()
    b.from_device = lambda data: frame(b"\x84\x05") if b.sent[-1].command is Command.POLL else data
    before = len(b.sent)
    b.run(20)
    assert b.troubles() == [Trouble(TroubleKind.UNREADABLE)], "once, not at every poll: each one becomes a record"
    assert set(b.commands()[before:]) == {Command.POLL}
    assert not b.heard(Lost)
    b.from_device = bytes
    b.run(1)
    assert b.troubles() == [Trouble(TroubleKind.UNREADABLE), Trouble(TroubleKind.UNREADABLE, over=True)]


@pytest.mark.parametrize("question", [Command.IDENTIFICATION, Command.GET_NOTE_TABLE, Command.COUNT_STACKED])
@pytest.mark.parametrize("trouble", ["unreadable", "lost", "damaged", "refused", "not understood"])
def test_a_question_that_goes_wrong_is_asked_again_until_the_device_is_known_whole(
    question: Command, trouble: str
) -> None:
    b = bench()
    answers: dict[str, Disturb] = {
        "unreadable": lambda _: frame(b"\x01\x02\x03"),
        "lost": nothing,
        "damaged": damaged,
        "refused": lambda _: frame(b"\x30"),
        "not understood": lambda _: frame(b"\xff"),
    }
    b.until(Answered)
    b.from_device = On(question, b, 5, answers[trouble])
    ready = b.ready()
    assert dict(ready.values) == dict(TABLE.values)
    assert ready.identity.serial == SERIAL
    # An honest "I do not know this command" to the counter is an answer.
    assert ready.stacked_counter == (None if (question, trouble) == (Command.COUNT_STACKED, "refused") else 0)


@pytest.mark.parametrize("disturb", [nothing, damaged])
def test_opening_the_slot_is_tried_three_times_and_no_more(disturb: Disturb) -> None:
    b = bench()
    b.ready()
    b.from_device = On(Command.ENABLE_NOTE_TYPES, b, 2, disturb)
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE)
    b.from_device = On(Command.ENABLE_NOTE_TYPES, b, 9, disturb)
    b.command(CashCommand.DISABLE)
    assert b.until(Completed) == Completed(CashCommand.DISABLE, Refusal.NO_ANSWER)
    assert len(b.commands(Command.ENABLE_NOTE_TYPES)) == 6


def test_a_slot_command_that_arrives_damaged_is_sent_again() -> None:
    b = bench()
    b.ready()
    left = [2]

    def damage(data: bytes) -> bytes:
        if data[3] == Command.ENABLE_NOTE_TYPES and left[0]:
            left[0] -= 1
            return damaged(data)
        return data

    b.to_device = damage
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE)
    assert b.device.state is State.IDLING
    left[0] = 3
    b.command(CashCommand.DISABLE)
    assert b.until(Completed) == Completed(CashCommand.DISABLE, Refusal.REFUSED)


def test_a_device_that_does_not_say_who_it_is_is_reported_all_the_same() -> None:
    b = bench()
    b.from_device = On(Command.IDENTIFICATION, b, 3, lambda _: frame(b"\x30"))
    answered = b.until(Answered)
    assert answered.identity is None
    assert answered.stacked_counter == 0
    assert b.ready().identity.serial == SERIAL


def test_a_refused_poll_is_asked_again() -> None:
    b = bench()
    refused_at: list[float] = []

    def refuse(_: bytes) -> bytes:
        refused_at.append(b.now)
        return frame(b"\x30")

    b.from_device = On(Command.POLL, b, 5, refuse)
    b.ready()
    polls = b.times(Command.POLL)
    assert len(refused_at) == 5
    assert all(any(at > refused for at in polls) for refused in refused_at)


# --- silence --------------------------------------------------------------------------------------------------------


def test_a_mute_device_is_lost_after_five_seconds_and_is_reported_anew_when_it_is_back() -> None:
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
    """Another device, and a counter that moved meanwhile: an old count would decide about money."""
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.cleared()
    b.device.line.mute = True
    b.until(Lost)
    other = Bench(device(serial="OTHER0000002"), now=b.now)
    other.escrowed(TEN)
    b.device = other.device
    b.proceeds = False
    answered = b.until(Answered)
    assert answered.presence is Presence.IN_ESCROW
    assert answered.identity is None
    assert answered.stacked_counter is None
    assert not b.machine.known.values


# --- power cuts at the device ---------------------------------------------------------------------------------------


def cut(b: Bench) -> Answered:
    """Power off and on again, and what the device then says first."""
    b.device.cut_power(b.now)
    b.run(1.0)
    b.proceeds = False
    b.device.restore_power(b.now)
    answered = b.until(Answered)
    b.run(5)
    assert Command.RESET not in b.commands()[-20:], "nothing is reset before the answer is on record"
    return answered


def test_power_cut_while_a_note_is_drawn_in() -> None:
    b = bench()
    b.enabled()
    b.device.insert("paper", TWENTY, b.now)
    b.until(Accepting)
    answered = cut(b)
    assert (answered.presence, answered.frame[3]) == (Presence.RETURNABLE, 0x11)
    b.go_on()
    b.until(Ready)
    assert b.places() == [Place.HAND]


def test_power_cut_with_a_note_in_escrow() -> None:
    b = bench()
    b.escrowed()
    answered = cut(b)
    assert (answered.presence, answered.frame[3]) == (Presence.RETURNABLE, 0x11)
    assert answered.stacked_counter == 0
    b.go_on()
    b.until(Ready)
    assert b.places() == [Place.HAND]


def test_power_cut_while_a_note_moves_to_the_box_ends_in_a_stacked_event() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    answered = cut(b)
    assert (answered.presence, answered.frame[3]) == (Presence.MOVING, 0x12)
    b.go_on()
    assert b.until(Stacked).note_type == TWENTY
    assert b.until(Ready).stacked_counter == 1
    assert b.places() == [Place.BOX]


@pytest.mark.parametrize("remembers", [False, True])
def test_power_cut_after_the_note_was_stacked_and_before_it_was_acknowledged(remembers: bool) -> None:
    """The specification does not promise a validator's memory: some say 12 and 81 again, others only count."""
    b = bench()
    b.device.remembers_credit = remembers
    b.acknowledges = False
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    answered = cut(b)
    assert answered.presence is (Presence.MOVING if remembers else Presence.PATH_EMPTY)
    assert answered.frame[3] == (0x12 if remembers else 0x10)
    assert answered.stacked_counter == 1, "the counter tells what the path does not"
    b.acknowledges = True
    told = len(b.heard(Stacked))
    b.go_on()
    assert b.until(Ready).stacked_counter == 1
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
    b.from_device = On(Command.STACK, b, 1, nothing)
    b.command(STACK)
    b.run(0.1)
    b.device.cut_power(b.now)
    b.run(0.3)
    b.device.restore_power(b.now)
    b.proceeds = False
    assert b.until(Answered).presence is Presence.MOVING
    b.run(10)
    assert b.commands(Command.RESET) == [Command.RESET], "only the one at the very start"


# --- a new process over a living device -----------------------------------------------------------------------------

FIRST_ANSWERS = [
    ("drawn in", State.ACCEPTING, Presence.MOVING),
    ("in escrow", State.ESCROW, Presence.IN_ESCROW),
    ("stacking", State.STACKING, Presence.MOVING),
    ("stacked", State.STACKED, Presence.STACKED),
    ("returning", State.RETURNING, Presence.RETURNABLE),
    ("returned", State.RETURNED, Presence.RETURNABLE),
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
    if state in (State.STACKING, State.STACKED):
        old.command(STACK)
    if state in (State.RETURNING, State.RETURNED):
        old.command(RETURN)
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
    assert answered.frame[3] == state
    assert answered.note_type == (TWENTY if state in (State.ESCROW, State.STACKED, State.RETURNED) else None)
    b.run(3)
    assert set(b.commands()) <= {Command.POLL, Command.ACK}
    if state in (State.STACKED, State.RETURNED):
        assert b.commands() == [Command.POLL], "a held event is not acknowledged by reading it"


@pytest.mark.parametrize("state", [State.STACKING, State.STACKED])
def test_a_note_that_an_earlier_process_sent_to_the_box_is_told_as_stacked(state: State) -> None:
    old = old_life(state)
    b = Bench(old.device, now=old.now)
    ready = b.ready()
    assert b.polled[0] is state
    assert ready.stacked_counter == 1
    told = [event.note_type for event in b.heard(Stacked)]
    told += [event.note_type for event in b.heard(Answered) if event.presence is Presence.STACKED]
    assert told == [TWENTY]
    assert b.commands(Command.RESET, Command.STACK) == []


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


def test_a_jam_is_told_and_the_device_reset_again_and_again_with_patience() -> None:
    b = bench()
    b.escrowed()
    b.device.jam(Spot.BOX)
    b.command(STACK)
    assert b.until(Trouble) == Trouble(TroubleKind.JAM, "box")
    resets = len(b.commands(Command.RESET))
    b.run(35)
    assert len(b.commands(Command.RESET)) - resets in (3, 4)
    assert b.places() == [Place.TRANSPORT]
    b.device.free_jam(b.now)
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    assert Trouble(TroubleKind.JAM, "box", over=True) in b.troubles()
    b.until(Ready)
    assert b.places() == [Place.CUSTODY]
    assert not b.heard(Stacked)


@pytest.mark.parametrize(
    ("state", "code"),
    [(State.BOX_FULL, "box-full"), (State.CHEATED, "cheated"), (State.FAILURE, "failure-50")],
)
def test_trouble_is_told_once_with_its_code(state: State, code: str) -> None:
    b = bench()
    b.ready()
    b.device.metal.stage_seconds = 5.0
    trouble(b.device, state, b.now)
    assert b.until(Trouble).code == code
    b.run(2)
    assert [trouble.code for trouble in b.troubles() if not trouble.over] == [code]


def test_an_attempt_to_cheat_passes_and_the_note_in_escrow_comes_back() -> None:
    b = bench()
    b.escrowed()
    trouble(b.device, State.CHEATED, b.now)
    b.cleared()
    assert b.troubles() == [Trouble(TroubleKind.CHEATED), Trouble(TroubleKind.CHEATED, over=True)]
    assert b.places() == [Place.HAND]


def test_a_failure_is_reset_and_the_device_read_anew() -> None:
    b = bench()
    b.enabled()
    trouble(b.device, State.FAILURE, b.now)
    b.until(Ready)
    assert b.troubles() == [Trouble(TroubleKind.FAILURE, "50"), Trouble(TroubleKind.FAILURE, "50", over=True)]
    assert b.device.state is State.DISABLED


def test_a_box_that_is_taken_out_and_put_back_leads_to_a_device_that_is_read_anew() -> None:
    b = bench()
    b.enabled()
    b.device.change_box(Box.OUT, b.now)
    assert b.until(Trouble) == Trouble(TroubleKind.BOX_REMOVED)
    resets = len(b.commands(Command.RESET))
    b.run(5)
    b.device.change_box(Box.IN, b.now, "BOX-2")
    b.until(Ready)
    assert b.troubles()[-1] == Trouble(TroubleKind.BOX_REMOVED, over=True)
    assert len(b.commands(Command.RESET)) == resets, "the device initialises by itself"
    assert b.device.state is State.DISABLED


@pytest.mark.parametrize(
    ("state", "code", "presence"),
    [
        (State.BOX_REMOVED, "box-removed", Presence.PATH_EMPTY),
        (State.BOX_FULL, "box-full", Presence.PATH_EMPTY),
        (State.JAM_BOX, "jam-box", Presence.JAMMED),
        (State.FAILURE, "failure-50", Presence.JAMMED),
    ],
)
def test_trouble_that_was_there_before_the_process_is_told_too(state: State, code: str, presence: Presence) -> None:
    validator = device()
    trouble(validator, state, 0.0)
    b = Bench(validator)
    assert b.until(Answered).presence is presence
    b.run(0.5)
    assert code in [trouble.code for trouble in b.troubles() if not trouble.over]


@pytest.mark.parametrize("between", [State.PAUSE, State.BUSY, State.HOLDING])
def test_a_note_that_stays_in_escrow_is_announced_once_whatever_comes_between(between: State) -> None:
    """A second note pushed in behind it, for one: the device says PAUSE and then ESCROW again."""
    b = bench()
    b.escrowed()
    trouble(b.device, between, b.now)
    if between is State.BUSY:
        b.device.show(between, 3)
    b.run(0.6)
    b.device.show(None)
    b.run(1.0)
    assert len(b.heard(Escrowed)) == 1
    b.command(STACK)
    b.cleared()
    assert b.places() == [Place.BOX]


def test_a_busy_device_is_left_alone_for_as_long_as_it_asked() -> None:
    b = bench()
    b.ready()
    b.device.show(State.BUSY, 30)
    b.run(1)
    polls = len(b.commands(Command.POLL))
    b.run(2)
    assert len(b.commands(Command.POLL)) == polls


def test_a_device_without_a_first_answer_worth_reporting_is_polled_until_it_has_one() -> None:
    validator = device(pace=4.0)
    validator.receive(frame(b"\x30"), 100.0)  # Somebody else reset it: it initialises.
    b = Bench(validator)
    b.run(3)
    assert not b.heard(Answered)
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    assert b.commands(Command.RESET) == []


def test_a_box_that_is_taken_out_while_the_device_is_being_read_does_not_stop_it_for_ever() -> None:
    b = bench()
    b.until_state(State.DISABLED)
    b.device.change_box(Box.OUT, b.now)
    b.run(10)
    assert not b.heard(Ready)
    b.device.change_box(Box.IN, b.now, "BOX-2")
    assert b.ready().identity.serial == SERIAL


def test_a_vault_outlives_the_power_and_a_new_device_stands_where_the_old_one_stood() -> None:
    vault = Vault(None)
    b = Bench(device(vault))
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    again = Bench(device(vault), now=b.now)
    assert again.until(Answered).presence is Presence.MOVING
    again.until(Stacked)
    assert vault.counter == 1


def test_the_counter_wraps_at_its_end() -> None:
    b = Bench(device(Vault(None, counter=65535)))
    assert b.ready().stacked_counter == 65535
    b.escrowed()
    b.command(STACK)
    assert b.cleared().stacked_counter == 0


# --- a device that will not say who it is ---------------------------------------------------------------------------


def refusal(_: bytes) -> bytes:
    return frame(b"\x30")


@pytest.mark.parametrize("disturb", [nothing, refusal])
def test_a_device_that_will_not_say_who_it_is_is_polled_meanwhile_and_told_once(
    disturb: Disturb,
) -> None:
    b = bench()
    b.from_device = On(Command.IDENTIFICATION, b, 20, disturb)
    b.until(Answered)
    b.run(42)
    tries = b.times(Command.IDENTIFICATION)
    polls = b.times(Command.POLL)
    assert all(any(first < poll < second for poll in polls) for first, second in pairwise(tries))
    told = [trouble for trouble in b.troubles() if trouble.code == "failure-not-identified"]
    assert told == [
        Trouble(TroubleKind.FAILURE, "not-identified"),
        Trouble(TroubleKind.FAILURE, "not-identified", over=True),
    ]
    assert not b.heard(Lost)
    assert b.heard(Ready)[0].identity.serial == SERIAL


def test_a_box_that_is_taken_out_while_the_device_is_being_read_is_noticed() -> None:
    b = bench()
    b.until(Answered)
    b.from_device = On(Command.GET_NOTE_TABLE, b, 5, lambda _: frame(b"\x30"))
    b.run(2)
    b.device.change_box(Box.OUT, b.now)
    assert b.until(Trouble) == Trouble(TroubleKind.BOX_REMOVED)
    b.device.change_box(Box.IN, b.now, "BOX-2")
    b.until(Ready)
    assert Trouble(TroubleKind.BOX_REMOVED, over=True) in b.troubles()


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


@pytest.mark.parametrize("passing", [State.BUSY, State.INITIALIZE, State.PAUSE])
def test_a_device_that_moves_on_while_it_is_asked_who_it_is_is_reported_as_it_comes_to_rest(passing: State) -> None:
    b = bench()
    b.proceeds = False
    b.from_device = On(Command.IDENTIFICATION, b, 1, nothing)
    while Command.IDENTIFICATION not in b.commands():
        b.run(0.01)
    b.device.show(passing, 1 if passing is State.BUSY else None)
    b.run(8)
    assert not b.heard(Answered)
    b.device.show(None)
    answered = b.until(Answered)
    assert answered.presence is Presence.PATH_EMPTY
    assert answered.identity is not None
