"""What a customer comes for, and what goes wrong meanwhile: drawn as one, because one by one it hardly ever happens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from hypothesis import strategies as st

from drivers.api.cash import CashCommand


class Aim(Enum):
    """What becomes of the next request that moves a note, or of the answer to it."""

    NOTHING = auto()
    REQUEST_LOST = auto()
    REQUEST_DAMAGED = auto()
    ANSWER_LOST = auto()
    ANSWER_DAMAGED = auto()


class Mishap(Enum):
    """What happens to the device or to the caller. UNPLUGGED: power goes, and is not back at once."""

    NOTHING = auto()
    BLINK = auto()
    UNPLUGGED = auto()
    KILLED = auto()


@dataclass(frozen=True, slots=True)
class Coming:
    """A note of ``face`` is to go in. ``mended``: what stood in the way is out of it; ``lost``: how many answers are
    lost while the note is drawn in.
    """

    face: str
    mended: bool
    lost: int


@dataclass(frozen=True, slots=True)
class Deciding:
    """What the caller wants of the note in escrow, what becomes of that request, and how many seconds then pass."""

    command: CashCommand
    aim: Aim
    seconds: float


@dataclass(frozen=True, slots=True)
class Visit:
    """One note from the hand to wherever it ends. ``before`` it is decided about and ``after``; then ``seconds`` pass,
    and the caller puts on ``record`` what it is told, or does not.
    """

    coming: Coming
    before: Mishap
    deciding: Deciding
    after: Mishap
    seconds: float
    record: bool


COMING = st.builds(
    Coming, st.sampled_from(["20 EUR", "5 EUR"]), st.sampled_from([True, True, False]), st.sampled_from([0, 0, 1, 3])
)
DECIDING = st.builds(
    Deciding,
    st.sampled_from([CashCommand.STACK, CashCommand.STACK, CashCommand.STACK, CashCommand.RETURN]),
    st.sampled_from([Aim.NOTHING, Aim.NOTHING, *Aim]),
    st.sampled_from([0.01, 0.1, 0.3, 0.5, 1.5, 4.0]),
)
VISIT = st.builds(
    Visit, COMING, st.sampled_from([Mishap.NOTHING] * 6 + [*Mishap]), DECIDING,
    st.sampled_from([Mishap.NOTHING, *Mishap]), st.sampled_from([0.1, 0.5, 2.0, 6.0]), st.booleans(),
)  # fmt: skip
