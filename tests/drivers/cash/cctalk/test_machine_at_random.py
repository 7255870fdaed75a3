"""ccTalk with people, faults, power cuts and deaths in any order, and a caller with books."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from drivers.api.cash import Answered, CashCommand, CashEvent, Passed, Rejected, Returned, Stacked
from drivers.cash.cctalk.framing import Checksum
from drivers.cash.cctalk.messages import Header, Request, Route
from drivers.cash.steps import Acknowledge, Input, Proceed
from drivers.simulation.mechanism import Spot
from kiosk.terminal.recovery import LastRecord
from tests.drivers.cash.at_random import SETTINGS, Days, notes_move_in
from tests.drivers.cash.books import UNDECIDED, Books
from tests.drivers.cash.cctalk.virtual import HARMLESS, HOLD, RETURN, STACK, Bench, device
from tests.drivers.cash.sights import Sight
from tests.drivers.cash.visits import VISIT, Coming, Visit


class DaysWithBooks(Days[Bench]):
    """One validator and one process after the other. What the books may never say is looked at after every event."""

    spots = tuple(Spot)
    longest = 35.0
    read_since_route = True
    proceeded = waits = False

    @initialize(checksum=st.sampled_from(Checksum), echo=st.booleans(), tells=st.booleans(), visit=VISIT)
    def wiring(self, checksum: Checksum, echo: bool, tells: bool, visit: Visit) -> None:
        self.books = Books(numbered=True)
        self.join(
            Bench(device(), checksum=checksum, echo=echo, desk=self.handle, last_mark=lambda: self.books.mark)
        )  # fmt: skip
        self.bench.device.tells_power_up = tells
        self.a_visit(visit)

    def handle(self, event: CashEvent) -> list[Input]:
        self.check()
        reactions = self.books.handle(event)
        self.books_never_credit_what_is_not_there()
        self.proceeded |= Proceed() in reactions
        if Acknowledge() in reactions:
            self.seen |= {Sight.ACKNOWLEDGED} if isinstance(event, Stacked) else set()
            self.waits = False
        return reactions

    def stacks(self, request: object) -> bool:
        return request == STACK

    def returns(self, request: object) -> bool:
        return request == RETURN

    @rule(events=st.integers(1, 7))
    def nothing_much(self, events: int) -> None:
        if self.bench.device.powered:
            for _ in range(events):
                self.bench.device.post(0, 20)

    # --- the process ------------------------------------------------------------------------------------------------

    @rule(command=st.sampled_from([CashCommand.ENABLE, CashCommand.ENABLE, CashCommand.DISABLE]))
    def slot(self, command: CashCommand) -> None:
        self.bench.command(command)

    @rule(command=st.sampled_from([CashCommand.STACK, CashCommand.STACK, CashCommand.RETURN]))
    def decides(self, command: CashCommand) -> None:
        self.decide(command)

    def decide(self, command: CashCommand) -> None:
        for happened in self.books.intend(command):
            self.bench.step(happened)

    def opens(self) -> None:
        self.bench.device.advance(self.bench.now)
        for _ in range(6):
            self.revive()
            if self.bench.device.accepts:
                return
            self.slot(CashCommand.ENABLE)
            self.bench.run(3.0)

    def leaves_off(self, *, dies: bool) -> None:
        """Another note is stacked, and the caller dies of being told so; the device goes on. The next caller knows all
        the same what became of it. Another one ``dies`` of the first answer.
        """
        self.note_goes_in(Coming("20 EUR", mended=True, lost=0))
        self.books.dies_at = 3  # That the command is done, that the note moves, that it is in the box.
        self.decide(CashCommand.STACK)
        self.bench.run(2.0)
        self.nothing_much(2)
        self.bench.run(2.0)
        self.check()
        certain, doubts = self.waits and self.books.row is LastRecord.STACK_INTENDED, self.books.doubts
        self.revive()
        self.bench.run(5.0)
        assert not certain or self.books.doubts == doubts, "what the device still says of a note is not in doubt"
        if dies:
            self.killed_and_started()
            self.books.dies_at = 1
            self.bench.run(5.0)
            self.revive()

    @rule()
    def killed_and_started(self) -> None:
        self.killed()
        self.books.dead = True
        self.revive()

    @rule(events=st.integers(1, 4))
    def dies_before_it_is_on_record(self, events: int) -> None:
        self.books.dies_at = events

    def time_passed(self) -> None:
        self.revive()

    def revive(self) -> None:
        if self.books.dead:
            self.killed()
            self.check()
            self.seen |= {Sight.KILLED_UNRECORDED} if self.waits else set()
            self.books.dead, self.books.dies_at = False, None
            self.waits = False
            self.bench.restart()

    @rule()
    def goes_well_for_a_while(self) -> None:
        """All faults end: then the device comes to rest, and the books are right."""
        self.all_is_mended()
        self.books.dies_at = None
        self.revive()
        for _ in range(3):
            self.bench.run(15.0)
            for happened in self.books.intend(CashCommand.RETURN):
                self.bench.step(happened)
        assert self.inside() == 0, "nothing stays in the path for ever"
        assert self.books.row not in UNDECIDED, f"nothing stays open: {self.books.row}"
        books = self.books
        assert self.in_box() <= books.credited + books.found + books.doubts, "no note in the box is forgotten"

    # --- what always holds ------------------------------------------------------------------------------------------

    def books_never_credit_what_is_not_there(self) -> None:
        assert self.books.credited + self.books.found <= self.in_box()

    def look_at(self, what: object) -> None:
        match what:
            case Answered():
                self.proceeded = False
            case Stacked() | Returned():
                assert not self.waits, "an event was told before the one before it was on record"
                self.waits = True
            case Rejected(mark=mark) if mark is not None:
                assert not self.waits, "an event was told before the one before it was on record"
                self.waits = True
            case Passed():
                assert not self.waits, "an event was told before the one before it was on record"
            case Request() if not self.proceeded and what.header not in HARMLESS and what != HOLD:
                raise AssertionError("something was done before the first answer was on record")
            case Request(header=Header.NOTE_EVENTS):
                self.read_since_route = True
            case Request(header=Header.ROUTE, data=data) if data[0] != Route.HOLD:
                assert self.read_since_route, "routed twice without reading the events in between"
                self.read_since_route = False
            case _:
                pass

    @invariant()
    def books_are_right(self) -> None:
        self.books_never_credit_what_is_not_there()
        assert self.books.row in LastRecord


TestDays = DaysWithBooks.TestCase
TestDays.settings = SETTINGS


def test_notes_are_decided_about_let_go_and_left_behind_in_these_days() -> None:
    notes_move_in(DaysWithBooks, never={Sight.REPEATED})
