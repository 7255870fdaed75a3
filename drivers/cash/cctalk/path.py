"""The note that came into a ccTalk validator's escrow and has not been said to leave it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.cash.cctalk.recall import Escrow


@dataclass(slots=True)
class Path:
    """``note``: its type. ``escrow``: what the device said last when it was asked. ``left_at``: since when it is known
    not to be in escrow any more.
    """

    note: int | None = None
    escrow: Escrow = Escrow.NOT_ASKED
    left_at: float | None = None

    def comes(self, note_type: int) -> None:
        """A note lies in escrow."""
        self.note, self.escrow, self.left_at = note_type, Escrow.HELD, None

    def leaves(self, now: float, escrow: Escrow = Escrow.EMPTY) -> None:
        """It is not in escrow any more, or nobody can say: its event must come."""
        self.escrow = escrow
        if self.left_at is None:
            self.left_at = now

    def is_clear(self) -> None:
        """There is none, or nobody waits for it any more."""
        self.note, self.escrow, self.left_at = None, Escrow.NOT_ASKED, None

    @property
    def in_reach(self) -> bool:
        """A note is there, and may still be in escrow."""
        return self.note is not None and self.escrow is not Escrow.EMPTY

    def is_overdue(self, now: float, seconds: float) -> bool:
        """The event of a note that has left escrow has not come for so long."""
        return self.left_at is not None and self.escrow is not Escrow.HELD and now >= self.left_at + seconds
