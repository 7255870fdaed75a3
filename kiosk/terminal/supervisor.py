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
    """Run ``run`` for ever. A lost device is expected; any other error is a defect: it is logged with its traceback and
    the task begins again, because a terminal without one device must still serve with the others.
    """
    retry = _FIRST_RETRY
    while True:
        began = monotonic()
        try:
            await run()
            log.event("task.ended", task=name)
        except DeviceError as error:
            log.event("device.lost", task=name, device=error.device, code=error.code, detail=error.text)
        except Exception as error:  # The supervisor is where everything unexpected is seen.
            log.event("task.crashed", task=name, error=repr(error), traceback=traceback.format_exc(limit=20))
        if monotonic() - began >= _STEADY_SECONDS:
            retry = _FIRST_RETRY
        await asyncio.sleep(retry)
        retry = min(retry * 2, _LONGEST_RETRY)
