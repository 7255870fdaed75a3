"""The host's side of ccTalk: opening and shutting the slot."""

from __future__ import annotations

import pytest

from drivers.api.cash import CashCommand, Completed, Lost, Refusal
from drivers.cash.cctalk.messages import Header
from tests.drivers.cash.bench import On, nothing
from tests.drivers.cash.cctalk.virtual import bench
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
