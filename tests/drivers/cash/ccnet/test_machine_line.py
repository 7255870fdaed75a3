"""The host's side of CCNET: answers that are lost, damaged or late, and silence."""

from __future__ import annotations

import pytest

from drivers.api.cash import (
    Accepting,
    Answered,
    CashCommand,
    Cleared,
    Completed,
    Escrowed,
    Lost,
    Presence,
    Ready,
    Refusal,
    Stacked,
    Trouble,
    TroubleKind,
)
from drivers.cash.ccnet.framing import frame
from drivers.cash.ccnet.messages import Command, State
from drivers.cash.steps import Received
from drivers.simulation.notes import Place
from drivers.simulation.script import Fault, What
from tests.drivers.cash.bench import Disturb, On, cut_short, damaged, nothing
from tests.drivers.cash.ccnet.virtual import SERIAL, TEN, Bench, bench, device, run_into
from tests.drivers.cash.sheet import row

STACK, RETURN = CashCommand.STACK, CashCommand.RETURN


@row("window: STACK sent, no ACK read", "silence counts as NAK")
@pytest.mark.parametrize("disturb", [nothing, damaged, cut_short, run_into])
def test_a_stack_whose_answer_is_lost_is_never_sent_again_blindly(disturb: Disturb) -> None:
    b = bench()
    b.escrowed()
    b.from_device = On(Command.STACK, b, 1, disturb)
    b.command(STACK)
    b.until(Stacked)
    assert b.commands(Command.STACK) == [Command.STACK]
    assert b.heard(Completed)[-1] == Completed(STACK), "the state said that it was done"
    b.cleared()
    assert b.places() == [Place.BOX]


@row("window: STACK sent, no ACK read")
@pytest.mark.parametrize("command", [STACK, RETURN])
def test_a_command_that_never_arrived_is_read_from_the_state_as_not_done(command: CashCommand) -> None:
    b = bench()
    b.escrowed()
    b.to_device = lambda data: b"" if data[3] in (Command.STACK, Command.RETURN) else data
    b.command(command)
    assert b.until(Completed) == Completed(command, Refusal.NOT_DONE)
    assert b.commands(Command.STACK, Command.RETURN) == [Command(0x35 if command is STACK else 0x36)]
    b.to_device = bytes
    b.command(RETURN)
    b.cleared()
    assert b.places() == [Place.HAND]


@row("NAK to a command")
def test_a_stack_that_arrived_damaged_is_refused_by_the_device_and_read_as_not_done() -> None:
    b = bench()
    b.escrowed()
    b.to_device = lambda data: damaged(data) if data[3] == Command.STACK else data
    b.command(STACK)
    assert b.until(Completed) == Completed(STACK, Refusal.NOT_DONE)


@row("a stale answer is none")
def test_a_late_answer_to_the_poll_is_not_taken_for_the_answer_to_stack() -> None:
    """The poll's answer comes after its deadline, when STACK has been sent: STACK is then open, not to be repeated."""
    b = bench()
    b.escrowed()
    held_back: list[bytes] = []

    def late(data: bytes) -> bytes:
        if b.sent[-1].command is Command.POLL and not held_back:
            held_back.append(data)
            return b""
        if b.sent[-1].command is Command.STACK and held_back[0]:
            data, held_back[0] = held_back[0], b""
        return data

    b.from_device = late
    b.run(0.3)  # The poll goes out and stays without an answer.
    assert held_back
    b.command(STACK)
    b.cleared()
    assert b.commands(Command.STACK) == [Command.STACK]
    assert b.places() == [Place.BOX]


@row("bad CRC: NAK, and the data at the next poll")
def test_a_bad_frame_is_answered_with_nak_and_the_event_comes_again() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until_state(State.STACKED)
    b.device.line.garbage = 3
    b.until(Stacked)
    assert b.commands(Command.NAK) == [Command.NAK] * 3
    b.cleared()
    assert len(b.heard(Stacked)) == 1
    assert b.places() == [Place.BOX]


