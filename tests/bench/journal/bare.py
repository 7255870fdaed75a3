"""What the journal's rows are compared with: APSW and nothing else, the same rows into the same table, as durable."""

# apsw's own stubs leave type parameters of execute() open.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time
from types import TracebackType
from typing import Self

import apsw

from guichet.journal.chain import entry_seal, next_entry
from guichet.journal.records import encode
from tests.bench.journal.days import WRITER, Standing, Transactions
from tests.bench.machine import ROOT

_MICRO = 1_000_000

Row = tuple[int, int, bytes, bytes, bytes, bytes]

_TABLE = """
CREATE TABLE entries (
    epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
    previous_hash BLOB NOT NULL, hash BLOB NOT NULL, seal BLOB NOT NULL, record BLOB NOT NULL,
    PRIMARY KEY (epoch, sequence)
) STRICT, WITHOUT ROWID;
"""
_INSERT = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)"


@contextmanager
def disk() -> Generator[Path]:
    """A directory on the checkout's own disk: a temporary one may be memory, where a sync is nothing."""
    (ROOT / "out").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "out") as place:
        yield Path(place)


def rows(transactions: Transactions) -> list[list[Row]]:
    """What the journal writes of ``transactions``, from its first entry on."""
    last, made, now = None, list[list[Row]](), Standing().wall_us()
    for facts in transactions:
        together: list[Row] = []
        for fact in facts:
            last = next_entry(WRITER.epoch, last, encode(WRITER.terminal, now, fact))
            seal = entry_seal(WRITER.key, last.hash)
            together.append((last.epoch, last.sequence, last.previous_hash, last.hash, seal, last.record))
        made.append(together)
    return made


class Bare:
    """A file that is written like the journal's."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path))
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL"):
            self._connection.execute(f"PRAGMA {pragma}").fetchall()
        self._connection.execute(_TABLE)

    def write(self, transactions: Iterable[Sequence[Row]]) -> None:
        """Each in one transaction, durable before the next."""
        connection = self._connection
        for together in transactions:
            with connection:
                for row in together:
                    connection.execute(_INSERT, row)

    def close(self) -> None:
        """Give it up."""
        self._connection.close()


@dataclass(slots=True)
class Watch:
    """Takes the time of what is done under ``with``, over and over: ``wall`` and ``cpu`` in microseconds. Beside a sync
    of the disk nothing else shows in the first, so the second is shown too. How long a sync takes changes from one
    moment to the next by more than anything that is measured here, so both sides take turns at every commit.
    """

    wall: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])
    _began: tuple[float, float] = (0.0, 0.0)

    def __enter__(self) -> Self:
        self._began = perf_counter(), thread_time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """It is done, where ``with`` does not end yet."""
        self.wall.append((perf_counter() - self._began[0]) * _MICRO)
        self.cpu.append((thread_time() - self._began[1]) * _MICRO)


def cpu_of(ours: Watch, theirs: Watch) -> tuple[tuple[str, float], tuple[str, float]]:
    """What is shown of the CPU of both."""
    return ("cpu us", median(ours.cpu)), ("baseline cpu us", median(theirs.cpu))
