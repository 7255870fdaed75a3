"""What a ccTalk machine sends, when, and what an answer does to it; what is told of it is the machine's part. Pure.

A request goes out for one of five errands: reading the events, which comes first whenever a note is about to be moved;
a question; a look into escrow; a command of the caller; and, before any of them after an answer that did not come, the
proof that none is under way. (Sheet sections 2, 3, 6 and 7.)
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from drivers.api.cash import CashCommand, Lost, Refusal, Stacking, Trouble, TroubleKind
from drivers.cash.cctalk.events import UNKNOWN_NOTE
from drivers.cash.cctalk.framing import Checksum
from drivers.cash.cctalk.health import Health
from drivers.cash.cctalk.knowledge import INDISPENSABLE, Knowledge, Standing
from drivers.cash.cctalk.messages import (
    Acknowledged,
    Answer,
    Busy,
    Code,
    EventBuffer,
    Header,
    NotAcknowledged,
    NotRouted,
    Request,
    Route,
    route,
    set_master,
)
from drivers.cash.cctalk.path import Path
from drivers.cash.cctalk.reader import Reader
from drivers.cash.cctalk.recall import Escrow
from drivers.cash.cctalk.roles import Role
from drivers.cash.cctalk.timing import Timing
from drivers.cash.cctalk.under_way import Kind
from drivers.cash.cctalk.values import CoinUnit
from drivers.cash.cctalk.wire import Errand, Garbled, Heard, Wire
from drivers.cash.connection import NOT_IDENTIFIED, Phase
from drivers.cash.dialogue import Dialogue
from drivers.cash.orders import MOVES_NOTE, Orders
from drivers.cash.steps import Do, Send

_TRIES = 3

_USELESS = "useless"
"""The code of :class:`drivers.api.cash.Lost` where the device says something, and nothing that is of any use."""


class Asking(Dialogue[Request]):
    """One connection's questions, commands and looks, one at a time."""

    def __init__(
        self,
        role: Role,
        timing: Timing,
        checksum: Checksum = Checksum.SIMPLE,
        *,
        echo: bool = False,
        unit: CoinUnit = CoinUnit.MINOR,
    ) -> None:
        self._wire = Wire(role.address, checksum, timing, echo=echo)
        super().__init__(self._wire.exchange)
        self.role = role
        self.timing = timing
        self.known = Knowledge(role, unit)
        self._events = Reader(role)
        self._orders = Orders(self._emit)
        self._usual: dict[Request, bytes] = {}  # The frame that answered each question last.
        self._unreadable = False
        self._unidentified: Trouble | None = None
        self._lost_is_told = False
        self._useless = 0  # Answers that were of no use, since the last that was.
        self._slot_open = False
        self._open_when_lost: bool | None = None  # What another connection, or process, had left open, nobody knows.
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Nothing that was known of the device holds any more; only whether it was taking what came is remembered."""
        self._open_when_lost = self._slot_open or self._open_when_lost
        self.phase = Phase.KNOCKING
        self.known.forget()
        self._wire.begin_anew()
        self._orders.fail_all(Refusal.LOST)
        self._events.forget()
        self._health, self._path = Health(), Path()
        self._holding = False
        self._poll_at = self._look_at = 0.0
        self._fresh = False  # Nothing has been sent or wished since the events were read.
        self._look_inside = False
        self._look_again_at = 0.0
        self._looks = self._tries = 0
        self._ask_at, self._pauses = 0.0, 0
        self._slot_wanted = self._slot_open = False
        self._clear_pending = self._said_no = False

    # --- what is told ------------------------------------------------------------------------------------------------

    @abstractmethod
    def _read(self, buffer: EventBuffer, raw: bytes, now: float) -> None:
        """The events were read."""

    @abstractmethod
    def _place(self, now: float) -> None:
        """Report where the note is, or find out."""

    @abstractmethod
    def _questions_may_be_done(self, now: float) -> None:
        """A question was answered, or given up."""

    def _post(self, order: Do, now: float) -> None:
        if order.command in MOVES_NOTE:
            self._fresh = False
        else:
            self._slot_wanted = order.command is CashCommand.ENABLE
        self._orders.post(order)
        self._line.hurry(now + self.timing.quiet)

    # --- time -------------------------------------------------------------------------------------------------------

    def _unanswered(self, asked: Request, now: float) -> None:
        """Silence, noise, or a collision: what a command did is then read from the device, not assumed."""
        self._wire.missed(asked, now)
        self._failed(asked, now)
        self._look_at = now  # A device that was silent may have begun anew.
        self._may_be_lost(now)
        if self._wire.babble:
            self._pause(now)

    def _may_be_lost(self, now: float) -> None:
        """Nothing of use was heard again. One that was lost, and has said who it is but not what it holds, is not lost
        twice: only its events bring it back.
        """
        if not self._line.falls_silent(now):
            return
        self._begin_anew()
        if self._lost_is_told:
            self._ask_at = now + self.timing.anew
        else:
            self._lost_is_told = True
            self._emit(Lost(_USELESS if self._useless else "silent"))

    def _failed(self, request: Request, now: float) -> None:
        match self._wire.errand:
            case Errand.EVENTS:
                self._poll_at = now
            case Errand.QUESTION:
                self._stands(self.known.failed(request), _no_answer(request), now)
                self._questions_may_be_done(now)
            case Errand.LOOK:
                self._looks += 1
                self._fresh, self._look_again_at = False, now + self.timing.poll
                if self._looks >= _TRIES:
                    self._looked(Escrow.UNSAID, now)
            case Errand.ORDER if request.header is Header.ROUTE:
                self._orders.unconfirmed = True
            case Errand.ORDER:
                self._tries += 1  # Asking twice does no harm: it opens or shuts the slot, and moves nothing.
                if self._tries >= _TRIES:
                    self._complete(Refusal.NO_ANSWER)
            case Errand.PROOF:
                pass

    def _stands(self, standing: Standing, trouble: Trouble, now: float) -> None:
        """Once a person has been told why there is no going on, it is asked ever more seldom."""
        if standing is Standing.TOO_OFTEN:
            self._pauses += 1
            self._ask_at = now + self.timing.pause(self._pauses)
            if self._unidentified is None:
                self._unidentified = trouble
                self._emit(trouble)
        elif self._unidentified is not None and not self.known.asking:
            self._emit(replace(self._unidentified, over=True))
            self._unidentified, self._pauses = None, 0

    # --- sending ----------------------------------------------------------------------------------------------------

    def _send_next(self, now: float) -> None:
        """What is most urgent. Between two reads that are only due, one other thing that waits has its turn."""
        if (proof := self._wire.proof) is not None:
            self._prove(proof, now)
        elif self.phase is Phase.KNOCKING and self.known.asking:
            if now >= self._ask_at:
                self._ask(Errand.QUESTION, self.known.next(), now)
            else:
                self._line.next_at = self._ask_at
        elif self._must_read_first(now) or (now >= self._poll_at and self._wire.errand is not Errand.EVENTS):
            self._ask(Errand.EVENTS, Request(self.role.events), now)
        elif self._look_is_due(now):
            self._ask(Errand.LOOK, route(Route.HOLD), now)
        elif self._orders and not self._orders.unconfirmed and self.phase in (Phase.SETTLING, Phase.RUNNING):
            self._do(now)
        elif self.known.asking and self.phase is not Phase.REPORTED and now >= self._ask_at:
            self._ask(Errand.QUESTION, self.known.next(), now)
        elif now >= self._poll_at:
            self._ask(Errand.EVENTS, Request(self.role.events), now)
        else:
            self._line.next_at = self._poll_at

    def _prove(self, by: Kind, now: float) -> None:
        """Ask what shows that no answer to another question is under way. It moves nothing, and every device has it."""
        if by is Kind.EMPTY:
            self._ask(Errand.PROOF, Request(Header.SIMPLE_POLL), now)
        else:
            self._ask(Errand.EVENTS, Request(self.role.events), now)

    def _must_read_first(self, now: float) -> bool:
        """The events come before whatever moves a note, or says where one is after that."""
        order = self._orders.first
        moves = order is not None and order.command in MOVES_NOTE and self.phase in (Phase.SETTLING, Phase.RUNNING)
        return not self._fresh and (moves or self._orders.unconfirmed) and now >= self._look_again_at

    def _look_is_due(self, now: float) -> bool:
        if not self.role.capabilities.escrow:
            return False
        if self._orders.unconfirmed or (self._look_inside and self.phase is not Phase.REPORTED):
            return now >= self._look_again_at
        waits = self._path.note is not None and self._path.escrow is Escrow.HELD and not self._orders
        waits = waits and self._path.kept_at is None
        return waits and now >= self._look_at and self.phase is not Phase.KNOCKING

    def _ask(self, errand: Errand, request: Request, now: float) -> None:
        self._out.append(Send(self._wire.ask(errand, request, now)))

    def _do(self, now: float) -> None:
        """Send the first command; it stays first until its answer, or the events, say what became of it."""
        order = self._orders.first
        if order is None:
            return
        moves, enables = order.command in MOVES_NOTE, order.command is CashCommand.ENABLE
        if moves and (not self._path.in_reach or self._events.speaks_of_a_note):
            self._refuse(Refusal.NO_NOTE_IN_ESCROW, now)
        elif moves:
            self._fresh = False
            where = Route.STACK if order.command is CashCommand.STACK else Route.RETURN
            self._ask(Errand.ORDER, route(where), now)
        elif enables and order.own and not self._slot_wanted:
            self._refuse(None, now)
        elif enables and (self.phase is not Phase.RUNNING or not self._can_be_opened()):
            self._refuse(Refusal.NOT_READY, now)
        else:
            self._ask(Errand.ORDER, set_master(accepting=enables), now)

    def _refuse(self, refused: Refusal | None, now: float) -> None:
        """The first command is not sent, and the next need not wait for it."""
        self._complete(refused)
        self._line.next_at = now

    def _can_be_opened(self) -> bool:
        """Coins are taken without asking: not while nobody knows what they are worth."""
        return self.role.capabilities.escrow or bool(self.known.values)

    def _complete(self, refused: Refusal | None = None) -> None:
        self._tries, self._said_no = 0, False
        order = self._orders.first
        if refused is not None and order is not None and order.command is CashCommand.ENABLE:
            self._slot_wanted = False  # Who was told that it is shut must not find it open later.
            self._clear_pending |= order.own  # Nobody awaits the completion, and somebody thinks that it is open.
        self._orders.complete(refused)

    # --- receiving --------------------------------------------------------------------------------------------------

    def _receive(self, data: bytes, now: float) -> None:
        heard = self._wire.receive(data, now)
        if heard is None:
            return
        if isinstance(heard.answer, Garbled):
            if heard.answer is Garbled.UNREADABLE and not self._unreadable:
                self._unreadable = True
                self._emit(Trouble(TroubleKind.UNREADABLE))
            self._unanswered(heard.request, now)
            return
        if self._unreadable:
            self._unreadable = False
            self._emit(Trouble(TroubleKind.UNREADABLE, over=True))
        self._line.finish(now, self.timing.quiet)
        if self._is_useful(heard):
            self._useless = 0
            self._line.heard(now)
        if isinstance(heard.answer, EventBuffer):
            self._lost_is_told = False
            self._read(heard.answer, heard.raw, now)
        else:
            self._heard(heard.request, heard.answer, heard.raw, now)
        if isinstance(heard.answer, NotAcknowledged | Busy):
            self._refused(heard.request, now)

    def _is_useful(self, heard: Heard) -> bool:
        """A device that answers nothing but the proof is as good as silent, once it has said who it is."""
        refused = isinstance(heard.answer, NotAcknowledged | Busy)
        return not refused and (self._wire.errand is not Errand.PROOF or self._is_asked_who_it_is)

    def _refused(self, request: Request, now: float) -> None:
        """NAK or BUSY. One that will not say who it is may still answer a poll: the proof is one."""
        if self._is_asked_who_it_is:
            self._wire.missed(request, now)
        self._may_be_lost(now)
        self._pause(now)

    @property
    def _is_asked_who_it_is(self) -> bool:
        return self.phase is Phase.KNOCKING and self.known.asking

    def _pause(self, now: float) -> None:
        """An answer was of no use. What was of none a few times will be of none right after."""
        self._useless += 1
        if self._useless > _TRIES:
            self._line.wait_until(now + self.timing.pause(self._useless - _TRIES))

    def _heard(self, request: Request, answer: Answer, raw: bytes, now: float) -> None:
        done = isinstance(answer, Acknowledged)
        match self._wire.errand:
            case Errand.PROOF:
                pass
            case Errand.ORDER if request.header is Header.ROUTE:
                self._routed(request, answer, now)
            case _ if isinstance(answer, Busy):
                self._failed(request, now)
            case Errand.LOOK if done:
                self._looked(Escrow.HELD, now)
            case Errand.LOOK if answer is NotRouted.ESCROW_EMPTY:
                self._looked(Escrow.EMPTY, now)
            case Errand.ORDER:
                order = self._orders.first
                if done and order is not None:
                    self._slot_is(is_open=order.command is CashCommand.ENABLE)
                self._complete(None if done else Refusal.REFUSED)
            case Errand.QUESTION if not isinstance(answer, NotAcknowledged):
                self._stands(self.known.learn(request, answer), NOT_IDENTIFIED, now)
                self._usual[request] = raw
                if request.header is Header.GET_MASTER and isinstance(answer, Code):
                    self._slot_was_found(is_open=bool(answer.code & 1))
                self._questions_may_be_done(now)
            case _:
                self._failed(request, now)

    def _slot_is(self, *, is_open: bool) -> None:
        """What the device answered to 227 before says nothing any more."""
        self._slot_open = is_open
        self._usual.pop(Request(Header.GET_MASTER), None)

    def _slot_was_found(self, *, is_open: bool) -> None:
        """Open or shut, as the device says. Where it should be otherwise, something has passed that no event told of:
        it is made so again, and said to be so only when it is.
        """
        if self.phase is Phase.RUNNING and not self._orders and is_open is not self._slot_open:
            wanted = CashCommand.ENABLE if self._slot_open else CashCommand.DISABLE
            self._slot_open = is_open
            self._orders.post(Do(wanted, own=True))

    def _routed(self, request: Request, answer: Answer, now: float) -> None:
        if isinstance(answer, Acknowledged):
            self._path.leaves(now)
            self._complete()
            if request.data[0] == Route.STACK:
                self._emit(Stacking())
        elif answer is NotRouted.ESCROW_EMPTY:
            self._path.leaves(now)
            self._complete(Refusal.NO_NOTE_IN_ESCROW)
        else:
            self._orders.unconfirmed = True
            self._said_no = request.data[0] == Route.RETURN

    def _looked(self, escrow: Escrow, now: float) -> None:
        """The device has said whether a note is in escrow, or does not say."""
        self._looks, self._fresh, self._look_inside = 0, False, False
        self._look_at = now + self.timing.hold
        if self._orders.unconfirmed and escrow is Escrow.UNSAID:
            return
        if escrow is Escrow.HELD:
            self._path.escrow = escrow
        else:
            self._path.leaves(now, escrow)
        if self._orders.unconfirmed and escrow is Escrow.HELD:
            self._not_done(now)
        elif self._orders.unconfirmed:
            self._complete()
        elif self.phase is Phase.KNOCKING:
            self._place(now)
        elif escrow is Escrow.HELD and self._path.note is None:
            self._path.note = UNKNOWN_NOTE  # Nothing is known of it that could be recorded: it goes back.
            self._orders.post(Do(CashCommand.RETURN, own=True))

    def _not_done(self, now: float) -> None:
        """The note is still in escrow. One that was to go back is left alone from now on."""
        order = self._orders.first
        if order is not None and order.command is CashCommand.RETURN:
            self._path.is_kept(now)
        self._complete(Refusal.NOT_DONE)


def _no_answer(question: Request) -> Trouble:
    """Why there is no going on: the question without which there is none, as in ``failure-no-answer-242``. Any other
    was answered before, and now is not.
    """
    if question.header not in INDISPENSABLE:
        return NOT_IDENTIFIED
    return Trouble(TroubleKind.FAILURE, f"no-answer-{int(question.header)}")
