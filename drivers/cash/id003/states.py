"""What ID-003's states mean: where a note is, whether they pass by themselves, what a person must look at. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from drivers.api.cash import Presence, Trouble, TroubleKind
from drivers.cash.id003.messages import Command, Request, State, Status
from drivers.cash.id003.timing import Timing

IDLE = frozenset({State.IDLING, State.DISABLED})
POWER_UP = frozenset({State.POWER_UP, State.POWER_UP_NOTE_IN_ACCEPTOR, State.POWER_UP_NOTE_IN_STACKER})
# States that pass by themselves: as a first answer they say nothing yet about where a note will end. END and RETURNED
# are one source's, and its RETURNED may not be what it seems: what follows is waited for.
PASSING = frozenset(
    {State.INITIALIZE, State.BUSY, State.END, State.RETURNED, State.PAUSE, State.CHEATED}
)  # fmt: skip
IN_ESCROW = frozenset({State.ESCROW, State.HOLDING})
# The note is on its way to the customer's side, whoever wanted it.
GOING_BACK = frozenset({State.REJECTING, State.RETURNING})
# No note is under way, and identity and note table are known to be told here.
TELLS_IDENTITY = POWER_UP | IDLE
# A note in escrow is still the same one when the device comes back from these.
LEAVES_ESCROW_ALONE = IN_ESCROW | {State.BUSY, State.CHEATED, State.PAUSE}
STUCK = frozenset({State.JAM_ACCEPTOR, State.JAM_STACKER, State.FAILURE, State.RECYCLER_FAILURE})
# A stuck device that says so has been in somebody's hands.
BY_HAND = POWER_UP | {State.BOX_REMOVED}
MOVES_IN = frozenset({State.ACCEPTING, State.STACKING, State.STACKED})

PRESENCE: Mapping[State, Presence] = {
    State.POWER_UP: Presence.PATH_EMPTY,
    State.IDLING: Presence.PATH_EMPTY,
    State.DISABLED: Presence.PATH_EMPTY,
    State.BOX_FULL: Presence.PATH_EMPTY,
    State.BOX_REMOVED: Presence.MOVING,  # Whatever is inside: nobody can say where it ends while the box is away.
    State.POWER_UP_NOTE_IN_ACCEPTOR: Presence.RETURNABLE,
    State.REJECTING: Presence.RETURNABLE,
    State.RETURNING: Presence.RETURNABLE,
    State.ESCROW: Presence.IN_ESCROW,
    State.HOLDING: Presence.IN_ESCROW,
    State.POWER_UP_NOTE_IN_STACKER: Presence.MOVING,
    State.ACCEPTING: Presence.MOVING,
    State.STACKING: Presence.MOVING,
    # In the box, but only VEND VALID is a credit, and it came before this, to whoever acknowledged it.
    State.STACKED: Presence.MOVING,
    State.VEND_VALID: Presence.STACKED,
    State.JAM_ACCEPTOR: Presence.JAMMED,
    State.JAM_STACKER: Presence.JAMMED,
    State.FAILURE: Presence.JAMMED,
    State.RECYCLER_FAILURE: Presence.JAMMED,
}


def presence_of(state: State) -> Presence:
    """The start-up table's column. A state that should have passed and did not is as good as a jam."""
    return PRESENCE.get(state, Presence.JAMMED)


TROUBLE: Mapping[State, Trouble] = {
    State.BOX_FULL: Trouble(TroubleKind.BOX_FULL),
    State.BOX_REMOVED: Trouble(TroubleKind.BOX_REMOVED),
    State.JAM_ACCEPTOR: Trouble(TroubleKind.JAM, "head"),
    State.JAM_STACKER: Trouble(TroubleKind.JAM, "box"),
    State.CHEATED: Trouble(TroubleKind.CHEATED),
    State.PAUSE: Trouble(TroubleKind.PAUSE),
    State.FAILURE: Trouble(TroubleKind.FAILURE),
    State.RECYCLER_FAILURE: Trouble(TroubleKind.FAILURE, "recycler"),
}

LASTING: Mapping[State, Trouble] = {
    **dict.fromkeys(MOVES_IN, Trouble(TroubleKind.JAM, "transport")),
    **dict.fromkeys(GOING_BACK, Trouble(TroubleKind.JAM, "mouth")),
    **dict.fromkeys(POWER_UP, Trouble(TroubleKind.FAILURE, "stays-power-up")),
    State.INITIALIZE: Trouble(TroubleKind.FAILURE, "stays-initialize"),
    State.BUSY: Trouble(TroubleKind.FAILURE, "stays-busy"),
    State.END: Trouble(TroubleKind.FAILURE, "stays-end"),
    State.RETURNED: Trouble(TroubleKind.FAILURE, "stays-returned"),
    State.PAUSE: Trouble(TroubleKind.FAILURE, "stays-pause"),
    State.CHEATED: Trouble(TroubleKind.FAILURE, "stays-cheated"),
}
"""What it means that a state lasts which should have passed by itself, or by a RESET."""


def limits_of(timing: Timing) -> Mapping[State, float]:
    """How long these states may last."""
    return {
        **dict.fromkeys(LASTING, timing.passing),
        **dict.fromkeys(MOVES_IN, timing.moves),
        **dict.fromkeys(GOING_BACK, timing.leaves),
    }


def trouble_of(status: Status) -> Trouble:
    """What a person must look at, a failure with its code."""
    trouble = TROUBLE[status.state]
    return trouble if status.detail is None else replace(trouble, detail=f"{status.detail:02x}")


# A bit that is set disables an escrow code: the caller decides about each note in escrow, so none is.
ALL_DENOMINATIONS = Request(Command.SET_DENOMINATIONS, b"\x00\x00")
OPEN = Request(Command.SET_INHIBIT, b"\x00")
SHUT = Request(Command.SET_INHIBIT, b"\x01")
# Bit 1 of the first byte: a note past the point of no return at a power cut is finished and told by VEND VALID.
POWER_RECOVERY = Request(Command.SET_OPTIONS, b"\x02\x00")
