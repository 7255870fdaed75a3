"""Keeps a task alive: what ends by an error is started again, with patience, for as long as the terminal runs."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable

from drivers.errors import DeviceError
from kiosk.log import EventLog

_FIRST_RETRY = 0.5
_LONGEST_RETRY = 10.0
_STEADY_SECONDS = 60.0


async def keep_running(
    name: str, run: Callable[[], Awaitable[None]], monotonic: Callable[[], float], log: EventLog
) -> None:
    """Run ``run`` until this task is cancelled. A lost device is expected; any other error is a defect: it is logged
    with its traceback and the task begins again: a terminal without one device must still serve with the others.

    A CancelledError that comes out of ``run`` although nobody cancelled this task is such a defect: taken for an order,
    it would end the task for ever and in silence.
    """
    retry = _FIRST_RETRY
    while True:
        began = monotonic()
        # In a task of its own: a TaskGroup that failed inside leaves its task looking cancelled (Python 3.11), and then
        # nothing could tell an order from an accident.
        child = asyncio.ensure_future(run())
        try:
            await asyncio.wait({child})
        except asyncio.CancelledError:
            child.cancel()
            await asyncio.wait({child})
            _tell(name, child, log, ordered=True)
            raise
        _tell(name, child, log, ordered=False)
        if monotonic() - began >= _STEADY_SECONDS:
            retry = _FIRST_RETRY
        await asyncio.sleep(retry)
        retry = min(retry * 2, _LONGEST_RETRY)


def _tell(name: str, ended: asyncio.Future[None], log: EventLog, *, ordered: bool) -> None:
    """How it ended; an end by cancellation is nothing to tell where it was ordered."""
    try:
        ended.result()
    except DeviceError as error:
        log.event("device.lost", task=name, device=error.device, code=error.code, detail=error.text)
    except asyncio.CancelledError as error:
        if not ordered:
            _crashed(log, name, error)
    except Exception as error:  # The supervisor is where everything unexpected is seen.
        _crashed(log, name, error)
    else:
        log.event("task.ended", task=name)


def _crashed(log: EventLog, name: str, error: BaseException) -> None:
    """For the handler of ``error``."""
    log.event("task.crashed", task=name, error=repr(error), traceback=traceback.format_exc(limit=20))
