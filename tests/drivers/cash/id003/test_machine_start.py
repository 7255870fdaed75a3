"""The host's side of ID-003: a start, and a new process over a living device."""

from __future__ import annotations

from itertools import pairwise

import pytest

from drivers.api.cash import (
    Answered,
    CashCapabilities,
    CashCommand,
    Completed,
    Escrowed,
    Lost,
    Presence,
    Ready,
    Stacked,
    Trouble,
    TroubleKind,
)
from drivers.cash.id003.framing import frame
from drivers.cash.id003.messages import Command, State
from drivers.cash.id003.simulator_device import Firmware
from drivers.cash.steps import Acknowledge, Proceed
from drivers.simulation.notes import Place
from tests.drivers.cash.bench import Disturb, On, damaged, nothing
from tests.drivers.cash.id003.virtual import SERIAL, TABLE, TWENTY, Bench, bench, communication_error, device, old_life
from tests.drivers.cash.sheet import each_row, row

STACK, RETURN = CashCommand.STACK, CashCommand.RETURN
FAST, SLOW = Firmware(shows_transients=True), Firmware(shows_transients=False)


def test_what_the_protocol_can_do() -> None:
    """VEND VALID carries no denomination; there is no count of stacked notes, and no event has a number."""
    assert bench().machine.capabilities == CashCapabilities(names_type=False)


@row("silence after RESET")
def test_a_unit_that_says_nothing_for_seven_seconds_after_its_reset_is_not_lost() -> None:
    b = bench()
    b.until(Answered)
    b.wait("the reset", lambda: bool(b.commands(Command.RESET)))
    b.run(0.05)  # Until it is answered.
    b.device.line.mute = True
    b.run(7)
    b.device.line.mute = False
    b.until(Ready)
    assert b.heard(Lost) == []
    assert len(b.commands(Command.RESET)) == 1


def test_nothing_but_questions_is_sent_before_the_first_answer_is_on_record() -> None:
    b = bench()
    b.proceeds = False
    answered = b.until(Answered)
    assert answered.presence is Presence.PATH_EMPTY
    assert answered.frame.hex() == "fc05402b15"
    assert answered.stacked_counter is None
    assert answered.identity is not None
    assert answered.identity.serial == SERIAL
    assert answered.identity.simulated
    sent = len(b.sent)
    b.run(60)
    assert len(b.sent) == sent, "the line is quiet until the caller says proceed"
    assert b.requests() == ["91", "88", "8a"]


@row("7.1 power-up, initialise, enable")
def test_sequence_7_1_power_up_initialise_enable() -> None:
    b = bench()
    ready = b.ready()
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE)
    assert b.requests() == ["91", "88", "8a", "40", "c5 02 00", "91", "88", "8a", "c0 00 00", "c3 00"]
    assert dict(ready.values) == dict(TABLE.values)
    assert (ready.stacked_counter, len(ready.table_hash)) == (None, 32)
    assert (ready.identity.model, ready.identity.firmware) == ("i(EUR)GUICHET-SIM", "ID003-05V001-00 01JAN26 0000")
    b.run(30)
    assert b.commands(Command.RESET) == [Command.RESET]
    assert len(b.heard(Ready)) == 1
    assert b.device.state is State.IDLING


@row("C5 02 00 first in every INITIALIZE")
def test_the_power_recovery_option_comes_first_in_every_initialize() -> None:
    b = bench()
    b.ready()
    for _ in range(2):
        b.device.cut_power(b.now)
        b.device.restore_power(b.now)
        b.until(Ready)
    b.device.receive(frame(b"\x40"), b.now)  # Somebody else resets it: INITIALIZE without a power-up.
    b.until(Ready)
    after_reset = [second for first, second in pairwise(b.requests()) if first == "40"]
    assert after_reset == ["c5 02 00"] * 3
    assert b.requests().count("c5 02 00") == 4


def test_an_option_that_is_refused_is_sent_again_in_initialize_and_not_for_ever_at_rest() -> None:
    b = bench()
    b.from_device = lambda data: frame(b"\x4b") if b.last_sent is Command.SET_OPTIONS else data
    b.ready()
    assert 4 <= b.requests().count("c5 02 00") <= 8
    sent = len(b.sent)
    b.run(20)
    assert "c5 02 00" not in b.requests()[sent:]


def test_a_device_that_is_enabled_already_is_shut_and_not_reset() -> None:
    old = bench()
    old.enabled()
    b = Bench(old.device, now=old.now)
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    b.ready()
    assert b.requests() == ["91", "88", "c3 01", "c5 02 00", "91", "88", "8a"]
    assert b.device.state is State.DISABLED


@row("8A, 88 and 91 before RESET")
def test_a_unit_that_tells_who_it_is_only_at_power_up_is_known_all_the_same() -> None:
    b = bench(Firmware(tells_later=False))
    ready = b.ready()
    assert ready.identity.serial == SERIAL
    assert dict(ready.values) == dict(TABLE.values)


def test_a_unit_that_tells_nothing_after_power_up_says_so_to_a_new_process() -> None:
    old = bench(Firmware(tells_later=False))
    old.enabled()
    b = Bench(old.device, now=old.now)
    assert b.until(Answered).identity is None
    b.run(20)
    assert not b.heard(Ready), "without its table no note of it can be named"
    assert [trouble.code for trouble in b.troubles()] == ["failure-not-identified"]


