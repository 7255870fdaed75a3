"""The caller's commands on an ID-003 line: what is sent for them, and what an answer or a state makes of them. Pure."""

from __future__ import annotations

from collections.abc import Callable

from drivers.api.cash import CashCommand, Completed, Refusal
from drivers.cash.id003.messages import Acknowledged, Answer, Command, Invalid, Request, Setting, State
from drivers.cash.id003.states import ALL_DENOMINATIONS, IN_ESCROW, OPEN, PASSING, SHUT
from drivers.cash.orders import MOVES_NOTE, Orders
from drivers.cash.steps import Do

MOVES = frozenset({Command.STACK_2, Command.RETURN})
SLOT = frozenset({Command.SET_DENOMINATIONS, Command.SET_INHIBIT})
"""Settings that open and shut the slot. Asking twice does no harm: they say which notes may come, and move none."""

_TRIES = 3


class Commands:
    """The first one is on its way until its answer, or the device's state, says what became of it."""

    def __init__(self, tell: Callable[[Completed], None]) -> None:
        self._orders = Orders(tell)
        self._tries = 0
        self._denominations_set = False
        self._polled_since = True
        self._refused: Refusal | None = None

    def __bool__(self) -> bool:
        return bool(self._orders)

    def post(self, order: Do) -> None:
        """Add one."""
        self._orders.post(order)

    def insist(self, order: Do) -> None:
        """Put one before all others."""
        self._orders.insist(order)

    def fail_all(self, refusal: Refusal) -> None:
        """The device is gone, or begins anew."""
        self._tries, self._denominations_set = 0, False
        self._orders.fail_all(refusal)

    # --- sending ----------------------------------------------------------------------------------------------------

    @property
    def next_may_go(self) -> bool:
        """Whether there is one whose time has come. After one that moves a note, and after one that came to nothing, a
        poll comes before another.
        """
        return self._polled_since and self._orders.first is not None and not self._orders.unconfirmed

    def next(self, state: State | None, *, ready: bool) -> Request | None:
        """What to send for the first one; None: it was refused, because of ``state`` or because the device is not
        ``ready`` to take notes.
        """
        order = self._orders.first
        if order is None:
            return None
        if order.command in MOVES_NOTE and state not in IN_ESCROW:
            self._complete(Refusal.NO_NOTE_IN_ESCROW)
            return None
        if order.command is CashCommand.ENABLE and not ready:
            self._complete(Refusal.NOT_READY)
            return None
        self._polled_since = self._polled_since and order.command not in MOVES_NOTE
        return self._request(order.command)

    def _request(self, command: CashCommand) -> Request:
        match command:
            case CashCommand.STACK:
                # STACK-2: VEND VALID then says that the note lies in the box, not that it has passed a lever.
                return Request(Command.STACK_2)
            case CashCommand.RETURN:
                return Request(Command.RETURN)
            case CashCommand.ENABLE:
                # C0 alone opens nothing: the inhibit is on after every RESET.
                return OPEN if self._denominations_set else ALL_DENOMINATIONS
            case CashCommand.DISABLE:
                return SHUT

    def look_first(self) -> None:
        """Something was not answered: what the last poll said is old."""
        self._polled_since = False

    # --- what became of it ------------------------------------------------------------------------------------------

    def unanswered(self, sent: Request) -> None:
        """``sent``, of :data:`MOVES` or :data:`SLOT`, had no answer that can be understood."""
        if sent.command in MOVES:
            self._orders.unconfirmed, self._refused = True, None
        else:
            self._try_again(Refusal.NO_ANSWER)

    def answered(self, sent: Request, answer: Answer) -> None:
        """``sent``, of :data:`MOVES` or :data:`SLOT`, had ``answer``. A setting is accepted by its echo."""
        done = isinstance(answer, Acknowledged) or answer == Setting(sent.command, sent.data)
        self._polled_since = self._polled_since and done
        if sent.command in MOVES and not done:
            # The note has left escrow, or the command arrived damaged: the state says which.
            self._orders.unconfirmed = True
            self._refused = Refusal.REFUSED if isinstance(answer, Invalid) else None
        elif done and sent.command is Command.SET_DENOMINATIONS:
            self._denominations_set = True
        elif done:
            self._complete()
        elif isinstance(answer, Invalid):
            self._complete(Refusal.REFUSED)
        else:
            self._try_again(Refusal.REFUSED)

    def polled(self, state: State) -> None:
        """A poll was answered: it tells what became of a STACK or RETURN whose answer was lost or was a no."""
        self._polled_since = True
        if self._orders.unconfirmed and state not in PASSING:
            self._complete(Refusal.NOT_DONE if state in IN_ESCROW else self._refused)

    def _try_again(self, at_last: Refusal) -> None:
        self._tries += 1
        if self._tries >= _TRIES:
            self._complete(at_last)

    def _complete(self, refused: Refusal | None = None) -> None:
        self._tries, self._denominations_set = 0, False
        self._orders.complete(refused)
