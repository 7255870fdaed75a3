"""The host's side of ID-003: opening and shutting the slot."""

from __future__ import annotations

import pytest

from drivers.api.cash import Accepting, CashCommand, Cleared, Completed, Escrowed, Ready, Refusal
from drivers.cash.id003.framing import frame
from drivers.cash.id003.messages import Command, State
from drivers.cash.id003.simulator_device import Firmware
from drivers.simulation.notes import Place
from tests.drivers.cash.bench import Disturb, On, damaged, nothing
from tests.drivers.cash.id003.virtual import bench, invalid
from tests.drivers.cash.sheet import row

STACK, RETURN = CashCommand.STACK, CashCommand.RETURN
FAST, SLOW = Firmware(shows_transients=True), Firmware(shows_transients=False)


@row("C3 00 after every RESET")
def test_the_inhibit_is_lifted_by_c3_00_after_every_reset() -> None:
    b = bench()
    b.enabled()
    b.device.cut_power(b.now)
    b.device.restore_power(b.now)
    b.until(Ready)
    assert b.device.state is State.DISABLED
    b.command(CashCommand.ENABLE)
    b.until(Completed)
    assert b.requests()[-2:] == ["c0 00 00", "c3 00"]
    assert b.device.state is State.IDLING


@row("7.5 disable during a note")
def test_sequence_7_5_a_note_that_is_on_its_way_when_the_slot_is_shut_still_comes_to_escrow() -> None:
    b = bench()
    b.enabled()
    b.insert()
    b.until(Accepting)
    b.command(CashCommand.DISABLE)
    b.until(Escrowed)
    b.command(RETURN)
    assert b.cleared() == Cleared(None, enabled=False)
    assert b.requests()[-2:] == ["c3 01", "43"]
    assert b.places() == [Place.HAND]


@pytest.mark.parametrize("command", [Command.SET_DENOMINATIONS, Command.SET_INHIBIT])
@pytest.mark.parametrize("disturb", [nothing, damaged])
def test_opening_the_slot_is_tried_three_times_and_no_more(command: Command, disturb: Disturb) -> None:
    b = bench()
    b.ready()
    b.from_device = On(command, b, 2, disturb)
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE)
    assert len(b.commands(command)) == 3
    b.from_device = On(command, b, 9, disturb)
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE, Refusal.NO_ANSWER)
    assert len(b.commands(command)) == 6


@row("settings are echoed, or refused by 4B")
@pytest.mark.parametrize(
    ("answer", "tries"), [(b"\x4b", 1), (b"\x4a", 3), (b"\xc3\x01", 3)], ids=["4B", "4A", "another echo"]
)
def test_a_slot_command_that_is_not_echoed_is_refused(answer: bytes, tries: int) -> None:
    b = bench()
    b.ready()
    b.from_device = On(Command.SET_INHIBIT, b, 9, lambda _: frame(answer))
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE, Refusal.REFUSED)
    assert len(b.commands(Command.SET_INHIBIT)) == tries


@row("settings are echoed, or refused by 4B")
def test_c0_that_is_refused_opens_nothing() -> None:
    b = bench()
    b.ready()
    b.from_device = On(Command.SET_DENOMINATIONS, b, 1, invalid)
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE, Refusal.REFUSED)
    assert not b.commands(Command.SET_INHIBIT)
    assert b.device.state is State.DISABLED
