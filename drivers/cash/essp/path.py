"""A note's way through the device, as far as the polls of one connection have shown it. Pure."""

from __future__ import annotations

from dataclasses import replace

from drivers.api.cash import Accepting, CashEvent, Escrowed, Returned, Stacked, Stacking, Trouble
from drivers.cash.essp.events import Event, EventCode
from drivers.cash.essp.knowledge import Knowledge
from drivers.cash.essp.states import BACK_AT_RESET, KEPT, MONEY, TAKES_TIME, WAS_IN_ESCROW, Where


class Path:
    """Where the note is. ``clear_pending``: something was on the way, and that the path is empty is not yet told.
    ``reason_wanted``: a note was refused before escrow, and why must be asked; ``refusal_untold``: until then, or until
    something else happens, nobody has been told. ``looked``: HOLD was asked after the note, of which nothing was said
    any more. ``kept_since``: a note that was to be given back is in escrow still;
    ``sticks``: for so long that a person was told. ``unheld_until``: no HOLD before then: the time of escrow runs out.
    """

    def __init__(self) -> None:
        self.where = Where.NOWHERE
        self.escrow_since = 0.0
        self.clear_pending = False
        self.reason_wanted = self.refusal_untold = False
        self.looked = False
        self.kept_since: float | None = None
        self.sticks = False
        self.unheld_until = 0.0
        self._moved_at = 0.0
        self._stacking_told = False

    def go(self, where: Where, now: float) -> None:
        """The note is there now."""
        if where is Where.ESCROW is not self.where:
            self.escrow_since = now
        self.where, self._moved_at, self.looked = where, now, False
        self._stacking_told &= where is Where.STACKING
        if where is not Where.ESCROW:
            self.kept_since, self.unheld_until = None, 0.0

    def is_kept(self, now: float) -> None:
        """The device has refused to give it back, and holds it."""
        self.kept_since = now if self.kept_since is None else self.kept_since

    def kept_news(self, now: float, limit: float) -> list[Trouble]:
        """What has to be told of a note that does not go back: that it sticks, after ``limit`` seconds, and that it no
        longer does.
        """
        was_told, self.sticks = self.sticks, self.kept_since is not None and now - self.kept_since >= limit
        return [] if was_told is self.sticks else [replace(KEPT, over=was_told)]

    def on_its_way(self, now: float, fate: float) -> bool:
        """Whether it moves still: one that is on its way may be silent for a moment; then it has arrived."""
        return self.where in TAKES_TIME and now - self._moved_at < fate

    def hear(self, event: Event, payload: bytes, known: Knowledge, now: float) -> list[CashEvent]:
        """What is to be told of one event of a poll that was answered with ``payload``."""
        match event.code:
            case EventCode.READ:
                return self._drawn_in(event, payload, known, now)
            case EventCode.STACKING if self.where is not Where.DECIDED:
                self.clear_pending = True
                self.go(Where.STACKING, now)
                was_told, self._stacking_told = self._stacking_told, True
                return [] if was_told else [Stacking()]
            case _ if event.code in MONEY:
                self._decided(now)
                return [Stacked(event.channel or None, known.values.get(event.channel), payload)]
            case EventCode.REJECTING:
                self.go(Where.RETURNING if self.where in WAS_IN_ESCROW else Where.REJECTING, now)
            case EventCode.REJECTED if self.where not in WAS_IN_ESCROW:
                self._decided(now)
                self.reason_wanted = self.refusal_untold = True
            case _ if event.code in BACK_AT_RESET or event.code is EventCode.REJECTED:
                self._decided(now)
                return [Returned(payload)]
            case _:
                pass
        return []

    def _decided(self, now: float) -> None:
        self.clear_pending = True
        self.go(Where.DECIDED, now)

    def _drawn_in(self, event: Event, payload: bytes, known: Knowledge, now: float) -> list[CashEvent]:
        if self.where is Where.STACKING:
            self._moved_at = now  # Of a note that is to be stacked, it says nothing new.
            return []
        told: list[CashEvent] = [] if self.where is Where.SCANNED else [Accepting()]
        self.clear_pending = True
        self.go(Where.ESCROW if event.channel else Where.SCANNED, now)
        if event.channel:
            told.append(Escrowed(event.channel, known.values.get(event.channel), payload, known.table_hash))
        return told
