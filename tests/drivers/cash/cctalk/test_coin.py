"""The coin acceptor: the same machine in its other role, taking money without asking."""

from __future__ import annotations

import pytest

from drivers.api.cash import (
    Answered,
    CashCommand,
    Cleared,
    Completed,
    Lost,
    Presence,
    Ready,
    Refusal,
    Rejected,
    Stacked,
)
from drivers.cash.cctalk.events import coin_meaning
from drivers.cash.cctalk.framing import Checksum, frame
from drivers.cash.cctalk.machine import Machine
from drivers.cash.cctalk.messages import Header, Request
from drivers.cash.cctalk.roles import COINS
from drivers.cash.cctalk.simulator_device import CoinAcceptor
from drivers.cash.cctalk.timing import Timing
from drivers.cash.cctalk.values import CoinUnit
from drivers.cash.steps import Acknowledge
from drivers.simulation.mechanism import Box, Spot
from drivers.simulation.notes import Place
from guichet.money import parse_money
from tests.drivers.cash.bench import On, damaged, nothing
from tests.drivers.cash.cctalk.virtual import CENTS, COIN_TABLE, EURO, Bench, coins
from tests.drivers.cash.sheet import row


def acceptor(b: Bench) -> CoinAcceptor:
    assert isinstance(b.device, CoinAcceptor)
    return b.device


def test_it_has_no_escrow_and_its_events_have_numbers() -> None:
    machine = Machine(COINS, Timing())
    assert not machine.capabilities.escrow
    assert machine.capabilities.marks
    assert machine.capabilities.counter_modulus is None


@row("exchange: coin start")
def test_coin_start_is_read_enabled_by_name_and_shut() -> None:
    b = Bench(coins())
    ready = b.ready()
    assert ready.values == COIN_TABLE
    assert ready.identity.driver == "cctalk-coin"
    assert not b.device.accepts
    assert b.requests(Header.SET_INHIBITS) == [Request(Header.SET_INHIBITS, b"\x03\x00")], "only what has a value"
    assert b.requests(Header.SET_MODE, Header.SCALING, Header.ROUTE) == []


@row("a coin credit")
@pytest.mark.parametrize("checksum", Checksum)
@pytest.mark.parametrize("echo", [False, True])
def test_a_coin_is_in_the_box_when_it_is_told(checksum: Checksum, echo: bool) -> None:
    b = Bench(coins(), checksum=checksum, echo=echo)
    b.enabled()
    b.insert(EURO)
    stacked = b.until(Stacked)
    assert (stacked.note_type, stacked.value, stacked.mark) == (EURO, COIN_TABLE[EURO], 1)
    assert b.places() == [Place.BOX]
    assert b.cleared() == Cleared(None, enabled=True)


def test_coins_that_come_quickly_are_told_one_after_the_other() -> None:
    b = Bench(coins(), acknowledges=False)
    b.enabled()
    for kind in (EURO, CENTS, EURO):
        b.device.post(kind, 1)
    b.run(2)
    assert [stacked.mark for stacked in b.heard(Stacked)] == [1]
    b.step(Acknowledge())
    b.step(Acknowledge())
    b.step(Acknowledge())
    assert [stacked.note_type for stacked in b.heard(Stacked)] == [EURO, CENTS, EURO]


def test_a_rejected_coin_is_told_with_its_number() -> None:
    b = Bench(coins())
    b.enabled()
    b.insert(EURO, readable=False)
    assert b.until(Rejected) == Rejected("reject", 1)
    b.cleared()
    assert b.places() == [Place.HAND]


@pytest.mark.parametrize("command", [CashCommand.STACK, CashCommand.RETURN])
def test_there_is_no_escrow_to_route_from(command: CashCommand) -> None:
    b = Bench(coins())
    b.enabled()
    b.command(command)
    assert b.until(Completed) == Completed(command, Refusal.NO_NOTE_IN_ESCROW)
    assert b.requests(Header.ROUTE) == []


def test_a_slot_whose_coins_have_no_value_is_not_opened() -> None:
    b = Bench(coins())
    b.device.table.clear()
    assert b.ready().values == {}
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE, Refusal.NOT_READY)


@row("watchdog of a coin acceptor: 1 s")
def test_the_watchdog_of_1_s_is_never_bitten_and_opens_by_itself() -> None:
    b = Bench(coins())
    b.enabled()
    b.run(60)
    assert b.device.accepts
    b.now += 1.2
    b.device.advance(b.now)
    assert not b.device.accepts
    b.run(1)
    assert b.device.accepts


@pytest.mark.parametrize("change", [nothing, damaged], ids=["lost", "damaged"])
@pytest.mark.parametrize("header", [Header.COIN_EVENTS, Header.COIN_ID, Header.SET_INHIBITS, Header.SET_MASTER])
def test_any_question_is_asked_again(header: Header, change: object) -> None:
    b = Bench(coins())
    b.from_device = On(header, b, 2, nothing if change is nothing else damaged)
    assert b.ready().values == COIN_TABLE
    b.enabled()
    b.insert(EURO)
    b.until(Stacked)
    b.run(3)
    assert len(b.heard(Stacked)) == 1


def test_what_happened_while_nobody_read_is_the_first_answer_and_then_events() -> None:
    b = Bench(coins())
    b.enabled()
    b.insert(EURO)
    b.until(Stacked)
    for kind, path in ((0, 1), (EURO, 1), (CENTS, 1)):
        b.device.post(kind, path)
    b.restart()
    answered = b.until(Answered)
    assert (answered.presence, answered.note_type, answered.mark) == (Presence.STACKED, EURO, 3)
    assert b.until(Rejected) == Rejected("reject", None)
    assert (b.until(Stacked).note_type, b.marks[b.serial]) == (CENTS, 4)
    b.until(Ready)


