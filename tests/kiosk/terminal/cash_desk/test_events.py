"""The cash desk: what a device's event decides that comes again, does not fit, or says less or more than others do."""

from __future__ import annotations

import pytest

from drivers.api.cash import (
    Accepting,
    Answered,
    CashCapabilities,
    CashCommand,
    CashEvent,
    Completed,
    Escrowed,
    Lost,
    Passed,
    Presence,
    Refusal,
    Rejected,
    Returned,
    Stacked,
    Trouble,
    TroubleKind,
)
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import NotePhase
from kiosk.terminal.cash_desk import RETURN_TRIES, STUCK
from kiosk.terminal.desk_view import Stage
from tests.kiosk.terminal.standing import (
    FIVE,
    OTHER_SERIAL,
    SERIAL,
    TEN,
    TWENTY,
    VALUES,
    Rig,
    identity,
)

# --- events that come again -----------------------------------------------------------------------------------------


def test_a_stacked_event_that_is_repeated_credits_once_and_is_acknowledged_each_time(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    rig.stacked()
    assert rig.stacked() == ["acknowledge", "proceed"]
    assert rig.stacked() == ["acknowledge", "proceed"]
    rig.cleared()
    assert rig.stacked() == ["acknowledge", "proceed"], "cleared, and nothing has moved since"
    assert len(rig.records("NoteStacked")) == 1
    assert rig.phases == [NotePhase.CLEARED]


def test_a_stacked_event_after_something_moved_is_a_note_of_its_own(rig: Rig) -> None:
    rig.begin()
    rig.one_note(TWENTY)
    rig.tell(Accepting())
    assert rig.stacked(TWENTY) == ["Incident", "NoteFound", "acknowledge", "proceed"]
    assert rig.phases == [NotePhase.CLEARED, NotePhase.FOUND]


def test_a_stacked_event_after_the_slot_was_opened_again_is_a_note_of_its_own(rig: Rig) -> None:
    """Nobody has seen it being drawn in, nor in escrow: it went to the box between two looks."""
    rig.begin()
    rig.one_note(TWENTY)
    rig.desk.accept()
    assert rig.stacked(TWENTY) == ["Incident", "NoteFound", "acknowledge", "proceed"]


def in_doubt_and_ready_again(rig: Rig) -> None:
    rig.begin(counter=None)
    rig.escrowed(TWENTY)
    rig.desk.take()
    rig.tell(Trouble(TroubleKind.JAM))
    rig.answered(Presence.PATH_EMPTY, who=identity())
    rig.ready(None)
    assert rig.phases == [NotePhase.IN_DOUBT]


def test_a_late_event_ends_a_doubt_as_long_as_nobody_can_put_another_note_in(rig: Rig) -> None:
    in_doubt_and_ready_again(rig)
    assert "NoteStacked" in rig.stacked(TWENTY)


def test_an_event_after_the_slot_was_opened_for_another_note_does_not_end_a_doubt(rig: Rig) -> None:
    in_doubt_and_ready_again(rig)
    assert rig.does(rig.desk.accept) == ["NoteCleared", "AcceptanceOpened", "enable"]
    assert "NoteFound" in rig.stacked(TWENTY)
    assert rig.phases == [NotePhase.IN_DOUBT, NotePhase.FOUND]


def test_where_events_are_numbered_a_late_one_ends_a_doubt_whenever_it_comes(rig: Rig) -> None:
    rig.cash.capabilities = CashCapabilities(marks=True)
    in_doubt_and_ready_again(rig)
    assert "NoteCleared" not in rig.does(rig.desk.accept)
    assert "NoteStacked" in rig.tell(Stacked(TWENTY, VALUES[TWENTY], b"stacked", 9))


def test_a_doubt_about_another_devices_note_is_not_over_for_that_one(rig: Rig) -> None:
    """The one that had it may come back, and still say."""
    rig.begin(counter=None)
    rig.escrowed(TWENTY)
    rig.desk.take()
    rig.answered(Presence.PATH_EMPTY, who=identity(OTHER_SERIAL))
    rig.ready(None, OTHER_SERIAL)
    assert "NoteCleared" not in rig.does(rig.desk.accept)
    rig.answered(Presence.STACKED, TWENTY, who=identity())
    assert rig.phases == [NotePhase.ACK_SENT]


def test_what_another_device_has_stacked_is_found_though_the_last_note_is_not_cleared(rig: Rig) -> None:
    rig.begin()
    rig.escrowed(TWENTY)
    rig.desk.take()
    rig.stacked(TWENTY)
    rig.answered(Presence.PATH_EMPTY, who=identity(OTHER_SERIAL))
    assert "NoteFound" in rig.stacked(TWENTY)
    assert rig.phases == [NotePhase.ACK_SENT, NotePhase.FOUND]


def test_after_a_count_that_credits_the_slot_opens_again(rig: Rig) -> None:
    """The count came later than the word that the path is empty."""
    rig.begin(counter=7)
    rig.escrowed(TWENTY)
    rig.desk.take()
    rig.answered(Presence.PATH_EMPTY, counter=None, who=identity())
    assert rig.phases == [NotePhase.IN_DOUBT]
    log = rig.ready(8)
    assert log.index("NoteStacked") < log.index("NoteCleared")
    assert rig.does(rig.desk.accept) == ["AcceptanceOpened", "enable"]


def test_a_find_that_is_repeated_is_found_once(rig: Rig) -> None:
    rig.begin()
    rig.tell(Accepting())
    assert "NoteFound" in rig.stacked(TEN)
    assert rig.stacked(TEN) == ["acknowledge", "proceed"]
    assert "NoteFound" in rig.stacked(TWENTY), "of another value, it is another note"


def test_a_note_that_went_back_has_no_stacked_event_to_repeat(rig: Rig) -> None:
    """A note of the same type in the box is then another note: it is found, never passed over."""
    rig.begin()
    rig.escrowed(TWENTY)
    rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)
    rig.returned()
    rig.cleared(7)
    assert "NoteFound" in rig.stacked(TWENTY)
    assert rig.phases == [NotePhase.RETURNED, NotePhase.FOUND]


