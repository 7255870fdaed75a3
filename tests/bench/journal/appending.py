"""Appends a second: every transaction of ordinary sessions, each durable before the next, against bare APSW."""

from __future__ import annotations

from collections.abc import Iterator

from kiosk.journal.store import Journal
from tests.bench.journal.bare import Bare, Watch, cpu_of, disk, rows
from tests.bench.journal.days import WRITER, Standing, Transactions, new_box, session
from tests.bench.plan import Bench, Plan
from tests.bench.rows import Better, Measure, Pair, Row

_SESSIONS = 60
_MICRO = 1_000_000
_MEASURE = Measure(
    "journal-append", "transactions appended a second, one after the other", "1/s", "bare APSW loop, the same inserts",
    0.8, Better.MORE, "the disk's sync; of the CPU, half is SQLite's, the rest the record, hash, seal and fold",
)  # fmt: skip


def run(plan: Plan) -> Iterator[Row]:
    """The row, where the plan wants it."""
    if not plan.wants(_MEASURE.name):
        return
    sessions = plan.times(_SESSIONS)
    turns = [
        [facts for number in range(turn * sessions, (turn + 1) * sessions) for facts in session(number)]
        for turn in range(plan.repetitions)
    ]
    pairs: list[Pair] = []
    with disk() as place:
        journal, bare = Journal.open(place / "ours.db", WRITER, Standing()), Bare(place / "bare.db")
        begin: Transactions = [new_box()]
        made = rows([*begin, *(facts for turn in turns for facts in turn)])
        journal.append(*begin[0])
        bare.write(made[:1])
        at, ours, theirs = 1, Watch(), Watch()
        for turn, transactions in enumerate(turns, 1):
            plan.tell(f"{_MEASURE.name}: turn {turn} of {plan.repetitions}")
            count = len(transactions)
            for facts, row in zip(transactions, made[at : at + count], strict=True):
                with ours:
                    journal.append(*facts)
                with theirs:
                    bare.write([row])
            at += count
            mine, other = (count * _MICRO / sum(watch.wall[-count:]) for watch in (ours, theirs))
            pairs.append(Pair(mine, other, (count, count)))
        journal.close()
        bare.close()
    yield Row(_MEASURE, tuple(pairs), cpu_of(ours, theirs))


BENCH = Bench((_MEASURE.name,), run)