def test_garbage_on_an_idle_line_is_not_answered() -> None:
    b = bench()
    b.ready()
    b.run(0.5)
    before = len(b.sent)
    b.step(Received(damaged(bytes.fromhex("0203061467D4"))))
    b.step(Received(bytes.fromhex("02030781 0470 6C")))
    assert len(b.sent) == before
    assert not b.heard(Stacked), "an event that nobody asked for is not believed: the next poll asks"


def test_an_answer_that_cannot_be_read_is_not_acknowledged_and_told_once() -> None:
    b = bench()
    b.enabled()
    b.from_device = lambda data: frame(b"\x84\x05") if b.sent[-1].command is Command.POLL else data
    before = len(b.sent)
    b.run(4)
    assert b.troubles() == [Trouble(TroubleKind.UNREADABLE)], "once, not at every poll: each one becomes a record"
    assert set(b.commands()[before:]) == {Command.POLL}
    assert not b.heard(Lost)
    b.from_device = bytes
    b.run(1)
    assert b.troubles() == [Trouble(TroubleKind.UNREADABLE), Trouble(TroubleKind.UNREADABLE, over=True)]


@pytest.mark.parametrize("disturb", [nothing, damaged])
def test_opening_the_slot_is_tried_three_times_and_no_more(disturb: Disturb) -> None:
    b = bench()
    b.ready()
    b.from_device = On(Command.ENABLE_NOTE_TYPES, b, 2, disturb)
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE)
    b.from_device = On(Command.ENABLE_NOTE_TYPES, b, 9, disturb)
    b.command(CashCommand.DISABLE)
    assert b.until(Completed) == Completed(CashCommand.DISABLE, Refusal.NO_ANSWER)
    assert len(b.commands(Command.ENABLE_NOTE_TYPES)) == 6


@row("NAK to a command")
def test_a_slot_command_that_arrives_damaged_is_sent_again() -> None:
    b = bench()
    b.ready()
    left = [2]

    def damage(data: bytes) -> bytes:
        if data[3] == Command.ENABLE_NOTE_TYPES and left[0]:
            left[0] -= 1
            return damaged(data)
        return data

    b.to_device = damage
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE)
    assert b.device.state is State.IDLING
    left[0] = 3
    b.command(CashCommand.DISABLE)
    assert b.until(Completed) == Completed(CashCommand.DISABLE, Refusal.REFUSED)


def test_a_refused_poll_is_asked_again() -> None:
    b = bench()
    refused_at: list[float] = []

    def refuse(_: bytes) -> bytes:
        refused_at.append(b.now)
        return frame(b"\x30")

    b.from_device = On(Command.POLL, b, 5, refuse)
    b.ready()
    polls = b.times(Command.POLL)
    assert len(refused_at) == 5
    assert all(any(at > refused for at in polls) for refused in refused_at)


@row("sequence: communication lost")
def test_a_mute_device_is_lost_after_five_seconds_and_is_reported_anew_when_it_is_back() -> None:
    b = bench()
    b.enabled()
    began = b.now
    b.device.line.mute = True
    assert b.until(Lost) == Lost("silent")
    assert 5.0 <= b.now - began < 6.5
    b.run(30)
    assert len(b.heard(Lost)) == 1
    b.device.line.mute = False
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    assert b.until(Ready).identity.serial == SERIAL


def test_nothing_known_before_a_silence_is_said_of_what_answers_after_it() -> None:
    """Another device, and a counter that moved meanwhile: an old count would decide about money."""
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.cleared()
    b.device.line.mute = True
    b.until(Lost)
    other = Bench(device(serial="OTHER0000002"), now=b.now)
    other.escrowed(TEN)
    b.device = other.device
    b.proceeds = False
    answered = b.until(Answered)
    assert answered.presence is Presence.IN_ESCROW
    assert answered.identity is None
    assert answered.stacked_counter is None
    assert not b.machine.known.values