def test_a_returned_event_that_is_repeated_is_recorded_once(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)
    rig.returned()
    assert rig.returned() == ["proceed", "acknowledge"]
    assert len(rig.records("NoteReturned")) == 1


# --- events that do not fit -----------------------------------------------------------------------------------------


def test_a_stacked_event_of_another_type_is_found_and_no_counter_makes_a_credit_of_the_one_before(rig: Rig) -> None:
    """What the device counted is the note that it named: of another type than the one that was promised."""
    rig.begin(counter=7)
    rig.escrowed(TWENTY)
    rig.desk.take()
    assert rig.stacked(TEN) == ["Incident", "NoteInDoubt", "NoteFound", "acknowledge", "proceed"]
    assert rig.stacked(TEN) == ["acknowledge", "proceed"], "a repeat"
    rig.cleared(8)
    assert rig.phases == [NotePhase.IN_DOUBT, NotePhase.FOUND]
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    assert rig.stated() == [[("IN_DOUBT", 1, "2000 EUR"), ("FOUND", 1, "1000 EUR")]]


def test_an_event_of_another_note_is_read_when_that_one_is_on_record_and_not_with_the_doubt_before(rig: Rig) -> None:
    """Died in between, the terminal hears of it once more: it has read no further than what is on record."""
    rig.cash.capabilities = CashCapabilities(marks=True)
    rig.begin()
    rig.escrowed(TWENTY)
    rig.desk.take()
    told = Stacked(TEN, VALUES[TEN], b"s", mark=8)
    assert rig.tell(told) == ["Incident", "NoteInDoubt", "NoteFound", "EventsRead", "acknowledge", "proceed"]


def test_what_is_told_after_a_credited_note_and_is_of_another_type_is_found(rig: Rig) -> None:
    rig.begin(counter=7)
    rig.escrowed(TWENTY)
    rig.desk.take()
    rig.stacked(TWENTY)
    assert rig.stacked(TEN) == ["Incident", "NoteCleared", "NoteFound", "acknowledge", "proceed"]
    rig.cleared(9)
    assert rig.phases == [NotePhase.CLEARED, NotePhase.FOUND]


def test_a_rejection_that_is_told_late_is_not_about_the_note_in_escrow(rig: Rig) -> None:
    rig.begin()
    rig.escrowed(TWENTY)
    rig.tell(Rejected("optical"))
    assert rig.desk.view.stage is Stage.ESCROW
    assert rig.does(rig.desk.take) == ["StackIntended", "stack"]


