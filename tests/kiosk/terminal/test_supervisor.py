"""What ends by an error is begun again; what is cancelled is not."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable

import pytest

from drivers.errors import NoAnswer
from kiosk.log import EventLog
from kiosk.terminal.supervisor import keep_running
from tests.kiosk.terminal.standing import TERMINAL, Clock


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every pause that was asked for; none lasts."""
    pauses: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await real(0)

    monkeypatch.setattr("kiosk.terminal.supervisor.asyncio.sleep", sleep)
    return pauses


async def supervised(
    ends: list[BaseException | None], monotonic: Callable[[], float] = lambda: 0.0
) -> list[dict[str, object]]:
    """Run a task that ends in these ways, one after the other, and then runs for ever; the log."""
    stream, left, running = io.StringIO(), list(ends), asyncio.Event()

    async def task() -> None:
        if not left:
            running.set()
            await asyncio.Event().wait()
        end = left.pop(0)
        if end is not None:
            raise end

    keeping = asyncio.create_task(keep_running("cash", task, monotonic, EventLog(Clock(), TERMINAL, stream)))
    async with asyncio.timeout(20):
        await running.wait()
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    return [json.loads(line) for line in stream.getvalue().splitlines()]


async def test_a_lost_device_is_expected_and_begun_again(slept: list[float]) -> None:
    log = await supervised([NoAnswer("cash", "silent", "/dev/x")])
    assert [(line["event"], line["device"], line["code"], line["detail"]) for line in log] == [
        ("device.lost", "cash", "silent", "/dev/x")
    ]
    assert slept == [0.5]


async def test_a_defect_is_seen_with_its_traceback_and_the_task_begins_again(slept: list[float]) -> None:
    log = await supervised([KeyError("defect"), ExceptionGroup("group", [ValueError("inner")])])
    assert [line["event"] for line in log] == ["task.crashed", "task.crashed"]
    assert "defect" in str(log[0]["error"])
    assert "test_supervisor" in str(log[0]["traceback"])
    assert "inner" in str(log[1]["traceback"])


async def test_a_cancellation_that_nobody_ordered_is_a_defect_like_any_other(slept: list[float]) -> None:
    log = await supervised([asyncio.CancelledError("of a call, not of the task")])
    assert [line["event"] for line in log] == ["task.crashed"]
    assert "CancelledError" in str(log[0]["error"])
    assert "test_supervisor" in str(log[0]["traceback"])
    assert slept == [0.5]


async def test_a_task_that_just_ends_is_begun_again_too(slept: list[float]) -> None:
    assert [line["event"] for line in await supervised([None])] == ["task.ended"]


async def test_the_pause_grows_and_has_an_end(slept: list[float]) -> None:
    await supervised([NoAnswer("cash", "silent")] * 7)
    assert slept == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


async def test_after_a_steady_minute_the_pause_is_short_again(slept: list[float]) -> None:
    times = iter([0.0, 1.0, 2.0, 3.0, 10.0, 80.0, 100.0])
    await supervised([NoAnswer("cash", "silent")] * 3, lambda: next(times))
    assert slept == [0.5, 1.0, 0.5]


async def test_a_task_that_fails_because_it_is_told_to_end_is_not_begun_again(slept: list[float]) -> None:
    stream, running, begun = io.StringIO(), asyncio.Event(), list[str]()

    async def task() -> None:
        begun.append("once")
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            if len(begun) == 1:
                raise ValueError("on the way out")

    keeping = asyncio.create_task(keep_running("link", task, lambda: 0.0, EventLog(Clock(), TERMINAL, stream)))
    async with asyncio.timeout(20):
        await running.wait()
        keeping.cancel()
        await asyncio.wait({keeping}, timeout=2)
    keeping.cancel()
    assert begun == ["once"]
    assert slept == []
    assert "on the way out" in stream.getvalue()


async def test_a_cancellation_ends_it(slept: list[float]) -> None:
    assert await supervised([]) == []
    assert slept == []


async def test_a_group_that_fails_inside_does_not_pass_for_an_order_to_end(slept: list[float]) -> None:
    """What every driver does: the line goes, and the error leaves its TaskGroup and then the driver."""

    async def fail() -> None:
        raise NoAnswer("cash", "hung-up")

    async def driver() -> None:
        lost: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(fail())
        except* NoAnswer as group:
            lost = group.exceptions[0]
        assert lost is not None
        raise lost

    stream = io.StringIO()
    keeping = asyncio.create_task(keep_running("cash", driver, lambda: 0.0, EventLog(Clock(), TERMINAL, stream)))
    async with asyncio.timeout(20):
        while len(slept) < 3:
            await asyncio.wait({keeping}, timeout=0.01)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert stream.getvalue().count("device.lost") >= 3
