"""Which box a note lies in, by the journal: its own, or also the next one where it was undecided at the exchange."""

from __future__ import annotations

import pytest

from drivers.api.cash import TroubleKind
from guichet.ids import TerminalId
from guichet.journal.records import Fact, decode, encode
from guichet.v1 import journal_pb2 as pb
from host.claims.periods import BOX_REMOVED, Periods

FIRST = pb.BoxPeriodOpened(box_period_id="p0", device_serial="S-1")
SECOND = pb.BoxPeriodOpened(box_period_id="p1", device_serial="S-1")
THIRD = pb.BoxPeriodOpened(box_period_id="p2", device_serial="S-1")
OTHER_HEAD = pb.BoxPeriodOpened(box_period_id="p1", device_serial="S-2")
ESCROWED = pb.NoteEscrowed(note_id="n", deposit_id="d", device_serial="S-1")
NEXT_NOTE = pb.NoteEscrowed(note_id="m", deposit_id="d", device_serial="S-1")
IN_DOUBT = pb.NoteInDoubt(note_id="n", outcome_number=1, presence=pb.DEVICE_PRESENCE_JAMMED)
GONE = pb.NoteInDoubt(note_id="n", outcome_number=1, presence=pb.DEVICE_PRESENCE_PATH_EMPTY)
STACKED = pb.NoteStacked(note_id="n", outcome_number=1)
STACKED_AFTER_ALL = pb.NoteStacked(note_id="n", outcome_number=2)
RETURNED = pb.NoteReturned(note_id="n", outcome_number=1)
REMOVED = pb.Incident(code="box-removed", device="cash")
EMPTY = pb.DeviceAnswered(device="cash", presence=pb.DEVICE_PRESENCE_PATH_EMPTY)
MOVING = pb.DeviceAnswered(device="cash", presence=pb.DEVICE_PRESENCE_MOVING)
ACCEPTING = pb.AcceptanceOpened(deposit_id="d")
OWN, BOTH = {"p0"}, {"p0", "p1"}


def told(*facts: Fact) -> Periods:
    """The journal of these facts, a second apart by the terminal's clock."""
    periods = Periods()
    for second, fact in enumerate(facts, start=1):
        periods.add([decode(encode(TerminalId("T-1"), second * 1_000_000, fact))])
    return periods


@pytest.mark.parametrize(
    ("facts", "candidates"),
    [
        ((ESCROWED, SECOND, IN_DOUBT), BOTH),
        ((ESCROWED, IN_DOUBT, SECOND), BOTH),
        ((ESCROWED, IN_DOUBT, REMOVED, SECOND), BOTH),
        ((ESCROWED, IN_DOUBT, MOVING, SECOND), BOTH),
        ((ESCROWED, REMOVED, GONE, SECOND), BOTH),
        ((ESCROWED, IN_DOUBT, REMOVED, EMPTY, SECOND), BOTH),
        ((ESCROWED, GONE, SECOND), OWN),
        ((ESCROWED, IN_DOUBT, EMPTY, SECOND), BOTH),
        ((ESCROWED, IN_DOUBT, EMPTY, REMOVED, SECOND), BOTH),
        ((ESCROWED, IN_DOUBT, EMPTY, ACCEPTING, SECOND), OWN),
        ((ESCROWED, IN_DOUBT, ACCEPTING, REMOVED, SECOND), OWN),
        ((ESCROWED, IN_DOUBT, NEXT_NOTE, SECOND), OWN),
        ((ESCROWED, STACKED, SECOND), OWN),
        ((ESCROWED, STACKED, REMOVED, SECOND), OWN),
        ((ESCROWED, REMOVED, STACKED, SECOND), BOTH),
        ((ESCROWED, IN_DOUBT, REMOVED, STACKED_AFTER_ALL, SECOND), BOTH),
        ((ESCROWED, REMOVED, IN_DOUBT, EMPTY, STACKED_AFTER_ALL, EMPTY, SECOND, THIRD), BOTH),
        ((ESCROWED, REMOVED, STACKED, OTHER_HEAD), OWN),
        ((ESCROWED, GONE, REMOVED, STACKED_AFTER_ALL, SECOND), OWN),
        ((REMOVED, SECOND, ESCROWED, STACKED, THIRD), OWN),
        ((ESCROWED, RETURNED, SECOND), OWN),
        ((ESCROWED, IN_DOUBT, OTHER_HEAD), OWN),
        ((ESCROWED, IN_DOUBT), OWN),
        ((ESCROWED, IN_DOUBT, SECOND, THIRD), BOTH),
        ((ESCROWED, SECOND, THIRD, IN_DOUBT), {"p0", "p1", "p2"}),
    ],
)
def test_a_note_may_lie_in_the_next_box_if_it_was_under_way_when_its_own_left(
    facts: tuple[Fact, ...], candidates: set[str]
) -> None:
    assert told(FIRST, *facts).candidates("n", "p0") == candidates


def test_a_period_ends_where_the_next_begins() -> None:
    periods = told(FIRST, ESCROWED, STACKED, SECOND)
    first, second = periods.found.values()
    assert (first.opened_at_us, first.ended_at_us) == (1_000_000, 4_000_000)
    assert (second.box_period_id, second.ended_at_us) == ("p1", None)
    assert [periods.ordinal(name) for name in ("p0", "p1")] == [0, 1]


@pytest.mark.parametrize(
    ("facts", "joined"),
    [
        ((REMOVED, SECOND), set[str]()),
        ((SECOND,), {"p0", "p1"}),
        ((OTHER_HEAD,), {"p0", "p1"}),
        ((REMOVED, SECOND, THIRD), {"p1", "p2"}),
        ((SECOND, REMOVED, THIRD), {"p0", "p1"}),
        ((SECOND, THIRD), {"p0", "p1", "p2"}),
        ((), set[str]()),
    ],
)
def test_periods_are_joined_where_no_box_was_seen_to_leave_between_them(
    facts: tuple[Fact, ...], joined: set[str]
) -> None:
    assert told(FIRST, *facts).joined() == joined


def test_terminal_and_host_call_a_box_that_left_by_one_word() -> None:
    assert TroubleKind.BOX_REMOVED.value == BOX_REMOVED
