"""Questions to the printer over an open line, each with its deadline. One at a time: the caller holds the turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from drivers.api.printer import PrinterState
from drivers.errors import NoAnswer
from drivers.printer.escpos.status import (
    CLEAR_BUFFERS,
    Answer,
    Cleared,
    Fact,
    Information,
    Processed,
    Query,
    StatusByte,
    Transmitted,
    decode,
    identity_request,
    process_id_request,
    split_answers,
    status_request,
)
from drivers.transport.api import ByteTransport

_T = TypeVar("_T", bound=Answer)
_PROBE = b"?id?"
_QUIET_SECONDS = 0.1
_MOST_WAITING = 64


class Exchange:
    """Asks and listens. ``done`` is set by an answer that :meth:`expect_done` was told to wait for, whenever it comes.

    Every method raises :class:`drivers.errors.NoAnswer` when its time is over, and
    :class:`drivers.errors.TransportError` when the line is gone.
    """

    def __init__(self, device: str, transport: ByteTransport) -> None:
        self._device = device
        self._transport = transport
        self._rest = b""
        self._waiting: deque[Answer] = deque(maxlen=_MOST_WAITING)
        self._is_done: Callable[[Answer], bool] = _is_transmitted
        self._late = False
        self.done = False

    async def status(self, seconds: float) -> PrinterState:
        """DLE EOT 1 to 4, one after the other: the four answers look alike, so that only their order tells which is
        which. ``seconds`` for all of them.
        """
        try:
            async with asyncio.timeout(seconds):
                if self._late:
                    await self._quiet()
                self._late = True
                values = [await self._real_time(query) for query in Query]
                self._late = False
        except TimeoutError as error:
            raise NoAnswer(self._device, "no-answer", f"no status within {seconds:g} s") from error
        return decode(*values)

    async def identify(self, fact: Fact, seconds: float) -> str:
        """What the printer says to GS I; only a printer that is online answers it."""
        self._forget()
        self._transport.write(identity_request(fact))
        return (await self._next(Information, seconds)).text

    async def knows_process_ids(self, seconds: float) -> bool:
        """Whether the printer answers GS ( H."""
        self._forget()
        self._transport.write(process_id_request(_PROBE))
        try:
            await self._next(Processed, seconds)
        except NoAnswer:
            return False
        return True

    async def clear(self, seconds: float) -> bool:
        """Make the printer forget what it has not printed. False for one that does not confirm it."""
        self._forget()
        self._transport.write(CLEAR_BUFFERS)
        try:
            await self._next(Cleared, seconds)
        except NoAnswer:
            return False
        return True

    async def send(self, data: bytes, seconds: float) -> None:
        """Hand ``data`` to the line; a printer that takes nothing for ``seconds`` has stalled."""
        self._transport.write(data)
        try:
            async with asyncio.timeout(seconds):
                await self._transport.drained()
        except TimeoutError as error:
            raise NoAnswer(self._device, "stalled", f"took no data for {seconds:g} s") from error

    def expect_done(self, process_id: bytes | None) -> None:
        """From now on, ``done`` tells whether this process id came back; without one, whether GS r was answered."""
        self._forget()
        self.done = False
        if process_id is None:
            self._is_done = _is_transmitted
        else:
            expected = Processed(process_id)
            self._is_done = lambda answer: answer == expected

    async def wait_done(self, seconds: float) -> bool:
        """Listen until :attr:`done`, at most for ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                while not self.done:
                    await self._listen()
        except TimeoutError:
            return False
        return True

    async def _quiet(self) -> None:
        """An answer that came after its deadline must not be taken for the next one's: let everything come in."""
        try:
            while True:
                async with asyncio.timeout(_QUIET_SECONDS):
                    await self._listen()
        except TimeoutError:
            return

    async def _real_time(self, query: Query) -> int:
        self._forget()
        self._transport.write(status_request(query))
        while True:
            for answer in self._taken():
                if isinstance(answer, StatusByte):
                    return answer.value
            await self._listen()

    async def _next(self, kind: type[_T], seconds: float) -> _T:
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for answer in self._taken():
                        if isinstance(answer, kind):
                            return answer
                    await self._listen()
        except TimeoutError as error:
            raise NoAnswer(self._device, "no-answer", f"no {kind.__name__} within {seconds:g} s") from error

    async def _listen(self) -> None:
        answers, self._rest = split_answers(self._rest + await self._transport.read())
        self.done = self.done or any(self._is_done(answer) for answer in answers)
        self._waiting += answers

    def _taken(self) -> list[Answer]:
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def _forget(self) -> None:
        self._waiting.clear()


def _is_transmitted(answer: Answer) -> bool:
    return isinstance(answer, Transmitted)
