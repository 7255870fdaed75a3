"""The host's side of ccTalk: events that nobody has read yet, and the number on record."""

from __future__ import annotations

import pytest

from drivers.api.cash import (
    Answered,
    CashCommand,
    Cleared,
    Completed,
    Escrowed,
    Passed,
    Presence,
    Ready,
    Refusal,
    Rejected,
    Returned,
    Stacked,
    Trouble,
)
from drivers.cash.steps import Acknowledge, Proceed
from drivers.simulation.mechanism import Step
from drivers.simulation.notes import Place
from tests.drivers.cash.cctalk.virtual import FIVE, SERIAL, TEN, TWENTY, bench, stage
from tests.drivers.cash.sheet import row


@row("no number on record, counter not 0")
def test_no_number_on_record_and_a_counter_that_is_not_0_is_a_baseline_and_a_persons_business() -> None:
    b = bench()
    b.device.post(TWENTY, 0)
    answered = b.until(Answered)
    assert (answered.presence, answered.mark) == (Presence.PATH_EMPTY, 1)
    assert b.codes() == ["events-missed"]
    b.ready()
    assert b.heard(Stacked) == []


def test_one_event_is_told_at_a_time_and_the_next_only_after_acknowledge() -> None:
    b = bench(acknowledges=False)
    b.enabled()
    b.device.post(TWENTY, 0)
    b.device.post(0, 2)
    b.device.post(FIVE, 0)
    first = b.until(Stacked)
    b.run(20)
    assert b.heard(Stacked) == [first]
    assert b.heard(Rejected) == []
    b.step(Acknowledge())
    assert b.heard(Rejected) == [Rejected("validation", 2)]
    assert b.heard(Stacked) == [first]
    b.step(Acknowledge())
    assert [(stacked.note_type, stacked.mark) for stacked in b.heard(Stacked)] == [(TWENTY, 1), (FIVE, 3)]
    assert b.marks[b.serial] == 3
    b.run(5)
    assert b.heard(Cleared) == []


@row("host died between read and record")
def test_an_event_that_is_never_acknowledged_is_told_again_after_a_restart_and_no_other_is_lost() -> None:
    b = bench(acknowledges=False)
    b.enabled()
    b.records = False  # The journal fails.
    b.device.post(TWENTY, 0)
    b.device.post(FIVE, 0)
    b.until(Stacked)
    b.run(3)
    b.records = b.acknowledges = True
    b.restart()
    answered = b.until(Answered)
    assert (answered.presence, answered.note_type, answered.mark) == (Presence.STACKED, TWENTY, 1)
    assert (b.until(Stacked).note_type, b.marks[b.serial]) == (FIVE, 2)


@pytest.mark.parametrize("status", [0, 9, 10, 20], ids=["inhibited", "tamper", "stacker-ok", "barcode"])
def test_an_event_that_is_nobodys_business_is_on_record_and_not_missed_after_a_restart(status: int) -> None:
    b = bench()
    b.enabled()
    for _ in range(7):
        b.device.post(0, status)
        b.run(1)
    assert b.marks[b.serial] == 7
    told = len(b.heard(Trouble))
    b.restart()
    assert b.until(Answered).mark == 7
    b.ready()
    assert len(b.heard(Trouble)) == told, "more than five unread ones would count as missed"


def test_an_event_that_is_nobodys_business_does_not_overtake_a_note() -> None:
    b = bench(acknowledges=False)
    b.enabled()
    b.device.post(TWENTY, 0)
    b.device.post(0, 20)
    b.until(Stacked)
    b.run(5)
    assert b.heard(Passed) == []
    b.step(Acknowledge())
    assert b.heard(Passed) == [Passed(2)]


@row("the ring of 255")
def test_the_counter_goes_round_from_255_to_1_and_no_note_is_told_twice_or_not_at_all() -> None:
    b = bench()
    b.enabled()
    for _ in range(300):
        b.device.post(TWENTY, 0)
        b.run(0.3)
    marks = [stacked.mark for stacked in b.heard(Stacked)]
    assert marks == [place % 255 + 1 for place in range(300)]
    assert b.codes() == []


@row("note stacked while the host was down")
@pytest.mark.parametrize("step", [Step.STACKING, Step.RETURNING])
def test_the_process_dies_and_what_happened_meanwhile_is_the_first_answer(step: Step) -> None:
    b = bench()
    stage(b, step)
    b.now += 10
    b.restart()
    answered = b.until(Answered)
    expected = (Presence.STACKED, TWENTY) if step is Step.STACKING else (Presence.RETURNABLE, None)
    assert (answered.presence, answered.note_type) == expected
    assert answered.mark == 2
    b.until(Ready)
    assert b.heard(Stacked) == []
    assert "events-missed" not in b.codes()


