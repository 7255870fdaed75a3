"""Calls that may never come back."""

from __future__ import annotations

import asyncio
import threading

import pytest

from drivers.card.pcsc.calls import CallThread, Overdue

DEADLINE = 30.0


async def test_a_call_brings_its_result_or_its_error() -> None:
    thread = CallThread("test")
    assert await thread.call(lambda: 42, DEADLINE) == 42
    with pytest.raises(ZeroDivisionError):
        await thread.call(lambda: 1 // 0, DEADLINE)
    thread.close()
    thread.close()


async def test_an_overdue_call_gives_the_thread_up_and_the_last_wish_still_comes() -> None:
    thread = CallThread("test")
    release, done = threading.Event(), threading.Event()
    with pytest.raises(Overdue, match="within"):
        await thread.call(release.wait, 0.01)
    with pytest.raises(Overdue, match="earlier call"):
        await thread.call(lambda: 1, DEADLINE)
    thread.post(done.set)
    thread.close()
    assert not done.is_set()
    release.set()
    assert await asyncio.to_thread(done.wait, DEADLINE)


async def test_a_cancelled_call_leaves_the_thread_in_order() -> None:
    thread = CallThread("test")
    release, failing = threading.Event(), threading.Event()

    def fail() -> None:
        failing.wait()
        raise ValueError("nobody hears this")

    for blocked, event in ((release.wait, release), (fail, failing)):
        task = asyncio.create_task(thread.call(blocked, DEADLINE))
        await asyncio.wait({task}, timeout=0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        event.set()
        assert await thread.call(lambda: "next", DEADLINE) == "next"
    thread.close()
