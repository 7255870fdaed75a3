"""The host's side of SSP: the acknowledgement."""

from __future__ import annotations

import pytest

from drivers.api.cash import Answered, CashCommand, Cleared, Presence, Ready, Stacked
from drivers.cash.essp.events import EventCode
from drivers.cash.essp.messages import Command
from drivers.cash.essp.simulator_device import Says
from drivers.cash.steps import Acknowledge
from tests.drivers.cash.bench import Disturb, On, damaged, nothing
from tests.drivers.cash.essp.virtual import TEN, TWENTY, Bench, bench, old_life, polled
from tests.drivers.cash.sheet import row

STACK, RETURN, ENABLE, DISABLE = CashCommand.STACK, CashCommand.RETURN, CashCommand.ENABLE, CashCommand.DISABLE
POLL, HOLD, REJECT, ACK = Command.POLL_WITH_ACK, Command.HOLD, Command.REJECT, Command.EVENT_ACK


@row("EE repeats under 56 until 57")
def test_a_credit_is_repeated_at_every_poll_until_it_is_acknowledged() -> None:
    b = bench()
    b.acknowledges = False
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    before = len(b.sent)
    b.run(10)
    assert len(b.heard(Stacked)) >= 40
    assert not b.heard(Cleared), "a device that holds an event is not done"
    assert set(b.commands()[before:]) == {POLL}
    b.acknowledges = True
    b.cleared()
    told = len(b.heard(Stacked))
    b.run(5)
    assert len(b.heard(Stacked)) == told, "once acknowledged, it is over"
    assert b.done(ACK) == [ACK]


@pytest.mark.parametrize("disturb", [nothing, damaged])
def test_an_acknowledgement_that_is_lost_is_sent_again_as_it_was(disturb: Disturb) -> None:
    b = bench()
    b.escrowed()
    b.to_device = On(ACK, b, 3, disturb)
    b.command(STACK)
    b.cleared()
    frames = b.frames(ACK)
    assert len(frames) == 4
    assert len(set(frames)) == 1
    assert b.done(ACK) == [ACK]
    assert b.device.vault.counter == 1


def test_an_acknowledgement_whose_answer_is_lost_is_not_done_twice() -> None:
    b = bench()
    b.escrowed()
    b.from_device = On(ACK, b, 3, nothing)
    b.command(STACK)
    b.cleared()
    assert b.commands(ACK) == [ACK] * 4
    assert b.done(ACK) == [ACK]
    assert len(b.heard(Stacked)) == 1


def test_an_acknowledgement_that_never_arrives_by_the_fault_script_is_repeated() -> None:
    b = bench()
    b.device.line.lose_acks = 2
    b.escrowed()
    b.command(STACK)
    b.cleared()
    assert len(b.commands(ACK)) == 3


def test_an_acknowledgement_that_takes_effect_late_brings_the_event_again() -> None:
    b = bench()
    b.device.line.late_ack = 1.0
    b.escrowed()
    b.command(STACK)
    b.cleared()
    assert len(b.heard(Stacked)) > 1
    assert b.device.vault.counter == 1


def test_an_acknowledgement_that_arrives_twice_does_nothing_the_second_time() -> None:
    b = bench()
    b.device.line.repeat_acks = 1
    b.escrowed()
    b.command(STACK)
    b.cleared()
    b.escrowed(TEN)
    b.command(STACK)
    b.cleared()
    assert [event.note_type for event in b.heard(Stacked)] == [TWENTY, TEN]


@row("rule: persist, then 57")
def test_an_event_of_the_first_answer_is_let_go_and_nothing_more_is_done_before_proceed() -> None:
    old = old_life(Says.WAITING)
    b = Bench(old.device, now=old.now, proceeds=False)
    assert b.until(Answered).presence is Presence.STACKED
    assert b.device.waiting
    b.step(Acknowledge())
    b.run(30)
    assert not b.device.waiting
    assert b.commands()[-1] is ACK
    b.go_on()
    b.until(Ready)


def test_an_acknowledgement_out_of_season_is_not_sent() -> None:
    b = bench()
    b.enabled()
    b.run(0.1)
    before = len(b.commands(ACK))
    b.step(Acknowledge())
    b.run(1)
    assert b.commands(ACK)[before:] in ([], [ACK]), "at most once, and it lets nothing go"
    b.acknowledges = False
    b.escrowed()
    b.step(Acknowledge())
    b.command(STACK)
    b.until(Stacked)
    b.run(1)
    assert [event.code for event in b.device.waiting] == [EventCode.CREDIT]


def test_two_events_in_one_answer_are_let_go_when_both_are_on_record() -> None:
    """A credit, and after a power cut E2 of the same note: one acknowledgement is for both."""
    b = bench()
    b.acknowledges = False
    b.enabled()
    both = polled((EventCode.CREDIT, TEN), (EventCode.CLEARED_TO_BOX, TEN))
    b.device.instead = lambda request, answer: both if request.command is POLL else answer
    b.until(Stacked)
    assert len(b.heard(Stacked)) == 2
    b.step(Acknowledge())
    b.run(0.1)
    assert b.commands(ACK) == []
    b.step(Acknowledge())
    b.run(0.1)
    assert b.commands(ACK) == [ACK]
