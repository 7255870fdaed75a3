"""The host's side of SSP: a device of another key, one whose answers are of no use, one that will not say who it is."""

from __future__ import annotations

from itertools import pairwise

import pytest

from drivers.api.cash import (
    Answered,
    CashCommand,
    Completed,
    Escrowed,
    Lost,
    Presence,
    Ready,
    Refusal,
    Trouble,
    TroubleKind,
)
from drivers.cash.essp.framing import Deframer, Frame, frame
from drivers.cash.essp.keys import DEFAULT_FIXED_KEY
from drivers.cash.essp.machine import Machine
from drivers.cash.essp.messages import Answer, Command, Plain, Request, Status, decode_answer
from drivers.cash.essp.sealing import SEALED
from drivers.cash.essp.simulator_device import Says
from drivers.cash.essp.timing import Timing
from drivers.simulation.notes import Place
from tests.drivers.cash.essp.virtual import GREETING, Bench, bench, device, old_life, quiet_device, say
from tests.drivers.cash.sheet import row

STACK, RETURN, ENABLE, DISABLE = CashCommand.STACK, CashCommand.RETURN, CashCommand.ENABLE, CashCommand.DISABLE
POLL, HOLD, REJECT, ACK = Command.POLL_WITH_ACK, Command.HOLD, Command.REJECT, Command.EVENT_ACK
SYNC, LOOKS = Command.SYNC, (Command.POLL_WITH_ACK, Command.HOLD)


class OtherKey(Bench):
    """A machine with another fixed key than the device."""

    key = DEFAULT_FIXED_KEY + 1

    def new_machine(self) -> Machine:
        return Machine(Timing(), self.key)


def gaps(times: list[float]) -> list[float]:
    """Seconds between them."""
    return [after - before for before, after in pairwise(times)]


def answer_sealed(b: Bench, payload: str) -> None:
    """From now on the device answers each encrypted packet so, in clear, and does not carry it out."""
    asked: list[Frame] = []

    def there(data: bytes) -> bytes:
        (found,) = Deframer().feed(data)
        assert isinstance(found, Frame)
        asked.append(found)
        return b"" if found.payload[0] == SEALED else data

    def back(data: bytes) -> bytes:
        sealed = asked[-1].payload[0] == SEALED
        return frame(bytes.fromhex(payload), flag=asked[-1].flag) if sealed else data

    b.to_device, b.from_device = there, back


def answer_all(b: Bench, payload: str, *commands: Command) -> None:
    """From now on the device answers these so, all others as it would."""

    def instead(request: Request, answer: Answer | None) -> Answer | None:
        wanted = not commands or request.command in commands
        return decode_answer(request.command, bytes.fromhex(payload)) if wanted else answer

    b.device.instead = instead


def answer_clear(b: Bench, payload: str, command: Command) -> None:
    """From now on the frame that answers this one has these data."""

    def back(data: bytes) -> bytes:
        wanted = data and b.commands()[-1] is command
        return frame(bytes.fromhex(payload), flag=bool(data[1] & 0x80)) if wanted else data

    b.from_device = back


def well_again(b: Bench) -> None:
    """The device answers as it should."""
    b.to_device = b.from_device = bytes
    b.device.instead = lambda _, answer: answer


# --- another key ----------------------------------------------------------------------------------------------------


@row("wrong key: packets dropped", "exchange: keys")
def test_a_device_of_another_key_is_told_as_such_once_and_greeted_ever_more_seldom() -> None:
    """It answers all that is in clear, and ignores the rest."""
    b = OtherKey(device())
    assert b.until(Lost) == Lost("wrong-key")
    told_at = b.now
    b.run(600)
    assert b.heard(Lost) == [Lost("wrong-key")]
    assert b.told == [Lost("wrong-key")]
    later = [at for at in b.times(SYNC) if at > told_at]
    assert 25 < len(later) < 45
    assert 10 <= min(gaps(later)[-10:]) <= max(gaps(later)[-10:]) <= 30
    assert max(b.frames().count(data) for data in set(b.frames(POLL))) == 21, "the first one as often as any"


@row("exchange: keys")
def test_the_key_is_not_blamed_before_the_device_has_answered_in_clear_once_more() -> None:
    """It went as the key had just been agreed on."""
    b = bench()
    b.from_device = lambda data: b"" if Command.KEY_EXCHANGE in b.commands()[:-1] else data
    assert b.until(Lost) == Lost("silent")
    b.run(60)
    assert b.heard(Lost) == [Lost("silent")]
    well_again(b)
    b.ready()


