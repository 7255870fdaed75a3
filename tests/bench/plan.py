"""How a run of the benchmarks is made, and what a bench is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.bench.rows import Row


@dataclass(frozen=True, slots=True)
class Plan:
    """``repetitions``: how often ours and the baseline take turns. ``scale``: 1.0 is a whole measurement; a smaller one
    is shorter and worth less. ``only``: names of rows, or their beginnings up to a slash; empty: all. ``tell``:
    progress.
    """

    repetitions: int
    scale: float
    only: tuple[str, ...]
    tell: Callable[[str], None]

    def wants(self, name: str) -> bool:
        """Whether the row is to be measured."""
        return not self.only or any(name == only or name.startswith(f"{only}/") for only in self.only)

    def seconds(self, whole: float) -> float:
        """How long what takes ``whole`` seconds is done."""
        return whole * self.scale

    def times(self, whole: int) -> int:
        """How often what is done ``whole`` times is done."""
        return max(1, round(whole * self.scale))


@dataclass(frozen=True, slots=True)
class Bench:
    """Some rows that are measured together. ``run`` yields those that the plan wants, and raises
    :class:`tests.bench.errors.BenchError` where nothing can be measured.
    """

    names: tuple[str, ...]
    run: Callable[[Plan], Iterator[Row]]
