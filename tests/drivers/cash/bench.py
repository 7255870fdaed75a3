"""Machine and simulated device joined in memory, in virtual time: no loop, no wire, every byte counted.

What the four protocols have in common; each adds its own device, machine and words in its ``virtual.py``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from drivers.api.cash import (
    Accepting,
    Answered,
    CashCommand,
    CashEvent,
    Cleared,
    Completed,
    Escrowed,
    Presence,
    Ready,
    Rejected,
    Returned,
    Stacked,
    Trouble,
)
from drivers.cash.dialogue import Dialogue
from drivers.cash.steps import (
    Acknowledge,
    CashMachine,
    Do,
    Emit,
    Input,
    Opened,
    Output,
    Proceed,
    Recall,
    Recalled,
    Received,
    Send,
    Tick,
)
from drivers.simulation.cash_device import SimulatedCash
from drivers.simulation.notes import Place
from guichet.ids import DeviceSerial
from guichet.money import parse_money

E = TypeVar("E")
M = TypeVar("M", bound=CashMachine, covariant=True)
D = TypeVar("D", bound=SimulatedCash, covariant=True)
R = TypeVar("R", covariant=True)
C = TypeVar("C", covariant=True)
Disturb = Callable[[bytes], bytes]
ENTROPY = bytes(range(64))


@dataclass(frozen=True, slots=True)
class Sent(Generic[R, C]):
    """What the machine put on the line: when, what it means, and as which bytes."""

    at: float
    request: R
    command: C
    data: bytes


@dataclass
class Bench(ABC, Generic[M, D, R, C]):
    """``sent`` is what the machine asked, repeats too, ``told`` what it told, both in order; ``trace`` is both
    together, with what a protocol adds.

    ``restless`` is a second machine that is given the same, and looks at every answer anew: what follows, and when,
    must be the same; ``rested``: how often the first one did not look.

    ``proceeds`` and ``acknowledges``: whether the caller does so by itself, as a cash desk does that can record;
    ``desk``: another caller in its place.
    """

    device: D
    now: float = field(default=100.0, kw_only=True)
    entropy: bytes = field(default=ENTROPY, kw_only=True)
    proceeds: bool = field(default=True, kw_only=True)
    acknowledges: bool = field(default=True, kw_only=True)
    desk: Callable[[CashEvent], list[Input]] | None = field(default=None, kw_only=True)
    machine: M = field(init=False)
    restless: M = field(init=False)
    rested: int = field(init=False, default=0)
    sent: list[Sent[R, C]] = field(init=False, default_factory=list[Sent[R, C]])
    told: list[CashEvent] = field(init=False, default_factory=list[CashEvent])
    trace: list[object] = field(init=False, default_factory=list[object])
    to_device: Disturb = field(init=False, default=bytes)
    from_device: Disturb = field(init=False, default=bytes)

    # --- what a protocol adds ---------------------------------------------------------------------------------------

    @abstractmethod
    def new_machine(self) -> M:
        """A machine that knows nothing."""

    @abstractmethod
    def understood(self, data: bytes) -> tuple[R, C]:
        """What the machine sent, and the command in it."""

    def answered(self, answer: bytes) -> None:
        """What came back for the last thing sent, for whoever traces it."""

    def recall(self, serial: DeviceSerial) -> int | None:
        """The mark that the caller has on record for a device."""

    # --- time -------------------------------------------------------------------------------------------------------

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """The process is killed and started again: the machine has forgotten everything."""
        self.machine, self.restless = self.new_machine(), self.new_machine()
        self.step(Opened(self.entropy))

    def step(self, happened: Input) -> None:
        """One input, and everything that follows from it at this moment."""
        inputs = [happened]
        while inputs:
            for output in self._both(inputs.pop(0)):
                match output:
                    case Emit(event):
                        self.told.append(event)
                        self.trace.append(event)
                        inputs.extend(self.caller(event))
                    case Send(data):
                        inputs.extend(self._wire(data))
                    case Recall(serial):
                        inputs.insert(0, Recalled(self.recall(serial)))

    def _both(self, happened: Input) -> Sequence[Output]:
        machine, restless = cast("Dialogue[object]", self.machine), cast("Dialogue[object]", self.restless)
        before, restless.rest = machine.rest, None
        outputs = machine.step(happened, self.now)
        self.rested += before is not None and machine.rest is before
        assert [*outputs] == [*restless.step(happened, self.now)], happened
        assert machine.deadline == restless.deadline
        return outputs

    def caller(self, event: CashEvent) -> list[Input]:
        """What a cash desk does about ``event`` at once."""
        if self.desk is not None:
            return self.desk(event)
        reactions: list[Input] = []
        if isinstance(event, Answered) and self.proceeds:
            reactions += [Acknowledge()] if event.presence is Presence.STACKED and self.acknowledges else []
            reactions += [Proceed()]
        held = isinstance(event, Stacked | Returned) or (isinstance(event, Rejected) and event.mark is not None)
        if held and self.acknowledges:
            reactions += [Acknowledge()]
        return reactions

    def _wire(self, data: bytes) -> list[Input]:
        request, command = self.understood(data)
        self.sent.append(Sent(self.now, request, command, data))
        self.trace.append(request)
        answer = self.from_device(self.device.receive(self.to_device(data), self.now))
        self.answered(answer)
        self.now += 0.002
        return [Received(answer)] if answer else []

    def run(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        end = self.now + seconds
        while self.now < end:
            self.pass_time(end)

    def pass_time(self, end: float) -> None:
        """Until something is due, or ``end``."""
        late = self.device.collect(self.now)
        if late:
            late = self.from_device(late)
            self.answered(late)
            self.step(Received(late))
        moments = [at for at in (self.machine.deadline, self.device.due) if at is not None]
        self.now = min(end, max(self.now + 0.001, min(moments, default=end)))
        if self.machine.deadline is not None and self.machine.deadline <= self.now:
            self.step(Tick())

    def until(self, kind: type[E], seconds: float = 90.0) -> E:
        """Run until an event of ``kind`` is told that was not told before."""
        before, end = len(self.told), self.now + seconds
        while self.now < end:
            for event in self.told[before:]:
                if isinstance(event, kind):
                    return event
            self.run(0.05)
        raise AssertionError(f"no {kind.__name__} within {seconds} s; told: {self.told[before:]}")

    def wait(self, what: str, holds: Callable[[], bool], seconds: float = 60.0) -> None:
        """Run until something is so at the device."""
        end = self.now + seconds
        self.device.advance(self.now)
        while not holds():
            assert self.now < end, f"never {what}; the device says {self.device.says}"
            self.run(0.01)
            self.device.advance(self.now)

    # --- the caller -------------------------------------------------------------------------------------------------

    def command(self, command: CashCommand) -> None:
        """Post a command."""
        self.step(Do(command))

    def ready(self) -> Ready:
        """Until a device can be enabled."""
        return self.until(Ready)

    def enabled(self) -> None:
        """Ready, and the slot open."""
        if not self.heard(Ready):
            self.ready()
        self.command(CashCommand.ENABLE)
        self.until(Completed)
        self.wait("open", lambda: self.device.accepts)

    def kind(self, face: str) -> int:
        """The note type of a value."""
        kind = self.device.type_of(parse_money(face))
        assert kind is not None
        return kind

    def insert(self, note_type: int | None = None, *, readable: bool = True) -> None:
        """A customer pushes a note in; without a type, one of 20 EUR."""
        kind = self.kind("20 EUR") if note_type is None else note_type
        self.device.insert("paper", kind, self.now, readable=readable)

    def escrowed(self, note_type: int | None = None) -> Escrowed:
        """A note lies in escrow."""
        self.enabled()
        self.insert(note_type)
        return self.until(Escrowed)

    def stacked(self, note_type: int | None = None) -> Stacked:
        """A note went all the way."""
        self.escrowed(note_type)
        self.command(CashCommand.STACK)
        return self.until(Stacked)

    def cleared(self) -> Cleared:
        """Until the device is done with everything."""
        return self.until(Cleared)

    def leave(self, decision: CashCommand | None, *, escrowed: bool = True) -> None:
        """A process that records nothing leaves a note behind: drawn in, in escrow, or decided about."""
        self.acknowledges = False
        self.enabled()
        self.insert()
        self.until(Escrowed if escrowed else Accepting)
        if decision is not None:
            self.command(decision)

    def power_cut(self, seconds: float = 1.0) -> Answered:
        """Power off and on again, and what the device then says first, before which nothing is done."""
        self.device.cut_power(self.now)
        self.run(seconds)
        self.proceeds = False
        self.device.restore_power(self.now)
        answered = self.until(Answered)
        sent = len(self.sent)
        self.run(5)
        assert len(self.sent) == sent, "nothing is done before the answer is on record"
        assert answered.identity is not None
        return answered

    def go_on(self) -> None:
        """The first answer is on record."""
        self.proceeds = True
        self.step(Proceed())

    # --- what was seen ----------------------------------------------------------------------------------------------

    def commands(self, *only: object) -> list[C]:
        """What was sent, in order; only these kinds where some are given."""
        return [sent.command for sent in self.sent if not only or sent.command in only]

    def times(self, *only: object) -> list[float]:
        """When it was sent."""
        return [sent.at for sent in self.sent if not only or sent.command in only]

    def frames(self, *only: object) -> list[bytes]:
        """As which bytes it was sent."""
        return [sent.data for sent in self.sent if not only or sent.command in only]

    def heard(self, kind: type[E]) -> list[E]:
        """All events of one kind."""
        return [event for event in self.told if isinstance(event, kind)]

    def troubles(self) -> list[Trouble]:
        """All troubles."""
        return self.heard(Trouble)

    def codes(self) -> list[str]:
        """All troubles, by their codes."""
        return [trouble.code + (" over" if trouble.over else "") for trouble in self.troubles()]

    def places(self) -> list[Place]:
        """Where every note lies."""
        return [note.place for note in self.device.vault.notes]


AnyBench = Bench[CashMachine, SimulatedCash, object, object]


@dataclass
class On:
    """Disturbs only the next frames, there or back, of a command or a request that is ``what``; ``left`` of them."""

    what: object
    bench: AnyBench
    left: int
    disturb: Disturb

    def __call__(self, data: bytes) -> bytes:
        last = self.bench.sent[-1]
        if self.left and data and self.what in (last.command, last.request):
            self.left -= 1
            return self.disturb(data)
        return data


def damaged(data: bytes) -> bytes:
    """The same frame with its checksum broken."""
    return data[:-1] + bytes((data[-1] ^ 0x55,)) if data else data


def nothing(_: bytes) -> bytes:
    """A cut wire."""
    return b""


def cut_short(data: bytes) -> bytes:
    """The end of the frame never comes."""
    return data[:4]


def say(bench: AnyBench, what: object, *frames: str) -> None:
    """Have the device answer the next requests ``what`` by these frames, in hexadecimal, whatever it would say."""
    left = list(frames)

    def change(data: bytes) -> bytes:
        if left and data and what in (bench.sent[-1].command, bench.sent[-1].request):
            return bytes.fromhex(left.pop(0))
        return data

    bench.from_device = change
