"""The host's side of ccTalk against the simulated bill validator, in virtual time: what goes well and what does not."""

from __future__ import annotations

from dataclasses import replace
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
)
from drivers.cash.cctalk.events import NOTE_STATUS, Reported
from drivers.cash.cctalk.framing import Checksum, frame
from drivers.cash.cctalk.machine import Machine, Phase
from drivers.cash.cctalk.messages import Header, Request, Route
from drivers.cash.cctalk.roles import NOTES
from drivers.cash.cctalk.timing import Timing
from drivers.cash.steps import Acknowledge, Opened, Proceed, Tick
from drivers.simulation.mechanism import Box, Spot, Step
from drivers.simulation.notes import Place, Vault
from guichet.money import parse_money
from tests.drivers.cash.bench import Disturb, On, damaged, nothing
from tests.drivers.cash.cctalk.virtual import (
    FIVE,
    HOLD,
    RETURN,
    SERIAL,
    STACK,
    TABLE,
    TEN,
    TWENTY,
    UNKNOWN_TYPE,
    Bench,
    device,
    reply,
)

WHO = [
    Header.SIMPLE_POLL, Header.SERIAL, Header.MANUFACTURER, Header.CATEGORY, Header.PRODUCT, Header.SOFTWARE,
    Header.POLLING_PRIORITY, Header.GET_INHIBITS,
]  # fmt: skip
HARMLESS = {*WHO, Header.NOTE_EVENTS}


def bench(*, proceeds: bool = True, acknowledges: bool = True) -> Bench:
    return Bench(device(), proceeds=proceeds, acknowledges=acknowledges)


# --- at start -------------------------------------------------------------------------------------------------------


def test_before_proceed_nothing_is_done_to_the_device() -> None:
    b = bench(proceeds=False)
    answered = b.until(Answered)
    b.run(20)
    assert set(b.requests()) <= {Request(header) for header in HARMLESS}
    assert b.commands()[: len(WHO)] == WHO
    assert answered.identity is not None
    assert (answered.identity.serial, answered.identity.driver, answered.identity.simulated) == (SERIAL, "cctalk", True)
    assert answered.presence is Presence.PATH_EMPTY
    assert answered.mark == 0
    assert answered.frame == bytes.fromhex("010B2800 0000000000000000000000 CC")
    assert b.told == [answered]


def test_initialising_reads_the_table_and_leaves_the_slot_shut() -> None:
    b = bench()
    ready = b.ready()
    assert ready.values == TABLE
    assert ready.stacked_counter is None
    last = [request for request in b.requests() if request.header is not Header.NOTE_EVENTS][-5:]
    assert last == [
        Request(Header.SCALING, b"EU"), Request(Header.REVISION, b"EU"), Request(Header.SET_MODE, b"\x03"),
        Request(Header.SET_INHIBITS, b"\xff" * 8), Request(Header.SET_MASTER, b"\x00"),
    ]  # fmt: skip
    assert not b.device.accepts


def test_the_hash_of_the_table_changes_with_what_is_in_it() -> None:
    first, other = Bench(device()).ready(), device()
    other.table[TEN] = parse_money("10 USD")
    assert Bench(other).ready().table_hash != first.table_hash
    assert Bench(device()).ready().table_hash == first.table_hash


def test_no_number_on_record_and_a_counter_that_is_not_0_is_a_baseline_and_a_persons_business() -> None:
    b = bench()
    b.device.post(TWENTY, 0)
    answered = b.until(Answered)
    assert (answered.presence, answered.mark) == (Presence.PATH_EMPTY, 1)
    assert b.codes() == ["events-missed"]
    b.ready()
    assert b.heard(Stacked) == []


def test_the_pace_of_polls_is_the_devices_unless_it_is_fixed() -> None:
    for fixed, pace in ((False, 0.2), (True, 0.5)):
        b = Bench(device(), timing=Timing(poll=0.5, poll_is_fixed=fixed))
        b.ready()
        b.run(3)
        before = len(b.times(Header.NOTE_EVENTS))
        b.run(10)
        polls = b.times(Header.NOTE_EVENTS)[before:]
        assert max(later - at for at, later in pairwise(polls)) < pace + 0.1
        assert len(polls) <= 10 / pace + 1


def test_polls_that_follow_each_other_closely_leave_room_for_everything_else() -> None:
    b = Bench(device(), timing=Timing(poll=0.005, poll_is_fixed=True))
    b.stacked()
    b.cleared()


def test_a_validator_is_read_often_enough_for_its_watchdog_whatever_happens() -> None:
    b = bench(proceeds=False)
    b.until(Answered)
    b.run(30)
    b.step(Proceed())
    b.enabled()
    b.run(30)
    assert b.device.accepts
    reads = b.times(Header.NOTE_EVENTS)
    assert max(later - at for at, later in pairwise(reads)) < NOTES.watchdog


