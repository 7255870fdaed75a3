"""Whether paper, journal and host agree: while things go wrong, as far as they can; in the end, exactly."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from tests.e2e.chaos.books import UNDECIDED, Book, HostBooks, Paper, Wrong, read_host, read_paper, sure
from tests.e2e.chaos.person import Push
from tests.simulation.book import Face


class Comparing:
    """Looks again and again, and keeps what it has seen: nothing of that may go away. ``incidents``: by code, what both
    ends have said that a person should look at.
    """

    def __init__(self, base: Path, pushes: Sequence[Push]) -> None:
        self._notes = base / "metal" / "cash.json"
        self._journal = base / "kiosk" / "journal.db"
        self._host = base / "host" / "host.db"
        self._pushes = pushes
        self._advices = frozenset[bytes]()
        self._held = 0
        self.incidents = Counter[str]()
        self.book = Book()
        self.times = 0

    def now(self) -> None:
        """In the middle of everything. Raises :class:`Wrong`.

        * The journal's file has every record that it had, in one chain.
        * Conservation, by value: credited + found <= in the box <= credited + found + in doubt + not yet decided, by
          the journal. Of the last there is at most one note: the one that was in the device when the terminal died.
        * The host has no record that the journal has not, none that it had is gone, and no place is claimed twice.
        * Of a note the host has what the journal has, or had before: value, account, outcome. Its postings to a
          customer are the notes that it credited, it credited nobody more than he pushed in and lies in the box, and
          every ledger's balance is zero.
        * Whatever the journal says is settled, the host has on disk.
        """
        self.times += 1
        paper, host = read_paper(self._notes), read_host(self._host)
        self.book.read(self._journal)
        later, paper_later = read_host(self._host), read_paper(self._notes)
        self._conserved(paper, paper_later)
        self._held_by_host(host)
        self._known_to_host(later)
        self._booked(host, paper_later)
        self.incidents = self.book.incidents + later.incidents

    def at_rest(self) -> None:
        """When nothing goes wrong any more and everything has been delivered: the same, and all counts are exact. What
        the host holds is what the journal has, to the last record; every note is decided, every deposit closed, every
        advice settled; what lies in the box is credited or found, but for notes in doubt; and the host has each note as
        the journal has it. Raises :class:`Wrong`.
        """
        self.now()
        book, host, paper = self.book, read_host(self._host), read_paper(self._notes)
        self._needs(not paper.inside, "a note is neither in the box nor in a hand")
        self._needs(not book.piles(*UNDECIDED), f"nothing was decided about {book.piles(*UNDECIDED)}")
        self._needs(not book.open_deposits, f"never closed: deposits {sorted(book.open_deposits)}")
        self._needs(book.advices == book.settled, f"never settled: {len(book.advices - book.settled)} advices")
        held = [digest for _, digest in host.entries]
        self._needs(held == book.hashes, f"the host holds {len(held)} records, the journal has {len(book.hashes)}")
        self._needs(paper.piles <= sure(book) + book.piles("in doubt"), f"in the box and nobody's: {paper.piles}")
        told = {note: (one.state, one.face) for note, one in book.notes.items() if one.state != "returned" and one.face}
        booked = {note: (one.state, one.face) for note, one in host.notes.items() if one.state != "returned"}
        differ = {note for note in told.keys() | booked.keys() if told.get(note) != booked.get(note)}
        self._needs(not differ, f"journal and host differ about {[(told.get(n), booked.get(n)) for n in differ]}")

    def caught_up(self) -> bool:
        """The host holds what the journal has, and nothing is open or on its way."""
        self.book.read(self._journal)
        host, book = read_host(self._host), self.book
        at_rest = not book.open_deposits and not book.piles(*UNDECIDED) and book.advices == book.settled
        return at_rest and len(host.entries) == len(book.hashes) and not read_paper(self._notes).inside

    # --- each of them -------------------------------------------------------------------------------------------------

    def _needs(self, true: bool, otherwise: str) -> None:
        if not true:
            raise Wrong(otherwise)

    def _conserved(self, before: Paper, after: Paper) -> None:
        counted, open_notes = sure(self.book), self.book.piles(*UNDECIDED)
        self._needs(open_notes.total() <= 1, f"more than one note is not decided: {dict(open_notes)}")
        missing = counted - after.piles
        self._needs(not missing, f"credited or found, and not in the box: {dict(missing)}")
        nobodys = before.piles - counted - self.book.piles("in doubt") - open_notes
        self._needs(not nobodys, f"in the box, and nobody's: {dict(nobodys)}")

    def _held_by_host(self, host: HostBooks) -> None:
        self._needs(len(host.entries) >= self._held, f"the host held {self._held} records, now {len(host.entries)}")
        self._held = len(host.entries)
        self._needs(self._held <= len(self.book.hashes), "the host holds records that the journal does not have")
        for place, (sequence, digest) in enumerate(host.entries):
            if sequence != place + 1 or digest != self.book.hashes[place]:
                raise Wrong(f"record {sequence} at the host is not the journal's")
        self._needs(not host.conflicts, "the host found two contents under one key, or two records in one place")

    def _known_to_host(self, host: HostBooks) -> None:
        self._needs(self._advices <= host.advices, "an advice that the host had is gone")
        self._advices = host.advices
        lost = self.book.settled - host.advices
        self._needs(not lost, f"settled by the journal, and the host does not have it: {len(lost)} advices")

    def _booked(self, host: HostBooks, paper: Paper) -> None:
        self._needs(not host.off, f"the host's books are off: {host.off}")
        credited: dict[str, Counter[Face]] = defaultdict(Counter)
        for note, booked in host.notes.items():
            story = self.book.notes.get(note)
            if story is None or story.face != booked.face or story.outcome < booked.outcome:
                raise Wrong(f"the host has {booked} of a note of which the journal says {story}")
            if story.outcome == booked.outcome and story.state != booked.state:
                raise Wrong(f"the host has {booked}, the journal {story}")
            if booked.booking == "customer":
                self._needs(self.book.accounts[story.deposit] == booked.account, f"{booked} is another's deposit")
                credited[booked.account][booked.face] += 1
        brought = self._brought(paper)
        for account in credited.keys() | host.posted.keys():
            over = credited[account] - brought[account]
            self._needs(not over, f"{account} was credited {dict(over)} that nobody put in for it")
            value = sum(minor * count for (minor, _), count in credited[account].items())
            posted = host.posted.get(account, 0)
            self._needs(posted == value, f"{account} has postings of {posted}, its notes are {value}")

    def _brought(self, paper: Paper) -> dict[str, Counter[Face]]:
        """By account, what its holder pushed in and lies in the box."""
        brought: dict[str, Counter[Face]] = defaultdict(Counter)
        for push in self._pushes[:]:
            if push.number in paper.box:
                brought[push.account][paper.box[push.number]] += 1
        return brought
