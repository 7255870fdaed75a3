"""Delivering an outbox of ten thousand deposits to a host that answers at once: what the terminal's side of it costs.

A deposit costs two commits, that it was sent and that it was answered, and one look at the host's signature; the bare
loop does these and nothing else. All answers are signed before the clock starts.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

from guichet.journal.records import Fact
from guichet.seams import Domain
from guichet.signing import verify
from guichet.v1 import journal_pb2
from guichet.v1 import terminal_link_pb2 as pb
from guichet.v1.settlement_pb2 import DepositAdvice
from kiosk.journal.store import Journal
from kiosk.log import EventLog
from kiosk.settlement.settler import Settler
from tests.bench.errors import BenchError
from tests.bench.journal.bare import Bare, Watch, cpu_of, disk, rows
from tests.bench.journal.days import WRITER, Standing
from tests.bench.plan import Bench, Plan
from tests.bench.rows import Measure, Pair, Row
from tests.kiosk.settlement.standing import HOST, Copy, Dice, advice, signed, stated

_DEPOSITS = 10_000
_PATIENCE = 600.0
_MEASURE = Measure(
    "settlement-drain", "an open deposit delivered, of an outbox full of them", "us",
    "signature verified, two bare commits",
    limit="the disk's two syncs; of the CPU, most is to verify the signature, then SQLite",
)  # fmt: skip


class _Host:
    """Answers at once, as often as it is let; then not at all. Before each answer it does what the bare loop does of
    that deposit, so that both find the disk in one mood; ``bare`` is how long that took.
    """

    def __init__(self, bare: Bare, answers: dict[bytes, pb.SignedAnswer]) -> None:
        self.connected, self.refused = True, False
        self.left = 0
        self.done = asyncio.Event()
        self.bare = Watch()
        self._answers = answers
        self._file = bare
        self._rows = iter(rows([[fact] for content, answer in answers.items() for fact in _facts(content, answer)]))

    def on_change(self, listener: Callable[[pb.Welcome | None], None]) -> None:
        """It never changes."""

    def begin_again(self) -> None:
        """It is always there."""

    async def request(self, item: pb.ConnectRequest) -> pb.ConnectResponse:
        """The answer to an advice."""
        if self.left == 0:
            self.done.set()
            await asyncio.Event().wait()
        self.left -= 1
        answer = self._answers[item.advice.content]
        with self.bare:
            self._file.write([next(self._rows)])
            verify(HOST.public_key(), Domain.SETTLEMENT_ANSWER, answer.content, answer.signature)
            self._file.write([next(self._rows)])
        return pb.ConnectResponse(answer=answer)

    async def submit(self, advice: pb.SignedAdvice) -> pb.SignedAnswer:
        """Nobody needs the late way here."""
        raise BenchError(f"{len(advice.content)} bytes came by the late way")


def run(plan: Plan) -> Iterator[Row]:
    """The row, where the plan wants it: each turn delivers its part of the one outbox."""
    if not plan.wants(_MEASURE.name):
        return
    part = max(1, plan.times(_DEPOSITS) // plan.repetitions)
    plan.tell(f"{_MEASURE.name}: signing {part * plan.repetitions:,} deposits and their answers")
    advices = [advice(number) for number in range(part * plan.repetitions + 1)]
    answers = {one.content: signed(stated(one.content)) for one in advices}
    with disk() as place:
        yield asyncio.run(_drain(plan, place, part, advices, answers))


async def _drain(
    plan: Plan,
    place: Path,
    part: int,
    advices: list[journal_pb2.AdviceSigned],
    answers: dict[bytes, pb.SignedAnswer],
) -> Row:
    journal, bare = Journal.open(place / "ours.db", WRITER, Standing()), Bare(place / "bare.db")
    host, log = _Host(bare, answers), EventLog(Standing(), WRITER.terminal, io.StringIO())
    settler = Settler(journal, host, host, Copy(), HOST.public_key(), Standing(), Dice(), log)
    journal.append(*advices)
    pairs, mine = list[Pair](), Watch()
    for turn in range(plan.repetitions):
        plan.tell(f"{_MEASURE.name}: turn {turn + 1} of {plan.repetitions}")
        await _deliver(settler, host, part, mine)
        wall, cpu = sum(host.bare.wall[-part:]), sum(host.bare.cpu[-part:])
        mine.wall[-1], mine.cpu[-1] = (mine.wall[-1] - wall) / part, (mine.cpu[-1] - cpu) / part
        pairs.append(Pair(mine.wall[-1], wall / part, (part, part)))
    left = len(journal.fold.outbox)
    journal.close()
    bare.close()
    if left != 1:
        raise BenchError(f"{left} deposits are still open, not the one that was not to be answered")
    return Row(_MEASURE, tuple(pairs), cpu_of(mine, host.bare))


async def _deliver(settler: Settler, host: _Host, count: int, watch: Watch) -> None:
    """The time of both sides together."""
    host.left = count
    host.done.clear()
    with watch:
        delivering = asyncio.create_task(settler.run())
        async with asyncio.timeout(_PATIENCE):
            await host.done.wait()
    delivering.cancel()
    await asyncio.gather(delivering, return_exceptions=True)


def _facts(content: bytes, answer: pb.SignedAnswer) -> tuple[Fact, Fact]:
    digest, deposit = sha256(content).digest(), DepositAdvice.FromString(content).deposit_id
    sent = journal_pb2.SettlementSent(deposit_id=deposit, attempt=1, advice_hash=digest)
    settled = journal_pb2.Settled(
        deposit_id=deposit, answer=answer.content, signature=answer.signature, advice_hash=digest
    )
    return sent, settled


BENCH = Bench((_MEASURE.name,), run)
