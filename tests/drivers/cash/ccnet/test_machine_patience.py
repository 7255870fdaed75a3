"""The host's side of CCNET: a device that stays as it is, refuses every poll, begins anew, or shuts its slot."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from drivers.api.cash import (
    Answered,
    CashCommand,
    Completed,
    Escrowed,
    Lost,
    Presence,
    Ready,
    Refusal,
    Rejected,
    Returned,
    Shut,
    Stacked,
    Stacking,
    Trouble,
    TroubleKind,
)
from drivers.cash.ccnet.framing import frame
from drivers.cash.ccnet.machine import Machine
from drivers.cash.ccnet.messages import Command, State
from drivers.cash.ccnet.timing import Timing
from drivers.cash.steps import Acknowledge, Proceed
from drivers.simulation.mechanism import Box
from drivers.simulation.notes import Place
from kiosk.terminal.recovery import LastRecord
from tests.drivers.cash.bench import Disturb, On, nothing
from tests.drivers.cash.books import intend, keep_books
from tests.drivers.cash.ccnet.virtual import TWENTY, Bench, bench, device, refusal, say
from tests.drivers.cash.sheet import each_row, row

ENABLE, DISABLE, STACK, RETURN = CashCommand.ENABLE, CashCommand.DISABLE, CashCommand.STACK, CashCommand.RETURN
INITIALIZE, BUSY, REJECTING = "02 03 06 13 D8 A0", "02 03 07 1B 05 D4 99", "02 03 07 1C 66 41 85"
CHEATED, PAUSE, POWER_UP = "02 03 06 45 6B 97", "02 03 06 46 F0 A5", "02 03 06 10 43 92"
ACCEPTING, STACKING, RETURNING = "02 03 06 15 EE C5", "02 03 06 17 FC E6", "02 03 06 18 0B 1E"
IDLING, DISABLED, FAILURE, JAM = "02 03 06 14 67 D4", "02 03 06 19 82 0F", "02 03 07 47 50 AB E6", "02 03 06 44 E2 86"
ACK, NAK, ILLEGAL, SUSPECT = "02 03 06 00 C2 82", "02 03 06 FF BA 8D", "02 03 06 30 41 B3", frame(b"\x84\x05").hex()
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
    ("13 initialize", INITIALIZE, "failure-stays-initialize", 40),
    ("1B busy", BUSY, "failure-stays-busy", 30),
    ("1C rejecting", REJECTING, "jam-mouth", 30),
    ("45 cheated", CHEATED, "failure-stays-cheated", 30),
    ("46 pause", PAUSE, "failure-stays-pause", 30),
]


@each_row(["text", "code", "limit"], FIRST)
def test_a_first_answer_that_does_not_pass_is_reported_as_a_jam_and_told_by_its_own_code(
    text: str, code: str, limit: float
) -> None:
    b = bench()
    from_now_on(b, text)
    b.run(limit - 1)
    assert b.told == []
    b.run(3)
    assert [(event.presence, event.frame.hex(" ").upper()) for event in b.heard(Answered)] == [(Presence.JAMMED, text)]
    b.run(600)
    assert opened_codes(b).count(code) == 1
    assert set(b.commands()) == {Command.POLL, Command.ACK}, "a note may be inside: nothing is done to it"
    b.from_device = bytes
    b.ready()


LATER = [
    ("15 accepting", ACCEPTING, "jam-transport", 30),
    ("17 stacking", STACKING, "jam-transport", 30),
    ("18 returning", RETURNING, "jam-mouth", 120),
]


@each_row(["text", "code", "limit"], LATER)
def test_a_note_that_moves_for_ever_from_the_first_answer_on_is_told(text: str, code: str, limit: float) -> None:
    b = bench()
    from_now_on(b, text)
    b.until(Answered)
    b.run(limit - 1)
    assert b.troubles() == []
    b.run(600)
    assert b.codes() == [code]
    assert set(b.commands()) == {Command.POLL, Command.ACK}
    say(b, DISABLED)
    b.run(0.3)
    assert b.codes() == [code, f"{code} over"]


@row("STACK to 81 within 30 s")
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
    resets = len(b.commands(Command.RESET))
    b.until(Stacked)
    assert books.credited == 1
    b.until(Ready)
    assert b.codes() == ["jam-transport", "jam-transport over"]
    assert len(b.commands(Command.RESET)) == resets


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


@row("10 power up")
def test_a_device_that_does_not_leave_power_up_is_reset_again_and_told() -> None:
    b = bench()
    b.proceeds = False
    from_now_on(b, POWER_UP)
    b.until(Answered)
    b.run(100)
    b.go_on()
    b.run(39)
    assert b.troubles() == [], "the time that the caller took is not the device's"
    b.run(20)
    assert b.codes() == ["failure-stays-power-up"]
    assert min(after - before for before, after in pairwise(b.times(Command.RESET))) >= 5.0


# --- a device that begins anew --------------------------------------------------------------------------------------


@row("13 initialize")
def test_a_running_device_that_initialises_is_told_at_once_as_not_ready_and_is_ready_again_later() -> None:
    b = bench()
    b.enabled()
    b.device.metal.stage_seconds = 3.0
    b.device.receive(frame(b"\x30"), b.now)  # Somebody else resets it.
    b.run(0.3)
    assert b.heard(Lost) == [Lost("restarted")]
    b.command(ENABLE)
    resets = len(b.commands(Command.RESET))
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    b.ready()
    assert b.heard(Completed)[-1] == Completed(ENABLE, Refusal.NOT_READY)
    assert len(b.heard(Lost)) == 1
    assert len(b.commands(Command.RESET)) == resets


@row("13 initialize", "81 stacked")
def test_a_note_on_its_way_to_the_box_as_the_device_initialises_is_credited_by_its_81() -> None:
    b = bench()
    books = keep_books(b)
    b.escrowed()
    intend(b, books, STACK)
    b.until(Stacking)
    b.device.metal.stage_seconds = 2.0
    b.device.receive(frame(b"\x30"), b.now)
    b.until(Lost)
    assert books.row is LastRecord.STACK_INTENDED, "nothing is decided yet"
    answered = b.until(Answered)
    assert (answered.presence, answered.note_type) == (Presence.STACKED, TWENTY)
    b.until(Ready)
    assert (books.credited, books.doubts, books.found) == (1, 0, 0)


# --- polls that are refused -----------------------------------------------------------------------------------------


@row("NAK to a poll")
@pytest.mark.parametrize(
    ("answer", "code"), [(NAK, "refused"), (ILLEGAL, "refused"), (ACK, "refused"), (SUSPECT, "unreadable")]
)
def test_a_device_that_answers_no_poll_with_a_state_is_lost_like_a_silent_one_and_asked_less_often(
    answer: str, code: str
) -> None:
    b = bench()
    b.enabled()
    b.run(1)
    began, before = b.now, len(b.times(Command.POLL))
    from_now_on(b, answer)
    assert b.until(Lost) == Lost(code)
    assert 5.0 <= b.now - began < 6.0
    b.run(600)
    assert len(b.heard(Lost)) == 1
    gaps = [after - before for before, after in pairwise(b.times(Command.POLL)[before:])]
    assert min(gaps) >= 0.2, "never faster than when all is well"
    assert min(gaps[-10:]) == pytest.approx(5.0, abs=0.1)
    b.from_device = bytes
    b.until(Answered)
    b.ready()


def test_a_device_is_never_polled_faster_than_when_all_is_well_also_where_that_is_slow() -> None:
    b = SlowBench(device())
    b.enabled()
    b.run(5)
    before = len(b.times(Command.POLL))
    b.device.line.garbage = 3
    b.run(10)
    assert min(after - before for before, after in pairwise(b.times(Command.POLL)[before:])) >= 1.0


def test_a_device_that_refuses_now_and_then_is_not_lost() -> None:
    b = bench()
    b.enabled()
    say(b, *[*[NAK] * 20, IDLING] * 20)
    b.run(60)
    assert b.heard(Lost) == []


def test_a_device_that_was_lost_for_its_refusals_and_then_falls_silent_is_not_lost_twice() -> None:
    b = bench()
    b.enabled()
    from_now_on(b, NAK)
    b.until(Lost)
    b.device.line.mute = True
    b.run(60)
    assert b.heard(Lost) == [Lost("refused")]


@pytest.mark.parametrize("disturb", [nothing, refusal])
def test_a_device_that_never_says_who_it_is_is_told_and_asked_less_and_less_often(disturb: Disturb) -> None:
    b = bench()
    b.from_device = On(Command.IDENTIFICATION, b, FOR_EVER, disturb)
    b.run(3600)
    assert opened_codes(b) == ["failure-not-identified"]
    assert not b.heard(Ready)
    assert len(b.times(Command.IDENTIFICATION)) < 100
    b.from_device = On(Command.GET_NOTE_TABLE, b, 1, refusal)
    b.ready()
    assert b.codes() == ["failure-not-identified", "failure-not-identified over"]
    first, second = b.times(Command.GET_NOTE_TABLE)
    assert second - first < 1.0, "what goes wrong once is not asked with a pause"


# --- answers with a byte too many, or too few -----------------------------------------------------------------------


@row("81 stacked", "record, then ACK")
def test_81_with_a_third_byte_is_a_stacked_note_of_its_type_and_acknowledged_once_it_is_on_record() -> None:
    """The third byte is a bill-to-bill unit's: where the note went."""
    b = bench()
    b.acknowledges = False
    b.escrowed()
    b.from_device = lambda data: frame(b"\x81\x04\x01") if data[3:5] == b"\x81\x04" else data
    b.command(STACK)
    stacked = b.until(Stacked)
    assert (stacked.note_type, stacked.frame) == (TWENTY, frame(b"\x81\x04\x01"))
    before = len(b.sent)
    b.run(3)
    assert set(b.commands()[before:]) == {Command.POLL}
    b.acknowledges = True
    assert b.cleared().stacked_counter == 1
    assert b.troubles() == []


