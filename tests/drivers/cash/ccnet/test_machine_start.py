"""The host's side of CCNET: a start, and a new process over a living device."""

from __future__ import annotations

from itertools import pairwise

import pytest

from drivers.api.cash import (
    Answered,
    CashCommand,
    Cleared,
    Escrowed,
    Lost,
    Presence,
    Ready,
    Stacked,
    Trouble,
    TroubleKind,
)
from drivers.cash.ccnet.framing import frame
from drivers.cash.ccnet.messages import Command, State
from drivers.simulation.notes import Place
from tests.drivers.cash.bench import Disturb, On, damaged, nothing
from tests.drivers.cash.ccnet.virtual import SERIAL, TABLE, TWENTY, Bench, bench, device, old_life, refusal
from tests.drivers.cash.sheet import row

STACK, RETURN = CashCommand.STACK, CashCommand.RETURN


@row("the first poll on record before RESET", "10 power up")
def test_nothing_but_questions_is_sent_before_the_first_answer_is_on_record() -> None:
    b = bench()
    b.proceeds = False
    answered = b.until(Answered)
    assert answered.presence is Presence.PATH_EMPTY
    assert answered.frame.hex() == "020306104392"
    assert answered.stacked_counter == 0
    assert answered.identity is not None
    assert answered.identity.serial == SERIAL
    assert answered.identity.simulated
    sent = len(b.sent)
    b.run(60)
    assert len(b.sent) == sent, "the line is quiet until the caller says proceed"
    assert set(b.commands()) == {Command.POLL, Command.ACK, Command.IDENTIFICATION, Command.COUNT_STACKED}


@row("sequence: power-up and initialise")
def test_a_device_at_power_up_is_reset_once_and_read_whole() -> None:
    b = bench()
    ready = b.ready()
    assert b.commands(Command.RESET) == [Command.RESET]
    assert dict(ready.values) == dict(TABLE.values)
    assert ready.stacked_counter == 0
    assert len(ready.table_hash) == 32
    b.run(30)
    assert b.commands(Command.RESET) == [Command.RESET]
    assert len(b.heard(Ready)) == 1


@row("14 idling")
def test_a_device_that_is_enabled_already_is_disabled_and_not_reset() -> None:
    old = bench()
    old.enabled()
    b = Bench(old.device, now=old.now)
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    b.ready()
    assert b.commands(Command.RESET) == []
    assert b.device.state is State.DISABLED


@row("37 and 41 are answered slowly")
def test_a_device_that_takes_its_time_over_its_table_is_waited_for() -> None:
    """Units in the field take up to 1.5 s over identification and table."""
    b = bench()
    asked_at: list[float] = []

    def slow(data: bytes) -> bytes:
        if b.sent[-1].command in (Command.IDENTIFICATION, Command.GET_NOTE_TABLE):
            asked_at.append(b.now)
            b.now += 1.2
        return data

    b.from_device = slow
    b.ready()
    assert len(asked_at) == 3, "each was asked once: two at the report and the reading, and the table"


@row("5B counter of stacked notes")
def test_a_firmware_without_a_counter_is_read_and_serves_all_the_same() -> None:
    b = bench()
    b.device.forgets_count = True
    assert b.until(Answered).stacked_counter is None
    assert b.ready().stacked_counter is None
    b.escrowed()
    b.command(STACK)
    assert b.cleared() == Cleared(None, enabled=True)


@pytest.mark.parametrize("answer", ["", "FF", "00"])
def test_a_firmware_that_never_says_its_count_in_any_words_serves_without(answer: str) -> None:
    b = bench()
    said: Disturb = (lambda _: frame(bytes.fromhex(answer))) if answer else nothing
    b.from_device = On(Command.COUNT_STACKED, b, 1000, said)
    assert b.ready().stacked_counter is None
    b.escrowed()
    b.command(STACK)
    assert b.cleared() == Cleared(None, enabled=True)
    assert b.troubles() == []


@row("37 part, serial and asset number")
@pytest.mark.parametrize("asset", [0, 6, 13])
def test_a_unit_whose_asset_number_has_another_length_is_known_all_the_same(asset: int) -> None:
    b = bench()
    said = b"SM-LV1416".ljust(15) + SERIAL.encode().ljust(12) + bytes(asset)
    b.from_device = On(Command.IDENTIFICATION, b, 1000, lambda _: frame(said))
    assert b.ready().identity.serial == SERIAL


@row("30 or FF to a question is no data")
@pytest.mark.parametrize("question", [Command.IDENTIFICATION, Command.GET_NOTE_TABLE, Command.COUNT_STACKED])
@pytest.mark.parametrize("trouble", ["unreadable", "lost", "damaged", "refused", "not understood"])
def test_a_question_that_goes_wrong_is_asked_again_until_the_device_is_known_whole(
    question: Command, trouble: str
) -> None:
    b = bench()
    answers: dict[str, Disturb] = {
        "unreadable": lambda _: frame(b"\x01\x02\x03"),
        "lost": nothing,
        "damaged": damaged,
        "refused": lambda _: frame(b"\x30"),
        "not understood": lambda _: frame(b"\xff"),
    }
    b.until(Answered)
    b.from_device = On(question, b, 5, answers[trouble])
    ready = b.ready()
    assert dict(ready.values) == dict(TABLE.values)
    assert ready.identity.serial == SERIAL
    # An honest "I do not know this command" to the counter is an answer.
    assert ready.stacked_counter == (None if (question, trouble) == (Command.COUNT_STACKED, "refused") else 0)