# --- a note ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("checksum", Checksum)
@pytest.mark.parametrize("echo", [False, True])
def test_a_note_is_held_stacked_told_and_done_with(checksum: Checksum, echo: bool) -> None:
    b = Bench(device(), checksum=checksum, echo=echo)
    escrowed = b.escrowed()
    assert (escrowed.note_type, escrowed.value, escrowed.mark) == (TWENTY, TABLE[TWENTY], 1)
    assert escrowed.table_hash == b.heard(Ready)[0].table_hash
    b.command(CashCommand.STACK)
    stacked = b.until(Stacked)
    assert (stacked.note_type, stacked.value, stacked.mark) == (TWENTY, TABLE[TWENTY], 2)
    assert b.cleared() == Cleared(None, enabled=True)
    assert b.places() == [Place.BOX]
    assert b.routes() == [Route.STACK]
    assert b.heard(Completed) == [Completed(CashCommand.ENABLE), Completed(CashCommand.STACK)]
    assert len(b.heard(Stacking)) == 1
    assert b.heard(Accepting) == []


def test_a_note_is_returned_on_request() -> None:
    b = bench()
    b.escrowed()
    b.command(CashCommand.RETURN)
    assert b.until(Returned).mark == 2
    b.cleared()
    assert b.places() == [Place.HAND]
    assert b.routes() == [Route.RETURN]


def test_a_note_in_escrow_is_told_once_and_held_as_long_as_the_caller_likes() -> None:
    b = bench()
    b.escrowed()
    b.run(120)
    assert len(b.heard(Escrowed)) == 1
    assert b.places() == [Place.ESCROW]
    assert set(b.requests(Header.ROUTE)) == {Request(Header.ROUTE, b"\xff")}
    assert len(b.requests(Header.ROUTE)) >= 12, "well within the 30 s that it is held"


def test_nothing_is_routed_that_was_not_asked_for() -> None:
    b = bench()
    b.escrowed()
    b.run(60)
    assert b.routes() == []


@pytest.mark.parametrize("command", [CashCommand.STACK, CashCommand.RETURN])
def test_a_route_without_a_note_in_escrow_is_refused(command: CashCommand) -> None:
    b = bench()
    b.enabled()
    b.command(command)
    assert b.until(Completed) == Completed(command, Refusal.NO_NOTE_IN_ESCROW)
    assert b.routes() == []


SELDOM = Timing(poll=1.0, poll_is_fixed=True)


def test_the_events_are_read_right_before_a_note_is_moved() -> None:
    b = Bench(device(), timing=SELDOM)
    b.escrowed()
    b.run(0.3)
    before = len(b.sent)
    b.command(CashCommand.STACK)
    b.until(Completed)
    assert b.requests()[before:][:2] == [Request(Header.NOTE_EVENTS), STACK]


def test_a_route_whose_answer_was_lost_has_the_events_read_before_anything_else() -> None:
    b = Bench(device(), timing=SELDOM)
    b.escrowed()
    b.device.metal.stage_seconds = 0.1
    b.from_device = On(STACK, b, 1, nothing)
    b.command(CashCommand.STACK)
    b.until(Stacked)
    assert b.requests()[b.requests().index(STACK) + 1] == Request(Header.NOTE_EVENTS)
    assert HOLD not in b.requests()


def test_154_answering_254_is_no_decision_the_event_is() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.give_back(b.now)  # Its time was over, and nobody has read so yet.
    b.device.metal.stage_seconds = 2.0
    b.command(CashCommand.STACK)
    assert b.until(Completed) == Completed(CashCommand.STACK, Refusal.NO_NOTE_IN_ESCROW)
    assert b.heard(Stacked) == []
    b.until(Returned)
    assert b.places() == [Place.HAND]


def test_a_rejected_note_never_was_in_escrow() -> None:
    b = bench()
    b.enabled()
    b.insert(readable=False)
    assert b.until(Rejected) == Rejected("validation", 1)
    b.cleared()
    assert b.places() == [Place.HAND]


def test_a_type_that_the_table_does_not_name_has_no_value() -> None:
    b = bench()
    assert b.escrowed(UNKNOWN_TYPE).value is None


def test_an_unknown_type_stacked_is_in_the_box_and_is_no_type_of_the_table() -> None:
    b = bench()
    b.escrowed()
    b.device.post(0, 21)
    stacked = b.until(Stacked)
    assert stacked.value is None
    assert stacked.note_type not in b.heard(Ready)[0].values


def test_one_event_is_told_at_a_time_and_the_next_only_after_acknowledge() -> None:
    b = bench(acknowledges=False)
    b.enabled()
    b.device.post(TWENTY, 0)
    b.device.post(0, 2)
    b.device.post(FIVE, 0)
    first = b.until(Stacked)
    b.run(20)
    assert b.heard(Stacked) == [first]
    assert b.heard(Rejected) == []
    b.step(Acknowledge())
    assert b.heard(Rejected) == [Rejected("validation", 2)]
    assert b.heard(Stacked) == [first]
    b.step(Acknowledge())
    assert [(stacked.note_type, stacked.mark) for stacked in b.heard(Stacked)] == [(TWENTY, 1), (FIVE, 3)]
    assert b.marks[b.serial] == 3
    b.run(5)
    assert b.heard(Cleared) == []


