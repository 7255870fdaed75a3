"""The cash desk: devices that stop, are silent or take too long, and a journal that fails."""

from __future__ import annotations

import pytest

from drivers.api.cash import (
    Accepting,
    CashCommand,
    Completed,
    Lost,
    Presence,
    Refusal,
    Rejected,
    Returned,
    Stacking,
    Trouble,
    TroubleKind,
)
from guichet.ids import SessionId
from guichet.v1 import customer_pb2
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import NotePhase
from kiosk.terminal.paper import summarise
from tests.kiosk.terminal.standing import (
    TEN,
    TWENTY,
    Rig,
    euros,
    identity,
)

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
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    rig.ready()
    assert rig.desk.view.ready


@pytest.mark.parametrize("kind", [TroubleKind.BOX_REMOVED, TroubleKind.BOX_FULL])
def test_a_note_in_escrow_goes_back_when_the_device_takes_no_more(rig: Rig, kind: TroubleKind) -> None:
    rig.begin()
    rig.escrowed()
    assert rig.tell(Trouble(kind)) == ["Incident", "ReturnIntended", "return"]
    assert rig.phases == [NotePhase.RETURN_INTENDED]


@pytest.mark.parametrize("kind", [TroubleKind.BOX_REMOVED, TroubleKind.BOX_FULL])
def test_a_note_that_is_being_stacked_is_left_alone_when_the_device_takes_no_more(rig: Rig, kind: TroubleKind) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    assert rig.tell(Trouble(kind)) == ["Incident"]
    assert rig.phases == [NotePhase.STACK_INTENDED]


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


def test_what_befalls_the_device_after_a_note_is_done_with_is_not_about_that_note(rig: Rig) -> None:
    rig.begin()
    rig.one_note(TWENTY)
    rig.tell(Trouble(TroubleKind.JAM, "head"))
    told = {fact.code: fact.note_id for fact in rig.records("Incident") if isinstance(fact, pb.Incident)}
    assert told == {"jam-head": "", "none-jammed": ""}
