"""The host's side of ccTalk: a device that answers, and says nothing that is of any use."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import pairwise

import pytest

from drivers.api.cash import Answered, CashCommand, Completed, Escrowed, Lost, Ready, Refusal, Stacked
from drivers.cash.cctalk.framing import frame
from drivers.cash.cctalk.messages import Header
from tests.drivers.cash.bench import Disturb, On
from tests.drivers.cash.cctalk.virtual import Bench, bench, coins, reply
from tests.drivers.cash.sheet import row

HALF_AN_HOUR = 1800.0
NAK, BUSY = bytes.fromhex("01002805D2"), bytes.fromhex("01002806D1")
BABBLE, THE_SAME = bytes.fromhex("01 02 28 4D 01 02 85"), reply(1, 2, 3)
USELESS = pytest.mark.parametrize("said", [NAK, BUSY, BABBLE, THE_SAME], ids=["NAK", "BUSY", "babble", "the same"])
REFUSED = pytest.mark.parametrize("said", [b"", NAK, BUSY, BABBLE], ids=["silence", "NAK", "BUSY", "babble"])


def says(b: Bench, said: bytes, *, but: Collection[Header] = ()) -> None:
    """From now on it says only this to everything, ``but`` a few questions."""
    b.from_device = lambda data: said if data and b.sent[-1].command not in but else data


def to(header: Header, b: Bench, said: bytes) -> Disturb:
    """It says only this to one question, for ever."""
    return On(header, b, 1_000_000, lambda _: said)


# --- one question without which there is no going on ----------------------------------------------------------------


@row("BUSY and NAK")
@REFUSED
def test_a_unit_that_never_says_its_serial_number_is_not_used_and_the_code_says_which_question_it_was(
    said: bytes,
) -> None:
    b = bench()
    b.from_device = to(Header.SERIAL, b, said)
    b.run(20)
    assert "failure-no-answer-242" in b.codes()
    b.run(HALF_AN_HOUR)
    assert b.codes().count("failure-no-answer-242") == 1
    assert "failure-no-answer-242 over" not in b.codes()
    assert (b.heard(Answered), b.heard(Lost)) == ([], []), "it is there, and nobody knows who it is"


@REFUSED
def test_a_unit_that_never_says_its_serial_number_is_asked_ever_more_seldom(said: bytes) -> None:
    b = bench()
    b.from_device = to(Header.SERIAL, b, said)
    b.run(HALF_AN_HOUR)
    times = b.times(Header.SERIAL)
    assert len(times) < 650
    assert min(after - before for before, after in pairwise(times[-100:])) >= b.timing.patient
    assert len(b.sent) < 2000


@REFUSED
def test_a_unit_that_says_its_serial_number_after_all_is_used_within_some_seconds(said: bytes) -> None:
    b = bench()
    b.from_device = to(Header.SERIAL, b, said)
    b.run(600)
    b.from_device = bytes
    b.until(Ready, 10.0)
    assert b.codes()[-1] == "failure-no-answer-242 over"
    b.stacked()


@REFUSED
def test_a_validator_that_will_not_use_escrow_is_asked_ever_more_seldom_and_its_events_are_read_on(
    said: bytes,
) -> None:
    b = bench()
    b.from_device = to(Header.SET_MODE, b, said)
    b.run(120)
    times = b.times(Header.SET_MODE)
    assert len(times) < 60
    assert b.codes().count("failure-no-answer-153") == 1
    reads = [at for at in b.times(Header.NOTE_EVENTS) if at > times[0]]
    assert max(after - before for before, after in pairwise(reads)) < 2.0, "before the watchdog bites"
    assert (b.heard(Ready), b.heard(Lost)) == ([], [])


def test_the_next_question_that_is_refused_is_asked_as_often_at_first_as_the_one_before_it_was() -> None:
    b = bench()
    b.from_device = to(Header.SERIAL, b, b"")
    b.run(120)
    b.from_device = to(Header.SET_MODE, b, b"")
    b.run(30)
    times = b.times(Header.SET_MODE)
    assert times[10] - times[9] < 1.0 < times[-1] - times[-2]


def test_a_unit_that_never_says_the_same_twice_is_asked_ever_more_seldom() -> None:
    b = bench()
    numbers = iter(range(1_000_000))
    b.from_device = On(Header.SERIAL, b, 10_000, lambda _: reply(next(numbers) % 256, next(numbers) % 256, 0))
    b.run(HALF_AN_HOUR)
    assert len(b.times(Header.SERIAL)) < 1400, "twice each time"
    assert b.codes() == ["failure-not-identified"]


def test_a_line_that_disagrees_a_few_times_at_each_start_is_nobodys_business() -> None:
    b = bench()
    numbers = iter(range(1_000_000))
    for _ in range(3):
        b.from_device = On(Header.SERIAL, b, 2 * 7, lambda _: reply(next(numbers) % 256, 0, 0))
        b.until(Ready)
        b.device.cut_power(b.now)
        b.device.restore_power(b.now)
    assert b.codes() == []


# --- nothing of any use ---------------------------------------------------------------------------------------------


@row("BUSY and NAK")
@USELESS
def test_a_unit_that_answers_nothing_of_use_for_as_long_as_silence_is_borne_is_lost(said: bytes) -> None:
    b = bench()
    b.enabled()
    began = b.now
    says(b, said)
    assert b.until(Lost) == Lost("useless")
    assert 5.0 <= b.now - began < 9.0


@USELESS
def test_a_unit_that_was_never_of_any_use_is_lost_too(said: bytes) -> None:
    b = bench()
    says(b, said)
    assert b.until(Lost) == Lost("useless")
    assert b.heard(Answered) == []


@USELESS
def test_what_was_wanted_of_a_unit_that_is_of_no_use_any_more_ends_as_lost(said: bytes) -> None:
    b = bench()
    b.escrowed()
    says(b, said)
    b.command(CashCommand.STACK)
    b.until(Lost)
    assert b.heard(Completed)[-1] in (Completed(CashCommand.STACK, Refusal.LOST), Completed(CashCommand.STACK))
    assert len(b.heard(Completed)) == 2


@USELESS
def test_a_unit_that_is_of_no_use_is_asked_seldom_lost_once_and_found_again_within_some_seconds(said: bytes) -> None:
    b = bench()
    b.enabled()
    says(b, said)
    b.run(60)
    sent = len(b.sent)
    b.run(HALF_AN_HOUR)
    assert len(b.sent) - sent < 900
    assert b.heard(Lost) == [Lost("useless")]
    b.from_device = bytes
    b.until(Ready, 30.0)
    b.stacked()


@USELESS
@pytest.mark.parametrize("kind", [bench, lambda: Bench(coins())], ids=["notes", "coins"])
def test_a_unit_that_says_who_it_is_and_never_what_it_holds_is_lost_once_and_asked_seldom(
    said: bytes, kind: Callable[[], Bench]
) -> None:
    b = kind()
    b.enabled()
    if b.role.address != 40:
        said = frame(1, said[3], said[4:-1], source=b.role.address)
    b.from_device = to(b.role.events, b, said)
    assert b.until(Lost) == Lost("useless")
    b.run(60)
    sent = len(b.sent)
    b.run(600)
    assert len(b.heard(Lost)) == 1
    assert len(b.heard(Answered)) == 1
    assert len(b.sent) - sent < 1200
    b.from_device = bytes
    b.until(Ready, 30.0)


def test_a_unit_that_is_lost_comes_back_and_is_lost_again_is_told_twice() -> None:
    b = bench()
    for _ in range(2):
        b.enabled()
        says(b, NAK)
        assert b.until(Lost) == Lost("useless")
        b.from_device = bytes
        b.until(Ready, 30.0)
    assert len(b.heard(Lost)) == 2


def test_a_unit_that_says_nothing_to_anything_but_a_poll_is_lost() -> None:
    b = bench()
    b.enabled()
    b.to_device = lambda data: data if b.sent[-1].command is Header.SIMPLE_POLL else b""
    assert b.until(Lost, 10.0).code == "silent"
    b.run(60)
    assert len(b.heard(Lost)) == 1


@USELESS
def test_a_unit_that_is_of_no_use_for_a_while_is_not_lost_and_has_its_note_stacked(said: bytes) -> None:
    b = bench()
    b.escrowed()
    b.from_device = On(Header.NOTE_EVENTS, b, 4, lambda _: said)
    b.run(4)
    b.command(CashCommand.STACK)
    b.until(Stacked)
    assert (b.heard(Lost), len(b.heard(Escrowed))) == ([], 1)
