"""When a device may be reset, and when it must not be. Pure; times are monotonic seconds."""

from __future__ import annotations

from drivers.cash.id003.messages import State, Status
from drivers.cash.id003.states import POWER_UP, STUCK
from drivers.cash.id003.timing import Timing

_REVIVALS = 3


class Resets:
    """RESET wakes a device at power-up, and may free a stuck one; a VEND VALID that nobody acknowledged dies of it."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._sent_at: float | None = None
        self._since = 0.0
        self._state: State | None = None
        self._quiet_since_ack = False
        self._revivals = 0

    def heard(self) -> None:
        """The device is alive."""
        self._quiet_since_ack, self._revivals = False, 0

    def saw(self, state: State, now: float) -> None:
        """A poll said so."""
        if state is not self._state:
            self._state, self._since = state, now

    def acknowledged(self) -> None:
        """A VEND VALID was acknowledged: it is on record, so from here on nothing that the device holds can be lost."""
        self._quiet_since_ack = True

    def lost(self) -> None:
        """The device is silent. A unit that was acknowledged too late has been seen to be so until it was reset."""
        self._revivals = _REVIVALS if self._quiet_since_ack else 0
        self._state = None

    def restarted(self) -> None:
        """The device was switched off: it waits for RESET again."""
        self._sent_at = None

    def sent(self, now: float) -> None:
        """RESET goes out."""
        self._sent_at = now
        self._revivals -= self._revivals > 0

    def lasts(self, now: float) -> float:
        """For how long the device has been in its state."""
        return now - self._since

    def stays_cheated(self, now: float) -> bool:
        """Whether an attempt to cheat does not pass by itself."""
        return self._state is State.CHEATED and self.lasts(now) >= self._timing.reset_again

    def due_in_silence(self, now: float) -> bool:
        """Whether to reset a device that has said nothing since its last VEND VALID was acknowledged."""
        return self._revivals > 0 and self._rested(now) >= self._timing.reset_again

    def due(self, status: Status | None, now: float, *, owed: bool) -> bool:
        """Whether to reset one that settles. ``owed``: it holds a VEND VALID that was not acknowledged."""
        if status is None or owed:
            return False
        if status.state in POWER_UP:
            return self._rested(now) >= self._timing.power_up
        stuck = status.state in STUCK or self.stays_cheated(now)
        return stuck and self._rested(now) >= self._timing.reset_again

    def _rested(self, now: float) -> float:
        return float("inf") if self._sent_at is None else now - self._sent_at
