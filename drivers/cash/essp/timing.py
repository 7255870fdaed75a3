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

    ``anew``: the longest pause before one that answers, but nothing of use, is asked again; longer than the time of
    escrow, which every question begins anew. ``tries``: encrypted ones in a row, to one that answers none.
    ``kept``: after that a note that was to be given back, and lies in escrow still, is a jam.

    How long a state may last that passes by itself (the manual gives no times): ``starts``: F1, B6 and B0; ``moves``:
    EF 00 and CC; ``leaves``: ED, a note that a customer may take his time to take: whoever sees to that must come
    first, who knows whose it is; ``restless``: all of them in a row.
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
    anew: float = 15.0
    tries: int = 3
    kept: float = 45.0
    starts: float = 40.0
    moves: float = 30.0
    leaves: float = 120.0
    restless: float = 240.0
