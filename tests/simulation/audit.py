"""What must hold when everything is at rest, and again when the boxes were counted: paper, journals and books agree.

The numbers are those of the README's rules.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from drivers.simulation.notes import Place
from guichet.v1 import journal_pb2 as pb
from tests.simulation.bank import CUSTOMERS
from tests.simulation.book import IN_BOX, Book, Face
from tests.simulation.editing import chained
from tests.simulation.evidence import (
    Outcome,
    Outcomes,
    face_of,
    final_outcomes,
    forgotten_by,
    paper_of,
    read_file,
)
from tests.simulation.kiosk import Kiosk, PhysicalBox


@dataclass(frozen=True, slots=True)
class Audit:
    """``books``: what each kiosk's journal has said. ``pushed_by``: into whose account a note was to go, by kiosk,
    device and number of the note. ``database``: the host's. Each question gives what is wrong.
    """

    kiosks: Sequence[Kiosk]
    books: Mapping[str, Book]
    pushed_by: Mapping[tuple[str, int, int], str]
    database: sqlite3.Connection

    def at_rest(self) -> Iterator[str]:
        """Everything that must hold in the end. What a terminal has signed may have come to the host before the records
        that it rests on, and these may be gone with a disk: its word stands.
        """
        outcomes = final_outcomes(self.database)
        for kiosk in self.kiosks:
            book = self.books[kiosk.name]
            for name in [name for name in book.gone if (kiosk.name, name) in outcomes]:
                book.is_told(name, outcomes[kiosk.name, name][0])
            yield from self._two_words(kiosk, outcomes)
            yield from self._conserved(kiosk)
            yield from self._chain(kiosk)
            yield from self._advices_settled(kiosk)
            yield from self._stacked_settled(kiosk, outcomes)
        yield from self._books(outcomes)
        for kiosk in self.kiosks:
            book = self.books[kiosk.name]
            yield from self._cash(kiosk, book.count(*IN_BOX), book.count("in doubt"))
        yield from self._owners(outcomes)
        yield from self._accounts(outcomes)

    def _two_words(self, kiosk: Kiosk, outcomes: Outcomes) -> Iterator[str]:
        """Two contents under one key are only of a note that a new disk doubts and the old one knew, or of which a disk
        was told that went back (6): the first word stands, and what the paper and the books say must fit it.
        """
        book = self.books[kiosk.name]
        for note_id in book.unsure & book.notes.keys() if book.ever.went_back else ():
            if (kiosk.name, note_id) in outcomes:
                book.notes[note_id].state = outcomes[kiosk.name, note_id][0]
        query = "SELECT DISTINCT note_id FROM note_conflicts WHERE terminal_id = ?"
        for (note_id,) in self.database.execute(query, (kiosk.name,)).fetchall():
            if note_id not in book.unsure or not (book.ever.brought or book.ever.went_back):
                yield f"6: {kiosk.name}: the host found two contents under one key of {note_id}"
            else:
                book.notes[note_id].state = outcomes[kiosk.name, note_id][0]

    def _conserved(self, kiosk: Kiosk) -> Iterator[str]:
        book = self.books[kiosk.name]
        box, sure, doubt = paper_of(kiosk), book.count("credited", "found"), book.count("in doubt")
        if sure - box:
            yield f"1: {kiosk.name}: on record and not in the box: {dict(sure - box)}"
        over = box - sure - doubt - book.lost - forgotten_by(kiosk)
        if over.total() > book.unknown_finds + book.swallowed:
            yield f"1: {kiosk.name}: in the box and nobody's: {dict(over)}"
        undecided = [note for note in book.notes.values() if note.undecided]
        if undecided:
            yield f"1: {kiosk.name}: nothing was decided about {undecided}"

    def _chain(self, kiosk: Kiosk) -> Iterator[str]:
        """The host holds every record that was claimed, in one unbroken chain, and the file the same, but for what it
        let go of.
        """
        query = (
            "SELECT epoch, sequence, previous_hash, hash, record FROM journal_entries WHERE terminal_id = ? "
            "ORDER BY epoch, sequence"
        )
        held = self.database.execute(query, (kiosk.name,)).fetchall()
        last, previous = (0, 0), bytes(32)
        for epoch, sequence, before, digest, record in held:
            if epoch != last[0]:
                last, previous = (epoch, 0), bytes(32)
            made = chained(epoch, sequence, before, record)
            if sequence != last[1] + 1 or before != previous or digest != made:
                yield f"6: {kiosk.name}: the chain is broken at record {epoch}/{sequence}"
                return
            last, previous = (epoch, sequence), digest
        book = self.books[kiosk.name]
        beside = book.beside
        mine = [row for row in held if (row[0], row[1]) not in beside]
        if [((row[0], row[1]), row[3]) for row in mine] != book.entries:
            yield f"5: {kiosk.name}: the host holds {len(held)} records that are not those that were written"
        rows = read_file(kiosk.disk.folder / "journal.db")
        if not rows or rows[0][:2] > book.first or rows != mine[-len(rows) :]:
            yield f"5: {kiosk.name}: the file holds {len(rows)} records, the host {len(held)}, and not the same"
        if any(customer.pan in row[4] for row in held for customer in CUSTOMERS):
            yield f"7: {kiosk.name}: a card number is in the journal"

    def _advices_settled(self, kiosk: Kiosk) -> Iterator[str]:
        open_ones = [digest.hex()[:8] for digest, settled in self.books[kiosk.name].advices.items() if not settled]
        if open_ones:
            yield f"5: {kiosk.name}: never settled: {open_ones}"

    def _stacked_settled(self, kiosk: Kiosk, outcomes: Outcomes) -> Iterator[str]:
        """No record at the host tells of a stacked note that is not in the books, whichever disk wrote it (5)."""
        query = (
            "SELECT record FROM journal_entries WHERE terminal_id = ?1 "
            "UNION ALL SELECT record FROM journal_forks WHERE terminal_id = ?1"
        )
        for (record,) in self.database.execute(query, (kiosk.name,)):
            fact = pb.JournalRecord.FromString(record)
            if fact.HasField("note_stacked") and (kiosk.name, fact.note_stacked.note_id) not in outcomes:
                yield f"5: {kiosk.name}: the host's copy has {fact.note_stacked.note_id} stacked, its books have not"

    def _books(self, outcomes: Outcomes) -> Iterator[str]:
        """Each note once, to whoever pushed it in, with its postings (2, 10)."""
        for kiosk in self.kiosks:
            told = {n: (note.state, note.face) for n, note in self.books[kiosk.name].notes.items() if note.face}
            booked = {key[1]: (state, face) for key, (state, face, _, _) in outcomes.items() if key[0] == kiosk.name}
            for note_id, (state, face) in told.items():
                if state != "returned" and booked.get(note_id) != (state, face):
                    yield f"10: {kiosk.name}: {note_id} is {state} {face}, the host has {booked.get(note_id)}"
            for note_id in booked.keys() - told.keys():
                yield f"2: {kiosk.name}: the host has {note_id}, which no journal has"

    def _cash(self, kiosk: Kiosk, sure: Counter[Face], in_doubt: Counter[Face]) -> Iterator[str]:
        """The books have so much cash in a terminal, and so much that nobody has confirmed (10): a later outcome has
        taken back what the one before it posted.
        """
        query = (
            "SELECT coalesce(sum(amount_minor), 0) FROM postings JOIN accounts USING (account_id) "
            "WHERE terminal_id = ? AND kind = ?"
        )
        for kind, notes in (("cash-in-terminal", sure), ("cash-unconfirmed", in_doubt)):
            value = sum(face[0] * count for face, count in notes.items())
            booked = -self.database.execute(query, (kiosk.name, kind)).fetchone()[0]
            if booked != value:
                yield f"10: {kiosk.name}: the books have {booked} of {kind}, its notes are {value}"

    def _owners(self, outcomes: Outcomes) -> Iterator[str]:
        """What is booked to a customer is booked to whose card was in when the deposit began; what is credited in a
        deposit that began without the host is booked to that one, not to suspense, unless two disks wrote that journal.
        """
        forks = set(self.database.execute("SELECT DISTINCT terminal_id, epoch FROM journal_forks"))
        for kiosk in self.kiosks:
            book = self.books[kiosk.name]
            for note_id, note in book.notes.items():
                state, face, account, booking = outcomes.get((kiosk.name, note_id), ("", None, "", ""))
                if booking == "customer" and account != book.ever.owners.get(note.deposit):
                    yield f"2: {kiosk.name}: {note_id} {face} of another's deposit is booked to account {account}"
                alone = note.deposit in book.alone and (kiosk.name, book.begun[note.deposit][0]) not in forks
                if state == "credited" and alone and booking != "customer":
                    yield f"10: {kiosk.name}: {note_id} {face} of a good card is booked to {booking}"

    def _accounts(self, outcomes: Outcomes) -> Iterator[str]:
        credited: dict[str, Counter[Face]] = defaultdict(Counter[Face])
        for (terminal, _), (state, face, account, booking) in outcomes.items():
            if booking == "customer":
                credited[account][face] += 1
                if state != "credited":
                    yield f"2: {terminal}: a note that is {state} was booked to a customer"
        brought: dict[str, Counter[Face]] = defaultdict(Counter[Face])
        for kiosk in self.kiosks:
            for index, vault in enumerate(kiosk.vaults):
                for note in vault.notes:
                    account = self.pushed_by.get((kiosk.name, index, note.number))
                    if note.place is Place.BOX and account and (face := face_of(note.face)):
                        brought[account][face] += 1
        for account, faces in credited.items():
            if faces - brought[account]:
                yield f"2: account {account} was credited {dict(faces - brought[account])} that nobody put in"
            value = sum(face[0] * count for face, count in faces.items())
            query = "SELECT coalesce(sum(amount_minor), 0) FROM postings WHERE account_id = ?"
            posted = self.database.execute(query, (account,)).fetchone()[0]
            if posted != value:
                yield f"10: account {account} has postings of {posted}, its notes are {value}"

    # --- when the boxes were counted ----------------------------------------------------------------------------------

    def counted(self) -> Iterator[str]:
        """A count credits only what lies in the boxes, to whoever brought it, and takes nothing away (1, 2, 10)."""
        outcomes = final_outcomes(self.database)
        for kiosk in self.kiosks:
            mine = {key[1]: found for key, found in outcomes.items() if key[0] == kiosk.name}
            booked = Counter(face for state, face, _, _ in mine.values() if state in IN_BOX)
            if booked - paper_of(kiosk):
                yield f"1: {kiosk.name}: credited by a count and not in the box: {booked - paper_of(kiosk)}"
            for note_id, note in self.books[kiosk.name].notes.items():
                state = mine.get(note_id, ("", None, "", ""))[0]
                if note.state in IN_BOX and note.face is not None and state != note.state:
                    yield f"1: {kiosk.name}: {note_id} was {note.state}, and is {state} after a count"
            yield from self._all_that_it_covers(kiosk, mine)
            in_doubt = Counter(face for state, face, _, _ in mine.values() if state == "in doubt")
            yield from self._cash(kiosk, booked, in_doubt)
        yield from self._accounts(outcomes)

    def _all_that_it_covers(self, kiosk: Kiosk, outcomes: dict[str, Outcome]) -> Iterator[str]:
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
                yield f"5: {kiosk.name}: {note_id} {note.face} lies in the counted box, and is {outcomes[note_id][0]}"
