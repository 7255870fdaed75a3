"""How long things may take on a CCNET line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. ``answer``: how long an answer may take: 10 ms by the specification, but converters stall, and units in
    the field take more than a second over their note table. ``quiet``: between the end of one exchange and the next.
    ``late``: how much longer an answer may still be under way; it does not say what it answers. ``after_damage``: the
    same where a damaged frame came, which was the answer, or noise before it. ``stale``: after an answer that did not
    come, for so long any that comes may be to an earlier question, for a line that stands still gives back all at once.
    ``lost``: silence after which the device counts as gone (protocols/ccnet, section 3); polls that it refuses or
    garbles count as silence. ``refused``: the longest pause between such polls once it is gone; ``reluctant``: between
    two questions who it is, to one that will not say.

    ``resets``: before the first RESET of a device that sticks, the second and the third; ``power_up``: between two that
    are to wake one.

    How long a state may last that passes by itself (protocols/ccnet, section 5): ``initialises``: 13; ``moves``: 15 and
    17; ``leaves``: 18, a note that a customer may take his time to take: whoever sees to that must come first, who
    knows whose it is; ``passes``: any other; ``restless``: all of them in a row.
    """

    poll: float = 0.2
    answer: float = 1.5
    quiet: float = 0.02
    late: float = 1.0
    after_damage: float = 0.25
    stale: float = 10.0
    lost: float = 5.0
    refused: float = 5.0
    reluctant: float = 60.0
    resets: tuple[float, ...] = (10.0, 30.0, 90.0)
    power_up: float = 5.0
    initialises: float = 40.0
    moves: float = 30.0
    leaves: float = 120.0
    passes: float = 30.0
    restless: float = 240.0
