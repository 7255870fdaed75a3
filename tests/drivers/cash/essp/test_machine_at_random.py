"""People, faults and power cuts in any order: what the machine may never do, and where the paper may never be."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from drivers.api.cash import Answered, CashCommand, Completed, Presence, Stacked
from drivers.cash.essp.messages import Answer, Command, Request
from drivers.cash.essp.simulator_device import Says
from drivers.cash.essp.states import MONEY, Where
from drivers.cash.steps import Acknowledge, Proceed
from drivers.simulation.mechanism import Box, Spot, Step
from drivers.simulation.notes import Place
from tests.drivers.cash.essp.virtual import FIVE, TEN, TWENTY, UNKNOWN_TYPE, Bench, damaged, device, new_machine

INSIDE = {Place.HEAD, Place.ESCROW, Place.TRANSPORT}
ASKS_ONLY = {
    Command.SYNC, Command.HOLD, Command.PROTOCOL, Command.SERIAL, Command.FIRMWARE, Command.SETUP,
    Command.SET_GENERATOR, Command.SET_MODULUS, Command.KEY_EXCHANGE, Command.POLL_WITH_ACK, Command.COUNTERS,
    Command.EVENT_ACK,
}  # fmt: skip


class Days(RuleBasedStateMachine):
    """One validator and one process after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(device(), proceeds=False, acknowledges=False)
        self.checked = 0
        self.unrecorded = 0
        self.proceeded = False
        self.recorded: list[int] = []
        self.posted = 0
        self.intended = False
        self.acknowledged = 0
        self.bad_to, self.bad_from, self.mute_to, self.mute_from = 0, 0, 0, 0
        self.bench.to_device = self.towards
        self.bench.from_device = self.back
        self.bench.device.instead = self.watch

    @initialize(counts=st.booleans(), version=st.sampled_from([8, 7, 6]), forgets=st.booleans())
    def firmware(self, counts: bool, version: int, forgets: bool) -> None:
        self.bench.device.remembers_credit = True
        self.bench.device.forgets_count = not counts
        self.bench.device.forgets_channel = forgets
        self.bench.device.highest_version = version

    # --- the wire ---------------------------------------------------------------------------------------------------

    def towards(self, data: bytes) -> bytes:
        self.held_before = sum(event.code in MONEY for event in self.bench.device.waiting)
        self.in_escrow_before = self.bench.device.metal.step is Step.ESCROW
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
            return b"\x7f\x80\x55" + damaged(data)
        return data

    def watch(self, request: Request, answer: Answer | None) -> Answer | None:
        """What the device carries out: no note begins to move to the box, and no event goes, without the caller."""
        if request.command is Command.POLL_WITH_ACK and self.in_escrow_before:
            stacks = self.bench.device.metal.step is Step.STACKING
            assert not stacks or self.intended, "a poll stacked a note that nobody wanted to stack"
        if request.command is Command.EVENT_ACK:
            self.acknowledged += self.held_before - sum(e.code in MONEY for e in self.bench.device.waiting)
        return answer

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
        if device_.powered and device_.accepts:
            self.intended = False
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

    @precondition(lambda self: self.bench.device.doing is Says.JAMMED and self.bench.device.powered)
    @rule()
    def free(self) -> None:
        self.bench.device.free_jam(self.bench.now)

    @precondition(lambda self: not self.inside())
    @rule(out=st.booleans())
    def box(self, out: bool) -> None:
        if self.bench.device.powered:
            self.bench.device.change_box(Box.OUT if out else Box.IN, self.bench.now)

    @rule()
    def second_note(self) -> None:
        self.bench.device.advance(self.bench.now)
        self.bench.device.metal.push_second(self.bench.now)

    @rule()
    def cheat(self) -> None:
        device_ = self.bench.device
        device_.advance(self.bench.now)
        if device_.powered and device_.doing in (Says.IDLING, Says.ESCROW, Says.STACKING):
            device_.metal.cheat(self.bench.now)

    # --- the process ------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.3, 0.7, 2.0, 6.0, 12.0, 25.0]))
    def time(self, seconds: float) -> None:
        self.bench.run(seconds)

    @rule(command=st.sampled_from([*CashCommand, CashCommand.ENABLE, CashCommand.STACK]), twice=st.booleans())
    def command(self, command: CashCommand, twice: bool) -> None:
        self.intended |= command is CashCommand.STACK and self.bench.machine.path.where is Where.ESCROW
        for _ in range(1 + twice):
            self.posted += 1
            self.bench.command(command)

    @rule()
    def proceed(self) -> None:
        self.check()
        self.proceeded = True
        self.bench.step(Proceed())

    @rule()
    def acknowledge(self) -> None:
        self.check()
        self.unrecorded = max(0, self.unrecorded - 1)
        self.bench.step(Acknowledge())

    @rule()
    def killed_and_started(self) -> None:
        self.check()
        self.bench.machine = new_machine()
        self.posted = len(self.bench.heard(Completed))
        self.proceeded, self.intended, self.unrecorded = False, False, 0

    @rule()
    def goes_well_for_a_while(self) -> None:
        """All faults end and the caller does its part: then the device comes to rest and tells what it holds."""
        bench, machine = self.bench, self.bench.machine
        bench.device.line.mute = False
        self.noise(0, 0, lost=True)
        self.noise(0, 0, lost=False)
        if not bench.device.powered:
            bench.device.restore_power(bench.now)
        for _ in range(30):
            self.proceed()
            if machine.path.where is Where.ESCROW and not bench.machine.asked:
                self.command(CashCommand.RETURN, False)
            bench.run(1.0)
        self.holds_what_is_not_recorded()
        for _ in range(40):
            self.proceed()
            self.acknowledge()
            if machine.path.where is Where.ESCROW:
                self.command(CashCommand.RETURN, False)
            bench.run(0.5)
        assert not any(event.code in MONEY for event in bench.device.waiting)
        if bench.device.doing is not Says.JAMMED:
            assert not self.inside(), "nothing stays in the path for ever"
        assert len(bench.heard(Completed)) == self.posted, "every command ends in one completion"
        assert self.acknowledged == bench.places().count(Place.BOX), "what is in the box was told, recorded, let go"

    def holds_what_is_not_recorded(self) -> None:
        bench = self.bench
        if any(event.code in MONEY for event in bench.device.waiting):
            told = len(bench.heard(Stacked))
            self.proceed()
            bench.run(3.0)
            assert len(bench.heard(Stacked)) > told, "a held event is repeated until it is acknowledged"
            assert any(event.code in MONEY for event in bench.device.waiting)

    # --- what always holds ------------------------------------------------------------------------------------------

    def inside(self) -> int:
        return sum(place in INSIDE for place in self.bench.places())

    @invariant()
    def check(self) -> None:
        for what in self.bench.trace[self.checked :]:
            match what:
                case Stacked():
                    self.unrecorded += 1
                case Answered(presence=presence):
                    self.proceeded = False
                    self.unrecorded += presence is Presence.STACKED
                case Command.POLL_WITH_ACK | Command.SYNC:
                    self.unrecorded = 0
                case Command.EVENT_ACK:
                    assert not self.unrecorded, "an event was let go that is not on record"
                case Command() if not self.proceeded:
                    assert what in ASKS_ONLY, "something was done before the first answer was on record"
                case _:
                    pass
        self.checked = len(self.bench.trace)

    @invariant()
    def paper_is_where_it_can_be(self) -> None:
        places = self.bench.places()
        assert self.inside() <= 1
        assert places.count(Place.BOX) == self.bench.device.vault.counter
        assert self.acknowledged <= places.count(Place.BOX), "nothing is let go that is not in the box"


TestDays = Days.TestCase
TestDays.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
