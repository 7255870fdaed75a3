"""An alarm rings when it was last set to, once, on the clock it was given."""

from __future__ import annotations

import asyncio

from drivers.cash.alarm import Alarm
from tests.virtual_time import run_virtually


class Bell:
    """Rings by an alarm, on a clock that is 1000 seconds ahead of the loop's."""

    def __init__(self) -> None:
        self.rang: list[float] = []
        self.alarm = Alarm(self.now, lambda: self.rang.append(self.now()))

    @staticmethod
    def now() -> float:
        return asyncio.get_running_loop().time() + 1000.0


def test_it_rings_when_it_was_last_set_to_and_only_then() -> None:
    async def scene() -> list[float]:
        bell = Bell()
        bell.alarm.set(1002.0)
        bell.alarm.set(1004.0)
        bell.alarm.set(1003.0)
        await asyncio.sleep(10)
        return bell.rang

    assert run_virtually(scene()) == [1003.0]


def test_a_time_that_has_passed_rings_at_once_and_the_same_time_can_be_set_again() -> None:
    async def scene() -> list[float]:
        bell = Bell()
        for _ in range(2):
            bell.alarm.set(999.0)
            await asyncio.sleep(1)
        return bell.rang

    assert run_virtually(scene()) == [1000.0, 1001.0]


def test_one_that_is_stopped_or_set_to_never_does_not_ring() -> None:
    async def scene() -> list[float]:
        first, second = Bell(), Bell()
        for bell in (first, second):
            bell.alarm.set(1001.0)
        first.alarm.stop()
        second.alarm.set(None)
        await asyncio.sleep(5)
        return first.rang + second.rang

    assert run_virtually(scene()) == []
