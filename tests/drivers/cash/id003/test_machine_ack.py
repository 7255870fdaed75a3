"""The host's side of ID-003: the acknowledgement."""

from __future__ import annotations

from itertools import pairwise

from drivers.api.cash import Answered, CashCommand, Cleared, Escrowed, Lost, Presence, Ready, Stacked, Stacking, Trouble
from drivers.cash.id003.messages import Command, Request, State
from drivers.cash.id003.simulator_device import Firmware
from drivers.cash.steps import Acknowledge
from drivers.simulation.notes import Place
from drivers.simulation.script import Fault, What
from tests.drivers.cash.id003.virtual import bench
from tests.drivers.cash.sheet import row

STACK, RETURN = CashCommand.STACK, CashCommand.RETURN
FAST, SLOW = Firmware(shows_transients=True), Firmware(shows_transients=False)


@row("15 is repeated until it is acknowledged")
def test_vend_valid_is_told_at_every_poll_until_it_is_acknowledged() -> None:
    b = bench()
    b.acknowledges = False
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    b.run(10)
    assert len(b.heard(Stacked)) >= 40
    assert not b.heard(Cleared), "a device that holds an event is not done"
    assert b.device.state is State.VEND_VALID
    b.acknowledges = True
    b.cleared()
    told = len(b.heard(Stacked))
    b.run(5)
    assert len(b.heard(Stacked)) == told, "once acknowledged, it is over"


@row("record, then ACK")
def test_no_ack_is_sent_for_a_vend_valid_that_is_not_on_record() -> None:
    b = bench()
    b.acknowledges = False
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    before = len(b.sent)
    b.run(5)
    assert set(b.commands()[before:]) == {Command.STATUS}


@row("ACK is for 15 alone")
def test_ack_is_sent_to_vend_valid_and_to_nothing_else() -> None:
    b = bench()
    b.escrowed()
    b.command(RETURN)
    b.cleared()
    b.insert()
    b.until(Escrowed)
    b.command(STACK)
    b.cleared()
    acks = [before for before, after in pairwise(b.trace) if after == Request(Command.ACK)]
    assert len(acks) == 1
    assert isinstance(acks[0], Stacked), "nothing stands between the record and the ACK"


def test_an_ack_that_is_lost_brings_the_event_again() -> None:
    b = bench()
    b.escrowed()
    b.device.line.lose_acks = 3
    b.command(STACK)
    b.cleared()
    assert len(b.heard(Stacked)) == 4
    assert b.device.vault.counter == 1


def test_an_ack_that_arrives_twice_or_late_does_no_harm() -> None:
    b = bench()
    b.device.line.repeat_acks = 1
    for late in (0.0, 1.5):
        b.device.line.late_ack = late
        b.escrowed() if not late else b.insert()
        if late:
            b.until(Escrowed)
        b.command(STACK)
        b.cleared()
    assert b.device.vault.counter == 2
    assert len(b.heard(Escrowed)) == 2
    assert len(b.heard(Cleared)) == 2


def test_an_acknowledgement_out_of_season_is_not_sent() -> None:
    b = bench()
    b.enabled()
    before = len(b.sent)
    b.step(Acknowledge())
    assert len(b.sent) == before


@row("W6 RESET while 15 waits")
def test_a_device_is_not_reset_while_it_holds_a_vend_valid_whatever_else_it_says() -> None:
    b = bench()
    b.acknowledges = False
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    resets = len(b.commands(Command.RESET))
    for state in (State.JAM_STACKER, State.FAILURE, State.CHEATED):
        b.device.show(state)
        b.run(25)
    assert len(b.commands(Command.RESET)) == resets
    b.device.show(None)
    b.acknowledges = True
    b.until(Stacked)
    b.until(Ready)
    assert b.places() == [Place.BOX]


def test_a_vend_valid_that_is_owed_is_not_forgotten_over_a_silent_line() -> None:
    """The device fails, and then is not heard for a while: RESET would still take the event from it."""
    b = bench()
    b.acknowledges = False
    b.stacked()
    resets = len(b.commands(Command.RESET))
    b.device.failed = b.device.line.mute = True
    b.until(Lost)
    b.device.line.mute = False
    assert b.until(Answered).presence is Presence.JAMMED
    b.run(30)
    assert len(b.commands(Command.RESET)) == resets
    b.device.failed = False
    b.acknowledges = True
    b.until(Stacked)
    b.until(Ready)


def test_a_device_that_sticks_once_its_vend_valid_is_acknowledged_is_reset() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    resets = len(b.commands(Command.RESET))
    b.device.show(State.JAM_STACKER)
    b.until(Trouble)
    b.run(11)
    assert len(b.commands(Command.RESET)) == resets + 1
    b.device.show(None)
    b.until(Ready)


@row("late ACK: the unit hangs")
def test_a_unit_that_hangs_after_a_late_ack_is_reset_because_all_is_on_record() -> None:
    """One source: an ACK after about a minute has no effect, polls stay without answer, RESET recovers it."""
    b = bench(Firmware(ack_patience=60.0))
    b.acknowledges = False
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    b.run(70)
    resets = len(b.commands(Command.RESET))
    b.acknowledges = True
    b.until(Lost)
    assert len(b.commands(Command.RESET)) == resets
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    assert len(b.commands(Command.RESET)) == resets + 1
    b.until(Ready)


def test_a_silent_device_that_was_not_just_acknowledged_is_never_reset() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    b.device.line.mute = True
    resets = len(b.commands(Command.RESET))
    b.until(Lost)
    b.run(60)
    assert len(b.commands(Command.RESET)) == resets


def test_a_device_that_stays_silent_after_its_ack_is_reset_three_times_and_no_more() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    b.device.line.mute = True
    resets = len(b.commands(Command.RESET))
    b.run(120)
    assert len(b.commands(Command.RESET)) - resets == 3


def test_a_device_whose_answers_come_later_than_anybody_waits_is_alive_and_not_reset() -> None:
    """The first one comes right as the silence after its ack has lasted too long."""
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    b.run(0.05)
    b.device.act(What(Fault.LATE, seconds=9.0), b.now)
    resets = len(b.commands(Command.RESET))
    b.until(Lost)
    b.run(20)
    assert len(b.commands(Command.RESET)) == resets


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
