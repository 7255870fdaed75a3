"""How long things may take on a CCNET line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. ``answer``: how long an answer may take; the specification's 10 ms plus what USB-serial adds.
    ``slow_answer``: the same for identification and note table, which units in the field take long over. ``quiet``:
    between the end of one exchange and the next. ``late``: how long an answer that was missed may still be under way;
    it does not say what it answers. ``lost``: silence after which the device counts as gone.
    """

    poll: float = 0.2
    answer: float = 0.25
    slow_answer: float = 1.5
    quiet: float = 0.02
    late: float = 2.0
    lost: float = 5.0
    reset_again: float = 10.0
