"""The settlement desk: what fails is found out by itself and told, the rest is settled, nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest
from sqlalchemy import Connection

from host.ledger.advice import parse_advice
from host.ledger.settlement import Answer, Result, Settlement, Submission
from host.services import desk as desks
from host.services.desk import Busy, SettlementDesk
from tests.host.bench import ANNA, Bench
from tests.host.terminal import BenchTerminal, Note, deposit_id


class Poisoned:
    """A settlement that breaks on one deposit, whatever else is in the batch."""

    def __init__(self, settlement: Settlement, poison: str) -> None:
        self._settlement = settlement
        self._poison = poison
        self.batches: list[int] = []

    def settle(self, connection: Connection, batch: Sequence[Submission]) -> tuple[Result, ...]:
        self.batches.append(len(batch))
        results = self._settlement.settle(connection, batch)
        if any(submission.advice.deposit_id == self._poison for submission in batch):
            raise ZeroDivisionError  # after the writing: what was written must be gone again
        return results


def submission(terminal: BenchTerminal, number: int) -> Submission:
    signed = terminal.advice(number, [Note(number)], account=ANNA)
    return Submission(parse_advice(signed.content), signed.signature)


async def test_one_advice_that_breaks_a_batch_does_not_hold_up_the_others(bench: Bench) -> None:
    terminal = bench.enrol("T-1")
    poisoned = Poisoned(bench.host.settlement, deposit_id(3))
    desk = SettlementDesk(bench.host.store, cast("Settlement", poisoned))
    waiting = [asyncio.create_task(desk.settle(submission(terminal, number))) for number in range(6)]
    await asyncio.sleep(0)
    running = asyncio.create_task(desk.run())
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [Answer, Answer, Answer, Busy, Answer, Answer]
    assert poisoned.batches == [6, 1, 1, 1, 1, 1, 1]
    again = await desk.settle(submission(terminal, 2))
    assert again == results[2]
    running.cancel()


async def test_a_full_desk_says_that_it_is_busy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desks, "MAX_WAITING", 1)
    terminal, desk = bench.enrol("T-1"), SettlementDesk(bench.host.store, bench.host.settlement)
    first = asyncio.create_task(desk.settle(submission(terminal, 1)))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await desk.settle(submission(terminal, 2))
    first.cancel()
