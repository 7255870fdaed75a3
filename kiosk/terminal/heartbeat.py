"""Tells the host how the terminal is: at every connection, and every few seconds after it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from guichet.limits import HEARTBEAT_SECONDS
from guichet.v1 import health_pb2
from guichet.v1 import terminal_link_pb2 as pb
from kiosk.log import EventLog
from kiosk.settlement.courier import Courier, HostAway, HostRefused


async def heartbeats(
    link: Courier,
    health: Callable[[], health_pb2.TerminalHealth],
    log: EventLog,
    noted: Callable[[pb.Noted], None] = lambda _: None,
) -> None:
    """Until cancelled. ``noted`` hears each answer."""
    connected = asyncio.Event()
    link.on_change(lambda welcome: connected.set() if welcome is not None else None)
    while True:
        if link.connected:
            try:
                answer = await link.request(pb.ConnectRequest(heartbeat=pb.Heartbeat(health=health())))
                noted(answer.noted)
            except (HostAway, HostRefused) as error:
                log.event("heartbeat.lost", reason=str(error))
        connected.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await connected.wait()
