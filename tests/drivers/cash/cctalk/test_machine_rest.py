"""ccTalk at rest: the look at more than the events is nothing new either, and whatever breaks into it is seen at once.

The bench steps a second machine that looks at every answer anew: in all that follows both say and wait for the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from drivers.api.cash import Answered, CashCommand, Completed, Escrowed, Lost, Presence, Ready, Stacked
from drivers.cash.cctalk.messages import Header
from drivers.cash.cctalk.simulator_device import CoinAcceptor, Validator
from drivers.cash.steps import Do
from tests.drivers.cash.bench import On, damaged, nothing
from tests.drivers.cash.cctalk.virtual import Bench, coins, device

LOOK = {
    Validator: [Header.GET_INHIBITS, Header.GET_MASTER, Header.SELF_CHECK],
    CoinAcceptor: [Header.GET_INHIBITS, Header.GET_MASTER, Header.SELF_CHECK, Header.STATUS],
}
PLACES = [(kind, header) for kind, headers in LOOK.items() for header in headers]
places = pytest.mark.parametrize(("kind", "header"), PLACES)


def resting(kind: type) -> Bench:
    """A device that has been open and left alone for some time: it has been looked over once at least."""
    b = Bench(device() if kind is Validator else coins())
    b.enabled()
    b.run(5)
    assert b.rested > 10
    return b


def with_a_tail(answer: bytes) -> bytes:
    """Noise behind an answer."""
    return answer + b"\x01\x02"


def until_asked(b: Bench, header: Header) -> None:
    """Until a device at rest is asked ``header`` the next time; what it answers has been heard."""
    before = len(b.commands(header))
    while len(b.commands(header)) == before:
        rested = b.rested
        b.pass_time(b.now + 1)
        assert b.rested > rested, "it is still at rest"


def until_answered(b: Bench, header: Header, answered: Callable[[bytes], bytes]) -> None:
    """Until ``header`` is asked, and what comes back is made of the answer by ``answered``."""
    disturbed = b.from_device = On(header, b, 1, answered)
    while disturbed.left:
        b.pass_time(b.now + 1)


@pytest.mark.parametrize("kind", LOOK)
def test_a_device_at_rest_is_looked_over_every_two_seconds_and_nothing_of_it_is_looked_at_anew(kind: type) -> None:
    b = resting(kind)
    sent, rested, began = len(b.sent), b.rested, b.now
    b.run(20)
    for header in LOOK[kind]:
        times = [at for at in b.times(header) if at > began]
        assert len(times) in (9, 10)
        assert all(1.9 < after - before < 2.3 for before, after in itertools.pairwise(times))
    # Each exchange is two steps, it goes out and it is answered: none of them ended the rest.
    assert abs(b.rested - rested - 2 * (len(b.sent) - sent)) <= 1


@places
@pytest.mark.parametrize("command", [CashCommand.ENABLE, CashCommand.DISABLE])
def test_a_command_that_comes_into_the_look_is_done_and_the_look_is_ended(
    kind: type, header: Header, command: CashCommand
) -> None:
    b = resting(kind)
    until_asked(b, header)
    began, sent = b.now, len(b.sent)
    b.command(command)
    assert b.until(Completed, 0.5).command is command
    b.run(1.0)
    left = LOOK[kind][LOOK[kind].index(header) + 1 :]
    assert [command for command in b.commands()[sent:] if command in LOOK[kind]] == left, "asked once each"
    b.run(5)
    polls = [at for at in b.times(b.role.events) if at > began]
    assert max(after - before for before, after in itertools.pairwise(polls)) < 0.3


@places
@pytest.mark.parametrize("change", [nothing, damaged, with_a_tail])
def test_an_answer_of_the_look_that_is_missed_or_has_a_tail_is_no_news(
    kind: type, header: Header, change: Callable[[bytes], bytes]
) -> None:
    b = resting(kind)
    until_answered(b, header, change)
    b.run(10)
    assert len([at for at in b.times(header) if at > b.now - 5]) in (2, 3)
    assert b.codes() == []
    assert b.heard(Lost) == []
    assert b.device.accepts


@places
def test_a_command_that_comes_while_an_answer_of_the_look_is_missed_is_done_next(kind: type, header: Header) -> None:
    b = resting(kind)
    until_answered(b, header, nothing)
    b.step(Do(CashCommand.DISABLE))
    assert b.until(Completed, 2.0) == Completed(CashCommand.DISABLE)
    b.run(5)
    assert not b.device.accepts


@places
@pytest.mark.parametrize("seconds", [0.1, 0.25])
def test_a_slow_answer_of_the_look_keeps_no_poll_waiting(kind: type, header: Header, seconds: float) -> None:
    b = resting(kind)

    def slow(answer: bytes) -> bytes:
        b.now += seconds
        return answer

    until_asked(b, header)
    b.run(1)
    began = b.now
    until_answered(b, header, slow)
    until_answered(b, header, slow)
    b.run(2)
    polls = [at for at in b.times(b.role.events) if at > began]
    assert max(after - before for before, after in itertools.pairwise(polls)) < seconds + 0.3


@places
def test_a_device_that_begins_anew_within_the_look_is_started_again(kind: type, header: Header) -> None:
    b = resting(kind)
    until_asked(b, header)
    b.device.cut_power(b.now)
    b.device.restore_power(b.now)
    # Nothing was inside; of coins it cannot say so, but nothing is held back.
    assert b.until(Answered, 3.0).presence is Presence.PATH_EMPTY
    assert b.until(Ready).values


@places
def test_money_that_comes_within_the_look_is_told_at_once(kind: type, header: Header) -> None:
    b = resting(kind)
    until_asked(b, header)
    began = b.now
    b.insert(1)
    if kind is Validator:
        b.until(Escrowed)
        b.command(CashCommand.STACK)
    b.until(Stacked)
    assert b.now - began < 4.0
    b.cleared()
    b.run(10)
    assert b.rested > 50


@pytest.mark.parametrize("kind", LOOK)
def test_what_only_the_look_can_see_is_seen_by_the_next_one(kind: type) -> None:
    b = resting(kind)
    b.run(10)
    if isinstance(b.device, CoinAcceptor):
        b.device.status = 1
        b.run(2.5)
        assert b.codes() == ["pause-return-lever"]
        b.device.status = 0
        b.run(2.5)
        assert b.codes() == ["pause-return-lever", "pause-return-lever over"]
    b.device.mask = bytes(len(b.device.mask))
    b.device.master = False
    told = len(b.heard(Answered))
    b.run(2.5)
    assert len(b.heard(Answered)) == told + 1, "nothing is enabled: it has begun anew"


def test_a_device_that_can_be_asked_for_nothing_but_its_events_rests_too() -> None:
    b = Bench(device())
    mute = {Header.GET_INHIBITS, Header.SELF_CHECK}
    b.from_device = lambda answer: b"" if b.sent[-1].command in mute else answer
    b.enabled()
    b.run(10)
    sent, rested = len(b.sent), b.rested
    b.run(20)
    assert not mute & {*b.commands()[sent:]}
    assert b.rested - rested > 150
