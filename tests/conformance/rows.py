"""How far a note's record had come when the terminal died."""

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
    STACKED = "note_stacked, not yet acknowledged"
    ACK_SENT = "ack_sent"
    CLEARED = "note_cleared"
