"""The host's side of ccTalk: the command that moves a note, and what became of it."""

from __future__ import annotations

import pytest

from drivers.api.cash import CashCommand, Completed, Refusal, Returned, Stacked
from drivers.cash.cctalk.messages import Header, Request, Route
from drivers.cash.cctalk.timing import Timing
from drivers.simulation.mechanism import Spot
from drivers.simulation.notes import Place
from tests.drivers.cash.bench import Disturb, On, damaged, nothing
from tests.drivers.cash.cctalk.virtual import HOLD, RETURN, STACK, TWENTY, Bench, bench, device, reply
from tests.drivers.cash.sheet import row

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


@row("154 answers 254: escrow empty")
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


@row("154 is never sent again blindly")
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


@row("154 is never sent again blindly")
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


@row("154 is never sent again blindly")
def test_154_0_with_its_answer_lost_is_never_sent_again() -> None:
    b = bench()
    b.escrowed()
    b.from_device = On(RETURN, b, 1, nothing)
    b.command(CashCommand.RETURN)
    b.until(Returned)
    b.cleared()
    assert b.routes() == [Route.RETURN]
    assert [c.refused for c in b.heard(Completed)] == [None, None]


@row("154 answers 255: failed")
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


@row("the echo is read back")
def test_a_collision_on_a_route_is_not_sent_again_blindly() -> None:
    b = Bench(device(), echo=True)
    b.escrowed()
    b.from_device = On(STACK, b, 1, lambda data: b"\x55" + data[1:])
    b.command(CashCommand.STACK)
    b.until(Stacked)
    assert b.routes() == [Route.STACK]


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
