"""The host's side of SSP against the simulated validator, in memory and in virtual time."""

from __future__ import annotations

from itertools import pairwise

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
    Rejected,
    Returned,
    Stacked,
    Stacking,
    Trouble,
    TroubleKind,
)
from drivers.cash.essp.events import EventCode
from drivers.cash.essp.messages import Command, Counters, Plain, Polled, Status
from drivers.cash.essp.simulator_device import Says
from drivers.cash.steps import Acknowledge, Received
from drivers.simulation.mechanism import Box, Spot
from drivers.simulation.notes import Place, Vault
from tests.drivers.cash.bench import ENTROPY, Disturb, On, cut_short, damaged, nothing
from tests.drivers.cash.essp.virtual import (
    FIVE,
    SERIAL,
    TABLE,
    TEN,
    TWENTY,
    UNKNOWN_TYPE,
    Bench,
    device,
    events,
    polled,
    run_into,
    say,
)

STACK, RETURN, ENABLE, DISABLE = CashCommand.STACK, CashCommand.RETURN, CashCommand.ENABLE, CashCommand.DISABLE
POLL, HOLD, REJECT, ACK = Command.POLL_WITH_ACK, Command.HOLD, Command.REJECT, Command.EVENT_ACK


def bench() -> Bench:
    return Bench(device())


# --- a start --------------------------------------------------------------------------------------------------------

GREETING = [
    Command.SYNC, HOLD, Command.PROTOCOL, Command.SERIAL, Command.FIRMWARE, Command.SETUP, Command.SET_GENERATOR,
    Command.SET_MODULUS, Command.KEY_EXCHANGE,
]  # fmt: skip


def test_nothing_but_questions_is_sent_before_the_first_answer_is_on_record() -> None:
    b = bench()
    b.proceeds = False
    answered = b.until(Answered)
    assert answered.presence is Presence.PATH_EMPTY
    assert answered.frame.hex() == "f0e8"
    assert answered.stacked_counter == 0
    assert answered.identity is not None
    assert answered.identity.serial == SERIAL
    assert answered.identity.simulated
    sent = len(b.sent)
    b.run(60)
    assert len(b.sent) == sent, "the line is quiet until the caller says proceed"
    assert set(b.commands()) == {*GREETING, POLL, Command.COUNTERS}


def test_sync_and_hold_come_before_any_poll_and_version_and_key_too() -> None:
    b = bench()
    b.until(Answered)
    assert b.commands()[:10] == [*GREETING, POLL]
    assert b.sent[0].data.hex() == "7f8001116582", "SYNC has the flag 1"
    assert b.sent[1].data.hex() == "7f0001185008", "the next command the flag 0"


def test_a_reset_that_is_told_is_greeted_anew_before_the_next_poll() -> None:
    """It may have come after the version was agreed on."""
    b = bench()
    b.ready()
    first = b.commands().index(POLL)
    assert b.commands()[first + 1 : first + 11] == [*GREETING, POLL]


def test_a_device_is_set_up_and_disabled_before_it_is_ready() -> None:
    b = bench()
    ready = b.ready()
    assert dict(ready.values) == dict(TABLE.values)
    assert ready.stacked_counter == 0
    assert len(ready.table_hash) == 32
    assert ready.identity.firmware == "0333"
    last = len(b.commands()) - b.commands()[::-1].index(Command.COUNTERS)
    assert b.commands()[last - 4 : last] == [
        Command.DISABLE,
        Command.SET_INHIBITS,
        Command.DISPLAY_ON,
        Command.COUNTERS,
    ]
    b.run(30)
    assert len(b.heard(Ready)) == 1
    assert Command.RESET not in b.commands()


@pytest.mark.parametrize("highest", [6, 7, 8])
def test_the_protocol_version_is_the_highest_that_the_device_takes(highest: int) -> None:
    b = bench()
    b.device.highest_version = highest
    b.ready()
    assert b.machine.known.version == highest
    b.escrowed()
    b.command(STACK)
    b.cleared()
    assert b.places() == [Place.BOX]


def test_a_device_without_a_version_that_has_events_at_reset_is_not_polled() -> None:
    b = bench()
    b.device.highest_version = 5
    b.run(30)
    assert POLL not in b.commands()
    assert b.troubles() == [Trouble(TroubleKind.FAILURE, "not-identified")]


def test_the_poll_comes_at_its_pace_and_never_on_the_heels_of_an_answer() -> None:
    b = bench()
    b.ready()
    b.sent.clear()
    b.run(10)
    times = b.times(POLL)
    gaps = [after - before for before, after in pairwise(times)]
    assert min(gaps) >= 0.2
    assert max(gaps) < 0.3