def test_an_event_that_is_never_acknowledged_is_told_again_after_a_restart_and_no_other_is_lost() -> None:
    b = bench(acknowledges=False)
    b.enabled()
    b.records = False  # The journal fails.
    b.device.post(TWENTY, 0)
    b.device.post(FIVE, 0)
    b.until(Stacked)
    b.run(3)
    b.records = b.acknowledges = True
    b.restart()
    answered = b.until(Answered)
    assert (answered.presence, answered.note_type, answered.mark) == (Presence.STACKED, TWENTY, 1)
    assert (b.until(Stacked).note_type, b.marks[b.serial]) == (FIVE, 2)


def test_the_counter_goes_round_from_255_to_1_and_no_note_is_told_twice_or_not_at_all() -> None:
    b = bench()
    b.enabled()
    for _ in range(300):
        b.device.post(TWENTY, 0)
        b.run(0.3)
    marks = [stacked.mark for stacked in b.heard(Stacked)]
    assert marks == [place % 255 + 1 for place in range(300)]
    assert b.codes() == []


# --- enable, disable ------------------------------------------------------------------------------------------------


def test_enable_before_ready_is_refused() -> None:
    b = bench()
    b.until(Answered)
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE, Refusal.NOT_READY)
    b.ready()
    assert not b.device.accepts


def test_disable_shuts_the_slot() -> None:
    b = bench()
    b.enabled()
    b.command(CashCommand.DISABLE)
    assert b.until(Completed) == Completed(CashCommand.DISABLE)
    assert not b.device.accepts


@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.parametrize("command", [CashCommand.ENABLE, CashCommand.DISABLE])
def test_enable_and_disable_are_asked_again_when_their_answer_is_lost(lost: int, command: CashCommand) -> None:
    b = bench()
    b.enabled()
    b.from_device = On(Header.SET_MASTER, b, lost, nothing)
    b.command(command)
    assert b.until(Completed) == Completed(command)
    assert b.device.accepts == (command is CashCommand.ENABLE)


def test_enable_that_is_never_answered_is_refused_and_not_done_by_itself_later() -> None:
    b = bench()
    b.ready()
    b.to_device = On(Header.SET_MASTER, b, 3, nothing)
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE, Refusal.NO_ANSWER)
    b.device.post(0, 0)
    b.run(5)
    assert not b.device.accepts


def test_master_inhibit_active_has_the_slot_opened_again_if_it_should_be_open() -> None:
    b = bench()
    b.enabled()
    b.device.master = False
    b.device.post(0, 0)
    b.run(1)
    assert b.device.accepts
    assert b.heard(Completed) == [Completed(CashCommand.ENABLE)]


@pytest.mark.parametrize("acknowledges", [True, False])
def test_master_inhibit_active_leaves_a_slot_shut_that_should_be(acknowledges: bool) -> None:
    b = bench()
    b.enabled()
    b.command(CashCommand.DISABLE)
    b.until(Completed)
    b.device.post(0, 0)
    b.run(3)
    assert not b.device.accepts


def test_disable_wins_over_the_machines_own_wish_to_open_again() -> None:
    b = bench()
    b.enabled()
    b.device.master = False
    b.device.post(0, 0)
    b.run(0.23)
    b.command(CashCommand.DISABLE)
    b.run(2)
    assert not b.device.accepts


def test_the_poll_watchdog_of_5_s_shuts_the_slot_and_it_opens_again() -> None:
    b = bench()
    b.enabled()
    b.now += 5.5
    b.device.advance(b.now)
    assert not b.device.master
    b.run(2)
    assert b.device.accepts
    assert b.heard(Lost) == []


# --- lost, damaged and late -----------------------------------------------------------------------------------------

EVERY_QUESTION = [
    *WHO, Header.NOTE_EVENTS, Header.SELF_CHECK, Header.NOTE_ID, Header.SCALING, Header.REVISION, Header.SET_MODE,
    Header.SET_INHIBITS, Header.SET_MASTER,
]  # fmt: skip


@pytest.mark.parametrize("change", [nothing, damaged], ids=["lost", "damaged"])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("header", EVERY_QUESTION)
def test_any_question_is_asked_again_when_its_answer_is_lost_or_damaged(
    header: Header, times: int, change: Disturb
) -> None:
    b = bench()
    lost = b.from_device = On(header, b, times, change)
    assert b.ready().values == TABLE
    assert lost.left == 0
    assert b.codes() == []


@pytest.mark.parametrize("header", EVERY_QUESTION)
def test_a_question_that_arrives_damaged_is_asked_again(header: Header) -> None:
    b = bench()
    b.to_device = On(header, b, 2, damaged)
    assert b.ready().values == TABLE


@pytest.mark.parametrize(
    "missing", [Header.MANUFACTURER, Header.POLLING_PRIORITY, Header.GET_INHIBITS, Header.REVISION]
)
def test_a_header_that_the_device_does_not_have_is_done_without(missing: Header) -> None:
    b = bench()
    b.from_device = On(missing, b, 10_000, nothing)
    b.stacked()
    b.cleared()
    b.run(10)
    asked = len(b.requests(missing))
    assert asked <= 3, "and is not asked for ever"
    assert b.heard(Lost) == []


