"""The host's side of ID-003 against the simulated validator, in memory and in virtual time: what happens every day."""

from __future__ import annotations

from itertools import pairwise

import pytest

from drivers.api.cash import (
    Accepting,
    Answered,
    CashCapabilities,
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
from drivers.cash.id003.framing import frame
from drivers.cash.id003.messages import Command, Request, State, encode_note_table
from drivers.cash.id003.simulator_device import Firmware
from drivers.cash.steps import Acknowledge, Proceed, Received
from drivers.simulation.mechanism import Box, Spot
from drivers.simulation.notes import Place
from guichet.money import parse_money
from tests.drivers.cash.id003.virtual import (
    FIVE,
    SERIAL,
    TABLE,
    TEN,
    TWENTY,
    UNKNOWN_TYPE,
    Bench,
    device,
    trouble,
)

STACK, RETURN = CashCommand.STACK, CashCommand.RETURN
FAST, SLOW = Firmware(shows_transients=True), Firmware(shows_transients=False)


def bench(firmware: Firmware | None = None) -> Bench:
    return Bench(device(firmware=firmware))


# --- a start --------------------------------------------------------------------------------------------------------


def test_what_the_protocol_can_do() -> None:
    """VEND VALID carries no denomination; there is no count of stacked notes, and no event has a number."""
    assert bench().machine.capabilities == CashCapabilities(names_type=False)


def test_nothing_but_questions_is_sent_before_the_first_answer_is_on_record() -> None:
    b = bench()
    b.proceeds = False
    answered = b.until(Answered)
    assert answered.presence is Presence.PATH_EMPTY
    assert answered.frame.hex() == "fc05402b15"
    assert answered.stacked_counter is None
    assert answered.identity is not None
    assert answered.identity.serial == SERIAL
    assert answered.identity.simulated
    sent = len(b.sent)
    b.run(60)
    assert len(b.sent) == sent, "the line is quiet until the caller says proceed"
    assert b.requests() == ["91", "88", "8a"]


def test_sequence_7_1_power_up_initialise_enable() -> None:
    b = bench()
    ready = b.ready()
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE)
    assert b.requests() == ["91", "88", "8a", "40", "c5 02 00", "91", "88", "8a", "c0 00 00", "c3 00"]
    assert dict(ready.values) == dict(TABLE.values)
    assert (ready.stacked_counter, len(ready.table_hash)) == (None, 32)
    assert (ready.identity.model, ready.identity.firmware) == ("i(EUR)GUICHET-SIM", "ID003-05V001-00 01JAN26 0000")
    b.run(30)
    assert b.commands(Command.RESET) == [Command.RESET]
    assert len(b.heard(Ready)) == 1
    assert b.device.state is State.IDLING


def test_the_power_recovery_option_comes_first_in_every_initialize() -> None:
    b = bench()
    b.ready()
    for _ in range(2):
        b.device.cut_power(b.now)
        b.device.restore_power(b.now)
        b.until(Ready)
    b.device.receive(frame(b"\x40"), b.now)  # Somebody else resets it: INITIALIZE without a power-up.
    b.until(Ready)
    after_reset = [second for first, second in pairwise(b.requests()) if first == "40"]
    assert after_reset == ["c5 02 00"] * 3
    assert b.requests().count("c5 02 00") == 4


def test_an_option_that_is_refused_is_sent_again_in_initialize_and_not_for_ever_at_rest() -> None:
    b = bench()
    b.from_device = lambda data: frame(b"\x4b") if b.last_sent is Command.SET_OPTIONS else data
    b.ready()
    assert 4 <= b.requests().count("c5 02 00") <= 8
    sent = len(b.sent)
    b.run(20)
    assert "c5 02 00" not in b.requests()[sent:]


def test_the_inhibit_is_lifted_by_c3_00_after_every_reset() -> None:
    b = bench()
    b.enabled()
    b.device.cut_power(b.now)
    b.device.restore_power(b.now)
    b.until(Ready)
    assert b.device.state is State.DISABLED
    b.command(CashCommand.ENABLE)
    b.until(Completed)
    assert b.requests()[-2:] == ["c0 00 00", "c3 00"]
    assert b.device.state is State.IDLING


