"""What the caller has been told of the note that is inside, and what that makes of the device's next words. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.api.cash import Accepting, CashEvent, Escrowed, Presence, Rejected, Returned, Stacked, Stacking
from drivers.cash.id003.framing import Frame
from drivers.cash.id003.knowledge import Knowledge
from drivers.cash.id003.messages import REJECT_REASONS, State, Status
from drivers.cash.id003.states import GOING_BACK, IDLE, IN_ESCROW, LEAVES_ESCROW_ALONE, PASSING, POWER_UP, presence_of

# A VEND VALID that is not on record has been let go, or died with the power.
_OWES_NOTHING = IDLE | POWER_UP | {State.ACCEPTING}
# A note that was seen on its way back goes on being so.
_LEAVES_ITS_WAY_ALONE = GOING_BACK | PASSING | {State.BOX_FULL, State.BOX_REMOVED}


class NoteWatch:
    """One note at a time, from its first sign to an empty path.

    ID-003 has no event for a note that went back: one that was seen on its way there, and then an empty path, is that.
    """

    def __init__(self) -> None:
        self.clear_pending = False
        self.owed = False
        self._announced: Status | None = None
        self._known = False
        self._going_back = b""

    def reported(self, status: Status) -> None:
        """A device that came back was reported to be in ``status``."""
        presence, owed = presence_of(status.state), self.owed and status.state not in _OWES_NOTHING
        self.__init__()
        self._announced = status if status.state in IN_ESCROW else None
        self._known = presence in (Presence.IN_ESCROW, Presence.MOVING) and status.state is not State.ACCEPTING
        self.owed = owed or status.state is State.VEND_VALID

    def came_back(self) -> Iterator[CashEvent]:
        """The device begins anew, or is gone. A note that was on its way to the customer did not change its mind; and
        whether it holds a VEND VALID still, it says when it is back.
        """
        if self._going_back:
            yield Returned(self._going_back)
        owed = self.owed
        self.__init__()
        self.owed = owed

    def follow(self, status: Status, found: Frame, known: Knowledge, *, changed: bool) -> Iterator[CashEvent]:
        """What ``status`` tells of the note. VEND VALID is told at each poll until it is acknowledged."""
        state = status.state
        if state in GOING_BACK and self._known:
            self._going_back = found.raw
        elif state in IDLE or state is State.ACCEPTING:
            if self._going_back:
                yield Returned(self._going_back)
            self._known, self._going_back, self.owed = False, b"", False
        elif state not in _LEAVES_ITS_WAY_ALONE:
            self._going_back = b""
        if state not in LEAVES_ESCROW_ALONE:
            self._announced = None
        if state is State.VEND_VALID:
            self._known, self.clear_pending, self.owed = False, True, True
            yield Stacked(None, None, found.raw)
        elif changed:
            yield from self._moved(status, found, known)

    def _moved(self, status: Status, found: Frame, known: Knowledge) -> Iterator[CashEvent]:
        match status.state:
            case State.ACCEPTING:
                self.clear_pending = True
                yield Accepting()
            case State.ESCROW if self._announced != status:
                self._announced = status
                self._known = self.clear_pending = True
                note_type = status.data[0]
                yield Escrowed(note_type, known.values.get(note_type), found.raw, known.table_hash)
            case State.STACKING:
                yield Stacking()
            case State.REJECTING if not self._known:
                self.clear_pending = True
                yield Rejected(REJECT_REASONS.get(status.detail or 0, f"reason-{status.detail or 0:02x}"))
            case _:
                pass
