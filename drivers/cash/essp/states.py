"""What SSP's poll events mean: where a note is, what passes by itself, what a person must look at. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import Enum, auto

from drivers.api.cash import Trouble, TroubleKind
from drivers.cash.essp.events import Event, EventCode
from drivers.cash.essp.timing import Timing
from drivers.cash.patience import Patience

MONEY = frozenset({EventCode.CREDIT, EventCode.CLEARED_TO_BOX, EventCode.TO_STACKER_AT_RESET,
                   EventCode.TO_STORE_AT_RESET})  # fmt: skip
"""A note is past the customer's reach. The last two do not say which kind of note: their channel is 0."""

BACK_AT_RESET = frozenset({EventCode.CLEARED_FROM_FRONT, EventCode.HELD_IN_BEZEL})
"""At a reset the note went to the customer's side."""

MOVES = frozenset({EventCode.READ, EventCode.STACKING, EventCode.REJECTING, EventCode.INITIALISING,
                   EventCode.SLAVE_RESET, EventCode.JAM_RECOVERY, EventCode.PATH_OPEN, EventCode.UNSAFE_JAM,
                   EventCode.SAFE_JAM})  # fmt: skip
"""While a poll has one of these, the device is not at rest."""

CLOSED = frozenset({EventCode.DISABLED, EventCode.ALL_DISABLED})
"""The slot takes nothing."""


class Where(Enum):
    """Where the note is, as far as this connection has seen. DECIDED: its fate is told, its last movement goes on."""

    NOWHERE = auto()
    SCANNED = auto()
    ESCROW = auto()
    STACKING = auto()
    RETURNING = auto()
    REJECTING = auto()
    DECIDED = auto()


DEFERS_SLOT = frozenset({Where.ESCROW, Where.STACKING})
"""What "disable" does to a note in escrow stands in no text: the slot's commands wait until its fate is known, or until
it sticks.
"""

WAS_IN_ESCROW = frozenset({Where.ESCROW, Where.STACKING, Where.RETURNING})
"""What is rejected from here was in escrow and is told as returned."""

TAKES_TIME = frozenset({Where.STACKING, Where.RETURNING})
"""A note that is on its way and of which the device may say nothing for a moment."""

_TROUBLE: Mapping[EventCode, Trouble] = {
    EventCode.STACKER_FULL: Trouble(TroubleKind.BOX_FULL),
    EventCode.BOX_REMOVED: Trouble(TroubleKind.BOX_REMOVED),
    EventCode.UNSAFE_JAM: Trouble(TroubleKind.JAM, "head"),
    EventCode.SAFE_JAM: Trouble(TroubleKind.JAM, "transport"),
    EventCode.PATH_OPEN: Trouble(TroubleKind.FAILURE, "path-open"),
    EventCode.FRAUD: Trouble(TroubleKind.CHEATED),
}
_ENDS_SAFE_JAM = (MOVES - {EventCode.SAFE_JAM, EventCode.UNSAFE_JAM, EventCode.PATH_OPEN}) | MONEY | BACK_AT_RESET | {
    EventCode.REJECTED, EventCode.STACKED,
}  # fmt: skip
_LASTING: Mapping[EventCode | None, Trouble] = {
    EventCode.SLAVE_RESET: Trouble(TroubleKind.FAILURE, "stays-reset"),
    EventCode.INITIALISING: Trouble(TroubleKind.FAILURE, "stays-initialising"),
    EventCode.JAM_RECOVERY: Trouble(TroubleKind.JAM, "recovery"),
    EventCode.STACKING: Trouble(TroubleKind.JAM, "transport"),
    EventCode.READ: Trouble(TroubleKind.JAM, "transport"),
    EventCode.REJECTING: Trouble(TroubleKind.JAM, "mouth"),
}
_STUCK = frozenset({EventCode.UNSAFE_JAM, EventCode.SAFE_JAM, EventCode.PATH_OPEN})
KEPT = Trouble(TroubleKind.JAM, "escrow")
"""A note was to be given back, and is not."""
FAILS = Trouble(TroubleKind.FAILURE, "software-error")
"""F6 to a poll: the device itself does not know."""


