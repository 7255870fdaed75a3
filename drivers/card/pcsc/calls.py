"""A thread for calls that may never come back, and a deadline around each.

A mute card blocks the PC/SC library for as long as it lies in the reader, and no call interrupts it. So the calls run
in a thread that can be given up: it ends when the library lets it go, and what it brings then is thrown away.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, InvalidStateError
from typing import TypeVar

T = TypeVar("T")


class Overdue(TimeoutError):
    """The call did not come back in time; its thread has been given up."""


class CallThread:
    """Calls one after the other, in the order in which they were asked for, in a thread of their own."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._overdue = False
        self._closed = False
        # A daemon: a blocked library must not keep the process from ending.
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def call(self, function: Callable[[], T], seconds: float) -> T:
        """What ``function`` returns or raises. Raises :class:`Overdue` after ``seconds``, and from then on at once.

        Cancelling the task does not cancel the call: what is asked for next comes behind it.
        """
        if self._overdue:
            raise Overdue("an earlier call has not come back")
        future = self.post(function)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            self._overdue = True
            raise Overdue(f"no answer within {seconds} s") from None

    def post(self, function: Callable[[], T]) -> Future[T]:
        """Ask for a call whose end nobody need wait for. It comes even behind one that is overdue, once that ends."""
        future: Future[T] = Future()

        def work() -> None:
            try:
                result = function()
            except Exception as error:
                _settle(future, error)
            else:
                _deliver(future, result)

        self._calls.put(work)
        return future

    def close(self) -> None:
        """Take no further calls; the thread ends behind those that were asked for."""
        if not self._closed:
            self._closed = True
            self._calls.put(None)

    def _work(self) -> None:
        while (work := self._calls.get()) is not None:
            work()


def _deliver(future: Future[T], result: T) -> None:
    try:
        future.set_result(result)
    except (CancelledError, InvalidStateError):
        return  # nobody waits any more


def _settle(future: Future[T], error: Exception) -> None:
    try:
        future.set_exception(error)
    except (CancelledError, InvalidStateError):
        return  # nobody waits any more
