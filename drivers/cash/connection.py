"""The life of a connection to a cash device: the same for every protocol, so that every machine reads alike. Pure."""

from __future__ import annotations

from enum import Enum, auto

from drivers.api.cash import CashCommand, Trouble, TroubleKind


class Phase(Enum):
    """Where in its life the connection is.

    * ``KNOCKING``: until the device has said where a note is, and all that can be known beside it is asked.
    * ``REPORTED``: :class:`drivers.api.cash.Answered` is told. Nothing is done to the device before ``Proceed``.
    * ``SETTLING``: until nothing moves any more and the device is well; what it tells meanwhile is told on.
    * ``READING``: who it is, and what its note types are worth.
    * ``RUNNING``: :class:`drivers.api.cash.Ready` is told, the slot may be opened.

    A device that was lost, or that began anew, is knocked at again.
    """

    KNOCKING = auto()
    REPORTED = auto()
    SETTLING = auto()
    READING = auto()
    RUNNING = auto()


NOT_IDENTIFIED = Trouble(TroubleKind.FAILURE, "not-identified")
"""It answers polls, and not who it is, however often it is asked: nothing can be said of its notes."""


def is_too_early(command: CashCommand, phase: Phase) -> bool:
    """Whether ``command`` would be about a note that the caller cannot know of: STACK while it comes back,
    RETURN before it has been reported. It is refused, not kept for whatever note is there later.
    """
    match command:
        case CashCommand.STACK:
            return phase in (Phase.KNOCKING, Phase.REPORTED)
        case CashCommand.RETURN:
            return phase is Phase.KNOCKING
        case CashCommand.ENABLE | CashCommand.DISABLE:
            return False
