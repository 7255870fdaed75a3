"""The host's calendar: which day it is in the books, by the host's clock and the bank's time zone."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from guichet.seams import Clock


@dataclass(frozen=True, slots=True)
class Calendar:
    """The bank's days. ``zone`` is an IANA name, such as Europe/Riga."""

    clock: Clock
    zone: str = "UTC"

    def today(self) -> datetime.date:
        """The day in the books now."""
        return self.day_of(self.clock.wall_us())

    def day_of(self, wall_us: int) -> datetime.date:
        """The bank's day at a moment, in microseconds since 1970."""
        return datetime.datetime.fromtimestamp(wall_us // 1_000_000, ZoneInfo(self.zone)).date()


def in_words(wall_us: int, zone: str = "UTC") -> str:
    """A moment for people: 2026-01-31 14:05:09 in ``zone``."""
    return datetime.datetime.fromtimestamp(wall_us // 1_000_000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")
