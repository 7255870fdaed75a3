"""The one shape of a wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NoReturn, Protocol, runtime_checkable


class ByteTransport(Protocol):
    """An open line to a device. Errors are :class:`drivers.errors.TransportError`, never the library's own."""

    async def read(self) -> bytes:
        """The bytes that came, at least one; waits for them. Raises when the line is gone."""
        ...

    def write(self, data: bytes) -> None:
        """Put all of ``data`` on the line, in order. Never blocks the loop; raises when the line is gone or the
        device takes nothing any more (64 KiB waiting).
        """
        ...

    async def drained(self) -> None:
        """Returns when everything written has left this process."""
        ...

    def close(self) -> None:
        """Give the line up. May be called twice."""
        ...


@runtime_checkable
class DirectTransport(ByteTransport, Protocol):
    """A line that can hand over what comes in the very turn of the loop in which it comes. A wrapper need not: then it
    is read, one turn later (see :func:`drivers.transport.listen.listen`).
    """

    async def listen(self, received: Callable[[bytes], None]) -> NoReturn:
        """Hand what comes to ``received``, which must not raise, until cancelled; raises when the line is gone."""
        ...


OpenTransport = Callable[[str], Awaitable[ByteTransport]]
"""Opens an address (see :func:`drivers.transport.open_address`); passed in, so that tests and recorders can stand
between."""
