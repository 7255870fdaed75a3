"""The host's side of SSP: power cuts at the device."""

from __future__ import annotations

import pytest

from drivers.api.cash import (
    Accepting,
    Answered,
    CashCommand,
    Cleared,
    Completed,
    Lost,
    Presence,
    Ready,
    Refusal,
    Stacked,
    Stacking,
)
from drivers.cash.essp.events import EventCode
from drivers.cash.essp.messages import Command
from drivers.cash.essp.simulator_device import Says
from drivers.cash.steps import Acknowledge
from drivers.simulation.notes import Place
from tests.drivers.cash.bench import On, nothing
from tests.drivers.cash.essp.virtual import TWENTY, Bench, bench, device, polled, say
from tests.drivers.cash.sheet import row

STACK, RETURN, ENABLE, DISABLE = CashCommand.STACK, CashCommand.RETURN, CashCommand.ENABLE, CashCommand.DISABLE
POLL, HOLD, REJECT, ACK = Command.POLL_WITH_ACK, Command.HOLD, Command.REJECT, Command.EVENT_ACK


CUTS = [0.1, 1.5, 30.0]


@row("before EF: no credit")
@pytest.mark.parametrize("seconds", CUTS)
def test_power_cut_while_a_note_is_drawn_in(seconds: float) -> None:
    b = bench()
    b.enabled()
    b.insert()
    b.until(Accepting)
    assert b.power_cut(seconds).presence is Presence.RETURNABLE
    b.go_on()
    b.until(Ready)
    assert b.places() == [Place.HAND]


@row("E1 cleared from the front")
@pytest.mark.parametrize("seconds", CUTS)
def test_power_cut_with_a_note_in_escrow_says_e1(seconds: float) -> None:
    b = bench()
    b.escrowed()
    answered = b.power_cut(seconds)
    assert answered.presence is Presence.RETURNABLE
    assert answered.stacked_counter == 0
    assert EventCode.CLEARED_FROM_FRONT in b.device.said
    b.go_on()
    b.until(Ready)
    assert b.places() == [Place.HAND]
    assert not b.heard(Stacked)


@row("E2 cleared to the box")
@pytest.mark.parametrize("seconds", CUTS)
@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize("version", [6, 8])
def test_power_cut_while_a_note_moves_to_the_box_says_e2_with_its_channel_or_0(
    seconds: float, forgets: bool, version: int
) -> None:
    b = bench()
    b.device.forgets_channel, b.device.highest_version = forgets, version
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    b.acknowledges = False
    answered = b.power_cut(seconds)
    assert answered.presence is Presence.STACKED
    assert answered.note_type == (None if forgets else TWENTY)
    assert answered.stacked_counter == 1
    assert [event.code for event in b.device.waiting] == [EventCode.CLEARED_TO_BOX], "it waits to be acknowledged"
    b.acknowledges = True
    b.step(Acknowledge())
    b.go_on()
    assert b.until(Ready).stacked_counter == 1
    assert not b.device.waiting
    assert b.places() == [Place.BOX]
    assert not b.heard(Stacked), "it was told by the first answer"


@row("58 counters before and after")
@pytest.mark.parametrize("remembers", [False, True])
@pytest.mark.parametrize("seconds", CUTS)
def test_power_cut_after_the_note_was_stacked_and_before_it_was_acknowledged(seconds: float, remembers: bool) -> None:
    """Some say E2 of a note whose EE they told before, others only count."""
    b = bench()
    b.device.remembers_credit = remembers
    b.acknowledges = False
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    answered = b.power_cut(seconds)
    assert answered.presence is (Presence.STACKED if remembers else Presence.PATH_EMPTY)
    assert answered.note_type == (TWENTY if remembers else None)
    assert answered.stacked_counter == 1, "the counter tells what the path does not"
    b.acknowledges = True
    b.step(Acknowledge())
    b.go_on()
    assert b.until(Ready).stacked_counter == 1
    assert b.places() == [Place.BOX]


