"""The running host: services, console, watchdog, from start to a graceful end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from host import systemd
from host.assembly import Host, Seams, assemble, open_database
from host.config import HostConfig
from host.console.app import build_app
from host.log import event
from host.services import tls
from host.services.server import serving
from host.store.executor import ThreadExecutor
from host.store.migrate import check_revision
from host.watchdog import ping, watch

_log = logging.getLogger(__name__)


class _Console(uvicorn.Server):
    """Uvicorn without its own signal handlers: the host ends everything together."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals alone."""
        yield


async def serve(config: HostConfig, seams: Seams) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises :class:`host.store.engine.StoreError` for a database that has not been migrated, OSError for a taken port.
    """
    engine = open_database(config)
    executor = ThreadExecutor()
    host = assemble(config, seams, engine, executor)
    try:
        await host.store.run(check_revision)
        await _until_told(host)
    finally:
        host.store.close()


async def _until_told(host: Host) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with serving(host) as ports, console(host.config, build_app(host)) as console_port:
        for port in (ports.port, ports.enrol_port):
            await tls.probe(_reachable(host.config.address), port)
        values = {"port": ports.port, "enrol_port": ports.enrol_port, "console_port": console_port, "pid": os.getpid()}
        _write_ports(host.config.ports_file, values)
        event(_log, "host.ready", **values)
        systemd.notify("READY=1")
        try:
            async with asyncio.TaskGroup() as group:
                watchdog = group.create_task(_watchdog(host), name="watchdog")
                await told.wait()
                watchdog.cancel()
        finally:
            systemd.notify("STOPPING=1")
            event(_log, "host.stopping")
            host.config.ports_file.unlink(missing_ok=True)


@asynccontextmanager
async def console(config: HostConfig, app: ASGIApp) -> AsyncGenerator[int]:
    """The operations console for as long as the context lasts; gives its port."""
    family = socket.AF_INET6 if ":" in config.console_address else socket.AF_INET
    listener = socket.create_server((config.console_address, config.console_port), family=family)
    settings = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, server_header=False, ws="none")
    server = _Console(settings)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="console")
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listener.close()


def _reachable(address: str) -> str:
    """Where to reach a server that listens on ``address``: on all interfaces means here, too."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - compared, not bound


async def _watchdog(host: Host) -> None:
    seconds = systemd.watchdog_seconds()
    if seconds is not None:
        await watch(partial(ping, host.store), host.seams.clock, systemd.notify, seconds)


def _write_ports(path: Path, values: dict[str, int]) -> None:
    """Written beside and moved into place: whoever reads it reads all of it."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(values) + "\n", encoding="utf-8")
    fresh.replace(path)
