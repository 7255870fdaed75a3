"""The host's side of SSP: answers that are lost, damaged or late, and silence."""

from __future__ import annotations

import pytest

from drivers.api.cash import Answered, CashCommand, Completed, Escrowed, Lost, Presence, Ready, Stacked
from drivers.cash.essp.messages import Command
from drivers.cash.essp.simulator_device import Says
from drivers.cash.steps import Received
from drivers.simulation.notes import Place
from tests.drivers.cash.bench import Disturb, On, cut_short, damaged, nothing
from tests.drivers.cash.essp.virtual import GREETING, SERIAL, TEN, Bench, bench, device, run_into
from tests.drivers.cash.sheet import row

STACK, RETURN, ENABLE, DISABLE = CashCommand.STACK, CashCommand.RETURN, CashCommand.ENABLE, CashCommand.DISABLE
POLL, HOLD, REJECT, ACK = Command.POLL_WITH_ACK, Command.HOLD, Command.REJECT, Command.EVENT_ACK


@row("reply lost: the identical frame again")
@pytest.mark.parametrize("disturb", [nothing, damaged, cut_short, run_into])
@pytest.mark.parametrize("where", ["there", "back"])
@pytest.mark.parametrize("command", [STACK, RETURN])
def test_a_command_that_is_lost_on_the_way_is_repeated_identically_and_done_once(
    command: CashCommand, where: str, disturb: Disturb
) -> None:
    b = bench()
    b.escrowed()
    b.sent.clear()
    wire = POLL if command is STACK else REJECT
    if where == "there":
        b.to_device = On(wire, b, 2, disturb)
    else:
        b.from_device = On(wire, b, 2, disturb)
    b.command(command)
    b.cleared()
    assert len(set(b.frames()[:3])) == 1, "the identical bytes, with the same flag"
    assert b.sent[1].at - b.sent[0].at == pytest.approx(1.0, abs=0.05)
    assert b.places() == [Place.BOX if command is STACK else Place.HAND]
    assert b.heard(Completed)[-1] == Completed(command)
    assert len(b.heard(Stacked)) == (command is STACK)


@pytest.mark.parametrize("command", [*GREETING, POLL, Command.COUNTERS, Command.DISABLE, Command.SET_INHIBITS])
@pytest.mark.parametrize("disturb", [nothing, damaged])
def test_a_question_whose_answer_is_lost_is_asked_again(command: Command, disturb: Disturb) -> None:
    b = bench()
    b.from_device = On(command, b, 3, disturb)
    assert b.ready().identity.serial == SERIAL
    assert not b.heard(Lost)


def test_a_poll_that_reports_escrow_and_is_lost_does_not_stack_by_being_repeated() -> None:
    b = bench()
    b.enabled()
    b.insert()
    b.until_doing(Says.ESCROW)
    b.from_device = On(POLL, b, 5, nothing)
    b.until(Escrowed)
    b.run(5)
    assert b.places() == [Place.ESCROW]


@row("20 repeats, then lost")
def test_after_twenty_repeats_the_device_is_lost() -> None:
    b = bench()
    b.ready()
    b.run(0.5)
    b.device.line.mute = True
    b.sent.clear()
    assert b.until(Lost) == Lost("silent")
    polls = b.frames(POLL)
    assert len(polls) == 21
    assert len(set(polls)) == 1
    b.sent.clear()
    b.run(60)
    assert set(b.commands()) == {Command.SYNC}
    assert len(b.heard(Lost)) == 1


def test_a_device_that_comes_back_is_greeted_and_reported_anew() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.cleared()
    b.device.line.mute = True
    b.until(Lost)
    b.device.line.mute = False
    b.sent.clear()
    b.proceeds = False
    answered = b.until(Answered)
    assert b.commands()[:2] == [Command.SYNC, HOLD]
    assert answered.presence is Presence.PATH_EMPTY
    assert answered.stacked_counter == 1
    b.go_on()
    b.until(Ready)


def test_nothing_known_before_a_silence_is_said_of_what_answers_after_it() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.cleared()
    b.device.line.mute = True
    b.until(Lost)
    other = Bench(device(serial="1873453"), now=b.now)
    other.escrowed(TEN)
    b.device, b.proceeds = other.device, False
    answered = b.until(Answered)
    assert answered.presence is Presence.IN_ESCROW
    assert answered.identity is not None
    assert answered.identity.serial == "1873453"
    assert answered.stacked_counter == 0


def test_a_late_answer_to_another_command_is_no_answer() -> None:
    b = bench()
    b.enabled()
    late: list[bytes] = []

    def delay(data: bytes) -> bytes:
        late.append(data)
        return late[-2] if len(late) > 1 else b""

    b.from_device = delay
    b.run(3)
    b.from_device = bytes
    b.run(3)
    b.escrowed()
    b.command(STACK)
    b.cleared()
    assert b.places() == [Place.BOX]


def test_what_comes_unasked_is_not_believed() -> None:
    b = bench()
    b.ready()
    b.run(0.5)
    before = len(b.sent)
    b.step(Received(bytes.fromhex("7F8003F0EE04D7CC")))
    assert len(b.sent) == before
    assert not b.heard(Stacked)


def test_slow_answers_are_taken_as_they_come() -> None:
    b = bench()

    def slow(data: bytes) -> bytes:
        b.now += 0.9
        return data

    b.from_device = slow
    b.escrowed()
    b.command(STACK)
    b.cleared()
    assert b.places() == [Place.BOX]
    assert not b.heard(Lost)
