"""The start-up table: what to do with a note when a device or the process comes back. One pure, total function.

Rows are the last record about the note, columns what the device answers. It decides at a start, and it decides in
mid-deposit whenever the device says something else than the next step that was expected.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import assert_never

from drivers.api.cash import Presence


class LastRecord(Enum):
    """The rows: what the journal last says of the note."""

    NONE = "none, or cleared"
    ESCROWED = "note_escrowed"
    RETURN_INTENDED = "return_intended"
    STACK_INTENDED = "stack_intended"
    STACKED = "note_stacked, ack_sent"
    IN_DOUBT = "note_in_doubt"


class Count(Enum):
    """What the device's counter of stacked notes says against the baseline in stack_intended. UNKNOWN unless serial
    number and box period are the same and the device has such a counter.
    """

    UNKNOWN = auto()
    SAME = auto()
    ONE_MORE = auto()
    OTHER = auto()


class EventOf(Enum):
    """Whose a stacked event is. OURS: the last note's, for all that it says; in the NONE row, it can only be that one's
    repeat. ANOTHER: of a note that it cannot be. UNTOLD: it proves nothing, for it names no type, or has left the note
    in doubt before.
    """

    OURS = auto()
    ANOTHER = auto()
    UNTOLD = auto()


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that the decision depends on. ``event_of`` matters to a stacked event alone."""

    last: LastRecord
    presence: Presence
    event_of: EventOf = EventOf.UNTOLD
    count: Count = Count.UNKNOWN


class Outcome(Enum):
    """What is recorded about the last note. UNCHANGED: nothing new; UNDECIDED: the device has not finished saying."""

    UNCHANGED = auto()
    UNDECIDED = auto()
    CREDITED = auto()
    RETURNED = auto()
    IN_DOUBT = auto()


class Action(Enum):
    """What the device is told. PROCEED lets it initialise; RETURN gives back what lies in escrow; FINISH lets it come
    to rest and decides again; ACKNOWLEDGE lets the held event go; STOP takes cash out of service; ASK_AGAIN keeps
    asking.
    """

    PROCEED = auto()
    RETURN = auto()
    FINISH = auto()
    ACKNOWLEDGE = auto()
    STOP = auto()
    ASK_AGAIN = auto()


@dataclass(frozen=True, slots=True)
class Decision:
    """A cell of the table. ``incident``: a person should look. ``found``: the device tells of one more note that lies
    in the box, and nobody has that on record.
    """

    outcome: Outcome
    action: Action
    incident: bool = False
    found: bool = False


def decide(situation: Situation) -> Decision:
    """The cell for ``situation``."""
    match situation.last:
        case LastRecord.NONE:
            return _no_note(situation)
        case LastRecord.ESCROWED:
            return _escrowed(situation)
        case LastRecord.RETURN_INTENDED:
            return _return_intended(situation)
        case LastRecord.STACK_INTENDED:
            return _stack_intended(situation)
        case LastRecord.STACKED:
            return _stacked(situation)
        case LastRecord.IN_DOUBT:
            return _in_doubt(situation)
    assert_never(situation.last)


def _no_note(situation: Situation) -> Decision:
    match situation.presence:
        case Presence.PATH_EMPTY | Presence.RETURNABLE | Presence.OTHER_DEVICE | Presence.FORGOTTEN:
            return Decision(Outcome.UNCHANGED, Action.PROCEED)
        case Presence.IN_ESCROW | Presence.OTHER_NOTE:
            return Decision(Outcome.UNCHANGED, Action.RETURN)
        case Presence.MOVING:
            return Decision(Outcome.UNCHANGED, Action.FINISH)
        case Presence.STACKED:
            of_another = situation.event_of is not EventOf.OURS
            return Decision(Outcome.UNCHANGED, Action.ACKNOWLEDGE, incident=of_another, found=of_another)
        case Presence.JAMMED:
            return Decision(Outcome.UNCHANGED, Action.STOP, incident=True)
        case Presence.NO_ANSWER:
            return Decision(Outcome.UNCHANGED, Action.ASK_AGAIN)
    assert_never(situation.presence)


def _escrowed(situation: Situation) -> Decision:
    match situation.presence:
        case Presence.PATH_EMPTY | Presence.RETURNABLE:
            return Decision(Outcome.RETURNED, Action.PROCEED)
        case Presence.IN_ESCROW:
            return Decision(Outcome.UNDECIDED, Action.RETURN)
        case Presence.OTHER_NOTE:
            return _beside_another(situation)
        case Presence.MOVING:
            return Decision(Outcome.IN_DOUBT, Action.FINISH, incident=True)
        case Presence.STACKED:
            return _event(situation, Outcome.CREDITED, incident=True)  # Though nobody asked for it.
        case _:
            return _out_of_reach(situation.presence)


def _return_intended(situation: Situation) -> Decision:
    match situation.presence:
        case Presence.PATH_EMPTY if situation.count in (Count.ONE_MORE, Count.OTHER):
            # STACK was sent before, and seemed to come to nothing: the count says that it did not.
            return Decision(Outcome.IN_DOUBT, Action.PROCEED, incident=True)
        case Presence.PATH_EMPTY | Presence.RETURNABLE:
            return Decision(Outcome.RETURNED, Action.PROCEED)
        case Presence.IN_ESCROW:
            return Decision(Outcome.UNDECIDED, Action.RETURN)
        case Presence.OTHER_NOTE:
            return _beside_another(situation)
        case Presence.MOVING:
            return Decision(Outcome.IN_DOUBT, Action.FINISH, incident=True)
        case Presence.STACKED:
            return _event(situation, Outcome.IN_DOUBT, incident=True)
        case _:
            return _out_of_reach(situation.presence)


