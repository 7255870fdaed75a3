"""Follows a device's line for somebody at the other end of a socket, who may be slower than the line."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType

from drivers.transport.recorder import Tape, gap
from drivers.transport.recording import Header, Moment, head_lines, moment_line

BATCH_BYTES = 256 << 10
"""So much goes in one message, or one line; gRPC refuses messages of more than 4 MiB."""
MOST_WAITING_BYTES = 1 << 20
"""More does not wait for whoever does not read: the better part of an hour of an idle validator."""
_LINE_COSTS = 64
"""Bytes that a line takes in memory beside its text."""


class LineFollower:
    """A :class:`drivers.transport.recorder.Listener`: a recording's lines, what is kept first. Use it with ``with``."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._waiting: deque[str] = deque()
        self._bytes = 0
        self._missed = 0
        self._something = asyncio.Event()

    def __enter__(self) -> LineFollower:
        self._so_far = self._tape.so_far()
        self._stop = self._tape.listen(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def kept(self) -> Iterator[list[str]]:
        """What was kept when this began, in batches; one that is empty, where nothing was. It can be had once."""
        so_far, self._so_far = self._so_far, None
        if so_far is None:
            yield []
            return
        yield list(head_lines(so_far.header))
        yield from _batches(moment_line(moment) for moment in so_far.moments)

    async def more(self) -> list[str]:
        """A batch of the lines since then, at least one; waits for it."""
        await self._something.wait()
        batch = list(self._taken())
        if not self._waiting:
            self._something.clear()
        return batch

    def _taken(self) -> Iterator[str]:
        """Takes lines away for as long as another one fits into a batch."""
        taken = 0
        while self._waiting and (not taken or taken + len(self._waiting[0]) <= BATCH_BYTES):
            line = self._waiting.popleft()
            self._bytes -= len(line) + _LINE_COSTS
            taken += len(line)
            yield line

    def began(self, header: Header) -> None:
        """Another connection. Whoever has not even taken the last one's lines begins with this one."""
        if self._missed or self._bytes >= MOST_WAITING_BYTES:
            self._waiting.clear()
            self._bytes = self._missed = 0
        self._put(*head_lines(header))

    def heard(self, moment: Moment) -> None:
        """A moment; when too much waits, it is only counted."""
        if self._bytes >= MOST_WAITING_BYTES:
            self._missed += 1
            return
        if self._missed:
            self._put(moment_line(gap(moment.at, self._missed)))
            self._missed = 0
        self._put(moment_line(moment))

    def _put(self, *lines: str) -> None:
        self._waiting += lines
        self._bytes += sum(len(line) + _LINE_COSTS for line in lines)
        self._something.set()


def _batches(lines: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for line in lines:
        if batch and size + len(line) > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch
