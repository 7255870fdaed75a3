"""The start-up table, cell by cell, as the design prints it; and that there is no situation without a cell."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from drivers.api.cash import Presence
from kiosk.terminal.recovery import Action, Count, Decision, EventOf, LastRecord, Outcome, Situation, decide

# outcome / action, an exclamation mark for an incident, a plus for another note that is found. A cell with "|" is
# "event of its type|of another|of no type".
COLUMNS = (
    Presence.PATH_EMPTY, Presence.IN_ESCROW, Presence.RETURNABLE, Presence.OTHER_NOTE, Presence.MOVING,
    Presence.STACKED, Presence.JAMMED, Presence.OTHER_DEVICE, Presence.NO_ANSWER,
    Presence.FORGOTTEN,
)  # fmt: skip
TABLE = {
    # path empty, in escrow, returnable, another note, moving / past no return, stacked event, jam, other serial number,
    # no answer, memory lost
    LastRecord.NONE:
        "- proceed, - return, - proceed, - return, - finish, - acknowledge|- acknowledge+!|- acknowledge+!,"
        "- stop!, - proceed, - ask, - proceed",
    LastRecord.ESCROWED:
        "returned proceed, ? return, returned proceed, returned return!, doubt finish!,"
        "credited acknowledge!|doubt acknowledge+!|doubt acknowledge!,"
        "doubt stop!, doubt proceed!, doubt ask!, doubt proceed!",
    LastRecord.RETURN_INTENDED:
        "counter, ? return, returned proceed, beside, doubt finish!,"
        "doubt acknowledge!|doubt acknowledge+!|doubt acknowledge!,"
        "doubt stop!, doubt proceed!, doubt ask!, doubt proceed!",
    LastRecord.STACK_INTENDED:
        "counter, ? return, returned proceed, beside, ? finish,"
        "credited acknowledge|doubt acknowledge+!|doubt acknowledge!,"
        "doubt stop!, doubt proceed!, doubt ask!, doubt proceed!",
    LastRecord.STACKED:
        "- proceed, - return, - proceed!, - return, - finish, - acknowledge|- acknowledge+!|- acknowledge, - stop!,"
        "- proceed, - ask, - proceed",
    LastRecord.IN_DOUBT:
        "counter, - return, - proceed!, - return, - finish, "
        "credited acknowledge|- acknowledge+!|- acknowledge!, - stop, - proceed, - ask, - proceed",
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
}
ACTIONS = {
    "proceed": Action.PROCEED,
    "return": Action.RETURN,
    "finish": Action.FINISH,
    "acknowledge": Action.ACKNOWLEDGE,
    "stop": Action.STOP,
    "ask": Action.ASK_AGAIN,
}
KINDS = (EventOf.OURS, EventOf.ANOTHER, EventOf.UNTOLD)
SITUATIONS = [Situation(*parts) for parts in product(LastRecord, Presence, EventOf, Count)]


def expected(situation: Situation) -> Decision:
    cells = [cell.strip() for cell in TABLE[situation.last].split(",")]
    cell = cells[COLUMNS.index(situation.presence)]
    if cell == "counter":
        cell = BY_COUNTER[situation.last][situation.count]
    if cell == "beside":  # The path is empty of ours, and the other note goes back.
        cell = BY_COUNTER[situation.last][situation.count].replace(" proceed", " return").rstrip("!") + "!"
    if "|" in cell:
        cell = cell.split("|")[KINDS.index(situation.event_of)]
    outcome, action = cell.rstrip("+!").split()
    return Decision(OUTCOMES[outcome], ACTIONS[action], incident=cell.endswith("!"), found="+" in cell)


def name(situation: Situation) -> str:
    return "-".join(part.name for part in (situation.last, situation.presence, situation.event_of, situation.count))


@pytest.mark.parametrize("situation", SITUATIONS, ids=name)
def test_every_cell_is_that_of_the_design(situation: Situation) -> None:
    assert decide(situation) == expected(situation)


def test_the_table_is_whole() -> None:
    assert set(TABLE) == set(LastRecord)
    assert set(COLUMNS) == set(Presence)
    assert all(len(row.split(",")) == len(COLUMNS) for row in TABLE.values())
    assert len(SITUATIONS) == 6 * 10 * 3 * 4


def test_nothing_ever_takes_a_credit_away() -> None:
    outcomes = {decide(situation).outcome for situation in SITUATIONS if situation.last is LastRecord.STACKED}
    assert outcomes == {Outcome.UNCHANGED}


def test_credit_needs_an_event_of_the_notes_own_type_or_a_count_of_one_more() -> None:
    for situation in SITUATIONS:
        if decide(situation).outcome is Outcome.CREDITED:
            by_event = situation.presence is Presence.STACKED and situation.event_of is EventOf.OURS
            empty_of_ours = situation.presence in (Presence.PATH_EMPTY, Presence.OTHER_NOTE)
            by_count = empty_of_ours and situation.count is Count.ONE_MORE
            assert by_event or by_count, situation


def test_a_note_in_the_box_that_is_not_the_one_on_record_is_found_whatever_becomes_of_that_one() -> None:
    for situation in SITUATIONS:
        decision, told = decide(situation), situation.presence is Presence.STACKED
        repeats_or_is_another = situation.last is LastRecord.NONE and situation.event_of is not EventOf.OURS
        assert decision.found == (told and (situation.event_of is EventOf.ANOTHER or repeats_or_is_another))
        if decision.found:
            assert decision.outcome in (Outcome.UNCHANGED, Outcome.IN_DOUBT)
            assert decision.incident


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
