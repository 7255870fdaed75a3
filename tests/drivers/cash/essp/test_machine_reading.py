"""The host's side of SSP: answers that cannot be read."""

from __future__ import annotations

import pytest

from drivers.api.cash import (
    Answered,
    CashCommand,
    Completed,
    Escrowed,
    Presence,
    Ready,
    Refusal,
    Returned,
    Stacked,
    Trouble,
    TroubleKind,
)
from drivers.cash.essp.events import EventCode
from drivers.cash.essp.messages import Command, Plain, Status
from drivers.cash.essp.simulator_device import Says
from drivers.simulation.notes import Place
from tests.drivers.cash.essp.virtual import GREETING, SERIAL, TABLE, TEN, Bench, bench, polled, say
from tests.drivers.cash.sheet import row

STACK, RETURN, ENABLE, DISABLE = CashCommand.STACK, CashCommand.RETURN, CashCommand.ENABLE, CashCommand.DISABLE
POLL, HOLD, REJECT, ACK = Command.POLL_WITH_ACK, Command.HOLD, Command.REJECT, Command.EVENT_ACK


@row("an unknown event ends the reading")
def test_an_unknown_event_ends_the_reading_and_is_not_acknowledged_and_told_once() -> None:
    b = bench()
    b.enabled()
    unknown = polled((EventCode.CREDIT, TEN), rest=b"\xa0\x01")
    b.device.instead = lambda request, answer: unknown if request.command is POLL else answer
    before = len(b.sent)
    b.run(5)
    assert b.troubles() == [Trouble(TroubleKind.UNREADABLE)], "once, not at every poll: each one becomes a record"
    assert set(b.commands()[before:]) == {POLL, HOLD}
    assert b.heard(Stacked), "what came before it is known"
    b.device.instead = lambda _, answer: answer
    b.run(1)
    assert b.troubles() == [Trouble(TroubleKind.UNREADABLE), Trouble(TroubleKind.UNREADABLE, over=True)]


def test_after_an_answer_that_could_not_be_read_hold_comes_before_the_next_poll() -> None:
    """What was not read may have been a note in escrow, which the next poll would stack."""
    b = bench()
    b.enabled()
    b.insert()
    b.until_doing(Says.ESCROW)
    say(b, polled(EventCode.STORED, rest=b"\xa0\xef\x03"))
    escrowed = b.until(Escrowed)
    assert (escrowed.note_type, escrowed.value) == (0, None), "there is one, and nobody knows which"
    b.run(5)
    assert b.places() == [Place.ESCROW]
    b.command(RETURN)
    b.cleared()
    assert b.places() == [Place.HAND]


@row("F2, F5, F7, F8, F9 to a poll")
@pytest.mark.parametrize("status", [Status.UNKNOWN_COMMAND, Status.CANNOT, Status.FAIL, Status.CHECKSUM, Status.HEADER])
def test_a_poll_that_is_not_answered_as_one_is_followed_by_hold(status: Status) -> None:
    b = bench()
    b.enabled()
    say(b, Plain(status), Plain(status))
    b.run(0.3)
    b.sent.clear()
    b.run(1)
    assert Trouble(TroubleKind.UNREADABLE) in b.troubles()
    assert b.troubles()[-1] == Trouble(TroubleKind.UNREADABLE, over=True)


@pytest.mark.parametrize("done", [True, False])
def test_a_stack_whose_answer_cannot_be_read_is_decided_by_hold(done: bool) -> None:
    b = bench()
    b.escrowed()
    if done:
        say(b, polled(rest=b"\xa0"))
    else:
        b.device.metal.push_second(b.now)  # It cannot move it now: the note stays in escrow.
        say(b, Plain(Status.FAIL))
    b.command(STACK)
    completed = b.until(Completed)
    assert completed == Completed(STACK, None if done else Refusal.NOT_DONE)
    if done:
        b.cleared()
        assert b.places() == [Place.BOX]


def test_a_return_that_is_refused_is_decided_by_hold() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.push_second(b.now)
    b.command(RETURN)
    assert b.until(Completed) == Completed(RETURN, Refusal.NOT_DONE)
    b.run(1)
    b.command(RETURN)
    b.cleared()
    assert b.places() == [Place.HAND]


def test_a_return_of_a_note_that_is_on_its_way_back_says_so() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.give_back(b.now)
    b.command(RETURN)
    assert b.until(Completed) == Completed(RETURN, Refusal.NO_NOTE_IN_ESCROW)
    b.cleared()
    assert b.heard(Returned)


def test_a_stack_that_comes_too_late_says_so() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.give_back(b.now)
    b.command(STACK)
    assert b.until(Completed) == Completed(STACK, Refusal.NO_NOTE_IN_ESCROW)
    b.cleared()
    assert b.heard(Returned)
    assert b.places() == [Place.HAND]


@pytest.mark.parametrize("command", [Command.PROTOCOL, Command.SERIAL, Command.SETUP, *GREETING[6:], Command.DISABLE])
def test_a_question_that_is_refused_is_asked_again_until_the_device_is_known_whole(command: Command) -> None:
    b = bench()
    say(b, *[Plain(Status.CANNOT)] * 5, to=command)
    ready = b.ready()
    assert ready.identity.serial == SERIAL
    assert dict(ready.values) == dict(TABLE.values)


@row("exchange: keys")
def test_numbers_that_are_no_primes_to_the_device_are_exchanged_for_others() -> None:
    b = bench()
    say(b, Plain(Status.OUT_OF_RANGE), to=Command.SET_GENERATOR)
    b.ready()
    shares = b.frames(Command.SET_GENERATOR)
    assert len(set(shares)) == len(shares) > 1


def test_a_device_that_will_not_say_who_it_is_is_never_polled_and_told_once() -> None:
    b = bench()
    b.device.instead = lambda request, answer: (
        Plain(Status.UNKNOWN_COMMAND) if request.command is Command.SERIAL else answer
    )
    b.run(60)
    assert POLL not in b.commands()
    assert b.troubles() == [Trouble(TroubleKind.FAILURE, "no-answer-0c")]
    b.device.instead = lambda _, answer: answer
    b.until(Ready)
    assert b.troubles()[-1] == Trouble(TroubleKind.FAILURE, "no-answer-0c", over=True)


def test_a_device_that_does_not_understand_hold_is_left_alone_until_no_note_can_be_in_escrow() -> None:
    old = bench()
    old.escrowed()
    b = Bench(old.device, now=old.now)
    b.device.instead = lambda request, answer: Plain(Status.UNKNOWN_COMMAND) if request.command is HOLD else answer
    answered = b.until(Answered)
    assert answered.presence is Presence.RETURNABLE
    assert b.places() == [Place.HAND]
