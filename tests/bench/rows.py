"""What a benchmark finds: our figures beside those of a baseline, taken in turns, and what they come to. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from statistics import median


class Better(Enum):
    """Which way is better."""

    LESS = "less"
    MORE = "more"


@dataclass(frozen=True, slots=True)
class Measure:
    """What is measured. ``target``: what the ratio to the baseline must not be worse than; None: it is only shown.
    ``baseline``: in a few words, what it is compared with. ``limit``: what limits our figure.
    """

    name: str
    what: str
    unit: str
    baseline: str
    target: float | None = None
    better: Better = Better.LESS
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """One repetition: ours and the baseline's, measured right after one another. ``counts``: how much each side did of
    what must be equal on both, as polls; equal counts are what makes the two comparable.
    """

    ours: float
    baseline: float
    counts: tuple[int, int] = (0, 0)

    @property
    def ratio(self) -> float:
        """Ours to the baseline's."""
        return self.ours / self.baseline


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. The ratio is the median of the repetitions' own ratios: what made the machine slow in one of
    them made both sides slow.
    """

    measure: Measure
    pairs: tuple[Pair, ...]
    also: tuple[tuple[str, float], ...] = field(default=())

    @property
    def value(self) -> float:
        """Ours, the median."""
        return median(pair.ours for pair in self.pairs)

    @property
    def baseline(self) -> float:
        """The baseline's, the median."""
        return median(pair.baseline for pair in self.pairs)

    @property
    def ratio(self) -> float:
        """Ours to the baseline's."""
        return median(pair.ratio for pair in self.pairs)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest ratio of a repetition."""
        ratios = [pair.ratio for pair in self.pairs]
        return min(ratios), max(ratios)

    @property
    def met(self) -> bool:
        """Whether the target is met; true where there is none."""
        target = self.measure.target
        if target is None:
            return True
        return self.ratio <= target if self.measure.better is Better.LESS else self.ratio >= target
