"""A caller that says what it likes, when it likes; and what the protocols have in common whose polls give a state.

``Calls`` is a caller that posts, proceeds and acknowledges in any order; ``States`` a protocol in which a poll is
answered with a state, and STACK and RESET are commands.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Set as AbstractSet

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from drivers.api.cash import Answered, CashCommand, Completed, Stacked
from drivers.cash.steps import Acknowledge, Proceed
from drivers.simulation.mechanism import Step
from tests.drivers.cash.at_random import B, Days
from tests.drivers.cash.sights import Sight


class Calls(Days[B]):
    """A caller that says what it likes, when it likes."""

    proceeded = False

    def posting(self, command: CashCommand) -> None:
        """A command is about to be posted."""

    def born(self) -> None:
        """Another process has just begun."""

    @rule(command=st.sampled_from([*CashCommand, CashCommand.ENABLE, CashCommand.STACK]), twice=st.booleans())
    def command(self, command: CashCommand, twice: bool) -> None:
        for _ in range(1 + twice):
            self.posting(command)
            self.bench.command(command)

    @rule()
    def proceed(self) -> None:
        self.check()
        self.proceeded |= self.may_proceed()
        self.bench.step(Proceed())

    def may_proceed(self) -> bool:
        """Whether the machine waits for it."""
        return True

    @rule()
    def acknowledge(self) -> None:
        self.check()
        self.recorded()
        self.bench.step(Acknowledge())

    def recorded(self) -> None:
        """An event is on record, and about to be acknowledged."""

    @abstractmethod
    def told_and_held(self) -> bool:
        """Whether the device holds an event that the caller must record."""

    def opens(self) -> None:
        done = -1
        self.bench.device.advance(self.bench.now)
        for _ in range(30):
            if self.bench.device.accepts:
                return
            self.proceed()
            self.acknowledge()
            if len(self.bench.heard(Completed)) > done:
                done = len(self.bench.heard(Completed))
                self.command(CashCommand.ENABLE, twice=False)
            self.bench.run(0.5)

    def records(self) -> None:
        for _ in range(8):
            self.proceed()
            self.acknowledge()
            self.bench.run(0.5)

    def leaves_off(self, *, dies: bool) -> None:
        told = len(self.bench.heard(Stacked))
        self.faults_end()
        for _ in range(8):
            self.proceed()
            self.bench.run(0.5)
        if self.told_and_held() and len(self.bench.heard(Stacked)) > told:
            self.is_told_again()
        if dies:
            self.killed_and_started()
            self.bench.run(3.0)

    def is_told_again(self) -> None:
        """What the device holds, as long as it is not on record."""
        told = len(self.bench.heard(Stacked))
        self.proceed()
        self.bench.run(3.0)
        assert len(self.bench.heard(Stacked)) > told, "a held event is repeated until it is acknowledged"
        assert self.told_and_held(), "and the device was not told that it may forget it"

    def decide(self, command: CashCommand) -> None:
        self.command(command, twice=False)

    def killed(self) -> None:
        super().killed()
        self.seen |= {Sight.KILLED_UNRECORDED} if self.told_and_held() else set()

    @rule()
    def killed_and_started(self) -> None:
        self.check()
        self.killed()
        self.proceeded = False
        self.bench.restart()
        self.born()


class States(Calls[B]):
    """A protocol whose polls are answered with a state, and in which STACK and RESET are commands."""

    stack: object
    give_back: object
    reset: object
    poll: object
    ack: object
    held: object
    let_go: AbstractSet[object]
    escrowed: AbstractSet[object]
    may_be_reset: AbstractSet[object]
    patience = 40
    """The requests; the state in which a note in the box is held, all those in which an event is, those in which STACK
    and RESET may be sent; and how many half seconds a device takes at the most to come to rest.
    """

    polled_since_stack = True
    last_poll: object = None
    last_asked: object = None
    on_record = told_before = False
    stacked = 0

    @abstractmethod
    def state(self) -> object:
        """What the device says of itself."""

    def told_and_held(self) -> bool:
        return self.state() == self.held

    def stacks(self, request: object) -> bool:
        return request == self.stack

    def returns(self, request: object) -> bool:
        return request == self.give_back

    def recorded(self) -> None:
        self.on_record = self.last_poll in self.let_go

    @rule()
    def fail(self) -> None:
        device = self.bench.device
        device.advance(self.bench.now)
        if device.powered and device.metal.step is Step.RESTING:
            device.failed = True

    @rule()
    def goes_well_for_a_while(self) -> None:
        """All faults end and the caller does its part: then the device comes to rest and tells what it holds."""
        bench = self.bench
        self.faults_end()
        for _ in range(self.patience):
            self.proceed()
            bench.run(0.5)
        if self.told_and_held():
            self.is_told_again()
        for _ in range(40):
            self.proceed()
            self.acknowledge()
            bench.run(0.5)
        assert not self.told_and_held()
        if bench.device.metal.step is not Step.JAMMED:
            assert not self.inside(), "nothing stays in the path for ever"

    def look_at(self, what: object) -> None:
        if isinstance(what, type(self.held)):
            self.look_at_state(what)
        if isinstance(what, Answered):
            self.proceeded = False
        if isinstance(what, Stacked):
            assert self.last_poll == self.held, "a note was told to be in the box that the device had not said to be"
        if what == self.stack:
            assert self.polled_since_stack, "STACK sent twice without looking in between"
            assert self.last_poll in self.escrowed
            self.polled_since_stack, self.stacked = False, self.stacked + 1
        if what == self.reset:
            self.look_at_reset()
        if what == self.ack and self.last_asked == self.poll and self.last_poll in self.let_go:
            assert self.on_record, "an event was let go that is not on record"
            self.seen |= {Sight.ACKNOWLEDGED} if self.last_poll == self.held else set()
            self.told_before = False
        if isinstance(what, type(self.poll)) and what != self.ack:
            self.last_asked = what

    def look_at_state(self, state: object) -> None:
        """A poll was answered."""
        self.polled_since_stack, self.last_poll, self.on_record = True, state, False
        if state == self.held:
            self.seen |= {Sight.REPEATED} if self.told_before else set()
        self.told_before = state == self.held

    def look_at_reset(self) -> None:
        """A RESET was sent."""
        assert self.proceeded, "RESET before the first answer was on record"
        assert self.last_poll in self.may_be_reset

    @invariant()
    def only_what_was_stacked_is_in_the_box(self) -> None:
        assert self.in_box() <= self.stacked, "no note goes into the box without a STACK"
