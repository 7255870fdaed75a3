"""A printer in memory: the driver at one end of a wire, the simulator at the other, and the hands of a person."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from drivers.api.device import DeviceConfig, DeviceState
from drivers.context import DriverContext
from drivers.printer.escpos.printer import EscposPrinter, open_device
from drivers.printer.escpos.simulator import Printer
from drivers.transport.api import ByteTransport, OpenTransport
from drivers.transport.memory import MemoryTransport, memory_pair

DEADLINE = 20.0


async def eventually(condition: Callable[[], bool]) -> None:
    """Return when ``condition`` holds; fail after a generous while."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - what is waited for may be in another process
            await asyncio.sleep(0.002)


def read(path: str | Path) -> str:
    """A document's text."""
    return Path(path).read_text(encoding="utf-8")


def context(opener: OpenTransport) -> DriverContext:
    """Real time, and bytes that count up."""
    counter = itertools.count()
    return DriverContext(time.monotonic, lambda count: bytes(next(counter) % 256 for _ in range(count)), opener)


class Bench:
    """``near`` is the driver's end of the wire that is open now."""

    def __init__(self, folder: Path, columns: int, options: dict[str, str]) -> None:
        self.metal = Printer(folder, columns)
        self.near: MemoryTransport | None = None
        self.sent = bytearray()
        self._serving: list[asyncio.Task[None]] = []
        config = DeviceConfig("printer", "escpos", "memory", {"poll-seconds": "0.05", **options})
        self.driver: EscposPrinter = open_device(config, context(self._open))
        self.running: asyncio.Task[None] | None = None

    async def _open(self, address: str) -> ByteTransport:
        self.near, far = memory_pair("printer")
        self.near.disturb = self._recorded
        self._serving.append(asyncio.ensure_future(self.metal.serve(far)))
        return self.near

    def _recorded(self, data: bytes) -> bytes:
        self.sent += data
        return data

    async def start(self) -> None:
        """Run the driver until it has identified the printer, or knows why it cannot."""
        self.running = asyncio.ensure_future(self.driver.run())
        await eventually(lambda: self.driver.status.state not in (DeviceState.STARTING, DeviceState.ABSENT))
        if self.driver.status.state in (DeviceState.READY, DeviceState.WARNING):
            await eventually(lambda: self.driver.status.identity is not None)

    async def tell(self, line: str) -> str:
        """A person does something to the printer."""
        return await self.metal.control(line)

    async def texts(self) -> list[str]:
        """What lies under the printer, oldest first."""
        documents: list[dict[str, str]] = json.loads(await self.tell("documents"))
        return [read(document["text"]) for document in documents]

    async def buffered(self) -> int:
        """Bytes that wait in the printer."""
        state: dict[str, int] = json.loads(await self.tell("state"))
        return state["buffered"]

    async def until_buffered(self) -> None:
        """Return when something waits in the printer."""
        async with asyncio.timeout(DEADLINE):
            while not await self.buffered():  # noqa: ASYNC110 - the simulator has no event for it
                await asyncio.sleep(0.002)

    async def close(self) -> None:
        """Switch everything off."""
        tasks = [*self._serving, *([self.running] if self.running else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def standing(
    folder: Path, *before: str, paper_columns: int = 48, start: bool = True, **options: str
) -> AsyncGenerator[Bench]:
    """A printer that was told ``before`` when it was switched on. ``options`` with _ for -."""
    bench = Bench(folder, paper_columns, {name.replace("_", "-"): value for name, value in options.items()})
    try:
        for line in before:
            await bench.tell(line)
        if start:
            await bench.start()
        yield bench
    finally:
        await bench.close()
