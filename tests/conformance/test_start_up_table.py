"""Each cell of the start-up table, by what leads to it: the terminal dies, something happens, the next life decides."""

from __future__ import annotations

import pytest

from kiosk.journal.folds import NotePhase
from kiosk.terminal.count_check import REPEAT_UNPROVED
from tests.conformance.cases import each_row
from tests.conformance.results import cell
from tests.conformance.rows import CREDITED, IN_DOUBT, UNDECIDED, Row, Then
from tests.conformance.subject import Subject
from tests.start_up_table import CELLS


@pytest.mark.parametrize("then", Then, ids=lambda then: then.value)
@each_row()
def test_a_death_and_what_happens_then_lose_and_double_nothing(subject: Subject, row: Row, then: Then) -> None:
    """A doubt without a reason is a failure, and so is a reason that nothing bears out."""
    result = cell(subject, row, then)
    if row in CREDITED:
        assert result.word() == "credited", "nothing takes a credit away"
        return
    if row is Row.NO_NOTE:
        known = result.another and not subject.hides(row, then)
        assert result.phase is (NotePhase.FOUND if known else None)
    assert result.was_in_doubt is (row in IN_DOUBT or subject.doubt(row, then) != ""), result
    if row in UNDECIDED and not result.was_in_doubt:
        in_box = result.in_box or subject.mistakes(row, then)
        assert result.phase is (NotePhase.CLEARED if in_box else NotePhase.RETURNED)


def test_every_cell_is_reached_but_those_to_which_no_such_device_comes(subject: Subject) -> None:
    if not subject.truthful:
        pytest.skip(f"{subject.name}: its events are not always true")
    cells = [cell(subject, row, then) for row in Row if subject.has(row) for then in Then]
    reached = frozenset[str]().union(*(result.reached for result in cells))
    reasons = [cell for reason in subject.never for cell in reason.cells]
    assert len(set(reasons)) == len(reasons), "two reasons for one cell"
    unreached = set(CELLS) - reached
    assert sorted(unreached - set(reasons)) == [], "never reached, and no never(why, ...) of the subject says why"
    assert sorted(set(reasons) - unreached) == [], "reached, though a never(why, ...) of the subject says it is not"


def test_what_nobody_can_tell_apart_has_a_person_look_where_anything_is_odd(subject: Subject) -> None:
    """After an acknowledgement that may not have arrived, a repeat is what is to be expected."""
    for row in (Row.NO_NOTE, Row.CLEARED):
        for then in (Then.ANOTHER_STACKED, Then.ONE_MORE_STACKED):
            if subject.hides(row, then):
                assert REPEAT_UNPROVED in cell(subject, row, then).incidents