@row("FA: no key")
@pytest.mark.parametrize("payload", ["FA", "F2", "F5", "F8"])
def test_a_device_that_refuses_all_that_is_encrypted_has_another_key(payload: str) -> None:
    b = bench()
    answer_sealed(b, payload)
    began = b.now
    assert b.until(Lost) == Lost("wrong-key")
    assert 20 <= b.now - began <= 35
    b.run(600)
    assert b.told == [Lost("wrong-key")]
    assert len(b.times(SYNC)) < 60
    assert 10 <= min(gaps(b.times(SYNC))[-10:]) <= max(gaps(b.times(SYNC))[-10:]) <= 30
    well_again(b)
    assert b.until(Answered, 30.0).presence is Presence.PATH_EMPTY
    b.ready()


def test_a_device_in_the_place_of_one_that_fell_silent_may_have_another_key() -> None:
    b = bench()
    b.ready()
    b.device.line.mute = True
    b.until(Lost)
    b.run(30)
    b.device.line.mute = False
    answer_sealed(b, "F8")
    b.run(120)
    assert b.heard(Lost) == [Lost("silent"), Lost("wrong-key")]
    well_again(b)
    b.until(Answered)
    b.ready()
    answer_sealed(b, "F8")
    b.run(120)
    assert b.heard(Lost)[2:] == [Lost("silent"), Lost("wrong-key")], "it is told again, if it comes back meanwhile"


def test_a_device_of_another_key_that_falls_silent_is_still_one_of_another_key() -> None:
    b = OtherKey(device())
    b.until(Lost)
    b.device.line.mute = True
    b.run(120)
    b.device.line.mute = False
    b.run(120)
    assert b.heard(Lost) == [Lost("wrong-key")]


def test_a_note_in_escrow_of_a_device_of_another_key_comes_back_and_is_never_polled() -> None:
    old = old_life(Says.ESCROW)
    b = OtherKey(old.device, now=old.now)
    polled = b.done().count(POLL)
    b.run(120)
    assert b.places() == [Place.HAND]
    assert b.done().count(POLL) == polled


def test_a_command_to_a_device_that_is_left_alone_does_not_wake_it_early() -> None:
    b = OtherKey(device())
    b.until(Lost)
    b.run(300)
    b.sent.clear()
    for _ in range(100):
        b.command(DISABLE)
        b.run(0.1)
    assert len(b.times(SYNC)) <= 1
    b.run(60)
    assert len(b.heard(Completed)) == 100


# --- answers of no use ----------------------------------------------------------------------------------------------

REFUSALS = ["F2", "F3", "F4", "F5", "F5 03", "F7", "F8", "F9"]


@row("F2, F5, F7, F8, F9 to a poll")
@pytest.mark.parametrize("payload", REFUSALS)
@pytest.mark.parametrize("commands", [(POLL,), (POLL, HOLD), ()], ids=["to polls", "to looks", "to all"])
def test_a_device_whose_answers_are_of_no_use_is_lost_like_a_silent_one_and_asked_ever_more_seldom(
    payload: str, commands: tuple[Command, ...]
) -> None:
    b = bench()
    b.enabled()
    b.run(1)
    answer_all(b, payload, *commands)
    began = b.now
    assert b.until(Lost) == Lost("useless")
    assert 20 <= b.now - began <= 45
    b.sent.clear()
    b.run(600)
    assert b.heard(Lost) == [Lost("useless")]
    assert b.codes() == ["unreadable-answer"], "not at every one of them"
    assert len(b.times(POLL)) <= 60
    assert len(b.times(SYNC)) < 60
    well_again(b)
    assert b.until(Answered, 40.0).presence is Presence.PATH_EMPTY
    b.ready()


@row("F2, F5, F7, F8, F9 to a poll")
@pytest.mark.parametrize("payload", REFUSALS)
@pytest.mark.parametrize("commands", [(POLL,), ()], ids=["to polls", "to all"])
def test_a_device_whose_answers_are_of_no_use_from_the_first_one_on_is_lost(
    payload: str, commands: tuple[Command, ...]
) -> None:
    b = quiet_device()
    answer_all(b, payload, *commands)
    assert b.until(Lost) == Lost("useless")
    b.run(600)
    assert b.heard(Lost) == [Lost("useless")]
    assert b.heard(Answered) == []
    assert len(b.times(SYNC)) < 160
    assert gaps(b.times(SYNC))[-1] > 10


@row("FA: no key")
def test_fa_to_what_needs_no_key_is_of_no_use() -> None:
    b = quiet_device()
    answer_all(b, "FA", SYNC)
    assert b.until(Lost) == Lost("useless")
    b.run(600)
    assert b.told == [Lost("useless")]
    assert len(b.times(SYNC)) < 60


def test_every_command_of_a_device_that_is_lost_for_its_answers_is_completed() -> None:
    b = bench()
    b.escrowed()
    answer_all(b, "F8", POLL, HOLD)
    b.command(STACK)
    b.command(DISABLE)
    b.until(Lost)
    assert [done.command for done in b.heard(Completed)[1:]] == [STACK, DISABLE]
    assert b.heard(Completed)[-1] == Completed(DISABLE, Refusal.LOST)