def test_a_device_that_never_says_who_it_is_is_not_used_and_a_person_hears_of_it() -> None:
    b = bench()
    b.from_device = On(Header.SERIAL, b, 15, nothing)
    b.run(6)
    assert b.codes() == ["failure-not-identified"]
    assert b.heard(Answered) == []
    b.ready()
    assert b.codes() == ["failure-not-identified", "failure-not-identified over"]


@pytest.mark.parametrize("change", [nothing, damaged], ids=["lost", "damaged"])
def test_154_1_with_its_answer_lost_is_never_sent_again_the_events_are_read(change: Disturb) -> None:
    b = bench()
    b.escrowed()
    b.from_device = On(STACK, b, 1, change)
    b.command(CashCommand.STACK)
    assert b.until(Completed) == Completed(CashCommand.STACK)
    assert b.until(Stacked).note_type == TWENTY
    b.cleared()
    assert b.routes() == [Route.STACK]
    after = b.requests()[b.requests().index(STACK) + 1]
    assert after.header is Header.NOTE_EVENTS


@pytest.mark.parametrize("change", [nothing, damaged], ids=["lost", "damaged"])
@pytest.mark.parametrize("command", [CashCommand.STACK, CashCommand.RETURN])
def test_154_that_never_arrived_is_not_done_and_the_caller_decides(command: CashCommand, change: Disturb) -> None:
    b = bench()
    b.escrowed()
    route = STACK if command is CashCommand.STACK else RETURN
    b.to_device = On(route, b, 1, change)
    b.command(command)
    assert b.until(Completed) == Completed(command, Refusal.NOT_DONE)
    b.run(3)
    assert b.requests(Header.ROUTE)[0] == route
    assert len(b.routes()) == 1
    assert b.places() == [Place.ESCROW]
    b.command(CashCommand.RETURN)
    b.until(Returned)


def test_154_0_with_its_answer_lost_is_never_sent_again() -> None:
    b = bench()
    b.escrowed()
    b.from_device = On(RETURN, b, 1, nothing)
    b.command(CashCommand.RETURN)
    b.until(Returned)
    b.cleared()
    assert b.routes() == [Route.RETURN]
    assert [c.refused for c in b.heard(Completed)] == [None, None]


def test_154_answering_255_says_nothing_by_itself_the_device_is_asked() -> None:
    b = bench()
    b.escrowed()
    b.from_device = On(STACK, b, 1, lambda _: reply(255))
    b.device.metal.stage_seconds = 3.0
    b.command(CashCommand.STACK)
    assert b.until(Completed) == Completed(CashCommand.STACK)
    b.until(Stacked)
    assert b.routes() == [Route.STACK]


def test_a_device_without_the_look_into_escrow_is_decided_by_its_event() -> None:
    b = bench()
    b.escrowed()
    b.to_device = On(Header.ROUTE, b, 10_000, nothing)
    b.command(CashCommand.STACK)
    b.run(20)
    assert b.routes() == [Route.STACK]
    assert b.heard(Completed)[1:] == []
    b.until(Returned)  # Its time of escrow is over.
    assert b.heard(Completed)[1:] == [Completed(CashCommand.STACK)]


@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize("change", [nothing, damaged], ids=["lost", "damaged"])
def test_events_whose_answer_is_lost_are_read_again_and_credited_once(times: int, change: Disturb) -> None:
    b = bench()
    b.escrowed()
    b.command(CashCommand.STACK)
    b.until(Completed)
    b.from_device = On(Header.NOTE_EVENTS, b, times, change)
    b.until(Stacked)
    b.run(5)
    assert len(b.heard(Stacked)) == 1


def test_every_answer_may_come_late_and_none_is_taken_for_another() -> None:
    b = bench()
    b.enabled()
    b.device.line.slow = 0.35  # Just too late, always.
    b.insert()
    b.run(4)
    b.device.line.slow = 0.0
    b.until(Escrowed)
    b.command(CashCommand.STACK)
    b.until(Stacked)
    b.cleared()
    assert (len(b.heard(Stacked)), b.places()) == (1, [Place.BOX])


def test_money_that_is_said_only_once_under_the_simple_checksum_is_not_believed() -> None:
    b = bench()
    b.enabled()
    lie = reply(1, TWENTY, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    b.from_device = On(Header.NOTE_EVENTS, b, 1, lambda _: lie)
    b.run(5)
    assert b.heard(Stacked) == []
    assert b.codes() == []


def test_an_answer_that_makes_no_sense_is_a_trouble_that_passes() -> None:
    b = bench()
    b.enabled()
    b.from_device = On(Header.NOTE_EVENTS, b, 1, lambda _: reply(1, 2, 3))
    b.run(2)
    assert b.codes() == ["unreadable-answer", "unreadable-answer over"]


def test_busy_is_asked_again_later() -> None:
    b = bench()
    busy = frame(1, 6, source=40)
    b.from_device = On(Header.SERIAL, b, 3, lambda _: busy)
    b.ready()
    b.from_device = On(Header.NOTE_EVENTS, b, 3, lambda _: busy)
    b.escrowed()
    b.from_device = On(STACK, b, 1, lambda _: busy)
    b.command(CashCommand.STACK)
    b.until(Stacked)
    assert b.routes() == [Route.STACK]


def test_a_nak_to_enable_is_a_refusal() -> None:
    b = bench()
    b.ready()
    b.from_device = On(Header.SET_MASTER, b, 1, lambda _: frame(1, 5, source=40))
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE, Refusal.REFUSED)


