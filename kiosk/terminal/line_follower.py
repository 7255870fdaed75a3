"""Follows a device's line for somebody at the other end of a socket, who may be slower than the line."""

from __future__ import annotations

import asyncio
from types import TracebackType

from drivers.transport.recorder import Tape, gap
from drivers.transport.recording import Header, Moment, head_lines, moment_line

MOST_WAITING = 8192


class LineFollower:
    """A :class:`drivers.transport.recorder.Listener`: a recording's lines, what is kept first. Use it with ``with``."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._waiting: list[str] = []
        self._missed = 0
        self._something = asyncio.Event()

    def __enter__(self) -> LineFollower:
        so_far = self._tape.so_far()
        self.kept: list[str] = []
        if so_far is not None:
            self.kept += [*head_lines(so_far.header), *(moment_line(moment) for moment in so_far.moments)]
        self._stop = self._tape.listen(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    async def more(self) -> list[str]:
        """The lines since the last call, at least one; waits for it."""
        await self._something.wait()
        self._something.clear()
        lines, self._waiting = self._waiting, []
        return lines

    def began(self, header: Header) -> None:
        """Another connection. Whoever has not even taken the last one's lines begins with this one."""
        if self._missed:
            self._waiting, self._missed = [], 0
        self._put(*head_lines(header))

    def heard(self, moment: Moment) -> None:
        """A moment; when too many wait, it is only counted."""
        if len(self._waiting) >= MOST_WAITING:
            self._missed += 1
            return
        if self._missed:
            self._put(moment_line(gap(moment.at, self._missed)))
            self._missed = 0
        self._put(moment_line(moment))

    def _put(self, *lines: str) -> None:
        self._waiting += lines
        self._something.set()
