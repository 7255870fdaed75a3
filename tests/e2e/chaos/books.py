"""What the paper, the journal's file and the host's database say, each read by itself and by no code of the product's:
the simulator's file as JSON, the others by plain SQL.

The terminal and the host may run while they are read, and one is read after the other. So each comparison is between
what was read before and what was read after: what can only grow must have grown that far.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from guichet.v1 import journal_pb2 as pb
from tests.simulation.book import IN_BOX, Face
from tests.simulation.editing import chained
from tests.simulation.evidence import face_of, read_file

UNDECIDED = ("escrowed", "stack intended", "return intended")
_TRIES = 50


class Wrong(Exception):
    """The books do not agree, or something that was on record is not there any more."""


# --- paper ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Paper:
    """What lies in the box, by the note's number; and whether a note is on its way."""

    box: dict[int, Face]
    inside: bool

    @property
    def piles(self) -> Counter[Face]:
        """By value."""
        return Counter(self.box.values())


def read_paper(file: Path) -> Paper:
    """The simulated validator's own memory; there is none before its first note."""
    if not file.exists():
        return Paper({}, inside=False)
    notes = cast("list[dict[str, Any]]", json.loads(file.read_text(encoding="utf-8"))["notes"])
    lying = ((int(note["number"]), face_of(note["face"])) for note in notes if note["place"] == "box")
    box = {number: face for number, face in lying if face is not None}
    return Paper(box, any(note["place"] in ("head", "escrow", "transport") for note in notes))


# --- the journal ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Story:
    """What the records say of one note."""

    face: Face | None
    deposit: str
    state: str = "escrowed"
    outcome: int = 0


@dataclass(slots=True)
class Book:
    """The journal, record by record; what was read once must be there at every later reading."""

    hashes: list[bytes] = field(default_factory=list[bytes])
    notes: dict[str, Story] = field(default_factory=dict[str, Story])
    accounts: dict[str, str] = field(default_factory=dict[str, str])
    open_deposits: set[str] = field(default_factory=set[str])
    advices: set[bytes] = field(default_factory=set[bytes])
    settled: set[bytes] = field(default_factory=set[bytes])
    incidents: Counter[str] = field(default_factory=Counter[str])
    doubts: int = 0

    def read(self, file: Path) -> None:
        """What has come since. Raises :class:`Wrong` where the chain is broken, or was shorter than it had been."""
        rows = _rows(file)
        if len(rows) < len(self.hashes):
            raise Wrong(f"{len(self.hashes)} records were in the journal's file, and now there are {len(rows)}")
        previous = bytes(32)
        for number, (epoch, sequence, before, digest, record) in enumerate(rows):
            known = self.hashes[number] if number < len(self.hashes) else None
            if sequence != number + 1 or before != previous or (known is not None and known != digest):
                raise Wrong(f"record {sequence} of the journal is not the one that was written")
            if known is None:
                if digest != chained(epoch, sequence, before, record):
                    raise Wrong(f"the chain is broken at record {sequence}")
                self.hashes.append(digest)
                message = pb.JournalRecord.FromString(record)
                self._apply(getattr(message, message.WhichOneof("fact") or ""))
            previous = digest

    def piles(self, *states: str) -> Counter[Face]:
        """Notes in these states, by value."""
        return Counter(note.face for note in self.notes.values() if note.state in states and note.face is not None)

    def _apply(self, fact: Any) -> None:
        match fact:
            case pb.DepositOpened():
                self.accounts[fact.deposit_id] = fact.account_id
                self.open_deposits.add(fact.deposit_id)
            case pb.DepositClosed():
                self.open_deposits.discard(fact.deposit_id)
            case pb.NoteEscrowed():
                self.notes[fact.note_id] = Story((fact.value.minor, fact.value.currency), fact.deposit_id)
            case pb.NoteFound():
                face = (fact.value.minor, fact.value.currency) if fact.HasField("value") else None
                self.notes[fact.note_id] = Story(face, fact.candidate_deposit_id)
                self._outcome(fact, "found")
            case pb.StackIntended():
                self._of(fact).state = "stack intended"
            case pb.ReturnIntended():
                self._of(fact).state = "return intended"
            case pb.NoteStacked():
                self._outcome(fact, "credited")
            case pb.NoteReturned():
                self._outcome(fact, "returned")
            case pb.NoteInDoubt():
                self.doubts += 1
                self._outcome(fact, "in doubt")
            case pb.AdviceSigned():
                self.advices.add(_digest(fact.content))
            case pb.Settled():
                self.settled.add(fact.advice_hash)
            case pb.Incident():
                self.incidents[fact.code] += 1
            case _:
                pass

    def _of(self, fact: Any) -> Story:
        if fact.note_id not in self.notes:
            raise Wrong(f"the journal has a record about a note that was never in escrow: {fact.note_id}")
        return self.notes[fact.note_id]

    def _outcome(self, fact: Any, state: str) -> None:
        note = self._of(fact)
        if fact.outcome_number != note.outcome + 1:
            raise Wrong(f"outcome {fact.outcome_number} of note {fact.note_id} follows {note.outcome}")
        note.state, note.outcome = state, fact.outcome_number


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _rows(file: Path) -> list[tuple[int, int, bytes, bytes, bytes]]:
    """Every row, of a file that nobody folds its log into meanwhile: then the copy would have holes."""
    for _ in range(_TRIES):
        before = _stamp(file)
        try:
            rows = read_file(file)
        except (sqlite3.DatabaseError, FileNotFoundError):
            continue
        if _stamp(file) == before:
            return rows
    raise Wrong(f"{file} could not be read in {_TRIES} tries")


