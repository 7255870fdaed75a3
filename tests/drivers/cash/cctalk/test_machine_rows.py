"""ccTalk row by row: a validator's events, what the caller has on record, and what becomes of the note."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from drivers.api.cash import Answered, CashCommand, Completed, Ready, Refusal, Stacked, Trouble
from drivers.cash.cctalk.messages import Header
from drivers.simulation.notes import Place
from kiosk.terminal.recovery import LastRecord
from tests.drivers.cash.bench import On
from tests.drivers.cash.books import Books, intend, keep_books
from tests.drivers.cash.cctalk.virtual import HOLD, RETURN, STACK, TWENTY, Bench, bench, reply
from tests.drivers.cash.sheet import each_row, row

NONE, ESCROWED, SENT = LastRecord.NONE, LastRecord.ESCROWED, LastRecord.STACK_INTENDED
ON_RECORD, RETURN_SENT = LastRecord.STACKED, LastRecord.RETURN_INTENDED
NOTHING, CREDITED, BACK, DOUBT, FOUND = (0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)
DOUBT_AND_FOUND = (0, 0, 1, 1)


@dataclass(frozen=True)
class Case:
    """``mark``: the number on record. ``buffer``: what a living validator's events are when a process begins, the
    newest first; its escrow is empty. ``ends``: notes credited, returned, in doubt, found.
    """

    last: LastRecord
    mark: int | None
    buffer: str
    ends: tuple[int, int, int, int]


CASES = {
    "no number on record, counter 0": Case(NONE, None, "00 0000 0000 0000 0000 0000", NOTHING),
    "no number on record, counter not 0": Case(NONE, None, "02 0300 0301 0000 0000 0000", NOTHING),
    "none, nothing new": Case(NONE, 2, "02 0300 0301 0000 0000 0000", NOTHING),
    "none, (3,0)": Case(NONE, 1, "02 0300 0301 0000 0000 0000", FOUND),
    "none, counter 0": Case(NONE, 7, "00 0000 0000 0000 0000 0000", NOTHING),
    "escrowed, (0,1)": Case(ESCROWED, 1, "02 0001 0301 0000 0000 0000", BACK),
    "escrowed, (3,0)": Case(ESCROWED, 1, "02 0300 0301 0000 0000 0000", CREDITED),
    "escrowed, (2,0)": Case(ESCROWED, 1, "02 0200 0301 0000 0000 0000", DOUBT_AND_FOUND),
    "escrowed, nothing new and escrow empty": Case(ESCROWED, 1, "01 0301 0000 0000 0000 0000", DOUBT),
    "escrowed, counter 0": Case(ESCROWED, 1, "00 0000 0000 0000 0000 0000", DOUBT),
    "stack sent, (3,0)": Case(SENT, 1, "02 0300 0301 0000 0000 0000", CREDITED),
    "stack sent, (3,0) at number 1 after 255": Case(SENT, 255, "01 0300 0301 0001 0000 0000", CREDITED),
    "stack sent, (3,0) as the fifth event": Case(SENT, 1, "06 0002 0002 0002 0002 0300", CREDITED),
    "stack sent, (3,0) as the sixth event": Case(SENT, 1, "07 0002 0002 0002 0002 0002", DOUBT),
    "stack sent, (2,0)": Case(SENT, 1, "02 0200 0301 0000 0000 0000", DOUBT_AND_FOUND),
    "stack sent, (0,21)": Case(SENT, 1, "02 0015 0301 0000 0000 0000", DOUBT),
    "stack sent, (0,1)": Case(SENT, 1, "02 0001 0301 0000 0000 0000", BACK),
    "stack sent, (0,6)": Case(SENT, 1, "02 0006 0301 0000 0000 0000", DOUBT),
    "stack sent, (0,7)": Case(SENT, 1, "02 0007 0301 0000 0000 0000", DOUBT),
    "stack sent, (0,8)": Case(SENT, 1, "02 0008 0301 0000 0000 0000", DOUBT),
    "stack sent, (0,9)": Case(SENT, 1, "02 0009 0301 0000 0000 0000", DOUBT),
    "stack sent, (0,15)": Case(SENT, 1, "02 000F 0301 0000 0000 0000", DOUBT),
    "stack sent, (0,16)": Case(SENT, 1, "02 0010 0301 0000 0000 0000", DOUBT),
    "stack sent, nothing new and escrow empty": Case(SENT, 1, "01 0301 0000 0000 0000 0000", DOUBT),
    "stack sent, counter 0": Case(SENT, 1, "00 0000 0000 0000 0000 0000", DOUBT),
    "credited, nothing new": Case(ON_RECORD, 2, "02 0300 0301 0000 0000 0000", NOTHING),
    "credited, counter 0": Case(ON_RECORD, 2, "00 0000 0000 0000 0000 0000", NOTHING),
    "return sent, (0,1)": Case(RETURN_SENT, 1, "02 0001 0301 0000 0000 0000", BACK),
    "return sent, (3,0)": Case(RETURN_SENT, 1, "02 0300 0301 0000 0000 0000", DOUBT),
    "return sent, counter 0": Case(RETURN_SENT, 1, "00 0000 0000 0000 0000 0000", DOUBT),
}


def ends(books: Books) -> tuple[int, int, int, int]:
    return books.credited, books.returned, books.doubts, books.found


def kept(b: Bench) -> Books:
    books = keep_books(b)
    b.last_mark = lambda: books.mark
    return books


@each_row(["case"], CASES.items())
def test_what_is_on_record_and_the_events_that_were_missed_decide(case: Case) -> None:
    b = bench()
    b.enabled()
    books = kept(b)
    books.row, books.kind, books.mark = case.last, TWENTY, case.mark
    raw = bytes.fromhex(case.buffer)
    b.device.counter = raw[0]
    b.device.events.clear()
    b.device.events.extend((raw[at], raw[at + 1]) for at in range(1, 11, 2))
    b.told.clear()
    b.restart()
    answered = b.until(Answered)
    assert answered.frame.hex() == reply(*raw).hex()
    b.run(40)
    assert ends(books) == case.ends
    assert b.routes() == []


# --- the route command ----------------------------------------------------------------------------------------------


@row("154 answers 254: escrow empty")
def test_254_to_a_route_reads_the_events_before_any_decision() -> None:
    b = bench()
    books = kept(b)
    b.escrowed()
    b.from_device = On(STACK, b, 1, lambda _: bytes.fromhex("01 01 28 00 FE D8"))
    intend(b, books, CashCommand.STACK)
    b.until(Stacked)
    after = b.requests()[b.requests().index(STACK) + 1]
    assert after.header is Header.NOTE_EVENTS
    b.run(5)
    assert ends(books) == CREDITED, "the event decides: 254 was no truth"


@row("154 answers 255: failed")
def test_255_to_a_route_is_decided_by_what_the_device_then_says() -> None:
    b = bench()
    b.escrowed()
    b.to_device = On(STACK, b, 1, lambda _: bytes.fromhex("28 00 01 FE D9"))  # It does nothing.
    b.from_device = On(STACK, b, 1, lambda _: bytes.fromhex("01 01 28 00 FF D7"))
    b.command(CashCommand.STACK)
    assert b.until(Completed) == Completed(CashCommand.STACK, Refusal.NOT_DONE)
    assert b.places() == [Place.ESCROW]
    b.command(CashCommand.RETURN)
    b.cleared()
    assert b.requests(Header.ROUTE).count(STACK) == 1
    assert b.requests(Header.ROUTE).count(RETURN) == 1


@row("154 255 restarts the time of escrow")
def test_an_undecided_note_is_held_by_154_255() -> None:
    b = bench()
    b.escrowed()
    b.run(100)
    assert b.places() == [Place.ESCROW]
    holds = b.frames(Header.ROUTE)
    assert {data.hex(" ").upper() for data in holds} == {"28 01 01 9A FF 3D"}
    assert b.requests(Header.ROUTE)[0] == HOLD


# --- what is no credit ----------------------------------------------------------------------------------------------


@row("(255,0) and (255,1) coupon")
@pytest.mark.parametrize("b_", [0, 1])
def test_a_coupon_has_no_value(b_: int) -> None:
    b = bench()
    books = kept(b)
    b.enabled()
    b.device.post(255, b_)
    b.run(3)
    assert books.credited == 0
    assert all(event.value is None for event in b.heard(Stacked))


@row("a pair that is in no table")
@pytest.mark.parametrize("pair", [(3, 2), (0, 23), (0, 200)])
def test_an_event_that_is_in_no_table_is_a_persons_business_and_no_money(pair: tuple[int, int]) -> None:
    b = bench()
    books = kept(b)
    b.escrowed()
    intend(b, books, CashCommand.STACK)
    b.device.metal.stage_seconds = 5.0
    b.device.post(*pair)
    b.run(1)
    assert [trouble.code for trouble in b.heard(Trouble)] == [f"unreadable-answer-event-{pair[0]}-{pair[1]}"]
    assert (books.credited, books.row) == (0, SENT)


@row("reset injected by noise: a spontaneous restart is a memory lost")
def test_a_restart_that_nobody_asked_for_with_a_note_on_its_way_is_in_doubt() -> None:
    b = bench()
    b.device.tells_power_up = False
    books = kept(b)
    b.escrowed()
    b.device.metal.stage_seconds = 3.0
    intend(b, books, CashCommand.STACK)
    b.until(Completed)
    b.device.receive(bytes.fromhex("28 00 01 01 D6"), b.now)
    b.until(Answered)
    b.until(Ready)
    b.run(10)
    assert ends(books) == DOUBT
