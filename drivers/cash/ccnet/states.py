"""What CCNET's poll states mean: where a note is, whether it passes by itself, what a person must look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from drivers.api.cash import CashCommand, Presence, Trouble, TroubleKind
from drivers.cash.ccnet.messages import ALL_TYPES, Command, PollAnswer, Request, State
from drivers.cash.ccnet.timing import Timing

IDLE = frozenset({State.IDLING, State.DISABLED})
POWER_UP = frozenset({State.POWER_UP, State.POWER_UP_NOTE_IN_VALIDATOR, State.POWER_UP_NOTE_IN_STACKER})
# States that pass by themselves: as a first answer they say nothing yet about where a note will end.
PASSING = frozenset({State.INITIALIZE, State.BUSY, State.REJECTING, State.CHEATED, State.PAUSE})
IN_ESCROW = frozenset({State.ESCROW, State.HOLDING})
# States in which 37 (identification) is legal, so that the report of a device that came back can say who it is.
TELLS_IDENTITY = POWER_UP | {State.DISABLED, State.FAILURE}
HELD = frozenset({State.STACKED, State.RETURNED})
# A note in escrow is still the same one when the device comes back from these.
LEAVES_ESCROW_ALONE = IN_ESCROW | {State.BUSY, State.CHEATED, State.PAUSE}
STUCK = frozenset({State.JAM_VALIDATOR, State.JAM_BOX, State.FAILURE})
# A stuck device that says so has been in somebody's hands.
BY_HAND = POWER_UP | {State.BOX_REMOVED}
# An event that was not acknowledged has been let go, or died with the power.
OWES_NOTHING = IDLE | POWER_UP | {State.ACCEPTING}
MOVES = frozenset({State.ACCEPTING, State.STACKING})

PRESENCE: Mapping[State, Presence] = {
    State.POWER_UP: Presence.PATH_EMPTY,
    State.IDLING: Presence.PATH_EMPTY,
    State.DISABLED: Presence.PATH_EMPTY,
    State.BOX_FULL: Presence.PATH_EMPTY,
    State.BOX_REMOVED: Presence.MOVING,  # Whatever is inside: nobody can say where it ends while the box is away.
    State.POWER_UP_NOTE_IN_VALIDATOR: Presence.RETURNABLE,
    State.RETURNING: Presence.RETURNABLE,
    State.RETURNED: Presence.RETURNABLE,
    State.ESCROW: Presence.IN_ESCROW,
    State.HOLDING: Presence.IN_ESCROW,
    State.POWER_UP_NOTE_IN_STACKER: Presence.MOVING,
    State.ACCEPTING: Presence.MOVING,
    State.STACKING: Presence.MOVING,
    State.STACKED: Presence.STACKED,
    State.JAM_VALIDATOR: Presence.JAMMED,
    State.JAM_BOX: Presence.JAMMED,
    State.FAILURE: Presence.JAMMED,
}

TROUBLE: Mapping[State, Trouble] = {
    State.BOX_FULL: Trouble(TroubleKind.BOX_FULL),
    State.BOX_REMOVED: Trouble(TroubleKind.BOX_REMOVED),
    State.JAM_VALIDATOR: Trouble(TroubleKind.JAM, "head"),
    State.JAM_BOX: Trouble(TroubleKind.JAM, "box"),
    State.CHEATED: Trouble(TroubleKind.CHEATED),
    State.PAUSE: Trouble(TroubleKind.PAUSE),
    State.FAILURE: Trouble(TroubleKind.FAILURE),
}

LASTING: Mapping[State, Trouble] = {
    **dict.fromkeys(MOVES, Trouble(TroubleKind.JAM, "transport")),
    **dict.fromkeys((State.REJECTING, State.RETURNING), Trouble(TroubleKind.JAM, "mouth")),
    **dict.fromkeys(POWER_UP, Trouble(TroubleKind.FAILURE, "stays-power-up")),
    State.INITIALIZE: Trouble(TroubleKind.FAILURE, "stays-initialize"),
    State.BUSY: Trouble(TroubleKind.FAILURE, "stays-busy"),
    State.CHEATED: Trouble(TroubleKind.FAILURE, "stays-cheated"),
    State.PAUSE: Trouble(TroubleKind.FAILURE, "stays-pause"),
}
"""What it means that a state lasts which should have passed by itself, or by a RESET."""


def limits_of(timing: Timing) -> Mapping[State, float]:
    """How long these states may last. One that waits for RESET is given as long as one that initialises."""
    return {
        **dict.fromkeys(LASTING, timing.passes),
        **dict.fromkeys(MOVES, timing.moves),
        State.RETURNING: timing.leaves,
        **dict.fromkeys(POWER_UP | {State.INITIALIZE}, timing.initialises),
    }


def presence_of(state: State) -> Presence:
    """The start-up table's column. A state that should have passed and did not is as good as a jam."""
    return PRESENCE.get(state, Presence.JAMMED)


def trouble_of(answer: PollAnswer) -> Trouble:
    """What a person must look at, a failure with its code."""
    trouble = TROUBLE[answer.state]
    return trouble if answer.detail is None else replace(trouble, detail=f"{answer.detail:02x}")


def request_for(command: CashCommand) -> Request:
    """The command on the wire."""
    match command:
        case CashCommand.STACK:
            return Request(Command.STACK)
        case CashCommand.RETURN:
            return Request(Command.RETURN)
        case CashCommand.ENABLE:
            # Every type, and through escrow: one that is not taken then comes back with a reason, not with a shrug.
            return Request(Command.ENABLE_NOTE_TYPES, ALL_TYPES, ALL_TYPES)
        case CashCommand.DISABLE:
            # The escrow bits stay. protocols/ccnet, section 6, says only that a note on its way in is finished: we take
            # it that a unit looks at these bits when it comes to escrow, and not only when it was pushed in.
            return Request(Command.ENABLE_NOTE_TYPES, escrow=ALL_TYPES)