@row("80 escrow")
def test_80_with_a_third_byte_that_changes_is_one_note_in_escrow() -> None:
    b = bench()
    b.enabled()
    b.run(1)
    told = len(b.told)
    say(b, *(frame(bytes((0x80, TWENTY, more))).hex() for more in range(5)))
    b.run(0.9)
    assert [type(event) for event in b.told[told:]] == [Escrowed]
    assert b.heard(Escrowed)[0].frame == frame(b"\x80\x04\x00")


@row("10 power up", "12 power up, note in stacker")
@pytest.mark.parametrize(("payload", "presence"), [("10 00", Presence.PATH_EMPTY), ("12 00", Presence.MOVING)])
def test_a_power_up_with_a_second_byte_is_one_and_reset(payload: str, presence: Presence) -> None:
    b = bench()
    from_now_on(b, frame(bytes.fromhex(payload)).hex())
    answered = b.until(Answered)
    assert (answered.presence, answered.frame) == (presence, frame(bytes.fromhex(payload)))
    b.run(1)
    assert b.commands(Command.RESET) == [Command.RESET]


@row("47 failure", "1C rejecting")
def test_a_failure_and_a_rejection_without_their_codes_are_told_all_the_same() -> None:
    b = bench()
    b.enabled()
    b.run(1)
    say(b, frame(b"\x1c").hex(), IDLING, frame(b"\x47").hex())
    assert b.until(Rejected) == Rejected("reason-00")
    assert b.until(Trouble) == Trouble(TroubleKind.FAILURE)


