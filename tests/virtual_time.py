"""An event loop whose time passes only when nothing else is left to do, and then at once."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class NothingLeft(RuntimeError):
    """Everybody waits for something that will never happen."""


class _Selector(selectors.DefaultSelector):
    """Never waits: where the loop would, time jumps."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events and timeout != 0:
            if timeout is None:
                raise NothingLeft("every task waits, and no timer is set")
            self.now += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """Seconds begin at 0 and cost nothing."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)
        # A timer is due when the clock says so, not a nanosecond later: the clock has no noise.
        self._clock_resolution = 1e-9
        # What debug mode looks for are callbacks that take long by a clock that here stands still; it only costs.
        self.set_debug(False)

    def time(self) -> float:
        return self._virtual.now


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` on a loop of its own; what it leaves behind is cancelled."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.close()
