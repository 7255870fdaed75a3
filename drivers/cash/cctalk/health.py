"""What is wrong with a ccTalk device, as its events and its self-checks say it. Pure."""

from __future__ import annotations

from dataclasses import replace

from drivers.api.cash import Trouble, TroubleKind
from drivers.cash.cctalk.events import fault_trouble

_RETURN_LEVER, _STRING = 1, 2


class Health:
    """Troubles that stand until a self-check finds nothing any more. ``check_at``: when to look next; ``well``: the
    last check found nothing.
    """

    def __init__(self) -> None:
        self.check_at = 0.0
        self.well = False
        self._standing: list[Trouble] = []
        self._relieved = False
        self._status = 0

    def begins(self, trouble: Trouble) -> list[Trouble]:
        """A trouble was reported. Gives what to tell: nothing for one that stands already."""
        if not trouble.kind.stops_acceptance:
            return [trouble]
        self.well, self._relieved = False, False
        if any(standing.kind is trouble.kind for standing in self._standing):
            return []
        self._standing.append(trouble)
        return [trouble]

    def may_be_well(self) -> None:
        """An event says that something is over: look at once; a device without self-check is believed."""
        self.check_at, self._relieved = 0.0, True

    def checked(self, fault: int | None) -> list[Trouble]:
        """A self-check's result; None: the device has no self-check. Gives what to tell."""
        if fault:
            return self.begins(fault_trouble(fault))
        if fault is None and self._standing and not self._relieved:
            return []
        over = [replace(trouble, over=True) for trouble in self._standing]
        self._standing, self.well = [], True
        return over

    def status(self, code: int | None) -> list[Trouble]:
        """A coin acceptor's status: the return lever, a coin on a string. Gives what to tell when it has changed."""
        before, self._status = self._status, code or 0
        told: list[Trouble] = []
        if before != self._status and before == _RETURN_LEVER:
            told.append(Trouble(TroubleKind.PAUSE, "return-lever", over=True))
        if before != self._status and self._status == _RETURN_LEVER:
            told.append(Trouble(TroubleKind.PAUSE, "return-lever"))
        if before != self._status and self._status == _STRING:
            told.append(Trouble(TroubleKind.CHEATED, "string"))
        return told
