"""One timer that is moved again and again: the time of a machine on the event loop."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable


class Alarm:
    """Calls ``ring``, which must not raise, when the time has come that was last set, on the clock ``monotonic``.

    A task that waits with a time-out would cost two more turns of the loop for every poll of every device.
    """

    def __init__(self, monotonic: Callable[[], float], ring: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._monotonic = monotonic
        self._ring = ring
        self._context = contextvars.copy_context()  # Else the loop would copy it for every timer.
        self._at: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set(self, at: float | None) -> None:
        """Ring at ``at`` and at no other time, at once where it has passed; None: never."""
        if at == self._at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._at, self._timer = at, None
        if at is not None:
            # The loop's clock is read last: a microsecond too late does no harm, one too early costs another turn.
            when = at + (-self._monotonic() + self._loop.time())
            self._timer = self._loop.call_at(when, self._go_off, context=self._context)

    def stop(self) -> None:
        """Do not ring."""
        self.set(None)

    def _go_off(self) -> None:
        self._at = self._timer = None
        self._ring()
