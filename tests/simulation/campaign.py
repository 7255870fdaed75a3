"""Many worlds, spread over the cores, and what they come to together."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from multiprocessing import get_context

from tests.simulation.world import Outcome, Stage, plan_for
from tests.start_up_table import CELLS

_CHUNK = 4
_SHOW_SECONDS = 5.0
MANY_SEEDS = 20_000
_FEW = 8


@dataclass(slots=True)
class Tally:
    """``cpu_seconds``: of the workers together. ``failed``: seed and first wrong."""

    seeds: int = 0
    deposits: int = 0
    notes: int = 0
    credited: int = 0
    in_doubt: int = 0
    found: int = 0
    boxes: int = 0
    closed: int = 0
    records: int = 0
    alone: int = 0
    lives: int = 0
    retirements: int = 0
    virtual_seconds: float = 0.0
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    happened: Counter[str] = field(default_factory=Counter[str])
    cells: Counter[str] = field(default_factory=Counter[str])
    deaths: Counter[str] = field(default_factory=Counter[str])
    failed: dict[int, str] = field(default_factory=dict[int, str])

    def add(self, outcome: Outcome) -> None:
        """One more world."""
        self.seeds += 1
        self.deposits += outcome.deposits
        self.notes += outcome.notes
        self.credited += outcome.credited
        self.in_doubt += outcome.in_doubt
        self.found += outcome.found
        self.boxes += outcome.boxes
        self.closed += outcome.closed
        self.records += outcome.records
        self.alone += outcome.alone
        self.lives += outcome.lives
        self.retirements += outcome.retirements
        self.virtual_seconds += outcome.virtual_seconds
        self.happened += outcome.happened
        self.cells += outcome.cells
        self.deaths += outcome.deaths
        if outcome.wrongs:
            self.failed[outcome.plan.seed] = outcome.wrongs[0]

    def join(self, other: Tally) -> None:
        """What another worker has found."""
        counted = "seeds deposits notes credited in_doubt found boxes closed records lives alone retirements"
        for name in counted.split():
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.virtual_seconds += other.virtual_seconds
        self.cpu_seconds += other.cpu_seconds
        self.happened += other.happened
        self.cells += other.cells
        self.deaths += other.deaths
        self.failed.update(other.failed)

    @property
    def never(self) -> list[str]:
        """Cells of the start-up table that nobody has asked for."""
        return [cell for cell in CELLS if not self.cells[cell]]

    @property
    def is_narrow(self) -> bool:
        """So many worlds must have been everywhere: a cell that none has reached is a defect of the simulator."""
        return self.seeds >= MANY_SEEDS and bool(self.never)

    def as_json(self) -> str:
        """For scripts: one line."""
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        counters = {"happened": dict(self.happened), "cells": dict(self.cells), "deaths": dict(self.deaths)}
        return json.dumps({**told, **counters, "never": self.never})

    def words(self) -> str:
        """For the end of a run."""
        faults = ", ".join(f"{name} {count}" for name, count in self.happened.most_common())
        minutes = max(self.wall_seconds, 0.001) / 60
        lines = [
            f"{self.seeds} seeds, {self.deposits} deposits, {self.alone} of them begun without the host; "
            f"{self.notes} notes: {self.credited} credited, {self.in_doubt} in doubt, "
            f"{self.found} found; {self.boxes} boxes counted, which has credited {self.closed}; "
            f"{self.records} records, {self.lives} lives, "
            f"{self.retirements} times old records went",
            f"faults: {faults}",
            f"cells of the start-up table reached: {len(CELLS) - len(self.never)} of {len(CELLS)}"
            + (f"; never: {', '.join(self.never[:_FEW])}" if self.never else "")
            + (f" and {len(self.never) - _FEW} more (--json has them all)" if len(self.never) > _FEW else ""),
            f"what was last on record of the note when a life ended: {self._deaths()}",
            f"{self.virtual_seconds / 3600:.1f} hours of theirs in {minutes:.1f} minutes "
            f"({self.virtual_seconds / 3600 / minutes:.1f} hours a minute); "
            f"{self.deposits / max(self.cpu_seconds, 0.001):.1f} deposits a second of one core",
        ]
        return "\n".join(lines)

    def _deaths(self) -> str:
        """With or without power, wherever the paper was: that is in the JSON."""
        records = Counter[str]()
        for moment, count in self.deaths.items():
            records[moment.rpartition(", ")[2].removeprefix("record: ")] += count
        return ", ".join(f"{record} {count}" for record, count in records.most_common())


_stage: Stage | None = None


def _take_stage() -> None:
    global _stage  # One a worker process, made when it begins.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _stage = Stage().__enter__()


def _some(seeds: range) -> Tally:
    if _stage is None:
        raise RuntimeError("the worker has no stage")
    return _on(_stage, seeds)


def _on(stage: Stage, seeds: range) -> Tally:
    tally, began = Tally(), time.process_time()
    for seed in seeds:
        tally.add(stage.run(plan_for(seed)))
    tally.cpu_seconds = time.process_time() - began
    return tally


def run(seeds: range, workers: int, *, stop_at: int = 1, show: Callable[[Tally], None] | None = None) -> Tally:
    """Every world of ``seeds``, unless ``stop_at`` of them have failed before. ``show`` is told now and then."""
    whole, began, shown = Tally(), time.monotonic(), time.monotonic()
    with _tallies(seeds, workers) as tallies:
        for tally in tallies:
            whole.join(tally)
            whole.wall_seconds = time.monotonic() - began
            if show is not None and time.monotonic() - shown >= _SHOW_SECONDS:
                shown = time.monotonic()
                show(whole)
            if len(whole.failed) >= stop_at:
                break
    return whole


@contextmanager
def _tallies(seeds: range, workers: int) -> Generator[Iterator[Tally]]:
    """What becomes of ``seeds``, some at a time: in processes of their own where there are several."""
    if workers == 1:
        with Stage() as stage:
            yield (_on(stage, range(seed, seed + 1)) for seed in seeds)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_take_stage) as pool:
        try:
            yield pool.map(_some, list(_chunks(seeds)))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _chunks(seeds: range) -> Iterator[range]:
    for begin in range(0, len(seeds), _CHUNK):
        yield seeds[begin : begin + _CHUNK]


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
