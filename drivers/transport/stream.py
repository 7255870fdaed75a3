"""A transport over any non-blocking file descriptor: the ground of serial ports, ptys and sockets alike."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from typing import NoReturn

from drivers.errors import TransportError

_CHUNK = 4096
_MAX_WAITING = 64 * 1024


class DescriptorTransport:
    """A :class:`drivers.transport.api.ByteTransport` on a descriptor that is already non-blocking.

    Reads and writes happen in the loop's own readiness callbacks: no thread stands between a device's byte and the
    journal. ``on_close`` releases whatever owns the descriptor.
    """

    def __init__(self, device: str, descriptor: int, on_close: Callable[[], None]) -> None:
        self._device = device
        self._descriptor = descriptor
        self._on_close = on_close
        self._loop = asyncio.get_running_loop()
        self._received = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._failure: TransportError | None = None
        self._closed = False
        self._listener: Callable[[bytes], None] | None = None
        self._loop.add_reader(descriptor, self._readable)

    async def read(self) -> bytes:
        """The bytes that came, at least one."""
        while not self._incoming:
            if self._failure is not None:
                raise self._failure
            self._received.clear()
            await self._received.wait()
        data = bytes(self._incoming)
        self._incoming.clear()
        return data

    async def listen(self, received: Callable[[bytes], None]) -> NoReturn:
        """Hand what comes to ``received`` in the loop's own readiness callback."""
        try:
            while True:
                received(await self.read())  # What has come before; then only the end of the line ends the wait.
                self._listener = received
        finally:
            self._listener = None

    def write(self, data: bytes) -> None:
        """Put ``data`` on the line now, or as soon as it takes them."""
        if self._failure is not None:
            raise self._failure
        if len(self._outgoing) + len(data) > _MAX_WAITING:
            raise TransportError(self._device, "stalled", f"{len(self._outgoing)} bytes wait and the device takes none")
        if not self._outgoing:
            data = data[self._take(data) :]
            if not data or self._failure is not None:
                return
            self._empty.clear()
            self._loop.add_writer(self._descriptor, self._writable)
        self._outgoing += data

    async def drained(self) -> None:
        """Returns when nothing waits to be written."""
        await self._empty.wait()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Give the line up; whoever still reads gets a ``closed`` error."""
        if not self._closed:
            self._fail(TransportError(self._device, "closed"))
            self._closed = True
            self._on_close()

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(self._hung_up(error))
            return
        if not data:
            self._fail(TransportError(self._device, "hung-up", "the other end closed"))
            return
        if self._listener is not None:
            self._listener(data)
            return
        self._incoming += data
        self._received.set()

    def _writable(self) -> None:
        del self._outgoing[: self._take(self._outgoing)]
        if not self._outgoing:
            self._loop.remove_writer(self._descriptor)
            self._empty.set()

    def _take(self, data: bytes | bytearray) -> int:
        """Give the line what it takes of ``data``: how many bytes."""
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._fail(self._hung_up(error))
            return 0

    def _hung_up(self, error: OSError) -> TransportError:
        name = errno.errorcode.get(error.errno or 0, "unknown")
        failure = TransportError(self._device, "hung-up", name)
        failure.__cause__ = error
        return failure

    def _fail(self, failure: TransportError) -> None:
        if self._failure is not None:
            return
        self._failure = failure
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_writer(self._descriptor)
        self._received.set()
        self._empty.set()
