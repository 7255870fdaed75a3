"""What a recording says that a cash protocol's machine was given, given to a machine again. Pure.

A machine is a function of what goes into it, so a recording with every input and its time is a test: the same bytes
must come out. The inputs are ``opened 00FF..`` (the connection's entropy), ``tick``, ``bytes`` (what was received since
the step before), ``recalled 12`` or ``recalled none``, ``proceed``, ``acknowledge``, and the commands by their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.api.cash import CashCommand, CashEvent
from drivers.cash.steps import (
    Acknowledge,
    CashMachine,
    Do,
    Emit,
    Input,
    Opened,
    Proceed,
    Recalled,
    Received,
    Send,
    Tick,
)
from drivers.transport.recording import BadRecording, Diverged, Mark, NotPlayable, Recording

BYTES, TICK = "bytes", "tick"
_WORDS: Mapping[str, Input] = {
    TICK: Tick(),
    "proceed": Proceed(),
    "acknowledge": Acknowledge(),
    **{command.value: Do(command) for command in CashCommand},
}


def step_text(happened: Input) -> str:
    """What a recording says of an input."""
    match happened:
        case Opened(entropy):
            return f"opened {entropy.hex()}"
        case Received():
            return BYTES
        case Recalled(mark):
            return f"recalled {'none' if mark is None else mark}"
        case Do(command):
            return command.value
        case _:
            return next(word for word, known in _WORDS.items() if known == happened)


def input_of(text: str, received: bytes) -> Input:
    """The input that ``text`` says; ``received``: bytes since the step before. Raises
    :class:`drivers.transport.recording.BadRecording`.
    """
    word, _, rest = text.partition(" ")
    try:
        match word:
            case "bytes":
                return Received(received)
            case "opened":
                return Opened(bytes.fromhex(rest))
            case "recalled":
                return Recalled(None if rest == "none" else int(rest))
            case _:
                return _WORDS[word]
    except (KeyError, ValueError):
        raise BadRecording(f"no step: {text[:40]!r}") from None


@dataclass(frozen=True, slots=True)
class Replayed:
    """So many steps and bytes, all as they were recorded, and the events that came of them, with their times."""

    steps: int
    sent: int
    events: tuple[tuple[float, CashEvent], ...]


def replay(machine: CashMachine, recording: Recording) -> Replayed:
    """Give ``machine``, a new one, every input of ``recording``. Raises
    :class:`drivers.transport.recording.Diverged` where it sends other bytes than were sent then,
    :class:`drivers.transport.recording.NotPlayable` where the recording is not whole or has no steps, and
    :class:`drivers.transport.recording.BadRecording` for a bad step.
    """
    steps = _steps_of(recording)
    sent = 0
    events: list[tuple[float, CashEvent]] = []
    for step in steps:
        outputs = machine.step(step.happened, step.at)
        events += [(step.at, output.event) for output in outputs if isinstance(output, Emit)]
        now = b"".join(output.data for output in outputs if isinstance(output, Send))
        if now != step.sent and not (step is steps[-1] and now.startswith(step.sent)):
            raise Diverged(f"moment {step.number}: recorded {_hex(step.sent)}, now {_hex(now)}")
        sent += len(now)
    return Replayed(len(steps), sent, tuple(events))


@dataclass(slots=True)
class _Step:
    """An input, and what was sent for it. ``number``: of its moment, from 1."""

    number: int
    at: float
    happened: Input
    sent: bytes = b""


def _steps_of(recording: Recording) -> Sequence[_Step]:
    """The last one may have sent less than it meant to: the line may have gone in the middle."""
    if not recording.whole:
        raise NotPlayable("the recording is not whole: something is missing or withheld")
    steps: list[_Step] = []
    received = b""
    for number, moment in enumerate(recording.moments, start=1):
        match moment.mark:
            case Mark.RECEIVED:
                received += moment.data
            case Mark.STEP:
                steps.append(_Step(number, moment.at, input_of(moment.text, received)))
                received = b"" if moment.text == BYTES else received
            case Mark.SENT if steps:
                steps[-1].sent += moment.data
            case _:
                pass
    if not steps or not isinstance(steps[0].happened, Opened):
        raise NotPlayable("no steps from the opening of the line on: its driver tells none, or they were cut off")
    return steps


def _hex(data: bytes) -> str:
    return f"> {data.hex(' ').upper()}" if data else "nothing"
