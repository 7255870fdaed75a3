"""STACK and RETURN on their way: what became of one is read from a poll's answer or from HOLD's. Pure."""

from __future__ import annotations

from collections.abc import Callable

from drivers.api.cash import Completed, Refusal
from drivers.cash.essp.events import EventCode
from drivers.cash.essp.messages import Polled
from drivers.cash.orders import Orders

_WENT_BACK = frozenset({EventCode.REJECTING, EventCode.REJECTED})


class Moves(Orders):
    """The commands that move a note. ``stacking``: the first one is a STACK, and its poll has been sent."""

    def __init__(self, tell: Callable[[Completed], None]) -> None:
        super().__init__(tell)
        self.stacking = False

    @property
    def returning(self) -> bool:
        """Whether what is not confirmed is a RETURN: the device has refused it."""
        return self.unconfirmed and not self.stacking

    def fail_all(self, refusal: Refusal) -> None:
        """None of them will be done any more."""
        self.stacking = False
        super().fail_all(refusal)

    def polled(self, answer: Polled | None) -> None:
        """The poll that was a STACK has been answered; one that cannot be read to its end leaves open what it did."""
        if not self.stacking:
            return
        if answer is None or answer.rest:
            self.unconfirmed = True
            return
        self.stacking = False
        back = any(event.code in _WENT_BACK for event in answer.events)
        self.complete(Refusal.NO_NOTE_IN_ESCROW if back else None)

    def held(self, *, in_escrow: bool | None) -> None:
        """HOLD says whether the note is in escrow still; None: it says neither."""
        if not self.unconfirmed:
            return
        was_stack, self.stacking = self.stacking, False
        if in_escrow is None:
            self.complete(Refusal.NO_ANSWER)
        elif in_escrow:
            self.complete(Refusal.NOT_DONE)
        else:
            self.complete(None if was_stack else Refusal.NO_NOTE_IN_ESCROW)
