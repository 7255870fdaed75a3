"""Where the note is when a ccTalk device or the process comes back: events, mark on record, a look into escrow. Pure.

The journal stores an event's number together with what it led to. So where the device's newest number is the one on
record, its last event about a note is also the journal's: after "in escrow" a note is open, after any other none is.
A path that is found empty without the event that says how it became so is never called empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from drivers.api.cash import Presence
from drivers.cash.cctalk.events import GivenBack, InBox, InEscrow, Judgement, Meaning, OfNote
from drivers.cash.cctalk.messages import EventBuffer
from drivers.cash.cctalk.roles import Role


class Escrow(Enum):
    """What the device said when its time of escrow was started anew. UNSAID: it does not say."""

    NOT_ASKED = auto()
    HELD = auto()
    EMPTY = auto()
    UNSAID = auto()


@dataclass(frozen=True, slots=True)
class Unread:
    """An event that was not told yet. ``mark`` is None where a later number is on record already."""

    mark: int | None
    meaning: Meaning
    raw: bytes


@dataclass(frozen=True, slots=True)
class First:
    """What the first answer says. ``covered``: of how many of the unread events it takes the mark."""

    presence: Presence
    note_type: int | None
    mark: int
    covered: int


class Look(Enum):
    """What is still needed before anything can be said: a look into escrow, or the event of a note that has left it."""

    INSIDE = auto()
    LONGER = auto()


def first_answer(
    role: Role, judged: Judgement, unread: Sequence[Unread], buffer: EventBuffer, escrow: Escrow, *, waited: bool
) -> First | Look:
    """What to report, or what to do before. ``waited``: the event of a note that has left escrow is overdue."""
    if judged.forgotten:
        return First(Presence.FORGOTTEN, None, judged.baseline, 0)
    of_note = [place for place, event in enumerate(unread) if isinstance(event.meaning, OfNote)]
    if of_note:
        return _missed(unread[of_note[0]], of_note[0] + 1, escrow, alone=len(of_note) == 1)
    return _nothing_missed(role, judged, unread, buffer, escrow, waited=waited)


def _missed(event: Unread, covered: int, escrow: Escrow, *, alone: bool) -> First | Look:
    """The first of the events that nobody read is about a note."""
    mark = event.mark or 0
    match event.meaning:
        case InBox(note_type):
            return First(Presence.STACKED, note_type, mark, covered)
        case InEscrow(note_type) if not alone:
            return First(Presence.MOVING, note_type, mark, covered)
        case InEscrow(note_type):
            if escrow is Escrow.NOT_ASKED:
                return Look.INSIDE
            presence = Presence.IN_ESCROW if escrow is Escrow.HELD else Presence.MOVING
            return First(presence, note_type, mark, covered)
        case _:
            return First(Presence.RETURNABLE, None, mark, covered)


def _nothing_missed(
    role: Role, judged: Judgement, unread: Sequence[Unread], buffer: EventBuffer, escrow: Escrow, *, waited: bool
) -> First | Look:
    """No event about a note is new. Whether one is open, the last that is not new says."""
    mark = (unread[-1].mark or 0) if unread else judged.baseline
    last = next((m for m in (role.meaning(a, b) for a, b in buffer.events) if isinstance(m, OfNote)), None)
    since_power_up = (
        judged.baseline == 0 and last is None
    )  # All events there ever were are known, and none is a note's.
    if not role.capabilities.escrow or since_power_up or isinstance(last, InBox | GivenBack):
        return First(Presence.PATH_EMPTY, None, mark, len(unread))
    if escrow is Escrow.NOT_ASKED:
        return Look.INSIDE
    note_type = last.note_type if isinstance(last, InEscrow) else None
    if escrow is Escrow.HELD:
        return First(Presence.IN_ESCROW, note_type, mark, len(unread))
    if isinstance(last, InEscrow):
        return First(Presence.JAMMED, None, mark, len(unread)) if waited else Look.LONGER
    presence = Presence.PATH_EMPTY if judged.first_time else Presence.FORGOTTEN
    return First(presence, None, mark, len(unread))
