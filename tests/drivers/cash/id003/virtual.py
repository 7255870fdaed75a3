"""ID-003 on the bench: its validator, its machine, and the states that it says."""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.api.cash import CashCommand
from drivers.cash.id003.framing import Deframer, Frame, frame
from drivers.cash.id003.machine import Machine
from drivers.cash.id003.messages import Command, Request, State, decode_request, encode_note_table, encode_request
from drivers.cash.id003.simulator_device import Firmware, Validator
from drivers.cash.id003.timing import Timing
from drivers.simulation.mechanism import Box
from drivers.simulation.notes import Vault
from guichet.money import parse_money
from tests.drivers.cash import bench as common

FIVE, TEN, TWENTY, UNKNOWN_TYPE = 0x62, 0x63, 0x64, 0x61
TABLE = encode_note_table({FIVE: parse_money("5 EUR"), TEN: parse_money("10 EUR"), TWENTY: parse_money("20 EUR")})
SERIAL = "SIM000000001"


def device(
    vault: Vault | None = None, *, serial: str = SERIAL, pace: float = 0.3, firmware: Firmware | None = None
) -> Validator:
    """A validator with three kinds of notes."""
    return Validator(vault or Vault(None), TABLE, serial, pace, firmware=firmware)


@dataclass
class Bench(common.Bench[Machine, Validator, Request, Command]):
    """``polled``: every state that a poll was answered with, in order; in ``trace`` too."""

    polled: list[State] = field(init=False, default_factory=list[State])

    def new_machine(self) -> Machine:
        return Machine(Timing())

    def understood(self, data: bytes) -> tuple[Request, Command]:
        request = decode_request(data[2:-2])
        return request, request.command

    def answered(self, answer: bytes) -> None:
        for found in Deframer().feed(answer):
            if self.sent[-1].command is Command.STATUS and isinstance(found, Frame) and found.payload[0] in set(State):
                self.polled.append(State(found.payload[0]))
                self.trace.append(self.polled[-1])

    def until_state(self, state: State) -> None:
        """Run until the device is in ``state``."""
        self.wait(state.name, lambda: self.device.state is state)

    @property
    def last_sent(self) -> Command:
        """What was asked last."""
        return self.sent[-1].command

    def requests(self) -> list[str]:
        """What was sent, in order, as hex without polls."""
        return [encode_request(sent.request).hex(" ") for sent in self.sent if sent.command is not Command.STATUS]


def bench(firmware: Firmware | None = None) -> Bench:
    """A new process and a new device."""
    return Bench(device(firmware=firmware))


_DECIDED = {
    State.STACKING: CashCommand.STACK, State.VEND_VALID: CashCommand.STACK, State.RETURNING: CashCommand.RETURN,
}  # fmt: skip


def old_life(state: State) -> Bench:
    """A device in ``state`` with a note in it, whose process recorded nothing and dies now."""
    old = bench()
    old.leave(_DECIDED.get(state), escrowed=state is not State.ACCEPTING)
    if state is State.HOLDING:
        old.device.receive(frame(b"\x44"), old.now)
    old.until_state(state)
    return old


def run_into(data: bytes) -> bytes:
    """Its first byte is lost in noise."""
    return b"\x55\xfc" + data[1:]


def invalid(_: bytes) -> bytes:
    """INVALID COMMAND in the place of the answer."""
    return frame(b"\x4b")


def communication_error(_: bytes) -> bytes:
    """COMMUNICATION ERROR in the place of the answer."""
    return frame(b"\x4a")


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


def say(b: Bench, *frames: str) -> None:
    """Have the next polls answered by these frames."""
    common.say(b, Command.STATUS, *frames)
