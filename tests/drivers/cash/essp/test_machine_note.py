"""The host's side of SSP: a note from the mouth to the box."""

from __future__ import annotations

from itertools import pairwise

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
from drivers.cash.essp.events import EventCode
from drivers.cash.essp.messages import Command, Counters, Polled
from drivers.cash.essp.simulator_device import Says
from drivers.simulation.notes import Place
from tests.drivers.cash.essp.virtual import TABLE, TWENTY, UNKNOWN_TYPE, bench, polled, say
from tests.drivers.cash.sheet import row

STACK, RETURN, ENABLE, DISABLE = CashCommand.STACK, CashCommand.RETURN, CashCommand.ENABLE, CashCommand.DISABLE
POLL, HOLD, REJECT, ACK = Command.POLL_WITH_ACK, Command.HOLD, Command.REJECT, Command.EVENT_ACK


def test_the_count_is_of_stacked_and_stored_notes_and_wraps_at_32_bits() -> None:
    b = bench()
    b.device.counted_before = 2**32 - 1
    assert b.ready().stacked_counter == 2**32 - 1
    b.escrowed()
    b.command(STACK)
    assert b.cleared().stacked_counter == 0
    assert b.machine.capabilities.counter_modulus == 2**32


@row("58 counters before and after")
def test_the_count_adds_what_was_stacked_and_what_was_stored() -> None:
    b = bench()
    b.device.instead = lambda request, answer: (
        Counters(2, 3, 4, 5, 6) if request.command is Command.COUNTERS else answer
    )
    assert b.ready().stacked_counter == 5


@row("exchange: note accepted", "EF 03", "EE credit")
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


@row("18 hold restarts 10 s")
def test_after_a_note_is_in_escrow_there_is_no_poll_but_hold_every_two_seconds() -> None:
    b = bench()
    b.escrowed()
    b.sent.clear()
    b.run(30)
    assert set(b.commands()) == {HOLD}
    gaps = [after - before for before, after in pairwise(b.times())]
    assert 1.9 < min(gaps) <= max(gaps) < 2.1
    assert b.places() == [Place.ESCROW]


@row("the poll after EF is the stack command")
def test_the_poll_after_a_read_is_the_stack_command_and_comes_only_from_the_caller() -> None:
    b = bench()
    b.escrowed()
    b.run(3)
    b.sent.clear()
    b.command(STACK)
    b.run(0.05)
    assert b.commands()[0] is POLL
    assert b.device.doing is Says.STACKING


def test_a_note_that_nobody_decides_about_is_held_for_two_minutes_and_then_comes_back() -> None:
    b = bench()
    b.escrowed()
    b.run(100)
    assert b.places() == [Place.ESCROW]
    b.cleared()
    assert b.heard(Returned)
    assert b.done(REJECT) == []
    assert b.places() == [Place.HAND]


@row("escrow timeout: 13")
def test_a_note_that_the_device_gives_back_by_itself_is_told_as_returned() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.escrow_seconds = 0.5
    b.run(2.1)
    b.cleared()
    assert b.heard(Returned)
    assert b.places() == [Place.HAND]


@row("ED rejecting and EC rejected")
@pytest.mark.parametrize(("readable", "kind", "reason"), [(False, TWENTY, "average"), (True, 9, "inhibited")])
def test_a_note_that_is_not_recognised_is_rejected_with_a_reason(readable: bool, kind: int, reason: str) -> None:
    b = bench()
    b.enabled()
    b.insert(kind, readable=readable)
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
    b.insert()
    escrowed = b.until(Escrowed)
    assert (escrowed.note_type, escrowed.value) == (UNKNOWN_TYPE, None)
    b.command(RETURN)
    b.cleared()
    assert b.places() == [Place.HAND]


@row("EE credit", "CC stacking")
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


@row("EB stacked is no credit", "EA safe jam is no credit", "DB and payout events are no note of a deposit")
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
