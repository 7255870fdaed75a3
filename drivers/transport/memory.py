"""Two ends joined in this process, with a place in the middle where bytes can be dropped, changed or held."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from drivers.errors import TransportError

Disturb = Callable[[bytes], bytes]
"""What arrives instead of what was sent: fewer, other or more bytes."""


def _unchanged(data: bytes) -> bytes:
    return data


class MemoryTransport:
    """One end; make both with :func:`memory_pair`."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._incoming = bytearray()
        self._received = asyncio.Event()
        self._open = True
        self._peer: MemoryTransport | None = None
        self.disturb: Disturb = _unchanged

    async def read(self) -> bytes:
        """The bytes that came, at least one."""
        while not self._incoming:
            if not self._open:
                raise TransportError(self._device, "hung-up", "the other end closed")
            self._received.clear()
            await self._received.wait()
        data = bytes(self._incoming)
        self._incoming.clear()
        return data

    def write(self, data: bytes) -> None:
        """Hand ``data`` to the other end, through this end's ``disturb``."""
        if not self._open or self._peer is None:
            raise TransportError(self._device, "hung-up", "the other end closed")
        self._peer.deliver(self.disturb(data))

    def deliver(self, data: bytes) -> None:
        """Bytes from the other end arrive."""
        self._incoming += data
        self._received.set()

    async def drained(self) -> None:
        """Nothing ever waits in memory."""

    def close(self) -> None:
        """Hang up at both ends."""
        for end in (self, self._peer):
            if end is not None:
                end._open = False
                end._received.set()

    def join(self, peer: MemoryTransport) -> None:
        """Make ``peer`` the other end."""
        self._peer = peer


def memory_pair(device: str) -> tuple[MemoryTransport, MemoryTransport]:
    """The driver's end and the device's end of a wire in memory."""
    near, far = MemoryTransport(device), MemoryTransport(device)
    near.join(far)
    far.join(near)
    return near, far
