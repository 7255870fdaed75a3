"""A cash protocol's whole machine, with a caller who asks for anything at any time and a device that says anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from drivers.api.cash import CashCommand, Completed, Returned, Stacked
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
from tests.fuzz.decoder import Broken, Tape, must
from tests.fuzz.sizes import held

PROCEED, ACKNOWLEDGE, AGAIN = b"\x0a", b"\x0b", b"\x0f"
ENABLE, DISABLE, STACK, RETURN = b"\x0c", b"\x1c", b"\x2c", b"\x3c"
"""What happens, as the bytes of an input have it."""

_COMMANDS = tuple(CashCommand)
_ENTROPY = bytes(range(64))
_TIMES_AGAIN = 64
_MOST_TICKS = 40
_MOST_QUESTIONS = 200
_MOST_OUTPUTS = 200
_MOST_SENT = 8
_MOST_HELD = 6 * 1024


class Wants(Enum):
    """What the machine waits for."""

    NOTHING = auto()
    ANSWER = auto()
    NEWS = auto()


class Peer(Protocol):
    """The device's end of the line: makes good frames of whatever the input has it say."""

    @property
    def wants(self) -> Wants:
        """What was asked and not answered yet: how the device is, or something else."""
        ...

    def hear(self, data: bytes) -> CashCommand | Acknowledge | None:
        """What the machine sent; raises where that is no request of the protocol. Gives the caller's command, where it
        is known to move a note; or that it acknowledges what the device has just said.
        """
        ...

    def wrap(self, payload: bytes) -> bytes:
        """A frame that the machine must take for whole, with any payload."""
        ...

    def likely(self, choice: int) -> bytes:
        """A frame with one of the answers that devices give to what was asked last."""
        ...


@dataclass(slots=True)
class Rig:
    """Machine and peer. ``asked``: commands of the caller without their completion yet; ``may_move``: those that move a
    note and were not sent yet; ``told``: the kinds of events so far.
    """

    machine: CashMachine
    peer: Peer
    mark: int | None
    now: float = 100.0
    asked: int = 0
    may_move: list[CashCommand] = field(default_factory=list[CashCommand])
    told: set[type] = field(default_factory=set[type])
    _acknowledged: bool = False

    def step(self, happened: Input) -> None:
        """One input, and the ticks that are due after it."""
        self._put(happened)
        for _ in range(_MOST_TICKS):
            deadline = self.machine.deadline
            if deadline is None or deadline > self.now:
                return
            self._put(Tick())
        raise Broken("it is due again and again at the same moment")

    def _put(self, happened: Input) -> None:
        out = self.machine.step(happened, self.now)
        must(len(out) <= _MOST_OUTPUTS, "it says too much at once")
        must(sum(isinstance(output, Send) for output in out) <= _MOST_SENT, "it sends too much at once")
        self._acknowledged = False
        for output in out:
            self._carry_out(output)
        told = any(isinstance(output, Emit) and isinstance(output.event, Stacked | Returned) for output in out)
        must(not (told and self._acknowledged), "an event is let go as it is told, and nobody has it on record")

    def _carry_out(self, output: Output) -> None:
        match output:
            case Send(data):
                self._sent(self.peer.hear(data))
            case Recall():
                self._put(Recalled(self.mark))
            case Emit(event):
                self.told.add(type(event))
                self.asked -= isinstance(event, Completed)
                must(self.asked >= 0, "a command that nobody gave is completed")

    def _sent(self, heard: CashCommand | Acknowledge | None) -> None:
        self._acknowledged |= isinstance(heard, Acknowledge)
        if isinstance(heard, CashCommand):
            must(heard in self.may_move, "a note is moved that nobody wanted to move")
            self.may_move.remove(heard)

    def wait(self) -> None:
        """Until its deadline."""
        deadline = self.machine.deadline
        if deadline is not None:
            self.now = max(self.now, deadline)
            self.step(Tick())

    def order(self, command: CashCommand) -> None:
        """The caller's."""
        self.asked += 1
        self.may_move.append(command)
        self.step(Do(command))


Make = Callable[[int], tuple[CashMachine, Peer]]


def story(make: Make, option: int, happenings: Sequence[int | bytes]) -> bytes:
    """An input that reaches deep: the device's news one after the other, by their number, with the first of the likely
    answers to every question between them; and things that happen as their bytes have it.
    """
    tape = bytearray((option, 0))
    rig = _begin(make, option, 0)

    def goes_on(what: bytes) -> None:
        tape.extend(what)
        _happens(rig, Tape(what), b"")

    for each in happenings:
        for _ in range(_MOST_QUESTIONS if isinstance(each, int) or each == PROCEED else 0):
            wants = rig.peer.wants
            if wants is Wants.NEWS or (wants is Wants.NOTHING and rig.machine.deadline is None):
                break
            goes_on(b"\x03\x00" if wants is Wants.ANSWER else b"\x07")
        goes_on(bytes((3, each)) if isinstance(each, int) else each)
    return bytes(tape)


def play(make: Make, data: bytes) -> Rig:
    """The first byte chooses the machine's options, the second the mark on record; then one thing after the other
    happens.
    """
    tape = Tape(data)
    rig = _begin(make, tape.byte(), tape.byte())
    last = b""
    while tape.more:
        last = _happens(rig, tape, last)
    return rig


def endure(rig: Rig, times: int) -> None:
    """Whatever the device may say, it says it for so many ``times``: the machine keeps nothing of it."""
    for choice in range(256):
        data = rig.peer.likely(choice)
        for _ in range(times):
            rig.step(Received(data))
        rig.wait()
        must(held(rig.machine) <= _MOST_HELD, "it keeps more and more")


def _begin(make: Make, option: int, mark: int) -> Rig:
    machine, peer = make(option)
    rig = Rig(machine, peer, None if mark == 0xFF else mark)
    rig.step(Opened(_ENTROPY))
    return rig


def _happens(rig: Rig, tape: Tape, last: bytes) -> bytes:
    """What the next byte says. Gives the bytes that came last."""
    what = tape.byte()
    match what & 0x0F:
        case 0:
            last = tape.take(tape.byte())
            rig.step(Received(last))
        case 1 | 2:
            last = rig.peer.wrap(tape.take(tape.byte() % 64))
            rig.step(Received(last))
        case 3 | 4 | 5 | 6:
            last = rig.peer.likely(tape.byte())
            rig.step(Received(last))
        case 7 | 8 | 9:
            rig.wait()
        case 10:
            rig.step(Proceed())
        case 11:
            rig.step(Acknowledge())
        case 12:
            rig.order(_COMMANDS[what >> 4 & 3])
        case 13:
            rig.now += tape.byte() / 8
            rig.step(Tick())
        case 14:
            rig.step(Received(last[: tape.byte()]))
        case _:
            _storm(rig, last)
    return last


def _storm(rig: Rig, last: bytes) -> None:
    """The same again and again: nothing grows by it."""
    for _ in range(_TIMES_AGAIN):
        rig.step(Received(last))
    must(held(rig.machine) <= _MOST_HELD, "it keeps more and more")