def _stamp(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


# --- the host ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Booked:
    """What the host last has of a note."""

    face: Face
    account: str
    state: str
    booking: str
    outcome: int


@dataclass(frozen=True, slots=True)
class HostBooks:
    """All of one moment. ``posted``: by account of a customer, what deposits' postings come to. ``off``: by ledger and
    currency, a balance that is not zero.
    """

    notes: dict[str, Booked]
    posted: dict[str, int]
    advices: frozenset[bytes]
    entries: tuple[tuple[int, bytes], ...]
    incidents: Counter[str]
    off: tuple[tuple[str, str, int], ...]
    conflicts: int


_NOTES = (
    "SELECT note_id, value_minor, currency, account_id, outcome, booking, outcome_number FROM note_outcomes"
    " ORDER BY outcome_number"
)
_POSTED = (
    "SELECT p.account_id, sum(p.amount_minor) FROM postings p JOIN transactions t USING (transaction_id)"
    " JOIN accounts a ON a.account_id = p.account_id WHERE t.deposit_id IS NOT NULL AND a.customer_id IS NOT NULL"
    " GROUP BY p.account_id"
)
_OFF = (
    "SELECT ledger, currency, sum(amount_minor) FROM postings GROUP BY ledger, currency HAVING sum(amount_minor) <> 0"
)


def read_host(file: Path) -> HostBooks:
    """The host's database, in one transaction."""
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30, isolation_level=None) as database:
        database.execute("BEGIN")
        notes = {
            note: Booked((minor, currency), account, outcome.replace("-", " "), booking, number)
            for note, minor, currency, account, outcome, booking, number in database.execute(_NOTES)
        }
        conflicts = sum(
            database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608  two names of our own
            for table in ("note_conflicts", "journal_forks")
        )
        books = HostBooks(
            notes,
            dict(database.execute(_POSTED).fetchall()),
            frozenset(_firsts(database.execute("SELECT advice_hash FROM advices"))),
            tuple(database.execute("SELECT sequence, hash FROM journal_entries ORDER BY epoch, sequence").fetchall()),
            Counter(_firsts(database.execute("SELECT code FROM incidents"))),
            tuple(database.execute(_OFF).fetchall()),
            conflicts,
        )
    database.close()
    return books


def _firsts(rows: Iterable[tuple[Any, ...]]) -> list[Any]:
    return [row[0] for row in rows]


def sure(book: Book) -> Counter[Face]:
    """What the journal says lies in the box."""
    return book.piles(*IN_BOX)
