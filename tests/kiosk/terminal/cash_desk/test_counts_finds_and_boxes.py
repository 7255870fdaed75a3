"""The cash desk: what a device's count decides, what is found in a box, and where the period of a box begins."""

from __future__ import annotations

import pytest

from drivers.api.cash import (
    Accepting,
    Lost,
    Presence,
    Trouble,
    TroubleKind,
)
from guichet.ids import DeviceSerial
from guichet.journal.records import decode
from guichet.limits import MAX_NOTES_PER_ADVICE
from guichet.v1 import journal_pb2 as pb
from host.claims.periods import Periods
from kiosk.journal.folds import COUNTER_DISAGREES, NotePhase
from kiosk.terminal.cash_desk import NOT_TAKEN, STUCK
from kiosk.terminal.paper import summarise
from tests.kiosk.terminal.standing import (
    DOLLARS,
    OTHER_SERIAL,
    SERIAL,
    TEN,
    TWENTY,
    VALUES,
    Rig,
    euros,
    identity,
)

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


def test_a_count_of_0_after_a_power_cut_is_no_proof_that_nothing_was_stacked(rig: Rig) -> None:
    """The counter may have begun anew with the device, and the first note of all lie in the box."""
    rig.begin(counter=0)
    rig.escrowed()
    rig.desk.take()
    again = rig.restarted()
    try:
        again.answered(Presence.PATH_EMPTY, counter=0, who=identity())
        assert again.phases == [NotePhase.IN_DOUBT]
    finally:
        again.journal.close()


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


def test_a_device_that_finds_and_finds_fills_as_many_advices_as_it_needs(rig: Rig) -> None:
    rig.begin()
    for _ in range(MAX_NOTES_PER_ADVICE + 1):
        rig.tell(Accepting())
        rig.stacked(TEN)
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    assert [len(advice.notes) for advice in rig.advices()] == [MAX_NOTES_PER_ADVICE, 1]
    told = [note.note_id for advice in rig.advices() for note in advice.notes]
    assert told == [note.note_id for note in rig.notes]


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


def test_no_period_begins_while_the_box_is_out(rig: Rig) -> None:
    """Else one begins with no box at all, and what the head pushes into the next box seems to be none of its."""
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    rig.tell(Trouble(TroubleKind.BOX_REMOVED))
    rig.does(rig.desk.no_answer)
    assert "BoxPeriodOpened" not in rig.does(lambda: rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE))
    again = rig.restarted()
    try:
        assert "BoxPeriodOpened" not in again.answered(Presence.MOVING, counter=7)
        again.tell(Trouble(TroubleKind.BOX_REMOVED))
        again.stacked()
        assert again.ready(8).count("BoxPeriodOpened") == 1
        periods = Periods()
        periods.add(decode(entry.record) for entry in again.journal.entries(1))
        (note,) = again.notes
        assert periods.candidates(note.note_id, note.box_period_id) == set(periods.found)
        assert [period.exchanged for period in periods.found.values()] == [True, False]
    finally:
        again.journal.close()


def test_the_period_of_an_open_deposit_is_not_changed_under_it(rig: Rig) -> None:
    rig.begin()
    rig.one_note()
    rig.tell(Trouble(TroubleKind.BOX_REMOVED))
    assert "BoxPeriodOpened" not in rig.ready()
    closed = rig.does(lambda: rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE))
    assert closed == ["disable", "DepositClosed", "AdviceSigned", "BoxPeriodOpened"]
    assert (rig.desk.view.ready, rig.desk.view.fault) == (True, "")


@pytest.mark.parametrize("serial", [SERIAL, OTHER_SERIAL], ids=["another box", "another device"])
def test_no_note_goes_into_another_box_than_its_deposits(rig: Rig, serial: DeviceSerial) -> None:
    """A flow may look away for the moment in which they are exchanged, while it waits for the host."""
    rig.begin()
    rig.one_note()
    if serial == SERIAL:
        rig.tell(Trouble(TroubleKind.BOX_REMOVED))
    rig.ready(8, serial)
    assert (rig.desk.view.ready, rig.desk.view.fault) == (False, "box-exchanged")
    assert rig.does(rig.desk.accept) == []
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    rig.open()
    assert rig.deposits[0].box_period_id != rig.deposits[-1].box_period_id


