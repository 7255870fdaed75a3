"""The cash desk: intent before action, record before acknowledgement, and what may never be credited."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.api.cash import (
    Accepting,
    Answered,
    CashCapabilities,
    CashCommand,
    Completed,
    Escrowed,
    Lost,
    Passed,
    Presence,
    Ready,
    Refusal,
    Rejected,
    Returned,
    Shut,
    Stacked,
    Stacking,
    Trouble,
    TroubleKind,
)
from guichet.ids import SessionId
from guichet.limits import MAX_NOTES_PER_ADVICE
from guichet.v1 import customer_pb2
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import NotePhase
from kiosk.terminal.desk_view import Back, Stage
from kiosk.terminal.paper import summarise
from tests.kiosk.terminal.standing import (
    DOLLARS,
    FIVE,
    OTHER_SERIAL,
    SERIAL,
    TAKEN,
    TEN,
    TWENTY,
    VALUES,
    Rig,
    euros,
    identity,
)

ACCOUNT = customer_pb2.Account(account_id="ACC-1", masked_number="**** 4711", currency="EUR", product="Current")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path / "journal.db")
    yield rig
    rig.journal.close()


# --- the order of things --------------------------------------------------------------------------------------------


def test_a_deposit_of_one_note_is_written_and_done_in_the_only_right_order(rig: Rig) -> None:
    assert rig.answered(Presence.PATH_EMPTY, counter=7, who=identity()) == ["DeviceAnswered", "proceed"]
    assert rig.ready() == ["NoteTableRead", "BoxPeriodOpened"]
    assert rig.does(rig.open) == ["DepositOpened", "AcceptanceOpened", "enable"]
    assert rig.escrowed() == ["disable", "NoteEscrowed"]
    assert rig.does(rig.desk.take) == ["StackIntended", "stack"]
    assert rig.stacked() == ["NoteStacked", "acknowledge", "AckSent", "proceed"]
    assert rig.cleared(8) == ["NoteCleared"]
    assert rig.does(rig.desk.accept) == ["AcceptanceOpened", "enable"]
    closed = rig.does(lambda: rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER))
    assert closed == ["disable", "DepositClosed", "AdviceSigned"]
    assert rig.stated() == [[("CREDITED", 1, "2000 EUR")]]
    assert rig.phases == [NotePhase.CLEARED]
    intended = rig.records("StackIntended")[0]
    assert isinstance(intended, pb.StackIntended)
    assert intended.counter_baseline == 7


def test_the_advice_says_all_of_the_deposit_and_where_it_rests(rig: Rig) -> None:
    deposit = rig.begin()
    rig.one_note(TWENTY, 8)
    rig.one_note(TEN, 9)
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    advice = rig.advices()[0]
    assert (advice.terminal_id, advice.deposit_id, advice.session_id) == ("GVA-0001", deposit, "session")
    assert (advice.account_id, advice.currency, advice.device_serial) == ("ACC-1", "EUR", SERIAL)
    assert advice.device_simulated
    closed_at = 1 + next(n for n, fact in enumerate(rig.facts) if isinstance(fact, pb.DepositClosed))
    assert (advice.epoch, advice.sequence) == (1, closed_at)
    assert advice.box_period_id == rig.deposits[0].box_period_id
    assert [note.value.minor for note in advice.notes] == [2000, 1000]


def test_what_stands_in_the_journal_when_the_device_acts_is_enough(rig: Rig) -> None:
    """Nothing that is written after the call matters: the process may die inside it."""
    rig.begin()
    rig.escrowed()
    rig.cash.dies_at = "stack"
    with pytest.raises(BaseException, match=r"^$"):
        rig.desk.take()
    assert rig.facts[-1].DESCRIPTOR.name == "StackIntended"
    rig.cash.dies_at = "acknowledge"
    with pytest.raises(BaseException, match=r"^$"):
        rig.stacked()
    assert rig.facts[-1].DESCRIPTOR.name == "NoteStacked"


def test_a_return_is_intended_before_it_is_done_and_recorded_before_it_is_acknowledged(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    done = rig.does(lambda: rig.desk.give_back(pb.RETURN_REASON_CUSTOMER))
    assert done == ["ReturnIntended", "return"]
    assert rig.desk.view.back is Back.ASKED
    assert rig.returned() == ["NoteReturned", "proceed", "acknowledge"]
    assert rig.cleared(7) == []
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    assert rig.advices() == [], "a deposit with nothing in the box settles nothing"
    assert rig.deposits[0].closed


# --- a note that is not taken ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "back", "reason"),
    [
        (FIVE, Back.NOT_ACCEPTED, pb.RETURN_REASON_NOT_ACCEPTED),
        (DOLLARS, Back.OTHER_CURRENCY, pb.RETURN_REASON_OTHER_CURRENCY),
    ],
)
def test_a_note_that_this_deposit_does_not_take_goes_back_at_once(
    rig: Rig, kind: int, back: Back, reason: pb.ReturnReason.ValueType
) -> None:
    rig.begin()
    assert rig.escrowed(kind) == ["disable", "NoteEscrowed", "ReturnIntended", "return"]
    assert rig.desk.view.back is back
    intended = rig.records("ReturnIntended")[0]
    assert isinstance(intended, pb.ReturnIntended)
    assert intended.reason == reason
    assert rig.does(rig.desk.take) == [], "it cannot be stacked any more"


def test_a_note_of_no_known_value_goes_back_without_a_record(rig: Rig) -> None:
    rig.begin()
    assert rig.escrowed(9) == ["disable", "return"]
    assert rig.notes == []


def test_a_note_without_a_deposit_goes_back(rig: Rig) -> None:
    rig.answered(Presence.PATH_EMPTY, who=identity())
    rig.ready()
    assert rig.escrowed() == ["disable", "return"]
    assert rig.returned() == ["proceed", "acknowledge"]
    assert rig.notes == []


def test_a_note_that_comes_after_the_deposit_was_closed_goes_back(rig: Rig) -> None:
    rig.begin()
    rig.desk.close_deposit(pb.DEPOSIT_END_TIMEOUT)
    assert rig.escrowed() == ["disable", "return"]
    assert rig.notes == []


def test_the_slot_stays_shut_while_a_note_is_open(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    assert rig.does(rig.desk.accept) == []
    rig.desk.take()
    assert rig.does(rig.desk.accept) == []
    rig.stacked()
    assert rig.does(rig.desk.accept) == [], "not before the device is done with it"
    rig.cleared()
    assert rig.does(rig.desk.accept) == ["AcceptanceOpened", "enable"]
    assert rig.does(rig.desk.accept) == ["enable"], "on record once, however often the device must be told"


def test_taking_and_giving_back_need_a_note_in_escrow(rig: Rig) -> None:
    rig.begin()
    assert rig.does(rig.desk.take) == []
    assert rig.does(lambda: rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)) == []
    rig.escrowed()
    rig.desk.take()
    assert rig.does(rig.desk.take) == []
    assert rig.does(lambda: rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)) == []


def test_a_note_that_is_announced_twice_is_one_note_and_goes_back(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    assert rig.escrowed() == ["disable", "ReturnIntended", "return", "proceed"]
    assert len(rig.notes) == 1
    rig.returned()
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    assert rig.phases == [NotePhase.RETURNED]


# --- a deposit ------------------------------------------------------------------------------------------------------


def test_a_deposit_needs_a_device_that_is_ready(rig: Rig) -> None:
    with pytest.raises(RuntimeError, match="ready"):
        rig.open()
    assert rig.facts == []


def test_a_deposit_is_not_closed_while_a_note_is_undecided(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    assert rig.desk.undecided
    assert rig.does(lambda: rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)) == []
    rig.stacked()
    assert not rig.desk.undecided
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    assert rig.stated() == [[("CREDITED", 1, "2000 EUR")]]
    assert rig.does(lambda: rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)) == [], "once"


def test_another_note_table_is_put_on_record_and_the_same_one_is_not(rig: Rig) -> None:
    rig.ready()
    assert "NoteTableRead" not in rig.ready()
    assert "NoteTableRead" in rig.tell(Ready(identity(), {FIVE: VALUES[FIVE]}, b"other hash", 7))
    assert rig.desk.values == frozenset({VALUES[FIVE]})


def test_the_view_follows_the_slot(rig: Rig) -> None:
    seen: list[Stage] = []
    rig.desk.on_change(lambda: seen.append(rig.desk.view.stage))
    rig.begin()
    rig.tell(Completed(CashCommand.ENABLE))
    rig.tell(Accepting())
    rig.escrowed()
    assert rig.desk.view.note == VALUES[TWENTY]
    rig.desk.take()
    rig.tell(Stacking())
    rig.stacked()
    rig.cleared(enabled=True)
    rig.tell(Rejected("optical"))
    assert rig.desk.view.back is Back.NOT_RECOGNISED
    rig.does(rig.desk.close_slot)
    assert rig.log[-1] == "disable"
    assert [stage for stage, before in zip(seen, [None, *seen], strict=False) if stage is not before] == [
        Stage.CLOSED, Stage.OPEN, Stage.DRAWING_IN, Stage.ESCROW, Stage.STACKING, Stage.CLEARING, Stage.OPEN,
        Stage.RETURNING,
    ]  # fmt: skip


def test_a_slot_that_the_device_did_not_open_is_not_shown_as_open(rig: Rig) -> None:
    rig.begin()
    rig.tell(Completed(CashCommand.ENABLE, Refusal.NO_ANSWER))
    assert rig.desk.view.stage is Stage.CLOSED


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


def test_a_stacked_event_of_another_type_is_in_doubt_and_no_counter_makes_it_a_credit(rig: Rig) -> None:
    """What the device counted is the note that it named: of another type than the one that was promised."""
    rig.begin(counter=7)
    rig.escrowed(TWENTY)
    rig.desk.take()
    assert rig.stacked(TEN) == ["Incident", "NoteInDoubt", "acknowledge", "proceed"]
    assert rig.cleared(8) == ["proceed"]
    assert rig.phases == [NotePhase.IN_DOUBT]
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    assert rig.stated() == [[("IN_DOUBT", 1, "2000 EUR")]]


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
    assert rig.tell(Completed(CashCommand.RETURN, Refusal.NOT_DONE)) == ["return"]
    rig.returned()
    assert rig.phases == [NotePhase.RETURNED]


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


# --- counters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("counter", [7, 9, 6])
def test_a_counter_that_disagrees_stops_the_next_note_and_takes_no_credit_away(rig: Rig, counter: int) -> None:
    rig.begin(counter=7)
    rig.escrowed()
    rig.desk.take()
    rig.stacked()
    assert rig.cleared(counter) == ["NoteCleared", "Incident"]
    assert not rig.desk.view.ready
    assert rig.desk.view.fault == "counter-disagrees"
    assert rig.does(rig.desk.accept) == []
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    assert rig.stated() == [[("CREDITED", 1, "2000 EUR")]]


def test_acceptance_stays_stopped_over_a_restart_until_the_box_was_exchanged(rig: Rig) -> None:
    rig.begin(counter=7)
    rig.one_note(TWENTY, 7)
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    again = rig.restarted()
    try:
        again.answered(Presence.PATH_EMPTY, counter=7, who=identity())
        again.ready(7)
        assert (again.desk.view.ready, again.desk.view.fault) == (False, "counter-disagrees")
        again.tell(Trouble(TroubleKind.BOX_REMOVED))
        again.ready(7)
        assert (again.desk.view.ready, again.desk.view.fault) == (True, "")
    finally:
        again.journal.close()


def test_the_counter_wraps_from_65535_to_0(rig: Rig) -> None:
    rig.begin(counter=65535)
    rig.one_note(TWENTY, 0)
    assert rig.desk.view.ready
    assert rig.records("Incident") == []


def test_without_a_counter_nothing_is_compared(rig: Rig) -> None:
    rig.begin(counter=None)
    rig.one_note(TWENTY, None)
    assert rig.desk.view.ready
    intended = rig.records("StackIntended")[0]
    assert isinstance(intended, pb.StackIntended)
    assert not intended.HasField("counter_baseline")


def test_a_count_from_before_the_last_note_is_no_baseline(rig: Rig) -> None:
    """A second note came so fast that nobody counted in between: one more would be the first note, not this one."""
    rig.begin(counter=7)
    rig.escrowed(TWENTY)
    rig.desk.take()
    rig.stacked(TWENTY)
    assert rig.escrowed(TWENTY) == ["NoteCleared", "disable", "NoteEscrowed"]
    rig.desk.take()
    rig.cleared(8)  # The second note never arrived: the path is empty, and the count is the first note's.
    assert rig.phases == [NotePhase.CLEARED, NotePhase.IN_DOUBT]


def test_a_count_after_the_box_was_out_decides_nothing_about_a_note_of_before(rig: Rig) -> None:
    rig.begin(counter=7)
    rig.escrowed(TWENTY)
    rig.desk.take()
    rig.desk.no_answer()
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    rig.tell(Trouble(TroubleKind.BOX_REMOVED))
    rig.ready(8)
    rig.ready(8)
    assert rig.phases == [NotePhase.IN_DOUBT]


def test_the_count_of_another_device_decides_nothing(rig: Rig) -> None:
    rig.begin(counter=7)
    rig.escrowed(TWENTY)
    rig.desk.take()
    rig.desk.no_answer()
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    rig.ready(8, OTHER_SERIAL)
    assert rig.phases == [NotePhase.IN_DOUBT]


def test_the_count_of_the_same_device_and_period_decides_later(rig: Rig) -> None:
    rig.begin(counter=7)
    rig.escrowed(TWENTY)
    rig.desk.take()
    rig.desk.no_answer()
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    rig.ready(8)
    assert rig.stated() == [[("IN_DOUBT", 1, "2000 EUR")], [("CREDITED", 2, "2000 EUR")]]


# --- finds ----------------------------------------------------------------------------------------------------------


def test_a_find_during_a_deposit_carries_it_as_its_candidate(rig: Rig) -> None:
    deposit = rig.begin()
    rig.tell(Accepting())
    rig.stacked(TEN)
    assert [note.deposit_id for note in rig.notes] == [deposit]
    assert rig.advices() == []
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    assert rig.stated() == [[("FOUND", 1, "1000 EUR")]]


def test_a_find_without_a_deposit_is_advised_of_at_once_under_its_own_number(rig: Rig) -> None:
    rig.answered(Presence.PATH_EMPTY, who=identity())
    rig.ready()
    assert rig.stacked(TEN) == ["Incident", "NoteFound", "AdviceSigned", "acknowledge", "proceed"]
    advice = rig.advices()[0]
    assert advice.deposit_id == rig.notes[0].note_id
    assert advice.account_id == ""
    assert advice.device_simulated
    assert rig.stated() == [[("FOUND", 1, "1000 EUR")]]


def test_a_find_of_another_currency_is_told_as_the_deposits_own_candidate(rig: Rig) -> None:
    """An advice is of one currency: the deposit then has two."""
    deposit = rig.begin()
    rig.tell(Accepting())
    rig.stacked(DOLLARS)
    assert rig.stated() == []
    rig.one_note(TWENTY)
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    assert rig.stated() == [[("FOUND", 1, "2000 USD")], [("CREDITED", 1, "2000 EUR")]]
    assert {advice.deposit_id for advice in rig.advices()} == {deposit}
    assert [advice.currency for advice in rig.advices()] == ["USD", "EUR"]


def test_a_note_of_another_currency_that_sticks_on_its_way_back_is_told_and_claimed(rig: Rig) -> None:
    rig.begin()
    rig.one_note(TWENTY)
    rig.desk.accept()
    rig.tell(Accepting())
    rig.escrowed(DOLLARS)
    rig.tell(Trouble(TroubleKind.JAM, "head"))
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    assert rig.stated() == [[("CREDITED", 1, "2000 EUR")], [("IN_DOUBT", 1, "2000 USD")]]
    paper = summarise(rig.deposits[0], rig.notes, None)
    assert (paper.counts, [str(inquiry.value) for inquiry in paper.inquiries]) == (
        ((VALUES[TWENTY], 1),),
        ["20.00 USD"],
    )


def test_a_note_of_another_currency_that_was_stacked_all_the_same_is_no_part_of_the_total(rig: Rig) -> None:
    """The process died before it could give it back, and the device took it."""
    rig.begin()
    rig.cash.dies_at = "return"
    with pytest.raises(BaseException, match=r"^$"):
        rig.escrowed(DOLLARS)
    again = rig.restarted()
    try:
        again.answered(Presence.STACKED, DOLLARS)
        again.desk.close_orphan()
        assert [note.value for note in again.notes] == [VALUES[DOLLARS]]
        assert again.deposits[0].closed
        told = [note for advice in again.stated() for note in advice]
        assert [value for _, _, value in told] == ["2000 USD"]
        paper = summarise(again.deposits[0], again.notes, None)
        assert (paper.credited, len(paper.inquiries)) == (euros(0), 1)
    finally:
        again.journal.close()


def test_a_find_of_unknown_value_is_an_incident_and_no_advice(rig: Rig) -> None:
    rig.answered(Presence.PATH_EMPTY, who=identity())
    rig.ready()
    assert rig.stacked(9) == ["Incident", "NoteFound", "acknowledge", "proceed"]
    assert rig.notes[0].value is None


def test_a_find_in_a_simulator_that_does_not_say_who_it_is_stays_training_money(rig: Rig) -> None:
    rig.begin()
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    again = rig.restarted()
    try:
        again.answered(Presence.STACKED, TEN)
        assert again.stated() == [[("FOUND", 1, "1000 EUR")]]
        assert again.advices()[0].device_simulated
        assert again.advices()[0].device_serial == SERIAL
    finally:
        again.journal.close()


def test_a_find_of_a_device_never_met_before_is_of_unknown_value(rig: Rig) -> None:
    rig.answered(Presence.STACKED, TEN)
    assert rig.notes[0].value is None
    assert rig.advices() == []


# --- the box --------------------------------------------------------------------------------------------------------


def test_the_box_period_begins_anew_when_the_box_was_out_or_another_device_stands_there(rig: Rig) -> None:
    rig.begin()
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    first = rig.journal.fold.box_period
    assert "BoxPeriodOpened" not in rig.ready()
    rig.tell(Trouble(TroubleKind.BOX_REMOVED))
    assert "BoxPeriodOpened" in rig.ready()
    assert "BoxPeriodOpened" in rig.ready(serial=OTHER_SERIAL)
    assert rig.journal.fold.box_period != first


def test_a_box_that_was_out_when_the_process_died_has_begun_a_new_period_all_the_same(rig: Rig) -> None:
    rig.begin()
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    rig.tell(Trouble(TroubleKind.BOX_REMOVED))
    again = rig.restarted()
    try:
        again.answered(Presence.PATH_EMPTY, counter=7, who=identity())
        assert "BoxPeriodOpened" in again.ready()
        assert "BoxPeriodOpened" not in again.ready()
    finally:
        again.journal.close()


def test_the_period_of_an_open_deposit_is_not_changed_under_it(rig: Rig) -> None:
    rig.begin()
    rig.one_note()
    rig.tell(Trouble(TroubleKind.BOX_REMOVED))
    assert "BoxPeriodOpened" not in rig.ready()
    closed = rig.does(lambda: rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE))
    assert closed == ["disable", "DepositClosed", "AdviceSigned", "BoxPeriodOpened"]


# --- trouble --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "detail", "code"),
    [
        (TroubleKind.BOX_FULL, "", "box-full"),
        (TroubleKind.BOX_REMOVED, "", "box-removed"),
        (TroubleKind.FAILURE, "50", "failure-50"),
        (TroubleKind.JAM, "head", "jam-head"),
    ],
)
def test_trouble_is_an_incident_and_takes_cash_out_of_service(
    rig: Rig, kind: TroubleKind, detail: str, code: str
) -> None:
    rig.begin()
    rig.tell(Trouble(kind, detail))
    assert (rig.desk.view.ready, rig.desk.view.fault) == (False, code)
    rig.tell(Trouble(TroubleKind.PAUSE, over=True))
    assert rig.desk.view.fault == code
    rig.tell(Trouble(kind, detail, over=True))
    assert (rig.desk.view.ready, rig.desk.view.fault) == (False, "")
    rig.ready()
    assert rig.desk.view.ready


@pytest.mark.parametrize("kind", [kind for kind in TroubleKind if not kind.stops_acceptance])
def test_trouble_that_passes_is_an_incident_and_no_more(rig: Rig, kind: TroubleKind) -> None:
    rig.begin()
    assert rig.tell(Trouble(kind)) == ["Incident"]
    assert rig.desk.view.ready


def test_a_device_that_is_lost_takes_cash_out_of_service_until_it_is_ready_again(rig: Rig) -> None:
    rig.begin()
    rig.tell(Lost("silent"))
    assert (rig.desk.view.ready, rig.desk.view.fault) == (False, "silent")
    rig.answered(Presence.PATH_EMPTY, counter=7, who=identity())
    assert not rig.desk.view.ready
    rig.ready()
    assert (rig.desk.view.ready, rig.desk.view.fault) == (True, "")


def test_silence_for_too_long_puts_an_open_note_in_doubt_and_an_event_later_decides(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    rig.tell(Lost("silent"))
    assert rig.does(rig.desk.no_answer) == ["Incident", "NoteInDoubt"]
    assert rig.does(rig.desk.no_answer) == [], "once"
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    rig.answered(Presence.STACKED, TWENTY)
    assert rig.stated() == [[("IN_DOUBT", 1, "2000 EUR")], [("CREDITED", 2, "2000 EUR")]]
    assert rig.does(rig.desk.no_answer) == [], "nothing is open any more"


def test_that_a_note_was_given_back_after_all_is_told_to_the_host_that_was_told_of_the_doubt(rig: Rig) -> None:
    """The cable is out while the note goes back: the counter says so afterwards. The host has a claim open."""
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    rig.tell(Lost("silent"))
    rig.desk.no_answer()
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    rig.answered(Presence.PATH_EMPTY, counter=7, who=identity())
    assert rig.stated() == [[("IN_DOUBT", 1, "2000 EUR")], [("RETURNED", 2, "2000 EUR")]]


def test_a_doubt_that_ended_before_the_deposit_closes_is_told_in_the_order_of_its_outcomes(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    rig.desk.no_answer()
    rig.stacked()
    rig.cleared(8)
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    assert rig.stated() == [[("IN_DOUBT", 1, "2000 EUR"), ("CREDITED", 2, "2000 EUR")]]


# --- a journal that fails -------------------------------------------------------------------------------------------


def failed(rig: Rig) -> bool:
    return (rig.desk.view.ready, rig.desk.view.fault) == (False, "journal")


def test_a_note_that_cannot_be_put_on_record_goes_back(rig: Rig) -> None:
    rig.begin()
    rig.fails()
    assert rig.escrowed() == ["disable", "disable", "return"]
    assert failed(rig)


def test_a_stack_that_cannot_be_intended_is_not_done_and_the_note_goes_back(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.fails()
    assert rig.does(rig.desk.take) == ["disable", "return"]
    assert failed(rig)


def test_a_return_that_cannot_be_intended_is_done_all_the_same(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.fails()
    assert rig.does(lambda: rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)) == ["disable", "return"]


def test_an_outcome_that_cannot_be_recorded_is_never_acknowledged(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    rig.fails()
    for _ in range(3):
        assert rig.stacked() == ["disable"], "neither acknowledged nor asked back: its stacking is on record"
    assert failed(rig)
    assert rig.phases == [NotePhase.STACK_INTENDED]
    again = rig.restarted()
    try:
        again.answered(Presence.STACKED, TWENTY)
        assert again.phases == [NotePhase.ACK_SENT]
        assert again.stated() == [[("CREDITED", 1, "2000 EUR")]]
    finally:
        again.journal.close()


def test_a_returned_note_that_cannot_be_recorded_is_not_acknowledged(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)
    rig.fails()
    assert "acknowledge" not in rig.returned()


def test_a_find_that_cannot_be_recorded_is_not_acknowledged(rig: Rig) -> None:
    rig.begin()
    rig.fails()
    assert "acknowledge" not in rig.stacked(TEN)


def test_a_first_answer_that_cannot_be_recorded_lets_nothing_happen_to_the_device(rig: Rig) -> None:
    rig.fails()
    told = rig.answered(Presence.MOVING, counter=7, who=identity())
    assert "proceed" not in told
    assert failed(rig)


def test_after_a_failure_nothing_is_accepted_any_more(rig: Rig) -> None:
    rig.begin()
    rig.fails()
    rig.escrowed()
    assert "enable" not in rig.does(rig.desk.accept)
    rig.ready()
    assert not rig.desk.view.ready
    assert "enable" not in rig.does(rig.desk.accept)


def test_an_acknowledgement_that_cannot_be_noted_changes_nothing(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    rig.journal.observe(lambda _, fact: rig.fails() if fact.DESCRIPTOR.name == "NoteStacked" else None)
    assert rig.stacked()[:2] == ["NoteStacked", "acknowledge"]
    assert rig.phases == [NotePhase.STACKED]
    assert failed(rig)


def test_what_the_host_is_to_know_is_on_disk_together_with_what_it_tells(rig: Rig) -> None:
    """Were they two transactions, a process that dies between them would never tell the host."""
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    rig.desk.no_answer()
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    rig.journal.observe(lambda _, fact: rig.fails() if fact.DESCRIPTOR.name in ("NoteStacked", "NoteFound") else None)
    rig.stacked(TWENTY)
    assert rig.stated() == [[("IN_DOUBT", 1, "2000 EUR")], [("CREDITED", 2, "2000 EUR")]]


def test_the_money_in_the_box_is_what_the_journal_counts(rig: Rig) -> None:
    rig.begin()
    rig.one_note(TWENTY, 8)
    rig.one_note(TWENTY, 9)
    rig.one_note(TEN, 10)
    rig.tell(Accepting())
    rig.stacked(TEN)
    period = rig.journal.fold.box_period
    assert period is not None
    assert rig.journal.fold.box_counts() == {
        (period.box_period_id, euros(2000), NotePhase.CLEARED): 2,
        (period.box_period_id, euros(1000), NotePhase.CLEARED): 1,
        (period.box_period_id, euros(1000), NotePhase.FOUND): 1,
    }


def test_opening_a_deposit_without_a_box_is_a_defect_that_is_heard(rig: Rig) -> None:
    account = customer_pb2.Account(account_id="A", masked_number="*", currency="EUR")
    with pytest.raises(RuntimeError, match="box"):
        rig.book.open_deposit(SessionId("s"), account, identity(), "v")


def test_events_that_say_nothing_new_write_nothing(rig: Rig) -> None:
    rig.begin()
    for event in (Stacking(), Accepting(), Rejected("optical"), Completed(CashCommand.DISABLE)):
        assert rig.tell(event) == []
    assert rig.tell(Returned(b"")) == ["proceed", "acknowledge"]


# --- a deposit that nobody leads ------------------------------------------------------------------------------------


def test_a_decided_deposit_of_an_earlier_life_closes_though_the_device_never_says_a_word(rig: Rig) -> None:
    rig.begin()
    rig.one_note()
    again = rig.restarted()
    try:
        again.desk.close_orphan()
        assert again.deposits[0].closed
        assert again.stated() == [[("CREDITED", 1, "2000 EUR")]]
    finally:
        again.journal.close()


def test_an_undecided_note_of_an_earlier_life_is_in_doubt_when_nobody_can_wait_any_longer(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    again = rig.restarted()
    try:
        again.desk.close_orphan()
        assert not again.deposits[0].closed
        again.desk.no_answer()
        assert again.stated() == [[("IN_DOUBT", 1, "2000 EUR")]]
    finally:
        again.journal.close()


def test_a_flow_that_ended_unexpectedly_leaves_a_deposit_that_closes_to_its_own_account(rig: Rig) -> None:
    first = rig.begin()
    rig.one_note()
    assert rig.desk.attended
    rig.desk.abandon()
    assert not rig.desk.attended
    assert rig.deposits[0].closed
    second = rig.open()
    rig.tell(Accepting())
    rig.escrowed()
    assert [deposit.closed for deposit in rig.deposits] == [True, False]
    assert [advice.deposit_id for advice in rig.advices()] == [first]
    assert rig.notes[-1].deposit_id == second


def test_a_second_deposit_is_not_opened_beside_the_first(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    rig.desk.abandon()
    with pytest.raises(RuntimeError, match="still open"):
        rig.open()
    rig.stacked()
    assert rig.deposits[0].closed
    rig.open()
    assert len(rig.deposits) == 2


def test_nobody_elses_deposit_begins_before_all_is_known_of_what_came_in(rig: Rig) -> None:
    """A device that was silent tells of a note when its customer has gone already: it is not the next one's."""
    rig.begin()
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    with pytest.raises(RuntimeError, match="may not all be known"):
        rig.desk.open_deposit(SessionId("next"), ACCOUNT, TAKEN, "v1")
    assert rig.escrowed() == ["disable", "return"]
    rig.tell(Shut())
    rig.desk.open_deposit(SessionId("next"), ACCOUNT, TAKEN, "v1")
    assert rig.notes == []


