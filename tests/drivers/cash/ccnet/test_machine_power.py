"""The host's side of CCNET: power cuts at the device."""

from __future__ import annotations

import pytest

from drivers.api.cash import Accepting, Answered, CashCommand, Lost, Presence, Ready, Stacked, Stacking
from drivers.cash.ccnet.messages import Command, State
from drivers.simulation.notes import Place
from tests.drivers.cash.bench import On, nothing
from tests.drivers.cash.ccnet.virtual import TWENTY, bench
from tests.drivers.cash.sheet import row

STACK, RETURN = CashCommand.STACK, CashCommand.RETURN


@row("11 power up, note in validator")
def test_power_cut_while_a_note_is_drawn_in() -> None:
    b = bench()
    b.enabled()
    b.insert()
    b.until(Accepting)
    answered = b.power_cut()
    assert (answered.presence, answered.frame[3]) == (Presence.RETURNABLE, 0x11)
    b.go_on()
    b.until(Ready)
    assert b.places() == [Place.HAND]


@row("11 power up, note in validator")
def test_power_cut_with_a_note_in_escrow() -> None:
    b = bench()
    b.escrowed()
    answered = b.power_cut()
    assert (answered.presence, answered.frame[3]) == (Presence.RETURNABLE, 0x11)
    assert answered.stacked_counter == 0
    b.go_on()
    b.until(Ready)
    assert b.places() == [Place.HAND]


@row("12 power up, note in stacker")
def test_power_cut_while_a_note_moves_to_the_box_ends_in_a_stacked_event() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    answered = b.power_cut()
    assert (answered.presence, answered.frame[3]) == (Presence.MOVING, 0x12)
    b.go_on()
    assert b.until(Stacked).note_type == TWENTY
    assert b.until(Ready).stacked_counter == 1
    assert b.places() == [Place.BOX]


@row("window: power cut after stacking, before 81 was acknowledged", "5B counter of stacked notes")
@pytest.mark.parametrize("remembers", [False, True])
def test_power_cut_after_the_note_was_stacked_and_before_it_was_acknowledged(remembers: bool) -> None:
    """The specification does not promise a validator's memory: some say 12 and 81 again, others only count."""
    b = bench()
    b.device.remembers_credit = remembers
    b.acknowledges = False
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    answered = b.power_cut()
    assert answered.presence is (Presence.MOVING if remembers else Presence.PATH_EMPTY)
    assert answered.frame[3] == (0x12 if remembers else 0x10)
    assert answered.stacked_counter == 1, "the counter tells what the path does not"
    b.acknowledges = True
    told = len(b.heard(Stacked))
    b.go_on()
    assert b.until(Ready).stacked_counter == 1
    assert len(b.heard(Stacked)) == told + remembers
    assert b.places() == [Place.BOX]


@row("11 power up, note in validator")
def test_power_cut_while_a_note_comes_back() -> None:
    b = bench()
    b.escrowed()
    b.command(RETURN)
    b.until_state(State.RETURNING)
    assert b.power_cut().presence is Presence.RETURNABLE
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
