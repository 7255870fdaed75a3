"""The outside checker: what may never happen, by paper, disk and books, and by no code of the product's own.

It sees what the journal says is on disk, what the cash module is ordered to do, what goes to the host, and where each
piece of paper is; at the end it reads the journal's file and the host's database in its own words. The numbers are the
rules of the design, section 1.
"""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drivers.simulation.cash_device import Order
from drivers.simulation.notes import Place
from guichet.v1 import journal_pb2 as pb
from guichet.v1 import offline_pb2, settlement_pb2
from guichet.v1 import terminal_link_pb2 as link
from tests.simulation.bank import CUSTOMERS, HostClock
from tests.simulation.editing import chained
from tests.simulation.kiosk import Kiosk, Observer, PhysicalBox
from tests.simulation.plan import Moment

Face = tuple[int, str]
"""Minor units and currency."""

IN_BOX = ("credited", "found")

JournalPlace = tuple[int, int]
"""Epoch and sequence of a record."""
_DAY_US = 86_400_000_000
_MOMENTS = {
    "NoteEscrowed": Moment.ESCROWED,
    "StackIntended": Moment.STACK_INTENDED,
    "ReturnIntended": Moment.RETURN_INTENDED,
    "NoteStacked": Moment.STACKED,
    "NoteInDoubt": Moment.IN_DOUBT,
}
_CLOCK_SECONDS = 20


class Violation(Exception):
    """A rule is broken. The text begins with its number."""


@dataclass(slots=True)
class Note:
    """What the journal has said of a note, by the records alone."""

    face: Face | None
    deposit: str
    state: str = "escrowed"
    outcome: int = 0
    intended: bool = False

    @property
    def undecided(self) -> bool:
        """It has no outcome yet."""
        return self.state.endswith(("intended", "escrowed"))


@dataclass(frozen=True, slots=True)
class Alone:
    """A deposit that began without the host: whose card, by which limit, on which day."""

    pan: bytes
    limit: Any
    day: int


@dataclass(slots=True)
class Book:
    """One terminal's journal, as it was claimed to be on disk, record by record. ``begun`` and ``signed``: at which
    record a deposit was opened and an advice signed; ``first``: the record that the file begins with; ``boxes``: which
    stood there as each box period began; ``gone``: notes that only a disk knew which is gone.
    """

    entries: list[tuple[JournalPlace, bytes]] = field(default_factory=list[tuple[JournalPlace, bytes]])
    read: list[Any] = field(default_factory=list[Any])
    notes: dict[str, Note] = field(default_factory=dict[str, Note])
    last: str = ""
    deposits: dict[str, str] = field(default_factory=dict[str, str])
    owners: dict[str, str] = field(default_factory=dict[str, str])
    limits: Any = None
    booted: str = ""
    alone: dict[str, Alone] = field(default_factory=dict[str, "Alone"])
    open_deposit: str = ""
    advices: dict[bytes, bool] = field(default_factory=dict[bytes, bool])
    sure: Counter[Face] = field(default_factory=Counter[Face])
    unknown_finds: int = 0
    swallowed: int = 0
    begun: dict[str, JournalPlace] = field(default_factory=dict[str, JournalPlace])
    signed: dict[bytes, JournalPlace] = field(default_factory=dict[bytes, JournalPlace])
    first: JournalPlace = (1, 1)
    gone: dict[str, Note] = field(default_factory=dict[str, Note])
    boxes: dict[str, PhysicalBox] = field(default_factory=dict[str, PhysicalBox])

    @property
    def last_place(self) -> JournalPlace:
        """Of the last record; (0, 0) before the first."""
        return self.entries[-1][0] if self.entries else (0, 0)

    @property
    def lost(self) -> Counter[Face]:
        """What lies in the box, or may, and only a disk knew that is gone."""
        return Counter(note.face for note in self.gone.values() if note.state != "returned" and note.face is not None)

    def is_told(self, name: str) -> None:
        """The host has the terminal's signed word of a note that was gone."""
        self.notes[name] = self.gone.pop(name)

    def count(self, *states: str) -> Counter[Face]:
        """Notes in these states, by value."""
        return Counter(note.face for note in self.notes.values() if note.state in states and note.face is not None)


