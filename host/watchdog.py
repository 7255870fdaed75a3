"""The watchdog: says to systemd that the host is alive, which means that the loop turns and the database answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy import Connection, text

from guichet.seams import Clock
from host.log import event, failure
from host.store.executor import Store

PATIENCE_SECONDS = 30.0
"""How long the database may give no answer before the host is silent: three waits for another process that writes."""

_log = logging.getLogger(__name__)


async def ping(store: Store) -> None:
    """Read from the database. Whatever it raises says that the database does not answer."""
    await store.read(_read)


def _read(connection: Connection) -> None:
    connection.execute(text("SELECT version_num FROM alembic_version")).all()


async def watch(
    ask: Callable[[], Awaitable[None]], clock: Clock, notify: Callable[[str], bool], seconds: float
) -> None:
    """Ask the database and notify systemd every ``seconds``, until cancelled. One answer that fails or is late is
    logged, and the host is alive; without any for :data:`PATIENCE_SECONDS` it is silent until there is one again.
    """
    pulse = _Pulse(clock, notify)
    while True:
        asking = asyncio.ensure_future(_answers(ask))
        try:
            while not (await asyncio.wait({asking}, timeout=seconds))[0]:
                pulse.tell()
        finally:
            asking.cancel()
        if asking.result():
            pulse.felt()
        pulse.tell()
        await asyncio.sleep(seconds)


async def _answers(ask: Callable[[], Awaitable[None]]) -> bool:
    try:
        await ask()
    except Exception as error:  # whatever it is, it is no answer: it is logged, and systemd judges by the silence
        failure(_log, "watchdog.no-answer", error)
        return False
    return True


class _Pulse:
    """When the database answered last, and what systemd hears of it."""

    def __init__(self, clock: Clock, notify: Callable[[str], bool]) -> None:
        self._clock = clock
        self._notify = notify
        self._felt = clock.monotonic()
        self._silent = False

    def felt(self) -> None:
        """The database answers now."""
        self._felt = self._clock.monotonic()

    def tell(self) -> None:
        """Say that the host is alive, unless the last answer is too long ago; the log hears of that once."""
        silence = self._clock.monotonic() - self._felt
        if silence <= PATIENCE_SECONDS:
            self._silent = False
            self._notify("WATCHDOG=1")
        elif not self._silent:
            self._silent = True
            event(_log, "watchdog.silent", level=logging.ERROR, seconds=int(silence))