def test_that_the_slot_was_shut_while_it_was_somebodys_is_not_enough_for_the_next_one(rig: Rig) -> None:
    rig.begin()
    rig.tell(Shut())
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    with pytest.raises(RuntimeError, match="may not all be known"):
        rig.desk.open_deposit(SessionId("next"), ACCOUNT, TAKEN, "v1")


def test_a_slot_that_did_not_hear_that_it_is_to_be_shut_is_told_again(rig: Rig) -> None:
    rig.begin()
    disabled = Completed(CashCommand.DISABLE, Refusal.NO_ANSWER)
    assert rig.tell(disabled) == [], "it is open for somebody"
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    assert rig.tell(disabled) == ["disable"]


# --- what takes too long --------------------------------------------------------------------------------------------


def test_a_note_that_nobody_takes_back_is_the_customers_and_does_not_hold_the_deposit(rig: Rig) -> None:
    rig.begin()
    rig.one_note()
    rig.desk.accept()
    rig.escrowed()
    rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)
    assert rig.does(rig.desk.not_taken) == ["PresentedNotTaken", "NoteReturned", "Incident"]
    assert (rig.desk.view.ready, rig.desk.view.fault, rig.desk.undecided) == (False, "note-not-taken", False)
    assert rig.notes[-1].presented
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    assert rig.stated() == [[("CREDITED", 1, "2000 EUR"), ("RETURNED", 1, "2000 EUR")]]
    assert rig.returned() == ["proceed", "acknowledge"], "somebody took it after all"
    rig.cleared(8)
    assert (rig.desk.view.ready, rig.desk.view.fault) == (True, "")


