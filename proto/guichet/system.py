"""The seams as this machine has them. The one module of the kernel that is not pure."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from guichet.ids import make_id
from guichet.seams import Clock, Random


class SystemClock:
    """The machine's clocks, with the wall's shifted by ``offset_us`` (what the host said that it is off by)."""

    def __init__(self, offset_us: int = 0) -> None:
        self._offset_us = offset_us

    def wall_us(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1000 + self._offset_us

    def monotonic(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()


class SystemBootClock:
    """Linux's own: ``/proc/sys/kernel/random/boot_id`` and CLOCK_BOOTTIME."""

    def boot_id(self) -> str:
        """The kernel's id of this boot. Raises OSError where it does not tell."""
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()

    def since_boot_us(self) -> int:
        """Microseconds of CLOCK_BOOTTIME."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class SystemRandom:
    """The operating system's random bytes."""

    def bytes(self, count: int) -> bytes:
        """``count`` bytes fit for keys."""
        return secrets.token_bytes(count)


class SystemIds:
    """Ids from a clock and a source of randomness."""

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._random = random

    def new(self) -> str:
        """A new id."""
        return make_id(self._clock.wall_us(), self._random.bytes(10))
