"""What went over a line, as its far end saw it, and the exchanges that this amounts to."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Passed:
    """Bytes at a time, by CLOCK_MONOTONIC, which all processes share. ``answer``: from the device; stamped just before
    the one write that puts all of it on the line.
    """

    at: float
    answer: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer, empty where it has none. ``at``: when the request came; ``pause``: seconds since
    whatever went over the line before.
    """

    at: float
    pause: float
    request: bytes
    answer: bytes


def exchanges(log: Sequence[Passed]) -> tuple[Exchange, ...]:
    """The exchanges of a log, in order."""
    found: list[Exchange] = []
    last = log[0].at if log else 0.0
    for passed in log:
        if passed.answer:
            before = found.pop()
            found.append(Exchange(before.at, before.pause, before.request, before.answer + passed.data))
        else:
            found.append(Exchange(passed.at, passed.at - last, passed.data, b""))
        last = passed.at
    return tuple(found)


def within(trace: Sequence[Exchange], begin: float, end: float) -> range:
    """Which exchanges began in that time."""
    times = [exchange.at for exchange in trace]
    return range(bisect_right(times, begin), bisect_right(times, end))


def answer_before(log: Sequence[Passed], moment: float) -> float:
    """When the last answer before ``moment`` was put on the line."""
    return max(passed.at for passed in log if passed.answer and passed.at <= moment)
