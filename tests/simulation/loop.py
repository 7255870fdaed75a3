"""The world's loop: virtual time, and processes in it that can die between any two callbacks or at any effect.

A process is a :class:`Life`. Its tasks and timers carry it in their context; once it is dead none of them runs any
more, so no ``finally`` does either. What still unwinds when it dies in the middle of a call finds every effect refused.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
import warnings
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from contextvars import Context, ContextVar
from typing import Any, TypeVar, cast

from tests.virtual_time import NothingLeft, VirtualLoop

T = TypeVar("T")

_MANY = 100

_LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


class Dead(BaseException):
    """This process is no more. Raised where a life ends in the middle of a call, and at whatever it tries after it."""


class Life:
    """One life of one process. ``effects``: how many things it has done to the world outside: writes, syncs, sends.
    ``opened``: how to close what it has open; the kernel does that for the dead.
    """

    def __init__(self, name: str, on_death: Callable[[Life], None]) -> None:
        self.name = name
        self.alive = True
        self.effects = self.disk_effects = 0
        self._on_death = on_death
        self._dies_at_effect: int | None = None
        self._dies_at_disk: int | None = None
        self._dies_at_callback: int | None = None
        self.opened: list[Callable[[], object]] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._context = Context()
        self._context.run(_LIFE.set, self)

    def start(self, main: Coroutine[Any, Any, object]) -> asyncio.Task[Any]:
        """Let ``main`` be what the process does."""
        return asyncio.get_running_loop().create_task(main, context=self._context.copy())

    def soon(self, do: Callable[..., object], *arguments: object) -> None:
        """Call ``do`` in this process."""
        asyncio.get_running_loop().call_soon(do, *arguments, context=self._context)

    def within(self, do: Callable[[], object]) -> None:
        """Do something as this process, at once."""
        self._context.run(do)

    def dies_at_effect(self, number: int) -> None:
        """Let it die so many effects from now: at odd ones before, at even ones after the effect."""
        self._dies_at_effect = 2 * self.effects + number

    def dies_at_disk(self, number: int) -> None:
        """The same, counting only what SQLite writes, syncs and deletes."""
        self._dies_at_disk = 2 * self.disk_effects + number

    def dies_at_callback(self, number: int) -> None:
        """Let it die so many steps of its tasks from now."""
        self._dies_at_callback = number

    def die(self) -> None:
        """It ends here."""
        if self.alive:
            self.alive = False
            self._on_death(self)

    def effect(self, *, on_disk: bool = False) -> None:
        """Right before an effect. Raises :class:`Dead`."""
        self._at(1, on_disk)
        self.effects += 1
        self.disk_effects += on_disk

    def effected(self, *, on_disk: bool = False) -> None:
        """Right after it. Raises :class:`Dead`."""
        self._at(0, on_disk)

    def _at(self, before: int, on_disk: bool) -> None:
        of_all = self._dies_at_effect is not None and 2 * self.effects + before >= self._dies_at_effect
        of_disk = on_disk and self._dies_at_disk is not None and 2 * self.disk_effects + before >= self._dies_at_disk
        if self.alive and (of_all or of_disk):
            self.die()
        if not self.alive:
            raise Dead(self.name)

    def steps(self) -> bool:
        """Whether the next callback of this life may run."""
        if self._dies_at_callback is not None and self.alive:
            self._dies_at_callback -= 1
            if self._dies_at_callback <= 0:
                self.die()
        return self.alive

    def keep(self, task: asyncio.Task[Any]) -> None:
        """A dead task that nobody holds would be closed by the garbage collector, and its ``finally`` would run."""
        self._tasks.append(task)

    def bury(self) -> None:
        """The world is over: what is left unwinds, with every effect refused. What it says in doing so nobody hears."""
        self.alive = False
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            _unwind(task)


def _unwind(task: asyncio.Task[Any]) -> None:
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    if task.done():
        task._log_traceback = False  # type: ignore[attr-defined]
        return
    with suppress(BaseException):
        task.get_coro().close()  # type: ignore[union-attr]


def _nobody_hears(_: sys.UnraisableHookArgs) -> None:
    """For the end of a world."""


@contextmanager
def silence() -> Generator[None]:
    """Nobody hears what destructors have to say."""
    hook, sys.unraisablehook = sys.unraisablehook, _nobody_hears
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.unraisablehook = hook


def life_now() -> Life | None:
    """Whose code is running; None: the world's."""
    return _LIFE.get()


def require_alive() -> None:
    """Raises :class:`Dead` where a life that is over tries to do something."""
    life = _LIFE.get()
    if life is not None and not life.alive:
        raise Dead(life.name)


class _Task(asyncio.Task[T]):
    """Sets of tasks, as a TaskGroup has one, are gone through in the order of their making, the same in every run."""

    def number(self, number: int) -> None:
        self._number = number

    def __hash__(self) -> int:
        return getattr(self, "_number", 0)

    def __eq__(self, other: object) -> bool:
        return self is other


class WorldLoop(VirtualLoop):
    """``crashes``: what a living process let fall and nobody took."""

    # asyncio's own, which its stubs do not name.
    _ready: deque[Any]
    _scheduled: list[Any]
    _timer_cancelled_count: int

    def __init__(self) -> None:
        super().__init__()
        self.crashes: list[str] = []
        self._made = 0
        self.world = Context()
        self.set_task_factory(cast("Any", self._make_task))
        self.set_exception_handler(self._crashed)

    def _run_once(self) -> None:
        """As asyncio does it, without a selector, which nothing here needs, and without those who are dead."""
        ready, scheduled = self._ready, self._drop_cancelled()
        if not ready:
            if not scheduled:
                raise NothingLeft("every task waits, and no timer is set")
            self._virtual.now = max(self._virtual.now, scheduled[0]._when)
        while scheduled and scheduled[0]._when <= self._virtual.now:
            timer = heapq.heappop(scheduled)
            timer._scheduled = False
            ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            life = handle._context.get(_LIFE)
            if life is None or life.steps():
                handle._run()

    def _drop_cancelled(self) -> list[Any]:
        if len(self._scheduled) > _MANY and self._timer_cancelled_count * 2 > len(self._scheduled):
            for timer in self._scheduled:
                timer._scheduled = not timer._cancelled
            self._scheduled = [timer for timer in self._scheduled if not timer._cancelled]
            heapq.heapify(self._scheduled)
            self._timer_cancelled_count = 0
        while self._scheduled and self._scheduled[0]._cancelled:
            self._timer_cancelled_count -= 1
            heapq.heappop(self._scheduled)._scheduled = False
        return self._scheduled

    def at(self, when: float, do: Callable[..., object], *args: object) -> None:
        """Let the world itself do something at a time, whoever asks for it and whatever becomes of him."""
        self.call_at(when, do, *args, context=self.world)

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, main: Coroutine[Any, Any, Any], context: Context | None = None
    ) -> asyncio.Task[Any]:
        task: _Task[Any] = _Task(main, loop=loop, context=context)
        self._made += 1
        task.number(self._made)
        life = context.get(_LIFE) if context is not None else _LIFE.get()
        if life is not None:
            life.keep(task)
        return task

    def _crashed(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Dead):
            return
        life = life_now()
        if life is None or life.alive:
            self.crashes.append(f"{context.get('message')}: {error!r}")


def bury_world(loop: WorldLoop) -> None:
    """What the world itself left undone."""
    for task in asyncio.all_tasks(loop):
        _unwind(task)


__all__ = ["Dead", "Life", "NothingLeft", "WorldLoop", "bury_world", "life_now", "require_alive", "silence"]
