"""ID-003 with people, faults and power cuts in any order; and a desk that decides by the start-up table."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from drivers.api.cash import Answered, CashCommand, Cleared, Escrowed, Presence, Ready, Returned, Stacked
from drivers.cash.connection import Phase
from drivers.cash.id003.messages import Command, Request, State
from drivers.cash.id003.simulator_device import Firmware
from drivers.cash.id003.states import POWER_UP
from drivers.simulation.notes import Place
from tests.drivers.cash.at_random import INSIDE, SETTINGS, notes_move_in
from tests.drivers.cash.callers import States
from tests.drivers.cash.id003.virtual import FIVE, TEN, TWENTY, Bench, device
from tests.drivers.cash.visits import VISIT, Visit


class Days(States[Bench]):
    """One validator and one process after the other."""

    noise_before = b"\xfc\x02"
    stack, give_back, reset = Request(Command.STACK_2), Request(Command.RETURN), Request(Command.RESET)
    poll, ack = Request(Command.STATUS), Request(Command.ACK)
    held, let_go = State.VEND_VALID, frozenset({State.VEND_VALID})
    escrowed = frozenset({State.ESCROW, State.HOLDING})
    may_be_reset = frozenset({
        State.POWER_UP, State.POWER_UP_NOTE_IN_ACCEPTOR, State.POWER_UP_NOTE_IN_STACKER, State.JAM_ACCEPTOR,
        State.JAM_STACKER, State.FAILURE, State.CHEATED,
    })  # fmt: skip
    patience = 80
    owed = quiet_since_ack = False

    @initialize(
        recovers=st.booleans(), remembers=st.booleans(), transients=st.booleans(), serial=st.booleans(),
        later=st.booleans(),
        after_box=st.sampled_from([State.POWER_UP, State.INITIALIZE, State.DISABLED, State.IDLING]), visit=VISIT,
    )  # fmt: skip
    def firmware(
        self, recovers: bool, remembers: bool, transients: bool, serial: bool, later: bool, after_box: State,
        visit: Visit,
    ) -> None:  # fmt: skip
        firmware = Firmware(recovers, remembers, transients, serial, later, after_box=after_box)
        self.join(Bench(device(firmware=firmware), proceeds=False, acknowledges=False))
        self.a_visit(visit)

    def state(self) -> State:
        return self.bench.device.state

    def may_proceed(self) -> bool:
        return self.bench.machine.phase is Phase.REPORTED

    @rule(lost=st.integers(0, 2), twice=st.integers(0, 2))
    def acknowledgements(self, lost: int, twice: int) -> None:
        self.bench.device.line.lose_acks, self.bench.device.line.repeat_acks = lost, twice

    def born(self) -> None:
        self.owed = self.quiet_since_ack = self.polled_since_stack = False

    # --- what always holds ------------------------------------------------------------------------------------------

    def look_at(self, what: object) -> None:
        super().look_at(what)
        match what:
            case State():
                self.quiet_since_ack = False
                # One that a power cut took from the device's memory is past saving; nothing but RESET wakes it then.
                self.owed = what is State.VEND_VALID or (self.owed and what in self.may_be_reset - POWER_UP)
            case Request(command=Command.STACK_1 | Command.HOLD | Command.WAIT):
                raise AssertionError("no driver needs it")
            case Request(command=Command.ACK):
                assert self.last_poll is State.VEND_VALID
                self.owed, self.quiet_since_ack = False, True
            case _:
                pass

    def look_at_reset(self) -> None:
        assert not self.owed, "a VEND VALID that was not acknowledged dies of a RESET"
        if not self.quiet_since_ack:
            super().look_at_reset()


TestDays = Days.TestCase
TestDays.settings = SETTINGS


def test_notes_are_decided_about_let_go_and_left_behind_in_these_days() -> None:
    notes_move_in(Days)


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
            elif isinstance(event, Cleared | Ready) or presence is Presence.PATH_EMPTY:
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
        self.bench.restart()

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
