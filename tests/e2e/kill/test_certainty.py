"""Where a death leaves a doubt, and where it must not: validators without a counter, and a device that dies too.

A terminal's death alone leaves none, with or without a counter: the device keeps running, gives back what is still in
escrow, and holds its stacked event until it is acknowledged, which only happens with the outcome on record. When the
device loses its power as well, it forgets that event. Then the counter decides; and without one, a note whose stacking
was intended and whose path is empty can be in the box or in the customer's hand: that alone is in doubt.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import cast

import pytest

from guichet.v1 import journal_pb2
from kiosk.workbench.stack import Stack
from tests.e2e.kill.support import (
    Nursery,
    agree,
    an_account,
    host_and_cash,
    in_the_box,
    incidents,
    slow_cash,
    written,
)

FIRST_NOTE = "20.00 EUR"
STACK_SENT = "after write STACK when ESCROW, note 1"
BEGIN, END = "before commit StackIntended 1", "after commit NoteCleared 1"

Start = Callable[[bool], Stack]


@pytest.fixture
def start(run_dir: Path) -> Iterator[Start]:
    """Starts a host and a validator, with or without a counter."""
    with ExitStack() as running:

        def starting(counter: bool) -> Stack:
            base = Path(tempfile.mkdtemp(prefix="kill-", dir=run_dir))
            return running.enter_context(host_and_cash(base, counter=counter))

        yield starting


def counters(stack: Stack) -> list[int]:
    """Every count that the device gave of itself."""
    facts = (journal_pb2.DeviceAnswered, journal_pb2.BoxPeriodOpened, journal_pb2.NoteCleared)
    told = [fact for fact in written(stack) if isinstance(fact, facts)]
    return [fact.stacked_counter for fact in told if fact.HasField("stacked_counter")]


def test_a_death_leaves_no_doubt_where_the_device_lives_on_also_without_a_counter(
    start: Start, counted: Callable[[str], None]
) -> None:
    stack = start(False)
    account = an_account(stack)
    nursery = Nursery(stack, account)
    not_reached: list[str] = []
    try:
        agree(stack, account, nursery.begin(""))
        passed = cast("list[str]", nursery.go_on("go")["passed"])
        assert nursery.hear() == {"ended": 0}
        about_the_note = passed[passed.index(BEGIN) : passed.index(END) + 1]
        points = [point for point in about_the_note if " send " not in point]  # What is sent knows of no counter.
        kept_from = points.index(STACK_SENT)
        recovered = nursery.begin(points[0])
        for number, point in enumerate(points):
            before = in_the_box(stack)
            said = nursery.go_on("go")
            if "passed" in said:
                not_reached.append(point)
                said = nursery.hear()
            assert said == {"ended": 0 if point in not_reached else -9}, point
            recovered = nursery.begin(points[number + 1] if number + 1 < len(points) else "")
            agree(stack, account, recovered)
            if " POLL " not in point:  # How often it is polled, and when first, depends on timing.
                assert in_the_box(stack) - before == Counter([FIRST_NOTE] if number >= kept_from else []), point
        assert nursery.go_on("stop") == {"ended": 0}
    finally:
        nursery.close()
    assert counters(stack) == []
    assert incidents(stack) == []
    counted(f"killed at {len(points)} points; of these not reached again: {not_reached}")
    assert not [point for point in not_reached if " POLL " not in point]
    assert len([point for point in points if " commit " in point]) >= 8


class Fate(Enum):
    """What the books say of the first note."""

    RETURNED = auto()
    CREDITED = auto()
    IN_DOUBT = auto()


@dataclass(frozen=True, slots=True)
class Cut:
    """A death of both: the terminal's at ``point``, the device's power when it has come to ``state``. Then what must
    be on record of the note, by a device with a counter and by one without.
    """

    point: str
    state: str
    counted: Fate
    uncounted: Fate


CUTS = (
    Cut("after commit NoteEscrowed 1", "escrow", Fate.RETURNED, Fate.RETURNED),
    Cut("after commit StackIntended 1", "escrow", Fate.RETURNED, Fate.RETURNED),
    Cut(STACK_SENT, "stacking", Fate.CREDITED, Fate.CREDITED),
    Cut(STACK_SENT, "stacked", Fate.CREDITED, Fate.IN_DOUBT),
    Cut("before commit NoteStacked 1", "stacked", Fate.CREDITED, Fate.IN_DOUBT),
    Cut("after commit NoteStacked 1", "stacked", Fate.CREDITED, Fate.CREDITED),
    Cut("before commit NoteCleared 1", "", Fate.CREDITED, Fate.CREDITED),
)


@pytest.mark.parametrize("counter", [True, False], ids=["with a counter", "without a counter"])
def test_a_death_with_the_device_leaves_a_doubt_only_without_a_counter_and_with_an_empty_path(
    start: Start, counter: bool
) -> None:
    stack = start(counter)
    account = an_account(stack)
    nursery = Nursery(stack, account)
    in_doubt = Counter[str]()
    try:
        agree(stack, account, nursery.begin(CUTS[0].point))
        for number, cut in enumerate(CUTS):
            fate, before = cut.counted if counter else cut.uncounted, in_the_box(stack)
            die_with_the_device(stack, nursery, cut)
            recovered = nursery.begin(CUTS[number + 1].point if number + 1 < len(CUTS) else "")
            in_doubt += Counter([FIRST_NOTE] if fate is Fate.IN_DOUBT else [])
            agree(stack, account, recovered, in_doubt)
            inside = in_the_box(stack) - before
            assert inside == Counter([] if fate is Fate.RETURNED else [FIRST_NOTE]), cut
        assert nursery.go_on("stop") == {"ended": 0}
    finally:
        nursery.close()
    assert incidents(stack) == []
    assert bool(counters(stack)) is counter
    reasons = [fact.reason for fact in written(stack) if isinstance(fact, journal_pb2.NoteInDoubt)]
    assert reasons == ["stack-intended-path-empty"] * in_doubt.total()
    assert in_doubt.total() == (0 if counter else 2)


def die_with_the_device(stack: Stack, nursery: Nursery, cut: Cut) -> None:
    with ExitStack() as pace:
        if cut.state == "stacking":
            pace.enter_context(slow_cash(stack))
        assert nursery.go_on("go") == {"ended": -9}, cut
        if cut.state:
            stack.tell("cash", f"wait {cut.state}")
        stack.tell("cash", "power off")
    stack.tell("cash", "power on")