def test_a_firmware_without_counters_is_read_and_serves_all_the_same() -> None:
    b = bench()
    b.device.forgets_count = True
    assert b.until(Answered).stacked_counter is None
    assert b.ready().stacked_counter is None
    b.escrowed()
    b.command(STACK)
    assert b.cleared() == Cleared(None, enabled=True)


def test_the_count_is_of_stacked_and_stored_notes_and_wraps_at_32_bits() -> None:
    b = bench()
    b.device.counted_before = 2**32 - 1
    assert b.ready().stacked_counter == 2**32 - 1
    b.escrowed()
    b.command(STACK)
    assert b.cleared().stacked_counter == 0
    assert b.machine.capabilities.counter_modulus == 2**32


def test_the_count_adds_what_was_stacked_and_what_was_stored() -> None:
    b = bench()
    b.device.instead = lambda request, answer: (
        Counters(2, 3, 4, 5, 6) if request.command is Command.COUNTERS else answer
    )
    assert b.ready().stacked_counter == 5


def test_a_device_that_will_not_be_set_up_is_polled_meanwhile() -> None:
    b = bench()
    say(b, *[Plain(Status.CANNOT)] * 5, to=Command.SET_INHIBITS)
    b.until(Answered)
    b.run(0.5)
    b.device.change_box(Box.OUT, b.now)
    assert b.until(Trouble) == Trouble(TroubleKind.BOX_REMOVED)
    b.run(2)
    assert not b.heard(Ready)
    b.device.change_box(Box.IN, b.now)
    b.until(Ready)


# --- a note ---------------------------------------------------------------------------------------------------------


def test_a_note_is_accepted_through_escrow_into_the_box() -> None:
    b = bench()
    escrowed = b.escrowed(TWENTY)
    assert escrowed.value == TABLE.values[TWENTY]
    assert escrowed.note_type == TWENTY
    assert escrowed.frame.hex() == "f0ef03"
    assert escrowed.table_hash == b.heard(Ready)[0].table_hash
    assert b.heard(Accepting)
    assert b.places() == [Place.ESCROW]
    b.told.clear()
    b.command(STACK)
    b.cleared()
    kinds = [type(event) for event in b.told]
    assert kinds == [Completed, Stacking, Stacked, Cleared]
    assert b.heard(Stacked)[0].note_type == TWENTY
    assert b.heard(Stacked)[0].value == TABLE.values[TWENTY]
    assert b.heard(Cleared) == [Cleared(1, enabled=True)]
    assert b.places() == [Place.BOX]


def test_after_a_note_is_in_escrow_there_is_no_poll_but_hold_every_two_seconds() -> None:
    b = bench()
    b.escrowed()
    b.sent.clear()
    b.run(30)
    assert set(b.commands()) == {HOLD}
    gaps = [after - before for before, after in pairwise(b.times())]
    assert 1.9 < min(gaps) <= max(gaps) < 2.1
    assert b.places() == [Place.ESCROW]


def test_the_poll_after_a_read_is_the_stack_command_and_comes_only_from_the_caller() -> None:
    b = bench()
    b.escrowed()
    b.run(3)
    b.sent.clear()
    b.command(STACK)
    b.run(0.05)
    assert b.commands()[0] is POLL
    assert b.device.doing is Says.STACKING


def test_a_note_is_given_back_when_asked() -> None:
    b = bench()
    b.escrowed()
    b.sent.clear()
    b.command(RETURN)
    b.cleared()
    assert b.commands()[0] is REJECT
    assert b.heard(Returned)
    assert not b.heard(Stacked)
    assert not b.heard(Rejected)
    assert b.places() == [Place.HAND]
    assert b.heard(Cleared)[-1].stacked_counter == 0


def test_a_note_that_nobody_decides_about_is_held_for_two_minutes_and_then_comes_back() -> None:
    b = bench()
    b.escrowed()
    b.run(100)
    assert b.places() == [Place.ESCROW]
    b.cleared()
    assert b.heard(Returned)
    assert b.done(REJECT) == []
    assert b.places() == [Place.HAND]


def test_a_note_that_the_device_gives_back_by_itself_is_told_as_returned() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.escrow_seconds = 0.5
    b.run(2.1)
    b.cleared()
    assert b.heard(Returned)
    assert b.places() == [Place.HAND]