@row("a coin credit", "counter 0: restarted")
@pytest.mark.parametrize("seconds", [0.05, 3.0])
def test_a_power_cut_is_a_memory_lost_and_a_coin_on_its_way_still_counts(seconds: float) -> None:
    b = Bench(coins())
    b.enabled()
    for _ in range(7):
        b.insert(CENTS)
        b.until(Stacked)
        b.cleared()
    b.insert(EURO)
    b.until_place(Place.TRANSPORT)
    b.device.cut_power(b.now)
    b.run(seconds)
    b.device.restore_power(b.now)
    assert b.until(Answered).presence is Presence.FORGOTTEN
    assert b.until(Stacked).note_type == EURO
    b.run(5)
    assert len(b.heard(Stacked)) == 8 == b.places().count(Place.BOX)


def test_nothing_missed_is_an_empty_path() -> None:
    b = Bench(coins())
    b.enabled()
    b.insert(EURO)
    b.until(Stacked)
    b.restart()
    answered = b.until(Answered)
    assert (answered.presence, answered.mark) == (Presence.PATH_EMPTY, 1)
    assert b.codes() == []


def test_the_return_lever_and_a_coin_on_a_string_are_told_by_the_status() -> None:
    b = Bench(coins())
    b.enabled()
    acceptor(b).status = 1
    b.run(5)
    acceptor(b).status = 2
    b.run(5)
    acceptor(b).status = 0
    b.run(5)
    assert b.codes() == ["pause-return-lever", "pause-return-lever over", "cheated-string"]


def test_a_jam_stops_and_is_over_when_it_is_freed() -> None:
    b = Bench(coins())
    b.enabled()
    b.device.jam(Spot.TRANSPORT)
    b.insert(EURO)
    b.run(5)
    assert b.codes()[0] == "jam-credit-sensor"
    assert not b.device.accepts
    b.device.free_jam(b.now)
    b.until(Ready)


def test_a_full_box_stops() -> None:
    b = Bench(coins())
    b.enabled()
    b.device.change_box(Box.FULL, b.now)
    b.run(5)
    assert b.codes() == ["box-full"]
    b.device.change_box(Box.IN, b.now)
    b.until(Ready)


def test_a_credit_of_a_position_without_a_name_is_money_of_which_nobody_knows_how_much() -> None:
    b = Bench(coins())
    b.enabled()
    b.device.post(9, 1)
    stacked = b.until(Stacked)
    assert (stacked.note_type, stacked.value) == (9, None)
    assert coin_meaning(9, 1) == coin_meaning(9, 0)


def test_major_units_are_another_table() -> None:
    b = Bench(coins(), unit=CoinUnit.MAJOR)
    ready = b.ready()
    assert ready.values[EURO] == parse_money("100 EUR")
    assert ready.table_hash != Bench(coins()).ready().table_hash


def test_silence_is_a_loss() -> None:
    b = Bench(coins())
    b.enabled()
    b.device.line.mute = True
    assert b.until(Lost) == Lost("silent")
    b.device.line.mute = False
    b.until(Ready)


def test_the_sheets_idle_answer_is_what_the_simulator_says() -> None:
    device = coins()
    assert device.receive(frame(2, 229), 0.0) == bytes.fromhex("010B0200 0000000000000000000000 F2")
    device.post(3, 2)
    assert device.receive(frame(2, 229), 0.0) == bytes.fromhex("010B0200 0103020000000000000000 EC")


def blink(b: Bench) -> None:
    """The device loses its power for a second; until it can be enabled again."""
    b.device.cut_power(b.now)
    b.run(1)
    b.device.restore_power(b.now)
    b.until(Answered)
    b.until(Ready)


@pytest.mark.parametrize("fallen", [0, 1])
def test_a_power_cut_with_the_slot_open_may_have_swallowed_a_coin_whatever_the_number_says(fallen: int) -> None:
    """Its number is 0 before and after, where none had fallen yet."""
    b = Bench(coins())
    b.enabled()
    for _ in range(fallen):
        acceptor(b).post(EURO, 1)
        b.until(Stacked)
    blink(b)
    assert b.codes().count("events-missed") == 1


def test_a_power_cut_with_the_slot_shut_has_swallowed_none() -> None:
    b = Bench(coins())
    b.ready()
    blink(b)
    assert "events-missed" not in b.codes()


def darkened(b: Bench) -> None:
    """Terminal and device lose their power, and are there again."""
    b.device.cut_power(b.now)
    b.restart()
    b.device.restore_power(b.now)
    b.until(Answered)
    b.until(Ready)


def test_a_power_cut_of_terminal_and_device_may_have_swallowed_the_first_coin_of_all() -> None:
    """Its number is 0 before and after, and nobody is left who remembers that the slot was open."""
    b = Bench(coins())
    b.enabled()
    assert b.marks == {b.serial: 0}
    darkened(b)
    assert b.codes().count("events-missed") == 1


def test_a_device_that_nobody_has_seen_before_has_swallowed_none() -> None:
    b = Bench(coins())
    b.ready()
    assert "events-missed" not in b.codes()


def test_a_restart_beside_a_device_that_kept_its_power_misses_nothing() -> None:
    b = Bench(coins())
    b.enabled()
    b.restart()
    b.until(Ready)
    assert "events-missed" not in b.codes()
