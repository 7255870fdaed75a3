"""People, faults and power cuts in any order: what the machine may never do, and where the paper may never be."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from drivers.api.cash import Answered, CashCommand, Escrowed, Presence, Returned, Stacked
from drivers.cash.id003.machine import Machine, Phase
from drivers.cash.id003.messages import Command, State
from drivers.cash.id003.simulator_device import Firmware
from drivers.cash.id003.timing import Timing
from drivers.cash.steps import Acknowledge, Opened, Proceed
from drivers.simulation.mechanism import Box, Spot
from drivers.simulation.notes import Place
from tests.drivers.cash.id003.virtual import FIVE, TEN, TWENTY, UNKNOWN_TYPE, Bench, damaged, device, trouble

MAY_BE_RESET = {
    State.POWER_UP, State.POWER_UP_NOTE_IN_ACCEPTOR, State.POWER_UP_NOTE_IN_STACKER, State.JAM_ACCEPTOR,
    State.JAM_STACKER, State.FAILURE, State.CHEATED,
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
        self.owed = False
        self.quiet_since_ack = False
        self.told_since_poll = False
        self.initialising = False
        self.bad_to, self.bad_from, self.mute_to, self.mute_from = 0, 0, 0, 0
        self.bench.to_device = self.towards
        self.bench.from_device = self.back

    @initialize(
        recovers=st.booleans(), remembers=st.booleans(), transients=st.booleans(), serial=st.booleans(),
        later=st.booleans(),
        after_box=st.sampled_from([State.POWER_UP, State.INITIALIZE, State.DISABLED, State.IDLING]),
    )  # fmt: skip
    def firmware(
        self, recovers: bool, remembers: bool, transients: bool, serial: bool, later: bool, after_box: State
    ) -> None:
        self.bench.device.firmware = Firmware(recovers, remembers, transients, serial, later, after_box=after_box)

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
            return b"\xfc\x02" + damaged(data)
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

    @rule(lost=st.integers(0, 2), twice=st.integers(0, 2))
    def acknowledgements(self, lost: int, twice: int) -> None:
        self.bench.device.line.lose_acks, self.bench.device.line.repeat_acks = lost, twice

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

    @precondition(lambda self: self.bench.device.state is State.JAM_STACKER and self.bench.device.powered)
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
        self.bench.step(Opened(bytes(64)))
        self.proceeded = self.owed = self.quiet_since_ack = False
        self.polled_since_stack = False

    @rule()
    def goes_well_for_a_while(self) -> None:
        """All faults end and the caller does its part: then the device comes to rest and tells what it holds."""
        bench = self.bench
        bench.device.line.mute = False
        bench.device.line.lose_acks = 0
        self.noise(0, 0, lost=True)
        self.noise(0, 0, lost=False)
        if not bench.device.powered:
            bench.device.restore_power(bench.now)
        for _ in range(80):
            self.proceed()
            bench.run(0.5)
        if bench.device.state is State.VEND_VALID:
            told = len(bench.heard(Stacked))
            bench.run(3.0)
            assert len(bench.heard(Stacked)) > told, "a held event is repeated until it is acknowledged"
            assert bench.device.state is State.VEND_VALID, "and the device was not told that it may forget it"
        for _ in range(40):
            self.proceed()
            bench.step(Acknowledge())
            bench.run(0.5)
        assert bench.device.state is not State.VEND_VALID
        if bench.device.state is not State.JAM_STACKER:
            assert not self.inside(), "nothing stays in the path for ever"

    # --- what always holds ------------------------------------------------------------------------------------------

    def inside(self) -> int:
        return sum(place in INSIDE for place in self.bench.places())

    def look_at(self, what: str, value: object) -> None:
        if what == "poll":
            assert isinstance(value, State)
            self.polled_since_stack, self.last_poll, self.quiet_since_ack = True, value, False
            self.owed = value is State.VEND_VALID or (self.owed and value in MAY_BE_RESET)
            if value is not State.INITIALIZE:
                self.initialising = False
        if isinstance(value, Answered):
            self.proceeded = False
        match what, value:
            case "sent", Command.STACK_1 | Command.HOLD | Command.WAIT:
                raise AssertionError("no driver needs it")
            case "sent", Command.STACK_2:
                assert self.polled_since_stack, "STACK sent twice without looking in between"
                assert self.last_poll in (State.ESCROW, State.HOLDING)
                self.polled_since_stack, self.stacks = False, self.stacks + 1
            case "sent", Command.ACK:
                assert self.last_poll is State.VEND_VALID
                self.owed, self.quiet_since_ack = False, True
            case "sent", Command.RESET:
                assert not self.owed, "a VEND VALID that was not acknowledged dies of a RESET"
                if not self.quiet_since_ack:
                    assert self.proceeded, "RESET before the first answer was on record"
                    assert self.last_poll in MAY_BE_RESET
            case _:
                pass

    @invariant()
    def check(self) -> None:
        for what, value in self.bench.trace[self.checked :]:
            self.look_at(what, value)
        self.checked = len(self.bench.trace)

    @invariant()
    def paper_is_where_it_can_be(self) -> None:
        places = self.bench.places()
        assert self.inside() <= 1
        assert places.count(Place.BOX) == self.bench.device.vault.counter
        assert places.count(Place.BOX) <= self.stacks, "no note goes into the box without a STACK"


TestDays = Days.TestCase
TestDays.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)


class Desk(RuleBasedStateMachine):
    """A caller that decides by the rules of the start-up table: what it credits lies in the box, and what it says went
    back does not. A box note that it does not credit is in doubt.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(device())
        self.seen = 0
        self.open: str | None = None
        self.credited = self.returned = self.doubted = 0

    @initialize(recovers=st.booleans(), remembers=st.booleans(), transients=st.booleans())
    def firmware(self, recovers: bool, remembers: bool, transients: bool) -> None:
        self.bench.device.firmware = Firmware(recovers, remembers, transients)
        self.bench.enabled()
        self.hear()

    def hear(self) -> None:
        """Every event since the last look, as a cash desk takes it."""
        for event in self.bench.told[self.seen :]:
            stacked = isinstance(event, Stacked)
            presence = event.presence if isinstance(event, Answered) else None
            if stacked or presence is Presence.STACKED:
                self.credit()
            elif isinstance(event, Returned) or presence is Presence.RETURNABLE:
                self.end("returned")
            elif isinstance(event, Escrowed) and self.open is None:
                self.open = "escrowed"
            elif presence is Presence.IN_ESCROW and self.open in ("escrowed", "stacking"):
                self.open = "returning"
                self.bench.command(CashCommand.RETURN)
            elif type(event).__name__ in ("Cleared", "Ready") or presence is Presence.PATH_EMPTY:
                self.path_empty()
        self.seen = len(self.bench.told)

    def credit(self) -> None:
        if self.open == "doubted":
            self.doubted -= 1
        if self.open in ("stacking", "doubted"):
            self.credited += 1
            self.open = "credited"
        else:
            assert self.open == "credited", f"a stacked event of no note: {self.open}"

    def end(self, how: str) -> None:
        if self.open in ("escrowed", "returning", "stacking"):
            self.returned += 1
            self.open = None
        assert how == "returned"

    def path_empty(self) -> None:
        if self.open in ("escrowed", "returning"):
            self.end("returned")
        elif self.open == "stacking":
            self.doubted += 1
            self.open = "doubted"
        elif self.open == "credited":
            self.open = None

    @precondition(lambda self: self.open in (None, "doubted"))
    @rule(kind=st.sampled_from([FIVE, TEN, TWENTY]), stack=st.sampled_from([True, True, False]), late=st.booleans())
    def deposit(self, kind: int, stack: bool, late: bool) -> None:
        bench = self.bench
        bench.run(8)
        self.hear()
        if self.open == "doubted":
            self.open = None  # It stays in doubt until a count.
        if bench.device.state is State.DISABLED and bench.machine.phase is Phase.RUNNING:
            bench.command(CashCommand.ENABLE)
            bench.run(1)
        if not bench.device.accepts:
            return
        bench.device.insert("paper", kind, bench.now)
        bench.run(1)
        if late:
            bench.run(9.2)
        self.hear()
        if self.open == "escrowed":
            self.open = "stacking" if stack else "returning"
            bench.command(CashCommand.STACK if stack else CashCommand.RETURN)

    @rule(seconds=st.sampled_from([0.01, 0.06, 0.15, 0.3, 0.5, 1.0, 6.0]))
    def time(self, seconds: float) -> None:
        self.bench.run(seconds)
        self.hear()

    @rule(off=st.sampled_from([0.1, 1.0, 7.0]))
    def power_cut(self, off: float) -> None:
        self.bench.device.cut_power(self.bench.now)
        self.bench.run(off)
        self.bench.device.restore_power(self.bench.now)
        self.hear()

    @rule(lost=st.integers(1, 3), garbage=st.booleans())
    def answers(self, lost: int, garbage: bool) -> None:
        if garbage:
            self.bench.device.line.garbage = lost
        else:
            self.bench.device.line.lost = lost

    @rule(count=st.integers(1, 2), twice=st.booleans())
    def acknowledgements(self, count: int, twice: bool) -> None:
        if twice:
            self.bench.device.line.repeat_acks = count
        else:
            self.bench.device.line.lose_acks = count

    @rule()
    def process_dies(self) -> None:
        self.hear()
        self.bench.machine = Machine(Timing())
        self.bench.step(Opened(bytes(64)))

    @invariant()
    def conservation(self) -> None:
        self.hear()
        in_box = self.bench.places().count(Place.BOX)
        assert self.credited <= in_box, "a credit for a note that is not in the box"
        undecided = self.open == "stacking"
        assert in_box <= self.credited + self.doubted + undecided, "a note in the box of which nothing is known"
        assert self.returned <= self.bench.places().count(Place.HAND) + self.inside()

    def inside(self) -> int:
        return sum(place in INSIDE for place in self.bench.places())

    def teardown(self) -> None:
        self.bench.device.line.lost = self.bench.device.line.garbage = self.bench.device.line.lose_acks = 0
        self.bench.run(60)
        self.conservation()
        assert self.open in (None, "doubted"), "everything comes to an end"


TestDesk = Desk.TestCase
TestDesk.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
