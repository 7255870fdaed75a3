"""Questions over an open line, to a printer that says more than it was asked."""

from __future__ import annotations

import asyncio

from drivers.printer.escpos.exchange import Exchange
from tests.fuzz.sizes import held

BABBLE = b"\x12\x00\x5fBABBLE\x00" * 500


class Babbler:
    """A printer that never stops to say something, and is never heard to the end."""

    def __init__(self, times: int) -> None:
        self.left = times

    async def read(self) -> bytes:
        if not self.left:
            await asyncio.Event().wait()
        self.left -= 1
        await asyncio.sleep(0)
        return BABBLE

    def write(self, data: bytes) -> None:
        """Nobody listens."""

    async def drained(self) -> None:
        """At once."""

    def close(self) -> None:
        """Nothing to close."""


async def test_what_nobody_asked_for_is_not_kept() -> None:
    line = Babbler(20)
    exchange = Exchange("printer", line)
    exchange.expect_done(b"abcd")
    while line.left:
        assert not await exchange.wait_done(0.2)
    assert held(exchange) < 10_000


async def test_the_answer_that_is_waited_for_is_heard_in_the_middle_of_it() -> None:
    exchange = Exchange("printer", Babbler(3))
    exchange.expect_done(None)
    assert await exchange.wait_done(1.0)
