"""The host's side of CCNET: troubles and the cash box."""

from __future__ import annotations

from itertools import pairwise

import pytest

from drivers.api.cash import Answered, CashCommand, Presence, Ready, Stacked, Trouble, TroubleKind
from drivers.cash.ccnet.framing import frame
from drivers.cash.ccnet.messages import Command, State
from drivers.simulation.mechanism import Box, Spot
from drivers.simulation.notes import Place
from tests.drivers.cash.bench import On
from tests.drivers.cash.ccnet.virtual import SERIAL, Bench, bench, device, trouble
from tests.drivers.cash.sheet import row

STACK, RETURN = CashCommand.STACK, CashCommand.RETURN


@row("sequence: jam", "44 jam in box")
def test_a_jam_is_told_and_the_device_reset_three_times_with_growing_patience() -> None:
    b = bench()
    b.escrowed()
    b.device.jam(Spot.BOX)
    b.command(STACK)
    assert b.until(Trouble) == Trouble(TroubleKind.JAM, "box")
    stuck, resets = b.now, len(b.commands(Command.RESET))
    b.run(3600)
    pauses = [after - before for before, after in pairwise([stuck, *b.times(Command.RESET)[resets:]])]
    assert pauses == [pytest.approx(seconds, abs=0.5) for seconds in (10, 30, 90)], "and then no more"
    assert b.places() == [Place.TRANSPORT]
    b.device.free_jam(b.now)
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    assert Trouble(TroubleKind.JAM, "box", over=True) in b.troubles()
    b.until(Ready)
    assert b.places() == [Place.CUSTODY]
    assert not b.heard(Stacked)


@pytest.mark.parametrize(
    ("state", "code"),
    [(State.BOX_FULL, "box-full"), (State.CHEATED, "cheated"), (State.FAILURE, "failure-50")],
)
def test_trouble_is_told_once_with_its_code(state: State, code: str) -> None:
    b = bench()
    b.ready()
    b.device.metal.stage_seconds = 5.0
    trouble(b.device, state, b.now)
    assert b.until(Trouble).code == code
    b.run(2)
    assert [trouble.code for trouble in b.troubles() if not trouble.over] == [code]


@row("sequence: cheat", "45 cheated")
def test_an_attempt_to_cheat_passes_and_the_note_in_escrow_comes_back() -> None:
    b = bench()
    b.escrowed()
    trouble(b.device, State.CHEATED, b.now)
    b.cleared()
    assert b.troubles() == [Trouble(TroubleKind.CHEATED), Trouble(TroubleKind.CHEATED, over=True)]
    assert b.places() == [Place.HAND]


@row("47 failure")
def test_a_failure_is_reset_and_the_device_read_anew() -> None:
    b = bench()
    b.enabled()
    trouble(b.device, State.FAILURE, b.now)
    b.until(Ready)
    assert b.troubles() == [Trouble(TroubleKind.FAILURE, "50"), Trouble(TroubleKind.FAILURE, "50", over=True)]
    assert b.device.state is State.DISABLED


@row("sequence: box removed and replaced")
def test_a_box_that_is_taken_out_and_put_back_leads_to_a_device_that_is_read_anew() -> None:
    b = bench()
    b.enabled()
    b.device.change_box(Box.OUT, b.now)
    assert b.until(Trouble) == Trouble(TroubleKind.BOX_REMOVED)
    resets = len(b.commands(Command.RESET))
    b.run(5)
    b.device.change_box(Box.IN, b.now, "BOX-2")
    b.until(Ready)
    assert b.troubles()[-1] == Trouble(TroubleKind.BOX_REMOVED, over=True)
    assert len(b.commands(Command.RESET)) == resets, "the device initialises by itself"
    assert b.device.state is State.DISABLED


@pytest.mark.parametrize(
    ("state", "code", "presence"),
    [
        (State.BOX_REMOVED, "box-removed", Presence.MOVING),
        (State.BOX_FULL, "box-full", Presence.PATH_EMPTY),
        (State.JAM_BOX, "jam-box", Presence.JAMMED),
        (State.FAILURE, "failure-50", Presence.JAMMED),
    ],
)
def test_trouble_that_was_there_before_the_process_is_told_too(state: State, code: str, presence: Presence) -> None:
    validator = device()
    trouble(validator, state, 0.0)
    b = Bench(validator)
    assert b.until(Answered).presence is presence
    b.run(0.5)
    assert code in [trouble.code for trouble in b.troubles() if not trouble.over]


def test_a_box_that_is_taken_out_while_the_device_is_being_read_does_not_stop_it_for_ever() -> None:
    b = bench()
    b.until_state(State.DISABLED)
    b.device.change_box(Box.OUT, b.now)
    b.run(10)
    assert not b.heard(Ready)
    b.device.change_box(Box.IN, b.now, "BOX-2")
    assert b.ready().identity.serial == SERIAL


def test_a_box_that_is_taken_out_while_the_device_is_being_read_is_noticed() -> None:
    b = bench()
    b.until(Answered)
    b.from_device = On(Command.GET_NOTE_TABLE, b, 5, lambda _: frame(b"\x30"))
    b.run(2)
    b.device.change_box(Box.OUT, b.now)
    assert b.until(Trouble) == Trouble(TroubleKind.BOX_REMOVED)
    b.device.change_box(Box.IN, b.now, "BOX-2")
    b.until(Ready)
    assert Trouble(TroubleKind.BOX_REMOVED, over=True) in b.troubles()