def test_a_note_that_comes_into_escrow_when_the_box_was_out_goes_back(rig: Rig) -> None:
    """It was drawn in as the box was pulled; by the time that it would be stacked, another one is in."""
    rig.begin()
    rig.tell(Accepting())
    rig.tell(Trouble(TroubleKind.BOX_REMOVED))
    rig.tell(Trouble(TroubleKind.BOX_REMOVED, over=True))
    assert rig.escrowed()[-2:] == ["ReturnIntended", "return"]


def test_a_count_that_is_due_is_over_with_the_deposit_in_which_the_box_was_exchanged(rig: Rig) -> None:
    rig.begin()
    rig.escrowed()
    rig.desk.take()
    rig.stacked()
    rig.cleared(7)
    assert rig.desk.view.fault == "counter-disagrees"
    rig.tell(Trouble(TroubleKind.BOX_REMOVED))
    rig.ready(8)
    assert rig.desk.view.fault == "box-exchanged"
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    assert (rig.desk.view.ready, rig.desk.view.fault) == (True, "")


# --- a box that was exchanged unseen ----------------------------------------------------------------------------------


def periods(rig: Rig) -> int:
    return len(rig.records("BoxPeriodOpened"))


def test_a_box_that_was_exchanged_unseen_begins_a_period_when_somebody_says_so(rig: Rig) -> None:
    rig.begin()
    rig.one_note()
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    told = rig.does(lambda: rig.desk.box_was_exchanged("exchanged unseen, says Eva"))
    assert told == ["Incident", "BoxPeriodOpened"]
    assert (periods(rig), rig.desk.view.ready) == (2, True)


def test_it_is_not_said_in_mid_deposit_nor_with_a_note_inside(rig: Rig) -> None:
    rig.begin()
    assert not rig.desk.box_was_exchanged("Eva")
    rig.escrowed()
    rig.desk.take()
    rig.stacked()
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    assert rig.journal.fold.open_deposit is None
    assert not rig.desk.box_was_exchanged("Eva"), "the last note is not known to be done with"
    assert (periods(rig), rig.records("Incident")) == (1, [])
    rig.cleared()
    assert rig.desk.box_was_exchanged("Eva")
    assert periods(rig) == 2


def test_where_the_device_is_away_the_period_begins_when_it_is_back(rig: Rig) -> None:
    rig.begin()
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    rig.tell(Lost("silent"))
    assert rig.desk.box_was_exchanged("Eva")
    assert periods(rig) == 1
    rig.ready()
    assert (periods(rig), rig.desk.view.ready) == (2, True)


def test_an_exchange_that_was_not_seen_also_ends_a_disagreement_of_the_count(rig: Rig) -> None:
    rig.begin(7)
    rig.one_note(counter=9)
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    assert rig.desk.view.fault == COUNTER_DISAGREES
    assert rig.desk.box_was_exchanged("Eva")
    assert (periods(rig), rig.desk.view.ready, rig.desk.view.fault) == (2, True, "")


@pytest.mark.parametrize("fault", [NOT_TAKEN, STUCK])
def test_a_mouth_that_is_emptied_afterwards_begins_the_period_too(rig: Rig, fault: str) -> None:
    """What comes in next lies in the new box."""
    rig.begin()
    rig.one_note()
    if fault == NOT_TAKEN:
        rig.escrowed()
        rig.desk.give_back(pb.RETURN_REASON_CUSTOMER)
        rig.desk.not_taken()
    else:
        rig.tell(Accepting())
        rig.desk.stuck()
    rig.desk.close_deposit(pb.DEPOSIT_END_DEVICE)
    assert rig.desk.view.fault == fault
    assert rig.desk.box_was_exchanged("Eva")
    rig.cleared(8)
    assert (periods(rig), rig.desk.view.ready, rig.desk.view.fault) == (2, True, "")
