"""The host's side of ccTalk: troubles and the cash box."""

from __future__ import annotations

import pytest

from drivers.api.cash import CashCommand, Cleared, Completed, Escrowed, Ready, Rejected, Stacked
from drivers.cash.cctalk.events import NOTE_STATUS, Reported
from drivers.simulation.mechanism import Box, Spot
from drivers.simulation.notes import Place
from tests.drivers.cash.cctalk.virtual import FIVE, bench
from tests.drivers.cash.sheet import row


@row("every bill event", "232 fault codes")
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
