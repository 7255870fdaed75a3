"""The note that came into a ccTalk validator's escrow and has not been said to leave it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.cash.cctalk.recall import Escrow


@dataclass(slots=True)
class Path:
    """``note``: its type. ``escrow``: what the device said last when it was asked. ``left_at``: since when it is known
    not to be in escrow any more. ``kept_at``: since when it is left alone, because it was to be given back and was not.
    """

    note: int | None = None
    escrow: Escrow = Escrow.NOT_ASKED
    left_at: float | None = None
    kept_at: float | None = None

    def comes(self, note_type: int) -> None:
        """A note lies in escrow."""
        self.note, self.escrow, self.left_at, self.kept_at = note_type, Escrow.HELD, None, None

    def leaves(self, now: float, escrow: Escrow = Escrow.EMPTY) -> None:
        """It is not in escrow any more, or nobody can say: its event must come."""
        self.escrow, self.kept_at = escrow, None
        if self.left_at is None:
            self.left_at = now

    def is_kept(self, now: float) -> None:
        """The device does not give it back, or has not done so. When its own time of escrow is over it will, unless it
        is asked again whether it still holds it: that starts the time anew (sheet section 6).
        """
        if self.kept_at is None:
            self.kept_at = now

    def is_clear(self) -> None:
        """There is none, or nobody waits for it any more."""
        self.note, self.escrow, self.left_at, self.kept_at = None, Escrow.NOT_ASKED, None, None

    @property
    def in_reach(self) -> bool:
        """A note is there, and may still be in escrow."""
        return self.note is not None and self.escrow is not Escrow.EMPTY

    def is_overdue(self, now: float, seconds: float) -> bool:
        """The event of a note that has left escrow, or of one that is left alone there, has not come for so long."""
        since = self.kept_at if self.escrow is Escrow.HELD else self.left_at
        return since is not None and now >= since + seconds
