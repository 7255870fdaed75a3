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
    Ready,
    Returned,
    Stacked,
    Trouble,
)
from drivers.cash.ccnet.framing import Deframer, Frame, frame
from drivers.cash.ccnet.machine import Machine
from drivers.cash.ccnet.messages import Command, State, decode_request, encode_note_table
from drivers.cash.ccnet.simulator_device import Validator
from drivers.cash.ccnet.timing import Timing
from drivers.cash.steps import Acknowledge, Do, Emit, Input, Proceed, Received, Send, Tick
from drivers.simulation.mechanism import Box
from drivers.simulation.notes import Place, Vault
from guichet.money import parse_money

E = TypeVar("E")
FIVE, TEN, TWENTY, UNKNOWN_TYPE = 2, 3, 4, 5
TABLE = encode_note_table({FIVE: parse_money("5 EUR"), TEN: parse_money("10 EUR"), TWENTY: parse_money("20 EUR")})
SERIAL = "SIM000000001"


def device(vault: Vault | None = None, *, serial: str = SERIAL, pace: float = 0.3) -> Validator:
    """A validator with three kinds of notes."""
    return Validator(vault or Vault(None), TABLE, serial, pace)


@dataclass(slots=True)
class Bench:
    """``sent`` is what the machine asked, ``told`` what it told, both in order and with their times.

    ``proceeds`` and ``acknowledges``: whether the caller does so by itself, as a cash desk does that can record.
    """

    device: Validator
    machine: Machine = field(default_factory=lambda: Machine(Timing()))
    now: float = 100.0
    proceeds: bool = True
    acknowledges: bool = True
    sent: list[tuple[float, Command]] = field(default_factory=list[tuple[float, Command]])
    told: list[CashEvent] = field(default_factory=list[CashEvent])
    to_device: Callable[[bytes], bytes] = bytes
    from_device: Callable[[bytes], bytes] = bytes
    polled: list[State] = field(default_factory=list[State])
    trace: list[tuple[str, object]] = field(default_factory=list[tuple[str, object]])

    # --- time -------------------------------------------------------------------------------------------------------

    def step(self, happened: Input) -> None:
        """One input, and everything that follows from it at this moment."""
        inputs = [happened]
        while inputs:
            for output in self.machine.step(inputs.pop(0), self.now):
                if isinstance(output, Emit):
                    self.told.append(output.event)
                    self.trace.append(("told", output.event))
                    inputs.extend(self._caller(output.event))
                elif isinstance(output, Send):
                    inputs.extend(self._wire(output.data))

    def _caller(self, event: CashEvent) -> list[Input]:
        reactions: list[Input] = []
        if isinstance(event, Answered) and self.proceeds:
            reactions += [Acknowledge()] if event.presence.name == "STACKED" and self.acknowledges else []
            reactions += [Proceed()]
        if isinstance(event, Stacked | Returned) and self.acknowledges:
            reactions += [Acknowledge()]
        return reactions

    def _wire(self, data: bytes) -> list[Input]:
        command = decode_request(data[3:-2]).command
        self.sent.append((self.now, command))
        self.trace.append(("sent", command))
        answer = self.from_device(self.device.receive(self.to_device(data), self.now))
        for found in Deframer().feed(answer):
            if command is Command.POLL and isinstance(found, Frame) and found.payload[0] in set(State):
                self.polled.append(State(found.payload[0]))
                self.trace.append(("poll", self.polled[-1]))
        self.now += 0.002
        return [Received(answer)] if answer else []

    def run(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        end = self.now + seconds
        while self.now < end:
            deadline = self.machine.deadline
            self.now = end if deadline is None else min(end, max(self.now + 0.001, deadline))
            self.step(Tick())

    def until(self, kind: type[E], seconds: float = 60.0) -> E:
        """Run until an event of ``kind`` is told that was not told before."""
        before, end = len(self.told), self.now + seconds
        while self.now < end:
            for event in self.told[before:]:
                if isinstance(event, kind):
                    return event
            self.run(0.05)
        raise AssertionError(f"no {kind.__name__} within {seconds} s; told: {self.told[before:]}")

    def until_state(self, state: State, seconds: float = 60.0) -> None:
        """Run until the device is in ``state``."""
        end = self.now + seconds
        self.device.advance(self.now)
        while self.device.state is not state:
            assert self.now < end, f"never {state.name}; the device is {self.device.state.name}"
            self.run(0.01)
            self.device.advance(self.now)

    # --- shorthands -------------------------------------------------------------------------------------------------

    def command(self, command: CashCommand) -> None:
        """Post a command."""
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
        self.until_state(State.IDLING)

    def escrowed(self, note_type: int = TWENTY) -> Escrowed:
        """A note lies in escrow."""
        self.enabled()
        self.device.insert("paper", note_type, self.now)
        return self.until(Escrowed)

    def commands(self, *only: Command) -> list[Command]:
        """What was sent, in order; only these kinds where some are given."""
        return [command for _, command in self.sent if not only or command in only]

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


def answer(*payload: int) -> bytes:
    """A device's frame."""
    return frame(bytes(payload))


def trouble(validator: Validator, state: State, now: float) -> None:
    """Let the device come into ``state`` as it does in life, or say so where nothing in life leads there by itself."""
    validator.advance(now)
    match state:
        case State.BOX_FULL:
            validator.change_box(Box.FULL, now)
        case State.BOX_REMOVED:
            validator.change_box(Box.OUT, now)
        case State.CHEATED:
            validator.metal.cheat(now)
        case State.FAILURE:
            validator.failed = True
        case _:
            validator.show(state)