@pytest.mark.parametrize(("readable", "kind", "reason"), [(False, TWENTY, "average"), (True, 9, "inhibited")])
def test_a_note_that_is_not_recognised_is_rejected_with_a_reason(readable: bool, kind: int, reason: str) -> None:
    b = bench()
    b.enabled()
    b.device.insert("paper", kind, b.now, readable=readable)
    assert b.until(Rejected) == Rejected(reason)
    b.run(1)
    assert b.heard(Cleared)
    assert not b.heard(Escrowed)
    assert not b.heard(Returned)
    assert b.places() == [Place.HAND]


def test_a_channel_that_the_table_does_not_name_comes_to_escrow_without_a_value() -> None:
    b = bench()
    b.enabled()
    b.device.instead = lambda _, answer: (
        polled((EventCode.READ, UNKNOWN_TYPE))
        if isinstance(answer, Polled) and answer == polled((EventCode.READ, TWENTY))
        else answer
    )
    b.device.insert("paper", TWENTY, b.now)
    escrowed = b.until(Escrowed)
    assert (escrowed.note_type, escrowed.value) == (UNKNOWN_TYPE, None)
    b.command(RETURN)
    b.cleared()
    assert b.places() == [Place.HAND]


def test_many_notes_go_in_one_after_the_other() -> None:
    b = bench()
    for number, kind in enumerate((FIVE, TEN, TWENTY, FIVE), 1):
        b.escrowed(kind)
        b.command(STACK)
        assert b.cleared().stacked_counter == number
    assert [event.note_type for event in b.heard(Stacked)] == [FIVE, TEN, TWENTY, FIVE]


def test_a_credit_that_comes_before_the_note_has_arrived_is_the_only_one() -> None:
    """EE may come with CC: the note is past the point of no return. EB after it is not money."""
    b = bench()
    b.device.early_credit = True
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    assert b.places() == [Place.TRANSPORT]
    assert b.cleared().stacked_counter == 1, "and it is not done before the note has arrived"
    assert len(b.heard(Stacked)) == 1
    assert len(b.heard(Stacking)) == 1


@pytest.mark.parametrize("code", [EventCode.STACKED, EventCode.SAFE_JAM, EventCode.STORED])
def test_eb_and_ea_and_db_are_not_money(code: EventCode) -> None:
    b = bench()
    b.escrowed()
    b.device.metal.stage_seconds = 3.0
    say(b, polled(EventCode.STACKING), polled(code))
    b.command(STACK)
    b.run(2)
    assert not b.heard(Stacked)
    assert not b.heard(Cleared), "and not the end of it"


def test_a_note_of_which_nothing_more_is_said_is_left_to_the_count() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.run(0.1)
    b.device.instead = lambda request, answer: polled() if request.command is POLL else answer
    b.run(4.5)
    assert not b.heard(Cleared), "it may be on its way and say nothing for a moment"
    assert b.cleared().stacked_counter == 1
    assert not b.heard(Stacked)


def test_a_note_that_was_to_move_and_did_not_is_found_by_hold_and_not_called_gone() -> None:
    """A second note pushed in behind it stops everything for a while, and no poll says so."""
    b = bench()
    b.escrowed()
    b.device.metal.stage_seconds = 20.0
    b.device.metal.push_second(b.now)
    b.told.clear()
    b.command(STACK)
    b.run(10)
    assert not b.heard(Cleared)
    assert [event.value for event in b.heard(Escrowed)] == [None], "there is one still, and nobody says which"
    assert b.places() == [Place.ESCROW]
    b.device.metal.stage_seconds = 0.3
    b.run(15)
    b.command(RETURN)
    b.cleared()
    assert b.places() == [Place.HAND]


def test_a_command_that_needs_a_note_is_refused_without_one_and_nothing_is_sent() -> None:
    b = bench()
    b.enabled()
    for command in (STACK, RETURN):
        b.command(command)
        assert b.until(Completed) == Completed(command, Refusal.NO_NOTE_IN_ESCROW)
    assert b.commands(REJECT) == []


def test_the_slot_cannot_be_opened_before_the_device_is_ready() -> None:
    b = bench()
    b.until(Answered)
    b.command(ENABLE)
    assert b.until(Completed) == Completed(ENABLE, Refusal.NOT_READY)


def test_the_slot_is_shut_when_asked() -> None:
    b = bench()
    b.enabled()
    b.command(DISABLE)
    assert b.until(Completed) == Completed(DISABLE)
    assert b.device.doing is Says.DISABLED


def test_a_slot_that_the_device_does_not_open_is_refused() -> None:
    b = bench()
    b.ready()
    say(b, Plain(Status.FAIL), to=Command.ENABLE)
    b.command(ENABLE)
    assert b.until(Completed) == Completed(ENABLE, Refusal.REFUSED)