def test_a_device_that_does_not_say_who_it_is_is_reported_all_the_same() -> None:
    b = bench()
    b.from_device = On(Command.IDENTIFICATION, b, 3, lambda _: frame(b"\x30"))
    answered = b.until(Answered)
    assert answered.identity is None
    assert answered.stacked_counter == 0
    assert b.ready().identity.serial == SERIAL


FIRST_ANSWERS = [
    ("drawn in", State.ACCEPTING, Presence.MOVING),
    ("in escrow", State.ESCROW, Presence.IN_ESCROW),
    ("stacking", State.STACKING, Presence.MOVING),
    ("stacked", State.STACKED, Presence.STACKED),
    ("returning", State.RETURNING, Presence.RETURNABLE),
    ("returned", State.RETURNED, Presence.RETURNABLE),
]


@pytest.mark.parametrize(("_name", "state", "presence"), FIRST_ANSWERS, ids=[row[0] for row in FIRST_ANSWERS])
def test_a_new_process_reports_where_the_note_is_and_touches_nothing(
    _name: str, state: State, presence: Presence
) -> None:
    old = old_life(state)
    old.device.metal.stage_seconds = 1000.0
    b = Bench(old.device, now=old.now, proceeds=False, acknowledges=False)
    answered = b.until(Answered)
    assert answered.presence is presence
    assert answered.frame[3] == state
    assert answered.note_type == (TWENTY if state in (State.ESCROW, State.STACKED, State.RETURNED) else None)
    b.run(3)
    assert set(b.commands()) <= {Command.POLL, Command.ACK}
    if state in (State.STACKED, State.RETURNED):
        assert b.commands() == [Command.POLL], "a held event is not acknowledged by reading it"


@pytest.mark.parametrize("state", [State.STACKING, State.STACKED])
def test_a_note_that_an_earlier_process_sent_to_the_box_is_told_as_stacked(state: State) -> None:
    old = old_life(state)
    b = Bench(old.device, now=old.now)
    ready = b.ready()
    assert b.polled[0] is state
    assert ready.stacked_counter == 1
    told = [event.note_type for event in b.heard(Stacked)]
    told += [event.note_type for event in b.heard(Answered) if event.presence is Presence.STACKED]
    assert told == [TWENTY]
    assert b.commands(Command.RESET, Command.STACK) == []


def test_a_note_that_was_being_drawn_in_comes_to_escrow_without_a_value() -> None:
    """Its type means nothing yet: the table of this device has not been read."""
    old = old_life(State.ACCEPTING)
    b = Bench(old.device, now=old.now)
    assert b.until(Escrowed).value is None
    b.command(RETURN)
    b.ready()
    assert b.places() == [Place.HAND]


def test_a_device_without_a_first_answer_worth_reporting_is_polled_until_it_has_one() -> None:
    validator = device(pace=4.0)
    validator.receive(frame(b"\x30"), 100.0)  # Somebody else reset it: it initialises.
    b = Bench(validator)
    b.run(3)
    assert not b.heard(Answered)
    assert b.until(Answered).presence is Presence.PATH_EMPTY
    assert b.commands(Command.RESET) == []


@pytest.mark.parametrize("disturb", [nothing, refusal])
def test_a_device_that_will_not_say_who_it_is_is_polled_meanwhile_and_told_once(
    disturb: Disturb,
) -> None:
    b = bench()
    b.from_device = On(Command.IDENTIFICATION, b, 20, disturb)
    b.until(Answered)
    b.run(240)
    tries = b.times(Command.IDENTIFICATION)
    polls = b.times(Command.POLL)
    assert all(any(first < poll < second for poll in polls) for first, second in pairwise(tries))
    told = [trouble for trouble in b.troubles() if trouble.code == "failure-not-identified"]
    assert told == [
        Trouble(TroubleKind.FAILURE, "not-identified"),
        Trouble(TroubleKind.FAILURE, "not-identified", over=True),
    ]
    assert not b.heard(Lost)
    assert b.heard(Ready)[0].identity.serial == SERIAL


@pytest.mark.parametrize("passing", [State.BUSY, State.INITIALIZE, State.PAUSE])
def test_a_device_that_moves_on_while_it_is_asked_who_it_is_is_reported_as_it_comes_to_rest(passing: State) -> None:
    b = bench()
    b.proceeds = False
    b.from_device = On(Command.IDENTIFICATION, b, 1, nothing)
    while Command.IDENTIFICATION not in b.commands():
        b.run(0.01)
    b.device.show(passing, 1 if passing is State.BUSY else None)
    b.run(8)
    assert not b.heard(Answered)
    b.device.show(None)
    answered = b.until(Answered)
    assert answered.presence is Presence.PATH_EMPTY
    assert answered.identity is not None
