"""The host's side of ID-003: troubles and the cash box."""

from __future__ import annotations

from itertools import pairwise

import pytest

from drivers.api.cash import Answered, CashCommand, Escrowed, Presence, Ready, Returned, Stacked, Trouble, TroubleKind
from drivers.cash.id003.messages import Command, State
from drivers.cash.id003.simulator_device import Firmware
from drivers.simulation.mechanism import Box, Spot
from drivers.simulation.notes import Place
from tests.drivers.cash.bench import On
from tests.drivers.cash.id003.virtual import SERIAL, Bench, bench, communication_error, device, trouble
from tests.drivers.cash.sheet import row

STACK, RETURN = CashCommand.STACK, CashCommand.RETURN
FAST, SLOW = Firmware(shows_transients=True), Firmware(shows_transients=False)


@row("7.6 stacker full")
def test_sequence_7_6_a_box_that_is_full_after_a_stack_is_told_after_the_credit() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until_state(State.STACKING)
    b.device.change_box(Box.FULL, b.now)
    b.until(Trouble)
    kinds = [type(event) for event in b.told if isinstance(event, Stacked | Trouble)]
    assert kinds == [Stacked, Trouble]
    assert b.troubles() == [Trouble(TroubleKind.BOX_FULL)]
    assert b.device.state is State.BOX_FULL


@row("7.7 stacker removed and replaced")
@pytest.mark.parametrize("first", [State.POWER_UP, State.INITIALIZE, State.DISABLED, State.IDLING])
def test_sequence_7_7_whatever_a_unit_says_first_when_its_box_is_back_it_is_initialised_again(first: State) -> None:
    b = bench(Firmware(after_box=first))
    b.enabled()
    b.device.change_box(Box.OUT, b.now)
    assert b.until(Trouble) == Trouble(TroubleKind.BOX_REMOVED)
    b.run(5)
    b.device.change_box(Box.IN, b.now, "BOX-2")
    before = len(b.requests())
    b.until(Ready)
    assert b.troubles() == [Trouble(TroubleKind.BOX_REMOVED), Trouble(TroubleKind.BOX_REMOVED, over=True)]
    assert "c5 02 00" in b.requests()[before:]
    assert ("40" in b.requests()[before:]) is (first is State.POWER_UP)
    assert b.device.state is State.DISABLED
    assert len(b.heard(Answered)) == (2 if first is State.POWER_UP else 1)


@row("7.8 jam")
def test_sequence_7_8_a_jam_is_told_and_the_device_reset_three_times_with_growing_patience() -> None:
    b = bench()
    b.escrowed()
    b.device.jam(Spot.BOX)
    b.command(STACK)
    assert b.until(Trouble) == Trouble(TroubleKind.JAM, "box")
    stuck, resets = b.now, len(b.commands(Command.RESET))
    b.run(3600)
    pauses = [after - before for before, after in pairwise([stuck, *b.times(Command.RESET)[resets:]])]
    assert pauses == [pytest.approx(seconds, abs=0.5) for seconds in (10, 30, 90)], "and then no more"
    assert b.places() == [Place.TRANSPORT]
    b.device.free_jam(b.now)
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    assert Trouble(TroubleKind.JAM, "box", over=True) in b.troubles()
    b.until(Ready)
    assert b.places() == [Place.CUSTODY]
    assert not b.heard(Stacked), "46 is no credit: only 15 is"


def test_a_jam_in_the_acceptor_is_told_as_one_in_the_head() -> None:
    b = bench()
    b.enabled()
    b.device.jam(Spot.HEAD)
    b.insert()
    assert b.until(Trouble) == Trouble(TroubleKind.JAM, "head")
    assert not b.heard(Stacked)


def test_a_jam_in_the_stacker_that_a_reset_clears_ends_in_a_vend_valid() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until_state(State.STACKING)
    b.device.show(State.JAM_STACKER)
    b.until(Trouble)
    b.device.show(None)
    b.until(Stacked)
    b.until(Ready)
    assert b.places() == [Place.BOX]


@row("7.9 pause and cheat")
def test_sequence_7_9_a_pause_ends_in_the_state_before_and_the_note_is_announced_once() -> None:
    b = bench()
    b.escrowed()
    trouble(b.device, State.PAUSE, b.now)
    b.run(0.6)
    b.device.show(None)
    b.run(1.0)
    assert b.troubles() == [Trouble(TroubleKind.PAUSE), Trouble(TroubleKind.PAUSE, over=True)]
    assert len(b.heard(Escrowed)) == 1
    b.command(STACK)
    b.cleared()
    assert b.places() == [Place.BOX]


@row("7.9 pause and cheat")
def test_sequence_7_9_an_attempt_to_cheat_passes_and_the_note_in_escrow_comes_back() -> None:
    b = bench()
    b.escrowed()
    trouble(b.device, State.CHEATED, b.now)
    b.cleared()
    assert b.troubles() == [Trouble(TroubleKind.CHEATED), Trouble(TroubleKind.CHEATED, over=True)]
    assert b.heard(Returned)
    assert b.places() == [Place.HAND]


@row("7.9 pause and cheat")
def test_sequence_7_9_cheated_that_stays_is_reset_after_ten_seconds_and_not_before() -> None:
    b = bench()
    b.enabled()
    trouble(b.device, State.CHEATED, b.now)
    b.device.show(State.CHEATED)
    resets = len(b.commands(Command.RESET))
    b.run(9.5)
    assert len(b.commands(Command.RESET)) == resets
    b.until(Ready)
    assert len(b.commands(Command.RESET)) == resets + 1


@row("7.10 failure")
def test_sequence_7_10_a_failure_is_told_by_its_code_reset_and_the_device_read_anew() -> None:
    b = bench()
    b.enabled()
    trouble(b.device, State.FAILURE, b.now)
    b.until(Ready)
    assert b.troubles() == [Trouble(TroubleKind.FAILURE, "a2"), Trouble(TroubleKind.FAILURE, "a2", over=True)]
    assert b.device.state is State.DISABLED


def test_a_failure_of_the_recycler_is_told_as_one() -> None:
    b = bench()
    b.enabled()
    trouble(b.device, State.RECYCLER_FAILURE, b.now)
    assert b.until(Trouble).code == "failure-recycler"


@pytest.mark.parametrize(
    ("state", "code", "presence"),
    [
        (State.BOX_REMOVED, "box-removed", Presence.MOVING),
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
