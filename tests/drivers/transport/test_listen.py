"""What comes is handed over, all of it and in order, whether the line can do that directly or not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from drivers.errors import TransportError
from drivers.transport.api import ByteTransport, DirectTransport
from drivers.transport.listen import listen
from drivers.transport.memory import memory_pair
from drivers.transport.stream import DescriptorTransport

DEADLINE = 20.0


class Line:
    """The driver's end of a line, and a way to say something at the other."""

    def __init__(self, near: ByteTransport, say: Callable[[bytes], object], hang_up: Callable[[], None]) -> None:
        self.near, self.say, self.hang_up = near, say, hang_up


def direct() -> Line:
    near, far = socket.socketpair()
    near.setblocking(False)
    return Line(DescriptorTransport("cash", near.fileno(), near.close), far.sendall, far.close)


def read() -> Line:
    near, far = memory_pair("cash")
    return Line(near, far.write, far.close)


def test_a_serial_line_is_direct_and_a_wrapper_need_not_be() -> None:
    near, _ = memory_pair("cash")
    assert issubclass(DescriptorTransport, DirectTransport)
    assert not isinstance(near, DirectTransport)


@pytest.mark.parametrize("make", [direct, read])
async def test_all_that_comes_is_handed_over_in_order_until_the_line_goes(make: Callable[[], Line]) -> None:
    line = make()
    heard = bytearray()
    happened = asyncio.Event()

    def received(data: bytes) -> None:
        heard.extend(data)
        happened.set()

    line.say(b"before ")
    listening = asyncio.create_task(listen(line.near, received))
    for n in range(20):
        line.say(b"%d " % n)
        async with asyncio.timeout(DEADLINE):
            while not heard.endswith(b" %d " % n):
                happened.clear()
                await happened.wait()
    line.hang_up()
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(TransportError, match="hung-up"):
            await listening
    assert bytes(heard) == b"before " + b"".join(b"%d " % n for n in range(20))
    line.near.close()


async def test_a_line_that_nobody_listens_to_any_more_can_be_read_again() -> None:
    line = direct()
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    listening = asyncio.create_task(listen(line.near, heard.put_nowait))
    line.say(b"one")
    async with asyncio.timeout(DEADLINE):
        assert await heard.get() == b"one"
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    line.say(b"two")
    async with asyncio.timeout(DEADLINE):
        assert await line.near.read() == b"two"
    assert heard.empty()
    line.near.close()
    line.hang_up()
