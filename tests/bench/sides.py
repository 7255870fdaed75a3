"""One side of a comparison as a process of its own, with a pipe to it: its CPU is nobody else's.

All of them come from one server process that has imported what they need: both sides of a comparison begin alike, and
soon.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

from tests.bench.errors import BenchError

T = TypeVar("T")

Pipe: TypeAlias = "Connection[Any, Any]"
"""To the other process; what goes through it are dataclasses."""

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.bench.registry"])
_END_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Failed:
    """The last word of a side that failed."""

    why: str


class Side:
    """A process that runs ``be(task, pipe)``, ended when the ``with`` block is left."""

    def __init__(self, be: Callable[[T, Pipe], None], task: T) -> None:
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_be, args=(be, task, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.join(_END_SECONDS)
        self._pipe.close()
        self._process.close()

    def tell(self, message: object) -> None:
        """Hand it ``message``."""
        self._pipe.send(message)

    def hear(self, kind: type[T], seconds: float) -> T:
        """What it says next, which must be a ``kind`` and come within ``seconds``. Raises :class:`BenchError`."""
        if not self._pipe.poll(seconds):
            raise BenchError(f"no {kind.__name__} within {seconds:.0f} s")
        try:
            said = self._pipe.recv()
        except EOFError as error:
            raise BenchError(f"ended without a {kind.__name__}") from error
        if isinstance(said, Failed):
            raise BenchError(said.why)
        if not isinstance(said, kind):
            raise BenchError(f"said {said!r} instead of a {kind.__name__}")
        return said


def _be(be: Callable[[T, Pipe], None], task: T, pipe: Pipe) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; it ends its sides itself.
    try:
        be(task, pipe)
    except Exception:
        pipe.send(Failed(traceback.format_exc()))


async def told(pipe: Pipe) -> object:
    """What the parent says next, without holding up the loop. Raises EOFError where it has gone."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(pipe.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(pipe.fileno())
    return pipe.recv()