@row("91 serial number")
def test_a_unit_that_does_not_know_the_serial_number_command_is_unknown_and_serves() -> None:
    b = bench(Firmware(knows_serial=False))
    answered = b.until(Answered)
    assert answered.identity is not None
    assert answered.identity.serial == "unknown"
    assert b.ready().identity.serial == "unknown"
    assert b.commands(Command.SERIAL) == [Command.SERIAL] * 2


def test_a_unit_that_says_nothing_to_the_serial_number_command_is_unknown_and_serves() -> None:
    b = bench(Firmware(knows_serial=False, says_invalid=False))
    assert b.until(Answered).identity is None
    assert b.ready().identity.serial == "unknown"
    assert b.troubles() == [], "nobody need look"
    assert b.commands(Command.SERIAL) == [Command.SERIAL] * 13


def test_proceed_out_of_season_changes_nothing() -> None:
    b = bench()
    b.enabled()
    before = len(b.sent)
    b.step(Proceed())
    assert len(b.sent) == before


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


def test_a_device_that_will_not_tell_its_table_is_polled_meanwhile_and_told_once() -> None:
    b = bench()
    b.until(Answered)
    b.from_device = On(Command.NOTE_TABLE, b, 15, nothing)
    ready = b.until(Ready, 240)
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


FIRST_ANSWERS = [
    ("12 accepting", State.ACCEPTING, Presence.MOVING),
    ("13 escrow", State.ESCROW, Presence.IN_ESCROW),
    ("19 holding", State.HOLDING, Presence.IN_ESCROW),
    ("14 stacking", State.STACKING, Presence.MOVING),
    ("15 vend valid", State.VEND_VALID, Presence.STACKED),
    ("18 returning", State.RETURNING, Presence.RETURNABLE),
    ("17 rejecting", State.REJECTING, Presence.RETURNABLE),
]


@each_row(["state", "presence"], FIRST_ANSWERS)
def test_a_new_process_reports_where_the_note_is_and_touches_nothing(state: State, presence: Presence) -> None:
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
    ("11 idling", State.IDLING, b"", Presence.PATH_EMPTY),
    ("15 with a byte", State.VEND_VALID, b"\x64", Presence.STACKED),
    ("16 stacked", State.STACKED, b"", Presence.MOVING),
    ("17 rejecting", State.REJECTING, b"\x79", Presence.RETURNABLE),
    ("1A disabled", State.DISABLED, b"", Presence.PATH_EMPTY),
    ("40 power up", State.POWER_UP, b"", Presence.PATH_EMPTY),
    ("41 power up, note in acceptor", State.POWER_UP_NOTE_IN_ACCEPTOR, b"", Presence.RETURNABLE),
    ("42 power up, note in stacker", State.POWER_UP_NOTE_IN_STACKER, b"", Presence.MOVING),
    ("43 stacker full", State.BOX_FULL, b"", Presence.PATH_EMPTY),
    ("44 stacker open", State.BOX_REMOVED, b"", Presence.MOVING),
    ("45 jam in acceptor", State.JAM_ACCEPTOR, b"", Presence.JAMMED),
    ("46 jam in stacker", State.JAM_STACKER, b"", Presence.JAMMED),
    ("49 failure", State.FAILURE, b"\xab", Presence.JAMMED),
    ("4C recycler failure", State.RECYCLER_FAILURE, b"", Presence.JAMMED),
]


@each_row(["state", "data", "presence"], SHOWN)
def test_every_first_answer_is_a_column_of_the_start_up_table(state: State, data: bytes, presence: Presence) -> None:
    validator = device()
    validator.show(state, data)
    b = Bench(validator, proceeds=False)
    answered = b.until(Answered)
    assert answered.presence is presence
    assert answered.frame[2:-2] == bytes((state,)) + data
    assert answered.note_type is None
    assert b.now < 105


PASSING = [
    ("1B initialize", State.INITIALIZE),
    ("1C busy, 1D end, 1E returned", State.BUSY),
    ("1C busy, 1D end, 1E returned", State.END),
    ("1C busy, 1D end, 1E returned", State.RETURNED),
    ("47 pause", State.PAUSE),
    ("48 cheated", State.CHEATED),
]


@each_row(["state"], PASSING)
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


@row("W2 host died between 15 and its record")
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


@row("W6 RESET while 15 waits")
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


def test_a_note_that_was_being_drawn_in_comes_to_escrow_without_a_value() -> None:
    """Its type means nothing yet: the table of this device has not been read."""
    old = old_life(State.ACCEPTING)
    b = Bench(old.device, now=old.now)
    assert b.until(Escrowed).value is None
    b.command(RETURN)
    b.ready()
    assert b.places() == [Place.HAND]


@pytest.mark.parametrize("disturb", [nothing, damaged])
def test_an_option_whose_answer_is_lost_is_sent_again_after_the_next_poll(disturb: Disturb) -> None:
    b = bench()
    b.from_device = On(Command.SET_OPTIONS, b, 1, disturb)
    b.ready()
    sent = b.commands()
    first = sent.index(Command.SET_OPTIONS)
    assert sent[first : first + 3] == [Command.SET_OPTIONS, Command.STATUS, Command.SET_OPTIONS]
    assert b.commands(Command.SET_OPTIONS) == [Command.SET_OPTIONS] * 2
