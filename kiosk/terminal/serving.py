"""What every life of the terminal's process has: its local socket, its orders to stop, its service manager."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Protocol, Self

import grpc

from guichet.v1.local_pb2_grpc import add_LocalTerminalServicer_to_server
from guichet.v1.screen_pb2_grpc import add_ScreenServicer_to_server
from kiosk.notify import Notifier
from kiosk.terminal.front import Front
from kiosk.terminal.local import LocalTerminal


class Orders:
    """``stop``: whoever started this wants it to end; ``hurry``: and is not going to wait (a developer's Ctrl-C)."""

    def __init__(self) -> None:
        self.stop, self.hurry = asyncio.Event(), asyncio.Event()

    @classmethod
    def of_signals(cls) -> Self:
        """Orders that come as SIGTERM, and as SIGINT in a hurry."""
        orders, loop = cls(), asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, orders.stop.set)
        loop.add_signal_handler(signal.SIGINT, lambda: (orders.hurry.set(), orders.stop.set()))
        return orders


class Served(Protocol):
    """A server that has been started."""

    async def stop(self, grace: float | None) -> None:
        """Serve no more; calls under way have ``grace`` seconds."""
        ...


async def serve_local(socket: Path, front: Front, local: LocalTerminal) -> Served:
    """The screen and diagnostics are served on ``socket``, open to its owner and group."""
    _make_way(socket)
    server = grpc.aio.server()
    add_ScreenServicer_to_server(front, server)
    add_LocalTerminalServicer_to_server(local, server)
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    _open_to_group(socket)
    return server


def _make_way(socket: Path) -> None:
    socket.parent.mkdir(parents=True, exist_ok=True)
    socket.unlink(missing_ok=True)


def _open_to_group(socket: Path) -> None:
    socket.chmod(0o660)


async def watchdog(notifier: Notifier) -> None:
    """Tell the service manager that the loop turns, where it watches."""
    seconds = notifier.watchdog_seconds
    while seconds is not None:
        notifier.alive()
        await asyncio.sleep(seconds)
