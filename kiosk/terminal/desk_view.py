"""What the cash desk lets others know: pure values for flows, screens and health."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from guichet.money import Money


class Stage(Enum):
    """What the slot is doing."""

    CLOSED = auto()
    OPEN = auto()
    DRAWING_IN = auto()
    ESCROW = auto()
    STACKING = auto()
    RETURNING = auto()
    CLEARING = auto()


class Back(Enum):
    """Why the last note came back."""

    NONE = auto()
    NOT_RECOGNISED = auto()
    NOT_ACCEPTED = auto()
    OTHER_CURRENCY = auto()
    ASKED = auto()
    LIMIT = auto()


@dataclass(frozen=True, slots=True)
class DeskView:
    """What others may know. ``fault`` is the device's or the journal's stable code; ``note`` the value in the slot."""

    ready: bool = False
    stage: Stage = Stage.CLOSED
    fault: str = ""
    note: Money | None = None
    back: Back = Back.NONE
