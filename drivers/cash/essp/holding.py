"""Events that the device holds until they are acknowledged, and whether it may be told to let them go. Pure.

One acknowledgement is for all that the last poll told: it is due when the caller has every one of them on record, and
never for a poll that could not be read to its end.
"""

from __future__ import annotations

from collections.abc import Collection

from drivers.cash.essp.events import Event, EventCode
from drivers.cash.essp.states import MONEY


class Holding:
    """What the last poll told. ``due``: the acknowledgement goes out next."""

    def __init__(self) -> None:
        self.due = False
        self._unrecorded = 0
        self._whole = False

    @property
    def money(self) -> bool:
        """Whether events with money in them are not yet on record."""
        return self._unrecorded > 0

    def polled(self, events: Collection[Event], *, whole: bool) -> None:
        """A poll told ``events``; ``whole``: and nothing else."""
        self._unrecorded = sum(event.code in MONEY for event in events)
        self._whole = whole
        self.due = False

    def recorded(self) -> bool:
        """The caller has one more of them on record. Gives whether the acknowledgement has become due."""
        self._unrecorded -= 1 if self._unrecorded else 0
        if self._unrecorded or not self._whole:
            return False
        self._whole, self.due = False, True
        return True

    def let_fraud_go(self, events: Collection[Event]) -> None:
        """An attempt to cheat is no money and nobody records it as such, but it is held and holds the device up."""
        if not self._unrecorded and self._whole and any(event.code is EventCode.FRAUD for event in events):
            self.due = True
