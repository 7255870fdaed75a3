"""The host's side of ccTalk: opening and shutting the slot."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drivers.api.cash import CashCommand, Cleared, Completed, Lost, Refusal, Shut
from drivers.cash.cctalk.messages import Header, Request
from tests.drivers.cash.bench import On, nothing
from tests.drivers.cash.cctalk.virtual import Bench, bench, coins
from tests.drivers.cash.sheet import row


@pytest.mark.parametrize("lost", [1, 2])
@pytest.mark.parametrize("command", [CashCommand.ENABLE, CashCommand.DISABLE])
def test_enable_and_disable_are_asked_again_when_their_answer_is_lost(lost: int, command: CashCommand) -> None:
    b = bench()
    b.enabled()
    b.from_device = On(Header.SET_MASTER, b, lost, nothing)
    b.command(command)
    assert b.until(Completed) == Completed(command)
    assert b.device.accepts == (command is CashCommand.ENABLE)


def test_enable_that_is_never_answered_is_refused_and_not_done_by_itself_later() -> None:
    b = bench()
    b.ready()
    b.to_device = On(Header.SET_MASTER, b, 3, nothing)
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE, Refusal.NO_ANSWER)
    b.device.post(0, 0)
    b.run(5)
    assert not b.device.accepts


@row("(0,0) master inhibit active")
def test_master_inhibit_active_has_the_slot_opened_again_if_it_should_be_open() -> None:
    b = bench()
    b.enabled()
    b.device.master = False
    b.device.post(0, 0)
    b.run(1)
    assert b.device.accepts
    assert b.heard(Completed) == [Completed(CashCommand.ENABLE)]


@row("(0,0) master inhibit active")
@pytest.mark.parametrize("acknowledges", [True, False])
def test_master_inhibit_active_leaves_a_slot_shut_that_should_be(acknowledges: bool) -> None:
    b = bench()
    b.enabled()
    b.command(CashCommand.DISABLE)
    b.until(Completed)
    b.device.post(0, 0)
    b.run(3)
    assert not b.device.accepts


def test_disable_wins_over_the_machines_own_wish_to_open_again() -> None:
    b = bench()
    b.enabled()
    b.device.master = False
    b.device.post(0, 0)
    b.run(0.23)
    b.command(CashCommand.DISABLE)
    b.run(2)
    assert not b.device.accepts


@row("watchdog of a validator: 5 s")
def test_the_poll_watchdog_of_5_s_shuts_the_slot_and_it_opens_again() -> None:
    b = bench()
    b.enabled()
    b.now += 5.5
    b.device.advance(b.now)
    assert not b.device.master
    b.run(2)
    assert b.device.accepts
    assert b.heard(Lost) == []


# --- the master inhibit, where no event tells of it (227) -----------------------------------------------------------

KINDS = pytest.mark.parametrize("kind", [bench, lambda: Bench(coins())], ids=["notes", "coins"])
OPEN_FRAME = {40: bytes.fromhex("280101E401F1"), 2: bytes.fromhex("020101E40117")}
OPEN, SHUT = Request(Header.SET_MASTER, b"\x01"), Request(Header.SET_MASTER, b"\x00")


@KINDS
def test_a_slot_that_shut_itself_and_did_not_say_so_is_opened_again_within_seconds(kind: Callable[[], Bench]) -> None:
    b = kind()
    b.enabled()
    b.run(10)
    b.device.master = False
    b.run(3)
    assert b.device.accepts
    assert b.requests(Header.SET_MASTER)[-2:] == [OPEN, OPEN]
    assert [data[3] for data in b.frames(Header.GET_MASTER)[:1]] == [227]
    assert b.heard(Completed) == [Completed(CashCommand.ENABLE)], "nobody had asked for it"
    assert b.codes() == []


@KINDS
def test_a_slot_that_is_found_open_and_should_be_shut_is_shut(kind: Callable[[], Bench]) -> None:
    b = kind()
    b.enabled()
    b.run(10)
    b.command(CashCommand.DISABLE)
    b.until(Completed)
    b.device.master = True
    b.run(3)
    assert not b.device.master
    assert b.requests(Header.SET_MASTER)[-2:] == [SHUT, SHUT]


@KINDS
def test_a_device_that_says_that_it_has_shut_its_slot_and_has_not_is_caught(kind: Callable[[], Bench]) -> None:
    b = kind()
    b.enabled()
    b.run(10)
    b.to_device = On(Header.SET_MASTER, b, 1, lambda data: OPEN_FRAME[data[0]])
    b.command(CashCommand.DISABLE)
    assert b.until(Completed) == Completed(CashCommand.DISABLE)
    assert b.device.master
    b.run(3)
    assert not b.device.master


@row("227: is the slot as it should be")
@KINDS
def test_a_slot_that_is_as_it_should_be_is_asked_for_every_two_seconds_and_never_told_again(
    kind: Callable[[], Bench],
) -> None:
    b = kind()
    b.enabled()
    told = len(b.requests(Header.SET_MASTER))
    b.run(60)
    assert 25 <= len(b.requests(Header.GET_MASTER)) <= 31
    assert len(b.requests(Header.SET_MASTER)) == told


def test_a_device_that_does_not_know_227_is_asked_no_more_than_three_times_and_believed_as_before() -> None:
    b = bench()
    b.from_device = On(Header.GET_MASTER, b, 1000, nothing)
    b.stacked()
    b.cleared()
    b.run(30)
    assert len(b.requests(Header.GET_MASTER)) == 3
    assert b.device.accepts
    assert b.requests(Header.SET_MASTER) == [SHUT, OPEN]


@KINDS
def test_a_slot_that_cannot_be_opened_again_is_told_to_be_shut(kind: Callable[[], Bench]) -> None:
    b = kind()
    b.enabled()
    b.run(10)
    b.device.master = False
    b.to_device = On(Header.SET_MASTER, b, 1_000_000, nothing)
    b.run(15)
    assert b.heard(Cleared) == [Cleared(None, enabled=False)]
    assert b.told[-1] == Shut()
    assert b.heard(Completed) == [Completed(CashCommand.ENABLE)]


@pytest.mark.parametrize("command", [CashCommand.ENABLE, CashCommand.DISABLE])
def test_a_wish_of_the_caller_goes_before_what_the_slot_is_found_to_be(command: CashCommand) -> None:
    """It comes while the answer is under way, and is for what the slot is found to be already."""
    b = bench()
    b.enabled()
    enables = command is CashCommand.ENABLE
    b.command(CashCommand.DISABLE if enables else CashCommand.ENABLE)
    b.run(10)
    b.device.master = enables

    def wished(answer: bytes) -> bytes:
        b.command(command)
        return answer

    b.from_device = On(Header.GET_MASTER, b, 1, wished)
    b.run(10)
    assert b.device.master is enables
    assert b.requests(Header.SET_MASTER)[-1] == (OPEN if enables else SHUT)
    assert b.heard(Completed)[-1] == Completed(command)
