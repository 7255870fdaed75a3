"""The host's side of ID-003: a device that stays as it is, refuses every poll, begins anew, or shuts its slot."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from drivers.api.cash import (
    Answered,
    CashCommand,
    Completed,
    Lost,
    Presence,
    Ready,
    Refusal,
    Returned,
    Shut,
    Stacked,
    Stacking,
    Trouble,
    TroubleKind,
)
from drivers.cash.id003.framing import frame
from drivers.cash.id003.machine import Machine
from drivers.cash.id003.messages import Command, State
from drivers.cash.id003.timing import Timing
from drivers.cash.steps import Proceed
from drivers.simulation.mechanism import Box
from kiosk.terminal.recovery import LastRecord
from tests.drivers.cash.bench import Disturb, On, nothing
from tests.drivers.cash.books import intend, keep_books
from tests.drivers.cash.id003.virtual import Bench, bench, communication_error, device, invalid, say
from tests.drivers.cash.sheet import each_row, row

ENABLE, DISABLE, STACK, RETURN = CashCommand.ENABLE, CashCommand.DISABLE, CashCommand.STACK, CashCommand.RETURN
INITIALIZE, BUSY, POWER_UP = "FC 05 1B 7D F9", "FC 05 1C C2 8D", "FC 05 40 2B 15"
IDLING, DISABLED = "FC 05 11 27 56", "FC 05 1A F4 E8"
JAM_ACCEPTOR, JAM_STACKER, FAILURE = frame(b"\x45").hex(), "FC 05 46 1D 70", frame(b"\x49\xa2").hex()
FOR_EVER = 20_000


def from_now_on(b: Bench, text: str) -> None:
    """Every poll is answered so."""
    say(b, *[text] * FOR_EVER)


def opened_codes(b: Bench) -> list[str]:
    """The codes of the troubles, without their ends."""
    return [trouble.code for trouble in b.troubles() if not trouble.over]


class SlowBench(Bench):
    """A machine that polls once a second."""

    def new_machine(self) -> Machine:
        return Machine(replace(Timing(), poll=1.0))


# --- a state that should pass ---------------------------------------------------------------------------------------

FIRST = [
    ("1B initialize", "1B", "failure-stays-initialize"),
    ("1C busy, 1D end, 1E returned", "1C", "failure-stays-busy"),
    ("1C busy, 1D end, 1E returned", "1D", "failure-stays-end"),
    ("1C busy, 1D end, 1E returned", "1E", "failure-stays-returned"),
    ("47 pause", "47", "failure-stays-pause"),
]


@each_row(["state", "code"], FIRST)
def test_a_first_answer_that_does_not_pass_is_told_by_its_own_code_after_the_report(state: str, code: str) -> None:
    b = bench()
    from_now_on(b, frame(bytes.fromhex(state)).hex())
    b.run(29)
    assert b.told == []
    b.run(600)
    assert [event.presence for event in b.heard(Answered)] == [Presence.JAMMED]
    assert opened_codes(b).count(code) == 1
    assert not b.commands(Command.RESET, Command.STACK_2, Command.RETURN)
    b.from_device = bytes
    b.ready()


LATER = [
    ("12 accepting", "12", "jam-transport", 30),
    ("14 stacking", "14", "jam-transport", 30),
    ("16 stacked", "16", "jam-transport", 30),
    ("17 rejecting", "17 71", "jam-mouth", 120),
    ("18 returning", "18", "jam-mouth", 120),
]


@each_row(["state", "code", "limit"], LATER)
def test_a_note_that_moves_for_ever_from_the_first_answer_on_is_told(state: str, code: str, limit: float) -> None:
    b = bench()
    from_now_on(b, frame(bytes.fromhex(state)).hex())
    b.until(Answered)
    b.run(limit - 1)
    assert b.troubles() == []
    b.run(600)
    assert b.codes() == [code]
    assert set(b.commands()) == {Command.STATUS}
    say(b, DISABLED)
    b.run(0.3)
    assert b.codes() == [code, f"{code} over"]


def test_a_note_that_moves_for_ever_stops_a_running_device_and_is_still_told_where_it_ends() -> None:
    b = bench()
    books = keep_books(b)
    b.escrowed()
    b.device.metal.stage_seconds = 45.0
    intend(b, books, STACK)
    b.until(Stacking)
    b.run(31)
    assert b.codes() == ["jam-transport"]
    b.command(ENABLE)
    assert b.until(Completed) == Completed(ENABLE, Refusal.NOT_READY)
    b.until(Stacked)
    assert books.credited == 1
    b.until(Ready)
    assert b.codes() == ["jam-transport", "jam-transport over"]
    assert b.commands(Command.RESET) == [Command.RESET], "only the one at the very start"


def test_a_note_that_nobody_takes_is_waited_for_longer_than_the_terminal_waits() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.mishaps.customer_leaves = True
    b.command(RETURN)
    b.run(119)
    assert b.troubles() == []
    b.run(3)
    assert b.codes() == ["jam-mouth"]
    b.device.metal.take(b.now)
    b.until(Returned)
    b.until(Ready)


def test_two_states_that_follow_each_other_for_ever_are_told_once() -> None:
    b = bench()
    say(b, *[INITIALIZE, BUSY] * FOR_EVER)
    b.run(1000)
    assert [event.presence for event in b.heard(Answered)] == [Presence.JAMMED]
    assert len(b.troubles()) == 1


@row("40 power up")
def test_a_device_that_does_not_leave_power_up_is_reset_again_and_told() -> None:
    b = bench()
    b.proceeds = False
    from_now_on(b, POWER_UP)
    b.until(Answered)
    b.run(100)
    b.go_on()
    b.run(29)
    assert b.troubles() == [], "the time that the caller took is not the device's"
    b.run(20)
    assert b.codes() == ["failure-stays-power-up"]
    assert min(after - before for before, after in pairwise(b.times(Command.RESET))) >= 5.0


@row("48 cheated")
def test_an_attempt_to_cheat_that_does_not_pass_is_told_as_not_ready_before_the_device_is_reset() -> None:
    b = bench()
    b.enabled()
    b.device.show(State.CHEATED)
    b.wait("reset", lambda: len(b.commands(Command.RESET)) == 2, 11.0)
    assert b.codes() == ["cheated", "failure-stays-cheated"]
    b.until(Ready)
    assert b.codes()[2:] == ["cheated over", "failure-stays-cheated over"]


# --- a device that begins anew --------------------------------------------------------------------------------------


@row("1B initialize", "C5 02 00 first in every INITIALIZE")
def test_a_running_device_that_initialises_is_told_at_once_as_not_ready_and_is_ready_again_later() -> None:
    b = bench()
    b.enabled()
    b.device.receive(frame(b"\x40"), b.now)  # Somebody else resets it.
    b.device.metal.due = b.now + 5.0
    before = len(b.requests())
    b.run(0.5)
    assert b.heard(Lost) == [Lost("restarted")]
    assert b.requests()[before:] == ["c5 02 00"], "a note inside must not be stacked in silence"
    b.command(ENABLE)
    resets = len(b.commands(Command.RESET))
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    b.ready()
    assert b.heard(Completed)[-1] == Completed(ENABLE, Refusal.NOT_READY)
    assert len(b.heard(Lost)) == 1
    assert len(b.commands(Command.RESET)) == resets


@row("1B initialize", "15 vend valid")
def test_a_note_on_its_way_to_the_box_as_the_device_initialises_is_credited_by_its_15() -> None:
    b = bench()
    books = keep_books(b)
    b.escrowed()
    intend(b, books, STACK)
    b.until(Stacking)
    b.device.receive(frame(b"\x40"), b.now)
    b.until(Lost)
    assert books.row is LastRecord.STACK_INTENDED, "nothing is decided yet"
    assert b.until(Answered).presence is Presence.STACKED
    b.until(Ready)
    assert (books.credited, books.doubts, books.found) == (1, 0, 0)


# --- polls that are refused -----------------------------------------------------------------------------------------

UNKNOWN = frame(b"\x23\x05").hex()


@row("4A and 4B are no states", "stray ENQ 05")
@pytest.mark.parametrize(
    ("answer", "code"), [("FC 05 4A 71 BA", "refused"), ("FC 05 4B F8 AB", "refused"), (UNKNOWN, "unreadable")]
)
def test_a_device_that_answers_no_poll_with_a_state_is_lost_like_a_silent_one_and_asked_less_often(
    answer: str, code: str
) -> None:
    b = bench()
    b.enabled()
    b.run(1)
    began, before = b.now, len(b.times(Command.STATUS))
    from_now_on(b, answer)
    assert b.until(Lost) == Lost(code)
    assert 8.0 <= b.now - began < 9.0
    b.run(600)
    assert len(b.heard(Lost)) == 1
    gaps = [after - before for before, after in pairwise(b.times(Command.STATUS)[before:])]
    assert min(gaps) >= 0.2, "never faster than when all is well"
    assert min(gaps[-10:]) == pytest.approx(5.0, abs=0.1)
    b.from_device = bytes
    b.until(Answered)
    b.ready()


@row("stray ENQ 05")
def test_a_device_that_says_nothing_but_enquiries_is_lost() -> None:
    b = bench()
    b.enabled()
    from_now_on(b, frame(b"\x05").hex())
    assert b.until(Lost) == Lost("refused")
    b.run(300)
    assert len(b.heard(Lost)) == 1
    b.from_device = bytes
    b.ready()


def test_a_device_is_never_polled_faster_than_when_all_is_well_also_where_that_is_slow() -> None:
    b = SlowBench(device())
    b.enabled()
    b.run(5)
    before = len(b.times(Command.STATUS))
    b.device.line.garbage = 3
    b.run(10)
    assert min(after - before for before, after in pairwise(b.times(Command.STATUS)[before:])) >= 1.0


def test_a_device_that_refuses_now_and_then_is_not_lost() -> None:
    b = bench()
    b.enabled()
    say(b, *[*["FC 05 4B F8 AB"] * 30, IDLING] * 20)
    b.run(60)
    assert b.heard(Lost) == []


@pytest.mark.parametrize("disturb", [nothing, communication_error, invalid])
def test_a_device_that_never_tells_its_table_is_told_and_asked_less_and_less_often(disturb: Disturb) -> None:
    b = bench()
    b.from_device = On(Command.NOTE_TABLE, b, FOR_EVER, disturb)
    b.run(3600)
    assert opened_codes(b) == ["failure-not-identified"]
    assert not b.heard(Ready)
    assert len(b.times(Command.NOTE_TABLE)) < 100
    b.from_device = bytes
    b.ready()
    assert b.codes() == ["failure-not-identified", "failure-not-identified over"]


# --- RESET ----------------------------------------------------------------------------------------------------------


def resets(b: Bench, seconds: float) -> int:
    """How often it is reset from now on."""
    before = len(b.commands(Command.RESET))
    b.run(seconds)
    return len(b.commands(Command.RESET)) - before


@row("7.10 failure", "45 jam in acceptor", "46 jam in stacker")
@pytest.mark.parametrize("text", [FAILURE, JAM_ACCEPTOR, JAM_STACKER])
def test_a_device_that_stays_stuck_is_reset_three_times_whatever_the_caller_says(text: str) -> None:
    b = bench()
    b.enabled()
    from_now_on(b, text)
    b.until(Trouble)
    assert resets(b, 9.5) == 0, "it may come free by itself, or somebody pulls at the note"
    assert resets(b, 200) == 3
    for _ in range(5):
        b.step(Proceed())
        assert resets(b, 300) == 0


def test_an_attempt_to_cheat_that_never_passes_is_reset_three_times() -> None:
    b = bench()
    b.enabled()
    from_now_on(b, frame(b"\x48").hex())
    assert resets(b, 1000) == 3


def test_a_device_that_fails_again_right_after_each_reset_is_not_reset_for_ever() -> None:
    b = bench()
    b.enabled()
    before, end = len(b.commands(Command.RESET)), b.now + 2000
    while b.now < end:
        b.device.failed |= b.device.state is not State.INITIALIZE
        b.run(2)
    assert len(b.commands(Command.RESET)) - before == 3


def test_a_device_that_was_well_for_a_while_is_reset_anew() -> None:
    b = bench()
    b.enabled()
    for _ in range(5):
        b.device.failed = True
        b.until(Ready)
        b.run(120)
    assert len(b.commands(Command.RESET)) == 6


@row("44 stacker open")
def test_hands_in_the_device_give_it_three_more_and_none_while_the_box_is_out() -> None:
    b = bench()
    b.enabled()
    b.device.show(State.JAM_STACKER)
    b.to_device = lambda data: b"" if data[2] == Command.RESET else data
    b.until(Trouble)
    assert resets(b, 300) == 3
    b.device.show(None)
    b.device.change_box(Box.OUT, b.now)
    assert resets(b, 300) == 0
    b.device.show(State.JAM_STACKER)
    assert resets(b, 9.5) == 0
    assert resets(b, 300) == 3


def test_a_device_that_came_back_after_a_silence_is_reset_three_times_more() -> None:
    b = bench()
    b.enabled()
    from_now_on(b, FAILURE)
    b.until(Trouble)
    assert resets(b, 300) == 3
    b.device.line.mute = True
    b.until(Lost)
    b.device.line.mute = False
    b.until(Answered)
    assert resets(b, 300) == 3


# --- the slot -------------------------------------------------------------------------------------------------------


def shuts_itself(b: Bench) -> None:
    """The unit has been reset or served in no time: it is shut, and what it was set to is gone."""
    b.device.receive(frame(b"\xc5\x00\x00"), b.now)
    b.device.receive(frame(b"\xc3\x01"), b.now)
    assert b.device.state is State.DISABLED


@row("7.11 communication lost", "1A disabled")
def test_sequence_7_11_1a_when_11_was_expected_has_the_unit_set_and_read_again() -> None:
    b = bench()
    b.enabled()
    b.run(1)
    told, before = len(b.told), len(b.requests())
    shuts_itself(b)
    b.until(Ready, 2)
    assert [type(event) for event in b.told[told:]] == [Ready], "the caller opens the slot anew, and only that"
    assert b.requests()[before:] == ["c5 02 00", "91", "88", "8a"]
    b.run(30)
    assert len(b.heard(Ready)) == 2, "nobody has opened it since"
    b.enabled()
    b.stacked()


def test_a_slot_that_is_shut_by_order_stays_shut_and_the_unit_is_left_alone() -> None:
    b = bench()
    b.enabled()
    b.run(1)
    before = len(b.requests())
    b.command(DISABLE)
    b.until(Shut)
    b.run(60)
    assert b.requests()[before:] == ["c3 01"]


def test_a_slot_that_shuts_for_the_fourth_time_in_a_minute_is_told_and_left_shut_for_a_minute() -> None:
    b = bench()
    for _ in range(3):
        b.enabled()
        b.run(1)
        shuts_itself(b)
        b.until(Ready, 2)
    b.enabled()
    b.run(1)
    shuts_itself(b)
    assert b.until(Trouble) == Trouble(TroubleKind.FAILURE, "shuts-itself")
    b.command(ENABLE)
    assert b.until(Completed) == Completed(ENABLE, Refusal.NOT_READY)
    b.command(DISABLE)
    b.run(55)
    assert len(b.heard(Ready)) == 4
    b.until(Ready, 10)
    assert b.codes() == ["failure-shuts-itself", "failure-shuts-itself over"]
    b.enabled()


def test_a_poll_that_crosses_an_enable_says_nothing_of_the_slot() -> None:
    b = bench()
    b.ready()
    b.run(1)
    say(b, *[DISABLED] * 5)
    b.command(ENABLE)
    b.run(10)
    assert b.requests()[-2:] == ["c0 00 00", "c3 00"]
    assert (len(b.heard(Ready)), len(b.heard(Shut))) == (1, 1)


def test_a_slot_that_never_opens_though_its_unit_says_yes_has_it_set_and_read_again() -> None:
    b = bench()
    b.ready()
    b.run(1)
    from_now_on(b, DISABLED)
    b.command(ENABLE)
    b.until(Ready, 3)
    assert b.requests()[-6:] == ["c0 00 00", "c3 00", "c5 02 00", "91", "88", "8a"]


def test_a_unit_that_is_reset_while_it_is_being_read_again_is_told_as_not_ready() -> None:
    b = bench()
    b.enabled()
    b.run(1)
    b.from_device = On(Command.VERSION, b, 1, nothing)
    shuts_itself(b)
    b.wait("asked", lambda: b.last_sent is Command.VERSION)
    b.device.receive(frame(b"\x40"), b.now)
    b.device.metal.due = b.now + 5.0
    assert b.until(Lost) == Lost("restarted")
    b.until(Ready)
