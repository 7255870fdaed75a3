"""CCNET row by row: the frames that a validator sends, and what becomes of the note."""

from __future__ import annotations

import pytest

from drivers.api.cash import (
    Accepting,
    Answered,
    CashCommand,
    Completed,
    Escrowed,
    Presence,
    Ready,
    Refusal,
    Rejected,
    Returned,
    Stacked,
    Trouble,
    TroubleKind,
)
from drivers.cash.ccnet.framing import Deframer, Frame, frame
from drivers.cash.ccnet.messages import Command, State
from drivers.simulation.mechanism import Spot, Verdict
from drivers.simulation.notes import Place
from kiosk.terminal.recovery import LastRecord
from tests.drivers.cash.bench import On, nothing
from tests.drivers.cash.books import intend, keep_books
from tests.drivers.cash.ccnet.virtual import TWENTY, Bench, bench, say
from tests.drivers.cash.sheet import each_row, row

STACK, RETURN = CashCommand.STACK, CashCommand.RETURN

# --- the first answer -----------------------------------------------------------------------------------------------

FIRST = [
    ("10 power up", "02 03 06 10 43 92", Presence.PATH_EMPTY, None),
    ("11 power up, note in validator", "02 03 06 11 CA 83", Presence.RETURNABLE, None),
    ("12 power up, note in stacker", "02 03 06 12 51 B1", Presence.MOVING, None),
    ("14 idling", "02 03 06 14 67 D4", Presence.PATH_EMPTY, None),
    ("15 accepting", "02 03 06 15 EE C5", Presence.MOVING, None),
    ("17 stacking", "02 03 06 17 FC E6", Presence.MOVING, None),
    ("18 returning", "02 03 06 18 0B 1E", Presence.RETURNABLE, None),
    ("19 disabled", "02 03 06 19 82 0F", Presence.PATH_EMPTY, None),
    ("1A holding", "02 03 06 1A 19 3D", Presence.IN_ESCROW, None),
    ("41 box full", "02 03 06 41 4F D1", Presence.PATH_EMPTY, None),
    ("42 box removed", "02 03 06 42 D4 E3", Presence.MOVING, None),
    ("43 jam in validator", "02 03 06 43 5D F2", Presence.JAMMED, None),
    ("44 jam in box", "02 03 06 44 E2 86", Presence.JAMMED, None),
    ("47 failure", "02 03 07 47 50 AB E6", Presence.JAMMED, None),
    ("80 escrow", "02 03 07 80 04 A8 75", Presence.IN_ESCROW, 4),
    ("81 stacked", "02 03 07 81 04 70 6C", Presence.STACKED, 4),
    ("82 returned", "02 03 07 82 04 18 46", Presence.RETURNABLE, 4),
]


@each_row(["text", "presence", "note_type"], FIRST)
def test_a_first_answer_is_a_column_of_the_start_up_table(text: str, presence: Presence, note_type: int | None) -> None:
    b = bench()
    b.proceeds = b.acknowledges = False
    say(b, *[text] * 200)
    answered = b.until(Answered)
    assert answered.frame.hex(" ").upper() == text
    assert (answered.presence, answered.note_type) == (presence, note_type)
    assert b.commands(Command.RESET, Command.STACK, Command.RETURN, Command.ENABLE_NOTE_TYPES) == []


PASSING = {
    "13 initialize": "02 03 06 13 D8 A0",
    "1B busy": "02 03 07 1B 05 D4 99",
    "1C rejecting": "02 03 07 1C 66 41 85",
    "45 cheated": "02 03 06 45 6B 97",
    "46 pause": "02 03 06 46 F0 A5",
}


@each_row(["text"], PASSING.items())
def test_a_first_answer_that_passes_is_waited_for(text: str) -> None:
    b = bench()
    say(b, *[text] * 20)
    b.run(3)
    assert b.heard(Answered) == []
    assert set(b.commands()) <= {Command.POLL, Command.ACK}
    assert b.until(Answered).presence is Presence.PATH_EMPTY


# --- who acknowledges what ------------------------------------------------------------------------------------------


@row("an answer with data is acknowledged, an ACK is not", "sequence: accept with escrow", "STACK only in escrow")
def test_a_note_from_enabling_to_stacking_byte_by_byte() -> None:
    b = bench()
    b.ready()
    b.sent.clear()
    b.command(CashCommand.ENABLE)
    b.until(Completed)
    enable, poll, ack = "0203 0C 34FFFFFFFFFFFF FEF7", "0203 06 33 DA81", "0203 06 00 C282"
    b.run(0.3)
    sent = [data.hex() for data in b.frames()]
    assert sent[sent.index(flat(enable)) :][:3] == [flat(enable), flat(poll), flat(ack)], "the device's ACK has none"
    b.insert()
    b.until(Escrowed)
    b.sent.clear()
    b.command(STACK)
    b.until(Stacked)
    stack = "0203 06 35 ECE4"
    assert [data.hex() for data in b.frames()][:3] == [flat(stack), flat(poll), flat(ack)]
    assert b.places() == [Place.BOX]


def flat(text: str) -> str:
    return bytes.fromhex(text).hex()


