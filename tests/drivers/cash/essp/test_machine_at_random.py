"""SSP with people, faults and power cuts in any order."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from drivers.api.cash import Answered, CashCommand, Completed, Presence, Stacked
from drivers.cash.essp.messages import Answer, Command, Request
from drivers.cash.essp.states import MONEY, Where
from drivers.simulation.mechanism import Step
from tests.drivers.cash.at_random import SETTINGS, Calls
from tests.drivers.cash.essp.virtual import Bench, device

ASKS_ONLY = {
    Command.SYNC, Command.HOLD, Command.PROTOCOL, Command.SERIAL, Command.FIRMWARE, Command.SETUP,
    Command.SET_GENERATOR, Command.SET_MODULUS, Command.KEY_EXCHANGE, Command.POLL_WITH_ACK, Command.COUNTERS,
    Command.EVENT_ACK,
}  # fmt: skip


class Days(Calls[Bench]):
    """One validator and one process after the other."""

    noise_before = b"\x7f\x80\x55"
    longest = 25.0
    unrecorded = posted = acknowledged = held_before = 0
    intended = in_escrow_before = False

    @initialize(counts=st.booleans(), version=st.sampled_from([8, 7, 6]), forgets=st.booleans())
    def firmware(self, counts: bool, version: int, forgets: bool) -> None:
        self.join(Bench(device(), proceeds=False, acknowledges=False))
        validator = self.bench.device
        validator.remembers_credit, validator.forgets_count = True, not counts
        validator.forgets_channel, validator.highest_version = forgets, version
        validator.instead = self.watch

    # --- what the device carries out --------------------------------------------------------------------------------

    def waiting(self) -> int:
        return sum(event.code in MONEY for event in self.bench.device.waiting)

    def towards(self, data: bytes) -> bytes:
        self.held_before = self.waiting()
        self.in_escrow_before = self.bench.device.metal.step is Step.ESCROW
        return super().towards(data)

    def watch(self, request: Request, answer: Answer | None) -> Answer | None:
        """No note begins to move to the box, and no event goes, without the caller."""
        if request.command is Command.POLL_WITH_ACK and self.in_escrow_before:
            stacks = self.bench.device.metal.step is Step.STACKING
            assert not stacks or self.intended, "a poll stacked a note that nobody wanted to stack"
        if request.command is Command.EVENT_ACK:
            self.acknowledged += self.held_before - self.waiting()
        return answer

    # --- the caller -------------------------------------------------------------------------------------------------

    def inserting(self) -> None:
        self.intended = False

    def posting(self, command: CashCommand) -> None:
        self.intended |= command is CashCommand.STACK and self.bench.machine.path.where is Where.ESCROW
        self.posted += 1

    def born(self) -> None:
        self.posted = len(self.bench.heard(Completed))
        self.intended, self.unrecorded = False, 0

    def recorded(self) -> None:
        self.unrecorded = max(0, self.unrecorded - 1)

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
        self.holds_what_is_not_recorded()
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

    def holds_what_is_not_recorded(self) -> None:
        if self.waiting():
            told = len(self.bench.heard(Stacked))
            self.proceed()
            self.bench.run(3.0)
            assert len(self.bench.heard(Stacked)) > told, "a held event is repeated until it is acknowledged"
            assert self.waiting()

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