@pytest.mark.parametrize("step", [Step.STACKING, Step.RETURNING])
def test_the_process_dies_while_a_note_moves_and_its_event_is_waited_for(step: Step) -> None:
    b = bench()
    stage(b, step)
    b.restart()
    b.now += 0.5
    answered = b.until(Answered)
    expected = Presence.STACKED if step is Step.STACKING else Presence.RETURNABLE
    assert (answered.presence, answered.mark) == (expected, 2)


def test_the_process_dies_with_a_note_in_escrow_and_finds_it_there() -> None:
    b = bench(proceeds=False)
    b.proceeds = True
    b.escrowed()
    b.proceeds = False
    b.restart()
    answered = b.until(Answered)
    assert (answered.presence, answered.note_type, answered.mark) == (Presence.IN_ESCROW, TWENTY, 1)
    b.run(40)
    assert b.places() == [Place.ESCROW], "its time of escrow is started anew as long as the caller decides"
    b.command(CashCommand.RETURN)
    b.step(Proceed())
    b.until(Returned)
    b.until(Ready)
    assert b.places() == [Place.HAND]


def test_a_note_that_left_escrow_and_whose_event_never_comes_is_a_jam_not_an_empty_path() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.give_back(b.now)
    b.device.metal.mishaps.customer_leaves = True
    b.now += 1
    b.restart()
    began = b.now
    assert b.until(Answered).presence is Presence.JAMMED
    assert 45 <= b.now - began < 48
    b.until(Ready)


@pytest.mark.parametrize("command", [CashCommand.STACK, CashCommand.RETURN])
def test_ready_is_not_told_while_a_note_of_before_still_moves(command: CashCommand) -> None:
    b = bench()
    b.escrowed()
    b.proceeds = False
    b.restart()
    b.device.metal.stage_seconds = 4.0
    assert b.until(Answered).presence is Presence.IN_ESCROW
    before = len(b.told)
    b.step(Proceed())
    b.command(command)
    b.until(Ready)
    assert [type(event) for event in b.told[before:] if isinstance(event, Stacked | Returned | Ready)] == [
        Stacked if command is CashCommand.STACK else Returned, Ready,
    ]  # fmt: skip


def test_a_self_check_that_finds_nothing_is_not_ready_while_a_note_is_in_escrow() -> None:
    b = bench()
    b.escrowed()
    b.restart()
    b.until(Answered)
    before = len(b.heard(Ready))
    b.device.post(0, 10)
    b.run(20)
    assert len(b.heard(Ready)) == before
    b.command(CashCommand.RETURN)
    b.until(Returned)
    b.until(Ready)


def test_a_note_that_moves_at_the_first_answer_is_waited_for_and_a_jam_if_its_event_never_comes() -> None:
    b = bench()
    b.enabled()
    b.device.post(TWENTY, 1)
    b.restart()
    assert b.until(Answered).presence is Presence.MOVING
    began = b.now
    b.until(Ready)
    assert b.now - began >= 45
    assert b.codes() == ["jam-no-event", "jam-no-event over"]


def test_a_note_that_leaves_escrow_without_an_event_is_a_jam_and_the_next_one_is_served() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.free()  # By hand.
    b.command(CashCommand.RETURN)
    began = b.now
    assert b.until(Trouble).code == "jam-no-event"
    assert b.now - began >= 45
    assert b.heard(Completed)[-1] == Completed(CashCommand.RETURN, Refusal.NO_NOTE_IN_ESCROW)
    b.until(Ready)
    assert b.codes() == ["jam-no-event", "jam-no-event over"]
    assert b.heard(Returned) == []
    b.stacked()


def test_a_jam_that_is_freed_without_switching_off_leaves_no_note_to_wait_for() -> None:
    b = bench()
    b.escrowed()
    b.device.post(0, 6)
    b.device.metal.free()
    b.until(Ready, 10)
    assert b.codes() == ["jam-transport", "jam-transport over"]


@row("host died between read and record")
def test_events_that_the_caller_never_recorded_come_again() -> None:
    b = bench()
    b.enabled()
    b.records = False
    b.insert()
    b.until(Escrowed)
    b.records = True
    b.restart()
    answered = b.until(Answered)
    assert (answered.presence, answered.note_type, answered.mark) == (Presence.IN_ESCROW, TWENTY, 1)