# --- the echo -------------------------------------------------------------------------------------------------------


def test_an_echo_in_any_pieces_is_dropped() -> None:
    machine = Machine(NOTES, Timing(), echo=True)
    machine.step(Opened(bytes(64)), 0.0)
    b = Bench(device(), echo=True)
    b.from_device = bytes
    b.ready()
    assert all(request.header in Header for request in b.requests())


def test_a_wrong_echo_is_a_collision_and_the_question_is_asked_again() -> None:
    b = Bench(device(), echo=True)
    b.from_device = On(Header.SERIAL, b, 2, lambda data: b"\x55" + data[1:])
    assert b.ready().values == TABLE
    assert len(b.requests(Header.SERIAL)) == 3


def test_a_collision_on_a_route_is_not_sent_again_blindly() -> None:
    b = Bench(device(), echo=True)
    b.escrowed()
    b.from_device = On(STACK, b, 1, lambda data: b"\x55" + data[1:])
    b.command(CashCommand.STACK)
    b.until(Stacked)
    assert b.routes() == [Route.STACK]


def test_a_line_that_does_not_echo_although_it_should_is_silent() -> None:
    b = Bench(device(), echo=True)
    b.device.echo = False
    assert b.until(Lost) == Lost("silent")


# --- box, jam, fraud ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [code for code, meaning in NOTE_STATUS.items() if isinstance(meaning, Reported)])
def test_every_trouble_of_the_sheet_is_told_and_what_stops_acceptance_is_over_when_the_self_check_says_so(
    code: int,
) -> None:
    meaning = NOTE_STATUS[code]
    assert isinstance(meaning, Reported)
    b = bench()
    b.enabled()
    b.device.post(0, code)
    b.run(1)
    assert b.heard(Escrowed) == []
    assert b.codes()[0] == meaning.trouble.code
    if meaning.trouble.kind.stops_acceptance:
        b.until(Ready)
        assert b.codes()[1:] == [meaning.trouble.code + " over"]
        assert not b.device.accepts
    else:
        b.run(3)
        assert b.device.accepts
        assert len(b.codes()) == 1


def test_a_box_that_is_out_stops_until_it_is_back() -> None:
    b = bench()
    b.enabled()
    b.device.change_box(Box.OUT, b.now)
    b.run(30)
    assert b.codes() == ["box-removed"]
    assert len(b.heard(Ready)) == 1
    b.device.change_box(Box.IN, b.now)
    b.until(Ready)
    assert b.codes() == ["box-removed", "box-removed over"]


def test_a_box_that_was_out_before_we_came_is_told() -> None:
    b = bench()
    b.device.change_box(Box.OUT, b.now)
    b.device.counter, b.device.events = 0, type(b.device.events)(maxlen=5)
    b.run(20)
    assert b.codes() == ["box-removed"]
    assert b.heard(Ready) == []


def test_a_full_box_stops_until_it_is_changed() -> None:
    b = bench()
    b.stacked()
    b.device.change_box(Box.FULL, b.now)
    b.run(5)
    assert b.codes() == ["box-full"]
    b.device.change_box(Box.IN, b.now, "BOX-2")
    b.until(Ready)
    b.stacked(FIVE)


@pytest.mark.parametrize("spot", [Spot.HEAD, Spot.TRANSPORT, Spot.BOX])
def test_a_jam_is_told_and_over_when_somebody_has_freed_it(spot: Spot) -> None:
    b = bench()
    b.enabled()
    b.device.jam(spot)
    b.insert()
    if spot is not Spot.HEAD:
        b.until(Escrowed)
        b.command(CashCommand.STACK)
    b.run(20)
    assert b.codes() == ["jam-transport" if spot is Spot.HEAD else "jam-stacker"]
    b.device.free_jam(b.now)
    b.until(Ready)
    assert b.heard(Stacked) == []
    assert b.places() == [Place.CUSTODY]
    assert [c.command for c in b.heard(Completed)] == [
        CashCommand.ENABLE, *([] if spot is Spot.HEAD else [CashCommand.STACK])
    ]  # fmt: skip


def test_a_route_whose_answer_was_lost_ends_once_with_a_jam() -> None:
    b = bench()
    b.escrowed()
    b.device.jam(Spot.BOX)
    stack, looks = On(STACK, b, 1, nothing), On(HOLD, b, 5, nothing)
    b.from_device = lambda data: looks(stack(data))
    b.command(CashCommand.STACK)
    b.run(20)
    assert len(b.heard(Completed)) == 2
    assert "jam-stacker" in b.codes()


def test_somebody_who_pulls_at_a_note_is_a_cheat_and_the_event_still_says_where_it_went() -> None:
    b = bench()
    b.escrowed()
    b.command(CashCommand.STACK)
    b.until(Completed)
    b.device.metal.cheat(b.now)
    b.until(Stacked)
    assert b.codes() == ["cheated-string"]
    assert b.places() == [Place.BOX]


