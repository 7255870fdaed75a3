"""What all machines here have in common: the host asks, one question at a time; the device only ever answers. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from drivers.api.cash import CashCommand, CashEvent, Completed, Refusal, Shut
from drivers.cash.connection import Phase, is_too_early
from drivers.cash.exchange import Exchange
from drivers.cash.rest import Rest
from drivers.cash.steps import Acknowledge, Do, Emit, Input, Opened, Output, Proceed, Recalled, Received, Tick

Question = TypeVar("Question")

_SLOT = (CashCommand.ENABLE, CashCommand.DISABLE)


class Dialogue(ABC, Generic[Question]):
    """One connection to one device, as far as it is the same for every protocol: the entrance, the clock, the rest.
    Feed it with :meth:`step`; it never blocks and never reads a clock.

    ``phase``: where in its life the connection is. ``rest``: what follows as long as nothing happens; None: look.
    """

    def __init__(self, line: Exchange[Question]) -> None:
        self.phase = Phase.KNOCKING
        self.rest: Rest[Question] | None = None
        self._line = line
        self._out: list[Output] = []
        self._told_shut = False

    def step(self, happened: Input, now: float) -> Sequence[Output]:
        """What follows from ``happened`` at ``now`` (monotonic seconds)."""
        if self.rest is not None:
            if (follows := self.rest.goes_on(happened, self._line, now)) is not None:
                return follows
            ended, self.rest = self.rest, None
            self._rested(ended)
        self._out = []
        self._line.begin(now)
        match happened:
            case Received(data):
                self._receive(data, now)
            case Tick():
                self._tick(now)
            case Proceed():
                self._proceed(now)
            case Acknowledge():
                self._acknowledge(now)
            case Do(command) if is_too_early(command, self.phase):
                self._emit(Completed(command, Refusal.NOT_READY))
            case Do(command):
                self._told_shut &= command not in _SLOT
                self._post(happened, now)
            case Recalled(mark):
                self._recalled(mark, now)
            case Opened(entropy):
                self._opened(entropy)
        return self._out

    @property
    def deadline(self) -> float | None:
        """When :class:`Tick` is due; None: only something from outside can move it."""
        return self._line.deadline

    def _tick(self, now: float) -> None:
        if self._line.asked is not None and self._line.overdue(now):
            self._unanswered(self._line.asked, now)
        if self._line.may_ask(now):
            self._send_next(now)

    def _emit(self, event: CashEvent) -> None:
        self._out.append(Emit(event))

    def _tell_shut(self) -> None:
        """The device has said that its slot is shut and that nothing is in the path, and no command waits."""
        if not self._told_shut:
            self._told_shut = True
            self._emit(Shut())

    # --- what a protocol adds ---------------------------------------------------------------------------------------

    @abstractmethod
    def _receive(self, data: bytes, now: float) -> None:
        """Bytes came."""

    @abstractmethod
    def _unanswered(self, asked: Question, now: float) -> None:
        """``asked`` has no answer and its time is over: what it did is not known."""

    @abstractmethod
    def _send_next(self, now: float) -> None:
        """Ask what is next, or say on the line when there will be something."""

    @abstractmethod
    def _proceed(self, now: float) -> None:
        """The first answer is on record."""

    @abstractmethod
    def _acknowledge(self, now: float) -> None:
        """The event that the device holds is on record."""

    @abstractmethod
    def _post(self, order: Do, now: float) -> None:
        """A command, which is not about a note that nobody can know of yet."""

    def _opened(self, entropy: bytes) -> None:
        """The line is open. ``entropy``: 64 random bytes of this connection."""

    def _recalled(self, mark: int | None, now: float) -> None:
        """The mark that was last stored for the device, where the machine has asked for it."""

    def _rested(self, ended: Rest[Question]) -> None:
        """A rest has just ended, of which the machine knows nothing but what it and the line show."""
