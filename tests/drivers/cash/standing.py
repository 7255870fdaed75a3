"""A cash driver around its machine, over a wire in memory, with a simulated device at its end; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from drivers.api.cash import Answered, CashEvent, Completed, Ready, Returned, Stacked
from drivers.api.device import DeviceConfig
from drivers.cash.module import CashDevice
from drivers.context import DriverContext
from drivers.errors import TransportError
from drivers.registry import open_device
from drivers.simulation.cash_device import SimulatedCash
from drivers.simulation.cash_process import serve
from drivers.transport.api import ByteTransport
from drivers.transport.memory import MemoryTransport, memory_pair
from tests.virtual_time import run_virtually

DEADLINE = 20.0
E = TypeVar("E")
D = TypeVar("D", bound=SimulatedCash)


class Standing(Generic[D]):
    """A driver, its wire, and the device at the other end. The caller records at once unless told otherwise."""

    def __init__(self, name: str, device: D) -> None:
        self.device = device
        self.lines: list[tuple[MemoryTransport, MemoryTransport]] = []
        self.absent = False
        config = DeviceConfig("cash", name, "memory", {"poll_ms": "5"})
        driver = open_device(config, DriverContext(self.now, bytes, self.open))
        assert isinstance(driver, CashDevice)
        self.driver = driver
        self.driver.subscribe(self.heard)
        self.events: list[CashEvent] = []
        self.happened = asyncio.Event()
        self.reactions: dict[type, Callable[[], None]] = {
            Answered: self.driver.proceed,
            Stacked: self.driver.acknowledge,
            Returned: self.driver.acknowledge,
        }
        self.tasks: list[asyncio.Task[None]] = []

    def now(self) -> float:
        """Seconds in this world."""
        return asyncio.get_running_loop().time()

    async def open(self, address: str) -> ByteTransport:
        """The line to the device, anew."""
        assert address == "memory"
        if self.absent:
            raise TransportError("cash", "absent", address)
        near, far = memory_pair("cash")
        self.lines.append((near, far))
        self.tasks.append(asyncio.create_task(serve(self.device, far, self.now)))
        return near

    def heard(self, event: CashEvent) -> None:
        """The caller hears."""
        self.events.append(event)
        reaction = self.reactions.get(type(event))
        if reaction is not None:
            reaction()
        self.happened.set()

    def run(self) -> asyncio.Task[None]:
        """A run of the driver."""
        task = asyncio.create_task(self.driver.run())
        self.tasks.append(task)
        return task

    async def until(self, kind: type[E], count: int = 1) -> E:
        """The ``count``-th event of a kind."""
        async with asyncio.timeout(DEADLINE):
            while sum(isinstance(event, kind) for event in self.events) < count:
                self.happened.clear()
                await self.happened.wait()
        return [event for event in self.events if isinstance(event, kind)][count - 1]

    async def slot_open(self) -> None:
        """Ready, and the slot open."""
        await self.until(Ready)
        self.driver.enable()
        await self.until(Completed)
        assert self.device.accepts

    def insert(self, note_type: int) -> None:
        """A customer pushes a note in."""
        self.device.insert("paper", note_type, self.now())

    async def stop(self) -> None:
        """Everything ends."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


def virtually(
    name: str, device: Callable[[], D]
) -> Callable[[Callable[[Standing[D]], Awaitable[None]]], Callable[[], None]]:
    """A test with a driver and a device of its own, played in virtual time."""

    def of(test: Callable[[Standing[D]], Awaitable[None]]) -> Callable[[], None]:
        async def play() -> None:
            standing = Standing(name, device())
            try:
                await test(standing)
            finally:
                await standing.stop()

        def run() -> None:
            run_virtually(play())

        return run

    return of