def test_a_failure_stops_until_the_self_check_finds_nothing() -> None:
    b = bench()
    b.enabled()
    b.device.failed = True
    b.run(5)
    assert b.codes() == ["failure-255"]
    b.device.failed = False
    b.until(Ready)


def test_a_second_note_behind_the_first_only_takes_time() -> None:
    b = bench()
    b.escrowed()
    b.command(CashCommand.STACK)
    b.until(Completed)
    b.device.metal.push_second(b.now)
    b.until(Stacked)
    assert b.places() == [Place.BOX]


def test_a_rejection_while_a_note_is_in_escrow_is_not_about_that_note() -> None:
    b = bench()
    b.escrowed()
    b.device.post(0, 3)
    b.until(Rejected)
    b.run(3)
    assert b.heard(Cleared) == []
    b.command(CashCommand.STACK)
    b.until(Stacked)


# --- silence --------------------------------------------------------------------------------------------------------


def test_a_device_that_falls_silent_is_lost_and_comes_back_with_everything_told_anew() -> None:
    b = bench()
    b.enabled()
    b.device.line.mute = True
    assert b.until(Lost) == Lost("silent")
    b.run(20)
    assert len(b.heard(Lost)) == 1
    b.device.line.mute = False
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    b.until(Ready)


def test_a_command_that_waits_when_the_device_is_lost_ends_so() -> None:
    b = bench()
    b.escrowed()
    b.device.line.mute = True
    b.command(CashCommand.STACK)
    b.until(Lost)
    assert b.heard(Completed)[1:] == [Completed(CashCommand.STACK, Refusal.LOST)]


# --- power cuts, restarts, and what is known afterwards -------------------------------------------------------------


def stage(b: Bench, step: Step) -> None:
    """A note comes as far as ``step``, and no further is known of it than that it was in escrow."""
    b.device.metal.stage_seconds = 3.0
    if step is Step.DRAWING_IN:
        b.enabled()
        b.insert()
        return
    b.escrowed()
    if step is Step.STACKING:
        b.command(CashCommand.STACK)
        b.until(Completed)
    if step is Step.RETURNING:
        b.command(CashCommand.RETURN)
        b.until(Completed)


AFTER_POWER = {
    Step.DRAWING_IN: (Place.HAND, Returned),
    Step.ESCROW: (Place.HAND, Returned),
    Step.RETURNING: (Place.HAND, Returned),
    Step.STACKING: (Place.BOX, Stacked),
}


@pytest.mark.parametrize("seconds", [0.1, 2.0, 20.0])
@pytest.mark.parametrize("step", AFTER_POWER)
def test_a_power_cut_at_the_device_is_a_memory_lost_and_its_event_afterwards_still_counts(
    step: Step, seconds: float
) -> None:
    b = bench()
    for _ in range(5):
        b.stacked(FIVE)
        b.cleared()
    stage(b, step)
    b.device.cut_power(b.now)
    b.run(seconds)
    b.device.restore_power(b.now)
    before = len(b.told)
    assert b.until(Answered).presence is Presence.FORGOTTEN
    place, event = AFTER_POWER[step]
    b.until(event)
    b.run(5)
    assert len(b.heard(Ready)) == 2
    assert b.places()[-1] is place
    assert "events-missed" in b.codes()
    assert [type(e) for e in b.told[before:] if isinstance(e, Stacked | Returned)] == [event]


@pytest.mark.parametrize("step", AFTER_POWER)
def test_a_power_cut_at_the_device_whose_start_says_nothing_leaves_it_open(step: Step) -> None:
    b = bench()
    b.device.tells_power_up = False
    b.stacked(FIVE)
    b.cleared()
    stage(b, step)
    b.device.cut_power(b.now)
    b.run(1)
    b.device.restore_power(b.now)
    before = len(b.told)
    assert b.until(Answered).presence is Presence.FORGOTTEN
    b.until(Ready)
    assert not [e for e in b.told[before:] if isinstance(e, Stacked | Returned)]


@pytest.mark.parametrize("step", AFTER_POWER)
def test_a_familiar_counter_after_a_power_cut_deceives_nobody(step: Step) -> None:
    b = bench()
    stage(b, step)  # The first note ever: its events have the numbers that those after power-up have, too.
    b.device.cut_power(b.now)
    b.device.restore_power(b.now)
    b.device.metal.stage_seconds = 0.3
    b.device.advance(b.now)
    b.now += 5
    b.device.advance(b.now)
    b.restart()
    assert b.until(Answered).presence in (Presence.FORGOTTEN, AFTER[step])
    b.until(Ready)
    told = sum(isinstance(event, Stacked) for event in b.told)
    assert told <= b.places().count(Place.BOX)


AFTER = {
    Step.DRAWING_IN: Presence.RETURNABLE,
    Step.ESCROW: Presence.FORGOTTEN,
    Step.RETURNING: Presence.FORGOTTEN,
    Step.STACKING: Presence.FORGOTTEN,
}


