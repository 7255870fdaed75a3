"""A host, a validator and a nursery of terminals; and what the host's books say, by plain SQL."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

from guichet.journal.records import Fact, decode, fact_of
from guichet.money import Currency, Money, parse_money
from guichet.v1 import journal_pb2
from kiosk.journal.store import read_stopped
from kiosk.workbench.stack import Stack

TIMINGS = "escrow_hold = 0\nsettlement_wait = 5\ncustomer = 10\nreplication_wait = 5\nlate_delivery = 0.5"


_QUICK = 0.012
_SLOW = 1.5


class HostAndCash(Stack):
    """A host and a validator, with or without a counter of stacked notes; the terminal is the nursery's."""

    def __init__(self, base: Path, *, counter: bool) -> None:
        super().__init__(base, pace=_QUICK, poll_ms=8, timings=TIMINGS)
        self._counter = counter

    def _start_devices(self) -> None:
        firmware = () if self._counter else ("--no-counter",)
        self._simulator("cash", "ccnet", "--state", str(self.notes), "--pace", str(self._pace), *firmware)

    def start_terminal(self) -> None:
        """Nothing: the nursery does."""


class Nursery:
    """Forks lives of the terminal."""

    def __init__(self, stack: Stack, account: str) -> None:
        self._order = {"config": str(stack.config), "cash": str(stack.control("cash")), "account": account}
        with (stack.base / "log" / "lives.log").open("ab") as log:
            self._process = subprocess.Popen(
                (sys.executable, "-m", "tests.e2e.kill.life"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )

    def begin(self, kill_at: str, *, session: bool = True) -> dict[str, object]:
        """A new life, up to its being recovered from the last; without a ``session`` where the host gives none."""
        return cast("dict[str, object]", self._begin(kill_at, session=session, from_the_start=False)["recovered"])

    def begin_counting(self, kill_at: str) -> dict[str, object]:
        """A new life whose recovery already can be its death: what it says first."""
        return self._begin(kill_at, session=True, from_the_start=True)

    def _begin(self, kill_at: str, *, session: bool, from_the_start: bool) -> dict[str, object]:
        words = {"session": "yes" if session else "no", "from_the_start": "yes" if from_the_start else "no"}
        self._say({**self._order, "kill_at": kill_at, **words})
        return self.hear()

    def go_on(self, then: str) -> dict[str, object]:
        """Let it play the customer's part, or stop; what it says next."""
        self._say({"then": then})
        return self.hear()

    def _say(self, message: dict[str, str]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, object]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the nursery ended"
        return cast("dict[str, object]", json.loads(line))

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def host_and_cash(base: Path, *, counter: bool = True) -> Generator[Stack]:
    """Both, quick enough for hundreds of lives."""
    with HostAndCash(base, counter=counter) as running:
        yield running


@contextmanager
def slow_cash(stack: Stack) -> Generator[None]:
    """So slow a validator that a note can be met on its way."""
    stack.tell("cash", f"pace {_SLOW}")
    try:
        yield
    finally:
        stack.tell("cash", f"pace {_QUICK}")


@contextmanager
def books(stack: Stack) -> Generator[sqlite3.Connection]:
    """The host's database. Closed at once: whoever has it open keeps the host's log from being folded in at its end."""
    with closing(sqlite3.connect(f"file:{stack.base / 'host' / 'host.db'}?mode=ro", uri=True)) as database:
        yield database


def an_account(stack: Stack) -> str:
    query = (
        "SELECT account_id FROM accounts WHERE ledger = 'training' AND customer_id IS NOT NULL"
        " AND currency = 'EUR' AND takes_deposits LIMIT 1"
    )
    with books(stack) as db:
        row = db.execute(query).fetchone()
    assert row is not None
    return str(row[0])


def booked(stack: Stack, booking: str = "customer") -> Counter[str]:
    """Notes that the host credited, or booked otherwise, by value; each note by its last outcome and once."""
    query = (
        "SELECT note_id, value_minor, currency, booking FROM note_outcomes o WHERE outcome_number ="
        " (SELECT max(outcome_number) FROM note_outcomes WHERE note_id = o.note_id)"
    )
    with books(stack) as db:
        rows = db.execute(query).fetchall()
    assert len({row[0] for row in rows}) == len(rows), "a note is booked twice"
    return Counter(str(Money(minor, Currency(code))) for _, minor, code, how in rows if how == booking)


def credited_minor(stack: Stack, account: str) -> int:
    """What the deposits' postings to the customer's account amount to."""
    query = (
        "SELECT coalesce(sum(p.amount_minor), 0) FROM postings p JOIN transactions t USING (transaction_id)"
        " WHERE p.account_id = ? AND t.deposit_id IS NOT NULL"
    )
    with books(stack) as db:
        return int(db.execute(query, (account,)).fetchone()[0])


def in_the_box(stack: Stack) -> Counter[str]:
    """What physically lies there, by the simulator's own memory."""
    notes = json.loads(stack.tell("cash", "notes"))["notes"]
    assert not [note for note in notes if note["place"] in ("head", "escrow", "transport")], notes[-1]
    return Counter(str(note["face"]) for note in notes if note["place"] == "box")


def written(stack: Stack) -> list[Fact]:
    """Every fact of the terminal's journal; the terminal must have stopped."""
    return [fact_of(decode(entry.record)) for entry in read_stopped(stack.base / "kiosk" / "journal.db")]


def incidents(stack: Stack) -> list[str]:
    """What a person should look at. A death alone is nothing of the kind: each note's next step was on record."""
    return [fact.code for fact in written(stack) if isinstance(fact, journal_pb2.Incident)]


def agree(stack: Stack, account: str, recovered: dict[str, object], in_doubt: Counter[str] | None = None) -> None:
    """Journal, host and box agree: exactly these notes are in doubt, by value, and without any the box holds what is
    credited and nothing else. With some, credited <= in the box <= credited + in doubt.
    """
    box, doubtful = in_the_box(stack), in_doubt or Counter[str]()
    credited = Counter(cast("list[str]", recovered["credited"]))
    assert Counter(cast("list[str]", recovered["in_doubt"])) == doubtful
    assert credited <= box <= credited + doubtful
    assert recovered["open"] is False
    assert booked(stack) == credited
    assert booked(stack, "in-doubt") == doubtful
    value = sum(parse_money(face).minor * count for face, count in credited.items())
    assert credited_minor(stack, account) == value
