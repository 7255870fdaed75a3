"""How a store operation is run: inline (simulation, tests, commands) or in a thread of its own (the server)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine

from host.store.engine import reading

T = TypeVar("T")


class Executor(Protocol):
    """Runs a synchronous function; whoever awaits it gets its result or its exception."""

    async def run(self, work: Callable[[], T]) -> T:
        """The result of ``work``."""
        ...

    def close(self) -> None:
        """Wait for what is under way; nothing can be run after it."""
        ...


class InlineExecutor:
    """Runs at once, on the caller's thread: the order of events is the order of calls."""

    async def run(self, work: Callable[[], T]) -> T:
        """The result of ``work``, before control returns to the loop."""
        return work()

    def close(self) -> None:
        """Nothing is ever under way."""


class ThreadExecutor:
    """Runs one operation after another in one thread, because SQLite has one connection for everything."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")

    async def run(self, work: Callable[[], T]) -> T:
        """The result of ``work``. Cancelling the caller does not undo an operation that has begun."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Wait for the operation that is under way."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class Store:
    """The database behind its executor. An operation is a function of a connection, one transaction each."""

    def __init__(self, engine: Engine, executor: Executor) -> None:
        self._engine = engine
        self._reader = reading(engine)
        self._executor = executor

    async def run(self, operation: Callable[[Connection], T]) -> T:
        """Run ``operation`` in one transaction: committed when it returns, rolled back when it raises."""
        return await self._executor.run(lambda: _transact(self._engine, operation))

    async def read(self, operation: Callable[[Connection], T]) -> T:
        """Run ``operation``, which writes nothing, on one consistent picture. It does not wait for another process that
        writes; it does wait for the operations that were asked for before it.
        """
        return await self._executor.run(lambda: _transact(self._reader, operation))

    def close(self) -> None:
        """Close the connection; the write-ahead log is folded into the file."""
        self._executor.close()
        self._engine.dispose()


def _transact(engine: Engine, operation: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return operation(connection)
