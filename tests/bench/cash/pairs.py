"""A driver and a bare loop in turns, each against a far end of its own, with the same bytes on the line."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.cash import far, loop, near
from tests.bench.cash.trace import Exchange, Passed, exchanges, within
from tests.bench.sides import Side

DRIVERS = ("ccnet", "id003", "essp", "cctalk", "cctalk-coin")
_START_SECONDS = 60.0
_GRACE_SECONDS = 120.0
_PACE = 0.02
_WARM_UP = 5


@dataclass(frozen=True, slots=True)
class Driven:
    """What a driver did while it was watched: everything that passed, and which exchanges of it count."""

    name: str
    watched: near.Watched
    log: tuple[Passed, ...]
    trace: tuple[Exchange, ...]
    measured: range

    @property
    def polls(self) -> int:
        """How many questions were answered while it was watched. CCNET's acknowledgements are no questions."""
        return sum(1 for number in self.measured if self.trace[number].answer)


@dataclass(frozen=True, slots=True)
class Line:
    """A device and its driver. ``device``: a subject of the conformance suite, which is also the driver's name."""

    device: str
    options: Mapping[str, str] = field(default_factory=dict[str, str])


@contextmanager
def driven(lines: Sequence[Line]) -> Generator[tuple[Side, Side]]:
    """Drivers in one process, enabled, and their devices in another: near side, far side."""
    with ExitStack() as open_:
        place = Path(open_.enter_context(TemporaryDirectory()))
        links = [place / str(number) for number in range(len(lines))]
        devices = tuple(far.Simulated(line.device, link, _PACE) for line, link in zip(lines, links, strict=True))
        there = open_.enter_context(Side(far.be, devices))
        there.hear(far.Standing, _START_SECONDS)
        attached = (near.Attached(line.device, link, line.options) for line, link in zip(lines, links, strict=True))
        here = open_.enter_context(Side(near.be, tuple(attached)))
        here.hear(far.Standing, _START_SECONDS)
        yield here, there


def watch(here: Side, task: near.Watch) -> near.Watched:
    """What the near side says when it has watched."""
    here.tell(task)
    return watched(here, task)


def watched(here: Side, task: near.Watch) -> near.Watched:
    """The same, of a watch that has begun already."""
    return here.hear(near.Watched, task.seconds + _GRACE_SECONDS)


def heard(there: Side) -> tuple[tuple[Passed, ...], ...]:
    """What the far side says passed; it ends."""
    there.tell(far.Finish())
    return there.hear(far.Log, _GRACE_SECONDS).lines


def did(line: Line, seen: near.Watched, log: tuple[Passed, ...]) -> Driven:
    """What the driver of ``line`` did meanwhile."""
    trace = exchanges(log)
    return Driven(line.device, seen, log, trace, within(trace, seen.begin, seen.end))


@dataclass(frozen=True, slots=True)
class Said:
    """What a bare loop did, and the answers that it got."""

    repeated: loop.Repeated
    log: tuple[Passed, ...]


@contextmanager
def repeating(before: Driven, stamped: frozenset[int] = frozenset()) -> Generator[tuple[Side, Side]]:
    """A bare loop that says what the driver said while it was watched, and a little before: near side, far side."""
    begin = max(0, before.measured.start - _WARM_UP)
    trace = before.trace[begin : before.measured.stop]
    measured = range(before.measured.start - begin, len(trace))
    with ExitStack() as open_:
        link = Path(open_.enter_context(TemporaryDirectory())) / "line"
        there = open_.enter_context(Side(far.be, (far.Again(link, trace),)))
        there.hear(far.Standing, _START_SECONDS)
        task = loop.Repeat(link, before.name, trace, measured, frozenset(number - begin for number in stamped))
        yield open_.enter_context(Side(loop.be, task)), there


def repeated(before: Driven, here: Side, there: Side) -> Said:
    """What both ends say when the loop is through."""
    took = before.log[-1].at - before.log[0].at
    done = here.hear(loop.Repeated, took + _GRACE_SECONDS)
    return Said(done, heard(there)[0])
