"""Two ends in one process, and what a test can do to the bytes between them."""

from __future__ import annotations

import asyncio

import pytest

from drivers.errors import TransportError
from drivers.transport.memory import MemoryTransport, memory_pair


async def test_bytes_go_both_ways() -> None:
    near, far = memory_pair("cash")
    near.write(b"ab")
    near.write(b"c")
    assert await far.read() == b"abc"
    waiting = asyncio.create_task(near.read())
    await asyncio.sleep(0)
    far.write(b"x")
    assert await waiting == b"x"
    await near.drained()


async def test_what_passes_can_be_dropped_changed_and_multiplied() -> None:
    near, far = memory_pair("cash")
    near.disturb = lambda _: b""
    near.write(b"lost")
    near.disturb = lambda data: data[::-1]
    near.write(b"abc")
    near.disturb = lambda data: data * 2
    near.write(b"xy")
    assert await far.read() == b"cbaxyxy"
    far.write(b"the other way is not disturbed")
    assert await near.read() == b"the other way is not disturbed"


async def test_closing_one_end_hangs_up_at_both() -> None:
    near, far = memory_pair("cash")
    far.write(b"last")
    waiting = asyncio.create_task(far.read())
    await asyncio.sleep(0)
    near.close()
    near.close()
    assert await near.read() == b"last"
    for reading in (waiting, asyncio.create_task(near.read())):
        with pytest.raises(TransportError) as error:
            await reading
        assert (error.value.device, error.value.code) == ("cash", "hung-up")
    for end in (near, far):
        with pytest.raises(TransportError, match="hung-up"):
            end.write(b"x")


async def test_an_end_without_another_writes_nowhere() -> None:
    alone = MemoryTransport("cash")
    with pytest.raises(TransportError):
        alone.write(b"x")
    alone.close()
