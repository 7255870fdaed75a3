"""The host's side of SSP as a pure state machine: inputs and a time go in; bytes, events and a deadline come out.

The life of a connection: *knocking* until the device was greeted and has said where a note is; that is *reported* and
nothing more is done until the caller has it on record and says proceed; *settling* until nothing moves any more;
*reading* while it is set up and its notes are counted; *running*.

What holds throughout (SSP manual GA138, poll events, hold, poll with ack):

* A poll after a note was announced in escrow tells the device to stack it. So there is no poll while a note may lie
  there, but HOLD; and none after a connection was made, or an answer could not be read to its end, before HOLD has said
  that there is no note. Only the caller's STACK is a poll there.
* A lost answer is asked for again with the identical bytes, which the device does not carry out twice.
* An event with money in it is acknowledged only when the caller says so. Until then the device repeats it.
* The device is never reset by this end: it clears its path by itself, and says E1 or E2.
* A note that it will not give back is left alone: unasked, it comes back when the time of escrow is over, and every
  command but a poll begins that anew (exchange 4).
* One that answers, and nothing of use, is lost like one that is silent; one that stays where it should pass is told.
  What became of a note never follows from that.
"""

from __future__ import annotations

from drivers.api.cash import (
    Accepting,
    Answered,
    CashCapabilities,
    CashCommand,
    CashEvent,
    Cleared,
    Escrowed,
    Lost,
    Ready,
    Refusal,
    Rejected,
    Returned,
    Stacked,
    Trouble,
    TroubleKind,
)
from drivers.cash.connection import Phase
from drivers.cash.dialogue import Dialogue
from drivers.cash.essp.arrival import Arrival, Found, is_at_rest
from drivers.cash.essp.events import EventCode
from drivers.cash.essp.holding import Holding
from drivers.cash.essp.keys import DEFAULT_FIXED_KEY, Dice
from drivers.cash.essp.knowledge import COUNTER_MODULUS, Knowledge, begins_anew
from drivers.cash.essp.messages import (
    Answer,
    Command,
    Counters,
    MessageError,
    Plain,
    Polled,
    RejectCode,
    Request,
    Status,
    decode_answer,
    is_readable,
)
from drivers.cash.essp.moves import Moves
from drivers.cash.essp.outage import SILENT, USELESS, WRONG_KEY, Outage, Reluctance
from drivers.cash.essp.path import Path
from drivers.cash.essp.states import CLOSED, DEFERS_SLOT, TAKES_TIME, Troubles, Where, passing, patience
from drivers.cash.essp.talk import Talk
from drivers.cash.essp.timing import Timing
from drivers.cash.orders import MOVES_NOTE, Orders
from drivers.cash.steps import Do, Emit, Send

_COUNT = Request(Command.COUNTERS)
_FOLLOWS_REFUSAL = (Accepting, Escrowed, Stacked, Returned, Cleared, Ready)
_HELD = bytes((Status.OK,))
_SLOT = {CashCommand.ENABLE: Command.ENABLE, CashCommand.DISABLE: Command.DISABLE}