def test_a_device_that_is_enabled_already_is_shut_and_not_reset() -> None:
    old = bench()
    old.enabled()
    b = Bench(old.device, now=old.now)
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    b.ready()
    assert b.requests() == ["91", "88", "c3 01", "c5 02 00", "91", "88", "8a"]
    assert b.device.state is State.DISABLED


def test_a_unit_that_tells_who_it_is_only_at_power_up_is_known_all_the_same() -> None:
    b = bench(Firmware(tells_later=False))
    ready = b.ready()
    assert ready.identity.serial == SERIAL
    assert dict(ready.values) == dict(TABLE.values)


def test_a_unit_that_tells_nothing_after_power_up_says_so_to_a_new_process() -> None:
    old = bench(Firmware(tells_later=False))
    old.enabled()
    b = Bench(old.device, now=old.now)
    assert b.until(Answered).identity is None
    b.run(20)
    assert not b.heard(Ready), "without its table no note of it can be named"
    assert [trouble.code for trouble in b.troubles()] == ["failure-not-identified"]


def test_a_unit_that_does_not_know_the_serial_number_command_is_unknown_and_serves() -> None:
    b = bench(Firmware(knows_serial=False))
    answered = b.until(Answered)
    assert answered.identity is not None
    assert answered.identity.serial == "unknown"
    assert b.ready().identity.serial == "unknown"
    assert b.commands(Command.SERIAL) == [Command.SERIAL] * 2


def test_the_poll_comes_at_its_pace_and_never_on_the_heels_of_an_answer() -> None:
    b = bench()
    b.ready()
    b.sent.clear()
    b.run(10)
    times = b.times(Command.STATUS)
    gaps = [after - before for before, after in pairwise(times)]
    assert min(gaps) >= 0.2
    assert max(gaps) < 0.3


# --- a note ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("firmware", [FAST, SLOW], ids=["14 and 16 seen", "14 and 16 skipped"])
def test_sequence_7_2_accept_escrow_stack(firmware: Firmware) -> None:
    b = bench(firmware)
    escrowed = b.escrowed(TWENTY)
    assert escrowed.value == TABLE.values[TWENTY]
    assert (escrowed.note_type, escrowed.frame.hex()) == (0x64, "fc0613641dac")
    assert escrowed.table_hash == b.heard(Ready)[0].table_hash
    assert b.places() == [Place.ESCROW]
    b.told.clear()
    b.polled.clear()
    b.command(STACK)
    b.cleared()
    kinds = [type(event) for event in b.told]
    assert kinds == ([Completed, Stacking, Stacked, Cleared] if firmware is FAST else [Completed, Stacked, Cleared])
    assert b.heard(Stacked) == [Stacked(None, None, bytes.fromhex("FC05150310"))]
    assert b.heard(Cleared) == [Cleared(None, enabled=True)]
    assert b.places() == [Place.BOX]
    assert b.requests()[-2:] == ["42", "50"], "STACK-2, never STACK-1, and one ACK"
    assert (State.STACKING in b.polled) is (State.STACKED in b.polled) is (firmware is FAST)


def test_a_vend_valid_that_carries_a_byte_is_told_without_a_type() -> None:
    """One description has a denomination there; no capture has. What is not sure is not told."""
    b = bench()
    b.escrowed()
    b.from_device = lambda data: frame(b"\x15\x63") if data[2:3] == b"\x15" else data
    b.command(STACK)
    stacked = b.until(Stacked)
    assert (stacked.note_type, stacked.value) == (None, None)
    b.cleared()


def test_sequence_7_3_return() -> None:
    b = bench()
    b.escrowed()
    b.command(RETURN)
    b.until_state(State.RETURNING)
    b.cleared()
    assert [event.frame[2] for event in b.heard(Returned)] == [0x18]
    assert not b.heard(Stacked)
    assert b.places() == [Place.HAND]
    assert b.requests()[-1] == "43"


def test_a_return_of_which_nothing_was_seen_ends_with_an_empty_path() -> None:
    """In the capture 43 is followed by 11 at once: there is no event for it."""
    b = bench()
    b.escrowed()
    b.device.metal.stage_seconds = 0.01
    b.command(RETURN)
    b.cleared()
    assert b.heard(Completed)[-1] == Completed(RETURN)
    assert not b.heard(Returned)
    assert not b.heard(Stacked)