@row("1 to 5 missed: oldest first")
def test_1_to_5_missed_events_are_told_oldest_first_and_each_once() -> None:
    b = bench()
    b.stacked(FIVE)
    b.cleared()
    for a, what in ((TWENTY, 1), (0, 1), (TEN, 1), (TEN, 0), (0, 2)):
        b.device.post(a, what)
    b.restart()
    before = len(b.told)
    answered = b.until(Answered)
    assert (answered.presence, answered.note_type, answered.mark) == (Presence.MOVING, TWENTY, 3)
    b.until(Ready)
    marks = [(type(e), e.mark) for e in b.told[before:] if isinstance(e, Returned | Escrowed | Stacked | Rejected)]
    assert marks == [(Returned, 4), (Escrowed, 5), (Stacked, 6), (Rejected, 7)]
    assert "events-missed" not in b.codes()


@row("more than 5 missed: lost")
def test_more_than_5_missed_events_are_a_memory_lost_and_the_last_5_are_told() -> None:
    b = bench()
    b.escrowed()
    for _ in range(6):
        b.device.post(0, 2)
    b.device.metal.give_back(b.now)
    b.now += 1
    b.restart()
    answered = b.until(Answered)
    assert (answered.presence, answered.mark) == (Presence.FORGOTTEN, 3)
    assert b.codes() == ["events-missed"]
    before = b.told.index(answered)
    b.until(Ready)
    assert [e.mark for e in b.told[before + 1 :] if isinstance(e, Rejected | Returned)] == [4, 5, 6, 7, 8]


@row("more than 5 missed: lost")
def test_more_than_5_events_between_two_reads_begin_everything_anew() -> None:
    b = bench()
    b.enabled()
    for _ in range(7):
        b.device.post(0, 2)
    assert b.until(Answered).presence is Presence.FORGOTTEN
    b.until(Ready)


@row("a start-up event")
def test_statuses_before_the_first_answer_are_told_but_do_not_set_the_number_on_record_back() -> None:
    b = bench()
    stage(b, Step.STACKING)
    b.device.post(0, 18)
    b.device.post(0, 2)
    b.now += 10
    b.restart()
    answered = b.until(Answered)
    assert (answered.presence, answered.mark) == (Presence.STACKED, 4)
    b.until(Ready)
    assert b.codes() == ["cheated-string"]
    assert b.heard(Rejected) == [Rejected("validation", None)]
    assert b.marks[b.serial] >= 4


def test_a_note_that_is_in_escrow_without_memory_goes_back() -> None:
    b = bench()
    b.escrowed()
    b.device.post(0, 2)
    for _ in range(6):
        b.device.post(0, 10)
    b.restart()
    assert b.until(Answered).presence is Presence.FORGOTTEN
    b.until(Returned)
    b.until(Ready)
    assert b.places() == [Place.HAND]


@row("another serial number")
def test_another_device_in_its_place_says_so_and_brings_its_own_numbers() -> None:
    b = bench()
    b.stacked()
    b.cleared()
    b.device.serial = "777"
    b.device.cut_power(b.now)
    b.run(10)
    b.device.restore_power(b.now)
    answered = b.until(Answered)
    assert answered.identity is not None
    assert (answered.identity.serial, answered.presence) == ("777", Presence.PATH_EMPTY)
    assert b.marks == {SERIAL: 2, "777": 0}


def test_a_stacked_first_answer_holds_the_rest_until_it_is_acknowledged() -> None:
    b = bench()
    b.enabled()
    b.device.post(TWENTY, 0)
    b.device.post(FIVE, 0)
    b.acknowledges = False
    b.restart()
    assert b.until(Answered).presence is Presence.STACKED
    b.run(5)
    assert b.heard(Stacked) == []
    b.step(Acknowledge())
    assert [stacked.note_type for stacked in b.heard(Stacked)] == [FIVE]


def test_ready_waits_until_everything_is_told() -> None:
    b = bench()
    b.enabled()
    b.device.post(TWENTY, 0)
    b.device.post(FIVE, 0)
    b.acknowledges = False
    b.restart()
    before = len(b.heard(Ready))
    b.until(Answered)
    b.step(Acknowledge())
    b.run(10)
    assert len(b.heard(Ready)) == before
    b.step(Acknowledge())
    b.until(Ready)
