"""How long things may take on a ccTalk bus."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. ``poll``: between reads of the events, unless the device asks for another pace and ``poll_is_fixed`` is
    false. ``answer``: how long an answer may take. ``late``: how long it may take where the line has brought one later
    than that. ``drain``: how long the line is left to an answer that did not come in time, so that nobody talks into
    it. ``quiet``: between two exchanges. ``lost``: silence after which the device counts as gone. ``hold``: between
    restarts of the time of escrow, which is 30 s or more. ``look_over``: between checks that the device has not begun
    anew and is well; ``check``: between checks while it is not. ``event``: how long the event of a note that has left
    escrow may take; one that the device could not move after all is given back when the time of escrow is over.

    ``patient``: the longest pause before a device is asked again that answers, but nothing of use; less than ``lost``,
    so that no pause is taken for silence. ``anew``: before one that was lost, and is so again before it has said what
    it holds, is asked who it is.
    """

    poll: float = 0.2
    poll_is_fixed: bool = False
    answer: float = 0.3
    late: float = 1.2
    drain: float = 0.2
    quiet: float = 0.02
    lost: float = 5.0
    hold: float = 5.0
    look_over: float = 2.0
    check: float = 1.0
    event: float = 45.0
    patient: float = 3.0
    anew: float = 10.0

    def pause(self, times: int) -> float:
        """Before a device is asked again, the ``times``-th time in a row that it is made to wait: each twice as long as
        the one before it.
        """
        return min(self.poll * 2.0 ** min(times - 1, 16), self.patient)
