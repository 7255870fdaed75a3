"""Do all books agree with the paper in the box? Host, journal, device counter and simulator are read apart.

The physical notes come from the simulator's own memory, a file that the product never opens. The device's counter is
what it last said of it over the wire, as the journal has it. The host's books are read from its database by plain SQL,
and checked once more by its own ``verify`` and ``reconcile``.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from guichet.journal.records import decode, fact_of, from_wire
from guichet.money import Currency, Money
from guichet.v1 import journal_pb2
from kiosk.journal.faults import JournalError
from kiosk.journal.key import key_file, load_key
from kiosk.journal.store import Journal
from kiosk.terminal.enrolment import load_identity
from kiosk.workbench.processes import tool


class _NoClock:
    def wall_us(self) -> int:
        return 0

    def monotonic(self) -> float:
        return 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Notes by value as each of them counts them, and what is wrong. ``device_counter`` is None where the device never
    said how many notes it has stacked.
    """

    physical: Counter[str]
    host: Counter[str]
    journal: Counter[str]
    device_counter: int | None
    customer_postings: int
    findings: tuple[str, ...]


def compare(base: Path) -> Comparison:
    """Compare what a stack left in ``base``; the terminal must have stopped."""
    memory = json.loads((base / "metal" / "cash.json").read_text(encoding="utf-8"))
    physical = Counter(str(note["face"]) for note in memory["notes"] if note["place"] == "box")
    between = [note for note in memory["notes"] if note["place"] in ("head", "escrow", "transport")]
    host, postings = _host_books(base / "host" / "host.db")
    journal, counter, unreadable = _journal(base)
    value = sum(_minor(face) * count for face, count in physical.items())
    findings = [
        *(f"note {note['number']} is neither in the box nor in a hand" for note in between),
        *([f"the host credited {dict(host)}, in the box are {dict(physical)}"] if host != physical else []),
        *unreadable,
        *([f"the journal credits {dict(journal)}, in the box are {dict(physical)}"] if journal != physical else []),
        *([f"the device counts {counter}"] if not unreadable and counter != physical.total() else []),
        *([f"deposits' postings are {postings}, the notes {value}"] if postings != value else []),
        *own_checks(base),
    ]
    return Comparison(physical, host, journal, counter, postings, tuple(findings))


def _minor(face: str) -> int:
    amount, _, code = face.partition(" ")
    major, _, cents = amount.partition(".")
    return int(major) * 10 ** Currency(code).exponent + int(cents or 0)


def _host_books(database: Path) -> tuple[Counter[str], int]:
    """Notes credited, each by its last outcome, and the sum of the deposits' postings to customers."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as books:
        rows = books.execute(
            "SELECT value_minor, currency FROM note_outcomes o WHERE booking = 'customer' AND outcome_number ="
            " (SELECT max(outcome_number) FROM note_outcomes WHERE note_id = o.note_id)"
        ).fetchall()
        (postings,) = books.execute(
            "SELECT coalesce(sum(p.amount_minor), 0) FROM postings p JOIN transactions t USING (transaction_id)"
            " JOIN accounts a ON a.account_id = p.account_id AND a.ledger = p.ledger AND a.currency = p.currency"
            " WHERE t.deposit_id IS NOT NULL AND a.customer_id IS NOT NULL"
        ).fetchone()
    books.close()
    return Counter(str(Money(minor, Currency(code))) for minor, code in rows), int(postings)


def _journal(base: Path) -> tuple[Counter[str], int | None, list[str]]:
    """Notes in the box that the journal credits, what the device last said it had stacked, and why the journal cannot
    be read, if it cannot.
    """
    try:
        journal = Journal.open(
            base / "kiosk" / "journal.db",
            load_identity(base / "kiosk").writer(load_key(key_file(base / "kiosk"))),
            _NoClock(),
        )
    except JournalError as error:
        return Counter(), None, [f"the journal cannot be read: {error}"]
    try:
        return _credited(journal), _last_counted(journal), []
    finally:
        journal.close()


def _credited(journal: Journal) -> Counter[str]:
    """By its records, whichever box the notes went into: each note by its last outcome."""
    values, stacked = dict[str, str](), dict[str, bool]()
    for entry in journal.behind((0, 0), -1):
        match fact_of(decode(entry.record)):
            case journal_pb2.NoteEscrowed() as fact:
                values[fact.note_id] = str(from_wire(fact.value))
            case (journal_pb2.NoteStacked() | journal_pb2.NoteReturned() | journal_pb2.NoteInDoubt()) as fact:
                stacked[fact.note_id] = isinstance(fact, journal_pb2.NoteStacked)
            case _:
                pass
    return Counter(values[note] for note, credited in stacked.items() if credited)


def _last_counted(journal: Journal) -> int | None:
    counted = None
    for entry in journal.entries(1):
        match fact_of(decode(entry.record)):
            case (journal_pb2.NoteCleared() | journal_pb2.BoxPeriodOpened() | journal_pb2.DeviceAnswered()) as fact:
                counted = fact.stacked_counter if fact.HasField("stacked_counter") else counted
            case _:
                pass
    return counted


def own_checks(base: Path) -> Iterator[str]:
    """The host's own checks of its books, and the journal's chain."""
    config, data = str(base / "host.toml"), str(base / "host")  # The folder may have been moved since.
    for words in (("guichet-host", "verify"), ("guichet-host", "reconcile")):
        done = _call(*words, "--config", config, "--data", data, "--json")
        if done.returncode:
            yield f"{' '.join(words)} ended with {done.returncode}: {_brief(done.stdout or done.stderr)}"
    done = _call("guichet-kiosk", "journal", "verify", "--file", str(base / "kiosk" / "journal.db"))
    if done.returncode:
        yield f"guichet-kiosk journal verify: {_brief(done.stdout or done.stderr)}"


def _call(command: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run((tool(command), *words), check=False, capture_output=True, text=True, timeout=60)


def _brief(text: str) -> str:
    try:
        report = cast("dict[str, object]", json.loads(text))
        return "; ".join(str(finding) for finding in cast("list[object]", report.get("findings", [report])))
    except ValueError:
        return text.strip()[:400]