def test_a_note_that_was_stacked_unasked_is_credited_with_an_incident(rig: Rig) -> None:
    rig.begin()
    rig.escrowed(TWENTY)
    assert rig.stacked(TWENTY) == ["Incident", "NoteStacked", "acknowledge", "AckSent", "proceed"]


def test_a_note_that_was_stacked_instead_of_given_back_is_in_doubt(rig: Rig) -> None:
    rig.begin()
    rig.escrowed(TWENTY)
    rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)
    assert rig.stacked(TWENTY) == ["Incident", "NoteInDoubt", "acknowledge", "proceed"]


def test_a_note_that_was_given_back_instead_of_stacked_is_returned(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    assert rig.returned() == ["NoteReturned", "proceed", "acknowledge"]


def test_a_stack_that_was_not_done_gives_the_note_back(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    assert rig.tell(Completed(CashCommand.STACK, Refusal.NOT_DONE)) == ["ReturnIntended", "return", "proceed"]
    assert rig.tell(Completed(CashCommand.RETURN, Refusal.NOT_DONE)) == []
    rig.returned()
    assert rig.phases == [NotePhase.RETURNED]


def kept(rig: Rig) -> None:
    """A note was to go back, and the device says that it still lies in escrow."""
    rig.begin()
    rig.escrowed()
    rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)
    rig.tell(Completed(CashCommand.RETURN, Refusal.NOT_DONE))
    assert rig.desk.keeps_note


def test_a_note_that_the_device_keeps_is_asked_for_again_only_when_somebody_says_so(rig: Rig) -> None:
    kept(rig)
    assert rig.does(rig.desk.return_again) == ["return"]
    rig.tell(Completed(CashCommand.RETURN))
    assert not rig.desk.keeps_note
    assert rig.does(rig.desk.return_again) == []
    rig.returned()
    assert rig.phases == [NotePhase.RETURNED]


def test_a_note_that_the_device_keeps_too_often_is_stuck(rig: Rig) -> None:
    kept(rig)
    for _ in range(RETURN_TRIES - 1):
        assert rig.does(rig.desk.return_again) == ["return"]
        rig.tell(Completed(CashCommand.RETURN, Refusal.NOT_DONE))
    assert "return" not in rig.does(rig.desk.return_again)
    assert rig.phases == [NotePhase.IN_DOUBT]
    assert (rig.desk.view.ready, rig.desk.view.fault) == (False, STUCK)
    assert rig.does(rig.desk.return_again) == []


def test_a_note_that_the_device_keeps_is_not_one_that_nobody_takes(rig: Rig) -> None:
    """It is in the machine, and an engineer may take it out by hand: it is nobody's yet."""
    kept(rig)
    rig.desk.not_taken()
    assert rig.phases == [NotePhase.IN_DOUBT]
    assert rig.records("PresentedNotTaken") == []


@pytest.mark.parametrize(
    "event",
    [Returned(b""), Answered(identity(), Presence.PATH_EMPTY, b""), Lost("silent")],
    ids=["back", "anew", "lost"],
)
def test_what_the_device_kept_once_it_does_not_keep_for_ever(rig: Rig, event: CashEvent) -> None:
    kept(rig)
    rig.tell(event)
    assert not rig.desk.keeps_note


def test_a_refusal_alone_decides_nothing(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    for refused in (Refusal.NO_NOTE_IN_ESCROW, Refusal.LOST):
        assert rig.tell(Completed(CashCommand.STACK, refused)) == []
    assert rig.phases == [NotePhase.STACK_INTENDED]


@pytest.mark.parametrize(
    ("counter", "phase"), [(7, NotePhase.RETURNED), (8, NotePhase.CLEARED), (9, NotePhase.IN_DOUBT)]
)
def test_an_empty_path_without_an_event_is_decided_by_the_counter(rig: Rig, counter: int, phase: NotePhase) -> None:
    rig.begin(counter=7)
    rig.escrowed()
    rig.desk.take()
    rig.cleared(counter)
    rig.cleared(counter)
    assert rig.phases == [phase]
    assert len(rig.records("NoteInDoubt")) == (1 if phase is NotePhase.IN_DOUBT else 0)


def test_a_jam_puts_the_note_in_doubt_and_stops(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    told = rig.tell(Trouble(TroubleKind.JAM, "box"))
    assert told == ["Incident", "Incident", "NoteInDoubt", "proceed"]
    assert not rig.desk.view.ready
    assert rig.desk.view.fault == "jam-box"


def test_a_note_freed_by_hand_from_a_jam_is_not_called_returned(rig: Rig) -> None:
    """It goes to sealed custody: an empty path and an unmoved counter prove nothing after hands have been inside."""
    rig.begin(counter=7)
    rig.escrowed()
    rig.desk.take()
    rig.tell(Trouble(TroubleKind.JAM, "box"))
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    rig.answered(Presence.PATH_EMPTY, counter=7, who=identity())
    rig.ready(7)
    assert rig.phases == [NotePhase.IN_DOUBT]
    assert rig.stated() == [[("IN_DOUBT", 1, "2000 EUR")]]


def test_a_note_that_a_reset_pushed_on_after_a_jam_is_credited_by_its_event(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    rig.tell(Trouble(TroubleKind.JAM, "box"))
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    rig.stacked(TWENTY)
    assert rig.stated() == [[("IN_DOUBT", 1, "2000 EUR")], [("CREDITED", 2, "2000 EUR")]]


# --- protocols that say less, or more -------------------------------------------------------------------------------


def test_a_stacked_event_without_a_type_is_the_note_that_was_in_escrow(rig: Rig) -> None:
    rig.cash.capabilities = CashCapabilities(names_type=False)
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    rig.tell(Stacked(None, None, b"15"))
    assert rig.phases == [NotePhase.ACK_SENT]
    rig.tell(Stacked(None, None, b"15"))
    assert rig.phases == [NotePhase.ACK_SENT], "a repeat"
    rig.cleared(None)
    rig.tell(Stacked(None, None, b"15"))
    assert len(rig.notes) == 1, "and again, as nothing has moved since"
    rig.tell(Accepting())
    rig.tell(Stacked(None, None, b"15"))
    assert [(note.phase, note.value) for note in rig.notes[1:]] == [(NotePhase.FOUND, None)]


def test_a_type_that_is_missing_where_the_protocol_names_it_is_nobodys(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    rig.tell(Stacked(None, None, b"?"))
    assert rig.phases == [NotePhase.IN_DOUBT]


def test_a_find_of_no_type_that_is_repeated_is_found_once(rig: Rig) -> None:
    rig.begin()
    rig.tell(Accepting())
    assert "NoteFound" in rig.tell(Stacked(None, None, b"?"))
    assert rig.tell(Stacked(None, None, b"?")) == ["acknowledge", "proceed"]


@pytest.mark.parametrize("give_back", [False, True])
def test_an_event_without_a_type_says_nothing_of_a_note_that_was_not_to_be_stacked(rig: Rig, give_back: bool) -> None:
    rig.cash.capabilities = CashCapabilities(names_type=False)
    rig.begin()
    rig.escrowed()
    if give_back:
        rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)
    assert rig.tell(Stacked(None, None, b"15")) == ["Incident", "NoteInDoubt", "acknowledge", "proceed"]
    assert rig.tell(Stacked(None, None, b"15")) == ["Incident", "acknowledge", "proceed"], "a repeat proves no more"
    assert rig.phases == [NotePhase.IN_DOUBT]


@pytest.mark.parametrize("marks", [False, True])
def test_the_event_that_left_a_note_in_doubt_does_not_credit_it_when_it_is_said_again(rig: Rig, marks: bool) -> None:
    rig.cash.capabilities = CashCapabilities(marks=marks)
    rig.begin()
    rig.escrowed(TWENTY)
    rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)
    rig.tell(Stacked(TWENTY, VALUES[TWENTY], b"s", 8 if marks else None))
    rig.tell(Stacked(TWENTY, VALUES[TWENTY], b"s", 9 if marks else None))
    assert rig.phases == ([NotePhase.IN_DOUBT, NotePhase.FOUND] if marks else [NotePhase.IN_DOUBT])


def test_how_far_events_were_read_is_written_with_what_they_led_to(rig: Rig) -> None:
    rig.cash.capabilities = CashCapabilities(marks=True)
    rig.begin()
    assert rig.cash.last_mark(SERIAL) is None
    first = rig.tell(Escrowed(TWENTY, VALUES[TWENTY], b"e", b"t", mark=7))
    assert first == ["disable", "NoteEscrowed", "EventsRead"]
    assert rig.cash.last_mark(SERIAL) == 7
    rig.desk.take()
    assert rig.tell(Stacked(TWENTY, VALUES[TWENTY], b"s", mark=8))[:2] == ["NoteStacked", "EventsRead"]
    assert rig.cash.last_mark(SERIAL) == 8
    assert rig.tell(Rejected("length", mark=9)) == ["EventsRead", "acknowledge"]
    assert rig.tell(Passed(mark=10)) == ["EventsRead"]
    again = rig.restarted()
    try:
        assert again.cash.last_mark(SERIAL) == 10
        assert again.cash.last_mark(OTHER_SERIAL) is None
    finally:
        again.journal.close()


def test_a_device_that_lost_its_memory_leaves_the_open_note_in_doubt_and_no_credit_touched(rig: Rig) -> None:
    rig.begin()
    rig.one_note()
    rig.desk.accept()
    rig.escrowed()
    rig.desk.take()
    rig.answered(Presence.FORGOTTEN, who=identity())
    assert rig.phases == [NotePhase.CLEARED, NotePhase.IN_DOUBT]


def test_coins_are_credited_as_they_fall_each_with_its_value_in_one_transaction(rig: Rig) -> None:
    rig.cash.capabilities = CashCapabilities(escrow=False, marks=True)
    rig.begin()
    taken = rig.tell(Stacked(FIVE, VALUES[FIVE], b"coin", mark=1))
    assert taken == ["NoteEscrowed", "NoteStacked", "EventsRead", "acknowledge", "AckSent", "proceed"]
    assert rig.tell(Stacked(FIVE, VALUES[FIVE], b"coin", mark=2))[:2] == ["NoteCleared", "NoteEscrowed"]
    rig.tell(Stacked(9, None, b"coin", mark=3))
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    assert rig.stated() == [[("CREDITED", 1, "500 EUR"), ("CREDITED", 1, "500 EUR")]]
    assert rig.phases[-1] is NotePhase.FOUND, "a coin that nobody knows is in the box all the same"
    rig.tell(Stacked(FIVE, VALUES[FIVE], b"coin", mark=4))
    assert rig.stated()[-1] == [("FOUND", 1, "500 EUR")], "outside of a deposit it is found"


@pytest.mark.parametrize("kind", [FIVE, TEN])
def test_a_coin_that_fell_while_the_terminal_was_dead_is_found_and_is_not_the_one_before(rig: Rig, kind: int) -> None:
    """It died before the last coin was cleared; the next has a number of its own, and may have the same value."""
    rig.cash.capabilities = CashCapabilities(escrow=False, marks=True)
    rig.begin()
    rig.tell(Stacked(FIVE, VALUES[FIVE], b"coin", mark=1))
    again = rig.restarted()
    try:
        again.cash.capabilities = rig.cash.capabilities
        told = again.tell(Answered(identity(), Presence.STACKED, b"coin", kind, mark=2))
        assert told[:3] == ["DeviceAnswered", "NoteCleared", "Incident"]
        assert again.phases == [NotePhase.CLEARED, NotePhase.FOUND]
        assert again.notes[1].value == VALUES[kind]
        assert again.cash.last_mark(SERIAL) == 2
    finally:
        again.journal.close()


@pytest.mark.parametrize("escrow", [True, False])
def test_what_fell_into_a_coin_acceptor_that_was_exchanged_nobody_knows(rig: Rig, escrow: bool) -> None:
    """A validator's note has a record of its own before it goes to the box; a coin has none."""
    rig.cash.capabilities = CashCapabilities(escrow=escrow, marks=True)
    rig.begin()
    told = rig.tell(Answered(identity(OTHER_SERIAL), Presence.PATH_EMPTY, b"", mark=0))
    assert ("Incident" in told) is not escrow
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    rig.ready(serial=OTHER_SERIAL)
    assert "Incident" not in rig.tell(Answered(identity(OTHER_SERIAL), Presence.PATH_EMPTY, b"", mark=0)), "once"
