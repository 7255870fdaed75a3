"""People, faults and power cuts in any order: what is the same whatever a device speaks.

``Days`` is the wire, the people and the paper; ``callers.py`` adds a caller that says what it likes. Each protocol's
``test_machine_at_random.py`` brings its own rules and what its machine may never do.

Orders drawn one by one hardly ever bring a note as far as escrow. So beside the single steps there are rules for what
customers come for: a note goes in, and a note is decided about. :class:`tests.drivers.cash.sights.Sight` counts what
a run has met, and :func:`notes_move_in` fails where that is too little.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection
from typing import Generic, TypeVar

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from drivers.api.cash import Answered, CashCommand, CashEvent, Escrowed, Presence, Returned, Stacked
from drivers.simulation.mechanism import Box, Spot, Step
from drivers.simulation.notes import Place
from tests.drivers.cash.bench import AnyBench, damaged
from tests.drivers.cash.sights import Sight, Tally
from tests.drivers.cash.visits import COMING, DECIDING, VISIT, Aim, Coming, Deciding, Mishap, Visit

B = TypeVar("B", bound=AnyBench)
INSIDE = {Place.HEAD, Place.ESCROW, Place.TRANSPORT}
SETTINGS = settings(max_examples=20, stateful_step_count=20, deadline=None)
THE_SAME_DAYS = settings(SETTINGS, max_examples=80, derandomize=True, database=None, phases=[Phase.generate])
"""The same examples in every run."""
LEAST = 4
"""In how many of these everything must have been met."""


class Days(RuleBasedStateMachine, Generic[B]):
    """One device, and one process after the other."""

    bench: B
    spots: tuple[Spot, ...] = (Spot.BOX,)
    noise_before = b""
    longest = 12.0
    """Where a note may stick, what stands on the line before a damaged frame, and how many seconds may pass at once."""

    tally: Tally | None = None

    def join(self, bench: B) -> None:
        """Stand between this bench's machine and its device."""
        self.bench = bench
        self.checked = 0
        self.bad_to, self.bad_from, self.mute_to, self.mute_from = 0, 0, 0, 0
        self.aim = Aim.NOTHING
        self.seen: set[Sight] = set()
        bench.to_device, bench.from_device = self.towards, self.back

    def inserting(self) -> None:
        """A note is about to be pushed in."""

    def time_passed(self) -> None:
        """Some time has just passed."""

    @abstractmethod
    def opens(self) -> None:
        """The caller does its part until the slot is open, or for some seconds."""

    @abstractmethod
    def decide(self, command: CashCommand) -> None:
        """The caller decides about the note in escrow."""

    def records(self) -> None:
        """The caller puts on record what it is told, for as long as a note takes."""

    def leaves_off(self, *, dies: bool) -> None:
        """The caller records nothing more, though all faults end; at last it ``dies`` or does not."""

    @abstractmethod
    def stacks(self, request: object) -> bool:
        """Whether a request that is about to arrive is a STACK."""

    @abstractmethod
    def returns(self, request: object) -> bool:
        """Whether a request that is about to arrive is a RETURN."""

    def teardown(self) -> None:
        if self.tally is not None:
            self.tally.add(self.seen)

    # --- the wire ---------------------------------------------------------------------------------------------------

    def towards(self, data: bytes) -> bytes:
        """What arrives at the device of ``data``."""
        request = self.bench.sent[-1].request
        self.stacking = self.stacks(request)
        self.moving = self.stacking or self.returns(request)
        self.seen |= {Sight.STACK_SENT} if self.stacking else set()
        arrives = self._disturbed_there(data)
        self.seen |= {Sight.STACK_UNANSWERED} if self.stacking and arrives != data else set()
        return arrives

    def back(self, data: bytes) -> bytes:
        """What comes back of the answer ``data``."""
        arrives = self._disturbed_back(data)
        self.seen |= {Sight.STACK_UNANSWERED} if self.stacking and arrives != data else set()
        return arrives

    def _aimed(self, *aims: Aim) -> Aim:
        if not self.moving or self.aim not in aims:
            return Aim.NOTHING
        aim, self.aim = self.aim, Aim.NOTHING
        return aim

    def _disturbed_there(self, data: bytes) -> bytes:
        match self._aimed(Aim.REQUEST_LOST, Aim.REQUEST_DAMAGED):
            case Aim.REQUEST_LOST:
                return b""
            case Aim.REQUEST_DAMAGED:
                return damaged(data)
            case _:
                pass
        if self.mute_to:
            self.mute_to -= 1
            return b""
        if self.bad_to:
            self.bad_to -= 1
            return damaged(data)
        return data

    def _disturbed_back(self, data: bytes) -> bytes:
        match self._aimed(Aim.ANSWER_LOST, Aim.ANSWER_DAMAGED) if data else Aim.NOTHING:
            case Aim.ANSWER_LOST:
                return b""
            case Aim.ANSWER_DAMAGED:
                return damaged(data)
            case _:
                pass
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
        self.aim = Aim.NOTHING
        if not device.powered:
            device.restore_power(self.bench.now)

    def all_is_mended(self) -> None:
        """And the box is in, and nothing sticks or is about to."""
        self.faults_end()
        device = self.bench.device
        device.advance(self.bench.now)
        device.metal.mishaps.jam = None
        if device.metal.box is not Box.IN:
            device.change_box(Box.IN, self.bench.now)
        if device.metal.step is Step.JAMMED:
            device.free_jam(self.bench.now)

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

    @rule(coming=COMING)
    def note_goes_in(self, coming: Coming) -> None:
        """A customer comes, to a slot that is opened for it, and waits until the note is in escrow."""
        if coming.mended:
            self.all_is_mended()
        self.opens()
        told = len(self.bench.heard(Escrowed))
        self.insert(coming.face, readable=True)
        self.mute_from += coming.lost
        self.wait(lambda: len(self.bench.heard(Escrowed)) > told, 3.0)

    @rule(deciding=DECIDING)
    def note_is_decided(self, deciding: Deciding) -> None:
        """If there is one in escrow; and something may go wrong at just that moment."""
        if self.bench.device.metal.step is Step.ESCROW:
            self.aim = deciding.aim
            self.decide(deciding.command)
            self.bench.run(deciding.seconds)
            self.time_passed()

    @rule(visit=VISIT)
    def a_visit(self, visit: Visit) -> None:
        self.note_goes_in(visit.coming)
        self.mishap(visit.before)
        self.note_is_decided(visit.deciding)
        self.mishap(visit.after)
        self.bench.run(visit.seconds)
        self.time_passed()
        if visit.record:
            self.records()
        else:
            self.leaves_off(dies=visit.after is Mishap.NOTHING)

    def mishap(self, mishap: Mishap) -> None:
        """Something happens at just this moment."""
        match mishap:
            case Mishap.BLINK:
                self.blink()
            case Mishap.UNPLUGGED:
                self.power()
                self.bench.run(0.5)
                self.power()
            case Mishap.KILLED:
                self.killed_and_started()
            case Mishap.NOTHING:
                pass

    def wait(self, holds: Callable[[], bool], seconds: float) -> None:
        """Until something is so, at the most for so long."""
        end = self.bench.now + seconds
        while not holds() and self.bench.now < end:
            self.bench.run(0.1)

    def power_goes(self) -> None:
        """Everything stops where it is."""
        self.bench.device.advance(self.bench.now)
        self.seen |= {Sight.POWER_CUT_INSIDE} if self.inside() else set()
        self.bench.device.cut_power(self.bench.now)

    @rule()
    def power(self) -> None:
        if self.bench.device.powered:
            self.power_goes()
        else:
            self.bench.device.restore_power(self.bench.now)

    @rule()
    def blink(self) -> None:
        self.power_goes()
        self.bench.device.restore_power(self.bench.now)

    @abstractmethod
    def killed_and_started(self) -> None:
        """The caller's process dies, and another begins."""

    def killed(self) -> None:
        """The caller is about to die."""
        self.bench.device.advance(self.bench.now)
        self.seen |= {Sight.KILLED_INSIDE} if self.inside() else set()

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

    def look_for_sights(self, event: CashEvent) -> None:
        """One event that was told."""
        match event:
            case Escrowed():
                self.seen.add(Sight.ESCROWED)
            case Stacked():
                self.seen.add(Sight.STACKED)
            case Returned():
                self.seen.add(Sight.RETURNED)
            case Answered(presence=Presence.STACKED):
                self.seen.add(Sight.FOUND_STACKED)
            case _:
                pass

    @invariant()
    def check(self) -> None:
        """What is new in the trace."""
        for what in self.bench.trace[self.checked :]:
            self.checked += 1
            self.look_at(what)
            if isinstance(what, CashEvent):
                self.look_for_sights(what)

    @invariant()
    def paper_is_where_it_can_be(self) -> None:
        assert self.inside() <= 1
        assert self.in_box() == self.bench.device.vault.counter


def notes_move_in(days: type[Days[B]], *, never: Collection[Sight] = ()) -> None:
    """Live through the same days in every run, and see that they had in them what the rules are for."""
    days.tally = tally = Tally()
    try:
        run_state_machine_as_test(days, settings=THE_SAME_DAYS)
    finally:
        days.tally = None
    rare = tally.rare(LEAST, never=never)
    assert not rare, f"of {tally.examples} examples too few had: {rare}"
