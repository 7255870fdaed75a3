"""People, faults and power cuts in any order: what is the same whatever a device speaks.

``Days`` is the wire, the people and the paper; ``Calls`` adds a caller that posts, proceeds and acknowledges when it
likes; ``States`` what the protocols have in common whose polls are answered with a state. Each protocol's
``test_machine_at_random.py`` brings its own rules and what its machine may never do.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drivers.api.cash import Answered, CashCommand, Stacked
from drivers.cash.steps import Acknowledge, Proceed
from drivers.simulation.mechanism import Box, Spot, Step
from drivers.simulation.notes import Place
from tests.drivers.cash.bench import AnyBench, damaged

B = TypeVar("B", bound=AnyBench)
INSIDE = {Place.HEAD, Place.ESCROW, Place.TRANSPORT}
SETTINGS = settings(max_examples=25, stateful_step_count=40, deadline=None)


class Days(RuleBasedStateMachine, Generic[B]):
    """One device, and one process after the other."""

    bench: B
    spots: tuple[Spot, ...] = (Spot.BOX,)
    noise_before = b""
    longest = 12.0
    """Where a note may stick, what stands on the line before a damaged frame, and how many seconds may pass at once."""

    def join(self, bench: B) -> None:
        """Stand between this bench's machine and its device."""
        self.bench = bench
        self.checked = 0
        self.bad_to, self.bad_from, self.mute_to, self.mute_from = 0, 0, 0, 0
        bench.to_device, bench.from_device = self.towards, self.back

    def inserting(self) -> None:
        """A note is about to be pushed in."""

    def time_passed(self) -> None:
        """Some time has just passed."""

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
            return self.noise_before + damaged(data)
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

    def faults_end(self) -> None:
        """The wire is whole again, and there is power."""
        device = self.bench.device
        device.line.mute, device.line.slow, device.line.lose_acks = False, 0.0, 0
        self.bad_to, self.bad_from, self.mute_to, self.mute_from = 0, 0, 0, 0
        if not device.powered:
            device.restore_power(self.bench.now)

    # --- people -----------------------------------------------------------------------------------------------------

    @rule(
        face=st.sampled_from(["5 EUR", "10 EUR", "20 EUR", "20 EUR", "unknown"]),
        readable=st.sampled_from([True, True, False]),
    )
    def insert(self, face: str, readable: bool) -> None:
        device = self.bench.device
        device.advance(self.bench.now)
        if device.powered and device.accepts and not self.inside():
            self.inserting()
            kind = device.unnamed_type if face == "unknown" else self.bench.kind(face)
            self.bench.insert(kind, readable=readable)

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

    @rule(which=st.integers(0, 2))
    def jam_next(self, which: int) -> None:
        self.bench.device.jam(self.spots[which % len(self.spots)])

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
        device = self.bench.device
        device.advance(self.bench.now)
        if device.powered and device.metal.step in (Step.RESTING, Step.ESCROW, Step.STACKING):
            device.metal.cheat(self.bench.now)

    @rule()
    def second_note(self) -> None:
        self.bench.device.advance(self.bench.now)
        self.bench.device.metal.push_second(self.bench.now)

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.3, 0.7, 2.0, 6.0, None]))
    def time(self, seconds: float | None) -> None:
        self.bench.run(self.longest if seconds is None else seconds)
        self.time_passed()

    # --- what always holds ------------------------------------------------------------------------------------------

    def inside(self) -> int:
        """How many notes are between mouth and box."""
        return sum(place in INSIDE for place in self.bench.places())

    def in_box(self) -> int:
        """How many notes are in a box."""
        return self.bench.places().count(Place.BOX)

    def look_at(self, what: object) -> None:
        """One thing of the trace, in its order: what the machine sent or told."""

    @invariant()
    def check(self) -> None:
        for what in self.bench.trace[self.checked :]:
            self.look_at(what)
        self.checked = len(self.bench.trace)

    @invariant()
    def paper_is_where_it_can_be(self) -> None:
        assert self.inside() <= 1
        assert self.in_box() == self.bench.device.vault.counter


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

    @rule()
    def killed_and_started(self) -> None:
        self.check()
        self.proceeded = False
        self.bench.restart()
        self.born()


class States(Calls[B]):
    """A protocol whose polls are answered with a state, and in which STACK and RESET are commands."""

    stack: object
    reset: object
    held: object
    escrowed: AbstractSet[object]
    may_be_reset: AbstractSet[object]
    patience = 40
    """The two requests, the state in which an event is held, those in which STACK and RESET may be sent, and how many
    half seconds a device takes at the most to come to rest.
    """

    polled_since_stack = True
    last_poll: object = None
    stacks = 0

    @abstractmethod
    def state(self) -> object:
        """What the device says of itself."""

    def told_and_held(self) -> bool:
        """Whether the device holds an event that the caller must record."""
        return self.state() == self.held

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
            told = len(bench.heard(Stacked))
            bench.run(3.0)
            assert len(bench.heard(Stacked)) > told, "a held event is repeated until it is acknowledged"
            assert self.told_and_held(), "and the device was not told that it may forget it"
        for _ in range(40):
            self.proceed()
            self.acknowledge()
            bench.run(0.5)
        assert not self.told_and_held()
        if bench.device.metal.step is not Step.JAMMED:
            assert not self.inside(), "nothing stays in the path for ever"

    def look_at(self, what: object) -> None:
        if isinstance(what, type(self.held)):
            self.polled_since_stack, self.last_poll = True, what
        if isinstance(what, Answered):
            self.proceeded = False
        if what == self.stack:
            assert self.polled_since_stack, "STACK sent twice without looking in between"
            assert self.last_poll in self.escrowed
            self.polled_since_stack, self.stacks = False, self.stacks + 1
        if what == self.reset:
            self.look_at_reset()

    def look_at_reset(self) -> None:
        """A RESET was sent."""
        assert self.proceeded, "RESET before the first answer was on record"
        assert self.last_poll in self.may_be_reset

    @invariant()
    def only_what_was_stacked_is_in_the_box(self) -> None:
        assert self.in_box() <= self.stacks, "no note goes into the box without a STACK"
