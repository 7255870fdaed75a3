"""The settlement desk: what arrives from all terminals while the database is busy is settled together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from host.ledger.settlement import Result, Settlement, Submission
from host.ledger.writing import Raced
from host.log import event, failure
from host.store.executor import Store

MAX_BATCH = 64
MAX_WAITING = 1_000
_ROUNDS = 3

_log = logging.getLogger(__name__)


class Busy(Exception):
    """The desk could not settle it now; the same advice can be sent again later."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    submission: Submission
    answer: asyncio.Future[Result]


class SettlementDesk:
    """One task that settles; :meth:`settle` waits for it. It remembers nothing that the database does not."""

    def __init__(self, store: Store, settlement: Settlement) -> None:
        self._store = store
        self._settlement = settlement
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(MAX_WAITING)

    async def settle(self, submission: Submission) -> Result:
        """The result for one advice. Raises :class:`Busy`."""
        waiting = _Waiting(submission, asyncio.get_running_loop().create_future())
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull as error:
            raise Busy("too many advices are waiting") from error
        return await waiting.answer

    async def run(self) -> None:
        """Settle batches until cancelled."""
        while True:
            batch = [await self._queue.get()]
            while len(batch) < MAX_BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            await self._settle_batch(batch)

    async def _settle_batch(self, batch: Sequence[_Waiting]) -> None:
        try:
            results = await self._booked([waiting.submission for waiting in batch])
        except Exception as error:  # whatever it is, nobody may wait for ever: it is logged, and told as busy
            await self._one_by_one(batch, error)
            return
        for waiting, result in zip(batch, results, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(result)

    async def _one_by_one(self, batch: Sequence[_Waiting], error: Exception) -> None:
        """Split a batch that failed, so that only what is at fault has to wait."""
        if len(batch) > 1:
            event(_log, "settlement.split", advices=len(batch))
            for waiting in batch:
                await self._settle_batch([waiting])
            return
        failure(_log, "settlement.failed", error, deposit=batch[0].submission.advice.deposit_id)
        if not batch[0].answer.done():
            batch[0].answer.set_exception(Busy("the books could not take it now"))

    async def _booked(self, submissions: Sequence[Submission]) -> tuple[Result, ...]:
        for _ in range(_ROUNDS - 1):
            try:
                return await self._once(submissions)
            except Raced:
                event(_log, "settlement.raced", advices=len(submissions))
        return await self._once(submissions)

    async def _once(self, submissions: Sequence[Submission]) -> tuple[Result, ...]:
        return await self._store.run(lambda connection: self._settlement.settle(connection, submissions))
