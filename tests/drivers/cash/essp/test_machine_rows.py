"""SSP row by row: what polls answer, what the caller has on record, and what becomes of the note."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from drivers.api.cash import (
    Accepting,
    Answered,
    CashCommand,
    Cleared,
    Escrowed,
    Ready,
    Rejected,
    Returned,
    Stacked,
    Trouble,
)
from drivers.cash.essp.messages import Answer, Command, Plain, Polled, RejectCode, Request, Status, decode_answer
from drivers.simulation.notes import Place
from kiosk.terminal.recovery import LastRecord
from tests.drivers.cash.bench import Disturb, On, damaged, nothing
from tests.drivers.cash.books import Books, intend, keep_books
from tests.drivers.cash.essp.virtual import TWENTY, Bench, bench, quiet_device, say
from tests.drivers.cash.sheet import each_row, row

STACK = CashCommand.STACK
POLL, HOLD, ACK = Command.POLL_WITH_ACK, Command.HOLD, Command.EVENT_ACK


def polled(text: str) -> Polled:
    """A poll's answer, from its first data byte, in hexadecimal."""
    answer = decode_answer(POLL, bytes.fromhex(text))
    assert isinstance(answer, Polled)
    return answer


# --- what is on record, the first answer, and what comes after it ---------------------------------------------------


@dataclass(frozen=True)
class Case:
    """``first`` and ``then``: answers to the polls of a new process. ``ends``: notes credited, returned, in doubt,
    found since. ``counted``: how many more than when the note was to be stacked; None: by a unit without counters.
    """

    last: LastRecord
    first: str
    ends: tuple[int, int, int, int]
    then: tuple[str, ...] = ()
    counted: int | None = None


NOTHING, CREDITED, BACK, DOUBT, FOUND = (0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)
DOUBT_AND_FOUND = (0, 0, 1, 1)
NONE, ESCROWED, SENT = LastRecord.NONE, LastRecord.ESCROWED, LastRecord.STACK_INTENDED
ON_RECORD, RETURN_SENT = LastRecord.STACKED, LastRecord.RETURN_INTENDED
VALUE = "D0 07 00 00 45 55 52"
CASES = {
    "none, E8": Case(NONE, "F0 E8", NOTHING),
    "none, EE 03": Case(NONE, "F0 EE 03", FOUND),
    "none, E2 03": Case(NONE, "F0 E2 03", FOUND),
    "none, E1 00": Case(NONE, "F0 E1 00", NOTHING),
    "in escrow, E8": Case(ESCROWED, "F0 E8", BACK),
    "in escrow, E1 03": Case(ESCROWED, "F0 E1 03", BACK),
    "in escrow, E1 00": Case(ESCROWED, "F0 E1 00", BACK),
    "in escrow, EC": Case(ESCROWED, "F0 EC", BACK),
    "in escrow, EE of another channel": Case(ESCROWED, "F0 EE 02", DOUBT_AND_FOUND),
    "in escrow, CC": Case(ESCROWED, "F0 CC", DOUBT),
    "polled, EE 03": Case(SENT, "F0 EE 03", CREDITED),
    "polled, CC and EE 03": Case(SENT, "F0 CC EE 03", CREDITED),
    "polled, CC, then EE 03": Case(SENT, "F0 CC", CREDITED, ("F0 CC", "F0 EE 03 EB")),
    "polled, EE of another channel": Case(SENT, "F0 EE 02", DOUBT_AND_FOUND),
    "polled, E2 03": Case(SENT, "F0 E2 03", CREDITED),
    "polled, E2 00": Case(SENT, "F0 E2 00", DOUBT),
    "polled, E2 of another channel": Case(SENT, "F0 E2 02", DOUBT_AND_FOUND),
    "polled, CA": Case(SENT, f"F0 CA {VALUE}", DOUBT),
    "polled, CB": Case(SENT, f"F0 CB {VALUE}", DOUBT),
    "polled, CE": Case(SENT, f"F0 CE {VALUE}", BACK),
    "polled, E1 03": Case(SENT, "F0 E1 03", BACK),
    "polled, E1 00": Case(SENT, "F0 E1 00", BACK),
    "polled, ED": Case(SENT, "F0 ED", BACK),
    "polled, EC": Case(SENT, "F0 EC", BACK),
    "polled, EB": Case(SENT, "F0 EB", DOUBT),
    "polled, EA": Case(SENT, "F0 EA", DOUBT),
    "polled, E9": Case(SENT, "F0 E9", DOUBT),
    "polled, E0": Case(SENT, "F0 E0", DOUBT),
    "polled, E8 without counters": Case(SENT, "F0 E8", DOUBT),
    "polled, E8, counted the same": Case(SENT, "F0 E8", BACK, counted=0),
    "polled, E8, counted one more": Case(SENT, "F0 E8", CREDITED, counted=1),
    "polled, E8, counted two more": Case(SENT, "F0 E8", DOUBT, counted=2),
    "credited, EE 03": Case(ON_RECORD, "F0 EE 03", NOTHING),
    "credited, E2 03": Case(ON_RECORD, "F0 E2 03", NOTHING),
    "credited, EE 02": Case(ON_RECORD, "F0 EE 02", FOUND),
    "credited, E2 02": Case(ON_RECORD, "F0 E2 02", FOUND),
    "credited, E2 00": Case(ON_RECORD, "F0 E2 00", NOTHING),
    "credited, E1 03": Case(ON_RECORD, "F0 E1 03", NOTHING),
    "credited, E8": Case(ON_RECORD, "F0 E8", NOTHING),
    "return sent, E8": Case(RETURN_SENT, "F0 E8", BACK),
    "return sent, EC": Case(RETURN_SENT, "F0 EC", BACK),
    "return sent, E1 03": Case(RETURN_SENT, "F0 E1 03", BACK),
    "return sent, EE 03": Case(RETURN_SENT, "F0 EE 03", DOUBT),
    "return sent, E2 03": Case(RETURN_SENT, "F0 E2 03", DOUBT),
    "return sent, CC": Case(RETURN_SENT, "F0 CC", DOUBT),
}
HELD = {0xEE, 0xE2, 0xCA, 0xCB}