def test_sequence_7_4_a_note_that_nobody_decides_about_comes_back_by_the_device_itself_with_17_79() -> None:
    b = bench()
    began = b.escrowed()
    at = b.now
    b.until_state(State.REJECTING)
    assert 9.5 < b.now - at < 11
    b.cleared()
    assert [event.frame.hex(" ")[6:11] for event in b.heard(Returned)] == ["17 79"]
    assert not b.heard(Rejected), "it had come to escrow: it was not rejected"
    assert not b.commands(Command.STACK_2, Command.RETURN)
    assert b.places() == [Place.HAND]
    assert began.note_type == TWENTY


@pytest.mark.parametrize(
    ("readable", "kind", "reason"), [(False, TWENTY, "identification"), (True, 9, "identification")]
)
def test_sequence_7_4_a_note_that_is_not_recognised_is_rejected_with_a_reason(
    readable: bool, kind: int, reason: str
) -> None:
    b = bench()
    b.enabled()
    b.device.insert("paper", kind, b.now, readable=readable)
    assert b.until(Rejected) == Rejected(reason)
    b.cleared()
    assert not b.heard(Escrowed)
    assert not b.heard(Returned)
    assert b.places() == [Place.HAND]


def test_a_reason_without_a_name_is_told_by_its_number() -> None:
    b = bench()
    b.enabled()
    b.device.insert("paper", TWENTY, b.now, readable=False)
    b.from_device = lambda data: frame(b"\x17\x7a") if data[2:3] == b"\x17" else data
    assert b.until(Rejected) == Rejected("reason-7a")


def test_sequence_7_5_a_note_that_is_on_its_way_when_the_slot_is_shut_still_comes_to_escrow() -> None:
    b = bench()
    b.enabled()
    b.device.insert("paper", TWENTY, b.now)
    b.until(Accepting)
    b.command(CashCommand.DISABLE)
    b.until(Escrowed)
    b.command(RETURN)
    assert b.cleared() == Cleared(None, enabled=False)
    assert b.requests()[-2:] == ["c3 01", "43"]
    assert b.places() == [Place.HAND]


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


def test_sequence_7_8_a_jam_is_told_and_the_device_reset_again_and_again_with_patience() -> None:
    b = bench()
    b.escrowed()
    b.device.jam(Spot.BOX)
    b.command(STACK)
    assert b.until(Trouble) == Trouble(TroubleKind.JAM, "box")
    resets = len(b.commands(Command.RESET))
    b.run(35)
    assert len(b.commands(Command.RESET)) - resets in (3, 4)
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
    b.device.insert("paper", TWENTY, b.now)
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


def test_sequence_7_9_an_attempt_to_cheat_passes_and_the_note_in_escrow_comes_back() -> None:
    b = bench()
    b.escrowed()
    trouble(b.device, State.CHEATED, b.now)
    b.cleared()
    assert b.troubles() == [Trouble(TroubleKind.CHEATED), Trouble(TroubleKind.CHEATED, over=True)]
    assert b.heard(Returned)
    assert b.places() == [Place.HAND]


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


def test_a_type_that_the_table_does_not_name_comes_to_escrow_without_a_value() -> None:
    b = bench()
    assert b.escrowed(UNKNOWN_TYPE).value is None
    b.command(RETURN)
    b.cleared()
    assert b.places() == [Place.HAND]


def test_a_ticket_comes_to_escrow_without_a_value() -> None:
    b = bench()
    b.enabled()
    b.from_device = lambda data: frame(b"\x13\x6f0123") if data[2:3] == b"\x13" else data
    b.device.insert("paper", TWENTY, b.now)
    escrowed = b.until(Escrowed)
    assert (escrowed.note_type, escrowed.value) == (0x6F, None)


def test_escrow_codes_are_those_of_the_table_that_was_read() -> None:
    """USD 61 is a dollar in one firmware and nothing in another: no constant table is right."""
    validator = device()
    validator.table = encode_note_table({0x61: parse_money("1 USD"), 0x64: parse_money("10 USD")})
    b = Bench(validator)
    assert b.escrowed(0x64).value == parse_money("10 USD")


