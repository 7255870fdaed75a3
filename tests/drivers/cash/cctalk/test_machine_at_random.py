"""ccTalk with people, faults, power cuts and deaths in any order, and a caller with books."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from drivers.api.cash import CashCommand, CashEvent
from drivers.cash.cctalk.framing import Checksum
from drivers.cash.cctalk.messages import Header, Request, Route
from drivers.cash.steps import Input
from drivers.simulation.mechanism import Box, Spot, Step
from kiosk.terminal.recovery import LastRecord
from tests.drivers.cash.at_random import SETTINGS, Days
from tests.drivers.cash.books import UNDECIDED, Books
from tests.drivers.cash.cctalk.virtual import Bench, device


class DaysWithBooks(Days[Bench]):
    """One validator and one process after the other. What the books may never say is looked at after every event."""

    spots = tuple(Spot)
    longest = 35.0
    read_since_route = True

    @initialize(checksum=st.sampled_from(Checksum), echo=st.booleans(), tells=st.booleans())
    def wiring(self, checksum: Checksum, echo: bool, tells: bool) -> None:
        self.books = Books(numbered=True)
        self.join(
            Bench(device(), checksum=checksum, echo=echo, desk=self.handle, last_mark=lambda: self.books.mark)
        )  # fmt: skip
        self.bench.device.tells_power_up = tells

    def handle(self, event: CashEvent) -> list[Input]:
        reactions = self.books.handle(event)
        self.books_never_credit_what_is_not_there()
        return reactions

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
    def decide(self, command: CashCommand) -> None:
        for happened in self.books.intend(command):
            self.bench.step(happened)

    @rule()
    def a_note_all_the_way(self) -> None:
        """So that the counter, and the money, come to something."""
        self.slot(CashCommand.ENABLE)
        self.bench.run(1)
        self.insert("20 EUR", readable=True)
        self.bench.run(1)
        self.decide(CashCommand.STACK)
        self.bench.run(1)
        self.revive()

    @rule()
    def killed_and_started(self) -> None:
        self.books.dead = True
        self.revive()

    @rule(events=st.integers(1, 4))
    def dies_before_it_is_on_record(self, events: int) -> None:
        self.books.dies_at = events

    def time_passed(self) -> None:
        self.revive()

    def revive(self) -> None:
        if self.books.dead:
            self.books.dead, self.books.dies_at = False, None
            self.bench.restart()

    @rule()
    def goes_well_for_a_while(self) -> None:
        """All faults end: then the device comes to rest, and the books are right."""
        device_ = self.bench.device
        self.faults_end()
        device_.metal.mishaps.jam = None
        if device_.metal.box is not Box.IN:
            device_.change_box(Box.IN, self.bench.now)
        if device_.metal.step is Step.JAMMED:
            device_.free_jam(self.bench.now)
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