def ends(books: Books) -> tuple[int, int, int, int]:
    return books.credited, books.returned, books.doubts, books.found


@each_row(["case"], CASES.items())
def test_what_is_on_record_and_what_a_unit_says_first_decide(case: Case) -> None:
    b = quiet_device()
    books = keep_books(b)
    books.row, books.kind, books.baseline = case.last, TWENTY, 100
    b.device.forgets_count = case.counted is None
    b.device.counted_before = 100 + (case.counted or 0)
    answers = [polled(text) for text in (case.first, *case.then)]
    say(b, *answers)
    answered = b.until(Answered)
    assert answered.frame.hex(" ").upper() == case.first
    b.run(12)
    assert ends(books) == case.ends
    held = any(event.code in HELD for answer in answers for event in answer.events)
    assert (ACK in b.commands()) is held, "what is held is let go once it is on record, and nothing else is"


@row("in escrow, read", "polled, no answer", "SYNC after a lost reply")
@pytest.mark.parametrize("last", [ESCROWED, SENT, RETURN_SENT])
def test_a_note_that_hold_finds_in_escrow_goes_back_and_no_poll_comes_before(last: LastRecord) -> None:
    old = bench()
    old.escrowed()
    b = Bench(old.device, now=old.now, proceeds=False)
    b.until(Answered)
    assert POLL not in b.commands(), "it would have stacked it"
    books = keep_books(b)
    books.row, books.kind = last, TWENTY
    for happened in books.handle(b.heard(Answered)[0]):
        b.step(happened)
    b.until(Ready)
    assert ends(books) == BACK
    assert b.places() == [Place.HAND]


# --- events while it runs -------------------------------------------------------------------------------------------


@row("EF 00 is no note in escrow", "EF 03")
def test_a_note_that_is_still_being_read_is_not_in_escrow() -> None:
    b = bench()
    b.enabled()
    say(b, polled("F0 EF 00"), polled("F0 EF 00"), polled("F0 EF 03"))
    assert b.until(Escrowed).frame.hex(" ").upper() == "F0 EF 03"
    assert len(b.heard(Escrowed)) == 1


