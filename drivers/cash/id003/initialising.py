"""The power-recovery option, which is set first in every INITIALIZE. Pure.

With it, a note that was past the point of no return at a power cut is told by VEND VALID while the device initialises;
without, it is stacked in silence. Whether the option outlives a power cut is nowhere said, and neither is when exactly
it takes effect: so it is sent as early as it is accepted, each time. (protocols/id003, 8.3.)
"""

from __future__ import annotations

from drivers.cash.id003.messages import State

_TRIES = 3


class PowerRecovery:
    """Whether the option must be sent now."""

    def __init__(self) -> None:
        self._initialising = False
        self._wanted = True
        self._failed = 0
        self._waits_for_poll = True

    def polled(self, state: State) -> None:
        """The device is in ``state``. Where it did not initialise before our eyes, the option is sent at rest."""
        self._waits_for_poll = False
        if state is State.INITIALIZE and not self._initialising:
            self._initialising = self._wanted = True
            self._failed = 0
        elif state not in (State.INITIALIZE, State.VEND_VALID):
            self._initialising = False

    def begin_anew(self) -> None:
        """The device may have lost what it was told."""
        self._wanted, self._failed = True, 0

    def due(self, *, at_rest: bool) -> bool:
        """Whether to send it now. ``at_rest``: the device stands still, to be read: a firmware that refuses the option
        there is not asked for ever.
        """
        if not self._wanted or self._waits_for_poll:
            return False
        return self._initialising or (at_rest and self._failed < _TRIES)

    def answered(self, *, accepted: bool) -> None:
        """It was accepted; or it was not, and is sent again after the next poll."""
        self._wanted, self._waits_for_poll = not accepted, True
        self._failed += not accepted
