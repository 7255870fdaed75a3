"""Machine and simulated device joined in memory, in virtual time: no loop, no wire, every byte counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from drivers.api.cash import (
    Answered,
    CashCommand,
    CashEvent,
    Cleared,
    Completed,
    Escrowed,
    Presence,
    Ready,
    Returned,
    Stacked,
    Trouble,
)
from drivers.cash.essp.events import Event, EventCode
from drivers.cash.essp.machine import Machine
from drivers.cash.essp.messages import Answer, Command, Polled, Request
from drivers.cash.essp.notetable import encode_setup
from drivers.cash.essp.simulator_device import Says, Validator
from drivers.cash.essp.timing import Timing
from drivers.cash.steps import Acknowledge, Do, Emit, Input, Opened, Proceed, Received, Send, Tick
from drivers.simulation.notes import Place, Vault
from guichet.money import parse_money

E = TypeVar("E")
FIVE, TEN, TWENTY, UNKNOWN_TYPE = 1, 2, 3, 4
TABLE = encode_setup({FIVE: parse_money("5 EUR"), TEN: parse_money("10 EUR"), TWENTY: parse_money("20 EUR")})
SERIAL = "1873452"
ENTROPY = bytes(range(64))


class Witnessed(Validator):
    """A validator of which a test sees what it carries out, and can have it answer something else."""

    def __init__(self, vault: Vault, serial: str, pace: float) -> None:
        self.done: list[tuple[float, Command]] = []
        self.said: list[EventCode] = []
        self.instead: Callable[[Request, Answer | None], Answer | None] = lambda _, answer: answer
        super().__init__(vault, TABLE, serial, pace)

    @property
    def waiting(self) -> list[Event]:
        """Events that it holds until they are acknowledged."""
        return list(self._held)

    def _carry_out(self, request: Request) -> Answer | None:
        self.done.append((self._now, request.command))
        answer = self.instead(request, super()._carry_out(request))
        if isinstance(answer, Polled):
            self.said += [event.code for event in answer.events]
        return answer


def device(vault: Vault | None = None, *, serial: str = SERIAL, pace: float = 0.3) -> Witnessed:
    """A validator with three kinds of notes."""
    return Witnessed(vault or Vault(None), serial, pace)


def new_machine() -> Machine:
    """A new process."""
    machine = Machine(Timing())
    machine.step(Opened(ENTROPY), 0.0)
    return machine


@dataclass(slots=True)
class Bench:
    """``sent`` is what the machine put on the line, repeats too, ``told`` what it told, both in order.

    ``proceeds`` and ``acknowledges``: whether the caller does so by itself, as a cash desk does that can record.
    """

    device: Witnessed
    machine: Machine = field(default_factory=new_machine)
    now: float = 100.0
    proceeds: bool = True
    acknowledges: bool = True
    sent: list[tuple[float, Command, bytes]] = field(default_factory=list[tuple[float, Command, bytes]])
    told: list[CashEvent] = field(default_factory=list[CashEvent])
    to_device: Callable[[bytes], bytes] = bytes
    from_device: Callable[[bytes], bytes] = bytes
    trace: list[Command | CashEvent | CashCommand] = field(default_factory=list[Command | CashEvent | CashCommand])

    # --- time -------------------------------------------------------------------------------------------------------

    def step(self, happened: Input) -> None:
        """One input, and everything that follows from it at this moment."""
        inputs = [happened]
        while inputs:
            for output in self.machine.step(inputs.pop(0), self.now):
                if isinstance(output, Emit):
                    self.told.append(output.event)
                    self.trace.append(output.event)
                    inputs.extend(self._caller(output.event))
                elif isinstance(output, Send):
                    inputs.extend(self._wire(output.data))

    def _caller(self, event: CashEvent) -> list[Input]:
        reactions: list[Input] = []
        if isinstance(event, Answered) and self.proceeds:
            reactions += [Acknowledge()] if event.presence is Presence.STACKED and self.acknowledges else []
            reactions += [Proceed()]
        if isinstance(event, Stacked | Returned) and self.acknowledges:
            reactions += [Acknowledge()]
        return reactions

    def _wire(self, data: bytes) -> list[Input]:
        asked = self.machine.asked
        assert asked is not None
        self.sent.append((self.now, asked.command, data))
        self.trace.append(asked.command)
        answer = self.from_device(self.device.receive(self.to_device(data), self.now))
        self.now += 0.002
        return [Received(answer)] if answer else []

    def run(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        end = self.now + seconds
        while self.now < end:
            deadline = self.machine.deadline
            self.now = end if deadline is None else min(end, max(self.now + 0.001, deadline))
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

    def until_doing(self, doing: Says, seconds: float = 60.0) -> None:
        """Run until the device is at it."""
        end = self.now + seconds
        self.device.advance(self.now)
        while self.device.doing is not doing:
            assert self.now < end, f"never {doing.name}; the device is {self.device.doing.name}"
            self.run(0.01)
            self.device.advance(self.now)

    # --- shorthands -------------------------------------------------------------------------------------------------

    def command(self, command: CashCommand) -> None:
        """Post a command."""
        self.trace.append(command)
        self.step(Do(command))

    def ready(self) -> Ready:
        """From the very first tick to a device that can be enabled."""
        return self.until(Ready)

    def enabled(self) -> None:
        """Ready, and the slot open."""
        if not any(isinstance(event, Ready) for event in self.told):
            self.ready()
        self.command(CashCommand.ENABLE)
        self.until(Completed)
        self.until_doing(Says.IDLING)

    def escrowed(self, note_type: int = TWENTY) -> Escrowed:
        """A note lies in escrow."""
        self.enabled()
        self.device.insert("paper", note_type, self.now)
        return self.until(Escrowed)

    def commands(self, *only: Command) -> list[Command]:
        """What was put on the line, in order; only these kinds where some are given."""
        return [command for _, command, _ in self.sent if not only or command in only]

    def done(self, *only: Command) -> list[Command]:
        """What the device carried out, in order."""
        return [command for _, command in self.device.done if not only or command in only]

    def heard(self, kind: type[E]) -> list[E]:
        """All events of one kind."""
        return [event for event in self.told if isinstance(event, kind)]

    def troubles(self) -> list[Trouble]:
        """All troubles."""
        return self.heard(Trouble)

    def places(self) -> list[Place]:
        """Where every note lies."""
        return [note.place for note in self.device.vault.notes]

    def cleared(self) -> Cleared:
        """Until the device is done with everything."""
        return self.until(Cleared)


def damaged(data: bytes) -> bytes:
    """The same frame with its CRC broken."""
    return data[:-1] + bytes((data[-1] ^ 0x55,)) if data else data


def nothing(_: bytes) -> bytes:
    """A cut wire."""
    return b""


def events(*codes: EventCode | tuple[EventCode, int]) -> tuple[Event, ...]:
    """Records of a poll: a code, or a code with its channel."""
    return tuple(Event(c[0], bytes((c[1],))) if isinstance(c, tuple) else Event(c) for c in codes)
