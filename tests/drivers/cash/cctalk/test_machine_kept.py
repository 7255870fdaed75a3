"""The host's side of ccTalk: a note that is to go back and does not."""

from __future__ import annotations

from itertools import pairwise

import pytest

from drivers.api.cash import (
    Answered,
    CashCommand,
    Completed,
    Escrowed,
    Presence,
    Ready,
    Refusal,
    Returned,
    Stacked,
    Trouble,
)
from drivers.cash.cctalk.messages import Header
from drivers.simulation.notes import Place
from tests.drivers.cash.bench import On, nothing
from tests.drivers.cash.cctalk.virtual import HOLD, RETURN, Bench, bench
from tests.drivers.cash.sheet import row

FAILED, NAK, BUSY = (bytes.fromhex(said) for said in ("01 01 28 00 FF D7", "01002805D2", "01002806D1"))
NOT_DONE = Completed(CashCommand.RETURN, Refusal.NOT_DONE)
NEVER = 1e9


def refuses(b: Bench, said: bytes) -> None:
    """The device gives back no note when it is told to, and says so."""
    b.to_device = On(RETURN, b, 1000, lambda _: bytes.fromhex("280001FED9"))  # It does nothing but answer.
    b.from_device = On(RETURN, b, 1000, lambda _: said)


def kept(*, gives_back: bool = True) -> Bench:
    """A note is in escrow that its device does not give back when it is told to; by itself only where it
    ``gives_back`` what nobody decides about.
    """
    b = bench()
    refuses(b, FAILED)
    if not gives_back:
        b.device.metal.escrow_seconds = NEVER
    b.escrowed()
    b.run(12)
    return b


def refused(b: Bench) -> None:
    b.command(CashCommand.RETURN)
    assert b.until(Completed) == NOT_DONE


@row("154 answers 255: failed", "154 255 restarts the time of escrow")
def test_a_note_whose_return_was_refused_is_left_alone_and_goes_back_when_its_time_is_over() -> None:
    b = kept()
    held, began = b.requests().count(HOLD), b.now
    refused(b)
    b.until(Returned)
    assert b.requests().count(HOLD) == held
    assert b.now - began < 31, "its time ran from the last look before"
    b.cleared()
    assert (b.places(), b.codes()) == ([Place.HAND], [])


@pytest.mark.parametrize("said", [FAILED, NAK, BUSY], ids=["255", "NAK", "BUSY"])
def test_a_return_that_is_refused_in_any_words_is_not_done_as_soon_as_the_events_say_nothing_else(said: bytes) -> None:
    b = bench()
    b.escrowed()
    refuses(b, said)
    began = b.now
    refused(b)
    assert b.now - began < 1.0
    after = b.requests()[b.requests().index(RETURN) + 1 :]
    assert {request.header for request in after} == {Header.NOTE_EVENTS}
    b.run(20)
    assert HOLD not in b.requests()[b.requests().index(RETURN) :]
    b.until(Returned)


@row("154 is never sent again blindly")
def test_a_return_that_is_refused_and_done_all_the_same_is_told_by_its_event() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.stage_seconds = 0.0
    b.from_device = On(RETURN, b, 1, lambda _: FAILED)
    b.command(CashCommand.RETURN)
    assert b.until(Completed) == Completed(CashCommand.RETURN)
    b.until(Returned)
    assert b.places() == [Place.HAND]


def test_a_caller_that_asks_for_a_refused_return_again_and_again_does_not_keep_the_note_inside() -> None:
    b = kept()
    began = b.now
    while not b.heard(Returned):
        assert b.now - began < 31
        b.command(CashCommand.RETURN)
        b.run(0.5)
    assert HOLD not in b.requests()[b.requests().index(RETURN) :]
    assert b.requests().count(RETURN) > 20
    assert (RETURN, RETURN) not in [*pairwise(b.requests())], "the events are read in between"


def test_a_return_that_never_arrived_leaves_the_note_alone_once_that_was_seen() -> None:
    b = bench()
    b.escrowed()
    b.to_device = On(RETURN, b, 1, nothing)
    refused(b)
    asked = b.requests()[b.requests().index(RETURN) :]
    assert asked.count(HOLD) == 1, "whether it is still there, the events do not say"
    b.until(Returned)
    assert b.requests()[b.requests().index(RETURN) :].count(HOLD) == 1


def test_a_note_that_lies_in_escrow_when_its_time_is_long_over_is_a_jam_and_the_device_is_not_ready() -> None:
    b = kept(gives_back=False)
    refused(b)
    b.run(40)
    assert b.codes() == []
    assert b.until(Trouble, 10.0).code == "jam-escrow"
    b.run(300)
    assert b.codes() == ["jam-escrow"], "told once"
    assert (len(b.heard(Ready)), b.device.accepts) == (1, False)
    assert HOLD not in b.requests()[b.requests().index(RETURN) :]
    assert len(b.heard(Completed)) == 2, "of what the machine does of its own accord nobody hears"
    tries = [sent.at for sent in b.sent if sent.request == RETURN]
    assert all(after - before > 40 for before, after in pairwise(tries))


def test_a_caller_that_asks_again_and_again_hears_of_the_jam_all_the_same() -> None:
    b = kept(gives_back=False)
    began = b.now
    while not b.troubles():
        assert b.now - began < 50
        b.command(CashCommand.RETURN)
        b.run(2)
    assert b.codes() == ["jam-escrow"]


def test_a_kept_note_that_comes_out_after_all_goes_back_to_the_customer_and_the_device_is_ready_again() -> None:
    b = kept(gives_back=False)
    refused(b)
    b.until(Trouble)
    b.to_device = b.from_device = bytes
    b.until(Returned)
    b.until(Ready)
    assert b.codes() == ["jam-escrow", "jam-escrow over"]
    assert b.places() == [Place.HAND]
    assert b.heard(Stacked) == []
    b.stacked()


def test_a_kept_note_that_somebody_has_taken_out_by_hand_is_noticed() -> None:
    b = kept(gives_back=False)
    refused(b)
    b.until(Trouble)
    b.device.metal.free()
    b.to_device = b.from_device = bytes
    b.until(Ready, 200.0)
    assert b.codes() == ["jam-escrow", "jam-escrow over"]


def test_a_note_of_an_earlier_process_that_is_kept_is_a_jam_and_the_device_never_ready() -> None:
    b = kept(gives_back=False)
    b.restart()
    assert b.until(Answered).presence is Presence.IN_ESCROW
    refused(b)
    assert b.until(Trouble).code == "jam-escrow"
    b.run(100)
    assert len(b.heard(Ready)) == 1, "only the first process saw it ready"
    assert b.places() == [Place.ESCROW]
    b.to_device = b.from_device = bytes
    b.until(Returned)
    b.until(Ready)


def test_the_next_note_is_held_again() -> None:
    b = kept()
    refused(b)
    b.until(Returned)
    b.cleared()
    b.to_device = b.from_device = bytes
    b.enabled()
    b.insert()
    b.until(Escrowed)
    b.run(60)
    assert b.places()[-1] is Place.ESCROW
    assert b.requests()[-400:].count(HOLD) > 8