@pytest.mark.parametrize("decision", [STACK, RETURN])
def test_disable_waits_while_a_note_is_in_escrow(decision: CashCommand) -> None:
    """No text says what a device does with the note then: the simulated one gives it back."""
    b = bench()
    b.escrowed()
    b.command(DISABLE)
    b.run(5)
    assert b.places() == [Place.ESCROW]
    b.sent.clear()
    b.command(decision)
    b.cleared()
    assert b.places() == [Place.BOX if decision is STACK else Place.HAND]
    assert b.heard(Completed)[-2:] == [Completed(decision), Completed(DISABLE)]
    assert b.heard(Cleared)[-1].enabled is False
    if decision is STACK:
        sent = b.commands()
        assert sent.index(Command.DISABLE) < sent.index(ACK), "shut before the acknowledgement lets the next one in"


# --- the acknowledgement --------------------------------------------------------------------------------------------


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


# --- answers that are lost or damaged -------------------------------------------------------------------------------


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
    b.device.insert("paper", TWENTY, b.now)
    b.until_doing(Says.ESCROW)
    b.from_device = On(POLL, b, 5, nothing)
    b.until(Escrowed)
    b.run(5)
    assert b.places() == [Place.ESCROW]


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


def test_every_command_that_waits_ends_when_the_device_is_lost() -> None:
    b = bench()
    b.escrowed()
    b.device.cut_power(b.now)
    b.command(STACK)
    b.command(DISABLE)
    b.until(Lost)
    assert {event.command: event.refused for event in b.heard(Completed)[-2:]} == {
        STACK: Refusal.LOST,
        DISABLE: Refusal.LOST,
    }


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


def test_garbage_around_the_answers_is_ignored() -> None:
    b = bench()
    b.from_device = lambda data: b"\x00\xff\x7f" + data + b"\x7f\x80\x55" if data else data
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


# --- answers that cannot be read ------------------------------------------------------------------------------------


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
    b.device.insert("paper", TWENTY, b.now)
    b.until_doing(Says.ESCROW)
    say(b, polled(EventCode.STORED, rest=b"\xa0\xef\x03"))
    escrowed = b.until(Escrowed)
    assert (escrowed.note_type, escrowed.value) == (0, None), "there is one, and nobody knows which"
    b.run(5)
    assert b.places() == [Place.ESCROW]
    b.command(RETURN)
    b.cleared()
    assert b.places() == [Place.HAND]


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


def test_two_stacks_in_a_row_are_one() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.command(STACK)
    b.cleared()
    assert [event.refused for event in b.heard(Completed)[-2:]] == [None, Refusal.NO_NOTE_IN_ESCROW]


@pytest.mark.parametrize("command", [Command.PROTOCOL, Command.SERIAL, Command.SETUP, *GREETING[6:], Command.DISABLE])
def test_a_question_that_is_refused_is_asked_again_until_the_device_is_known_whole(command: Command) -> None:
    b = bench()
    say(b, *[Plain(Status.CANNOT)] * 5, to=command)
    ready = b.ready()
    assert ready.identity.serial == SERIAL
    assert dict(ready.values) == dict(TABLE.values)


def test_numbers_that_are_no_primes_to_the_device_are_exchanged_for_others() -> None:
    b = bench()
    say(b, Plain(Status.OUT_OF_RANGE), to=Command.SET_GENERATOR)
    b.ready()
    shares = b.frames(Command.SET_GENERATOR)
    assert len(set(shares)) == len(shares) > 1


def test_a_device_that_will_not_agree_on_a_key_is_never_polled_and_told_once() -> None:
    b = bench()
    b.device.instead = lambda request, answer: (
        Plain(Status.UNKNOWN_COMMAND) if request.command is Command.SERIAL else answer
    )
    b.run(60)
    assert POLL not in b.commands()
    assert b.troubles() == [Trouble(TroubleKind.FAILURE, "not-identified")]
    b.device.instead = lambda _, answer: answer
    b.until(Ready)
    assert b.troubles()[-1] == Trouble(TroubleKind.FAILURE, "not-identified", over=True)


def test_a_device_that_does_not_understand_hold_is_left_alone_until_no_note_can_be_in_escrow() -> None:
    old = bench()
    old.escrowed()
    b = Bench(old.device, now=old.now)
    b.device.instead = lambda request, answer: Plain(Status.UNKNOWN_COMMAND) if request.command is HOLD else answer
    answered = b.until(Answered)
    assert answered.presence is Presence.RETURNABLE
    assert b.places() == [Place.HAND]


# --- power cuts at the device ---------------------------------------------------------------------------------------


