"""However a device's task ends but by an order, it is told: in the status, as an event, and for every command."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from drivers.api.cash import (
    Accepting,
    BoxState,
    CashCapabilities,
    CashCommand,
    CashEvent,
    Completed,
    Lost,
    Ready,
    Refusal,
    Stacking,
)
from drivers.api.device import DeviceConfig, DeviceIdentity, DeviceState
from drivers.cash.module import CashDevice, poll_seconds
from drivers.cash.steps import Do, Emit, Input, Opened, Output, Received, Send, Tick
from drivers.context import DriverContext
from drivers.errors import ConfigurationError, TransportError
from drivers.transport.api import ByteTransport
from drivers.transport.memory import MemoryTransport, memory_pair
from guichet.ids import DeviceSerial
from tests.virtual_time import run_virtually

IDENTITY = DeviceIdentity("talkative", "T", DeviceSerial("1"), "", True)


class DiskError(Exception):
    """The journal could not be written."""


class Talkative:
    """A machine that says something every second, and tells each of three things by an event of its own. It is ready at
    once, does what it is told when that is ENABLE, and never says what becomes of other commands.
    """

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
                return [Emit(Ready(IDENTITY, {}, b"", 7))]
            case Do(CashCommand.ENABLE):
                return [Emit(Completed(CashCommand.ENABLE))]
            case Do():
                return []
            case _:
                raise AssertionError(happened)


class Scene:
    """The device, what arrives at its other end, and what is told to one who hears after ``handler``."""

    def __init__(self, handler: Callable[[CashEvent], None]) -> None:
        self.events: list[CashEvent] = []
        near, self.far = memory_pair("cash")
        self.near: MemoryTransport | None = near
        now = asyncio.get_running_loop().time
        context = DriverContext(now, bytes, self._open)
        self.device = CashDevice(DeviceConfig("cash", "talkative", "memory"), context, Talkative)
        self.device.subscribe(handler)
        self.device.subscribe(self.events.append)

    async def _open(self, address: str) -> ByteTransport:
        assert self.near is not None
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


@pytest.mark.parametrize("kind", [Ready, Accepting, Stacking])
def test_a_task_that_ended_by_a_defect_is_a_fault_and_everybody_is_told(kind: type[CashEvent]) -> None:
    async def scene() -> None:
        here = Scene(fail_at(kind))
        asyncio.get_running_loop().call_at(1.5, here.far.write, b"!")
        with pytest.raises(ExceptionGroup):
            await here.device.run()
        status = here.device.status
        assert (status.state, status.fault, here.device.storage.box) == (
            DeviceState.FAULT, "crashed", BoxState.UNKNOWN,
        )  # fmt: skip
        assert here.events[-1] == Lost("crashed")
        assert here.events.count(Lost("crashed")) == 1

    run_virtually(scene())


def test_a_handler_that_fails_again_when_the_end_is_told_does_not_hide_the_first_error() -> None:
    def handler(event: CashEvent) -> None:
        if isinstance(event, Accepting):
            raise DiskError
        if isinstance(event, Lost):
            raise KeyError("Lost")

    async def scene() -> None:
        here = Scene(handler)
        with pytest.raises(ExceptionGroup) as error:
            await here.device.run()
        first, again = error.value.exceptions
        assert error.group_contains(DiskError, depth=2)
        assert (isinstance(first, ExceptionGroup), isinstance(again, KeyError)) == (True, True)
        assert here.events[-1] == Lost("crashed")

    run_virtually(scene())


def test_an_error_in_a_call_from_outside_ends_the_task_and_not_the_caller() -> None:
    async def scene() -> None:
        here = Scene(fail_at(Completed))
        running = asyncio.ensure_future(here.device.run())
        await asyncio.sleep(1.5)
        here.device.enable()
        with pytest.raises(ExceptionGroup) as error:
            await running
        assert error.group_contains(DiskError)
        assert (asyncio.get_running_loop().time(), here.events[-1]) == (1.5, Lost("crashed"))

    run_virtually(scene())


def test_a_handler_that_is_cancelled_inside_is_a_defect_and_no_order_to_end() -> None:
    def handler(event: CashEvent) -> None:
        if isinstance(event, Accepting):
            raise asyncio.CancelledError

    async def scene() -> None:
        here = Scene(handler)
        with pytest.raises(asyncio.CancelledError):
            await here.device.run()
        assert here.events[-1] == Lost("crashed")

    run_virtually(scene())


def test_a_line_that_goes_ends_every_command_once_and_nothing_is_known_of_the_box() -> None:
    async def scene() -> None:
        here = Scene(lambda _: None)
        running = asyncio.ensure_future(here.device.run())
        await asyncio.sleep(1.5)
        assert here.device.storage.box is BoxState.IN
        for command in (here.device.enable, here.device.stack, here.device.disable, here.device.disable):
            command()
        here.events.clear()
        here.far.close()
        with pytest.raises(TransportError, match="hung-up"):
            await running
        lost = [Completed(each, Refusal.LOST) for each in (CashCommand.STACK, CashCommand.DISABLE, CashCommand.DISABLE)]
        assert here.events == [*lost, Lost("hung-up")]
        status = here.device.status
        assert (status.state, status.fault, status.identity) == (DeviceState.ABSENT, "hung-up", IDENTITY)
        assert here.device.storage.box is BoxState.UNKNOWN
        here.device.stack()
        assert here.events[-1] == Lost("hung-up"), "where there is no line nothing is told"

    run_virtually(scene())


def test_a_command_after_the_error_is_completed_too() -> None:
    async def scene() -> None:
        here = Scene(fail_at(Completed))
        running = asyncio.ensure_future(here.device.run())
        await asyncio.sleep(1.5)
        here.device.enable()
        here.device.stack()
        here.events.clear()
        with pytest.raises(ExceptionGroup):
            await running
        assert here.events == [Completed(CashCommand.STACK, Refusal.LOST), Lost("crashed")]

    run_virtually(scene())


def test_a_task_that_is_cancelled_tells_nothing() -> None:
    async def scene() -> None:
        here = Scene(lambda _: None)
        running = asyncio.ensure_future(here.device.run())
        await asyncio.sleep(1.5)
        here.device.stack()
        here.events.clear()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert here.events == []

    run_virtually(scene())


def test_a_line_that_cannot_be_opened_by_a_defect_is_a_fault() -> None:
    async def scene() -> None:
        here = Scene(lambda _: None)
        here.near = None
        with pytest.raises(AssertionError):
            await here.device.run()
        assert (here.device.status.state, here.device.status.fault) == (DeviceState.FAULT, "crashed")

    run_virtually(scene())


@pytest.mark.parametrize("text", ["9" * 5000, "4", "1001", "-5", "", "5.0", "\u0665\u0665"])
def test_a_polling_interval_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"poll_ms .*: 5 to 1000") as refused:
        poll_seconds(DeviceConfig("cash", "ccnet", "memory", {"poll_ms": text}), 200)
    assert len(str(refused.value)) < 80


def test_a_second_thing_in_the_same_turn_as_the_error_is_not_heard_any_more() -> None:
    events: list[CashEvent] = []

    def handler(event: CashEvent) -> None:
        if not isinstance(event, Ready):
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
    assert events == [Accepting(), Lost("crashed")]
