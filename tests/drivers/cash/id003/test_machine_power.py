"""The host's side of ID-003: power cuts at the device."""

from __future__ import annotations

import pytest

from drivers.api.cash import (
    Accepting,
    Answered,
    CashCommand,
    Completed,
    Lost,
    Presence,
    Ready,
    Refusal,
    Returned,
    Stacked,
    Stacking,
)
from drivers.cash.id003.framing import frame
from drivers.cash.id003.messages import Command, State
from drivers.cash.id003.simulator_device import Firmware
from drivers.simulation.notes import Place
from tests.drivers.cash.bench import On, nothing
from tests.drivers.cash.id003.virtual import bench
from tests.drivers.cash.sheet import row

STACK, RETURN = CashCommand.STACK, CashCommand.RETURN
FAST, SLOW = Firmware(shows_transients=True), Firmware(shows_transients=False)


@row("41 power up, note in acceptor")
def test_row_41_power_cut_while_a_note_is_drawn_in() -> None:
    b = bench()
    b.enabled()
    b.insert()
    b.until(Accepting)
    answered = b.power_cut()
    assert (answered.presence, answered.frame[2]) == (Presence.RETURNABLE, 0x41)
    b.go_on()
    b.until(Ready)
    assert b.places() == [Place.HAND]
    assert not b.heard(Stacked)


@row("41 power up, note in acceptor")
def test_row_41_power_cut_with_a_note_in_escrow() -> None:
    b = bench()
    b.escrowed()
    answered = b.power_cut()
    assert (answered.presence, answered.frame[2]) == (Presence.RETURNABLE, 0x41)
    b.go_on()
    b.until(Ready)
    assert b.places() == [Place.HAND]
    assert not b.heard(Stacked)


@row("42 with power recovery")
def test_row_42_with_power_recovery_ends_in_a_vend_valid() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    answered = b.power_cut()
    assert (answered.presence, answered.frame[2]) == (Presence.MOVING, 0x42)
    b.go_on()
    assert b.until(Stacked) == Stacked(None, None, bytes.fromhex("FC05150310"))
    b.until(Ready)
    assert b.places() == [Place.BOX]


@row("42 without power recovery")
def test_row_42_without_power_recovery_comes_to_rest_without_15_and_is_told_as_that() -> None:
    """The note is in the box and nothing says so: no credit, no return. The start-up table's doubt."""
    b = bench(Firmware(recovers=False))
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    assert b.power_cut().presence is Presence.MOVING
    b.go_on()
    b.until(Ready)
    assert b.places() == [Place.BOX]
    assert not b.heard(Stacked)
    assert not b.heard(Returned)


@row("42 power up, note in stacker")
def test_row_42_that_turns_back_after_reset_is_told_as_returned() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    b.power_cut()
    b.from_device = lambda data: frame(b"\x17\x7c") if data[2:3] == b"\x1b" else data
    b.go_on()
    assert b.until(Returned).frame[2:4] == b"\x17\x7c"


@row("W4 power cut before 15 was acknowledged")
@pytest.mark.parametrize("remembers", [False, True])
def test_window_w4_power_cut_after_the_note_was_stacked_and_before_15_was_acknowledged(remembers: bool) -> None:
    """Whether a unit remembers is nowhere said: some would say 42 and 15 again, others 40."""
    b = bench(Firmware(remembers_credit=remembers))
    b.acknowledges = False
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    answered = b.power_cut()
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
    assert b.power_cut().presence is Presence.RETURNABLE
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
    assert b.power_cut().presence is Presence.PATH_EMPTY
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
