"""The host's side of ccTalk: answers that are lost, damaged or late, and silence."""

from __future__ import annotations

import pytest

from drivers.api.cash import Answered, CashCommand, Completed, Escrowed, Lost, Presence, Ready, Refusal, Stacked
from drivers.cash.cctalk.framing import frame
from drivers.cash.cctalk.machine import Machine
from drivers.cash.cctalk.messages import Header, Route
from drivers.cash.cctalk.roles import NOTES
from drivers.cash.cctalk.timing import Timing
from drivers.cash.steps import Opened
from drivers.simulation.notes import Place
from tests.drivers.cash.bench import Disturb, On, damaged, nothing
from tests.drivers.cash.cctalk.virtual import STACK, TABLE, TWENTY, WHO, Bench, bench, device, reply
from tests.drivers.cash.sheet import row

EVERY_QUESTION = [
    *WHO, Header.NOTE_EVENTS, Header.SELF_CHECK, Header.NOTE_ID, Header.SCALING, Header.REVISION, Header.SET_MODE,
    Header.SET_INHIBITS, Header.SET_MASTER,
]  # fmt: skip


@row("three tries")
@pytest.mark.parametrize("change", [nothing, damaged], ids=["lost", "damaged"])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("header", EVERY_QUESTION)
def test_any_question_is_asked_again_when_its_answer_is_lost_or_damaged(
    header: Header, times: int, change: Disturb
) -> None:
    b = bench()
    lost = b.from_device = On(header, b, times, change)
    assert b.ready().values == TABLE
    assert lost.left == 0
    assert b.codes() == []


@pytest.mark.parametrize("header", EVERY_QUESTION)
def test_a_question_that_arrives_damaged_is_asked_again(header: Header) -> None:
    b = bench()
    b.to_device = On(header, b, 2, damaged)
    assert b.ready().values == TABLE


@pytest.mark.parametrize(
    "missing", [Header.MANUFACTURER, Header.POLLING_PRIORITY, Header.GET_INHIBITS, Header.REVISION]
)
def test_a_header_that_the_device_does_not_have_is_done_without(missing: Header) -> None:
    b = bench()
    b.from_device = On(missing, b, 10_000, nothing)
    b.stacked()
    b.cleared()
    b.run(10)
    asked = len(b.requests(missing))
    assert asked <= 3, "and is not asked for ever"
    assert b.heard(Lost) == []


@row("159 may be repeated")
@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize("change", [nothing, damaged], ids=["lost", "damaged"])
def test_events_whose_answer_is_lost_are_read_again_and_credited_once(times: int, change: Disturb) -> None:
    b = bench()
    b.escrowed()
    b.command(CashCommand.STACK)
    b.until(Completed)
    b.from_device = On(Header.NOTE_EVENTS, b, times, change)
    b.until(Stacked)
    b.run(5)
    assert len(b.heard(Stacked)) == 1


def test_every_answer_may_come_late_and_none_is_taken_for_another() -> None:
    b = bench()
    b.enabled()
    b.device.line.slow = 0.35  # Just too late, always.
    b.insert()
    b.run(4)
    b.device.line.slow = 0.0
    b.until(Escrowed)
    b.command(CashCommand.STACK)
    b.until(Stacked)
    b.cleared()
    assert (len(b.heard(Stacked)), b.places()) == (1, [Place.BOX])


@row("the simple checksum is weak")
def test_money_that_is_said_only_once_under_the_simple_checksum_is_not_believed() -> None:
    b = bench()
    b.enabled()
    lie = reply(1, TWENTY, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    b.from_device = On(Header.NOTE_EVENTS, b, 1, lambda _: lie)
    b.run(5)
    assert b.heard(Stacked) == []
    assert b.codes() == []


def test_an_answer_that_makes_no_sense_is_a_trouble_that_passes() -> None:
    b = bench()
    b.enabled()
    b.from_device = On(Header.NOTE_EVENTS, b, 1, lambda _: reply(1, 2, 3))
    b.run(2)
    assert b.codes() == ["unreadable-answer", "unreadable-answer over"]


@row("BUSY and NAK")
def test_busy_is_asked_again_later() -> None:
    b = bench()
    busy = frame(1, 6, source=40)
    b.from_device = On(Header.SERIAL, b, 3, lambda _: busy)
    b.ready()
    b.from_device = On(Header.NOTE_EVENTS, b, 3, lambda _: busy)
    b.escrowed()
    b.from_device = On(STACK, b, 1, lambda _: busy)
    b.command(CashCommand.STACK)
    b.until(Stacked)
    assert b.routes() == [Route.STACK]


@row("BUSY and NAK")
def test_a_nak_to_enable_is_a_refusal() -> None:
    b = bench()
    b.ready()
    b.from_device = On(Header.SET_MASTER, b, 1, lambda _: frame(1, 5, source=40))
    b.command(CashCommand.ENABLE)
    assert b.until(Completed) == Completed(CashCommand.ENABLE, Refusal.REFUSED)


def test_an_echo_in_any_pieces_is_dropped() -> None:
    machine = Machine(NOTES, Timing(), echo=True)
    machine.step(Opened(bytes(64)), 0.0)
    b = Bench(device(), echo=True)
    b.from_device = bytes
    b.ready()
    assert all(request.header in Header for request in b.requests())


@row("the echo is read back")
def test_a_wrong_echo_is_a_collision_and_the_question_is_asked_again() -> None:
    b = Bench(device(), echo=True)
    b.from_device = On(Header.SERIAL, b, 2, lambda data: b"\x55" + data[1:])
    assert b.ready().values == TABLE
    assert len(b.requests(Header.SERIAL)) == 4, "twice in vain, and of the others both must agree"


def test_a_line_that_does_not_echo_although_it_should_is_silent() -> None:
    b = Bench(device(), echo=True)
    b.device.echo = False
    assert b.until(Lost) == Lost("silent")


def test_a_device_that_falls_silent_is_lost_and_comes_back_with_everything_told_anew() -> None:
    b = bench()
    b.enabled()
    b.device.line.mute = True
    assert b.until(Lost) == Lost("silent")
    b.run(20)
    assert len(b.heard(Lost)) == 1
    b.device.line.mute = False
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    b.until(Ready)


def test_on_a_line_with_an_echo_two_at_once_are_noticed_also_by_a_device_at_rest() -> None:
    b = Bench(device(), echo=True)
    b.enabled()
    b.run(5)
    damaged = [True]

    def collide(data: bytes) -> bytes:
        return bytes((data[0] ^ 0x55,)) + data[1:] if data and damaged and damaged.pop() else data

    b.from_device = collide
    polls = len(b.commands(Header.NOTE_EVENTS, Header.SIMPLE_POLL))
    b.run(1)
    assert damaged == []
    assert b.rested == 0
    assert Header.SIMPLE_POLL in b.commands()[-12:], "what was answered then is not believed before a proof"
    assert len(b.commands(Header.NOTE_EVENTS, Header.SIMPLE_POLL)) > polls
