"""A terminal whose clock is hours off: ``python -P odd_terminal.py CONFIG HOURS``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from guichet.system import SystemClock
from kiosk.terminal.config import load_config
from kiosk.terminal.main import Terminal
from kiosk.terminal.seams import Seams

_HOUR_US = 3600 * 1_000_000


async def serve(config: Path, hours: int) -> None:
    """Until SIGTERM."""
    await Terminal(load_config(config), Seams(clock=SystemClock(hours * _HOUR_US))).run()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