def cut(b: Bench, seconds: float = 1.5) -> Answered:
    """Power off and on again, and what the device then says first."""
    b.device.cut_power(b.now)
    b.run(seconds)
    b.proceeds = False
    b.device.restore_power(b.now)
    answered = b.until(Answered)
    sent = len(b.sent)
    b.run(5)
    assert len(b.sent) == sent, "nothing is done before the answer is on record"
    return answered


CUTS = [0.1, 1.5, 30.0]


@pytest.mark.parametrize("seconds", CUTS)
def test_power_cut_while_a_note_is_drawn_in(seconds: float) -> None:
    b = bench()
    b.enabled()
    b.device.insert("paper", TWENTY, b.now)
    b.until(Accepting)
    assert cut(b, seconds).presence is Presence.RETURNABLE
    b.go_on()
    b.until(Ready)
    assert b.places() == [Place.HAND]


@pytest.mark.parametrize("seconds", CUTS)
def test_power_cut_with_a_note_in_escrow_says_e1(seconds: float) -> None:
    b = bench()
    b.escrowed()
    answered = cut(b, seconds)
    assert answered.presence is Presence.RETURNABLE
    assert answered.stacked_counter == 0
    assert EventCode.CLEARED_FROM_FRONT in b.device.said
    b.go_on()
    b.until(Ready)
    assert b.places() == [Place.HAND]
    assert not b.heard(Stacked)


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
    answered = cut(b, seconds)
    assert answered.presence is Presence.STACKED
    assert answered.note_type == (0 if forgets else TWENTY)
    assert answered.stacked_counter == 1
    assert [event.code for event in b.device.waiting] == [EventCode.CLEARED_TO_BOX], "it waits to be acknowledged"
    b.acknowledges = True
    b.step(Acknowledge())
    b.go_on()
    assert b.until(Ready).stacked_counter == 1
    assert not b.device.waiting
    assert b.places() == [Place.BOX]
    assert not b.heard(Stacked), "it was told by the first answer"


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
    answered = cut(b, seconds)
    assert answered.presence is (Presence.STACKED if remembers else Presence.PATH_EMPTY)
    assert answered.note_type == (TWENTY if remembers else None)
    assert answered.stacked_counter == 1, "the counter tells what the path does not"
    b.acknowledges = True
    b.step(Acknowledge())
    b.go_on()
    assert b.until(Ready).stacked_counter == 1
    assert b.places() == [Place.BOX]


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
    answered = cut(b)
    assert (answered.presence, answered.note_type) == (Presence.STACKED, TWENTY)
    assert not b.heard(Cleared)
    assert b.device.vault.counter == 1


@pytest.mark.parametrize("seconds", CUTS)
def test_power_cut_while_a_note_comes_back(seconds: float) -> None:
    b = bench()
    b.escrowed()
    b.command(RETURN)
    b.until_doing(Says.REJECTING)
    assert cut(b, seconds).presence is Presence.RETURNABLE
    b.go_on()
    b.until(Ready)
    assert b.places() == [Place.HAND]


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
    assert cut(b, 0.1).presence is Presence.STACKED
    assert b.heard(Completed)[-1] == Completed(STACK, Refusal.LOST)


# --- a reset as the device tells it ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [6, 8])
def test_what_became_of_a_note_is_waited_for_after_a_reset(version: int) -> None:
    b = Bench(device(pace=2.5))
    b.device.highest_version = version
    b.device.vault.move(b.device.vault.bring("20.00 EUR", TWENTY, readable=True), Place.TRANSPORT)
    answered = b.until(Answered)
    assert answered.presence is Presence.STACKED
    assert answered.note_type == 0, "whoever put it there did not say which"


def test_a_reset_that_is_told_in_mid_running_is_reported_with_what_comes_with_it() -> None:
    b = bench()
    b.enabled()
    b.proceeds = False
    say(b, polled(EventCode.SLAVE_RESET, (EventCode.CLEARED_FROM_FRONT, 3)))
    answered = b.until(Answered)
    assert answered.presence is Presence.RETURNABLE, "E1 is told once, and not lost with the reset"
    assert not b.heard(Lost)


