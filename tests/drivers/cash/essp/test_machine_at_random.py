"""SSP with people, faults and power cuts in any order."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from drivers.api.cash import Answered, CashCommand, CashEvent, Completed, Presence, Stacked
from drivers.cash.connection import Phase
from drivers.cash.essp.messages import Answer, Command, Polled, Request
from drivers.cash.essp.states import MONEY, Where
from drivers.cash.steps import Input
from drivers.simulation.mechanism import Step
from tests.drivers.cash.at_random import SETTINGS, notes_move_in
from tests.drivers.cash.callers import Calls
from tests.drivers.cash.essp.virtual import Bench, device
from tests.drivers.cash.sights import Sight
from tests.drivers.cash.visits import VISIT, Visit

ASKS_ONLY = {
    Command.SYNC, Command.HOLD, Command.PROTOCOL, Command.SERIAL, Command.FIRMWARE, Command.SETUP,
    Command.SET_GENERATOR, Command.SET_MODULUS, Command.KEY_EXCHANGE, Command.POLL_WITH_ACK, Command.COUNTERS,
    Command.EVENT_ACK,
}  # fmt: skip


STACK = Request(Command.POLL_WITH_ACK)
"""Where a note is in escrow."""


class Days(Calls[Bench]):
    """One validator and one process after the other."""

    noise_before = b"\x7f\x80\x55"
    longest = 25.0
    unrecorded = posted = acknowledged = held_before = 0
    intended = in_escrow_before = told_since = said = heard = False
    """``said``: what the device carried out last was answered with money; ``heard``: such an answer arrived since the
    last STACK.
    """

    @initialize(counts=st.booleans(), version=st.sampled_from([8, 7, 6]), forgets=st.booleans(), visit=VISIT)
    def firmware(self, counts: bool, version: int, forgets: bool, visit: Visit) -> None:
        self.join(Bench(device(), desk=self.hear))
        validator = self.bench.device
        validator.remembers_credit, validator.forgets_count = True, not counts
        validator.forgets_channel, validator.highest_version = forgets, version
        validator.instead = self.watch
        self.a_visit(visit)

    # --- what the device carries out --------------------------------------------------------------------------------

    def waiting(self) -> int:
        return sum(event.code in MONEY for event in self.bench.device.waiting)

    def told_and_held(self) -> bool:
        return self.waiting() > 0

    def stacks(self, request: object) -> bool:
        # The poll that first hears of the note in escrow does not: only the next one would.
        return request == STACK and self.in_escrow_before and self.bench.machine.path.where is Where.STACKING

    def returns(self, request: object) -> bool:
        return request == Request(Command.REJECT)

    def towards(self, data: bytes) -> bytes:
        self.bench.device.advance(self.bench.now)
        self.held_before = self.waiting()
        self.in_escrow_before = self.bench.device.metal.step is Step.ESCROW
        arrives = super().towards(data)
        self.heard = self.heard and not self.stacking
        return arrives

    def back(self, data: bytes) -> bytes:
        arrives = super().back(data)
        self.heard |= self.said and bool(data) and arrives == data
        return arrives

    def watch(self, request: Request, answer: Answer | None) -> Answer | None:
        """No note begins to move to the box, and no event goes, without the caller."""
        self.said = isinstance(answer, Polled) and any(event.code in MONEY for event in answer.events)
        if request.command is Command.POLL_WITH_ACK and self.in_escrow_before:
            stacks = self.bench.device.metal.step is Step.STACKING
            assert not stacks or self.intended, "a poll stacked a note that nobody wanted to stack"
        if request.command is Command.EVENT_ACK:
            self.acknowledged += self.held_before - self.waiting()
            self.seen |= {Sight.ACKNOWLEDGED} if self.held_before > self.waiting() else set()
        return answer

    # --- the caller -------------------------------------------------------------------------------------------------

    def hear(self, event: CashEvent) -> list[Input]:
        """An event is told; what follows from it is said later."""
        if isinstance(event, Stacked):
            assert self.heard, "a note was told to be in the box that the device had not said to be"
            self.seen |= {Sight.REPEATED} if self.told_since else set()
            self.told_since = True
        return []

    def inserting(self) -> None:
        self.intended = False

    def posting(self, command: CashCommand) -> None:
        machine = self.bench.machine
        waits = machine.path.where is Where.ESCROW or machine.phase is Phase.KNOCKING
        self.intended |= command is CashCommand.STACK and waits
        self.posted += 1

    def born(self) -> None:
        self.posted = len(self.bench.heard(Completed))
        self.intended, self.unrecorded = False, 0

    def recorded(self) -> None:
        self.unrecorded = max(0, self.unrecorded - 1)
        self.told_since = False

    def opens(self) -> None:
        if self.bench.machine.path.where is not Where.ESCROW:
            super().opens()

    @rule()
    def goes_well_for_a_while(self) -> None:
        """All faults end and the caller does its part: then the device comes to rest and tells what it holds."""
        bench, machine = self.bench, self.bench.machine
        self.faults_end()
        for _ in range(30):
            self.proceed()
            if machine.path.where is Where.ESCROW and not machine.asked:
                self.command(CashCommand.RETURN, twice=False)
            bench.run(1.0)
        if self.waiting():
            self.is_told_again()
        for _ in range(40):
            self.proceed()
            self.acknowledge()
            if machine.path.where is Where.ESCROW:
                self.command(CashCommand.RETURN, twice=False)
            bench.run(0.5)
        assert not self.waiting()
        if bench.device.metal.step is not Step.JAMMED:
            assert not self.inside(), "nothing stays in the path for ever"
        assert len(bench.heard(Completed)) == self.posted, "every command ends in one completion"
        assert self.acknowledged == self.in_box(), "what is in the box was told, recorded, let go"

    # --- what always holds ------------------------------------------------------------------------------------------

    def look_at(self, what: object) -> None:
        match what:
            case Stacked():
                self.unrecorded += 1
            case Answered(presence=presence):
                self.proceeded = False
                self.unrecorded += presence is Presence.STACKED
            case Request(command=Command.POLL_WITH_ACK | Command.SYNC):
                self.unrecorded = 0
            case Request(command=Command.EVENT_ACK):
                assert not self.unrecorded, "an event was let go that is not on record"
            case Request(command=command) if not self.proceeded:
                assert command in ASKS_ONLY, "something was done before the first answer was on record"
            case _:
                pass

    @invariant()
    def nothing_is_let_go_too_early(self) -> None:
        assert self.acknowledged <= self.in_box(), "nothing is let go that is not in the box"


TestDays = Days.TestCase
TestDays.settings = SETTINGS


def test_notes_are_decided_about_let_go_and_left_behind_in_these_days() -> None:
    notes_move_in(Days)