def _stack_intended(situation: Situation) -> Decision:
    match situation.presence:
        case Presence.PATH_EMPTY:
            return Decision(_by_count(situation.count), Action.PROCEED, incident=situation.count is Count.OTHER)
        case Presence.IN_ESCROW:
            return Decision(Outcome.UNDECIDED, Action.RETURN)
        case Presence.RETURNABLE:
            return Decision(Outcome.RETURNED, Action.PROCEED)
        case Presence.OTHER_NOTE:
            return _beside_another(situation)
        case Presence.MOVING:
            return Decision(Outcome.UNDECIDED, Action.FINISH)
        case Presence.STACKED:
            return _event(situation, Outcome.CREDITED)
        case _:
            return _out_of_reach(situation.presence)


def _stacked(situation: Situation) -> Decision:
    """The outcome is known. Nothing that comes later takes the credit away."""
    match situation.presence:
        case Presence.PATH_EMPTY | Presence.OTHER_DEVICE | Presence.FORGOTTEN:
            return Decision(Outcome.UNCHANGED, Action.PROCEED)
        case Presence.IN_ESCROW | Presence.OTHER_NOTE:
            return Decision(Outcome.UNCHANGED, Action.RETURN)
        case Presence.RETURNABLE:
            return Decision(Outcome.UNCHANGED, Action.PROCEED, incident=True)
        case Presence.MOVING:
            return Decision(Outcome.UNCHANGED, Action.FINISH)
        case Presence.STACKED:
            of_another = situation.event_of is EventOf.ANOTHER
            return Decision(Outcome.UNCHANGED, Action.ACKNOWLEDGE, incident=of_another, found=of_another)
        case Presence.JAMMED:
            return Decision(Outcome.UNCHANGED, Action.STOP, incident=True)
        case Presence.NO_ANSWER:
            return Decision(Outcome.UNCHANGED, Action.ASK_AGAIN)
    assert_never(situation.presence)


def _in_doubt(situation: Situation) -> Decision:
    match situation.presence:
        case Presence.PATH_EMPTY:
            outcome = _by_count(situation.count)
            return Decision(Outcome.UNCHANGED if outcome is Outcome.IN_DOUBT else outcome, Action.PROCEED)
        case Presence.IN_ESCROW | Presence.OTHER_NOTE:
            return Decision(Outcome.UNCHANGED, Action.RETURN)
        case Presence.RETURNABLE:
            return Decision(Outcome.UNCHANGED, Action.PROCEED, incident=True)
        case Presence.MOVING:
            return Decision(Outcome.UNCHANGED, Action.FINISH)
        case Presence.STACKED if situation.event_of is EventOf.OURS:
            return Decision(Outcome.CREDITED, Action.ACKNOWLEDGE)
        case Presence.STACKED:
            of_another = situation.event_of is EventOf.ANOTHER
            return Decision(Outcome.UNCHANGED, Action.ACKNOWLEDGE, incident=True, found=of_another)
        case Presence.JAMMED:
            return Decision(Outcome.UNCHANGED, Action.STOP)
        case Presence.OTHER_DEVICE | Presence.FORGOTTEN:
            return Decision(Outcome.UNCHANGED, Action.PROCEED)
        case Presence.NO_ANSWER:
            return Decision(Outcome.UNCHANGED, Action.ASK_AGAIN)
    assert_never(situation.presence)


def _event(situation: Situation, of_ours: Outcome, *, incident: bool = False) -> Decision:
    """A stacked event while a note is undecided. Where it is another note's, that one lies in the box, and nothing says
    what became of the one before.
    """
    match situation.event_of:
        case EventOf.OURS:
            return Decision(of_ours, Action.ACKNOWLEDGE, incident)
        case EventOf.UNTOLD:
            return Decision(Outcome.IN_DOUBT, Action.ACKNOWLEDGE, incident=True)
        case EventOf.ANOTHER:
            return Decision(Outcome.IN_DOUBT, Action.ACKNOWLEDGE, incident=True, found=True)
    assert_never(situation.event_of)


def _beside_another(situation: Situation) -> Decision:
    """A validator holds one note: where that is another one, the path is empty of ours. It goes back unrecorded."""
    ours = decide(replace(situation, presence=Presence.PATH_EMPTY))
    return Decision(ours.outcome, Action.RETURN, incident=True)


def _out_of_reach(presence: Presence) -> Decision:
    match presence:
        case Presence.JAMMED:
            return Decision(Outcome.IN_DOUBT, Action.STOP, incident=True)
        case Presence.OTHER_DEVICE | Presence.FORGOTTEN:
            return Decision(Outcome.IN_DOUBT, Action.PROCEED, incident=True)
        case _:
            return Decision(Outcome.IN_DOUBT, Action.ASK_AGAIN, incident=True)


def _by_count(count: Count) -> Outcome:
    match count:
        case Count.ONE_MORE:
            return Outcome.CREDITED
        case Count.SAME:
            return Outcome.RETURNED
        case Count.UNKNOWN | Count.OTHER:
            return Outcome.IN_DOUBT
    assert_never(count)
