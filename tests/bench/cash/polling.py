"""CPU of a driver that polls at its normal interval, against a bare pyserial loop that sends the same polls.

Each driver is alone in its process, and so is each loop; all CPU of that process, user and system, counts while it is
watched. The drivers run side by side, then the loops: every one of them sleeps for more than 99 % of the time, and what
counts is CPU, not time. At that pace caches are cold whenever a poll is due, for both sides: a loop that polls faster
costs less a poll, and would show a better ratio, but nobody polls so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from tests.bench.cash import near
from tests.bench.cash.pairs import DRIVERS, Driven, Line, did, driven, heard, repeated, repeating, watched
from tests.bench.plan import Bench, Plan
from tests.bench.rows import Measure, Pair, Row

_SECONDS = 10.0
_TARGET = 2.0
_THOUSAND = 1000
_LIMITS = {
    "ccnet": "two turns of the event loop, with cold caches, and two writes on both sides",
    "id003": "two turns of the event loop, with cold caches",
    "essp": "CRC and AES of every answer; the loop seals its polls and opens no answer",
    "cctalk": "two turns of the event loop, with cold caches",
    "cctalk-coin": "two turns of the event loop, with cold caches",
}


def _name(driver: str) -> str:
    return f"poll-cpu/{driver}"


def run(plan: Plan) -> Iterator[Row]:
    """The rows of the drivers that the plan wants."""
    drivers = [driver for driver in DRIVERS if plan.wants(_name(driver))]
    pairs: dict[str, list[Pair]] = {driver: [] for driver in drivers}
    for turn in range(plan.repetitions if drivers else 0):
        plan.tell(f"poll-cpu: turn {turn + 1} of {plan.repetitions}")
        found = _drive([Line(driver) for driver in drivers], plan.seconds(_SECONDS))
        for one, pair in zip(found, _compare(found), strict=True):
            pairs[one.name].append(pair)
    for driver in drivers:
        measure = Measure(
            _name(driver), "CPU of 1000 polls at the normal interval", "ms", "bare pyserial loop, the same polls",
            _TARGET, limit=_LIMITS[driver],
        )  # fmt: skip
        yield Row(measure, tuple(pairs[driver]))


def _drive(lines: list[Line], seconds: float) -> list[Driven]:
    task = near.Watch(seconds)
    with ExitStack() as open_:
        sides = [open_.enter_context(driven([line])) for line in lines]
        for here, _ in sides:
            here.tell(task)
        seen = [watched(here, task) for here, _ in sides]
        return [did(line, one, heard(there)[0]) for line, one, (_, there) in zip(lines, seen, sides, strict=True)]


def _compare(found: list[Driven]) -> list[Pair]:
    with ExitStack() as open_:
        sides = [open_.enter_context(repeating(one)) for one in found]
        pairs: list[Pair] = []
        for one, side in zip(found, sides, strict=True):
            said = repeated(one, *side).repeated
            ours = one.watched.cpu / one.polls * _THOUSAND * 1000
            pairs.append(Pair(ours, said.cpu / said.polls * _THOUSAND * 1000, (one.polls, said.polls)))
        return pairs


BENCH = Bench(tuple(_name(driver) for driver in DRIVERS), run)