def test_many_notes_go_in_one_after_the_other() -> None:
    b = bench()
    for kind in (FIVE, TEN, TWENTY, FIVE):
        b.enabled()
        b.device.insert("paper", kind, b.now)
        assert b.until(Escrowed).note_type == kind
        b.command(STACK)
        b.cleared()
    assert len(b.heard(Stacked)) == 4
    assert b.device.vault.counter == 4


def test_a_note_that_is_held_stays_the_same_one() -> None:
    b = bench()
    b.escrowed()
    b.device.receive(frame(b"\x44"), b.now)
    b.until_state(State.HOLDING)
    b.run(1)
    assert len(b.heard(Escrowed)) == 1
    b.command(STACK)
    b.cleared()
    assert b.places() == [Place.BOX]


def test_a_command_that_needs_a_note_is_refused_without_one_and_nothing_is_sent() -> None:
    b = bench()
    b.enabled()
    for command in (STACK, RETURN):
        b.command(command)
        assert b.until(Completed) == Completed(command, Refusal.NO_NOTE_IN_ESCROW)
    assert b.commands(Command.STACK_2, Command.RETURN) == []


def test_the_slot_cannot_be_opened_before_the_device_is_ready() -> None:
    b = bench()
    b.until(Answered)
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE, Refusal.NOT_READY)


def test_the_slot_is_shut_when_asked() -> None:
    b = bench()
    b.enabled()
    b.command(CashCommand.DISABLE)
    assert b.until(Completed) == Completed(CashCommand.DISABLE)
    assert b.requests()[-1] == "c3 01"
    assert b.device.state is State.DISABLED


# --- the acknowledgement --------------------------------------------------------------------------------------------


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


def test_no_ack_is_sent_for_a_vend_valid_that_is_not_on_record() -> None:
    b = bench()
    b.acknowledges = False
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    before = len(b.sent)
    b.run(5)
    assert set(b.commands()[before:]) == {Command.STATUS}


def test_ack_is_sent_to_vend_valid_and_to_nothing_else() -> None:
    b = bench()
    b.escrowed()
    b.command(RETURN)
    b.cleared()
    b.device.insert("paper", TWENTY, b.now)
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
        b.escrowed() if not late else b.device.insert("paper", TWENTY, b.now)
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


def test_a_device_that_sticks_once_its_vend_valid_is_acknowledged_is_reset() -> None:
    b = bench()
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    resets = len(b.commands(Command.RESET))
    b.device.show(State.JAM_STACKER)
    b.until(Trouble)
    b.run(10)
    assert len(b.commands(Command.RESET)) == resets + 1
    b.device.show(None)
    b.until(Ready)


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


# --- an enquiry, and noise ------------------------------------------------------------------------------------------


def test_a_stray_enquiry_is_no_answer_and_does_no_harm() -> None:
    b = bench()
    b.from_device = lambda data: frame(b"\x05") + data if data else data
    b.escrowed()
    b.step(Received(frame(b"\x05")))
    b.command(STACK)
    b.cleared()
    assert b.places() == [Place.BOX]
    assert b.troubles() == []


def test_garbage_on_an_idle_line_is_not_answered() -> None:
    b = bench()
    b.ready()
    b.run(0.5)
    before = len(b.sent)
    b.step(Received(bytes.fromhex("FC051127 00")))
    b.step(Received(bytes.fromhex("FC05150310")))
    assert len(b.sent) == before
    assert not b.heard(Stacked), "an event that nobody asked for is not believed: the next poll asks"


def test_garbage_around_the_answers_is_ignored() -> None:
    b = bench()
    b.from_device = lambda data: b"\x00\xff\x02" + data + b"\xfc\x06\x55" if data else data
    b.escrowed()
    b.command(STACK)
    b.cleared()
    assert b.places() == [Place.BOX]


def test_proceed_out_of_season_changes_nothing() -> None:
    b = bench()
    b.enabled()
    before = len(b.sent)
    b.step(Proceed())
    assert len(b.sent) == before