def test_a_device_that_refuses_now_and_then_is_not_lost() -> None:
    b = bench()
    b.enabled()
    polls = [0]

    def instead(request: Request, answer: Answer | None) -> Answer | None:
        polls[0] += request.command is POLL
        return Plain(Status.FAIL) if request.command is POLL and polls[0] % 10 else answer

    b.device.instead = instead
    b.run(300)
    assert b.heard(Lost) == []


@pytest.mark.parametrize("of_use", ["F6", "F0 E8"])
def test_an_answer_of_use_ends_the_patience_with_those_that_were_not(of_use: str) -> None:
    """F6 says that the device has failed, which is as much as anybody can know."""
    b = bench()
    b.enabled()
    for payload, seconds in (("F8", 15.0), (of_use, 2.0), ("F8", 15.0), (of_use, 2.0)):
        answer_all(b, payload, POLL)
        b.run(seconds)
    assert b.heard(Lost) == []


def test_a_note_that_hold_finds_in_escrow_ends_it_too() -> None:
    b = bench()
    b.enabled()
    b.insert()
    b.until_doing(Says.ESCROW)
    say(b, Plain(Status.FAIL))
    b.until(Escrowed)
    b.run(60)
    say(b, Plain(Status.FAIL))
    b.command(STACK)
    b.run(5)
    assert b.heard(Lost) == []


@pytest.mark.parametrize("payload", REFUSALS[:3])
def test_a_device_that_says_no_more_whether_it_holds_a_note_is_lost_and_not_polled(payload: str) -> None:
    b = bench()
    b.escrowed()
    answer_all(b, payload, HOLD)
    b.sent.clear()
    assert b.until(Lost) == Lost("useless")
    assert POLL not in b.commands()
    b.run(60)
    assert b.places() == [Place.HAND]


# --- who it is, and what it is set to -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [*GREETING[2:4], *GREETING[5:]], ids=lambda command: command.name)
def test_a_question_that_is_refused_for_ever_is_told_by_its_number_and_asked_ever_more_seldom(command: Command) -> None:
    b = bench()
    answer_clear(b, "F5", command)
    b.run(600)
    assert b.told == [Trouble(TroubleKind.FAILURE, f"no-answer-{command:02x}")]
    assert len(b.times(command)) < 60
    assert 10 <= gaps(b.times(command))[-1] <= 30
    assert POLL not in b.commands()
    well_again(b)
    b.until(Answered, 30.0)
    b.ready()
    assert b.codes()[-1] == f"failure-no-answer-{command:02x} over"


@row("F3 and F4 to a command", "0C serial number after each reconnect", "05 setup: channel values")
@pytest.mark.parametrize(("command", "code"), [(Command.SERIAL, "no-answer-0c"), (Command.SETUP, "no-answer-05")])
@pytest.mark.parametrize("payload", ["F2", "F3", "F4", "F8", "F0 00"])
def test_no_serial_number_and_no_table_have_each_its_code(command: Command, code: str, payload: str) -> None:
    b = bench()
    answer_clear(b, payload, command)
    b.run(60)
    assert [told for told in b.codes() if told != "unreadable-answer"] == [f"failure-{code}"]


def test_a_device_that_will_not_be_set_up_is_polled_as_often_as_ever() -> None:
    b = bench()
    answer_all(b, "F5", Command.SET_INHIBITS)
    b.run(600)
    assert b.codes() == ["failure-no-answer-02"]
    assert len(b.times(Command.SET_INHIBITS)) < 60
    polls = gaps(b.times(POLL)[20:])
    assert 0.15 < min(polls) <= max(polls) < 0.5
    assert not b.heard(Ready)
    well_again(b)
    b.ready()


def test_a_running_device_that_will_not_count_any_more_stops_and_is_ready_when_it_does() -> None:
    b = bench()
    b.escrowed()
    answer_all(b, "F5", Command.COUNTERS)
    b.command(STACK)
    b.run(60)
    assert b.codes() == ["failure-no-answer-58"]
    b.command(ENABLE)
    assert b.until(Completed) == Completed(ENABLE, Refusal.NOT_READY)
    well_again(b)
    assert b.until(Ready).stacked_counter == 1


def test_a_note_in_escrow_of_a_device_that_says_no_serial_number_comes_back_in_the_pauses() -> None:
    """Every question begins the time of escrow anew."""
    old = old_life(Says.ESCROW)
    b = Bench(old.device, now=old.now)
    answer_all(b, "F5", Command.SERIAL)
    b.run(120)
    assert b.places() == [Place.HAND]


def test_what_a_device_refused_before_it_was_lost_is_told_again_after_it() -> None:
    b = bench()
    answer_all(b, "F5", Command.SERIAL)
    b.until(Trouble)
    b.device.line.mute = True
    b.until(Lost)
    b.device.line.mute = False
    b.run(60)
    assert b.codes() == ["failure-no-answer-0c", "failure-no-answer-0c"]
