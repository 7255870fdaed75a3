"""How long to wait before the next try: each time twice as long, up to a limit, and not all terminals at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from guichet.seams import Random


@dataclass(frozen=True, slots=True)
class Backoff:
    """``first`` and ``longest`` waits, in seconds."""

    first: float
    longest: float

    def after(self, last: float | None) -> float:
        """The wait that follows one of ``last`` seconds; None: the first."""
        return self.first if last is None else min(max(last * 2, self.first), self.longest)


def jittered(seconds: float, random: Random) -> float:
    """Between half and all of ``seconds``: terminals that lost one host do not all come back at one moment."""
    return seconds * (0.5 + random.bytes(1)[0] / 512)
