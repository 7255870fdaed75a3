"""Hearing what comes on a line, as directly as the line can give it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from drivers.transport.api import ByteTransport, DirectTransport


async def listen(transport: ByteTransport, received: Callable[[bytes], None]) -> NoReturn:
    """Hand what comes to ``received``, which must not raise, until cancelled. Raises
    :class:`drivers.errors.TransportError` when the line is gone.
    """
    if isinstance(transport, DirectTransport):
        await transport.listen(received)
    while True:
        received(await transport.read())
