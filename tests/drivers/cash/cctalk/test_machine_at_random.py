"""People, faults, power cuts and deaths in any order: what the machine may never do and the books may never say."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from drivers.api.cash import CashCommand, CashEvent
from drivers.cash.cctalk.framing import Checksum
from drivers.cash.cctalk.messages import Header, Request, Route
from drivers.cash.steps import Input
from drivers.simulation.mechanism import Box, Spot, Step
from drivers.simulation.notes import Place
from kiosk.terminal.recovery import LastRecord
from tests.drivers.cash.cctalk.books import UNDECIDED, Books
from tests.drivers.cash.cctalk.virtual import FIVE, TEN, TWENTY, UNKNOWN_TYPE, Bench, damaged, device

INSIDE = {Place.HEAD, Place.ESCROW, Place.TRANSPORT}


class Days(RuleBasedStateMachine):
    """One validator and one process after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.books = Books()
        self.checked = 0
        self.read_since_route = True
        self.bad_to, self.bad_from, self.mute_to, self.mute_from = 0, 0, 0, 0

    @initialize(checksum=st.sampled_from(Checksum), echo=st.booleans(), tells=st.booleans())
    def wiring(self, checksum: Checksum, echo: bool, tells: bool) -> None:
        self.bench = Bench(
            device(), checksum=checksum, echo=echo, caller=self.handle, last_mark=lambda: self.books.mark
        )  # fmt: skip
        self.bench.device.tells_power_up = tells
        self.bench.to_device = self.towards
        self.bench.from_device = self.back

    def handle(self, event: CashEvent) -> list[Input]:
        reactions = self.books.handle(event)
        self.books_never_credit_what_is_not_there()
        return reactions

    # --- the wire ---------------------------------------------------------------------------------------------------

    def towards(self, data: bytes) -> bytes:
        if self.mute_to:
            self.mute_to -= 1
            return b""
        if self.bad_to:
            self.bad_to -= 1
            return damaged(data)
        return data

    def back(self, data: bytes) -> bytes:
        if self.mute_from and data:
            self.mute_from -= 1
            return b""
        if self.bad_from and data:
            self.bad_from -= 1
            return damaged(data)
        return data

    @rule(to=st.integers(0, 3), back=st.integers(0, 3), lost=st.booleans())
    def noise(self, to: int, back: int, lost: bool) -> None:
        if lost:
            self.mute_to, self.mute_from = to, back
        else:
            self.bad_to, self.bad_from = to, back

    @rule(mute=st.booleans())
    def cable(self, mute: bool) -> None:
        self.bench.device.line.mute = mute

    @rule(slow=st.sampled_from([0.0, 0.1, 0.35]))
    def slow(self, slow: float) -> None:
        self.bench.device.line.slow = slow

    # --- people -----------------------------------------------------------------------------------------------------

    @rule(
        kind=st.sampled_from([FIVE, TEN, TWENTY, TWENTY, UNKNOWN_TYPE]), readable=st.sampled_from([True, True, False])
    )
    def insert(self, kind: int, readable: bool) -> None:
        device_ = self.bench.device
        device_.advance(self.bench.now)
        if device_.powered and device_.accepts and not self.inside():
            device_.insert("paper", kind, self.bench.now, readable=readable)

    @rule()
    def power(self) -> None:
        if self.bench.device.powered:
            self.bench.device.cut_power(self.bench.now)
        else:
            self.bench.device.restore_power(self.bench.now)

    @rule()
    def blink(self) -> None:
        self.bench.device.cut_power(self.bench.now)
        self.bench.device.restore_power(self.bench.now)

    @rule(spot=st.sampled_from(Spot))
    def jam_next(self, spot: Spot) -> None:
        self.bench.device.jam(spot)

    @precondition(lambda self: self.bench.device.metal.step is Step.JAMMED and self.bench.device.powered)
    @rule()
    def free(self) -> None:
        self.bench.device.free_jam(self.bench.now)

    @precondition(lambda self: not self.inside())
    @rule(out=st.booleans())
    def box(self, out: bool) -> None:
        if self.bench.device.powered:
            self.bench.device.change_box(Box.OUT if out else Box.IN, self.bench.now)

    @rule()
    def cheat(self) -> None:
        device_ = self.bench.device
        device_.advance(self.bench.now)
        if device_.powered and device_.metal.step in (Step.ESCROW, Step.STACKING):
            device_.metal.cheat(self.bench.now)

    @rule(events=st.integers(1, 7))
    def nothing_much(self, events: int) -> None:
        if self.bench.device.powered:
            for _ in range(events):
                self.bench.device.post(0, 20)

    # --- the process ------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.3, 0.7, 2.0, 6.0, 12.0, 35.0]))
    def time(self, seconds: float) -> None:
        self.bench.run(seconds)
        self.revive()

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
        self.insert(TWENTY, readable=True)
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

    def revive(self) -> None:
        if self.books.dead:
            self.books.dead, self.books.dies_at = False, None
            self.bench.restart()

    @rule()
    def goes_well_for_a_while(self) -> None:
        """All faults end: then the device comes to rest, and the books are right."""
        device_ = self.bench.device
        device_.line.mute, device_.line.slow = False, 0.0
        self.noise(0, 0, lost=True)
        self.noise(0, 0, lost=False)
        device_.metal.mishaps.jam = None
        if not device_.powered:
            device_.restore_power(self.bench.now)
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

    def inside(self) -> int:
        return sum(place in INSIDE for place in self.bench.places())

    def in_box(self) -> int:
        return self.bench.places().count(Place.BOX)

    def books_never_credit_what_is_not_there(self) -> None:
        assert self.books.credited + self.books.found <= self.in_box()

    @invariant()
    def check(self) -> None:
        for what, value in self.bench.trace[self.checked :]:
            if what == "sent" and isinstance(value, Request):
                if value.header is Header.NOTE_EVENTS:
                    self.read_since_route = True
                if value.header is Header.ROUTE and value.data[0] != Route.HOLD:
                    assert self.read_since_route, "routed twice without reading the events in between"
                    self.read_since_route = False
        self.checked = len(self.bench.trace)

    @invariant()
    def paper_is_where_it_can_be(self) -> None:
        assert self.inside() <= 1
        assert self.in_box() == self.bench.device.vault.counter
        self.books_never_credit_what_is_not_there()
        assert self.books.row in LastRecord


TestDays = Days.TestCase
TestDays.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