FIRST_EVENTS: list[tuple[tuple[EventCode | tuple[EventCode, int], ...], Presence, int | None]] = [
    (((EventCode.CREDIT, TEN),), Presence.STACKED, TEN),
    (((EventCode.CREDIT, TEN), EventCode.STACKED), Presence.STACKED, TEN),
    ((EventCode.STACKING, (EventCode.CREDIT, TEN)), Presence.STACKED, TEN),
    (((EventCode.CLEARED_TO_BOX, TEN),), Presence.STACKED, TEN),
    (((EventCode.CLEARED_TO_BOX, 0),), Presence.STACKED, 0),
    ((EventCode.TO_STACKER_AT_RESET,), Presence.STACKED, 0),
    ((EventCode.TO_STORE_AT_RESET,), Presence.STACKED, 0),
    (((EventCode.CLEARED_FROM_FRONT, TEN),), Presence.RETURNABLE, None),
    (((EventCode.CLEARED_FROM_FRONT, 0),), Presence.RETURNABLE, None),
    ((EventCode.HELD_IN_BEZEL,), Presence.RETURNABLE, None),
    ((EventCode.REJECTING,), Presence.RETURNABLE, None),
    ((EventCode.REJECTED,), Presence.RETURNABLE, None),
    (((EventCode.READ, TEN),), Presence.IN_ESCROW, TEN),
    (((EventCode.READ, 0),), Presence.MOVING, None),
    ((EventCode.STACKING,), Presence.MOVING, None),
    ((EventCode.UNSAFE_JAM,), Presence.JAMMED, None),
    ((EventCode.SAFE_JAM,), Presence.JAMMED, None),
    ((EventCode.PATH_OPEN,), Presence.JAMMED, None),
    ((EventCode.STACKED,), Presence.PATH_EMPTY, None),
    ((EventCode.DISABLED,), Presence.PATH_EMPTY, None),
    ((EventCode.ALL_DISABLED,), Presence.PATH_EMPTY, None),
    ((EventCode.STACKER_FULL,), Presence.PATH_EMPTY, None),
    ((EventCode.BOX_REMOVED,), Presence.PATH_EMPTY, None),
    ((EventCode.BOX_REPLACED,), Presence.PATH_EMPTY, None),
    (((EventCode.FRAUD, 0),), Presence.PATH_EMPTY, None),
]


def quiet_device() -> Bench:
    """A living device at rest, and a new process."""
    old = bench()
    old.ready()
    return Bench(old.device, now=old.now, proceeds=False)


@pytest.mark.parametrize(
    ("codes", "presence", "channel"), FIRST_EVENTS, ids=[str(row[0]).replace("EventCode.", "") for row in FIRST_EVENTS]
)
def test_a_first_answer_is_a_column_of_the_start_up_table(
    codes: tuple[EventCode | tuple[EventCode, int], ...], presence: Presence, channel: int | None
) -> None:
    b = quiet_device()
    data = {EventCode.TO_STACKER_AT_RESET, EventCode.TO_STORE_AT_RESET, EventCode.HELD_IN_BEZEL}
    answer = Polled(
        tuple(type(e)(e.code, bytes(7)) if e.code in data else e for e in events(*codes)),
    )
    say(b, answer)
    answered = b.until(Answered)
    assert (answered.presence, answered.note_type) == (presence, channel)
    b.run(20)
    assert ACK not in b.commands(), "nothing is acknowledged by reading it"
    assert b.commands(REJECT, Command.DISABLE, Command.SET_INHIBITS) == []


def test_f6_to_the_first_poll_is_a_jam_as_far_as_anyone_can_tell() -> None:
    b = quiet_device()
    b.device.failed = True
    assert b.until(Answered).presence is Presence.JAMMED
    b.go_on()
    b.run(2)
    assert b.troubles() == [Trouble(TroubleKind.FAILURE, "software-error")]
    b.device.failed = False
    b.until(Ready)
    assert b.troubles()[-1] == Trouble(TroubleKind.FAILURE, "software-error", over=True)


def test_a_note_that_went_back_and_another_in_escrow_are_told_one_after_the_other() -> None:
    old = bench()
    old.enabled()
    old.device.insert("paper", TWENTY, old.now)
    old.until_doing(Says.ESCROW)
    b = Bench(old.device, now=old.now, proceeds=False)
    b.device.instead = lambda request, answer: (
        Plain(Status.CANNOT)
        if request.command is HOLD and POLL not in b.commands()
        else polled(EventCode.REJECTED, (EventCode.READ, TWENTY))
        if request.command is POLL
        else answer
    )
    assert b.until(Answered).presence is Presence.RETURNABLE
    b.go_on()
    assert b.heard(Escrowed)[0].note_type == TWENTY
    b.run(5)
    assert b.places() == [Place.ESCROW], "no poll, though something else was reported"


# --- a new process over a living device -----------------------------------------------------------------------------

LIVES = [
    (Says.SCANNING, Presence.MOVING, None),
    (Says.ESCROW, Presence.IN_ESCROW, None),
    (Says.STACKING, Presence.MOVING, None),
    (Says.WAITING, Presence.STACKED, TWENTY),
    (Says.REJECTING, Presence.RETURNABLE, None),
]