# --- RESET ----------------------------------------------------------------------------------------------------------


def resets(b: Bench, seconds: float) -> int:
    """How often it is reset from now on."""
    before = len(b.commands(Command.RESET))
    b.run(seconds)
    return len(b.commands(Command.RESET)) - before


@row("47 failure", "43 jam in validator")
@pytest.mark.parametrize("text", [FAILURE, JAM, "02 03 06 43 5D F2"])
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


@row("42 box removed", "sequence: box removed and replaced")
def test_hands_in_the_device_give_it_three_more_and_none_while_the_box_is_out() -> None:
    b = bench()
    b.enabled()
    b.device.show(State.JAM_BOX)
    b.to_device = lambda data: b"" if data[3] == Command.RESET else data
    b.until(Trouble)
    assert resets(b, 300) == 3
    b.device.show(None)
    b.device.change_box(Box.OUT, b.now)
    assert resets(b, 300) == 0
    b.device.show(State.JAM_BOX)
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


@row("RESET never while a note moves")
def test_a_device_that_fails_over_a_stacked_event_that_is_not_on_record_is_not_reset() -> None:
    b = bench()
    b.acknowledges = False
    b.stacked()
    b.device.failed = True
    b.until(Trouble)
    assert resets(b, 300) == 0
    b.device.failed = False
    b.until(Stacked)
    b.step(Acknowledge())
    b.until(Ready)
    assert b.places() == [Place.BOX]


