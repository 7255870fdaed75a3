"""The outside checker: what may never happen, by paper, disk and books, and by no code of the product's own.

It sees what the journal says is on disk, what the cash module is ordered to do, what goes to the host, and where each
piece of paper is; at the end it reads the journal's file and the host's database in its own words. The numbers are
those of the README's rules.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from drivers.simulation.cash_device import Order
from guichet.v1 import journal_pb2 as pb
from guichet.v1 import offline_pb2, settlement_pb2
from guichet.v1 import terminal_link_pb2 as link
from tests.simulation import without_host
from tests.simulation.audit import Audit
from tests.simulation.bank import HostClock
from tests.simulation.book import IN_BOX, Book, Face, JournalPlace, Note
from tests.simulation.causes import is_odd
from tests.simulation.evidence import forgotten_by, paper_of
from tests.simulation.kiosk import Kiosk, Observer
from tests.simulation.plan import Mishap, Moment

_MOMENTS = {
    "NoteEscrowed": Moment.ESCROWED,
    "StackIntended": Moment.STACK_INTENDED,
    "ReturnIntended": Moment.RETURN_INTENDED,
    "NoteStacked": Moment.STACKED,
    "NoteInDoubt": Moment.IN_DOUBT,
}


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

    def struck(self, kiosk: Kiosk, mishap: Mishap) -> None:
        """Something goes wrong there: what can be known of a note may be less from here on (3)."""
        self.books[kiosk.name].ever.causes.struck(mishap, kiosk.loop.time())

    def opened(self, kiosk: Kiosk, journal: Any) -> None:
        """What was claimed to be on disk must be there, whatever happened since."""
        book = self.books[kiosk.name]
        book.ever.causes.began_anew(kiosk.loop.time())
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
        self._on_another_disk(kiosk, entries)

    def went_back(self, kiosk: Kiosk, entries: list[Any]) -> None:
        """What the disk has forgotten the host may hold; of a note that it takes for undecided there may be two words.
        What the image had let go of is known all the same.
        """
        old = self.books[kiosk.name]
        first = _place_of(entries[0]) if entries else (1, 1)
        book = self._on_another_disk(kiosk, [*(one for one in old.stored if _place_of(one) < first), *entries])
        book.first = first
        book.ever.went_back = True
        book.unsure |= {name for name, note in book.notes.items() if note.undecided or old.notes.get(name) != note}

    def _on_another_disk(self, kiosk: Kiosk, entries: list[Any]) -> Book:
        old = self.books[kiosk.name]
        book = Book(ever=old.ever, unsure=old.unsure)
        self.books[kiosk.name], self._again = book, True
        for entry in entries:
            record = pb.JournalRecord.FromString(entry.record)
            self._recorded(kiosk, entry, getattr(record, record.WhichOneof("fact") or ""))
            if record.note_in_doubt.reason == "journal-restored":
                book.unsure.add(record.note_in_doubt.note_id)
        self._again = False
        otherwise = {name: note for name, note in old.notes.items() if book.notes.get(name, note) != note}
        book.before = old.before | {name: note for name, note in otherwise.items() if note.state != "returned"}
        known = old.notes | old.gone
        book.gone = {name: note for name, note in known.items() if name not in book.notes}
        book.unknown_finds, book.swallowed = old.unknown_finds, old.swallowed
        book.first = book.entries[0][0] if book.entries else (1, 1)
        return book

    def brought_in(self, kiosk: Kiosk, new: set[JournalPlace]) -> None:
        """The host has these records now, out of an old disk."""
        self.books[kiosk.name].ever.brought |= new

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
            self.wrongs.extend(without_host.began_now(kiosk, self.books[kiosk.name], self.host_clock, fact))
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
        book.entries.append((_place_of(entry), entry.hash))
        book.stored.append(entry)
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
                    book.ever.owners[fact.deposit_id] = kiosk.last_card.account
                if fact.HasField("offline") and not self._again:
                    self.wrongs.extend(without_host.began(kiosk, book, fact))
            case pb.BoxPeriodOpened():
                book.boxes[fact.box_period_id] = book.ever.boxes.setdefault(fact.box_period_id, kiosk.box)
                book.count_due = False
            case pb.OfflineLimitsReceived():
                book.limits = offline_pb2.OfflineLimits.FromString(fact.content)
            case pb.TimeTrusted():
                book.booted = fact.boot_id
            case pb.DepositClosed():
                book.open_deposit = ""
            case pb.NoteEscrowed():
                face, now = (fact.value.minor, fact.value.currency), kiosk.loop.time()
                book.notes[fact.note_id] = Note(face, fact.deposit_id, since=now, odd=is_odd(kiosk))
                book.last = fact.note_id
            case pb.StackIntended():
                note = self._note(book, fact)
                note.state, note.intended = "stack intended", True
                if note.deposit in book.alone:
                    self.wrongs.extend(without_host.within_limits(kiosk, book, book.alone[note.deposit]))
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
                note = self._note(book, fact)
                if not (self._again or book.ever.causes.explain(kiosk, fact.reason, note.since, note.odd)):
                    self.wrong(f"3: {kiosk.name}: {fact.note_id} is in doubt ({fact.reason}), and nothing befell it")
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
                book.count_due |= fact.code == "counter-disagrees"
            case _:
                pass

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
        book, advice = self.books[kiosk.name], settlement_pb2.DepositAdvice.FromString(signed.content)
        if hashlib.sha256(signed.content).digest() not in book.advices:
            self.wrong(f"4: {kiosk.name}: an advice was sent that is not on disk")
        for note in advice.notes:
            key = (kiosk.name, advice.deposit_id, note.note_id, note.outcome_number)
            content = note.SerializeToString(deterministic=True) + advice.account_id.encode()
            two_words = book.ever.went_back and note.note_id in book.unsure
            if self.sent_advices.setdefault(key, content) != content and not two_words:
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
                self.wrong(f"10: the books of {ledger} are off by {balance} {currency}")

    # --- when everything is at rest, and when the boxes were counted --------------------------------------------------

    def at_rest(self, kiosks: Sequence[Kiosk], database: sqlite3.Connection) -> None:
        """Everything that must hold in the end."""
        self.wrongs.extend(Audit(kiosks, self.books, self.pushed_by, database).at_rest())

    def counted(self, kiosks: Sequence[Kiosk], database: sqlite3.Connection) -> None:
        """A count credits only what lies in the boxes."""
        self.committed(database)
        self.wrongs.extend(Audit(kiosks, self.books, self.pushed_by, database).counted())


def _place_of(entry: Any) -> JournalPlace:
    return entry.epoch, entry.sequence


def _advice_in(method: str, data: bytes) -> link.SignedAdvice | None:
    if method.endswith("/Submit"):
        return link.SubmitRequest.FromString(data).advice
    if not method.endswith("/Connect"):
        return None
    request = link.ConnectRequest.FromString(data)
    return request.advice if request.HasField("advice") else None
