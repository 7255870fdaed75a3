"""Days and times for people, from the clock that was passed in."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from kiosk.terminal.dates import days_ago, expired, stamp, today
from tests.kiosk.terminal.standing import Clock


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.wall = int(datetime(2026, 3, 1, 0, 30, tzinfo=UTC).timestamp()) * 1_000_000
    return clock


def test_the_day_and_the_time_are_those_of_the_clock(clock: Clock) -> None:
    assert today(clock) == date(2026, 3, 1)
    assert days_ago(clock, 30) == date(2026, 1, 30)
    assert stamp(clock) == "2026-03-01 00:30 UTC"


@pytest.mark.parametrize(
    ("expiry", "over"),
    [("2602", True), ("2603", False), ("2512", True), ("2712", False), ("", False), ("26", False), ("xxxx", False)],
)
def test_a_card_is_good_to_the_end_of_its_month_and_the_host_decides_about_the_rest(
    clock: Clock, expiry: str, over: bool
) -> None:
    assert expired(expiry, clock) is over
