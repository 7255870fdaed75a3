"""The host's side of SSP: a start, and a new process over a living device."""

from __future__ import annotations

import pytest

from drivers.api.cash import Answered, CashCommand, Cleared, Escrowed, Presence, Ready, Stacked, Trouble, TroubleKind
from drivers.cash.essp.events import EventCode
from drivers.cash.essp.messages import Command, Plain, Polled, Status
from drivers.cash.essp.simulator_device import Says
from drivers.simulation.mechanism import Box
from drivers.simulation.notes import Place
from tests.drivers.cash.bench import ENTROPY
from tests.drivers.cash.essp.virtual import (
    GREETING,
    SERIAL,
    TABLE,
    TEN,
    TWENTY,
    Bench,
    bench,
    device,
    events,
    old_life,
    polled,
    quiet_device,
    say,
)
from tests.drivers.cash.sheet import each_row, row

STACK, RETURN, ENABLE, DISABLE = CashCommand.STACK, CashCommand.RETURN, CashCommand.ENABLE, CashCommand.DISABLE
POLL, HOLD, REJECT, ACK = Command.POLL_WITH_ACK, Command.HOLD, Command.REJECT, Command.EVENT_ACK


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


@row("exchange: start", "SYNC always with flag 1", "a new command inverts the flag")
def test_sync_and_hold_come_before_any_poll_and_version_and_key_too() -> None:
    b = bench()
    b.until(Answered)
    assert b.commands()[:10] == [*GREETING, POLL]
    assert b.sent[0].data.hex() == "7f8001116582", "SYNC has the flag 1"
    assert b.sent[1].data.hex() == "7f0001185008", "the next command the flag 0"


@row("F1 slave reset")
def test_a_reset_that_is_told_is_greeted_anew_before_the_next_poll() -> None:
    """It may have come after the version was agreed on."""
    b = bench()
    b.ready()
    first = b.commands().index(POLL)
    assert b.commands()[first + 1 : first + 11] == [*GREETING, POLL]


@row("exchange: start")
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


@row("06 protocol version: lower on F8")
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
    assert b.troubles() == [Trouble(TroubleKind.FAILURE, "no-answer-06")]


def test_a_firmware_without_counters_is_read_and_serves_all_the_same() -> None:
    b = bench()
    b.device.forgets_count = True
    assert b.until(Answered).stacked_counter is None
    assert b.ready().stacked_counter is None
    b.escrowed()
    b.command(STACK)
    assert b.cleared() == Cleared(None, enabled=True)


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


FIRST_EVENTS: list[tuple[str, tuple[EventCode | tuple[EventCode, int], ...], Presence, int | None]] = [
    ("EE credit", ((EventCode.CREDIT, TEN),), Presence.STACKED, TEN),
    ("EE credit", ((EventCode.CREDIT, TEN), EventCode.STACKED), Presence.STACKED, TEN),
    ("EE credit", (EventCode.STACKING, (EventCode.CREDIT, TEN)), Presence.STACKED, TEN),
    ("E2 cleared to the box", ((EventCode.CLEARED_TO_BOX, TEN),), Presence.STACKED, TEN),
    ("E2 cleared to the box", ((EventCode.CLEARED_TO_BOX, 0),), Presence.STACKED, None),
    ("CA, CB and CE at a reset", (EventCode.TO_STACKER_AT_RESET,), Presence.STACKED, None),
    ("CA, CB and CE at a reset", (EventCode.TO_STORE_AT_RESET,), Presence.STACKED, None),
    ("E1 cleared from the front", ((EventCode.CLEARED_FROM_FRONT, TEN),), Presence.RETURNABLE, None),
    ("E1 cleared from the front", ((EventCode.CLEARED_FROM_FRONT, 0),), Presence.RETURNABLE, None),
    ("CA, CB and CE at a reset", (EventCode.HELD_IN_BEZEL,), Presence.RETURNABLE, None),
    ("ED rejecting and EC rejected", (EventCode.REJECTING,), Presence.RETURNABLE, None),
    ("ED rejecting and EC rejected", (EventCode.REJECTED,), Presence.RETURNABLE, None),
    ("EF 03", ((EventCode.READ, TEN),), Presence.IN_ESCROW, TEN),
    ("EF 00 is no note in escrow", ((EventCode.READ, 0),), Presence.MOVING, None),
    ("CC stacking", (EventCode.STACKING,), Presence.MOVING, None),
    ("E9 unsafe jam", (EventCode.UNSAFE_JAM,), Presence.JAMMED, None),
    ("EA safe jam is no credit", (EventCode.SAFE_JAM,), Presence.JAMMED, None),
    ("E0 path open", (EventCode.PATH_OPEN,), Presence.JAMMED, None),
    ("EB stacked is no credit", (EventCode.STACKED,), Presence.PATH_EMPTY, None),
    ("E8 disabled and B5 all disabled", (EventCode.DISABLED,), Presence.PATH_EMPTY, None),
    ("E8 disabled and B5 all disabled", (EventCode.ALL_DISABLED,), Presence.PATH_EMPTY, None),
    ("E7 full", (EventCode.STACKER_FULL,), Presence.PATH_EMPTY, None),
    ("E3 and E4 box", (EventCode.BOX_REMOVED,), Presence.MOVING, None),
    ("E3 and E4 box", (EventCode.BOX_REMOVED, EventCode.BOX_REPLACED), Presence.PATH_EMPTY, None),
    ("E3 and E4 box", (EventCode.BOX_REPLACED,), Presence.PATH_EMPTY, None),
    ("E6 fraud", ((EventCode.FRAUD, 0),), Presence.PATH_EMPTY, None),
]


@each_row(["codes", "presence", "channel"], FIRST_EVENTS)
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


@row("F6 software error")
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


LIVES = [
    (Says.SCANNING, Presence.MOVING, None),
    (Says.ESCROW, Presence.IN_ESCROW, None),
    (Says.STACKING, Presence.MOVING, None),
    (Says.WAITING, Presence.STACKED, TWENTY),
    (Says.REJECTING, Presence.RETURNABLE, None),
]


@row("in escrow, read", "SYNC after a lost reply")
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


def test_a_note_that_was_being_drawn_in_comes_to_escrow_with_its_value() -> None:
    old = old_life(Says.SCANNING)
    old.device.metal.due = old.now + 2.0
    b = Bench(old.device, now=old.now)
    assert b.until(Escrowed).value == TABLE.values[TWENTY]
    b.command(RETURN)
    b.ready()
    assert b.places() == [Place.HAND]


@row("0C serial number after each reconnect")
def test_another_device_in_its_place_says_another_serial_number() -> None:
    b = bench()
    b.ready()
    b.device.serial = "OTHER0000002"
    answered = b.power_cut()
    assert answered.identity is not None
    assert answered.identity.serial == str(b.device.number) != SERIAL


def test_a_new_process_takes_other_numbers_only_from_other_entropy() -> None:
    one, same, other = Bench(device()), Bench(device()), Bench(device(), entropy=bytes(reversed(ENTROPY)))
    for b in (one, same, other):
        assert b.machine.known.key is None
        b.ready()
    assert one.machine.known.key == same.machine.known.key != other.machine.known.key
