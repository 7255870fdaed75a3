"""A stacked event that the device holds when it comes back: the last note's own again, or of one more of its kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drivers.api.cash import Accepting, CashCapabilities, Lost, Presence, Stacked
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import COUNTER_DISAGREES, NotePhase
from kiosk.terminal.count_check import REPEAT_UNPROVED
from tests.kiosk.terminal.standing import OTHER_SERIAL, SERIAL, TEN, TWENTY, VALUES, Rig, identity

BASELINE, CLEARED_AT = 7, 8


@pytest.fixture
def again(rig: Rig) -> Iterator[Rig]:
    """The next life of a terminal whose last note is in the box, acknowledged and done with."""
    rig.begin(BASELINE)
    rig.one_note(TWENTY, CLEARED_AT)
    rig.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
    next_life = rig.restarted()
    yield next_life
    next_life.journal.close()


def incidents(rig: Rig) -> list[str]:
    return [fact.code for fact in rig.records("Incident") if isinstance(fact, pb.Incident)]


def test_where_the_count_has_gone_on_by_one_the_event_was_of_another_note_which_is_found(again: Rig) -> None:
    again.answered(Presence.STACKED, TWENTY)
    assert again.phases == [NotePhase.CLEARED], "nobody can know yet"
    again.ready(CLEARED_AT + 1)
    assert again.phases == [NotePhase.CLEARED, NotePhase.FOUND]
    assert (again.notes[1].value, again.notes[1].device_serial) == (VALUES[TWENTY], SERIAL)
    assert (incidents(again), again.desk.view.ready) == ([], True)
    assert again.stated()[-1] == [("FOUND", 1, "2000 EUR")]


def test_an_event_that_the_device_tells_only_as_it_initialises_is_looked_at_alike(again: Rig) -> None:
    again.answered(Presence.PATH_EMPTY, who=identity())
    again.stacked(TWENTY)
    again.ready(CLEARED_AT + 1)
    assert again.phases == [NotePhase.CLEARED, NotePhase.FOUND]


def test_where_the_count_has_not_gone_on_it_was_the_last_notes_own(again: Rig) -> None:
    again.answered(Presence.STACKED, TWENTY)
    again.ready(CLEARED_AT)
    assert again.phases == [NotePhase.CLEARED]
    assert (incidents(again), again.desk.view.ready) == ([], True)


def test_where_nothing_is_counted_a_person_looks(again: Rig) -> None:
    again.answered(Presence.STACKED, TWENTY)
    again.ready(None)
    assert again.phases == [NotePhase.CLEARED]
    assert (incidents(again), again.desk.view.ready) == ([REPEAT_UNPROVED], True)
    again.ready(None)
    assert incidents(again) == [REPEAT_UNPROVED], "once for each time that the device came back"


@pytest.mark.parametrize("presence", [Presence.STACKED, Presence.PATH_EMPTY])
def test_more_than_the_events_account_for_stops_the_device_until_somebody_has_counted(
    again: Rig, presence: Presence
) -> None:
    again.answered(presence, TWENTY if presence is Presence.STACKED else None)
    again.ready(CLEARED_AT + (2 if presence is Presence.STACKED else 1))
    assert again.phases == [NotePhase.CLEARED]
    assert (incidents(again), again.desk.view.fault) == ([COUNTER_DISAGREES], COUNTER_DISAGREES)


@pytest.mark.parametrize("counter", [0, 3])
def test_a_count_that_has_begun_anew_says_nothing_of_what_came_after_the_last_note(again: Rig, counter: int) -> None:
    again.answered(Presence.PATH_EMPTY, who=identity())
    again.ready(counter)
    assert (incidents(again), again.desk.view.ready) == ([], True)


def test_an_event_of_a_device_that_only_says_later_that_it_is_another_is_found_in_its_own_box(again: Rig) -> None:
    again.answered(Presence.STACKED, TWENTY)
    again.ready(3, OTHER_SERIAL)
    (last, found) = again.notes
    assert (last.phase, last.device_serial) == (NotePhase.CLEARED, SERIAL)
    assert (found.phase, found.value, found.device_serial) == (NotePhase.FOUND, VALUES[TWENTY], OTHER_SERIAL)
    assert found.box_period_id != last.box_period_id
    assert len(again.records("BoxPeriodOpened")) == 2


def test_what_a_device_said_before_it_was_lost_again_is_not_forgotten(again: Rig) -> None:
    again.answered(Presence.STACKED, TWENTY)
    again.tell(Lost("silent"))
    again.answered(Presence.PATH_EMPTY, who=identity())
    again.ready(CLEARED_AT + 1)
    assert again.phases == [NotePhase.CLEARED, NotePhase.FOUND]
    assert (incidents(again), again.desk.view.ready) == ([], True)


def test_what_a_device_said_to_a_terminal_that_died_before_the_count_stops_the_next_note(again: Rig) -> None:
    again.answered(Presence.STACKED, TWENTY)
    third = again.restarted()
    try:
        third.answered(Presence.PATH_EMPTY, who=identity())
        third.ready(CLEARED_AT + 1)
        assert third.phases == [NotePhase.CLEARED]
        assert (incidents(third), third.desk.view.ready) == ([COUNTER_DISAGREES], False)
    finally:
        third.journal.close()


def test_a_device_that_never_counts_has_a_person_look_before_its_event_is_let_go(again: Rig) -> None:
    again.cash.capabilities = CashCapabilities(counter_modulus=None)
    assert again.answered(Presence.STACKED, TWENTY)[:3] == ["DeviceAnswered", "Incident", "acknowledge"]
    again.stacked(TWENTY)
    again.tell(Lost("silent"))
    again.answered(Presence.STACKED, TWENTY)
    again.ready(None)
    assert (incidents(again), again.desk.view.ready) == ([REPEAT_UNPROVED], True)


def test_a_find_that_is_told_again_is_no_other_note_and_says_nothing_of_the_next_one(again: Rig) -> None:
    again.answered(Presence.STACKED, TEN)
    third = again.restarted()
    try:
        third.answered(Presence.STACKED, TEN)
        third.ready(CLEARED_AT + 1)
        assert third.phases == [NotePhase.CLEARED, NotePhase.FOUND]
        assert incidents(third) == ["none-stacked"]
        third.open()
        third.one_note(TWENTY, CLEARED_AT + 3)
        assert third.phases == [NotePhase.CLEARED, NotePhase.FOUND, NotePhase.CLEARED]
        assert incidents(third) == ["none-stacked", COUNTER_DISAGREES]
    finally:
        third.journal.close()


def test_an_event_that_is_told_again_while_the_terminal_lives_accounts_for_no_second_note(rig: Rig) -> None:
    rig.begin(BASELINE)
    rig.tell(Accepting())
    rig.escrowed(TWENTY)
    rig.desk.take()
    rig.stacked(TWENTY)
    rig.stacked(TWENTY)
    rig.cleared(CLEARED_AT + 1)
    assert rig.phases == [NotePhase.CLEARED]
    assert incidents(rig) == [COUNTER_DISAGREES]


@pytest.mark.parametrize(
    ("kind", "counted", "odd"),
    [(TWENTY, CLEARED_AT + 1, []), (TEN, CLEARED_AT + 1, ["stacked-stacked"]), (TWENTY, CLEARED_AT, [])],
)
def test_a_note_that_was_acknowledged_and_not_yet_done_with_is_one_and_the_event_may_be_another(
    rig: Rig, kind: int, counted: int, odd: list[str]
) -> None:
    rig.begin(BASELINE)
    rig.tell(Accepting())
    rig.escrowed(TWENTY)
    rig.desk.take()
    rig.stacked(TWENTY)
    again = rig.restarted()
    try:
        again.answered(Presence.STACKED, kind)
        again.tell(Stacked(kind, VALUES[kind], b"stacked"))
        again.ready(counted)
        found = [VALUES[kind]] if counted > CLEARED_AT else []
        assert [note.value for note in again.notes if note.phase is NotePhase.FOUND] == found
        assert again.phases[0] is NotePhase.CLEARED
        assert (incidents(again), again.desk.view.ready) == (odd, True)
    finally:
        again.journal.close()


def test_the_event_that_credits_a_note_accounts_for_no_second_one(rig: Rig) -> None:
    rig.begin(BASELINE)
    rig.tell(Accepting())
    rig.escrowed(TWENTY)
    rig.desk.take()
    again = rig.restarted()
    try:
        again.answered(Presence.STACKED, TWENTY)
        again.ready(CLEARED_AT + 1)
        assert again.phases == [NotePhase.CLEARED]
        assert incidents(again) == [COUNTER_DISAGREES]
    finally:
        again.journal.close()


def test_a_repeat_is_what_is_to_be_expected_of_a_note_that_is_not_done_with(rig: Rig) -> None:
    rig.begin(None)
    rig.tell(Accepting())
    rig.escrowed(TWENTY)
    rig.desk.take()
    rig.stacked(TWENTY)
    again = rig.restarted()
    try:
        again.cash.capabilities = CashCapabilities(counter_modulus=None)
        again.answered(Presence.STACKED, TWENTY)
        again.ready(None)
        assert again.phases == [NotePhase.CLEARED]
        assert incidents(again) == []
    finally:
        again.journal.close()