def old_life(doing: Says) -> Bench:
    old = bench()
    old.acknowledges = False
    if doing is Says.SCANNING:
        old.enabled()
        old.device.insert("paper", TWENTY, old.now)
        old.until(Accepting)
    else:
        old.escrowed()
    if doing in (Says.STACKING, Says.WAITING):
        old.command(STACK)
    if doing is Says.REJECTING:
        old.command(RETURN)
    old.until_doing(doing)
    return old


@pytest.mark.parametrize(("doing", "presence", "channel"), LIVES, ids=[row[0].value for row in LIVES])
def test_a_new_process_reports_where_the_note_is_and_touches_nothing(
    doing: Says, presence: Presence, channel: int | None
) -> None:
    old = old_life(doing)
    if old.device.metal.due is not None:
        old.device.metal.due += 1000.0
    b = Bench(old.device, now=old.now, proceeds=False, acknowledges=False)
    places = b.places()
    answered = b.until(Answered)
    assert answered.presence is presence
    assert answered.note_type == channel
    b.run(3)
    assert set(b.commands()) <= {*GREETING, POLL, Command.COUNTERS}
    if doing is Says.ESCROW:
        assert POLL not in b.commands(), "the first poll would have stacked it"
    assert b.places() == places


@pytest.mark.parametrize("doing", [Says.STACKING, Says.WAITING])
def test_a_note_that_an_earlier_process_sent_to_the_box_is_told_as_stacked(doing: Says) -> None:
    old = old_life(doing)
    b = Bench(old.device, now=old.now)
    assert b.ready().stacked_counter == 1
    told = [event.note_type for event in b.heard(Stacked)]
    told += [event.note_type for event in b.heard(Answered) if event.presence is Presence.STACKED]
    assert told == [TWENTY]
    assert not b.device.waiting


def test_a_note_that_an_earlier_process_left_in_escrow_can_be_given_back() -> None:
    old = old_life(Says.ESCROW)
    b = Bench(old.device, now=old.now, proceeds=False)
    b.until(Answered)
    b.command(RETURN)
    assert b.commands(REJECT) == []
    b.go_on()
    b.until(Returned)
    b.ready()
    assert b.places() == [Place.HAND]
    assert not b.heard(Escrowed), "it is not announced as a new note"


def test_a_note_that_was_being_drawn_in_comes_to_escrow_with_its_value() -> None:
    old = old_life(Says.SCANNING)
    old.device.metal.due = old.now + 2.0
    b = Bench(old.device, now=old.now)
    assert b.until(Escrowed).value == TABLE.values[TWENTY]
    b.command(RETURN)
    b.ready()
    assert b.places() == [Place.HAND]


def test_a_device_that_is_enabled_already_is_disabled() -> None:
    old = bench()
    old.enabled()
    b = Bench(old.device, now=old.now)
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    b.ready()
    assert b.device.doing is Says.DISABLED


# --- trouble --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spot", "where"), [(Spot.BOX, "transport"), (Spot.HEAD, "head")])
def test_a_jam_is_told_and_lasts_until_the_path_is_free(spot: Spot, where: str) -> None:
    b = bench()
    b.enabled()
    b.device.jam(spot)
    b.device.insert("paper", TWENTY, b.now)
    if spot is Spot.BOX:
        b.until(Escrowed)
        b.command(STACK)
    assert b.until(Trouble) == Trouble(TroubleKind.JAM, where)
    b.run(35)
    assert len(b.troubles()) == 1, "EA is told once; nobody calls it over before something moves"
    assert len(b.heard(Ready)) == 1
    b.device.free_jam(b.now)
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    assert Trouble(TroubleKind.JAM, where, over=True) in b.troubles()
    b.until(Ready)
    assert b.places() == [Place.CUSTODY]
    assert not b.heard(Stacked)


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (EventCode.STACKER_FULL, "box-full"), (EventCode.UNSAFE_JAM, "jam-head"), (EventCode.PATH_OPEN,
        "failure-path-open"), ((EventCode.FRAUD, 2), "cheated"),
    ],
)  # fmt: skip
def test_trouble_that_a_poll_repeats_is_told_once_and_over_when_it_is_gone(
    code: EventCode | tuple[EventCode, int], word: str
) -> None:
    b = bench()
    b.enabled()
    say(b, *[polled(code)] * 5)
    b.run(3)
    assert [(trouble.code, trouble.over) for trouble in b.troubles()] == [(word, False), (word, True)]


