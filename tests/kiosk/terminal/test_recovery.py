"""The start-up table, cell by cell, as the design prints it; and that there is no situation without a cell."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from drivers.api.cash import Presence
from kiosk.terminal.recovery import Action, Count, Decision, LastRecord, Outcome, Situation, decide

# outcome / action, an exclamation mark for an incident. A cell with "|" is "same type|another type".
COLUMNS = (
    Presence.PATH_EMPTY, Presence.IN_ESCROW, Presence.RETURNABLE, Presence.OTHER_NOTE, Presence.MOVING,
    Presence.STACKED, Presence.JAMMED, Presence.OTHER_DEVICE, Presence.NO_ANSWER,
    Presence.FORGOTTEN,
)  # fmt: skip
TABLE = {
    # path empty, in escrow, returnable, another note, moving / past no return, stacked event, jam, other serial number,
    # no answer, memory lost
    LastRecord.NONE:
        "- proceed, - return, - proceed, - return, - finish, - acknowledge|found acknowledge!, - stop!, - proceed,"
        "- ask, - proceed",
    LastRecord.ESCROWED:
        "returned proceed, ? return, returned proceed, returned return!, doubt finish!,"
        "credited acknowledge!|doubt acknowledge!,"
        "doubt stop!, doubt proceed!, doubt ask!, doubt proceed!",
    LastRecord.RETURN_INTENDED:
        "counter, ? return, returned proceed, beside, doubt finish!, doubt acknowledge!,"
        "doubt stop!, doubt proceed!, doubt ask!, doubt proceed!",
    LastRecord.STACK_INTENDED:
        "counter, ? return, returned proceed, beside, ? finish, credited acknowledge|doubt acknowledge!,"
        "doubt stop!, doubt proceed!, doubt ask!, doubt proceed!",
    LastRecord.STACKED:
        "- proceed, - return, - proceed!, - return, - finish, - acknowledge, - stop!, - proceed, - ask, - proceed",
    LastRecord.IN_DOUBT:
        "counter, - return, - proceed!, - return, - finish, credited acknowledge|- acknowledge!, - stop, - proceed,"
        "- ask,"
        "- proceed",
}  # fmt: skip
BY_COUNTER = {
    # A note for which STACK was intended before: it seemed to come to nothing, and the counter says otherwise.
    LastRecord.RETURN_INTENDED: {
        Count.UNKNOWN: "returned proceed",
        Count.SAME: "returned proceed",
        Count.ONE_MORE: "doubt proceed!",
        Count.OTHER: "doubt proceed!",
    },
    LastRecord.STACK_INTENDED: {
        Count.UNKNOWN: "doubt proceed",
        Count.SAME: "returned proceed",
        Count.ONE_MORE: "credited proceed",
        Count.OTHER: "doubt proceed!",
    },
    LastRecord.IN_DOUBT: {
        Count.UNKNOWN: "- proceed",
        Count.SAME: "returned proceed",
        Count.ONE_MORE: "credited proceed",
        Count.OTHER: "- proceed",
    },
}
OUTCOMES = {
    "-": Outcome.UNCHANGED,
    "?": Outcome.UNDECIDED,
    "credited": Outcome.CREDITED,
    "returned": Outcome.RETURNED,
    "doubt": Outcome.IN_DOUBT,
    "found": Outcome.FOUND,
}
ACTIONS = {
    "proceed": Action.PROCEED,
    "return": Action.RETURN,
    "finish": Action.FINISH,
    "acknowledge": Action.ACKNOWLEDGE,
    "stop": Action.STOP,
    "ask": Action.ASK_AGAIN,
}
SITUATIONS = [Situation(*parts) for parts in product(LastRecord, Presence, (True, False), Count)]


def expected(situation: Situation) -> Decision:
    cells = [cell.strip() for cell in TABLE[situation.last].split(",")]
    cell = cells[COLUMNS.index(situation.presence)]
    if cell == "counter":
        cell = BY_COUNTER[situation.last][situation.count]
    if cell == "beside":  # The path is empty of ours, and the other note goes back.
        cell = BY_COUNTER[situation.last][situation.count].replace(" proceed", " return").rstrip("!") + "!"
    if "|" in cell:
        cell = cell.split("|")[0 if situation.same_type else 1]
    outcome, action = cell.rstrip("!").split()
    return Decision(OUTCOMES[outcome], ACTIONS[action], incident=cell.endswith("!"))


def name(situation: Situation) -> str:
    kind = "same" if situation.same_type else "other"
    return f"{situation.last.name}-{situation.presence.name}-{kind}-{situation.count.name}"


@pytest.mark.parametrize("situation", SITUATIONS, ids=name)
def test_every_cell_is_that_of_the_design(situation: Situation) -> None:
    assert decide(situation) == expected(situation)


def test_the_table_is_whole() -> None:
    assert set(TABLE) == set(LastRecord)
    assert set(COLUMNS) == set(Presence)
    assert all(len(row.split(",")) == len(COLUMNS) for row in TABLE.values())
    assert len(SITUATIONS) == 6 * 10 * 2 * 4


def test_nothing_ever_takes_a_credit_away() -> None:
    outcomes = {decide(situation).outcome for situation in SITUATIONS if situation.last is LastRecord.STACKED}
    assert outcomes == {Outcome.UNCHANGED}


def test_credit_needs_an_event_of_the_notes_own_type_or_a_count_of_one_more() -> None:
    for situation in SITUATIONS:
        if decide(situation).outcome is Outcome.CREDITED:
            by_event = situation.presence is Presence.STACKED and situation.same_type
            empty_of_ours = situation.presence in (Presence.PATH_EMPTY, Presence.OTHER_NOTE)
            by_count = empty_of_ours and situation.count is Count.ONE_MORE
            assert by_event or by_count, situation


def test_what_lies_in_escrow_is_never_decided_but_given_back() -> None:
    for situation in SITUATIONS:
        if situation.presence is Presence.IN_ESCROW:
            decision = decide(situation)
            assert decision.action is Action.RETURN
            assert decision.outcome in (Outcome.UNCHANGED, Outcome.UNDECIDED)


def test_another_note_in_escrow_is_given_back_and_never_taken_for_the_one_on_record() -> None:
    for situation in SITUATIONS:
        if situation.presence is Presence.OTHER_NOTE:
            decision, empty = decide(situation), decide(replace(situation, presence=Presence.PATH_EMPTY))
            assert decision.action is Action.RETURN
            assert decision.outcome in (empty.outcome, Outcome.UNCHANGED)


def test_a_stacked_event_is_always_acknowledged_and_nothing_else_is() -> None:
    for situation in SITUATIONS:
        acknowledged = decide(situation).action is Action.ACKNOWLEDGE
        assert acknowledged == (situation.presence is Presence.STACKED)
