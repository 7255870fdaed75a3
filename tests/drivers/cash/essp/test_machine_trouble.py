"""The host's side of SSP: troubles and the cash box."""

from __future__ import annotations

import pytest

from drivers.api.cash import Answered, CashCommand, Escrowed, Presence, Ready, Stacked, Stacking, Trouble, TroubleKind
from drivers.cash.essp.events import EventCode
from drivers.cash.essp.messages import Command
from drivers.simulation.mechanism import Box, Spot
from drivers.simulation.notes import Place
from tests.drivers.cash.essp.virtual import bench, polled, quiet_device, say
from tests.drivers.cash.sheet import each_row, row

STACK, RETURN, ENABLE, DISABLE = CashCommand.STACK, CashCommand.RETURN, CashCommand.ENABLE, CashCommand.DISABLE
POLL, HOLD, REJECT, ACK = Command.POLL_WITH_ACK, Command.HOLD, Command.REJECT, Command.EVENT_ACK


@pytest.mark.parametrize(("spot", "where"), [(Spot.BOX, "transport"), (Spot.HEAD, "head")])
def test_a_jam_is_told_and_lasts_until_the_path_is_free(spot: Spot, where: str) -> None:
    b = bench()
    b.enabled()
    b.device.jam(spot)
    b.insert()
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


REPEATED: list[tuple[str, EventCode | tuple[EventCode, int], str]] = [
    ("E7 full", EventCode.STACKER_FULL, "box-full"),
    ("E9 unsafe jam", EventCode.UNSAFE_JAM, "jam-head"),
    ("E0 path open", EventCode.PATH_OPEN, "failure-path-open"),
    ("E6 fraud", (EventCode.FRAUD, 2), "cheated"),
]


@each_row(["code", "word"], REPEATED)
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


@row("E3 and E4 box")
def test_a_box_that_was_out_unseen_is_told_as_out_and_back() -> None:
    b = bench()
    b.ready()
    b.device.change_box(Box.IN, b.now, "BOX-2")
    b.until(Ready)
    out = Trouble(TroubleKind.BOX_REMOVED)
    assert b.troubles() == [out, Trouble(TroubleKind.BOX_REMOVED, over=True)]


def test_trouble_that_was_there_before_the_process_is_told_too() -> None:
    b = quiet_device()
    b.device.metal.box = Box.FULL
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    assert b.troubles() == []
    b.go_on()
    assert b.troubles() == [Trouble(TroubleKind.BOX_FULL)]