def test_a_device_that_fails_once_its_stacked_event_is_acknowledged_is_reset() -> None:
    b = bench()
    b.stacked()
    b.device.failed = True
    b.until(Trouble)
    assert resets(b, 15) == 1
    assert len(b.heard(Ready)) == 2


@row("sequence: communication lost", "the first poll on record before RESET")
def test_a_silent_device_is_never_reset_for_what_it_says_first_would_be_gone() -> None:
    b = bench()
    b.enabled()
    b.device.line.mute = True
    assert resets(b, 300) == 0


# --- the slot -------------------------------------------------------------------------------------------------------


def shuts_itself(b: Bench) -> None:
    """The slot is shut, and not by an order of the machine."""
    b.device.receive(bytes.fromhex("02 03 0C 34 00 00 00 00 00 00 17 0C"), b.now)
    assert b.device.state is State.DISABLED


@row("19 disabled")
def test_a_slot_that_shuts_by_itself_is_opened_again_and_nobody_told_that_it_is_shut() -> None:
    b = bench()
    b.enabled()
    b.run(1)
    told = len(b.told)
    shuts_itself(b)
    b.wait("open", lambda: b.device.accepts, 1.0)
    b.run(5)
    assert b.told[told:] == []
    assert len(b.commands(Command.ENABLE_NOTE_TYPES)) == 2
    b.stacked()


def test_a_slot_that_is_shut_by_order_stays_shut() -> None:
    b = bench()
    b.enabled()
    b.run(1)
    b.command(DISABLE)
    b.until(Shut)
    b.run(60)
    assert len(b.commands(Command.ENABLE_NOTE_TYPES)) == 2
    assert not b.device.accepts


def test_an_order_to_shut_the_slot_comes_before_the_wish_to_open_it_again() -> None:
    b = bench()
    b.enabled()
    b.run(1)
    shuts_itself(b)
    polls = len(b.commands(Command.POLL))
    b.wait("seen", lambda: len(b.commands(Command.POLL)) > polls)
    b.command(DISABLE)
    b.run(5)
    assert {data[3:7].hex() for data in b.frames(Command.ENABLE_NOTE_TYPES)[1:]} == {"34000000"}
    assert not b.device.accepts


def test_a_slot_that_shuts_for_the_fourth_time_in_a_minute_is_told_and_left_shut_for_a_minute() -> None:
    b = bench()
    b.enabled()
    b.run(1)
    for _ in range(3):
        shuts_itself(b)
        b.wait("open", lambda: b.device.accepts, 1.0)
        b.run(1)
    shuts_itself(b)
    assert b.until(Trouble) == Trouble(TroubleKind.FAILURE, "shuts-itself")
    b.command(ENABLE)
    assert b.until(Completed) == Completed(ENABLE, Refusal.NOT_READY)
    b.command(DISABLE)
    b.run(55)
    assert len(b.heard(Ready)) == 1
    b.until(Ready, 10)
    assert b.codes() == ["failure-shuts-itself", "failure-shuts-itself over"]
    b.enabled()


def test_a_slot_that_shuts_now_and_then_is_opened_for_as_long_as_it_takes() -> None:
    b = bench()
    b.enabled()
    for _ in range(10):
        b.run(30)
        shuts_itself(b)
        b.wait("open", lambda: b.device.accepts, 1.0)
    assert b.troubles() == []


def test_a_poll_that_crosses_an_enable_says_nothing_of_the_slot() -> None:
    b = bench()
    b.ready()
    b.run(1)
    say(b, *[DISABLED] * 5)
    b.command(ENABLE)
    b.run(10)
    assert len(b.commands(Command.ENABLE_NOTE_TYPES)) == 1
    assert len(b.heard(Shut)) == 1, "the one after Ready"


def test_a_slot_that_never_opens_though_its_device_says_yes_is_told() -> None:
    b = bench()
    b.ready()
    from_now_on(b, DISABLED)
    b.command(ENABLE)
    assert b.until(Trouble).code == "failure-shuts-itself"
    assert len(b.commands(Command.ENABLE_NOTE_TYPES)) == 4


@pytest.mark.parametrize("disturb", [nothing, refusal])
def test_a_slot_that_shut_by_itself_and_cannot_be_opened_again_is_told(disturb: Disturb) -> None:
    b = bench()
    b.enabled()
    b.run(1)
    b.from_device = On(Command.ENABLE_NOTE_TYPES, b, 3, disturb)
    shuts_itself(b)
    assert b.until(Trouble).code == "failure-shuts-itself"
