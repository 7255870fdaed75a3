"""Each cell of the start-up table, by what leads to it: the terminal dies, something happens, the next life decides."""

from __future__ import annotations

import pytest

from kiosk.journal.folds import NotePhase
from tests.conformance.cases import each_row
from tests.conformance.cells import EVENTS, Event
from tests.conformance.results import cell
from tests.conformance.rows import Row
from tests.conformance.subject import Subject


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
@each_row()
def test_a_death_and_what_happens_then_lose_and_double_nothing(subject: Subject, row: Row, event: Event) -> None:
    result = cell(subject, row, event)
    if row in (Row.STACKED, Row.ACK_SENT, Row.CLEARED):
        assert result.word() == "credited", "nothing takes a credit away"
    if row is Row.NO_NOTE:
        falls = result.in_box and not subject.escrow  # A coin that the device let in by itself.
        assert result.phase is (NotePhase.FOUND if falls else None)
    ambiguous = (row, event.name) in subject.ambiguous
    if (event.powered and not ambiguous) or (event.certain and subject.certain):
        assert not result.was_in_doubt, result
        assert result.phase in (None, NotePhase.CLEARED, NotePhase.RETURNED)
        assert (result.phase is NotePhase.CLEARED) is result.in_box
