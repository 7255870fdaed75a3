"""The terminal's log: one JSON object a line, events with ids. Secrets have types that print as stars; nothing else of
a card or a customer is ever passed here.
"""

from __future__ import annotations

import json
import sys
from typing import TextIO

from guichet.ids import TerminalId
from guichet.seams import Clock

Loggable = str | int | float | bool | None


class EventLog:
    """Writes events to a stream (standard error unless told otherwise, where systemd's journal takes them)."""

    def __init__(self, clock: Clock, terminal: TerminalId, stream: TextIO | None = None) -> None:
        self._clock = clock
        self._terminal = terminal
        self._stream = stream if stream is not None else sys.stderr

    def event(self, name: str, **facts: Loggable) -> None:
        """One event, such as ``device.lost`` with ``device`` and ``code``."""
        line = {"at_us": self._clock.wall_us(), "event": name, "terminal": self._terminal, **facts}
        print(json.dumps(line, ensure_ascii=False), file=self._stream, flush=True)
