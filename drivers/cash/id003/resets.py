"""When a device may be reset, and when it must not be. Pure; times are monotonic seconds."""

from __future__ import annotations

from drivers.cash.id003.messages import State, Status
from drivers.cash.id003.states import BY_HAND, IDLE, POWER_UP, STUCK
from drivers.cash.id003.timing import Timing

_REVIVALS = 3
_NEEDS_RESET = STUCK | {State.CHEATED}


class Resets:
    """RESET wakes a device at power-up, and may free a stuck one; a VEND VALID that nobody acknowledged dies of it.

    It also drives the motor into whatever sticks there, or into the hand that pulls at it. So a stuck device is reset a
    few times only, each time after a longer pause, and then no more until somebody has had his hands at it, it was
    lost, or it came to itself and fails only long after. A new first answer is no reason by itself: ``Proceed``
    follows every one.
    """

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._sent_at: float | None = None
        self._spent = 0
        self._state: State | None = None
        self._since = self._stuck_since = 0.0
        self._well = self._quiet_since_ack = False
        self._revivals = 0

    def heard(self) -> None:
        """The device is alive."""
        self._quiet_since_ack, self._revivals = False, 0

    def saw(self, state: State, now: float) -> None:
        """A poll said so."""
        if state is self._state:
            return
        self._well |= state in IDLE
        # One that is well for a moment after each RESET, and then fails again, has not been freed.
        freed = self._well and self._rested(now) >= self._timing.resets[-1]
        if state in BY_HAND or (state in _NEEDS_RESET and freed):
            self._spent = 0
        if state in STUCK and self._state not in STUCK:
            self._stuck_since = now
        self._state, self._since = state, now

    def acknowledged(self) -> None:
        """A VEND VALID was acknowledged: it is on record, so from here on nothing that the device holds can be lost."""
        self._quiet_since_ack = True

    def lost(self) -> None:
        """The device is silent. A unit that was acknowledged too late has been seen to be so until it was reset."""
        self._revivals = _REVIVALS if self._quiet_since_ack else 0
        self._state, self._spent = None, 0

    def restarted(self) -> None:
        """The device was switched off: it waits for RESET again."""
        self._sent_at = None

    def sent(self, now: float) -> None:
        """RESET goes out."""
        self._sent_at = now
        self._spent += self._state in _NEEDS_RESET
        self._well = False
        self._revivals -= self._revivals > 0

    def stays_cheated(self, now: float) -> bool:
        """Whether an attempt to cheat does not pass by itself."""
        return self._state is State.CHEATED and now - self._since >= self._timing.cheated

    def due_in_silence(self, now: float) -> bool:
        """Whether to reset a device that has said nothing since its last VEND VALID was acknowledged."""
        return self._revivals > 0 and self._rested(now) >= self._timing.revive

    def due(self, status: Status | None, now: float, *, owed: bool) -> bool:
        """Whether to reset one that settles. ``owed``: it holds a VEND VALID that was not acknowledged."""
        if status is None or owed:
            return False
        if status.state in POWER_UP:
            return self._rested(now) >= self._timing.power_up
        if self._spent >= len(self._timing.resets):
            return False
        pause = self._timing.resets[self._spent]
        stuck = now - self._stuck_since >= pause if status.state in STUCK else self.stays_cheated(now)
        return stuck and self._rested(now) >= pause

    def _rested(self, now: float) -> float:
        return float("inf") if self._sent_at is None else now - self._sent_at