@row("E1 and E2 after a reset that is told", "F1 slave reset")
@pytest.mark.parametrize(("text", "end"), [("F0 F1 E1 03", BACK), ("F0 F1 E2 03", CREDITED)])
def test_a_reset_in_mid_running_is_decided_by_what_comes_with_it(text: str, end: tuple[int, int, int, int]) -> None:
    b = bench()
    b.device.forgets_count = True
    books = keep_books(b)
    b.escrowed()
    say(b, polled(text))
    intend(b, books, STACK)
    assert b.until(Answered).frame.hex(" ").upper() == text
    assert ends(books) == end


@row("E2 cleared to the box")
@pytest.mark.parametrize(("text", "end"), [("F0 E2 00", DOUBT), ("F0 E2 02", DOUBT_AND_FOUND), ("F0 E2 03", CREDITED)])
def test_a_note_that_was_cleared_to_the_box_is_ours_by_its_channel_alone(
    text: str, end: tuple[int, int, int, int]
) -> None:
    b = bench()
    books = keep_books(b)
    b.escrowed()
    say(b, polled(text))
    intend(b, books, STACK)
    b.until(Stacked)
    assert ends(books) == end


@row("F1 slave reset")
def test_a_reset_in_mid_running_that_says_nothing_of_the_note_leaves_it_in_doubt() -> None:
    b = bench()
    b.device.forgets_count = True
    books = keep_books(b)
    b.escrowed()
    say(b, polled("F0 F1 E8"), *[polled("F0 E8")] * 100)
    intend(b, books, STACK)
    b.until(Answered)
    b.until(Ready)
    assert ends(books) == DOUBT


@row("B0 jam recovery", "B6 initialising")
@pytest.mark.parametrize("text", ["F0 B0", "F0 B6"])
def test_a_unit_that_is_still_at_it_is_waited_for(text: str) -> None:
    b = quiet_device()
    books = keep_books(b)
    books.row, books.kind = SENT, TWENTY
    say(b, *[polled(text)] * 5, polled("F0 EE 03"))
    b.run(1)
    assert b.heard(Answered) == []
    assert b.until(Answered).frame.hex(" ").upper() == "F0 EE 03"
    assert ends(books) == CREDITED


@row("B0 jam recovery", "B6 initialising")
@pytest.mark.parametrize("text", ["F0 B0", "F0 B6"])
def test_a_note_on_its_way_is_not_called_gone_while_the_unit_is_still_at_it(text: str) -> None:
    b = bench()
    books = keep_books(b)
    b.escrowed()
    b.device.metal.stage_seconds = 12.0
    intend(b, books, STACK)
    b.run(0.5)
    say(b, *[polled(text)] * 50)
    b.run(9)
    assert b.heard(Cleared) == []
    assert books.row is SENT
    b.until(Stacked)
    assert ends(books) == CREDITED


@row("double-credit trap: EE credited, then E2 of the same note")
def test_e2_of_a_note_whose_ee_is_credited_and_let_go_is_the_same_note() -> None:
    b = bench()
    b.device.early_credit = True
    b.device.metal.stage_seconds = 2.0
    books = keep_books(b)
    b.escrowed()
    intend(b, books, STACK)
    b.until(Stacked)
    b.run(0.5)
    assert not b.device.waiting, "EE was let go"
    b.device.cut_power(b.now)
    b.device.restore_power(b.now)
    answered = b.until(Answered)
    assert answered.frame.hex(" ").upper().endswith("E2 03")
    b.until(Ready)
    assert ends(books) == CREDITED
    assert b.places() == [Place.BOX]


@row("EE repeats under 56 until 57", "rule: persist, then 57")
def test_ee_that_the_host_never_recorded_is_told_to_the_next_one() -> None:
    old = bench()
    old.acknowledges = False
    old.escrowed()
    old.command(STACK)
    old.until(Stacked)
    b = Bench(old.device, now=old.now)
    books = keep_books(b)
    books.row, books.kind = SENT, TWENTY
    assert b.until(Answered).note_type == TWENTY
    b.until(Ready)
    assert ends(books) == CREDITED
    assert b.done(ACK)[-1:] == [ACK]


