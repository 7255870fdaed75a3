"""Plays a device's part from a recording: the bytes that it sent then, when the driver says what it said then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from drivers.errors import TransportError
from drivers.transport.recording import Diverged, Mark, Moment, NotPlayable, Recording


class PlayerTransport:
    """A :class:`drivers.transport.api.ByteTransport` that is a recording.

    What the device said comes once everything that had been written before it then is written again, and not earlier
    than then. The first byte written that differs ends the line with :class:`drivers.errors.TransportError`
    (``diverged``), and :attr:`diverged` says how. Past its end the line stays silent, or hangs up where it did then.
    ``sleep`` waits so many seconds. Raises
    :class:`drivers.transport.recording.NotPlayable` for a recording that is not whole.
    """

    def __init__(self, recording: Recording, sleep: Callable[[float], Awaitable[None]]) -> None:
        if not recording.whole:
            raise NotPlayable("the recording is not whole: something is missing or withheld")
        self._device = recording.header.device
        self._moments: list[Moment] = [
            moment
            for moment in recording.moments
            if moment.mark is Mark.CLOSED or (moment.mark in (Mark.SENT, Mark.RECEIVED) and moment.data)
        ]
        self._sleep = sleep
        self._at = 0
        self._written = 0
        self._time = self._moments[0].at if self._moments else 0.0
        self._moved = asyncio.Event()
        self._closed = False
        self.finished = asyncio.Event()
        self.diverged: Diverged | None = None

    async def read(self) -> bytes:
        """What the device said then."""
        while True:
            self._raise_if_over()
            moment = self._next()
            if moment is not None and moment.mark is Mark.RECEIVED:
                wait, self._time = moment.at - self._time, moment.at
                await self._sleep(max(0.0, wait))
                self._step_on()
                return moment.data
            if moment is not None and moment.mark is Mark.CLOSED:
                self._step_on()
                raise TransportError(self._device, "hung-up", "the recording ends here")
            self._moved.clear()
            await self._moved.wait()

    def write(self, data: bytes) -> None:
        """Compare ``data`` with what was written then."""
        self._raise_if_over()
        for at, byte in enumerate(data):
            expected = self._next()
            if expected is None or expected.mark is not Mark.SENT or expected.data[self._written] != byte:
                raise self._diverge(data, at, expected)
            self._written += 1
            if self._written == len(expected.data):
                self._step_on()
                self._time = expected.at
        self._moved.set()

    def _diverge(self, data: bytes, at: int, expected: Moment | None) -> TransportError:
        said = "nothing more" if expected is None else f"{expected.mark.value} {expected.data.hex(' ').upper()}"
        self.diverged = Diverged(
            f"moment {self._at + 1}: recorded {said}, now > {data.hex(' ').upper()} (byte {at + 1})"
        )
        self._moved.set()
        return TransportError(self._device, "diverged", str(self.diverged))

    async def drained(self) -> None:
        """Nothing ever waits."""

    def close(self) -> None:
        """Give the line up."""
        self._closed = True
        self._moved.set()

    def _next(self) -> Moment | None:
        return self._moments[self._at] if self._at < len(self._moments) else None

    def _step_on(self) -> None:
        self._at, self._written = self._at + 1, 0
        following = self._next()
        if following is None or following.mark is Mark.CLOSED:
            self.finished.set()

    def _raise_if_over(self) -> None:
        if self._closed:
            raise TransportError(self._device, "closed")
        if self.diverged is not None:
            raise TransportError(self._device, "diverged", str(self.diverged))
