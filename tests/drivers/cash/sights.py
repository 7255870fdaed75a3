"""What the days at random had in them, so that rules that never met a note do not pass for proof."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from enum import Enum


class Sight(Enum):
    """Something that a run must have met. A held event is one that the device repeats until it is acknowledged."""

    ESCROWED = "a note in escrow was told"
    STACK_SENT = "a STACK was sent"
    STACK_UNANSWERED = "a STACK was sent, and it or its answer never arrived whole"
    STACKED = "a note in the box was told"
    REPEATED = "a note in the box was told, not acknowledged, and told again"
    ACKNOWLEDGED = "a note in the box was told, acknowledged, and let go"
    RETURNED = "a note that went back was told"
    POWER_CUT_INSIDE = "the device lost its power with a note between mouth and box"
    KILLED_INSIDE = "the caller was killed with a note between mouth and box"
    KILLED_UNRECORDED = "the caller was killed with a note in the box that it had not on record"
    FOUND_STACKED = "the first answer after a restart told a note in the box"


class Tally:
    """In how many examples of a run each was met."""

    def __init__(self) -> None:
        self.examples = 0
        self.met: Counter[Sight] = Counter()

    def add(self, seen: Collection[Sight]) -> None:
        """One example is over, and these were met in it."""
        self.examples += 1
        self.met.update(set(seen))

    def rare(self, least: int, *, never: Collection[Sight] = ()) -> dict[str, int]:
        """What was met in fewer than ``least`` examples, and in how many; ``never``: what this protocol cannot meet."""
        return {sight.value: self.met[sight] for sight in Sight if sight not in never and self.met[sight] < least}
