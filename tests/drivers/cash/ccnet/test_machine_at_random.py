"""People, faults and power cuts in any order: what the machine may never do, and where the paper may never be."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from drivers.api.cash import Answered, CashCommand, Stacked
from drivers.cash.ccnet.machine import Machine, Phase
from drivers.cash.ccnet.messages import Command, State
from drivers.cash.ccnet.timing import Timing
from drivers.cash.steps import Acknowledge, Proceed
from drivers.simulation.mechanism import Box, Spot
from drivers.simulation.notes import Place
from tests.drivers.cash.ccnet.virtual import FIVE, TEN, TWENTY, UNKNOWN_TYPE, Bench, damaged, device, trouble

MAY_BE_RESET = {
    State.POWER_UP, State.POWER_UP_NOTE_IN_VALIDATOR, State.POWER_UP_NOTE_IN_STACKER,
    State.JAM_VALIDATOR, State.JAM_BOX, State.FAILURE,
}  # fmt: skip
INSIDE = {Place.HEAD, Place.ESCROW, Place.TRANSPORT}


class Days(RuleBasedStateMachine):
    """One validator and one process after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(device(), proceeds=False, acknowledges=False)
        self.checked = 0
        self.polled_since_stack = True
        self.last_poll: State | None = None
        self.stacks = 0
        self.proceeded = False
        self.bad_to, self.bad_from, self.mute_to, self.mute_from = 0, 0, 0, 0
        self.bench.to_device = self.towards
        self.bench.from_device = self.back

    @initialize(remembers=st.booleans(), counts=st.booleans())
    def firmware(self, remembers: bool, counts: bool) -> None:
        self.bench.device.remembers_credit = remembers
        self.bench.device.forgets_count = not counts

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
            return b"\x02\x55" + damaged(data)
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

    # --- people -----------------------------------------------------------------------------------------------------

    @rule(
        kind=st.sampled_from([FIVE, TEN, TWENTY, TWENTY, UNKNOWN_TYPE]), readable=st.sampled_from([True, True, False])
    )
    def insert(self, kind: int, readable: bool) -> None:
        device_ = self.bench.device
        device_.advance(self.bench.now)
        if device_.powered and device_.state is State.IDLING:
            device_.insert("paper", kind, self.bench.now, readable=readable)

    @rule()
    def power(self) -> None:
        if self.bench.device.powered:
            self.bench.device.cut_power(self.bench.now)
        else:
            self.bench.device.restore_power(self.bench.now)

    @rule()
    def jam_next(self) -> None:
        self.bench.device.jam(Spot.BOX)

    @precondition(lambda self: self.bench.device.state is State.JAM_BOX and self.bench.device.powered)
    @rule()
    def free(self) -> None:
        self.bench.device.free_jam(self.bench.now)

    @precondition(lambda self: not self.inside())
    @rule(out=st.booleans())
    def box(self, out: bool) -> None:
        if self.bench.device.powered:
            self.bench.device.change_box(Box.OUT if out else Box.IN, self.bench.now)

    @rule(state=st.sampled_from([State.CHEATED, State.FAILURE]))
    def trouble(self, state: State) -> None:
        device_ = self.bench.device
        device_.advance(self.bench.now)
        if device_.powered and device_.state in (State.IDLING, State.DISABLED):
            trouble(device_, state, self.bench.now)

    # --- the process ------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.3, 0.7, 2.0, 6.0, 12.0]))
    def time(self, seconds: float) -> None:
        self.bench.run(seconds)

    @rule(command=st.sampled_from([*CashCommand, CashCommand.ENABLE, CashCommand.STACK]), twice=st.booleans())
    def command(self, command: CashCommand, twice: bool) -> None:
        for _ in range(1 + twice):
            self.bench.command(command)

    @rule()
    def proceed(self) -> None:
        self.check()
        self.proceeded |= self.bench.machine.phase is Phase.REPORTED
        self.bench.step(Proceed())

    @rule()
    def acknowledge(self) -> None:
        self.bench.step(Acknowledge())

    @rule()
    def killed_and_started(self) -> None:
        self.bench.machine = Machine(Timing())
        self.proceeded = False

    @rule()
    def goes_well_for_a_while(self) -> None:
        """All faults end and the caller does its part: then the device comes to rest and tells what it holds."""
        bench = self.bench
        bench.device.line.mute = False
        self.noise(0, 0, lost=True)
        self.noise(0, 0, lost=False)
        if not bench.device.powered:
            bench.device.restore_power(bench.now)
        for _ in range(40):
            self.proceed()
            bench.run(0.5)
        if bench.device.state is State.STACKED:
            told = len(bench.heard(Stacked))
            bench.run(3.0)
            assert len(bench.heard(Stacked)) > told, "a held event is repeated until it is acknowledged"
            assert bench.device.state is State.STACKED, "and the device was not told that it may forget it"
        for _ in range(40):
            self.proceed()
            bench.step(Acknowledge())
            bench.run(0.5)
        assert bench.device.state is not State.STACKED
        if bench.device.state is not State.JAM_BOX:
            assert not self.inside(), "nothing stays in the path for ever"

    # --- what always holds ------------------------------------------------------------------------------------------

    def inside(self) -> int:
        return sum(place in INSIDE for place in self.bench.places())

    @invariant()
    def check(self) -> None:
        for what, value in self.bench.trace[self.checked :]:
            if what == "poll":
                assert isinstance(value, State)
                self.polled_since_stack, self.last_poll = True, value
            if isinstance(value, Answered):
                self.proceeded = False
            if (what, value) == ("sent", Command.STACK):
                assert self.polled_since_stack, "STACK sent twice without looking in between"
                assert self.last_poll is State.ESCROW
                self.polled_since_stack, self.stacks = False, self.stacks + 1
            if (what, value) == ("sent", Command.RESET):
                assert self.proceeded, "RESET before the first answer was on record"
                assert self.last_poll in MAY_BE_RESET
        self.checked = len(self.bench.trace)

    @invariant()
    def paper_is_where_it_can_be(self) -> None:
        places = self.bench.places()
        assert self.inside() <= 1
        assert places.count(Place.BOX) == self.bench.device.vault.counter
        assert places.count(Place.BOX) <= self.stacks, "no note goes into the box without a STACK"


TestDays = Days.TestCase
TestDays.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
