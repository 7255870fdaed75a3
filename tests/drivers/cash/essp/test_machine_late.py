"""The host's side of SSP: what is answered late, or not now, is never told of another note."""

from __future__ import annotations

from random import Random

import pytest

from drivers.api.cash import CashCommand, Cleared, Escrowed, Ready, Rejected, Stacked
from drivers.cash.essp.messages import Answer, Command, Plain, Request, Status, encode_answer
from drivers.cash.essp.simulator_device import Says
from drivers.simulation.notes import Place
from tests.drivers.cash.books import UNDECIDED, intend, keep_books
from tests.drivers.cash.essp.virtual import FIVE, TEN, TWENTY, Bench, bench
from tests.drivers.cash.late import come_late

STACK = CashCommand.STACK
BUSY = Plain(Status.CANNOT)


def busy_counting(b: Bench) -> list[str]:
    """The device answers F5 whenever it is to count. Gives what it answers to that, and to polls, in hexadecimal."""
    said: list[str] = []

    def instead(request: Request, answer: Answer | None) -> Answer | None:
        if request.command is Command.COUNTERS:
            answer = BUSY
        if answer is not None and request.command in (Command.COUNTERS, Command.POLL_WITH_ACK):
            said.append(encode_answer(answer).hex())
        return answer

    b.device.instead = instead
    return said


def refused(b: Bench) -> list[str]:
    """A note was refused, and what is in the box cannot be counted. Gives what the device says from then on."""
    b.enabled()
    said = busy_counting(b)
    b.insert(readable=False)
    b.until(Rejected)
    b.wait("counting in vain", lambda: said.count("f5") == 2)
    return said


@pytest.mark.parametrize("where", [Says.SCANNING, Says.ESCROW, Says.STACKING, Says.WAITING], ids=lambda says: says.name)
def test_a_count_that_waits_is_not_asked_while_the_next_note_is_inside(where: Says) -> None:
    """Its answer would be taken to say that nothing is on its way, and that nothing came into the box."""
    b = bench()
    b.ready()
    before = b.heard(Ready)[0].stacked_counter
    said = refused(b)
    b.insert()
    if where is Says.SCANNING:
        b.until_doing(where)
    else:
        b.until(Escrowed)
        assert [words for words in said if words != "f0"][-2:] == ["f0ef00", "f0ef03"]
    if where in (Says.STACKING, Says.WAITING):
        b.acknowledges = False
        b.command(STACK)
        b.until_doing(where)
    b.device.instead = lambda _, answer: answer  # Now it can count.
    b.run(3)
    assert b.heard(Cleared) == []
    b.acknowledges = True
    if where in (Says.SCANNING, Says.ESCROW):
        b.command(STACK)
    b.until(Cleared)
    assert before is not None
    assert [type(event) for event in b.told if isinstance(event, Stacked | Cleared)][-2:] == [Stacked, Cleared]
    assert [cleared.stacked_counter for cleared in b.heard(Cleared)] == [before + 1]


def test_a_count_that_waits_is_not_asked_after_a_poll_that_could_not_be_read() -> None:
    b = bench()
    refused(b)
    b.device.instead = lambda request, answer: BUSY if request.command is Command.POLL_WITH_ACK else answer
    b.run(3)
    assert b.heard(Cleared) == [], "where a note is, nobody knows"
    b.device.instead = lambda _, answer: answer
    b.cleared()


@pytest.mark.parametrize("seed", range(25))
def test_whole_deposits_over_a_line_that_is_late_and_counts_seldom_have_the_books_right(seed: int) -> None:
    """Up to 1.4 s, where the host repeats itself after one."""
    b, dice = bench(), Random(seed)
    b.ready()
    books = keep_books(b)
    b.device.instead = lambda request, answer: (
        BUSY if request.command is Command.COUNTERS and dice.random() < 0.8 else answer
    )
    come_late(b, seed, 1.4)
    for kind in (TWENTY, FIVE, TEN):
        if dice.random() < 0.5:
            b.enabled()
            b.insert(readable=False)
            b.until(Rejected)
        assert b.escrowed(kind).note_type == kind
        intend(b, books, STACK)
        b.wait("decided", lambda: books.row not in UNDECIDED)
    b.run(10)
    assert (books.credited, books.found, books.doubts, b.places().count(Place.BOX)) == (3, 0, 0, 3)
    assert [stacked.note_type for stacked in b.heard(Stacked)].count(TWENTY) >= 1