def test_a_power_cut_between_two_reads_is_seen_by_the_events_though_their_number_is_the_same() -> None:
    b = bench()
    stage(b, Step.STACKING)  # The first note ever: its number is that of the first event after power-up, too.
    number = b.device.counter
    b.device.cut_power(b.now)
    b.device.restore_power(b.now)
    b.device.metal.stage_seconds = 0.05
    while b.device.counter < number:
        b.now += 0.05
        b.device.advance(b.now)
    before = len(b.heard(Answered))
    b.until(Answered, 10.0)
    assert len(b.heard(Answered)) == before + 1
    assert b.heard(Answered)[-1].presence is Presence.FORGOTTEN


def test_a_restart_between_two_reads_is_seen_by_the_inhibits() -> None:
    b = bench()
    b.enabled()
    assert b.marks[b.serial] == 0
    b.device.cut_power(b.now)
    b.device.restore_power(b.now)
    assert not b.device.accepts
    b.until(Answered, 10)
    b.until(Ready)


def test_a_spontaneous_reset_with_a_note_in_escrow_is_a_memory_lost() -> None:
    b = bench()
    b.escrowed()
    b.device.receive(frame(40, Header.RESET), b.now)
    assert b.until(Answered).presence is Presence.FORGOTTEN
    b.until(Ready)
    assert b.places() == [Place.HAND]
    assert b.heard(Stacked) == []


@pytest.mark.parametrize("step", [Step.STACKING, Step.RETURNING])
def test_the_process_dies_and_what_happened_meanwhile_is_the_first_answer(step: Step) -> None:
    b = bench()
    stage(b, step)
    b.now += 10
    b.restart()
    answered = b.until(Answered)
    expected = (Presence.STACKED, TWENTY) if step is Step.STACKING else (Presence.RETURNABLE, None)
    assert (answered.presence, answered.note_type) == expected
    assert answered.mark == 2
    b.until(Ready)
    assert b.heard(Stacked) == []
    assert "events-missed" not in b.codes()


@pytest.mark.parametrize("step", [Step.STACKING, Step.RETURNING])
def test_the_process_dies_while_a_note_moves_and_its_event_is_waited_for(step: Step) -> None:
    b = bench()
    stage(b, step)
    b.restart()
    b.now += 0.5
    answered = b.until(Answered)
    expected = Presence.STACKED if step is Step.STACKING else Presence.RETURNABLE
    assert (answered.presence, answered.mark) == (expected, 2)


def test_the_process_dies_with_a_note_in_escrow_and_finds_it_there() -> None:
    b = bench(proceeds=False)
    b.proceeds = True
    b.escrowed()
    b.proceeds = False
    b.restart()
    answered = b.until(Answered)
    assert (answered.presence, answered.note_type, answered.mark) == (Presence.IN_ESCROW, TWENTY, 1)
    b.run(40)
    assert b.places() == [Place.ESCROW], "its time of escrow is started anew as long as the caller decides"
    b.command(CashCommand.RETURN)
    b.step(Proceed())
    b.until(Returned)
    b.until(Ready)
    assert b.places() == [Place.HAND]


def test_a_note_that_left_escrow_and_whose_event_never_comes_is_a_jam_not_an_empty_path() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.give_back(b.now)
    b.device.metal.mishaps.customer_leaves = True
    b.now += 1
    b.restart()
    began = b.now
    assert b.until(Answered).presence is Presence.JAMMED
    assert 30 <= b.now - began < 33
    b.until(Ready)


@pytest.mark.parametrize("command", [CashCommand.STACK, CashCommand.RETURN])
def test_ready_is_not_told_while_a_note_of_before_still_moves(command: CashCommand) -> None:
    b = bench()
    b.escrowed()
    b.proceeds = False
    b.restart()
    b.device.metal.stage_seconds = 4.0
    assert b.until(Answered).presence is Presence.IN_ESCROW
    before = len(b.told)
    b.command(command)
    b.step(Proceed())
    b.until(Ready)
    assert [type(event) for event in b.told[before:] if isinstance(event, Stacked | Returned | Ready)] == [
        Stacked if command is CashCommand.STACK else Returned, Ready,
    ]  # fmt: skip


def test_a_self_check_that_finds_nothing_is_not_ready_while_a_note_is_in_escrow() -> None:
    b = bench()
    b.escrowed()
    b.restart()
    b.until(Answered)
    before = len(b.heard(Ready))
    b.device.post(0, 10)
    b.run(20)
    assert len(b.heard(Ready)) == before
    b.command(CashCommand.RETURN)
    b.until(Returned)
    b.until(Ready)


def test_a_note_that_moves_at_the_first_answer_is_waited_for_and_a_jam_if_its_event_never_comes() -> None:
    b = bench()
    b.enabled()
    b.device.post(TWENTY, 1)
    b.restart()
    assert b.until(Answered).presence is Presence.MOVING
    began = b.now
    b.until(Ready)
    assert b.now - began >= 30
    assert b.codes() == ["jam-no-event", "jam-no-event over"]


def test_a_jam_that_is_freed_without_switching_off_leaves_no_note_to_wait_for() -> None:
    b = bench()
    b.escrowed()
    b.device.post(0, 6)
    b.device.metal.free()
    b.until(Ready, 10)
    assert b.codes() == ["jam-transport", "jam-transport over"]


def test_events_that_the_caller_never_recorded_come_again() -> None:
    b = bench()
    b.enabled()
    b.records = False
    b.insert()
    b.until(Escrowed)
    b.records = True
    b.restart()
    answered = b.until(Answered)
    assert (answered.presence, answered.note_type, answered.mark) == (Presence.IN_ESCROW, TWENTY, 1)


