"""SSP on the bench: its validator, of which a test sees what it carries out, and its machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drivers.api.cash import CashCommand
from drivers.cash.essp.events import Event, EventCode
from drivers.cash.essp.machine import Machine
from drivers.cash.essp.messages import Answer, Command, Polled, Request
from drivers.cash.essp.notetable import encode_setup
from drivers.cash.essp.simulator_device import Says, Validator
from drivers.cash.essp.timing import Timing
from drivers.simulation.notes import Vault
from guichet.money import parse_money
from tests.drivers.cash import bench as common

FIVE, TEN, TWENTY, UNKNOWN_TYPE = 1, 2, 3, 4
TABLE = encode_setup({FIVE: parse_money("5 EUR"), TEN: parse_money("10 EUR"), TWENTY: parse_money("20 EUR")})
SERIAL = "1873452"
GREETING = [
    Command.SYNC, Command.HOLD, Command.PROTOCOL, Command.SERIAL, Command.FIRMWARE, Command.SETUP,
    Command.SET_GENERATOR, Command.SET_MODULUS, Command.KEY_EXCHANGE,
]  # fmt: skip


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

    @property
    def reject_code(self) -> int:
        """What it would say if it were asked why it gave the last note back."""
        return self._reject_code

    def _carry_out(self, request: Request) -> Answer | None:
        self.done.append((self._now, request.command))
        answer = self.instead(request, super()._carry_out(request))
        if isinstance(answer, Polled):
            self.said += [event.code for event in answer.events]
        return answer


def device(vault: Vault | None = None, *, serial: str = SERIAL, pace: float = 0.3) -> Witnessed:
    """A validator with three kinds of notes."""
    return Witnessed(vault or Vault(None), serial, pace)


@dataclass
class Bench(common.Bench[Machine, Witnessed, Request, Command]):
    """In ``trace`` there are the caller's commands, too."""

    def new_machine(self) -> Machine:
        return Machine(Timing())

    def understood(self, data: bytes) -> tuple[Request, Command]:
        """From the machine itself: on the wire it may be sealed."""
        asked = self.machine.asked
        assert asked is not None
        return asked, asked.command

    def command(self, command: CashCommand) -> None:
        self.trace.append(command)
        super().command(command)

    def until_doing(self, doing: Says) -> None:
        """Run until the device is at it."""
        self.wait(doing.name, lambda: self.device.doing is doing)

    def done(self, *only: Command) -> list[Command]:
        """What the device carried out, in order."""
        return [command for _, command in self.device.done if not only or command in only]


def bench() -> Bench:
    """A new process and a new device."""
    return Bench(device())


_DECIDED = {
    Says.STACKING: CashCommand.STACK, Says.WAITING: CashCommand.STACK, Says.REJECTING: CashCommand.RETURN,
}  # fmt: skip


def old_life(doing: Says) -> Bench:
    """A device that is at it, with a note in it, whose process recorded nothing and dies now."""
    old = bench()
    old.leave(_DECIDED.get(doing), escrowed=doing is not Says.SCANNING)
    old.until_doing(doing)
    return old


def quiet_device() -> Bench:
    """A living device at rest, and a new process."""
    old = bench()
    old.ready()
    return Bench(old.device, now=old.now, proceeds=False)


def run_into(data: bytes) -> bytes:
    """Its first byte is lost in noise."""
    return b"\x55" + data[1:]


def events(*codes: EventCode | tuple[EventCode, int]) -> tuple[Event, ...]:
    """Records of a poll: a code, or a code with its channel."""
    return tuple(Event(c[0], bytes((c[1],))) if isinstance(c, tuple) else Event(c) for c in codes)


def polled(*codes: EventCode | tuple[EventCode, int], rest: bytes = b"") -> Polled:
    """The answer to a poll."""
    return Polled(events(*codes), rest)


def say(b: Bench, *first: Answer, to: Command = Command.POLL_WITH_ACK) -> None:
    """Have the device answer so, once each, whatever it does."""
    left = list(first)

    def instead(request: Request, answer: Answer | None) -> Answer | None:
        return left.pop(0) if left and request.command is to else answer

    b.device.instead = instead