@row("double-credit trap: EE credited, then E2 of the same note")
def test_power_cut_after_an_early_credit_was_acknowledged_says_e2_of_the_same_note() -> None:
    """The double-credit trap: the driver tells both, and no end of the note between them."""
    b = bench()
    b.device.early_credit = True
    b.device.metal.stage_seconds = 2.0
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    b.run(0.5)
    assert not b.device.waiting
    answered = b.power_cut()
    assert (answered.presence, answered.note_type) == (Presence.STACKED, TWENTY)
    assert not b.heard(Cleared)
    assert b.device.vault.counter == 1


@pytest.mark.parametrize("seconds", CUTS)
def test_power_cut_while_a_note_comes_back(seconds: float) -> None:
    b = bench()
    b.escrowed()
    b.command(RETURN)
    b.until_doing(Says.REJECTING)
    assert b.power_cut(seconds).presence is Presence.RETURNABLE
    b.go_on()
    b.until(Ready)
    assert b.places() == [Place.HAND]


@row("FA: no key")
def test_power_cut_too_short_for_silence_is_seen_by_the_key_that_is_gone() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    b.device.cut_power(b.now)
    b.device.restore_power(b.now)
    b.sent.clear()
    b.proceeds = False
    assert b.until(Answered).presence is Presence.STACKED
    assert b.commands()[1:3] == [Command.SYNC, HOLD]
    assert not b.heard(Lost)


@pytest.mark.parametrize("number", range(1, 22))
def test_power_cut_at_every_step_of_a_start_with_a_note_on_its_way(number: int) -> None:
    old = bench()
    old.escrowed()
    old.command(STACK)
    old.until(Stacking)
    old.device.cut_power(old.now)
    old.device.restore_power(old.now)
    b = Bench(old.device, now=old.now, acknowledges=False, proceeds=False)
    left = [number]

    def cut_at(data: bytes) -> bytes:
        left[0] -= 1
        if left[0] == 0:
            b.device.cut_power(b.now)
            b.device.restore_power(b.now)
        return data

    b.device.remembers_credit = True
    b.to_device = cut_at
    answered = b.until(Answered)
    b.to_device = bytes
    if left[0] > 0:
        pytest.skip("it was known before")
    assert (answered.presence, answered.note_type) == (Presence.STACKED, TWENTY)
    b.step(Acknowledge())
    b.acknowledges = True
    b.go_on()
    b.ready()
    assert not b.device.waiting


def test_power_cut_with_a_stack_that_was_not_answered_is_reported_before_anything_is_done() -> None:
    b = bench()
    b.escrowed()
    b.from_device = On(POLL, b, 1, nothing)
    b.command(STACK)
    b.run(0.1)
    assert b.device.doing is Says.STACKING
    assert b.power_cut(0.1).presence is Presence.STACKED
    assert b.heard(Completed)[-1] == Completed(STACK, Refusal.LOST)


@row("B6 initialising", "E1 and E2 after a reset that is told")
@pytest.mark.parametrize("version", [6, 8])
def test_what_became_of_a_note_is_waited_for_after_a_reset(version: int) -> None:
    b = Bench(device(pace=2.5))
    b.device.highest_version = version
    b.device.vault.move(b.device.vault.bring("20.00 EUR", TWENTY, readable=True), Place.TRANSPORT)
    answered = b.until(Answered)
    assert answered.presence is Presence.STACKED
    assert answered.note_type is None, "whoever put it there did not say which"


def test_a_reset_that_is_told_in_mid_running_is_reported_with_what_comes_with_it() -> None:
    b = bench()
    b.enabled()
    b.proceeds = False
    say(b, polled(EventCode.SLAVE_RESET, (EventCode.CLEARED_FROM_FRONT, 3)))
    answered = b.until(Answered)
    assert answered.presence is Presence.RETURNABLE, "E1 is told once, and not lost with the reset"
    assert not b.heard(Lost)