@row("sequence: no escrow bit")
def test_every_type_is_enabled_with_its_escrow_bit() -> None:
    """Without it the host has no veto and no notice of the value."""
    b = bench()
    b.enabled()
    assert [data.hex() for data in b.frames(Command.ENABLE_NOTE_TYPES)][-1] == "02030c34fffffffffffffef7"


@row("81 without 80")
def test_a_note_that_was_stacked_without_having_been_in_escrow_is_found_and_credited_to_nobody() -> None:
    b = bench()
    books = keep_books(b)
    b.enabled()
    say(b, "02 03 06 15 EE C5", "02 03 06 17 FC E6", "02 03 07 81 04 70 6C", "02 03 06 14 67 D4")
    assert b.until(Stacked).note_type == TWENTY
    b.run(5)
    assert (books.found, books.credited) == (1, 0)


@row("30 is no RESET", "STACK only in escrow")
def test_30_to_stack_is_decided_by_the_next_poll_and_nothing_is_reset() -> None:
    b = bench()
    b.escrowed()
    b.to_device = On(Command.STACK, b, 1, lambda _: frame(b"\x66"))  # It arrives as something that it does not know.
    heard: list[bytes] = []
    b.from_device = On(Command.STACK, b, 1, lambda data: heard.append(data) or data)
    resets = len(b.commands(Command.RESET))
    b.command(STACK)
    assert b.until(Completed) == Completed(STACK, Refusal.NOT_DONE)
    assert [data.hex(" ").upper() for data in heard] == ["02 03 06 30 41 B3"]
    b.run(5)
    assert len(b.commands(Command.RESET)) == resets
    assert b.commands(Command.STACK) == [Command.STACK]


# --- windows --------------------------------------------------------------------------------------------------------


@row("window: STACK sent, no ACK read", "sequence: time-out")
def test_a_stack_that_was_lost_and_a_note_that_came_back_by_time_out_is_returned_by_the_books() -> None:
    """The poll decides: 18 and 82 say that it was not executed."""
    b = bench()
    books = keep_books(b)
    b.escrowed()
    b.run(0.3)  # The slot is shut by then.
    b.to_device = On(Command.STACK, b, 1, nothing)
    b.device.metal.due = b.now  # Its ten seconds are over.
    intend(b, books, STACK)
    b.until(Returned)
    b.run(3)
    assert (books.returned, books.credited, books.doubts) == (1, 0, 0)
    assert b.places() == [Place.HAND]
    assert b.commands(Command.STACK) == [Command.STACK]


@row("window: power cut after stacking, before 81 was acknowledged", "5B counter of stacked notes")
@pytest.mark.parametrize(("counts", "row_"), [(True, LastRecord.NONE), (False, LastRecord.IN_DOUBT)])
def test_10_with_an_open_stack_is_decided_by_the_count_or_stays_in_doubt(counts: bool, row_: LastRecord) -> None:
    b = bench()
    b.device.forgets_count = not counts
    books = keep_books(b)
    b.escrowed()
    b.from_device = lambda data: b"" if data[3:4] == b"\x81" else data
    intend(b, books, STACK)
    while b.places() != [Place.BOX]:
        b.run(0.05)
    b.device.cut_power(b.now)
    b.from_device = bytes
    b.device.restore_power(b.now)
    answered = b.until(Answered)
    assert answered.frame.hex() == "020306104392"
    b.until(Ready)
    assert (books.credited, books.returned, books.doubts) == ((1, 0, 0) if counts else (0, 0, 1))
    assert books.row is row_


@row("window: 12 and 81 again of a note that is credited", "12 power up, note in stacker")
def test_81_again_after_a_power_cut_is_credited_once() -> None:
    b = bench()
    b.device.remembers_credit = True
    books = keep_books(b)
    b.escrowed()
    b.to_device = lambda data: b"" if data[3] == Command.ACK and b.device.state is State.STACKED else data
    intend(b, books, STACK)
    b.until(Stacked)
    b.run(0.5)
    b.device.cut_power(b.now)
    b.to_device = bytes
    b.device.restore_power(b.now)
    assert b.until(Answered).frame.hex() == "0203061251b1"
    again = b.until(Stacked)
    b.until(Ready)
    assert again.frame.hex() == "020307810470 6c".replace(" ", "")
    assert (books.credited, books.found, books.doubts) == (1, 0, 0)


@row("window: jam during stacking", "44 jam in box")
def test_a_note_that_jams_on_its_way_and_is_taken_out_by_hand_is_in_doubt_and_never_credited() -> None:
    b = bench()
    books = keep_books(b)
    b.escrowed()
    b.device.jam(Spot.BOX)
    intend(b, books, STACK)
    assert b.until(Trouble) == Trouble(TroubleKind.JAM, "box")
    assert books.row is LastRecord.IN_DOUBT
    b.device.free_jam(b.now)
    b.until(Ready)
    b.run(10)
    assert (books.credited, books.returned, books.doubts) == (0, 0, 1)