@row("1B busy")
def test_a_busy_device_is_left_alone_for_as_long_as_it_asked() -> None:
    b = bench()
    b.ready()
    b.device.show(State.BUSY, 30)
    b.run(1)
    polls = len(b.commands(Command.POLL))
    b.run(2)
    assert len(b.commands(Command.POLL)) == polls


def test_a_count_that_is_not_answered_is_not_taken_up_while_the_next_note_moves() -> None:
    """A note is refused, the count that would follow is missed; then a good note comes, and is stacked."""
    b = bench()
    b.enabled()
    b.from_device = On(Command.COUNT_STACKED, b, 1, nothing)
    b.insert(readable=False)
    b.until_state(State.IDLING)
    b.wait("the count to be asked", lambda: Command.COUNT_STACKED in b.commands()[-1:])
    cleared = len(b.heard(Cleared))
    b.insert()
    b.until(Escrowed)
    b.command(STACK)
    b.until_state(State.STACKING)
    b.run(b.device.metal.stage_seconds / 2)
    assert len(b.heard(Cleared)) == cleared, "the path is not empty"
    b.until(Stacked)
    assert b.cleared().stacked_counter == 1


def test_a_note_that_was_first_seen_in_escrow_and_whose_stacking_was_never_heard_is_cleared_by_the_count() -> None:
    b = bench()
    b.enabled()
    b.from_device = lambda data: b"" if data[3:4] in (b"\x15", b"\x17", b"\x81") else data
    b.insert()
    b.until(Escrowed)
    b.command(STACK)
    b.wait("in the box", lambda: b.places() == [Place.BOX])
    b.device.acknowledged(b.now)
    assert b.cleared().stacked_counter == 1


@pytest.mark.parametrize("lateness", [0.3, 1.0, 1.4])
def test_a_late_answer_is_waited_for_and_not_taken_for_the_next_one(lateness: float) -> None:
    """81 is told at the poll after the one that brings 17 late: the acknowledgement of 17 must not let it go."""
    b = bench()
    b.escrowed()
    b.device.act(What(Fault.LATE, seconds=lateness), b.now)
    b.command(STACK)
    stacked = b.until(Stacked)
    assert stacked.frame[3] == 0x81
    b.cleared()
    assert b.places() == [Place.BOX]


def test_what_comes_later_than_anybody_waits_may_be_an_older_answer_and_only_an_event_on_record_is_acknowledged() -> (
    None
):
    """A line that stood still brings 17 as the answer to the third poll, and the device has said 81 to the second."""
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until(Completed)
    b.device.act(What(Fault.LATE, seconds=6.0), b.now)
    b.sent.clear()
    assert b.until(Stacked).frame[3] == 0x81
    assert b.commands(Command.ACK) == [Command.ACK], "that of the event, and none before it"
    b.cleared()
    b.run(9)
    b.sent.clear()
    b.run(3)
    assert b.commands(Command.ACK), "ten seconds after an answer was missed, nothing older is on its way"


@pytest.mark.parametrize(("disturb", "acknowledged"), [(nothing, False), (damaged, True)], ids=["lost", "damaged"])
def test_after_an_answer_that_never_came_none_is_acknowledged_for_a_while_and_after_a_damaged_one_the_next_is(
    disturb: Disturb, acknowledged: bool
) -> None:
    b = bench()
    b.from_device = On(Command.POLL, b, 1, disturb)
    b.ready()
    assert b.now < 109
    assert (Command.ACK in b.commands()) is acknowledged
    b.run(15)
    assert Command.ACK in b.commands()


def test_what_comes_too_late_is_discarded_and_the_line_is_left_alone_until_then() -> None:
    b = bench()
    b.enabled()
    b.insert()
    b.until(Accepting)
    b.device.act(What(Fault.LATE, seconds=2.2), b.now)
    begun = b.now
    b.until(Escrowed)
    asked = [at for at in b.times() if at > begun]
    assert asked[1] - asked[0] >= 2.2, "nothing is asked while an answer may be under way"