def test_1_to_5_missed_events_are_told_oldest_first_and_each_once() -> None:
    b = bench()
    b.stacked(FIVE)
    b.cleared()
    for a, what in ((TWENTY, 1), (0, 1), (TEN, 1), (TEN, 0), (0, 2)):
        b.device.post(a, what)
    b.restart()
    before = len(b.told)
    answered = b.until(Answered)
    assert (answered.presence, answered.note_type, answered.mark) == (Presence.MOVING, TWENTY, 3)
    b.until(Ready)
    marks = [(type(e), e.mark) for e in b.told[before:] if isinstance(e, Returned | Escrowed | Stacked | Rejected)]
    assert marks == [(Returned, 4), (Escrowed, 5), (Stacked, 6), (Rejected, 7)]
    assert "events-missed" not in b.codes()


def test_more_than_5_missed_events_are_a_memory_lost_and_the_last_5_are_told() -> None:
    b = bench()
    b.escrowed()
    for _ in range(6):
        b.device.post(0, 2)
    b.device.metal.give_back(b.now)
    b.now += 1
    b.restart()
    answered = b.until(Answered)
    assert (answered.presence, answered.mark) == (Presence.FORGOTTEN, 3)
    assert b.codes() == ["events-missed"]
    before = b.told.index(answered)
    b.until(Ready)
    assert [e.mark for e in b.told[before + 1 :] if isinstance(e, Rejected | Returned)] == [4, 5, 6, 7, 8]


def test_more_than_5_events_between_two_reads_begin_everything_anew() -> None:
    b = bench()
    b.enabled()
    for _ in range(7):
        b.device.post(0, 2)
    assert b.until(Answered).presence is Presence.FORGOTTEN
    b.until(Ready)


def test_statuses_before_the_first_answer_are_told_but_do_not_set_the_number_on_record_back() -> None:
    b = bench()
    stage(b, Step.STACKING)
    b.device.post(0, 18)
    b.device.post(0, 2)
    b.now += 10
    b.restart()
    answered = b.until(Answered)
    assert (answered.presence, answered.mark) == (Presence.STACKED, 4)
    b.until(Ready)
    assert b.codes() == ["cheated-string"]
    assert b.heard(Rejected) == [Rejected("validation", None)]
    assert b.marks[b.serial] == 4


def test_a_note_that_is_in_escrow_without_memory_goes_back() -> None:
    b = bench()
    b.escrowed()
    b.device.post(0, 2)
    for _ in range(6):
        b.device.post(0, 10)
    b.restart()
    assert b.until(Answered).presence is Presence.FORGOTTEN
    b.until(Returned)
    b.until(Ready)
    assert b.places() == [Place.HAND]


def test_another_device_in_its_place_says_so_and_brings_its_own_numbers() -> None:
    b = bench()
    b.stacked()
    b.cleared()
    b.device.serial = "777"
    b.device.cut_power(b.now)
    b.run(10)
    b.device.restore_power(b.now)
    answered = b.until(Answered)
    assert answered.identity is not None
    assert (answered.identity.serial, answered.presence) == ("777", Presence.PATH_EMPTY)
    assert b.marks == {SERIAL: 2, "777": 0}


def test_a_stacked_first_answer_holds_the_rest_until_it_is_acknowledged() -> None:
    b = bench()
    b.enabled()
    b.device.post(TWENTY, 0)
    b.device.post(FIVE, 0)
    b.acknowledges = False
    b.restart()
    assert b.until(Answered).presence is Presence.STACKED
    b.run(5)
    assert b.heard(Stacked) == []
    b.step(Acknowledge())
    assert [stacked.note_type for stacked in b.heard(Stacked)] == [FIVE]


def test_ready_waits_until_everything_is_told() -> None:
    b = bench()
    b.enabled()
    b.device.post(TWENTY, 0)
    b.device.post(FIVE, 0)
    b.acknowledges = False
    b.restart()
    before = len(b.heard(Ready))
    b.until(Answered)
    b.step(Acknowledge())
    b.run(10)
    assert len(b.heard(Ready)) == before
    b.step(Acknowledge())
    b.until(Ready)


def test_the_simulators_paper_outlives_its_own_power_cut(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("vault") / "notes.json"
    b = Bench(device(Vault.open(file)))
    stage(b, Step.STACKING)
    other = Bench(device(Vault.open(file)), marks=b.marks)
    other.until(Answered)
    other.until(Stacked)
    assert other.places() == [Place.BOX]


def test_a_tick_too_many_changes_nothing() -> None:
    b = bench()
    b.enabled()
    for _ in range(20):
        b.step(Tick())
    assert b.machine.phase is Phase.RUNNING
    assert b.heard(Lost) == []


def test_at_another_address_it_is_the_same() -> None:
    role = replace(NOTES, address=41)
    machine = Machine(role, Timing())
    machine.step(Opened(bytes(64)), 0.0)
    sent = machine.step(Tick(), 0.0)
    assert [getattr(output, "data", b"")[0] for output in sent] == [41]
