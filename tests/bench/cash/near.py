"""Real drivers in a process of their own, and nothing else in it: what its CPU is spent on is theirs."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from drivers.api.cash import (
    Answered,
    CashCommand,
    CashEvent,
    CashModule,
    Completed,
    Escrowed,
    Lost,
    Presence,
    Ready,
    Rejected,
    Returned,
    Stacked,
)
from drivers.api.device import DeviceConfig
from drivers.context import DriverContext
from drivers.registry import open_device
from drivers.transport.open import open_address
from tests.bench.cash.far import Standing
from tests.bench.errors import BenchError
from tests.bench.sides import Pipe, told

_LAG_EVERY = 0.01
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Attached:
    """A driver by its registered name, on a line."""

    driver: str
    link: Path
    options: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Watch:
    """Watch for ``seconds``, and until every device has stacked ``notes`` meanwhile. ``lags``: watch the loop, too."""

    seconds: float
    notes: int = 0
    lags: bool = False


@dataclass(frozen=True, slots=True)
class Watched:
    """``cpu``: seconds, user and system, of this process between ``begin`` and ``end``. ``stacked``: when each device's
    stacked events were in the caller's hands. ``lags``: by how much a timer of 10 ms was late. ``lost``: devices that
    stopped answering, even for a moment.
    """

    begin: float
    end: float
    cpu: float
    stacked: tuple[tuple[float, ...], ...]
    lags: tuple[float, ...]
    lost: int


class Caller:
    """Does with one device what a terminal does, as fast as it may; what it is told is on record at once."""

    def __init__(self, attached: Attached) -> None:
        context = DriverContext(time.monotonic, os.urandom, partial(open_address, device=attached.driver))
        device = open_device(DeviceConfig("cash", attached.driver, str(attached.link), attached.options), context)
        if not isinstance(device, CashModule):
            raise BenchError(f"{attached.driver} is no cash module")
        self.device = device
        self.open = asyncio.Event()
        self.stacked: list[float] = []
        self.lost = 0
        device.subscribe(self._hear)

    def _hear(self, event: CashEvent) -> None:
        match event:
            case Stacked():
                self.stacked.append(time.monotonic())
                self.device.acknowledge()
            case Answered(_, presence):
                if presence is Presence.STACKED:
                    self.device.acknowledge()
                self.device.proceed()
            case Ready():
                self.device.enable()
            case Completed(CashCommand.ENABLE, None):
                self.open.set()
            case Escrowed():
                self.device.stack()
            case Returned() | Rejected():
                self.device.acknowledge()
            case Lost():
                self.lost += 1
            case _:
                pass


def be(task: tuple[Attached, ...], pipe: Pipe) -> None:
    """Be the drivers of ``task``; see :class:`tests.bench.sides.Side`."""
    asyncio.run(_be(task, pipe), debug=False)


async def _be(task: tuple[Attached, ...], pipe: Pipe) -> None:
    callers = [Caller(attached) for attached in task]
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(caller.device.run()) for caller in callers]
        for caller in callers:
            await caller.open.wait()
        pipe.send(Standing())
        while isinstance(message := await told(pipe), Watch):
            pipe.send(await _watch(callers, message))
        for one in running:
            one.cancel()


async def _watch(callers: list[Caller], watch: Watch) -> Watched:
    for caller in callers:
        caller.stacked.clear()
    lags: list[float] = []
    looking = asyncio.create_task(_look_at_loop(lags)) if watch.lags else None
    begin, cpu = time.monotonic(), time.process_time()
    await asyncio.sleep(watch.seconds)
    while any(len(caller.stacked) < watch.notes for caller in callers):  # noqa: ASYNC110 - not what is measured
        await asyncio.sleep(_LOOK_SECONDS)
    cpu, end = time.process_time() - cpu, time.monotonic()
    if looking is not None:
        looking.cancel()
    stacked = tuple(tuple(caller.stacked) for caller in callers)
    return Watched(begin, end, cpu, stacked, tuple(lags), sum(caller.lost for caller in callers))


async def _look_at_loop(lags: list[float]) -> None:
    while True:
        due = time.monotonic() + _LAG_EVERY
        await asyncio.sleep(_LAG_EVERY)
        lags.append(time.monotonic() - due)
