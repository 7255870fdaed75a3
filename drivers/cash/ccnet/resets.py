"""When a CCNET device may be reset, and when it must not be. Pure; times are monotonic seconds.

A silent device is not reset, though protocols/ccnet, section 3, has the host do so every ten seconds. What it says
first when it is back tells where a note is: after a power cut 10, 11 or 12, which a RESET takes away (section 7, rule
5). And silence may mean no more than that its answers are not heard: then it may hold an 81 that nobody has read, or be
another device. Nothing that was known before the silence excludes that; so it is polled, and waited for.
"""

from __future__ import annotations

from drivers.cash.ccnet.messages import State
from drivers.cash.ccnet.states import BY_HAND, HELD, IDLE, OWES_NOTHING, POWER_UP, STUCK
from drivers.cash.ccnet.timing import Timing


class Resets:
    """RESET wakes a device at power-up, and may free a stuck one. It also drives the motor into whatever sticks there,
    or into the hand that pulls at it. So a stuck device is reset a few times only, each time after a longer pause, and
    then no more until somebody has had his hands at it, it was lost, or it came to itself and fails only long after.
    A new first answer is no reason by itself: ``Proceed`` follows every one.
    """

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._sent_at: float | None = None
        self._spent = 0
        self._state: State | None = None
        self._stuck_since = 0.0
        self._well = self._owed = False

    def saw(self, state: State, now: float) -> None:
        """A poll said so."""
        self._well |= state in IDLE
        if state in STUCK and self._state not in STUCK:
            self._stuck_since = now
            # One that is well for a moment after each RESET, and then fails again, has not been freed.
            if self._well and self._rested(now) >= self._timing.resets[-1]:
                self._spent = 0
        self._state = state
        if state in BY_HAND:
            self._spent = 0
        self._owed = state in HELD or (self._owed and state not in OWES_NOTHING)

    def acknowledged(self) -> None:
        """The event that it holds is on record, and let go: a RESET can take nothing from it any more."""
        self._owed = False

    def lost(self) -> None:
        """It is gone. What comes back may be another device, but what was owed before still may be."""
        self._state, self._spent = None, 0

    def restarted(self) -> None:
        """It was switched off: it waits for RESET again."""
        self._sent_at = None

    def sent(self, now: float) -> None:
        """RESET goes out."""
        self._sent_at = now
        self._spent += self._state in STUCK
        self._well = False

    def due(self, now: float) -> bool:
        """Whether to reset it now, as it settles."""
        if self._state in POWER_UP:
            return self._rested(now) >= self._timing.power_up
        if self._state not in STUCK or self._owed or self._spent >= len(self._timing.resets):
            return False
        return min(self._rested(now), now - self._stuck_since) >= self._timing.resets[self._spent]

    def _rested(self, now: float) -> float:
        return float("inf") if self._sent_at is None else now - self._sent_at