def patience(timing: Timing) -> Patience[EventCode | None]:
    """For what passes by itself, and what it means where it does not."""
    moves = dict.fromkeys((EventCode.READ, EventCode.STACKING), timing.moves)
    limits = {**dict.fromkeys(_LASTING, timing.starts), **moves, EventCode.REJECTING: timing.leaves}
    return Patience(limits, timing.restless, _LASTING)


def passing(events: Iterable[Event], where: Where) -> EventCode | None:
    """What should pass by itself, of all that a poll said; None: nothing, or that it sticks is told already. A note
    that is announced waits in escrow, unless it was to be stacked from ``where`` it is.
    """
    codes = {event.code for event in events if event.code is not EventCode.READ or not event.channel}
    if where is Where.STACKING:
        codes |= {event.code for event in events}
    if codes & _STUCK:
        return None
    return next((code for code in _LASTING if code in codes), None)


class Troubles:
    """What a person must look at now. What a device repeats at every poll is over when a poll has it no more; a box
    that is out is over when it is back; a jam that is told once when something moves again.
    """

    def __init__(self) -> None:
        self._active: dict[EventCode, Trouble] = {}
        self._failing = False
        self._unreadable = False

    @property
    def stop(self) -> bool:
        """Whether one of them keeps notes from being taken."""
        return self._failing or any(trouble.kind.stops_acceptance for trouble in self._active.values())

    @property
    def jammed(self) -> bool:
        """Whether a note sticks: nothing more becomes of it until a person frees it."""
        return any(trouble.kind is TroubleKind.JAM for trouble in self._active.values())

    def heard(self, events: Iterable[Event]) -> list[Trouble]:
        """What begins and what is over by a poll that was understood."""
        codes = [event.code for event in events]
        told = [replace(FAILS, over=True)] if self._failing else []
        self._failing = False
        for code in [code for code in self._active if _is_over(code, codes)]:
            told.append(replace(self._active.pop(code), over=True))
        for code in codes:
            if code is EventCode.BOX_REPLACED:
                out = _TROUBLE[EventCode.BOX_REMOVED]
                was_seen = self._active.pop(EventCode.BOX_REMOVED, None) is not None
                # That it was out must be told, though it is back by now: it may be another one.
                told += [replace(out, over=True)] if was_seen else [out, replace(out, over=True)]
            elif code in _TROUBLE and code not in self._active:
                self._active[code] = _TROUBLE[code]
                told.append(_TROUBLE[code])
        return told

    def read(self, *, poll: bool, readable: bool) -> list[Trouble]:
        """What cannot be read may have been an event with money in it. It is told once, not at every poll, and is over
        when a poll can be read again.
        """
        if readable is not self._unreadable or (readable and not poll):
            return []
        self._unreadable = not readable
        return [Trouble(TroubleKind.UNREADABLE, over=readable)]

    def failing(self) -> list[Trouble]:
        """The device answers a poll that it cannot."""
        told, self._failing = ([] if self._failing else [FAILS]), True
        return told

    def forget(self) -> list[Trouble]:
        """The device begins anew: whatever is still so will be said again. Gives the ends of what was."""
        told = [replace(trouble, over=True) for trouble in self._active.values()]
        told += [replace(FAILS, over=True)] if self._failing else []
        told += [Trouble(TroubleKind.UNREADABLE, over=True)] if self._unreadable else []
        self._active.clear()
        self._failing = self._unreadable = False
        return told


def _is_over(code: EventCode, codes: list[EventCode]) -> bool:
    if code is EventCode.BOX_REMOVED or code in codes:
        return False
    return code is not EventCode.SAFE_JAM or not _ENDS_SAFE_JAM.isdisjoint(codes)
