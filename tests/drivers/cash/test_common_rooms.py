"""What machines are built on: one question at a time, commands that each end once, questions to one that came back,
and the rest of one with which nothing happens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from drivers.api.cash import CashCommand, Completed, Refusal
from drivers.cash.connection import Phase, is_too_early
from drivers.cash.exchange import Exchange
from drivers.cash.orders import Orders
from drivers.cash.questions import Questions, Standing
from drivers.cash.rest import Asides, Rest, Turn
from drivers.cash.steps import Acknowledge, Do, Input, Proceed, Recalled, Received, Send, Tick

ENABLE, DISABLE, STACK, RETURN = CashCommand.ENABLE, CashCommand.DISABLE, CashCommand.STACK, CashCommand.RETURN


# --- one question at a time -----------------------------------------------------------------------------------------


def asked(late: float = 1.0) -> Exchange[str]:
    """A line on which a question went out at 10.0, with two seconds for the answer."""
    line: Exchange[str] = Exchange(lost_after=5.0, late=late)
    line.begin(10.0)
    line.ask("how is it?", 10.0, patience=2.0)
    return line


def test_nothing_is_asked_while_an_answer_that_was_missed_may_still_come() -> None:
    line = asked()
    assert line.deadline == 12.0
    assert line.overdue(12.0)
    line.give_up(12.0, pause=0.1)
    line.hurry(12.0)
    assert not line.may_ask(12.9)
    assert line.deadline == 13.0
    assert line.may_ask(13.0)


def test_when_the_late_answer_is_there_the_line_is_free() -> None:
    line = asked()
    line.give_up(12.0, pause=0.1)
    line.late_answer(12.3, pause=0.1)
    assert line.deadline == 12.4
    assert line.may_ask(12.4)


def test_a_damaged_answer_leaves_little_to_wait_for() -> None:
    line = asked()
    line.give_up(12.0, pause=0.1, late=0.2)
    assert line.deadline == 12.2


def test_a_device_that_has_said_nothing_at_all_for_long_is_not_slow_but_dark() -> None:
    line = asked()
    line.give_up(14.5, pause=0.1)
    assert line.deadline == 15.0
    line.ask("how is it?", 15.0, patience=2.0)
    assert line.falls_silent(17.0)
    assert not line.falls_silent(17.1), "once for each time that it goes"
    line.give_up(17.0, pause=0.1)
    assert line.deadline == 17.1, "and it is knocked at without delay"


def test_a_device_that_only_says_things_too_late_is_lost_and_still_waited_for() -> None:
    line = asked()
    line.give_up(12.0, pause=0.1)
    line.late_answer(12.8, pause=0.1)
    line.ask("how is it?", 12.9, patience=2.0)
    line.give_up(14.9, pause=0.1)
    assert line.falls_silent(15.0)
    assert line.deadline == 15.9


# --- commands -------------------------------------------------------------------------------------------------------


def test_commands_that_want_the_slot_to_be_the_same_end_with_the_one_that_was_sent() -> None:
    told: list[Completed] = []
    orders = Orders(told.append)
    for command in (ENABLE, ENABLE, DISABLE, ENABLE):
        orders.post(Do(command))
    orders.complete()
    assert told == [Completed(ENABLE), Completed(ENABLE)]
    orders.complete(Refusal.REFUSED)
    assert told[2:] == [Completed(DISABLE, Refusal.REFUSED)]
    orders.fail_all(Refusal.LOST)
    assert told[3:] == [Completed(ENABLE, Refusal.LOST)]


def test_a_command_that_moves_a_note_ends_alone() -> None:
    told: list[Completed] = []
    orders = Orders(told.append)
    orders.post(Do(RETURN))
    orders.post(Do(RETURN))
    orders.complete()
    assert told == [Completed(RETURN)]
    assert orders.first == Do(RETURN)


@pytest.mark.parametrize(
    ("command", "phases"),
    [
        (STACK, {Phase.KNOCKING, Phase.REPORTED}),
        (RETURN, {Phase.KNOCKING}),
        (ENABLE, set[Phase]()),
        (DISABLE, set[Phase]()),
    ],
)
def test_a_command_about_a_note_is_too_early_while_the_device_comes_back(
    command: CashCommand, phases: set[Phase]
) -> None:
    assert {phase for phase in Phase if is_too_early(command, phase)} == phases


# --- questions ------------------------------------------------------------------------------------------------------


def test_a_question_that_failed_is_asked_again_after_a_poll() -> None:
    questions = Questions[str]()
    questions.want("who?", "how many?")
    assert questions.failed(questions.next(), only_report=False) is Standing.GOES_ON
    assert questions.asking
    assert not questions.may_ask
    questions.polled()
    assert questions.may_ask
    assert questions.next() == "who?"
    assert not questions.got_on()
    assert questions.next() == "how many?"
    assert not questions.asking


def test_for_a_report_a_question_is_given_up_after_three_tries() -> None:
    questions = Questions[str]()
    questions.want("who?")
    standings = [questions.failed(questions.next(), only_report=True) for _ in range(3)]
    assert standings == [Standing.GOES_ON, Standing.GOES_ON, Standing.GIVEN_UP]
    assert not questions.asking


def test_a_device_that_never_answers_is_a_persons_business_once_and_then_better_once() -> None:
    questions = Questions[str]()
    questions.want("who?")
    standings = [questions.failed(questions.next(), only_report=False) for _ in range(30)]
    assert [n for n, standing in enumerate(standings, 1) if standing is Standing.TOO_OFTEN] == [10]
    assert questions.got_on()
    assert not questions.got_on()


# --- rest -----------------------------------------------------------------------------------------------------------

_POLL, _ACK = Send(b"?"), Send(b"!")


def resting(forget: Callable[[], None] = lambda: None) -> tuple[Rest[str], Exchange[str]]:
    """A device that said "same" at 10 s, and a line on which the next question is due at 10.2 s."""
    line = Exchange[str](8.0)
    line.begin(0.0)
    line.ask("news?", 9.9, 1.5)
    line.answered(10.0, 0.2)
    return Rest(Turn("news?", (_POLL,), b"same"), forget, 1.5, (_ACK,), 0.2, 10.0, aside_at=12.0), line


def test_at_rest_the_same_is_asked_and_the_same_follows() -> None:
    forgotten: list[bool] = []
    rest, line = resting(lambda: forgotten.append(True))
    assert rest.goes_on(Tick(), line, 10.2) == (_POLL,)
    assert forgotten == [True]
    assert (line.asked, line.deadline) == ("news?", 11.7)
    assert rest.goes_on(Received(b"same"), line, 10.3) == (_ACK,)
    assert (line.asked, line.deadline, line.heard_at) == (None, 10.5, 10.3)
    assert forgotten == [True]


@pytest.mark.parametrize(
    ("asked", "happened", "now"),
    [
        (False, Tick(), 10.1), (False, Received(b"same"), 10.3), (False, Do(STACK), 10.3), (True, Tick(), 11.7),
        (True, Received(b"sam"), 10.3), (True, Received(b"samesame"), 10.3), (True, Received(b"same"), 12.0),
        (True, Do(STACK), 10.3), (True, Acknowledge(), 10.3), (True, Proceed(), 10.3), (True, Recalled(1), 10.3),
    ],
)  # fmt: skip
def test_anything_else_ends_the_rest_and_leaves_the_line_as_it_is(asked: bool, happened: Input, now: float) -> None:
    rest, line = resting()
    if asked:
        rest.goes_on(Tick(), line, 10.2)
    before = replace(line)
    assert rest.goes_on(happened, line, now) is None
    assert line == before


_WHO, _WELL = Send(b"who?"), Send(b"well?")
_ASIDES = Asides([Turn("who?", (_WHO,), b"me"), Turn("well?", (_WELL,), b"yes")], between=0.02, every=2.0)


def looking() -> tuple[Rest[str], Exchange[str]]:
    """The same with two asides: the poll that brings their turn was answered at 12.1 s."""
    _, line = resting()
    rest = Rest(Turn("news?", (_POLL,), b"same"), lambda: None, 1.5, (_ACK,), 0.2, 10.0, _ASIDES, aside_at=12.0)
    line.wait_until(12.0)
    assert rest.goes_on(Tick(), line, 12.0) == (_POLL,)
    assert rest.left == []
    assert rest.goes_on(Received(b"same"), line, 12.1) == (_ACK,)
    return rest, line


def test_asides_are_asked_one_by_one_and_then_the_poll_is_due_as_if_they_had_not_been() -> None:
    rest, line = looking()
    assert (line.deadline, rest.last, rest.left) == (12.12, "news?", ["who?", "well?"])
    assert rest.goes_on(Tick(), line, 12.12) == (_WHO,)
    assert (line.asked, rest.last, rest.left) == ("who?", "who?", ["well?"])
    assert rest.goes_on(Received(b"me"), line, 12.13) == ()
    assert line.deadline == pytest.approx(12.15)
    assert rest.goes_on(Tick(), line, 12.15) == (_WELL,)
    assert rest.goes_on(Received(b"yes"), line, 12.16) == ()
    assert (line.deadline, line.heard_at, rest.last, rest.left) == (pytest.approx(12.3), 12.16, "well?", [])
    assert (rest.polled, rest.aside_at) == (12.1, 14.1)
    assert rest.goes_on(Tick(), line, 12.3) == (_POLL,)
    assert rest.goes_on(Received(b"same"), line, 12.31) == (_ACK,)
    assert (rest.polled, line.deadline) == (12.31, pytest.approx(12.51))


def test_an_aside_gives_way_to_a_poll_that_is_due_but_not_the_first_one() -> None:
    rest, line = looking()
    assert rest.goes_on(Tick(), line, 12.5) == (_WHO,)
    assert rest.goes_on(Received(b"me"), line, 12.6) == ()
    assert rest.goes_on(Tick(), line, 12.7) is None
    assert (line.asked, rest.left) == (None, ["well?"])


def test_the_poll_after_a_slow_aside_is_due_when_the_line_is_quiet() -> None:
    rest, line = looking()
    for happened, at in ((Tick(), 12.12), (Received(b"me"), 12.2), (Tick(), 12.25), (Received(b"yes"), 12.4)):
        assert rest.goes_on(happened, line, at) is not None
    assert line.deadline == pytest.approx(12.42)


@pytest.mark.parametrize("answer", [b"same", b"yes", b"m", b"meme", b"not me"])
def test_an_aside_that_is_answered_in_another_way_ends_the_rest(answer: bytes) -> None:
    rest, line = looking()
    rest.goes_on(Tick(), line, 12.12)
    before = replace(line)
    assert rest.goes_on(Received(answer), line, 12.13) is None
    assert (line, rest.left) == (before, ["well?"])
