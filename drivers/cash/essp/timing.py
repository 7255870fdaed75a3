"""How long things may take on an SSP line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. ``answer``: how long an answer may take; then the same bytes go out again, at most ``repeats`` times.
    ``quiet``: between the end of one exchange and the next. ``hold``: between two HOLDs, of which a note in escrow
    needs one every ten seconds; ``hold_at_most``: after that the device is left to give the note back; ``unheld``: by
    then it has done so. ``fate``: a note that was to move and of which nothing more is said has arrived. ``waking``:
    how long a device that was reset may take before it says what became of a note.
    """

    poll: float = 0.2
    answer: float = 1.0
    repeats: int = 20
    quiet: float = 0.02
    hold: float = 2.0
    hold_at_most: float = 120.0
    unheld: float = 12.0
    fate: float = 5.0
    waking: float = 3.0
