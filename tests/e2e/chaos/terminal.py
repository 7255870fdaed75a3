"""The terminal, with a clock that can be moved under it: ``python -P terminal.py CONFIG FILE``, where the file has the
hours by which it is off and may change at any time. All else is that of ``guichet-kiosk terminal``.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from guichet.system import SystemClock
from kiosk.journal.faults import JournalError
from kiosk.terminal.config import load_config
from kiosk.terminal.main import run_terminal
from kiosk.terminal.seams import Seams

_HOUR_US = 3600 * 1_000_000


class MovedClock:
    """The machine's clocks, with the wall's off by what a file says now."""

    def __init__(self, hours: Path) -> None:
        self._hours = hours
        self._clock = SystemClock()

    def wall_us(self) -> int:
        """Microseconds since 1970-01-01 UTC, as somebody has set the clock."""
        return self._clock.wall_us() + int(self._hours.read_text(encoding="utf-8")) * _HOUR_US

    def monotonic(self) -> float:
        """Seconds of the monotonic clock, which nobody can set."""
        return self._clock.monotonic()


def main(config: Path, hours: Path) -> int:
    """Be the terminal until SIGTERM. 1: another process has the journal."""
    try:
        asyncio.run(run_terminal(load_config(config), Seams(clock=MovedClock(hours))))
    except JournalError as error:
        print(f"out of service: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
