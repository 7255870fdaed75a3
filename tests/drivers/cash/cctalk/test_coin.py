"""The coin acceptor: the same machine in its other role, taking money without asking."""

from __future__ import annotations

from typing import Any

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
from drivers.cash.cctalk.events import CREDIT_VALUES, coin_meaning
from drivers.cash.cctalk.framing import Checksum, frame
from drivers.cash.cctalk.machine import Machine
from drivers.cash.cctalk.messages import Header, Request
from drivers.cash.cctalk.narrator import coin_narrator
from drivers.cash.cctalk.roles import COINS
from drivers.cash.cctalk.simulator_device import CoinAcceptor
from drivers.cash.cctalk.timing import Timing
from drivers.cash.cctalk.values import CoinUnit
from drivers.cash.steps import Acknowledge
from drivers.simulation.mechanism import Box, Spot
from drivers.simulation.notes import Place
from guichet.money import parse_money
from tests.drivers.cash.bench import On, damaged, nothing, say
from tests.drivers.cash.cctalk.virtual import CENTS, COIN_TABLE, EURO, Bench, bench, coins
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


@row("248 coin status")
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


# --- credits that are values (213, option flag 0) -------------------------------------------------------------------

FLAGS_ASKED, NAK_SAID, BUSY_SAID = "020001D528", "01000205F8", "01000206F7"
POSITIONS_SAID, VALUES_SAID = "0101020000FC", "0101020001FB"


def valued(**more: Any) -> Bench:
    """An acceptor of 0.20 EUR at position 1 and 1 EUR at position 2, whose credits are values."""
    device = coins()
    device.credits_are_values = True
    return Bench(device, **more)


def credit(b: Bench, a: int) -> Stacked:
    b.device.post(a, 1)
    return b.until(Stacked)


def test_a_coin_acceptor_is_asked_twice_what_its_credits_are_before_anything_is_said_of_them() -> None:
    b = Bench(coins(), proceeds=False)
    b.until(Answered)
    assert [data.hex().upper() for data in b.frames(Header.OPTION_FLAGS)] == [FLAGS_ASKED] * 2


def test_a_validator_is_not_asked_what_its_credits_are() -> None:
    b = bench()
    b.ready()
    assert b.requests(Header.OPTION_FLAGS) == []


@row("a coin credit")
def test_a_credit_that_is_a_value_is_that_value_and_not_the_coin_of_the_position_with_that_number() -> None:
    b = valued()
    b.enabled()
    assert credit(b, 20).value == parse_money("0.20 EUR")
    assert credit(b, 100).value == parse_money("1 EUR")
    assert credit(b, 128 + 10).value == parse_money("1 EUR"), "the same, ten times ten"
    assert {credit(b, position).value for position in (CENTS, EURO)} == {None}, "no coin here is worth 0.01 or 0.02"


@pytest.mark.parametrize("a", [255, 50, 128])
def test_a_token_and_a_value_that_no_coin_has_are_no_money(a: int) -> None:
    b = valued()
    b.enabled()
    stacked = credit(b, a)
    assert (stacked.note_type, stacked.value, stacked.mark) == (CREDIT_VALUES + a, None, 1)


@pytest.mark.parametrize("face", [CENTS, EURO])
def test_a_coin_is_worth_the_same_whatever_its_credit_says(face: int) -> None:
    for b in (Bench(coins()), valued()):
        b.enabled()
        b.insert(face)
        assert b.until(Stacked).value == COIN_TABLE[face]


def test_a_table_of_values_and_one_of_positions_have_no_type_in_common_and_not_the_same_hash() -> None:
    positions, values = Bench(coins()).ready(), valued().ready()
    assert set(positions.values) == {CENTS, EURO}
    assert values.values == {
        CREDIT_VALUES + 20: COIN_TABLE[CENTS], CREDIT_VALUES + 130: COIN_TABLE[CENTS],
        CREDIT_VALUES + 100: COIN_TABLE[EURO], CREDIT_VALUES + 138: COIN_TABLE[EURO],
    }  # fmt: skip
    assert positions.table_hash != values.table_hash


def test_a_credit_that_nobody_read_is_the_first_answer_as_a_value_and_never_as_a_position() -> None:
    b = valued()
    b.enabled()
    b.device.post(EURO, 1)
    b.restart()
    answered = b.until(Answered)
    assert (answered.presence, answered.note_type) == (Presence.STACKED, CREDIT_VALUES + EURO)


def test_coins_of_two_currencies_that_a_value_could_mean_are_not_let_in() -> None:
    b = valued()
    b.device.table[3] = parse_money("0.20 USD")
    b.enabled()
    assert b.requests(Header.SET_INHIBITS) == [Request(Header.SET_INHIBITS, b"\x02\x00")], "1 EUR alone"
    assert credit(b, 20).value is None


def test_a_value_without_a_currency_opens_no_slot() -> None:
    b = valued()
    b.device.table.clear()
    assert b.ready().values == {}
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE, Refusal.NOT_READY)


@pytest.mark.parametrize("said", ["", NAK_SAID, BUSY_SAID], ids=["silence", "NAK", "BUSY"])
def test_an_acceptor_that_knows_no_option_flags_credits_positions(said: str) -> None:
    b = Bench(coins())
    b.from_device = On(Header.OPTION_FLAGS, b, 1000, lambda _: bytes.fromhex(said))
    assert b.ready().values == COIN_TABLE
    assert len(b.requests(Header.OPTION_FLAGS)) == 6, "silence is believed when it is said twice, three times each"
    b.enabled()
    b.run(5)
    assert credit(b, EURO).value == COIN_TABLE[EURO]
    assert (b.codes(), b.heard(Lost)) == ([], [])


@row("213 CVF: a credit is a value")
@pytest.mark.parametrize("lost", [1, 2, 3, 4, 5])
def test_option_flags_that_are_lost_make_no_positions_of_values(lost: int) -> None:
    b = valued()
    b.from_device = On(Header.OPTION_FLAGS, b, lost, nothing)
    b.enabled()
    assert credit(b, 20).value == parse_money("0.20 EUR")
    assert credit(b, EURO).value is None


def test_option_flags_that_are_said_now_and_not_then_have_a_person_look() -> None:
    b = valued()
    asked = iter(range(1_000_000))
    b.from_device = On(Header.OPTION_FLAGS, b, 1000, lambda _: b"" if next(asked) % 4 else bytes.fromhex(VALUES_SAID))
    b.run(120)
    assert b.codes() == ["failure-not-identified"]
    assert b.heard(Answered) == []


@pytest.mark.parametrize(("values", "lie"), [(True, POSITIONS_SAID), (False, VALUES_SAID)])
def test_option_flags_are_only_believed_when_they_are_said_twice(values: bool, lie: str) -> None:
    b = valued() if values else Bench(coins())
    say(b, Header.OPTION_FLAGS, lie)
    assert b.ready().values == (valued() if values else Bench(coins())).ready().values
    assert len(b.requests(Header.OPTION_FLAGS)) == 4, "everything was asked anew"


def test_a_trace_says_what_the_option_flags_are() -> None:
    told = coin_narrator({})
    sayings = [*told.sent(bytes.fromhex(FLAGS_ASKED)), *told.received(bytes.fromhex(VALUES_SAID))]
    assert [saying.words for saying in sayings] == ["option flags", "option flags 1"]