def test_a_rejected_note_that_nobody_takes_is_an_incident_and_no_story(rig: Rig) -> None:
    rig.begin()
    rig.tell(Rejected("length"))
    assert rig.does(rig.desk.not_taken) == ["Incident"]
    assert rig.notes == []
    assert rig.does(lambda: rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE))[-1] == "DepositClosed"


def test_a_note_that_was_not_taken_and_went_into_the_box_after_all_is_found(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)
    rig.desk.not_taken()
    rig.stacked()
    assert rig.phases == [NotePhase.RETURNED, NotePhase.FOUND]


def test_a_movement_without_an_end_is_in_doubt_until_the_event_comes(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    rig.tell(Stacking())
    assert rig.does(rig.desk.stuck)[:2] == ["Incident", "Incident"]
    assert rig.phases == [NotePhase.IN_DOUBT]
    assert rig.desk.view.fault == "movement-stuck"
    rig.stacked()
    assert rig.phases == [NotePhase.ACK_SENT]
    rig.cleared(8)
    assert rig.desk.view.ready
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    assert rig.stated() == [[("IN_DOUBT", 1, "2000 EUR"), ("CREDITED", 2, "2000 EUR")]]


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


def test_a_device_that_finds_and_finds_fills_as_many_advices_as_it_needs(rig: Rig) -> None:
    rig.begin()
    for _ in range(MAX_NOTES_PER_ADVICE + 1):
        rig.tell(Accepting())
        rig.stacked(TEN)
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    assert [len(advice.notes) for advice in rig.advices()] == [MAX_NOTES_PER_ADVICE, 1]
    told = [note.note_id for advice in rig.advices() for note in advice.notes]
    assert told == [note.note_id for note in rig.notes]


def test_a_journal_that_has_failed_is_not_tried_again_at_every_event(rig: Rig) -> None:
    """Each try would tell the device to shut its slot, and the device would answer, and so on."""
    rig.begin()
    rig.one_note()
    rig.fails()
    rig.tell(Accepting())
    rig.escrowed()
    rig.desk.abandon()
    for _ in range(3):
        assert rig.tell(Completed(CashCommand.DISABLE)) == []
        assert rig.tell(Completed(CashCommand.RETURN, Refusal.NO_NOTE_IN_ESCROW)) == []


def test_a_note_whose_stacking_could_not_be_recorded_is_an_inquiry_and_never_nothing(rig: Rig) -> None:
    rig.begin()
    rig.tell(Accepting())
    rig.escrowed()
    rig.desk.take()
    rig.fails()
    rig.stacked()
    paper = summarise(rig.deposits[0], rig.notes, None)
    assert [(str(inquiry.value), inquiry.interrupted) for inquiry in paper.inquiries] == [("20.00 EUR", True)]
