"""The host's side of ccTalk: a note from the mouth to the box."""

from __future__ import annotations

import pytest

from drivers.api.cash import (
    Accepting,
    CashCommand,
    Cleared,
    Completed,
    Escrowed,
    Ready,
    Rejected,
    Returned,
    Stacked,
    Stacking,
)
from drivers.cash.cctalk.framing import Checksum
from drivers.cash.cctalk.messages import Header, Request, Route
from drivers.simulation.notes import Place
from tests.drivers.cash.cctalk.virtual import TABLE, TWENTY, UNKNOWN_TYPE, Bench, bench, device
from tests.drivers.cash.sheet import row


@row("exchange: bill with escrow")
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


@row("154 255 restarts the time of escrow")
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


@row("stack sent, (0,21)")
def test_an_unknown_type_stacked_is_in_the_box_and_is_no_type_of_the_table() -> None:
    b = bench()
    b.escrowed()
    b.device.post(0, 21)
    stacked = b.until(Stacked)
    assert stacked.value is None
    assert stacked.note_type not in b.heard(Ready)[0].values
