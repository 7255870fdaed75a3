"""Keeps what goes over a line: always the beginning of the connection and the latest minutes, and, for whoever listens,
all of it. It changes nothing about the line, and costs an entry in a list for each read and write.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn, Protocol, runtime_checkable

from drivers.api.device import DeviceIdentity
from drivers.transport.api import ByteTransport, OpenTransport
from drivers.transport.listen import listen
from drivers.transport.recording import Header, Mark, Moment, Recording, identity_moment

FIRST = 256
"""Moments kept of the beginning of a connection, where devices are identified and keys agreed on."""
LATEST = 4096
"""Moments kept of the latest time: some minutes of an idle validator."""
FIRST_BYTES, LATEST_BYTES = 256 << 10, 2 << 20
"""And no more than so many bytes of each, whatever a device babbles."""
PIECE = 16 << 10
"""What is written at once and is longer is kept as several moments."""


@runtime_checkable
class StepWitness(Protocol):
    """A line that also keeps what a driver's machine was given, so that a recording can be replayed exactly."""

    def step(self, at: float, text: str) -> None:
        """The machine was given ``text`` (see :mod:`drivers.cash.replay`) at ``at``."""
        ...


class Listener(Protocol):
    """Who wants to hear everything. It must not raise and must not wait: it is called between a device's byte and the
    journal.
    """

    def began(self, header: Header) -> None:
        """A connection begins."""
        ...

    def heard(self, moment: Moment) -> None:
        """Something happened on it."""
        ...


class Tape:
    """What went over one device's line.

    Until :meth:`reveal` it keeps how many bytes there were and none of them: a PIN pad's line carries card numbers.
    ``header`` says whose line it is, asked at the beginning of each connection; ``identity`` who the device is by now.
    """

    def __init__(self, header: Callable[[], Header], identity: Callable[[], DeviceIdentity | None]) -> None:
        self._make_header = header
        self._identity = identity
        self._header: Header | None = None
        self._known: DeviceIdentity | None = None
        self._first: list[Moment] = []
        self._latest: deque[Moment] = deque()
        self._first_bytes = self._latest_bytes = 0
        self._lost = 0
        self._revealed = False
        self._listeners: list[Listener] = []

    def reveal(self) -> None:
        """There are no secrets on this line: keep the bytes."""
        self._revealed = True

    def begin(self) -> None:
        """A connection begins: what was kept of the one before is forgotten."""
        self._header = self._make_header()
        self._known = self._header.identity
        self._first.clear()
        self._latest.clear()
        self._first_bytes = self._latest_bytes = 0
        self._lost = 0
        for listener in self._listeners:
            listener.began(self._header)

    def note(self, moment: Moment) -> None:
        """Something happened. That nothing was written is nothing."""
        if moment.mark in (Mark.SENT, Mark.RECEIVED) and not moment.data:
            return
        if moment.data and not self._revealed:
            moment = replace(moment, data=b"", withheld=len(moment.data))
        if len(moment.data) <= PIECE:
            self._keep(moment)
        else:
            for at in range(0, len(moment.data), PIECE):
                self._keep(replace(moment, data=moment.data[at : at + PIECE]))
        identity = self._identity()
        if identity is not None and identity != self._known:
            self._known = identity
            self._keep(identity_moment(moment.at, identity))

    def _keep(self, moment: Moment) -> None:
        size = _size(moment)
        if not self._latest and len(self._first) < FIRST and self._first_bytes + size <= FIRST_BYTES:
            self._first.append(moment)
            self._first_bytes += size
        else:
            self._latest.append(moment)
            self._latest_bytes += size
            while len(self._latest) > LATEST or self._latest_bytes > LATEST_BYTES:
                self._latest_bytes -= _size(self._latest.popleft())
                self._lost += 1
        for listener in self._listeners:
            listener.heard(moment)

    def so_far(self) -> Recording | None:
        """What is kept of this connection, or of the last one; None: there was none yet."""
        if self._header is None:
            return None
        moments = list(self._first)
        if self._lost:
            moments.append(gap((moments or self._latest)[-1].at, self._lost))
        return Recording(self._header, (*moments, *self._latest))

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell ``listener`` everything from now on; the answer ends it."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop


def _size(moment: Moment) -> int:
    return len(moment.data) + len(moment.text)


def gap(at: float, count: int) -> Moment:
    """``count`` moments are missing here."""
    return Moment(at, Mark.GAP, text=f"{count} moments are not kept")


class RecordedTransport:
    """A :class:`drivers.transport.api.ByteTransport` and :class:`StepWitness` around another transport."""

    def __init__(self, inner: ByteTransport, tape: Tape, monotonic: Callable[[], float]) -> None:
        self._inner = inner
        self._tape = tape
        self._monotonic = monotonic
        self._open = True
        tape.begin()

    async def read(self) -> bytes:
        """The bytes that came, at least one."""
        data = await self._inner.read()
        self._tape.note(Moment(self._monotonic(), Mark.RECEIVED, data))
        return data

    async def listen(self, received: Callable[[bytes], None]) -> NoReturn:
        """Hand what comes to ``received``, as directly as the line can give it."""

        def heard(data: bytes) -> None:
            self._tape.note(Moment(self._monotonic(), Mark.RECEIVED, data))
            received(data)

        await listen(self._inner, heard)

    def write(self, data: bytes) -> None:
        """Put ``data`` on the line."""
        self._inner.write(data)
        self._tape.note(Moment(self._monotonic(), Mark.SENT, data))

    async def drained(self) -> None:
        """Returns when everything written has left this process."""
        await self._inner.drained()

    def close(self) -> None:
        """Give the line up."""
        self._inner.close()
        if self._open:
            self._open = False
            self._tape.note(Moment(self._monotonic(), Mark.CLOSED))

    def step(self, at: float, text: str) -> None:
        """The driver's machine was given ``text``."""
        self._tape.note(Moment(at, Mark.STEP, text=text))


def recorded(open_transport: OpenTransport, tape: Tape, monotonic: Callable[[], float]) -> OpenTransport:
    """Opens what ``open_transport`` opens, with ``tape`` running."""

    async def open_recorded(address: str) -> ByteTransport:
        return RecordedTransport(await open_transport(address), tape, monotonic)

    return open_recorded
