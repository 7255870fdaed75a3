"""What a handler raises ends the device's task, whatever called it: time, bytes, or the opening of the line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from drivers.api.cash import Accepting, CashCapabilities, CashEvent, Stacking
from drivers.api.device import DeviceConfig
from drivers.cash.module import CashDevice
from drivers.cash.steps import Emit, Input, Opened, Output, Received, Send, Tick
from drivers.context import DriverContext
from drivers.transport.api import ByteTransport
from drivers.transport.memory import MemoryTransport, memory_pair
from tests.virtual_time import run_virtually


class DiskError(Exception):
    """The journal could not be written."""


class Talkative:
    """A machine that says something every second, and tells each of three things by an event of its own."""

    capabilities = CashCapabilities()

    def __init__(self) -> None:
        self.deadline: float | None = None

    def step(self, happened: Input, now: float) -> list[Output]:
        match happened:
            case Tick():
                self.deadline = now + 1.0
                return [Send(b"?"), *([Emit(Accepting())] if now >= 3 else [])]
            case Received():
                return [Emit(Stacking())]
            case Opened():
                return []
            case _:
                raise AssertionError(happened)


class Scene:
    """The device and what arrives at its other end."""

    def __init__(self, handler: Callable[[CashEvent], None]) -> None:
        self.near, self.far = memory_pair("cash")
        now = asyncio.get_running_loop().time
        context = DriverContext(now, bytes, self._open)
        self.device = CashDevice(DeviceConfig("cash", "talkative", "memory"), context, Talkative)
        self.device.subscribe(handler)

    async def _open(self, address: str) -> ByteTransport:
        return self.near


async def heard_by(far: MemoryTransport) -> int:
    return len(await far.read())


def fail_at(kind: type[CashEvent]) -> Callable[[CashEvent], None]:
    def handler(event: CashEvent) -> None:
        if isinstance(event, kind):
            raise DiskError

    return handler


@pytest.mark.parametrize(("kind", "ends_at", "polls"), [(Accepting, 3.0, 4), (Stacking, 1.5, 2)])
def test_an_error_in_a_handler_ends_the_task_and_nothing_more_is_sent(
    kind: type[CashEvent], ends_at: float, polls: int
) -> None:
    async def scene() -> tuple[float, int]:
        here = Scene(fail_at(kind))
        loop = asyncio.get_running_loop()
        if kind is Stacking:
            loop.call_at(1.5, here.far.write, b"!")
        with pytest.raises(ExceptionGroup) as error:
            await here.device.run()
        assert error.group_contains(DiskError)
        ended = loop.time()
        await asyncio.sleep(10)
        return ended, await heard_by(here.far)

    assert run_virtually(scene()) == (ends_at, polls)


def test_a_second_thing_in_the_same_turn_as_the_error_is_not_heard_any_more() -> None:
    events: list[CashEvent] = []

    def handler(event: CashEvent) -> None:
        events.append(event)
        raise DiskError

    async def scene() -> None:
        here = Scene(handler)
        loop = asyncio.get_running_loop()
        loop.call_at(3.0, here.far.write, b"!")  # Its bytes are read after the tick of the same moment has failed.
        with pytest.raises(ExceptionGroup) as error:
            await here.device.run()
        assert error.group_contains(DiskError)

    run_virtually(scene())
    assert len(events) == 1
