"""How long things may take on a CCNET line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. ``answer``: how long an answer may take: 10 ms by the specification, but converters stall, and units in
    the field take more than a second over their note table. ``quiet``: between the end of one exchange and the next.
    ``late``: how much longer an answer may still be under way; it does not say what it answers. ``after_damage``: the
    same where a damaged frame came, which was the answer, or noise before it. ``lost``: silence after which the device
    counts as gone. ``reset_again``: between two attempts to free a stuck one; ``power_up``: to wake one.
    """

    poll: float = 0.2
    answer: float = 1.5
    quiet: float = 0.02
    late: float = 1.0
    after_damage: float = 0.25
    lost: float = 8.0
    reset_again: float = 10.0
    power_up: float = 5.0