class Machine(Dialogue[Request]):
    """One connection to one validator."""

    capabilities = CashCapabilities(counter_modulus=COUNTER_MODULUS)

    def __init__(self, timing: Timing, fixed_key: int = DEFAULT_FIXED_KEY) -> None:
        line = Talk(timing)
        super().__init__(line)
        self._line = line
        self.timing = timing
        self.known = Knowledge(fixed_key)
        self.path = Path()
        self._holding = Holding()
        self._moves = Moves(self._emit)
        self._slot = Orders(self._emit)
        self._troubles = Troubles()
        self._arrival = Arrival(timing)
        self._outage = Outage(timing)
        self._reluctance = Reluctance(timing)
        self._patience = patience(timing)
        self._sticks = False
        self._hold_first = False
        self._let_go = False
        self._untouched_until = 0.0
        self._look_first = False
        self._closed = True
        self._at_rest = False

    @property
    def asked(self) -> Request | None:
        """What is being asked now: for traces."""
        return self._line.asked

    # --- commands, and silence ---------------------------------------------------------------------------------------

    def _opened(self, entropy: bytes) -> None:
        self._line.wire.dice = Dice(entropy)

    def _post(self, order: Do, now: float) -> None:
        (self._moves if order.command in MOVES_NOTE else self._slot).post(order)
        self._line.hurry(now + self.timing.quiet)

    def _unanswered(self, asked: Request, now: float) -> None:
        in_vain = self._line.wire.unproved
        if (again := self._line.again(now, in_vain=in_vain and self._outage.is_of_key)) is not None:
            self._out.append(Send(again))
            return
        self._line.lost, self._outage.doubted = True, in_vain
        if not in_vain:
            self._lose(SILENT)
        else:
            # It may be the key, or it is gone: one SYNC, which is never encrypted, tells.
            self._forget()
            if self._outage.lasts:
                self._leave_alone(now)

    def _lose(self, code: str) -> None:
        self._forget()
        self._is_lost(code)

    def _is_lost(self, code: str) -> None:
        self._outage.doubted = False
        self._patience.forget()
        self._reluctance, self._sticks = Reluctance(self.timing), False
        if self._outage.is_news(code):
            self._emit(Lost(code))

    def _useless(self, now: float) -> None:
        """An answer from which nothing follows."""
        if self._outage.of_no_use(now):
            self._lose(USELESS)
            self._leave_alone(now)

    def _without_key(self, now: float) -> None:
        """FA: it was reset, and is greeted anew; or it says so to whatever it is asked."""
        code = WRONG_KEY if self._line.wire.unproved else USELESS
        self._came_back(now)
        if self._outage.of_no_use(now):
            self._lose(code)
        self._leave_alone(now)

    def _leave_alone(self, now: float) -> None:
        self._line.next_at = self._untouched_until = now + self._outage.pause()

    def _forget(self) -> None:
        """Whatever answers next is greeted and reported as if it had never been here."""
        self.phase = Phase.KNOCKING
        self.path, self._holding, self._arrival = Path(), Holding(), Arrival(self.timing)
        self._hold_first = self._let_go = self._look_first = self._at_rest = False
        self._troubles = Troubles()
        self._moves.fail_all(Refusal.LOST)
        self._slot.fail_all(Refusal.LOST)

    def _came_back(self, now: float) -> None:
        """A reset of the device alone, too short for silence."""
        self._tell(self._troubles.forget())
        self.path.go(Where.NOWHERE, now)
        self._tell(self.path.kept_news(now, self.timing.kept))
        self._forget()
        self._line.next_at = now + self.timing.poll

    # --- sending ----------------------------------------------------------------------------------------------------

    def _send_next(self, now: float) -> None:
        if now < self._untouched_until:
            self._line.next_at = self._untouched_until
        elif self._holding.due and not self._may_shut():
            self._ask(Request(Command.EVENT_ACK), now)
        elif self.phase is Phase.REPORTED:
            self._line.next_at = None
        elif self.phase is Phase.KNOCKING:
            self._knock(now)
        elif (move := self._moves.first) is not None and not self._moves.unconfirmed:
            self._move(move, now)
        elif (turn := self._slot.first) is not None and not self._slot_waits:
            self._turn_slot(turn, now)
        elif self._may_ask(now) and not self._look_first:
            self._ask(self.known.next(), now)
        else:
            self._look(now)

    def _may_ask(self, now: float) -> bool:
        return self.known.asking and now >= self._reluctance.ask_at

    def _may_shut(self) -> bool:
        """A slot that is to be shut is shut before the acknowledgement lets the next note in."""
        order = self._slot.first
        going = self.phase in (Phase.SETTLING, Phase.RUNNING) and not self._slot_waits
        return going and order is not None and order.command is CashCommand.DISABLE

    @property
    def _slot_waits(self) -> bool:
        sticks = self._troubles.jammed or (self._sticks and self.path.where is Where.STACKING)
        return self.path.where in DEFERS_SLOT and not sticks

    def _knock(self, now: float) -> None:
        """Greet, look, and count after what was found; then report it."""
        arrival = self._arrival
        if not arrival.greeted:
            self._greet()
        if arrival.found is not None and not arrival.counted and not self.known.asking:
            arrival.counted = True
            self.known.want(_COUNT)
        if self._may_ask(now):
            self._ask(self.known.next(), now)
        elif self.known.asking:
            self._line.next_at = self._reluctance.ask_at
        elif arrival.found is not None:
            self._report(arrival.found)
        else:
            self._look(now)

    def _greet(self) -> None:
        self._arrival.greets()
        self.known.greet(self._line.wire.dice)

    def _look(self, now: float) -> None:
        """A poll, unless that might stack a note: then HOLD."""
        if self._let_go:
            self._let_go = False
            self._line.next_at = self._untouched_until = now + self.timing.unheld
        elif self.path.where is Where.ESCROW and not self._hold_first and now < self.path.unheld_until:
            self._line.next_at = self.path.unheld_until
        elif self.path.where is Where.ESCROW or self._hold_first:
            self._ask(Request(Command.HOLD), now)
        else:
            self._ask(Request(Command.POLL_WITH_ACK), now)

    def _ask(self, request: Request, now: float) -> None:
        self._out.append(Send(self._line.say(request, now)))

    def _move(self, order: Do, now: float) -> None:
        if self.path.where is not Where.ESCROW:
            self._moves.complete(Refusal.NO_NOTE_IN_ESCROW)
            self._line.next_at = now
        elif order.command is CashCommand.STACK:
            self._moves.stacking = True
            self.path.go(Where.STACKING, now)
            self._ask(Request(Command.POLL_WITH_ACK), now)
        else:
            self._ask(Request(Command.REJECT), now)

    def _turn_slot(self, order: Do, now: float) -> None:
        if order.command is CashCommand.ENABLE and self.phase is not Phase.RUNNING:
            self._slot.complete(Refusal.NOT_READY)
            self._line.next_at = now
        else:
            self._ask(Request(_SLOT[order.command]), now)

    # --- receiving --------------------------------------------------------------------------------------------------

    def _receive(self, data: bytes, now: float) -> None:
        for request, payload in self._line.feed(data, now):
            self._hear(request, payload, now)
            self._tell(self.path.kept_news(now, self.timing.kept))

    def _hear(self, request: Request, payload: bytes, now: float) -> None:
        try:
            answer = decode_answer(request.command, payload, self.known.version)
        except MessageError:
            answer = None
        if self._outage.doubted:
            self._is_lost(WRONG_KEY)
        if answer == Plain(Status.NO_KEY):
            self._without_key(now)
            return
        poll, readable = request.command is Command.POLL_WITH_ACK, is_readable(request, answer)
        if readable or not self._outage.lasts:
            self._tell(self._troubles.read(poll=poll, readable=readable))
        if self.known.asking and request == self.known.next():
            self._learn(request, answer, payload, now)
        else:
            self._answered(request.command, answer, payload, now)

    def _answered(self, asked: Command, answer: Answer | None, payload: bytes, now: float) -> None:
        match asked, answer:
            case Command.POLL_WITH_ACK, Polled():
                self._polled(answer, payload, now)
            case Command.POLL_WITH_ACK, _:
                self._not_polled(answer, payload, now)
            case Command.HOLD, _:
                self._held(answer, now)
            case Command.REJECT, Plain(Status.OK):
                self.path.go(Where.RETURNING, now)
                self._moves.complete()
            case Command.REJECT, _:
                self._moves.unconfirmed = self._hold_first = True
            case Command.EVENT_ACK, _:
                self._holding.due = False  # If the device holds the event still, the next poll tells it again.
                self._line.next_at = now + self.timing.poll
            case Command.ENABLE | Command.DISABLE, _:
                self._slot.complete(None if answer == Plain(Status.OK) else Refusal.REFUSED)
            case _:
                self._line.next_at = now + self.timing.poll

    # --- questions --------------------------------------------------------------------------------------------------

    def _learn(self, request: Request, answer: Answer | None, payload: bytes, now: float) -> None:
        if not self.known.learn(request, answer):
            self._refused(request.command, now)
            return
        if not self.known.asking and (over := self._reluctance.ends()) is not None:
            self._emit(over)
        match request.command, answer:
            case Command.HOLD, Plain(Status.OK):
                self._arrival.held(payload)
                self._arrived(now)
            case Command.HOLD, Plain(status) if status is not Status.CANNOT:
                self._let_go = True
            case Command.KEY_EXCHANGE, _ if self.known.key is not None:
                self._line.wire.agree(self.known.key)
            case Command.LAST_REJECT, _:
                self._tell_refusal(answer.reason if isinstance(answer, RejectCode) else "unknown")
            case Command.COUNTERS, Counters() | Plain():
                self._counted(now)
            case _:
                pass

    def _refused(self, asked: Command, now: float) -> None:
        self._line.next_at = now + self.timing.poll
        self._look_first = self.phase is not Phase.KNOCKING
        if asked is Command.SYNC:  # Whoever refuses that refuses everything.
            self._useless(now)
            return
        if begins_anew(asked):
            self.known.greet(self._line.wire.dice)
        if (trouble := self._reluctance.refused(asked, now)) is not None:
            self._tell([trouble])

    def _counted(self, now: float) -> None:
        """The count is always the last question of a round."""
        if self.phase is Phase.READING and (identity := self.known.identity) is not None:
            self.phase = Phase.RUNNING
            self.path.clear_pending = False
            known = self.known
            self._emit(Ready(identity, known.values, known.table_hash, known.stacked))
        elif self.phase is Phase.RUNNING:
            self._emit(Cleared(self.known.stacked, not self._closed))
        self._line.next_at = now + self.timing.quiet

    # --- a device that came back ------------------------------------------------------------------------------------

    def _arrived(self, now: float) -> None:
        if self._arrival.in_escrow:
            self.path.go(Where.ESCROW, now)
        if self._may_ask(now) or self._arrival.found is not None:
            self._line.next_at = now + self.timing.quiet

    def _report(self, found: Found) -> None:
        self.phase = Phase.REPORTED
        self._line.next_at = None
        if not self._arrival.in_escrow:
            self.path.where = found.where
        self._emit(Answered(self.known.identity, found.presence, found.frame, found.channel, self.known.stacked))

    def _acknowledge(self, now: float) -> None:
        if self._holding.recorded() and self._line.asked is None:
            self._line.next_at = now + self.timing.quiet

    def _proceed(self, now: float) -> None:
        if self.phase is not Phase.REPORTED:
            return
        self.phase = Phase.SETTLING
        self.path.go(self.path.where, now)
        self._patience.begin(now)
        self._line.next_at = now + self.timing.quiet if self._line.asked is None else None
        self._tell(self._troubles.heard(self._arrival.events))
        if self._arrival.other is not None:
            self._emit(self._arrival.other)  # It is not the note that was reported: that one had gone back.

    # --- what a poll says -------------------------------------------------------------------------------------------

    def _polled(self, answer: Polled, payload: bytes, now: float) -> None:
        events = answer.events
        self._line.next_at = now + self.timing.poll
        self._hold_first, self._look_first, self._at_rest = bool(answer.rest), False, False
        self._holding.polled(events, whole=not answer.rest)
        self._closed = any(event.code in CLOSED for event in events)
        self._outage.ends()
        self._see_it_pass(answer, now)
        if self.phase is Phase.KNOCKING:
            if self._arrival.polled(answer, payload, self.known, now):
                self._greet()
            self._arrived(now)
            return
        if any(event.code is EventCode.SLAVE_RESET for event in events):
            self._came_back(now)
            self._polled(answer, payload, now)  # It says in the same breath what became of the note.
            return
        self._moves.polled(answer)
        for event in events:
            for follows in self.path.hear(event, payload, self.known, now):
                self._emit(follows)
        if self.path.reason_wanted:
            self.path.reason_wanted = False
            self.known.want(Request(Command.LAST_REJECT))
        self._tell(self._troubles.heard(events))
        if self.path.where not in DEFERS_SLOT:
            self._holding.let_fraud_go(events)
        if self.path.where is Where.ESCROW:
            self._line.next_at = now + self.timing.hold
        elif self._holding.due or self._may_ask(now):
            self._line.next_at = now + self.timing.quiet
        if not answer.rest and is_at_rest(events):
            self._rest(now)
        elif self.phase is Phase.READING:
            self.known.drop()
            self.phase = Phase.SETTLING
        if not self._at_rest:
            self._put_off_count()

    def _see_it_pass(self, answer: Polled, now: float) -> None:
        """What should pass by itself may last for ever. That is told, and nothing is done about it."""
        self._patience.saw(passing(answer.events, self.path.where), now)
        if (trouble := self._patience.news(now)) is not None:
            self._sticks = trouble.kind is TroubleKind.JAM and not trouble.over
            self._tell([trouble])

    def _not_polled(self, answer: Answer | None, payload: bytes, now: float) -> None:
        """It was not answered as a poll is; whether it was carried out is not known, so HOLD looks first."""
        self._line.next_at = now + self.timing.poll
        self._hold_first, self._at_rest = True, False
        self._put_off_count()
        self._holding.polled((), whole=False)
        self._moves.polled(None)
        if answer != Plain(Status.SOFTWARE_ERROR):
            self._useless(now)
            return
        self._outage.ends()
        if self.phase is Phase.KNOCKING:
            self._arrival.failed(payload)
            self._arrived(now)
        else:
            self._tell(self._troubles.failing())

    def _held(self, answer: Answer | None, now: float) -> None:
        """HOLD: OK there is a note in escrow, F5 there is none; anything else is no answer to that."""
        asked_to_know, self._hold_first = self._hold_first, False
        self._line.next_at = now + self.timing.poll
        if answer == Plain(Status.OK):
            self._outage.ends()
            if self.path.where is not Where.ESCROW:
                self._found_in_escrow(now)
            if self._moves.returning:
                self.path.is_kept(now)
            self._moves.held(in_escrow=True)
            self._hold_again(now)
        elif answer == Plain(Status.CANNOT):
            if self.path.where is Where.ESCROW:
                self.path.go(Where.RETURNING, now)
            self._line.next_at = now + self.timing.quiet
            self._moves.held(in_escrow=False)
        else:
            if asked_to_know:
                self._let_go = True
                self._moves.held(in_escrow=None)
            self._useless(now)

    def _hold_again(self, now: float) -> None:
        """Every HOLD begins the time of escrow anew, after which the device gives the note back by itself."""
        kept = self.path.kept_since is not None
        if kept or now - self.path.escrow_since > self.timing.hold_at_most:
            self.path.unheld_until = now + (self.timing.kept if self.path.sticks else self.timing.unheld)
            self._line.next_at = self.path.unheld_until
        else:
            self._line.next_at = now + self.timing.hold

    def _found_in_escrow(self, now: float) -> None:
        """A note of which no poll could say anything, or one that was to be stacked and was not."""
        unknown = self.path.where is not Where.STACKING or not self._moves.unconfirmed
        self.path.go(Where.ESCROW, now)
        if self.phase is Phase.KNOCKING:
            self._arrival.held(_HELD)
        elif unknown:
            self._emit(Escrowed(0, None, _HELD, self.known.table_hash))

    # --- at rest, and what is asked there ---------------------------------------------------------------------------

    def _rest(self, now: float) -> None:
        """Nothing moves and nothing waits. A note on its way may be silent for a moment; then it has arrived."""
        if self._troubles.stop or self._holding.money or self.path.on_its_way(now, self.timing.fate):
            return
        if self.path.where in TAKES_TIME and not self.path.looked:
            self.path.looked = self._hold_first = True  # It may not have moved at all.
            return
        self.path.where, self._at_rest = Where.NOWHERE, True
        if self.phase is Phase.SETTLING:
            self.phase = Phase.READING
            accept = Request(Command.SET_INHIBITS, channels=self.known.channels)
            self.known.want(Request(Command.DISABLE), accept, Request(Command.DISPLAY_ON), _COUNT)
        elif self.phase is Phase.RUNNING and self.path.clear_pending:
            self.path.clear_pending = False
            self.known.want(_COUNT)
        elif self.phase is Phase.RUNNING and self._closed and not self._slot:
            self._tell_shut()
        if self._may_ask(now):
            self._line.next_at = now + self.timing.quiet

    def _put_off_count(self) -> None:
        """A count that waits is not asked while something moves: it says what is in the box, and that nothing more is
        on its way, only as long as the device rests.
        """
        if self.phase is Phase.RUNNING and self.known.put_off(_COUNT):
            self.path.clear_pending = True

    def _tell(self, troubles: list[Trouble]) -> None:
        for trouble in troubles:
            self._emit(trouble)
            if trouble.kind.stops_acceptance and self.phase in (Phase.READING, Phase.RUNNING):
                self.known.drop()
                self.phase = Phase.SETTLING

    def _emit(self, event: CashEvent) -> None:
        if isinstance(event, _FOLLOWS_REFUSAL):
            self._tell_refusal("unknown")
        self._out.append(Emit(event))

    def _tell_refusal(self, reason: str) -> None:
        """Before the next note is told of, or that none is inside: the device is asked why, and may take its time."""
        if self.path.refusal_untold:
            self.path.refusal_untold = False
            self._out.append(Emit(Rejected(reason)))
