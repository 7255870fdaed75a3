"""How far a note's record had come when the terminal died, and what became of the device before the next life."""

from __future__ import annotations

from enum import Enum


class Row(Enum):
    """The last record of the note, and whether the device had been told what follows from it."""

    NO_NOTE = "no note"
    ESCROWED = "note_escrowed"
    RETURN_INTENDED = "return_intended, not yet sent"
    RETURN_SENT = "return_intended, sent"
    STACK_INTENDED = "stack_intended, not yet sent"
    STACK_SENT = "stack_intended, sent"
    EVENT_HEARD = "stack_intended, stacked event heard"
    STACKED = "note_stacked"
    ACK_SENT = "ack_sent, not yet acknowledged"
    ACKNOWLEDGED = "ack_sent, acknowledged"
    CLEARED = "note_cleared"
    DOUBT_UNSENT = "note_in_doubt, stack not sent"
    DOUBT_SENT = "note_in_doubt, stack sent"


UNDECIDED = frozenset(
    {Row.ESCROWED, Row.RETURN_INTENDED, Row.RETURN_SENT, Row.STACK_INTENDED, Row.STACK_SENT, Row.EVENT_HEARD}
)
IN_DOUBT = frozenset({Row.DOUBT_UNSENT, Row.DOUBT_SENT})
CREDITED = frozenset({Row.STACKED, Row.ACK_SENT, Row.ACKNOWLEDGED, Row.CLEARED})


class Then(Enum):
    """What happens between two lives of the terminal."""

    GOES_ON = "the device goes on"
    HALF_A_MINUTE = "half a minute passes"
    POWER_CUT = "its power is cut at once"
    POWER_CUT_ON_THE_WAY = "its power is cut half a movement later"
    POWER_CUT_AT_REST = "its power is cut when it has come to rest"
    SLIPS = "what it holds slips towards the box"
    HAS_SLIPPED = "what it holds slips into the box"
    STICKS = "a note that moves to the box sticks"
    FAILS = "it fails"
    ANOTHER_DEVICE = "another device stands in its place"
    SILENCE = "it does not answer"
    ANOTHER_COMES = "it begins to draw in another note by itself"
    ANOTHER_IN_ESCROW = "it draws in another note by itself"
    ANOTHER_STACKED = "it draws in another note by itself, and that one slips into the box"
    ONE_MORE = "it draws in one more of the same kind"
    ONE_MORE_GOING_BACK = "it does, and that one is on its way back"
    ONE_MORE_GONE_BACK = "it does, and nobody comes for that one"
    ONE_MORE_STACKED = "it does, and that one slips into the box"


POWER_CUTS = (Then.POWER_CUT, Then.POWER_CUT_ON_THE_WAY, Then.POWER_CUT_AT_REST)
