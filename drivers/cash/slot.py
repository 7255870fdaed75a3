"""What the caller has ordered of the slot, and whether the device keeps to it, whatever it speaks. Pure; times are
monotonic seconds.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

from drivers.api.cash import CashCommand, Completed, Trouble, TroubleKind

SHUTS_ITSELF = Trouble(TroubleKind.FAILURE, "shuts-itself")
"""The slot does not stay open, however often it is opened."""

_TIMES = 3
_SECONDS = 60.0
_OPENING_SECONDS = 2.0


class Found(Enum):
    """What it means that the slot is shut, at rest. OPENING: an ENABLE has just been done. TOO_OFTEN: for the fourth
    time in a minute.
    """

    AS_ORDERED = auto()
    OPENING = auto()
    BY_ITSELF = auto()
    TOO_OFTEN = auto()


class Slot:
    """``wanted``: an ENABLE was the last order, and it was done: the caller believes that the slot is open.
    ``given_up``: it has shut by itself too often, and stays shut for a minute.
    """

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_TIMES)
        self._given_up_at = 0.0
        self.forget()

    def forget(self) -> None:
        """The device begins anew, or is gone: it is ordered anew, too."""
        self.given_up = False
        self._ordered(wanted=False)

    def _ordered(self, *, wanted: bool) -> None:
        self.wanted, self._was_open = wanted, False
        self._shut_since: float | None = None

    def posted(self, command: CashCommand) -> None:
        """The caller posts a command."""
        self.wanted &= command is not CashCommand.DISABLE

    def completed(self, completion: Completed) -> None:
        """One of the caller's commands is done, or is not."""
        if completion.command in (CashCommand.ENABLE, CashCommand.DISABLE):
            self._ordered(wanted=completion == Completed(CashCommand.ENABLE))

    def saw_open(self) -> None:
        """A poll said that it is."""
        self._was_open = True

    def found_shut(self, now: float) -> Found:
        """The device says that its slot is shut, and nothing waits or moves."""
        if not self.wanted:
            return Found.AS_ORDERED
        self._shut_since = now if self._shut_since is None else self._shut_since
        # A poll that crosses an ENABLE may still say that it is shut.
        if not self._was_open and now - self._shut_since < _OPENING_SECONDS:
            return Found.OPENING
        self._ordered(wanted=True)
        if len(self._times) == _TIMES and now - self._times[0] < _SECONDS:
            return Found.TOO_OFTEN
        self._times.append(now)
        return Found.BY_ITSELF

    def give_up(self, now: float) -> None:
        """It is not opened any more for a while."""
        self._times.clear()
        self._ordered(wanted=False)
        self.given_up, self._given_up_at = True, now

    def recovers(self, now: float) -> bool:
        """Whether one that was given up may be tried again from now on."""
        self.given_up &= now - self._given_up_at < _SECONDS
        return not self.given_up
