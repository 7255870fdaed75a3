"""Fifty devices, ten of each kind, each on a pty of its own, with all their drivers in one process.

What one device costs there is compared with what it costs alone in a process: the same five kinds, one process each.
First all of them are idle; then each takes notes, as customers come one after the other, while a timer of 10 ms looks
how late the event loop is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median, quantiles

from tests.bench.cash import far, near
from tests.bench.cash.latency import latencies
from tests.bench.cash.pairs import DRIVERS, Line, did, driven, heard, watched
from tests.bench.cash.trace import Passed
from tests.bench.errors import BenchError
from tests.bench.plan import Bench, Plan
from tests.bench.rows import Better, Measure, Pair, Row
from tests.bench.sides import Side

DEVICES = 50
_SECONDS = 5.0
_NOTES_ALONE = 10
_APART = 0.05
_PERCENT = 100
_MILLI = 1000

_CPU = Measure(
    "fifty-devices/cpu", "CPU of the process, a device, idle", "% core", "the same devices, a process each", 1.5,
    limit="nothing grows with their number; caches stay warm",
)  # fmt: skip
_POLLS = Measure(
    "fifty-devices/polls", "polls answered, a second and a device", "1/s", "the same devices, a process each", 0.95,
    Better.MORE, "the interval itself",
)  # fmt: skip
_LATENCY = Measure(
    "fifty-devices/latency", "stacked event, wire to handler (median)", "us", "the same devices, a process each", 2.0,
    limit="events of other devices that are handled first",
)  # fmt: skip
_LAG = Measure(
    "fifty-devices/lag", "how late a timer of 10 ms is (p99)", "ms", "the same devices, a process each",
    limit="the machine: whoever else wants its cores",
)  # fmt: skip
_MEASURES = (_CPU, _POLLS, _LATENCY, _LAG)


@dataclass(frozen=True, slots=True)
class Seen:
    """What some devices in some processes came to. ``cpu``: percent of a core a device; ``polls``: answered, a second
    and a device; ``latencies`` in microseconds, ``lags`` in milliseconds; ``stacked``: notes.
    """

    cpu: float
    polls: float
    latencies: tuple[float, ...]
    lags: tuple[float, ...]
    stacked: int


def run(plan: Plan) -> Iterator[Row]:
    """The rows that the plan wants; they are all measured at once."""
    wanted = [measure for measure in _MEASURES if plan.wants(measure.name)]
    turns: list[tuple[Seen, Seen]] = []
    devices = max(len(DRIVERS), plan.times(DEVICES // len(DRIVERS)) * len(DRIVERS))
    for turn in range(plan.repetitions if wanted else 0):
        plan.tell(f"fifty-devices: turn {turn + 1} of {plan.repetitions}")
        together = _see([[Line(DRIVERS[n % len(DRIVERS)]) for n in range(devices)]], 1, plan)
        alone = _see([[Line(driver)] for driver in DRIVERS], plan.times(_NOTES_ALONE), plan)
        turns.append((together, alone))
    for measure in wanted:
        yield _row(measure, turns)


def _see(processes: Sequence[list[Line]], notes: int, plan: Plan) -> Seen:
    """One measurement of ``processes``, side by side: first idle, then with notes."""
    with ExitStack() as open_:
        sides = [open_.enter_context(driven(lines)) for lines in processes]
        idle = _watch(sides, near.Watch(plan.seconds(_SECONDS)))
        for _, there in sides:
            there.tell(far.Insert(notes, _APART))
        busy = _watch(sides, near.Watch(plan.seconds(_SECONDS), notes, lags=True))
        logs = [heard(there) for _, there in sides]
    if any(one.lost for one in busy):
        raise BenchError("a device was lost")
    devices = sum(len(lines) for lines in processes)
    return Seen(
        sum(one.cpu / (one.end - one.begin) for one in idle) / devices * _PERCENT,
        sum(_polls_a_second(*each) for each in zip(processes, idle, logs, strict=True)) / devices,
        tuple(late for one, lines in zip(busy, logs, strict=True) for late in _latencies(one, lines)),
        tuple(lag * _MILLI for one in busy for lag in one.lags),
        sum(len(stacked) for one in busy for stacked in one.stacked),
    )


def _watch(sides: Sequence[tuple[Side, Side]], task: near.Watch) -> list[near.Watched]:
    for here, _ in sides:
        here.tell(task)
    return [watched(here, task) for here, _ in sides]


def _polls_a_second(lines: Sequence[Line], seen: near.Watched, logs: Sequence[tuple[Passed, ...]]) -> float:
    polls = sum(did(line, seen, log).polls for line, log in zip(lines, logs, strict=True))
    return polls / (seen.end - seen.begin)


def _latencies(seen: near.Watched, logs: Sequence[tuple[Passed, ...]]) -> list[float]:
    return [late for log, moments in zip(logs, seen.stacked, strict=True) for late in latencies(log, moments)]


def _row(measure: Measure, turns: Sequence[tuple[Seen, Seen]]) -> Row:
    if measure is _CPU:
        return Row(measure, tuple(Pair(seen.cpu, alone.cpu) for seen, alone in turns))
    if measure is _POLLS:
        return Row(measure, tuple(Pair(seen.polls, alone.polls) for seen, alone in turns))
    if measure is _LATENCY:
        pairs = tuple(Pair(median(seen.latencies), median(alone.latencies)) for seen, alone in turns)
        return Row(measure, pairs, (("stacked", sum(seen.stacked for seen, _ in turns)),))
    lags = [(quantiles(seen.lags, n=100)[-1], quantiles(alone.lags, n=100)[-1]) for seen, alone in turns]
    worst = (("max", max(lag for seen, _ in turns for lag in seen.lags)),)
    return Row(measure, tuple(Pair(*each) for each in lags), worst)


BENCH = Bench(tuple(measure.name for measure in _MEASURES), run)
