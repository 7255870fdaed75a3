"""ID-003 row by row: the frames that a unit sends, what the caller has on record, and what becomes of the note."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from drivers.api.cash import Answered, CashCommand, Cleared, Ready, Returned, Stacked, Trouble
from drivers.cash.id003.messages import Command, State
from drivers.cash.id003.simulator_device import Firmware
from drivers.simulation.mechanism import Spot
from drivers.simulation.notes import Place
from kiosk.terminal.recovery import LastRecord
from tests.drivers.cash.books import Books, intend, keep_books
from tests.drivers.cash.id003.virtual import TWENTY, Bench, bench, old_life, say
from tests.drivers.cash.sheet import each_row, row

STACK = CashCommand.STACK
IDLING, VEND_VALID, STACKED = "FC 05 11 27 56", "FC 05 15 03 10", "FC 05 16 98 22"
STACKING, REJECTING, RETURNING = "FC 05 14 8A 01", "FC 06 17 79 19 00", "FC 05 18 E6 CB"
DISABLED, INITIALIZE, JAM_STACKER = "FC 05 1A F4 E8", "FC 05 1B 7D F9", "FC 05 46 1D 70"
POWER_UP, IN_ACCEPTOR, IN_STACKER = "FC 05 40 2B 15", "FC 05 41 A2 04", "FC 05 42 39 36"

# --- what is on record, the first answer, and what comes after it ---------------------------------------------------


@dataclass(frozen=True)
class Case:
    """``first`` and ``then``: frames that answer the polls of a new process. After them, the unit says that it is at
    rest. ``ends``: notes credited, returned, in doubt, found since.
    """

    last: LastRecord
    first: str
    then: tuple[str, ...]
    ends: tuple[int, int, int, int]


NOTHING, CREDITED, BACK, DOUBT, FOUND = (0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)
NONE, ESCROWED, SENT = LastRecord.NONE, LastRecord.ESCROWED, LastRecord.STACK_INTENDED
ON_RECORD, RETURN_SENT = LastRecord.STACKED, LastRecord.RETURN_INTENDED
CASES = {
    "none, 40": Case(NONE, POWER_UP, (INITIALIZE,), NOTHING),
    "none, 41": Case(NONE, IN_ACCEPTOR, (INITIALIZE,), NOTHING),
    "none, 42": Case(NONE, IN_STACKER, (INITIALIZE,), NOTHING),
    "none, 42 and 15": Case(NONE, IN_STACKER, (INITIALIZE, VEND_VALID), FOUND),
    "escrow, 40": Case(ESCROWED, POWER_UP, (INITIALIZE,), BACK),
    "escrow, 41": Case(ESCROWED, IN_ACCEPTOR, (INITIALIZE,), BACK),
    "escrow, 42": Case(ESCROWED, IN_STACKER, (INITIALIZE,), DOUBT),
    "stack sent, 14": Case(SENT, STACKING, (STACKING, VEND_VALID, STACKED), CREDITED),
    "stack sent, 15": Case(SENT, VEND_VALID, (), CREDITED),
    "stack sent, 17": Case(SENT, REJECTING, (), BACK),
    "stack sent, 18": Case(SENT, RETURNING, (), BACK),
    "stack sent, 41": Case(SENT, IN_ACCEPTOR, (INITIALIZE,), BACK),
    "stack sent, 42 and 15": Case(SENT, IN_STACKER, (INITIALIZE, VEND_VALID), CREDITED),
    "stack sent, 42 without 15": Case(SENT, IN_STACKER, (INITIALIZE,), DOUBT),
    "stack sent, 46": Case(SENT, JAM_STACKER, (*[JAM_STACKER] * 60, INITIALIZE), DOUBT),
    "stack sent, 40": Case(SENT, POWER_UP, (INITIALIZE,), DOUBT),
    "stack sent, 11": Case(SENT, IDLING, (), DOUBT),
    "stack sent, 1A": Case(SENT, DISABLED, (), DOUBT),
    "credited, 15": Case(ON_RECORD, VEND_VALID, (), NOTHING),
    "credited, 42 and 15": Case(ON_RECORD, IN_STACKER, (INITIALIZE, VEND_VALID), NOTHING),
    "credited, 40": Case(ON_RECORD, POWER_UP, (INITIALIZE,), NOTHING),
    "credited, 11": Case(ON_RECORD, IDLING, (), NOTHING),
    "credited, 1A": Case(ON_RECORD, DISABLED, (), NOTHING),
    "credited, 16": Case(ON_RECORD, STACKED, (), NOTHING),
    "credited, 41": Case(ON_RECORD, IN_ACCEPTOR, (INITIALIZE,), NOTHING),
    "credited, 17": Case(ON_RECORD, REJECTING, (), NOTHING),
    "credited, 18": Case(ON_RECORD, RETURNING, (), NOTHING),
    "return sent, 18": Case(RETURN_SENT, RETURNING, (), BACK),
    "return sent, 11": Case(RETURN_SENT, IDLING, (), BACK),
    "return sent, 1A": Case(RETURN_SENT, DISABLED, (), BACK),
    "return sent, 40": Case(RETURN_SENT, POWER_UP, (INITIALIZE,), BACK),
    "return sent, 41": Case(RETURN_SENT, IN_ACCEPTOR, (INITIALIZE,), BACK),
    "return sent, 42": Case(RETURN_SENT, IN_STACKER, (INITIALIZE,), DOUBT),
    "return sent, 15": Case(RETURN_SENT, VEND_VALID, (), DOUBT),
}


def ends(books: Books) -> tuple[int, int, int, int]:
    return books.credited, books.returned, books.doubts, books.found


@each_row(["case"], CASES.items())
def test_what_is_on_record_and_what_a_unit_says_first_decide(case: Case) -> None:
    old = bench()
    old.ready()
    b = Bench(old.device, now=old.now)
    books = keep_books(b)
    books.row, books.kind = case.last, TWENTY
    say(b, case.first, *case.then, *[DISABLED] * 400)
    answered = b.until(Answered)
    assert answered.frame.hex(" ").upper() == case.first
    b.until(Ready)
    b.run(5)
    assert ends(books) == case.ends
    vend_valid = VEND_VALID in (case.first, *case.then)
    assert len(b.commands(Command.ACK)) == vend_valid, "15 is acknowledged once it is on record, and nothing else is"
    resets = case.first in (POWER_UP, IN_ACCEPTOR, IN_STACKER, JAM_STACKER)
    assert len(b.commands(Command.RESET)) == resets
    assert b.commands(Command.STACK_1, Command.STACK_2) == []


@row("escrow, 13", "stack sent, 13", "return sent, 13", "13 escrow")
@pytest.mark.parametrize("last", [ESCROWED, SENT, RETURN_SENT])
def test_13_says_that_nothing_was_done_and_the_note_goes_back(last: LastRecord) -> None:
    old = old_life(State.ESCROW)
    b = Bench(old.device, now=old.now)
    books = keep_books(b)
    books.row, books.kind = last, TWENTY
    assert b.until(Answered).frame.hex(" ").upper() == "FC 06 13 64 1D AC"
    b.until(Ready)
    assert ends(books) == BACK
    assert b.places() == [Place.HAND]
    assert b.commands(Command.STACK_2) == []


# --- windows, with the books of a caller ----------------------------------------------------------------------------


@row("W3 ACK lost, or the host died before it", "15 vend valid")
def test_15_again_because_its_ack_was_lost_is_credited_once() -> None:
    b = bench()
    books = keep_books(b)
    b.escrowed()
    b.device.line.lose_acks = 3
    intend(b, books, STACK)
    b.cleared()
    assert len(b.heard(Stacked)) == 4
    assert len(b.commands(Command.ACK)) == 4
    assert ends(books) == CREDITED


@row("W3 ACK lost, or the host died before it")
def test_15_again_because_the_host_died_before_its_ack_is_credited_once() -> None:
    old = old_life(State.VEND_VALID)
    b = Bench(old.device, now=old.now)
    books = keep_books(b)
    books.row, books.kind = ON_RECORD, TWENTY
    b.until(Ready)
    assert ends(books) == NOTHING
    assert b.commands(Command.ACK) == [Command.ACK]


@row("W4 power cut before 15 was acknowledged", "W5 host and device lose power together")
@pytest.mark.parametrize("both", [False, True])
def test_40_with_an_open_stack_is_in_doubt(both: bool) -> None:
    b = bench(Firmware(remembers_credit=False))
    books = keep_books(b)
    b.escrowed()
    b.from_device = lambda data: b"" if data[2:3] in (b"\x15", b"\x16") else data
    intend(b, books, STACK)
    while b.places() != [Place.BOX]:
        b.run(0.05)
    b.device.cut_power(b.now)
    b.from_device = bytes
    b.device.restore_power(b.now)
    if both:
        b.restart()
    assert b.until(Answered).frame.hex(" ").upper() == POWER_UP
    b.until(Ready)
    assert ends(books) == DOUBT
    assert books.row is LastRecord.IN_DOUBT


@row("W7 42 after ACK, and a second 15")
def test_42_and_a_second_15_of_a_note_that_is_credited_are_the_same_note() -> None:
    b = bench()
    books = keep_books(b)
    b.escrowed()
    b.device.metal.stage_seconds = 1.0
    intend(b, books, STACK)
    b.until(Stacked)
    b.run(0.1)
    say(b, IN_STACKER, INITIALIZE, VEND_VALID, DISABLED)
    b.until(Ready)
    b.run(5)
    assert len(b.heard(Stacked)) == 2
    assert ends(books) == CREDITED


@row("W8 jam in the stacker, note taken by hand", "46 jam in stacker")
def test_46_and_a_note_taken_out_by_hand_is_in_doubt_and_never_credited() -> None:
    b = bench()
    books = keep_books(b)
    b.escrowed()
    b.device.jam(Spot.BOX)
    intend(b, books, STACK)
    b.until(Trouble)
    b.run(3)
    b.device.free_jam(b.now)
    b.until(Ready)
    b.run(10)
    assert ends(books) == DOUBT
    assert not b.heard(Stacked)
    assert b.places() == [Place.CUSTODY]


# --- states of one source -------------------------------------------------------------------------------------------


@row("1C busy, 1D end, 1E returned")
@pytest.mark.parametrize("text", ["FC 05 1C C2 8D", "FC 05 1D 4B 9C", "FC 05 1E D0 AE"])
def test_a_state_that_one_source_alone_knows_decides_nothing(text: str) -> None:
    b = bench()
    books = keep_books(b)
    b.escrowed()
    b.device.metal.stage_seconds = 3.0
    intend(b, books, STACK)
    b.run(0.5)
    say(b, *[text] * 5)
    b.run(1.5)
    assert books.row is SENT
    assert [event for event in b.told if isinstance(event, Stacked | Returned | Cleared)] == []
    b.cleared()
    assert ends(books) == CREDITED
