"""Opening a journal: with a million records against a thousand. Both files are warm, as after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from guichet.journal.records import Fact
from kiosk.journal.store import SNAPSHOT_EVERY, Journal
from tests.bench.errors import BenchError
from tests.bench.journal.bare import disk
from tests.bench.journal.days import WRITER, Standing, new_box, session
from tests.bench.plan import Bench, Plan
from tests.bench.rows import Measure, Pair, Row

_MANY, _MANY_QUICK, _FEW = 1_000_000, 10_000, 1_000
_OPENED_A_TURN = 5
_TOGETHER = 10_000
_MILLI = 1000


def _measure(many: int) -> Measure:
    return Measure(
        "journal-start",
        f"opening a journal of {many:,} records",
        "ms",
        f"one of {_FEW:,} records",
        2.0,
        limit="the records since the last snapshot but one, some 50 us each; not how many came before",
    )


def run(plan: Plan) -> Iterator[Row]:
    """The row, where the plan wants it. A shorter run has fewer records, which its row says."""
    many = _MANY if plan.scale >= 1.0 else _MANY_QUICK
    if not plan.wants(_measure(many).name):
        return
    with disk() as place:
        plan.tell(f"journal-start: writing {many:,} records")
        files = (place / "many.db", many), (place / "few.db", _FEW)
        for path, records in files:
            _fill(path, records)
        pairs: list[Pair] = []
        for turn in range(plan.repetitions):
            plan.tell(f"journal-start: turn {turn + 1} of {plan.repetitions}")
            times = [[_opened(path, records) for path, records in files] for _ in range(_OPENED_A_TURN)]
            # The least of each: what else the machine does is no part of it.
            pairs.append(Pair(*(min(of_one) for of_one in zip(*times, strict=True))))
        size = ("MiB", files[0][0].stat().st_size / 2**20)
    yield Row(_measure(many), tuple(pairs), (size,))


def _fill(path: Path, records: int) -> None:
    """Ordinary sessions: the first of them many in one transaction, the last as they come, with their snapshots."""
    journal, facts, number, written = Journal.open(path, WRITER, Standing()), list[Fact](new_box()), 0, 0
    while written + len(facts) < records - 4 * SNAPSHOT_EVERY:
        facts += [fact for together in session(number) for fact in together]
        number += 1
        if len(facts) >= _TOGETHER:
            written += _append(journal, facts)
            facts = []
    written += _append(journal, facts)
    while written < records:
        for together in session(number):
            written += _append(journal, together)
        number += 1
    journal.close()


def _append(journal: Journal, facts: list[Fact]) -> int:
    journal.append(*facts)
    return len(facts)


def _opened(path: Path, records: int) -> float:
    """Milliseconds."""
    began = perf_counter()
    journal = Journal.open(path, WRITER, Standing())
    seconds = perf_counter() - began
    there = journal.last is not None and journal.last.sequence >= records
    journal.close()
    if not there:
        raise BenchError(f"{path.name} does not have {records} records")
    return seconds * _MILLI


BENCH = Bench((_measure(_MANY).name,), run)