@row("one event at a time: no further note while one waits")
def test_a_unit_whose_event_waits_takes_no_further_note() -> None:
    b = bench()
    b.acknowledges = False
    b.escrowed()
    b.command(STACK)
    b.until(Stacked)
    b.run(3)
    assert not b.device.accepts


@row("reply lost: the identical frame again")
@pytest.mark.parametrize("change", [nothing, damaged])
def test_a_poll_that_reports_ee_and_is_lost_is_repeated_identically_and_credited_once(change: Disturb) -> None:
    b = bench()
    books = keep_books(b)
    b.escrowed()
    intend(b, books, STACK)
    b.from_device = On(POLL, b, 3, change)
    b.until(Stacked)
    b.run(5)
    frames = [sent.data for sent in b.sent if sent.command is POLL]
    assert max(frames.count(frame) for frame in set(frames)) >= 2
    assert ends(books) == CREDITED


@row("FA: no key")
def test_fa_is_answered_by_a_new_greeting_and_not_by_a_poll() -> None:
    b = bench()
    b.ready()
    b.sent.clear()
    say(b, Plain(Status.NO_KEY))
    b.run(1)
    first = b.commands().index(Command.SYNC)
    assert b.commands()[first : first + 2] == [Command.SYNC, HOLD]
    assert b.commands()[first - 1] is POLL


@row("F5 to 57: nothing waited")
def test_f5_to_the_acknowledgement_means_that_nothing_waits_any_more() -> None:
    b = bench()
    books = keep_books(b)
    b.escrowed()
    say(b, Plain(Status.CANNOT), to=ACK)
    intend(b, books, STACK)
    b.until(Stacked)
    b.run(5)
    assert ends(books) == CREDITED
    assert not b.device.waiting


@row("E5 and D1 bar code", "DB and payout events are no note of a deposit")
@pytest.mark.parametrize(
    "text",
    ["F0 E5", "F0 D1", "F0 C2", "F0 C3", "F0 CF", "F0 C7", "F0 C8", "F0 B7", f"F0 C9 {VALUE}", f"F0 DA 01 {VALUE}"],
)
def test_an_event_that_is_no_note_of_a_deposit_changes_nothing(text: str) -> None:
    b = bench()
    books = keep_books(b)
    b.enabled()
    b.told.clear()
    say(b, polled(text))
    b.run(2)
    assert [event for event in b.told if isinstance(event, Stacked | Returned | Escrowed | Rejected | Trouble)] == []
    assert (ends(books), books.row) == (NOTHING, NONE)


# --- why a note was rejected ----------------------------------------------------------------------------------------

REASONS = {
    0x01: "length", 0x06: "inhibited", 0x07: "second-note", 0x0C: "disabled", 0x0E: "string", 0x13: "escrow-timeout",
    0x1D: "cannot-stack", 0x2A: "reason-2a",
}  # fmt: skip


@row("17 last reject code")
@pytest.mark.parametrize("next_note", [("F0 EC EF 00", "F0 EF 03"), ("F0 EC EF 03",), ("F0 EC", "F0 EF 03")])
def test_a_rejection_is_told_before_the_note_that_comes_after_it(next_note: tuple[str, ...]) -> None:
    """Told afterwards, it would be about the note in escrow."""
    b = bench()
    b.enabled()
    b.told.clear()
    say(b, *(polled(text) for text in ("F0 EF 00", "F0 ED", *next_note)))
    b.until(Escrowed)
    b.run(1)
    told = [type(event) for event in b.told if isinstance(event, Accepting | Rejected | Escrowed)]
    assert told == [Accepting, Rejected, Accepting, Escrowed]


@row("17 last reject code")
@pytest.mark.parametrize(("code", "word"), REASONS.items())
def test_a_rejection_says_why_and_is_no_money(code: int, word: str) -> None:
    b = bench()
    b.enabled()
    polls = [polled("F0 EF 00"), polled("F0 ED"), polled("F0 EC")]

    def instead(request: Request, answer: Answer | None) -> Answer | None:
        if request.command is Command.LAST_REJECT:
            return RejectCode(code)
        return polls.pop(0) if polls and request.command is POLL else answer

    b.device.instead = instead
    assert b.until(Rejected) == Rejected(word)
    b.run(2)
    assert [event for event in b.told if isinstance(event, Escrowed | Stacked | Returned)] == []