@row("window: jam during stacking", "81 stacked")
def test_a_note_that_jams_on_its_way_and_arrives_after_all_is_credited_by_its_81() -> None:
    b = bench()
    books = keep_books(b)
    b.escrowed()
    b.device.metal.stage_seconds = 2.0
    intend(b, books, STACK)
    b.run(0.3)
    say(b, *["02 03 06 44 E2 86"] * 5)
    b.until(Trouble)
    assert books.row is LastRecord.IN_DOUBT
    b.until(Stacked)
    b.run(5)
    assert (books.credited, books.doubts) == (1, 0)


@row("11 power up, note in validator")
def test_82_after_11_says_what_is_known_already() -> None:
    """Some units report the note that they gave back while they initialise."""
    old = bench()
    old.escrowed()
    b = Bench(old.device, now=old.now)
    books = keep_books(b)
    books.row, books.kind = LastRecord.STACK_INTENDED, TWENTY
    b.device.cut_power(b.now)
    b.device.restore_power(b.now)
    say(b, "02 03 06 11 CA 83", "02 03 06 13 D8 A0", "02 03 07 82 04 18 46", "02 03 06 19 82 0F")
    b.until(Ready)
    assert [event.frame.hex(" ")[9:14] for event in b.heard(Returned)] == ["82 04"]
    assert (books.returned, books.credited, books.doubts) == (1, 0, 0)


@row("RESET never while a note moves")
def test_a_device_whose_note_moves_is_not_reset() -> None:
    b = bench()
    b.device.metal.stage_seconds = 25.0
    b.escrowed()
    resets = len(b.commands(Command.RESET))
    b.command(STACK)
    b.run(24)
    assert len(b.commands(Command.RESET)) == resets


@row("sequence: disable during a note")
@pytest.mark.parametrize("completes", [True, False])
def test_a_note_that_is_on_its_way_when_the_slot_is_shut_comes_to_escrow_or_back(completes: bool) -> None:
    """Nobody has seen what a unit does with it: either way it ends in a hand. Without the escrow bits, one that
    finishes it would carry it straight to the box.
    """
    b = bench()
    b.enabled()
    b.insert()
    b.until(Accepting)
    b.command(CashCommand.DISABLE)
    b.until(Completed)
    if completes:
        b.until(Escrowed)
        b.command(RETURN)
    else:
        b.device.metal.judge = lambda _: (Verdict.REJECT, 0x68)
    assert b.cleared().enabled is False
    assert len(b.heard(Returned if completes else Rejected)) == 1
    assert b.places() == [Place.HAND]


# --- words of the table ---------------------------------------------------------------------------------------------

REASONS = {
    0x60: "insertion", 0x61: "magnetic", 0x62: "earlier-note-in-head", 0x63: "multiplying", 0x64: "transport",
    0x65: "identification", 0x66: "verification", 0x67: "optical", 0x68: "inhibited", 0x69: "capacitance",
    0x6A: "operation", 0x6C: "length", 0x6D: "ultraviolet",
    0x92: "barcode", 0x93: "barcode", 0x94: "barcode", 0x95: "barcode", 0x7E: "reason-7e",
}  # fmt: skip


@row("1C rejecting")
@pytest.mark.parametrize(("code", "word"), REASONS.items())
def test_a_rejection_says_why_and_is_no_money(code: int, word: str) -> None:
    b = bench()
    b.enabled()
    rejecting = frame(bytes((0x1C, code))).hex()
    say(b, "02 03 06 15 EE C5", rejecting, rejecting, "02 03 06 14 67 D4")
    assert b.until(Rejected) == Rejected(word)
    b.cleared()
    assert len(b.heard(Rejected)) == 1
    assert [e for e in b.told if isinstance(e, Escrowed | Stacked | Returned)] == []


@row("84 and 90 are not ours")
@pytest.mark.parametrize("payload", ["84 05", "90 05", "83 01", "1D 00"])
def test_an_answer_that_is_not_ours_is_not_acknowledged_and_changes_no_note(payload: str) -> None:
    b = bench()
    books = keep_books(b)
    b.escrowed()
    b.run(1)  # The slot is shut behind the note.
    b.sent.clear()
    say(b, *[frame(bytes.fromhex(payload)).hex()] * 5)
    b.run(0.9)
    assert b.troubles() == [Trouble(TroubleKind.UNREADABLE)]
    assert set(b.commands()) == {Command.POLL}
    assert books.row is LastRecord.ESCROWED


@row("addresses")
def test_a_bill_to_bill_unit_on_the_same_line_is_not_listened_to() -> None:
    found = Deframer().feed(bytes.fromhex("02 01 06 14 DF 61"))
    assert not [item for item in found if isinstance(item, Frame)]


@row("NAK to a poll")
@pytest.mark.parametrize("answer", ["02 03 06 FF BA 8D", "02 03 06 30 41 B3"])
def test_a_poll_that_is_refused_is_asked_again_and_nothing_is_believed(answer: str) -> None:
    b = bench()
    b.escrowed()
    b.told.clear()
    say(b, *[answer] * 10)
    b.run(5)
    assert b.told == []
    b.command(STACK)
    b.cleared()
    assert len(b.heard(Stacked)) == 1
