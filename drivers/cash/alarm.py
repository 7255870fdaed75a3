"""One timer that is moved again and again: the time of a machine on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls ``ring`` when the time has come that was last set; ``monotonic`` is the clock, in seconds.

    A task that waits with a time-out costs two more turns of the loop for every poll of every device.
    """

    def __init__(self, monotonic: Callable[[], float], ring: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._monotonic = monotonic
        self._ring = ring
        self._at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._failed: asyncio.Future[None] = self._loop.create_future()

    def set(self, at: float | None) -> None:
        """Ring at ``at`` and at no other time, at once where it has passed; None: never."""
        if at == self._at:
            return
        self.stop()
        if at is not None:
            self._at, self._timer = at, self._loop.call_later(max(0.0, at - self._monotonic()), self._go_off)

    def stop(self) -> None:
        """Do not ring."""
        if self._timer is not None:
            self._timer.cancel()
        self._at = self._timer = None

    async def failure(self) -> None:
        """Waits for ever; raises what ``ring`` raised."""
        await self._failed

    def _go_off(self) -> None:
        self._at = self._timer = None
        try:
            self._ring()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # It ends the task that waits for it, as if it had been raised there.
            if not self._failed.done():
                self._failed.set_exception(error)
