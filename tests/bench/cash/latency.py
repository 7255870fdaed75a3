"""From a stacked event on the wire to the event in the caller's hands; a bare pyserial loop's last byte is in hand.

The clock starts right before the write that puts the device's whole answer on the line, in the device's process, and
stops in the caller's handler, in the driver's; both read CLOCK_MONOTONIC. For the loop it stops when the last byte of
the same answer has been read. So both figures contain the write, the pty and the waking of a process; ours contains a
turn of the event loop, the frame, the message and the machine besides. Polls come every 10 ms, on both sides, so that a
run has hundreds of events. At the normal interval caches are colder, on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median, quantiles

from tests.bench.cash import far, near
from tests.bench.cash.pairs import DRIVERS, Driven, Line, did, driven, heard, repeated, repeating, watch
from tests.bench.cash.trace import Passed, answer_before
from tests.bench.plan import Bench, Plan
from tests.bench.rows import Measure, Pair, Row

_NOTES = 40
_POLL_MS = "10"
_TARGET = 5.0
_MICRO = 1_000_000


def _name(driver: str) -> str:
    return f"stacked-latency/{driver}"


def run(plan: Plan) -> Iterator[Row]:
    """The rows of the drivers that the plan wants."""
    for driver in DRIVERS:
        if plan.wants(_name(driver)):
            yield _row(driver, plan)


def _row(driver: str, plan: Plan) -> Row:
    ours: list[float] = []
    theirs: list[float] = []
    pairs: list[Pair] = []
    for turn in range(plan.repetitions):
        plan.tell(f"{_name(driver)}: turn {turn + 1} of {plan.repetitions}")
        found = _drive(driver, plan.times(_NOTES))
        mine, other = latencies(found.log, found.watched.stacked[0]), _repeat(found)
        pairs.append(Pair(median(mine), median(other), (len(mine), len(other))))
        ours += mine
        theirs += other
    measure = Measure(
        _name(driver), "stacked event, wire to handler (median)", "us", "bare pyserial loop, last byte in hand",
        _TARGET,
        limit="waking the process; then frame, message and machine",
    )  # fmt: skip
    p95 = tuple((name, _p95(values)) for name, values in (("p95", ours), ("baseline p95", theirs)))
    return Row(measure, tuple(pairs), p95)


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1] if len(values) > 1 else values[0]


def _drive(driver: str, notes: int) -> Driven:
    line = Line(driver, {"poll_ms": _POLL_MS})
    with driven([line]) as (here, there):
        there.tell(far.Insert(notes))
        seen = watch(here, near.Watch(0.0, notes))
        return did(line, seen, heard(there)[0])


def _repeat(before: Driven) -> list[float]:
    times = [answer_before(before.log, moment) for moment in before.watched.stacked[0]]
    asked = {exchange.at: number for number, exchange in enumerate(before.trace)}
    stamped = frozenset(asked[max(at for at in asked if at <= time)] for time in times)
    with repeating(before, stamped) as (here, there):
        said = repeated(before, here, there)
    return latencies(said.log, said.repeated.stamps)


def latencies(log: tuple[Passed, ...], moments: tuple[float, ...]) -> list[float]:
    """Microseconds from the answer on the line to each of ``moments``."""
    return [(moment - answer_before(log, moment)) * _MICRO for moment in moments]


BENCH = Bench(tuple(_name(driver) for driver in DRIVERS), run)
