"""How long things may take on an ID-003 line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds; the specification's own values are not published, these cover what public drivers use (protocols/id003,
    section 3). ``answer``: how long an answer may take. ``quiet``: between the end of one exchange and the next.
    ``late``: how much longer an answer may still be under way; it does not say what it answers. ``after_damage``: the
    same where a damaged frame came, which was the answer, or noise before it. ``lost``: silence after which the device
    counts as gone. ``reset_again``: between two attempts to free a stuck one; ``power_up``: to wake one.
    ``passing``: how long a state that passes by itself is waited for when the device comes back.
    """

    poll: float = 0.2
    answer: float = 1.5
    quiet: float = 0.05
    late: float = 1.0
    after_damage: float = 0.25
    lost: float = 8.0
    reset_again: float = 10.0
    power_up: float = 5.0
    passing: float = 30.0
