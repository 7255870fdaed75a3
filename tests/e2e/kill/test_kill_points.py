"""The terminal is killed before and after every device write, journal commit and stream send of a deposit.

After each death the next life recovers; then what the host booked and what the journal says must be exactly what lies
in the simulated box, nothing may be in doubt (CCNET gives certainty at every one of these points, because the device
itself keeps running), and nothing may be open.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
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


@pytest.fixture
def stack(run_dir: Path) -> Iterator[Stack]:
    with host_and_cash(Path(tempfile.mkdtemp(prefix="kill-", dir=run_dir))) as running:
        yield running


MID_STACK = "after write STACK when ESCROW, note 1"


def test_a_death_at_any_point_of_a_deposit_loses_and_doubles_no_note(
    stack: Stack, counted: Callable[[str], None]
) -> None:
    account = an_account(stack)
    nursery = Nursery(stack, account)
    try:
        agree(stack, account, nursery.begin(""))
        points = cast("list[str]", nursery.go_on("go")["passed"])
        assert nursery.hear() == {"ended": 0}
        assert in_the_box(stack) == {"20.00 EUR": 1, "50.00 EUR": 1}
        not_reached: list[str] = []
        for point in points:
            agree(stack, account, nursery.begin(point))
            said = nursery.go_on("go")
            if "passed" in said:
                not_reached.append(point)
                said = nursery.hear()
            assert said == {"ended": 0 if point in not_reached else -9}, point
        agree(stack, account, nursery.begin(""))
        assert nursery.go_on("stop") == {"ended": 0}
    finally:
        nursery.close()
    assert incidents(stack) == []
    kinds = Counter(point.split()[1] for point in points)
    counted(f"killed at {len(points)} points: {dict(kinds)}; of these not reached again: {not_reached}")
    # What the money hangs on is reached every time; only how often it is polled and batched depends on timing.
    assert not [point for point in not_reached if " commit " in point or " STACK " in point or " RETURN " in point]
    assert kinds["write"] > 40
    assert kinds["commit"] > 30
    assert kinds["send"] > 10


def test_a_death_at_any_point_of_the_recovery_loses_and_doubles_no_note(
    stack: Stack, counted: Callable[[str], None]
) -> None:
    """The terminal dies with a note on its way to the box, and then once more while it recovers from that."""
    account = an_account(stack)
    nursery = Nursery(stack, account)

    def die_in_mid_stack() -> None:
        agree(stack, account, nursery.begin(MID_STACK))
        assert nursery.go_on("go") == {"ended": -9}

    try:
        die_in_mid_stack()
        recovered = cast("dict[str, object]", nursery.begin_counting("")["recovered"])
        agree(stack, account, recovered)
        assert nursery.go_on("stop") == {"ended": 0}
        points = cast("list[str]", recovered["passed"])
        not_reached: list[str] = []
        for point in points:
            die_in_mid_stack()
            if nursery.begin_counting(point) != {"ended": -9}:
                not_reached.append(point)
                assert nursery.go_on("stop") == {"ended": 0}
        agree(stack, account, nursery.begin(""))
        assert nursery.go_on("stop") == {"ended": 0}
    finally:
        nursery.close()
    assert incidents(stack) == []
    kinds = Counter(point.split()[1] for point in points)
    counted(f"killed again at {len(points)} points of recovery: {dict(kinds)}; not reached again: {not_reached}")
    assert not [point for point in not_reached if " commit " in point]
    assert kinds["commit"] > 10
    assert kinds["write"] > 10


def test_a_note_that_still_moves_when_the_next_life_begins_is_credited_once(stack: Stack) -> None:
    """Above, the device is done before the next life asks. Here it is slow, and the first answer is that it stacks."""
    account = an_account(stack)
    nursery = Nursery(stack, account)
    try:
        agree(stack, account, nursery.begin(MID_STACK))
        with slow_cash(stack):
            assert nursery.go_on("go") == {"ended": -9}
            agree(stack, account, nursery.begin(""))
        assert nursery.go_on("stop") == {"ended": 0}
    finally:
        nursery.close()
    assert in_the_box(stack) == {"20.00 EUR": 1}
    answers = [fact.presence for fact in written(stack) if isinstance(fact, journal_pb2.DeviceAnswered)]
    assert journal_pb2.DEVICE_PRESENCE_MOVING in answers
    assert incidents(stack) == []
