"""The host's side of SSP: what should pass by itself and does not, and a note that the device will not give back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from drivers.api.cash import (
    Answered,
    CashCommand,
    Cleared,
    Completed,
    Lost,
    Ready,
    Refusal,
    Rejected,
    Returned,
    Stacked,
)
from drivers.cash.essp.events import EventCode
from drivers.cash.essp.messages import Answer, Command, Request, decode_answer
from drivers.simulation.notes import Place
from kiosk.terminal.recovery import LastRecord
from tests.drivers.cash.bench import On, nothing
from tests.drivers.cash.books import intend, keep_books
from tests.drivers.cash.essp.virtual import TWENTY, Bench, bench, quiet_device
from tests.drivers.cash.sheet import each_row, row

STACK, RETURN, ENABLE, DISABLE = CashCommand.STACK, CashCommand.RETURN, CashCommand.ENABLE, CashCommand.DISABLE
POLL, HOLD, REJECT, ACK = Command.POLL_WITH_ACK, Command.HOLD, Command.REJECT, Command.EVENT_ACK
ENOUGH = 20_000


def polls_say(b: Bench, *texts: str) -> None:
    """Every poll is answered by the first data bytes of ``texts`` in turn, and the last of them for ever."""
    left = [decode_answer(POLL, bytes.fromhex(text)) for text in texts]

    def instead(request: Request, answer: Answer | None) -> Answer | None:
        if request.command is not POLL:
            return answer
        return left.pop(0) if len(left) > 1 else left[0]

    b.device.instead = instead


def polls_alternate(b: Bench, *texts: str) -> None:
    """Every poll is answered by one after the other, for ever."""
    polls_say(b, *texts * (ENOUGH // len(texts)))


def well_again(b: Bench) -> None:
    """The device answers as it would."""
    b.device.instead = lambda _, answer: answer


def kinds(b: Bench, *wanted: type[object]) -> Sequence[type[object]]:
    """What was told of these kinds, in order."""
    return [type(event) for event in b.told if isinstance(event, wanted)]


# --- a state that should pass ---------------------------------------------------------------------------------------

BEFORE = [
    ("B6 initialising", "F0 B6", "failure-stays-initialising", 40),
    ("B0 jam recovery", "F0 B0", "jam-recovery", 40),
    ("F1 slave reset", "F0 F1", "failure-stays-reset", 40),
    ("F1 slave reset", "F0 F1 B6 E8", "failure-stays-reset", 40),
]
AFTER = [
    ("CC stacking", "F0 CC", "jam-transport", 30),
    ("EF 00 is no note in escrow", "F0 EF 00", "jam-transport", 30),
    ("ED rejecting and EC rejected", "F0 ED", "jam-mouth", 120),
]


@each_row(["text", "code", "limit"], BEFORE)
def test_a_device_that_never_says_where_a_note_is_is_told_and_nothing_is_decided(
    text: str, code: str, limit: float
) -> None:
    b = quiet_device()
    polls_say(b, text)
    b.run(limit - 1)
    assert b.told == []
    b.run(600)
    assert b.codes() == [code]
    assert b.heard(Answered) == []
    assert b.commands(REJECT, ACK, Command.RESET, Command.ENABLE, Command.DISABLE) == []
    polls_say(b, "F0 E2 03")
    assert b.until(Answered).frame.hex(" ").upper() == "F0 E2 03"
    assert b.codes() == [code, f"{code} over"]


@each_row(["text", "code", "limit"], AFTER)
def test_a_note_that_moves_for_ever_from_the_first_answer_on_is_told(text: str, code: str, limit: float) -> None:
    b = quiet_device()
    polls_say(b, text)
    b.until(Answered)
    b.run(200)
    assert b.troubles() == []
    b.go_on()
    b.run(limit - 1)
    assert b.troubles() == [], "the time that the caller took is not the device's"
    b.run(600)
    assert b.codes() == [code]
    assert b.commands(REJECT, ACK, Command.RESET, Command.ENABLE, Command.DISABLE) == []
    assert not b.heard(Ready)
    well_again(b)
    b.until(Ready)
    assert b.codes() == [code, f"{code} over"]


@row("CC stacking")
@pytest.mark.parametrize("text", ["F0 CC", "F0 EF 03", "F0 EF 00"])
def test_a_note_that_moves_for_ever_stops_a_running_device_and_is_still_told_where_it_ends(text: str) -> None:
    b = bench()
    books = keep_books(b)
    b.escrowed()
    polls_say(b, text)
    intend(b, books, STACK)
    b.run(29)
    assert b.troubles() == []
    b.run(2)
    assert b.codes() == ["jam-transport"]
    b.command(ENABLE)
    assert b.until(Completed, 5.0) == Completed(ENABLE, Refusal.NOT_READY)
    well_again(b)
    b.until(Stacked)
    b.until(Ready)
    assert (books.credited, books.doubts, b.places()) == (1, 0, [Place.BOX])
    assert b.codes() == ["jam-transport", "jam-transport over"]
    assert len(b.heard(Ready)) == 2


def test_a_note_that_nobody_takes_is_waited_for_longer_than_the_terminal_waits() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.mishaps.customer_leaves = True
    b.command(RETURN)
    b.run(119)
    assert b.troubles() == []
    b.run(3)
    assert b.codes() == ["jam-mouth"]
    b.device.metal.take(b.now)
    b.until(Returned)
    b.until(Ready)
    assert b.codes() == ["jam-mouth", "jam-mouth over"]


@pytest.mark.parametrize("texts", [("F0 F1", "F0 B6"), ("F0 CC", "F0 EF 00")])
def test_two_states_that_follow_each_other_for_ever_are_told_once(texts: tuple[str, str]) -> None:
    b = quiet_device()
    b.proceeds = True
    polls_alternate(b, *texts)
    b.run(1000)
    assert len(b.codes()) == 1


def test_a_note_that_waited_long_in_escrow_has_not_been_on_its_way_for_long() -> None:
    b = bench()
    b.escrowed()
    b.run(110)
    b.device.metal.stage_seconds = 20.0
    b.command(STACK)
    b.until(Stacked)
    assert b.troubles() == []


def test_a_jam_that_the_device_tells_itself_is_not_told_twice() -> None:
    b = bench()
    b.enabled()
    polls_say(b, "F0 CC E9")
    b.run(300)
    assert b.codes() == ["jam-head"]
    polls_say(b, *["F0 CC"] * 200, "F0 CC EA", "F0")
    b.run(60)
    assert b.codes() == [
        "jam-head", "jam-head over", "jam-transport", "jam-transport over", "jam-transport",
    ]  # fmt: skip


def test_a_state_that_is_told_before_a_loss_is_told_again_after_it() -> None:
    b = quiet_device()
    polls_say(b, "F0 B6")
    b.run(60)
    b.device.line.mute = True
    b.until(Lost)
    b.device.line.mute = False
    b.run(35)
    assert len(b.codes()) == 1
    b.run(30)
    assert b.codes() == ["failure-stays-initialising"] * 2


def test_a_reset_in_mid_running_that_goes_on_for_ever_is_told() -> None:
    b = bench()
    b.escrowed()
    polls_say(b, "F0 F1")
    b.command(STACK)
    b.run(300)
    assert b.codes() == ["failure-stays-reset"]
    assert len(b.heard(Answered)) == 1


# --- a note that the device will not give back ----------------------------------------------------------------------


@row("exchange: host refuses", "18 hold restarts 10 s", "escrow timeout: 13")
def test_a_note_whose_return_is_refused_is_left_alone_and_comes_back_when_its_time_of_escrow_is_over() -> None:
    """Every command but a poll begins that anew, and a poll would stack it: so there is none at all."""
    b = bench()
    b.escrowed()
    b.device.metal.mishaps.mouth_shut_until = b.now + 3.0
    b.command(RETURN)
    assert b.until(Completed) == Completed(RETURN, Refusal.NOT_DONE)
    b.sent.clear()
    began = b.now
    b.until(Returned)
    assert b.now - began < 15.0
    assert b.commands()[0] is HOLD, "no poll before the device has said that there is none in escrow"
    assert b.times()[0] - began > 10.0
    assert b.places() == [Place.HAND]
    assert b.device.reject_code == 0x13
    assert Command.LAST_REJECT not in b.commands(), "it was in escrow: it is returned, whatever the reason"
    b.cleared()
    assert b.troubles() == []


@row("exchange: host refuses")
@pytest.mark.parametrize("opens_after", [1.0, 5.0, 9.0, 15.0, 30.0])
def test_a_return_that_the_terminal_asks_for_again_ends_in_one_note_given_back(opens_after: float) -> None:
    """As the cash desk does: after 2, 8 and 20 seconds, and no more after 40."""
    b = bench()
    b.escrowed()
    began = b.now
    b.device.metal.mishaps.mouth_shut_until = began + opens_after
    b.command(RETURN)
    for at in (2.0, 8.0, 20.0):
        b.run(began + at - b.now)
        if not b.heard(Returned):
            b.command(RETURN)
    b.run(25)
    assert len(b.heard(Cleared)) == 1
    assert len(b.heard(Returned)) == 1
    assert b.places() == [Place.HAND]
    assert b.device.vault.counter == 0
    assert b.troubles() == []


def test_a_note_that_never_comes_back_is_a_jam_and_is_never_polled() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.mishaps.mouth_shut_until = 1e9
    polls = b.commands().count(POLL)
    b.command(RETURN)
    b.run(44)
    assert b.troubles() == []
    b.run(20)
    assert b.codes() == ["jam-escrow"]
    b.command(DISABLE)
    b.run(1200)
    assert b.codes() == ["jam-escrow"]
    assert b.commands().count(POLL) == polls
    assert b.places() == [Place.ESCROW]
    assert len(b.times(HOLD)) < 60
    b.device.metal.mishaps.mouth_shut_until = 0.0
    b.command(RETURN)
    b.until(Returned)
    b.until(Ready)
    assert b.codes() == ["jam-escrow", "jam-escrow over"]
    assert b.places() == [Place.HAND]


def test_a_command_of_the_slot_does_not_begin_the_time_of_escrow_anew() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.mishaps.mouth_shut_until = b.now + 3.0
    b.command(RETURN)
    b.until(Completed)
    for _ in range(5):
        b.run(2)
        b.command(DISABLE)
    b.until(Returned, 5.0)
    assert b.places() == [Place.HAND]


def test_the_next_note_is_held_from_the_first_moment_on() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.mishaps.mouth_shut_until = 1e9
    b.command(RETURN)
    b.run(70)
    b.device.metal.mishaps.mouth_shut_until = 0.0
    b.command(RETURN)
    b.until(Ready)
    b.escrowed()
    b.run(60)
    assert b.places() == [Place.HAND, Place.ESCROW]


def test_a_note_that_was_kept_is_told_to_be_free_by_a_reset_of_the_device() -> None:
    b = bench()
    b.escrowed()
    b.device.metal.mishaps.mouth_shut_until = 1e9
    b.command(RETURN)
    b.run(60)
    b.device.cut_power(b.now)
    b.device.metal.mishaps.mouth_shut_until = 0.0
    b.device.restore_power(b.now)
    b.until(Answered)
    assert b.codes() == ["jam-escrow", "jam-escrow over"]
    b.until(Ready)
    assert b.places() == [Place.HAND]


@row("escrow timeout: 13")
def test_a_note_that_nobody_held_in_time_is_returned_with_the_reason_13_which_nobody_asks_for() -> None:
    b = bench()
    books = keep_books(b)
    b.escrowed()
    b.device.metal.escrow_seconds = 0.5
    b.run(2.1)
    b.cleared()
    assert kinds(b, Returned, Rejected, Stacked) == [Returned]
    assert Command.LAST_REJECT not in b.commands()
    assert b.device.reject_code == 0x13
    assert (books.returned, books.doubts, books.row) == (1, 0, LastRecord.NONE)


# --- the same event more than once on the line ----------------------------------------------------------------------


def last_flag(b: Bench) -> bool:
    return bool(b.frames()[-1][1] & 0x80)


@row("SYNC after a lost reply", "SYNC always with flag 1", "the same flag: not carried out again")
@pytest.mark.parametrize("flag", [True, False], ids=["SYNC repeats the flag", "SYNC has the other flag"])
@pytest.mark.parametrize("syncs_lost", [0, 1, 3])
def test_a_credit_whose_reply_is_lost_is_told_again_after_a_sync_and_credited_once(flag: bool, syncs_lost: int) -> None:
    """SYNC has the flag 1 whatever went before it, and is no repeat of the poll that had it too."""
    b = bench()
    books = keep_books(b)
    b.escrowed()
    while last_flag(b) is flag:
        b.run(0.5)
    lost: list[bytes] = []

    def lose_credit(data: bytes) -> bytes:
        if lost or any(event.code is EventCode.CREDIT for event in b.device.waiting):
            lost.append(data)
            return b""
        return data

    b.from_device = lose_credit
    intend(b, books, STACK)
    b.until(Lost)
    assert b.heard(Stacked) == []
    assert len(set(lost[:20])) == 1, "the device sends its last reply again"
    assert bool(lost[0][1] & 0x80) is flag
    b.from_device = On(Command.SYNC, b, syncs_lost, nothing)
    assert b.until(Answered).note_type == TWENTY
    syncs = set(b.frames(Command.SYNC))
    assert {data.hex(" ").upper() for data in syncs} == {"7F 80 01 11 65 82"}
    b.until(Ready)
    b.run(10)
    assert (books.credited, books.doubts, books.found, b.places()) == (1, 0, 0, [Place.BOX])
    assert b.done(ACK) == [ACK]