class Checker(Observer):
    """Raises nothing inside the product: what is wrong is kept in ``wrongs`` and stops the world at its next step."""

    def __init__(self) -> None:
        self.wrongs: list[str] = []
        self.books: dict[str, Book] = defaultdict(Book)
        self.pushed_by: dict[tuple[str, int, int], str] = {}
        self.sent_advices: dict[tuple[str, str, str, int], bytes] = {}
        self.records = self.retirements = 0
        self._again = False
        self.host_holds: Callable[[str], JournalPlace] = lambda _: (0, 0)
        self.on_note: Callable[[Kiosk, Moment], None] = lambda _kiosk, _moment: None
        self._last_posting: int | None = None
        self.host_clock: HostClock | None = None

    def wrong(self, text: str) -> None:
        """A rule is broken."""
        self.wrongs.append(text)

    def says_of_note(self, kiosk: Kiosk) -> str:
        book = self.books[kiosk.name]
        note = book.notes.get(book.last)
        return f"record: {note.state}" if note is not None else "no record"

    # --- while it happens -------------------------------------------------------------------------------------------

    def crashed(self, trace: str) -> None:
        self.wrong(f"a task crashed: {trace}")

    def opened(self, kiosk: Kiosk, journal: Any) -> None:
        """What was claimed to be on disk must be there, whatever happened since."""
        book = self.books[kiosk.name]
        (_, claimed), digest = book.entries[-1] if book.entries else ((0, 0), b"")
        last = journal.last
        if claimed and (last is None or last.sequence < claimed):
            there = 0 if last is None else last.sequence
            self.wrong(f"4: {kiosk.name}: {claimed} records were on disk, {there} are there after a restart")
            return
        if claimed:
            there = next(iter(journal.entries(claimed, 1)))
            if there.hash != digest:
                self.wrong(f"6: {kiosk.name}: record {claimed} is not the one that was written")
                return
        # Nobody has said that these are on disk: they are read, and count once something was written behind them.
        book.read = list(journal.entries(claimed + 1))

    def restored(self, kiosk: Kiosk, entries: list[Any]) -> None:
        """What the old disk had is what the host holds; what only it knew is lost, and nobody can be asked for it."""
        old, book = self.books[kiosk.name], Book()
        self.books[kiosk.name], self._again = book, True
        for entry in entries:
            record = pb.JournalRecord.FromString(entry.record)
            self._recorded(kiosk, entry, getattr(record, record.WhichOneof("fact") or ""))
        self._again = False
        book.owners = old.owners
        book.alone = {name: old.alone[name] for name in book.deposits if name in old.alone}
        book.boxes = {period: old.boxes[period] for period in book.boxes}
        known = old.notes | old.gone
        book.gone = {name: note for name, note in known.items() if name not in book.notes}
        book.unknown_finds, book.swallowed = old.unknown_finds, old.swallowed
        book.first = book.entries[0][0]

    def appended(self, kiosk: Kiosk, entry: Any, fact: Any) -> None:
        if kiosk.disk.unsynced:
            self.wrong(f"4: {kiosk.name}: record {entry.sequence} is said to be on disk and is not synced")
        read, self.books[kiosk.name].read = self.books[kiosk.name].read, []
        for earlier in read:
            record = pb.JournalRecord.FromString(earlier.record)
            self._recorded(kiosk, earlier, getattr(record, record.WhichOneof("fact") or ""))
        self._recorded(kiosk, entry, fact)
        moment = _MOMENTS.get(fact.DESCRIPTOR.name)
        if isinstance(fact, pb.DepositOpened) and fact.HasField("offline"):
            self._began_alone_now(kiosk, fact)
        if moment is not None:
            self.on_note(kiosk, moment)

    def _recorded(self, kiosk: Kiosk, entry: Any, fact: Any) -> None:
        book = self.books[kiosk.name]
        self.records += 1
        epoch, sequence = book.last_place
        if (entry.epoch, entry.sequence) not in (
            (epoch, sequence + 1),
            *((e, 1) for e in range(epoch + 1, entry.epoch + 1)),
        ):
            self.wrong(f"6: {kiosk.name}: record {entry.epoch}/{entry.sequence} follows {epoch}/{sequence}")
        book.entries.append(((entry.epoch, entry.sequence), entry.hash))
        self._apply(kiosk, book, fact)

    def _apply(self, kiosk: Kiosk, book: Book, fact: Any) -> None:
        match fact:
            case pb.DepositOpened():
                if book.open_deposit:
                    self.wrong(f"2: {kiosk.name}: deposit {fact.deposit_id} was opened while another is open")
                book.deposits[fact.deposit_id] = fact.account_id
                book.begun[fact.deposit_id] = book.entries[-1][0]
                book.open_deposit = fact.deposit_id
                if kiosk.last_card is not None and not self._again:
                    book.owners[fact.deposit_id] = kiosk.last_card.account
                if fact.HasField("offline") and not self._again:
                    self._began_alone(kiosk, book, fact)
            case pb.BoxPeriodOpened():
                book.boxes[fact.box_period_id] = kiosk.box
            case pb.OfflineLimitsReceived():
                book.limits = offline_pb2.OfflineLimits.FromString(fact.content)
            case pb.TimeTrusted():
                book.booted = fact.boot_id
            case pb.DepositClosed():
                book.open_deposit = ""
            case pb.NoteEscrowed():
                book.notes[fact.note_id] = Note((fact.value.minor, fact.value.currency), fact.deposit_id)
                book.last = fact.note_id
            case pb.StackIntended():
                note = self._note(book, fact)
                note.state, note.intended = "stack intended", True
                if note.deposit in book.alone:
                    self._within_limits(kiosk, book, book.alone[note.deposit])
            case pb.ReturnIntended():
                self._note(book, fact).state = "return intended"
            case pb.NoteFound():
                face = (fact.value.minor, fact.value.currency) if fact.HasField("value") else None
                book.unknown_finds += face is None
                book.notes[fact.note_id] = Note(face, fact.candidate_deposit_id)
                book.last = fact.note_id
                self._outcome(kiosk, book, fact, "found")
            case pb.NoteStacked():
                self._outcome(kiosk, book, fact, "credited")
            case pb.NoteReturned():
                self._outcome(kiosk, book, fact, "returned")
            case pb.NoteInDoubt():
                self._outcome(kiosk, book, fact, "in doubt")
            case pb.AdviceSigned():
                digest = hashlib.sha256(fact.content).digest()
                book.advices[digest], book.signed[digest] = False, book.entries[-1][0]
            case pb.Settled():
                if fact.advice_hash in book.advices:
                    book.advices[fact.advice_hash] = True
                else:
                    self.wrong(f"6: {kiosk.name}: settled is what was never signed")
            case pb.Incident():
                book.swallowed += fact.code == "events-missed" and not kiosk.subject.escrow
            case _:
                pass

    # --- without the host (9) ---------------------------------------------------------------------------------------

    def _began_alone(self, kiosk: Kiosk, book: Book, fact: Any) -> None:
        """By a limit of the newest list, for this card, before the list was over."""
        start, card = fact.offline, kiosk.last_card
        limits = book.limits.limits if book.limits is not None and book.limits.number == start.limits_number else ()
        mine = [one for one in limits if (one.bin, one.currency) == (start.bin, fact.currency)]
        if card is None or not mine or not card.pan.startswith(start.bin.encode()):
            self.wrong(f"9: {kiosk.name}: deposit {fact.deposit_id} began without the host by no limit of its list")
            return
        if book.limits is not None and start.started_at_us >= book.limits.expires_at_us:
            self.wrong(f"9: {kiosk.name}: deposit {fact.deposit_id} began by limits that were over")
        if fact.account_id or not start.sealed_pan or card.pan in start.SerializeToString():
            self.wrong(f"7: {kiosk.name}: deposit {fact.deposit_id} began without the host, and its card is not sealed")
        book.alone[fact.deposit_id] = Alone(card.pan, mine[0], start.started_at_us // _DAY_US)

    def _began_alone_now(self, kiosk: Kiosk, fact: Any) -> None:
        """At a time that this boot of the machine has from the host."""
        book, clock = self.books[kiosk.name], self.host_clock
        if book.booted != kiosk.boot.boot_id():
            self.wrong(f"9: {kiosk.name}: deposit {fact.deposit_id} began in a boot that has no time from the host")
        if clock is not None and not clock.jumped:
            off = (fact.offline.started_at_us - clock.wall_us()) / 1_000_000
            if not -_CLOCK_SECONDS <= off <= _CLOCK_SECONDS:
                self.wrong(f"9: {kiosk.name}: deposit {fact.deposit_id} began at a time that is off by {off:.0f} s")

    def _within_limits(self, kiosk: Kiosk, book: Book, one: Alone) -> None:
        """What may go into the box by the day's deposits without the host, this note included."""
        of_bin = {name: other for name, other in book.alone.items() if (other.day, other.limit) == (one.day, one.limit)}
        of_card = {name for name, other in of_bin.items() if other.pan == one.pan}
        notes = [note for note in book.notes.values() if note.intended and note.state != "returned" and note.face]
        taken = Counter[str]()
        for note in notes:
            if note.deposit in of_bin and note.face is not None and note.face[1] == one.limit.currency:
                taken[note.deposit] += note.face[0]
        card = sum(taken[name] for name in of_card)
        if card > one.limit.per_card_day_minor:
            self.wrong(f"9: {kiosk.name}: a card deposits {card} in a day without the host")
        if taken.total() > one.limit.per_terminal_day_minor:
            self.wrong(f"9: {kiosk.name}: {taken.total()} is deposited in a day without the host")
        if sum(taken[name] > 0 for name in of_card) > one.limit.deposits_per_card_day:
            self.wrong(f"9: {kiosk.name}: a card makes {len(of_card)} deposits in a day without the host")

    def _note(self, book: Book, fact: Any) -> Note:
        note = book.notes.get(fact.note_id)
        if note is None:
            self.wrong(f"4: a record about a note that was never in escrow: {fact.note_id}")
            note = book.notes[fact.note_id] = Note(None, "")
        return note

    def _outcome(self, kiosk: Kiosk, book: Book, fact: Any, state: str) -> None:
        note = self._note(book, fact)
        if fact.outcome_number != note.outcome + 1:
            self.wrong(f"6: outcome {fact.outcome_number} of {fact.note_id} follows {note.outcome}")
        if note.state in IN_BOX and note.face is not None:
            book.sure[note.face] -= 1
        note.state, note.outcome = state, fact.outcome_number
        if state in IN_BOX and note.face is not None:
            book.sure[note.face] += 1
            box = paper_of(kiosk)
            if book.sure[note.face] > box[note.face]:
                what = f"{book.sure[note.face]} of {note.face} are {state}, {box[note.face]} lie in the box"
                self.wrong(f"1: {kiosk.name}: {what}")

    def retired(self, kiosk: Kiosk, first: JournalPlace) -> None:
        """What goes from the file is settled, decided, and held by the host (5)."""
        book = self.books[kiosk.name]
        if first == book.first:
            return
        book.first = first
        self.retirements += 1
        owed = [digest.hex()[:8] for digest, at in book.signed.items() if at < first and not book.advices[digest]]
        if owed:
            self.wrong(f"5: {kiosk.name}: what lies before {first} went, and {owed} are not settled")
        if book.open_deposit and book.begun[book.open_deposit] < first:
            self.wrong(f"5: {kiosk.name}: what lies before {first} went, with the opening of an open deposit")
        undecided = [
            name for name, note in book.notes.items() if note.undecided and book.begun.get(note.deposit, (0, 0)) < first
        ]
        if undecided:
            self.wrong(f"5: {kiosk.name}: what lies before {first} went, with {undecided} undecided")
        if self.host_holds(kiosk.name) < first:
            self.wrong(f"5: {kiosk.name}: what lies before {first} went, and the host does not hold it")

    def ordered(self, kiosk: Kiosk, order: Order) -> None:
        """Intent before action, record before acknowledgement (4)."""
        book = self.books[kiosk.name]
        if order is Order.STACK:
            last = book.notes.get(book.last)
            if last is None or last.state != "stack intended":
                self.wrong(f"4: {kiosk.name}: stack was ordered, the record says {last}")
        if order is Order.ACKNOWLEDGE and kiosk.subject.acknowledges:
            over = self._unaccounted(kiosk, book)
            if over:
                self.wrong(f"4: {kiosk.name}: acknowledged, with {dict(over)} in the box that no record accounts for")

    def _unaccounted(self, kiosk: Kiosk, book: Book) -> Counter[Face]:
        over = paper_of(kiosk) - book.count("credited", "found", "in doubt") - book.lost - forgotten_by(kiosk)
        return over if over.total() > book.unknown_finds + book.swallowed else Counter()

    def sent(self, kiosk: Kiosk, method: str, data: bytes) -> None:
        """One key, one content (6), on the wire."""
        signed = _advice_in(method, data)
        if signed is None:
            return
        advice = settlement_pb2.DepositAdvice.FromString(signed.content)
        if hashlib.sha256(signed.content).digest() not in self.books[kiosk.name].advices:
            self.wrong(f"4: {kiosk.name}: an advice was sent that is not on disk")
        for note in advice.notes:
            key = (kiosk.name, advice.deposit_id, note.note_id, note.outcome_number)
            content = note.SerializeToString(deterministic=True) + advice.account_id.encode()
            if self.sent_advices.setdefault(key, content) != content:
                self.wrong(f"6: {kiosk.name}: {key} was sent with two contents")

    def committed(self, database: sqlite3.Connection) -> None:
        """The trial balance is zero in every currency, after every transaction of the host that posts anything."""
        (last,) = database.execute("SELECT max(posting_no) FROM postings").fetchone()
        if last == self._last_posting:
            return
        self._last_posting = last
        rows = database.execute("SELECT ledger, currency, sum(amount_minor) FROM postings GROUP BY 1, 2").fetchall()
        for ledger, currency, balance in rows:
            if balance:
                self.wrong(f"3: the books of {ledger} are off by {balance} {currency}")

    # --- when everything is at rest -------------------------------------------------------------------------------

    def at_rest(self, kiosks: Iterable[Kiosk], database: sqlite3.Connection) -> None:
        """Everything that must hold in the end. What a terminal has signed may have come to the host before the records
        that it rests on, and these may be gone with a disk: its word stands.
        """
        outcomes = final_outcomes(database)
        for kiosk in kiosks:
            book = self.books[kiosk.name]
            for name in [name for name in book.gone if (kiosk.name, name) in outcomes]:
                book.is_told(name)
            self._conserved(kiosk)
            self._chain(kiosk, database)
            self._advices_settled(kiosk)
        self._books(list(kiosks), database)

    def _conserved(self, kiosk: Kiosk) -> None:
        book = self.books[kiosk.name]
        box, sure, doubt = paper_of(kiosk), book.count("credited", "found"), book.count("in doubt")
        if sure - box:
            self.wrong(f"1: {kiosk.name}: on record and not in the box: {dict(sure - box)}")
        over = box - sure - doubt - book.lost - forgotten_by(kiosk)
        if over.total() > book.unknown_finds + book.swallowed:
            self.wrong(f"1: {kiosk.name}: in the box and nobody's: {dict(over)}")
        undecided = [note for note in book.notes.values() if note.undecided]
        if undecided:
            self.wrong(f"3: {kiosk.name}: nothing was decided about {undecided}")

    def _chain(self, kiosk: Kiosk, database: sqlite3.Connection) -> None:
        """The host holds every record that was claimed, in one unbroken chain, and the file the same, but for what it
        let go of.
        """
        query = (
            "SELECT epoch, sequence, previous_hash, hash, record FROM journal_entries WHERE terminal_id = ? "
            "ORDER BY epoch, sequence"
        )
        held = database.execute(query, (kiosk.name,)).fetchall()
        last, previous = (0, 0), bytes(32)
        for epoch, sequence, before, digest, record in held:
            if epoch != last[0]:
                last, previous = (epoch, 0), bytes(32)
            made = chained(epoch, sequence, before, record)
            if sequence != last[1] + 1 or before != previous or digest != made:
                self.wrong(f"6: {kiosk.name}: the chain is broken at record {epoch}/{sequence}")
                return
            last, previous = (epoch, sequence), digest
        book = self.books[kiosk.name]
        if [((row[0], row[1]), row[3]) for row in held] != book.entries:
            self.wrong(f"5: {kiosk.name}: the host holds {len(held)} records that are not those that were written")
        rows = read_file(kiosk.disk.folder / "journal.db")
        if not rows or rows[0][:2] > book.first or rows != held[-len(rows) :]:
            self.wrong(f"5: {kiosk.name}: the file holds {len(rows)} records, the host {len(held)}, and not the same")
        if any(customer.pan in row[4] for row in held for customer in CUSTOMERS):
            self.wrong(f"7: {kiosk.name}: a card number is in the journal")

    def _advices_settled(self, kiosk: Kiosk) -> None:
        open_ones = [digest.hex()[:8] for digest, settled in self.books[kiosk.name].advices.items() if not settled]
        if open_ones:
            self.wrong(f"5: {kiosk.name}: never settled: {open_ones}")

    def _books(self, kiosks: list[Kiosk], database: sqlite3.Connection) -> None:
        """Each note once, to whoever pushed it in, with its postings (2, 3)."""
        outcomes = final_outcomes(database)
        if database.execute("SELECT count(*) FROM note_conflicts").fetchone()[0]:
            self.wrong("6: the host found two contents under one key")
        for kiosk in kiosks:
            told = {n: (note.state, note.face) for n, note in self.books[kiosk.name].notes.items() if note.face}
            booked = {key[1]: (state, face) for key, (state, face, _, _) in outcomes.items() if key[0] == kiosk.name}
            for note_id, (state, face) in told.items():
                if state != "returned" and booked.get(note_id) != (state, face):
                    self.wrong(f"3: {kiosk.name}: {note_id} is {state} {face}, the host has {booked.get(note_id)}")
            for note_id in booked.keys() - told.keys():
                self.wrong(f"2: {kiosk.name}: the host has {note_id}, which no journal has")
        self._cash(kiosks, database)
        self._owners(kiosks, outcomes)
        self._accounts(kiosks, outcomes, database)

    def _cash(self, kiosks: list[Kiosk], database: sqlite3.Connection) -> None:
        """A later outcome has taken back what the one before it posted."""
        for kiosk in kiosks:
            book = self.books[kiosk.name]
            self._cash_is(kiosk, database, book.count(*IN_BOX), book.count("in doubt"))

    def _cash_is(
        self, kiosk: Kiosk, database: sqlite3.Connection, sure: Counter[Face], in_doubt: Counter[Face]
    ) -> None:
        """The books have so much cash in a terminal, and so much that nobody has confirmed (3)."""
        query = (
            "SELECT coalesce(sum(amount_minor), 0) FROM postings JOIN accounts USING (account_id) "
            "WHERE terminal_id = ? AND kind = ?"
        )
        for kind, notes in (("cash-in-terminal", sure), ("cash-unconfirmed", in_doubt)):
            value = sum(face[0] * count for face, count in notes.items())
            booked = -database.execute(query, (kiosk.name, kind)).fetchone()[0]
            if booked != value:
                self.wrong(f"3: {kiosk.name}: the books have {booked} of {kind}, its notes are {value}")

    # --- when the boxes were counted --------------------------------------------------------------------------------

    def counted(self, kiosks: list[Kiosk], database: sqlite3.Connection) -> None:
        """A count credits only what lies in the boxes, to whoever brought it, and takes nothing away (1, 2, 3)."""
        self.committed(database)
        outcomes = final_outcomes(database)
        for kiosk in kiosks:
            mine = {key[1]: found for key, found in outcomes.items() if key[0] == kiosk.name}
            booked = Counter(face for state, face, _, _ in mine.values() if state in IN_BOX)
            if booked - paper_of(kiosk):
                self.wrong(f"1: {kiosk.name}: credited by a count and not in the box: {booked - paper_of(kiosk)}")
            for note_id, note in self.books[kiosk.name].notes.items():
                state = mine.get(note_id, ("", None, "", ""))[0]
                if note.state in IN_BOX and note.face is not None and state != note.state:
                    self.wrong(f"1: {kiosk.name}: {note_id} was {note.state}, and is {state} after a count")
            self._all_that_it_covers(kiosk, mine)
            in_doubt = Counter(face for state, face, _, _ in mine.values() if state == "in doubt")
            self._cash_is(kiosk, database, booked, in_doubt)
        self._accounts(kiosks, outcomes, database)

    def _all_that_it_covers(self, kiosk: Kiosk, outcomes: dict[str, Outcome]) -> None:
        """Where nothing else is unclear, what the one box has over pays every doubt that it covers (5)."""
        book = self.books[kiosk.name]
        stood = list(book.boxes.values())
        if len(stood) != 2 or stood[0] == stood[1] or book.unknown_finds or book.swallowed or kiosk.forgotten:
            return
        lies_in = {
            PhysicalBox(device, note.box)
            for device, vault in enumerate(kiosk.vaults)
            for note in vault.notes
            if note.place is Place.BOX
        }
        if lies_in != {next(iter(book.boxes.values()))}:
            return
        doubts = book.count("in doubt")
        over = paper_of(kiosk) - book.count(*IN_BOX)
        for note_id, note in book.notes.items():
            covered = note.face is not None and over[note.face] >= doubts[note.face]
            if note.state == "in doubt" and covered and outcomes[note_id][0] != "credited":
                self.wrong(
                    f"5: {kiosk.name}: {note_id} {note.face} lies in the counted box, and is {outcomes[note_id][0]}"
                )

    def _owners(self, kiosks: list[Kiosk], outcomes: Outcomes) -> None:
        """What is booked to a customer is booked to whose card was in when the deposit began; what is credited in a
        deposit that began without the host is booked to that one, not to suspense.
        """
        for kiosk in kiosks:
            book = self.books[kiosk.name]
            for note_id, note in book.notes.items():
                state, face, account, booking = outcomes.get((kiosk.name, note_id), ("", None, "", ""))
                if booking == "customer" and account != book.owners.get(note.deposit):
                    self.wrong(f"2: {kiosk.name}: {note_id} {face} of another's deposit is booked to account {account}")
                if state == "credited" and note.deposit in book.alone and booking != "customer":
                    self.wrong(f"3: {kiosk.name}: {note_id} {face} of a good card is booked to {booking}")

    def _accounts(self, kiosks: list[Kiosk], outcomes: Outcomes, database: sqlite3.Connection) -> None:
        credited: dict[str, Counter[Face]] = defaultdict(Counter[Face])
        for (terminal, _), (state, face, account, booking) in outcomes.items():
            if booking == "customer":
                credited[account][face] += 1
                if state != "credited":
                    self.wrong(f"2: {terminal}: a note that is {state} was booked to a customer")
        brought: dict[str, Counter[Face]] = defaultdict(Counter[Face])
        for kiosk in kiosks:
            for index, vault in enumerate(kiosk.vaults):
                for note in vault.notes:
                    account = self.pushed_by.get((kiosk.name, index, note.number))
                    if note.place is Place.BOX and account and (face := face_of(note.face)):
                        brought[account][face] += 1
        for account, faces in credited.items():
            if faces - brought[account]:
                self.wrong(f"2: account {account} was credited {dict(faces - brought[account])} that nobody put in")
            value = sum(face[0] * count for face, count in faces.items())
            query = "SELECT coalesce(sum(amount_minor), 0) FROM postings WHERE account_id = ?"
            posted = database.execute(query, (account,)).fetchone()[0]
            if posted != value:
                self.wrong(f"3: account {account} has postings of {posted}, its notes are {value}")


def _advice_in(method: str, data: bytes) -> link.SignedAdvice | None:
    if method.endswith("/Submit"):
        return link.SubmitRequest.FromString(data).advice
    if not method.endswith("/Connect"):
        return None
    request = link.ConnectRequest.FromString(data)
    return request.advice if request.HasField("advice") else None


Outcome = tuple[str, Face, str, str]
"""What the host last has of a note: its state, value, account and booking."""

Outcomes = dict[tuple[str, str], Outcome]
"""By terminal and note."""


def final_outcomes(database: sqlite3.Connection) -> Outcomes:
    """What the host last has of each note."""
    query = (
        "SELECT terminal_id, note_id, outcome, value_minor, currency, account_id, booking FROM note_outcomes "
        "ORDER BY outcome_number"
    )
    found: Outcomes = {}
    for terminal, note, outcome, minor, currency, account, booking in database.execute(query):
        found[terminal, note] = (outcome.replace("-", " "), (minor, currency), account, booking)
    return found


def face_of(text: str) -> Face | None:
    """What is printed on paper, as minor units; None for what is no money."""
    amount, _, currency = text.partition(" ")
    whole, _, cents = amount.partition(".")
    if not whole.isdigit():
        return None
    return int(whole) * 100 + int((cents + "00")[:2]), currency


def forgotten_by(kiosk: Kiosk) -> Counter[Face]:
    """What lies in the boxes and its device cannot know."""
    faces = ((face_of(face), count) for face, count in kiosk.forgotten.items())
    return Counter({face: count for face, count in faces if face is not None})


def paper_of(kiosk: Kiosk) -> Counter[Face]:
    """What lies in the boxes."""
    found: Counter[Face] = Counter()
    for vault in kiosk.vaults:
        for note in vault.notes:
            if note.place is Place.BOX and (face := face_of(note.face)) is not None:
                found[face] += 1
    return found


def read_file(path: Path) -> list[tuple[int, int, bytes, bytes, bytes]]:
    """Every row of a journal's file, by a SQLite of its own, from a copy: whoever has it open is not disturbed."""
    with tempfile.TemporaryDirectory(prefix="checker-") as folder:
        copy = Path(folder) / "copy.db"
        copy.write_bytes(path.read_bytes())
        log = Path(f"{path}-wal")
        if log.exists():
            Path(f"{copy}-wal").write_bytes(log.read_bytes())
        connection = sqlite3.connect(copy)
        try:
            query = "SELECT epoch, sequence, previous_hash, hash, record FROM entries ORDER BY epoch, sequence"
            return connection.execute(query).fetchall()
        finally:
            connection.close()