def test_an_attempt_to_cheat_passes_and_the_note_in_escrow_comes_back() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.cheat(b.now)
    b.cleared()
    b.run(1)
    assert b.troubles() == [Trouble(TroubleKind.CHEATED), Trouble(TroubleKind.CHEATED, over=True)]
    assert b.places() == [Place.HAND]
    assert not b.device.waiting, "E6 waits too, and is no money"


def test_an_attempt_to_cheat_while_a_note_moves_is_not_acknowledged_before_the_note_is_told() -> None:
    b = bench()
    b.device.metal.stage_seconds = 1.0
    b.acknowledges = False
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    b.device.metal.cheat(b.now)
    b.until(Stacked)
    assert b.commands(ACK) == []
    assert [event.code for event in b.device.waiting] == [EventCode.FRAUD, EventCode.CREDIT]
    b.acknowledges = True
    b.cleared()
    assert not b.device.waiting
    assert b.done(ACK) == [ACK]


def test_a_box_that_is_taken_out_and_put_back_leads_to_a_device_that_is_ready_anew() -> None:
    b = bench()
    b.enabled()
    b.device.change_box(Box.OUT, b.now)
    assert b.until(Trouble) == Trouble(TroubleKind.BOX_REMOVED)
    b.run(5)
    assert len(b.troubles()) == 1
    assert len(b.heard(Ready)) == 1
    b.device.change_box(Box.IN, b.now, "BOX-2")
    b.until(Ready)
    assert b.troubles()[-1] == Trouble(TroubleKind.BOX_REMOVED, over=True)
    assert b.device.doing is Says.DISABLED


def test_a_box_that_was_out_unseen_is_told_as_out_and_back() -> None:
    b = bench()
    b.ready()
    b.device.change_box(Box.IN, b.now, "BOX-2")
    b.until(Ready)
    out = Trouble(TroubleKind.BOX_REMOVED)
    assert b.troubles() == [out, Trouble(TroubleKind.BOX_REMOVED, over=True)]


def test_a_box_that_was_full_and_is_not_any_more_makes_the_device_ready_anew() -> None:
    b = bench()
    b.ready()
    b.device.change_box(Box.FULL, b.now)
    assert b.until(Trouble) == Trouble(TroubleKind.BOX_FULL)
    b.run(3)
    assert len(b.heard(Ready)) == 1
    b.device.metal.box = Box.IN
    b.until(Ready)
    assert b.troubles()[-1] == Trouble(TroubleKind.BOX_FULL, over=True)


def test_trouble_that_was_there_before_the_process_is_told_too() -> None:
    b = quiet_device()
    b.device.metal.box = Box.FULL
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    assert b.troubles() == []
    b.go_on()
    assert b.troubles() == [Trouble(TroubleKind.BOX_FULL)]


def test_a_second_note_that_is_pushed_in_does_not_end_escrow() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.push_second(b.now)
    b.run(5)
    assert len(b.heard(Escrowed)) == 1
    assert b.places() == [Place.ESCROW]
    b.command(STACK)
    b.cleared()
    assert b.places() == [Place.BOX]


def test_a_note_that_is_not_taken_out_of_the_mouth_is_waited_for() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.mishaps.customer_leaves = True
    b.command(RETURN)
    b.run(30)
    assert not b.heard(Cleared)
    b.device.metal.take(b.now)
    b.cleared()
    assert b.heard(Returned)


def test_another_device_in_its_place_says_another_serial_number() -> None:
    b = bench()
    b.ready()
    b.device.serial = "OTHER0000002"
    answered = cut(b)
    assert answered.identity is not None
    assert answered.identity.serial == str(b.device.number) != SERIAL


def test_a_vault_outlives_the_power_and_a_new_device_stands_where_the_old_one_stood() -> None:
    vault = Vault(None)
    b = Bench(device(vault))
    b.escrowed()
    b.command(STACK)
    b.until(Stacking)
    again = Bench(device(vault), now=b.now)
    assert again.until(Answered).presence is Presence.STACKED
    again.ready()
    assert vault.counter == 1


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


def test_a_new_process_takes_other_numbers_only_from_other_entropy() -> None:
    one, same, other = Bench(device()), Bench(device()), Bench(device(), entropy=bytes(reversed(ENTROPY)))
    for b in (one, same, other):
        assert b.machine.known.key is None
        b.ready()
    assert one.machine.known.key == same.machine.known.key != other.machine.known.key


def test_more_commands_than_anybody_can_want_are_refused() -> None:
    b = bench()
    b.device.line.mute = True
    for _ in range(1000):
        b.command(DISABLE)
    refused = b.heard(Completed)
    assert len(refused) > 980
    assert set(refused) == {Completed(DISABLE, Refusal.NOT_READY)}
