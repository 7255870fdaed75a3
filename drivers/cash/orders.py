"""The caller's commands on their way to the device: each ends in exactly one completion. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from drivers.api.cash import CashCommand, Completed, Refusal
from drivers.cash.steps import Do

MOVES_NOTE = frozenset({CashCommand.STACK, CashCommand.RETURN})
"""Commands that are never sent again blindly: when their answer is lost, the state is read."""

_MOST = 16


class Orders:
    """A queue whose first command stays in it until its answer, or the device's state, says what became of it.

    ``unconfirmed``: a command that moves a note was sent and not answered; a poll says what it did.
    """

    def __init__(self, tell: Callable[[Completed], None]) -> None:
        self._tell = tell
        self._waiting: deque[Do] = deque()
        self.unconfirmed = False

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def first(self) -> Do | None:
        """The one whose turn it is."""
        return self._waiting[0] if self._waiting else None

    def post(self, order: Do) -> None:
        """Add one. More than anybody can want at once are refused, so that nothing grows."""
        if len(self._waiting) >= _MOST:
            self._end(order, Refusal.NOT_READY)
        else:
            self._waiting.append(order)

    def insist(self, order: Do) -> None:
        """Put one before all others."""
        self._waiting.appendleft(order)

    def complete(self, refused: Refusal | None = None) -> None:
        """The first one is done, or will not be. So are those right behind it that want the slot to be the same."""
        self.unconfirmed = False
        if not self._waiting:
            return
        done = self._waiting.popleft()
        self._end(done, refused)
        while self._waiting and self._waiting[0].command is done.command and done.command not in MOVES_NOTE:
            self._end(self._waiting.popleft(), refused)

    def fail_all(self, refusal: Refusal) -> None:
        """None of them will be done any more."""
        while self._waiting:
            self.complete(refusal)
        self.unconfirmed = False

    def _end(self, order: Do, refused: Refusal | None) -> None:
        if not order.own:
            self._tell(Completed(order.command, refused))
