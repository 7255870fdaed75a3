"""The host's side of CCNET as a pure state machine: inputs and a time go in; bytes, events and a deadline come out.

The life of a connection: *knocking* until the device answers a poll; the first answer is *reported* and nothing more
is done until the caller has it on record and says proceed; *settling* until nothing moves any more; *reading* who the
device is and what its note types are worth; *running*.

What holds throughout (CashCode NET common specification 2.6, and its power-up states):

* A stacked or returned note's event is acknowledged only when the caller says so. Until then the device repeats it.
* STACK and RETURN are never sent again blindly: when their answer is lost, a poll says what became of them.
* RESET is sent only after the first answer is on record, and never while a note may be on its way to the box.
* A device that stays in a state that should pass, or that answers no poll with a state, is told about, and not waited
  for in silence; one that begins anew by itself is told as lost before it is asked anything.
"""

from __future__ import annotations

from dataclasses import replace

from drivers.api.cash import (
    Answered,
    CashCapabilities,
    CashCommand,
    Cleared,
    Completed,
    Lost,
    Ready,
    Refusal,
    Trouble,
    TroubleKind,
)
from drivers.cash.ccnet.framing import Deframer, Frame, frame
from drivers.cash.ccnet.knowledge import Knowledge
from drivers.cash.ccnet.messages import (
    Acknowledged,
    Answer,
    Command,
    Identification,
    Illegal,
    MessageError,
    NotAcknowledged,
    NoteTable,
    PollAnswer,
    Request,
    StackedCount,
    State,
    decode_answer,
    encode_request,
)
from drivers.cash.ccnet.resets import Resets
from drivers.cash.ccnet.states import (
    HELD,
    IDLE,
    IN_ESCROW,
    LASTING,
    PASSING,
    POWER_UP,
    STUCK,
    TELLS_IDENTITY,
    TROUBLE,
    limits_of,
    presence_of,
    request_for,
    trouble_of,
)
from drivers.cash.ccnet.timing import Timing
from drivers.cash.ccnet.watch import NoteWatch
from drivers.cash.connection import NOT_IDENTIFIED, Phase
from drivers.cash.dialogue import Dialogue
from drivers.cash.exchange import Exchange
from drivers.cash.orders import MOVES_NOTE, Orders
from drivers.cash.patience import Patience, Refusals
from drivers.cash.questions import Standing
from drivers.cash.rest import Rest, Turn
from drivers.cash.slot import SHUTS_ITSELF, Found, Slot
from drivers.cash.steps import Do, Send

_POLL = Request(Command.POLL)
_SHUT = PollAnswer(State.DISABLED)
_ASKING = Send(frame(encode_request(_POLL)))
_ACK = Send(frame(bytes((Command.ACK,))))
_COUNTER_MODULUS = 65536
_TRIES = 3
_OPEN = Do(CashCommand.ENABLE, own=True)


class Machine(Dialogue[Request]):
    """One connection to one validator."""

    capabilities = CashCapabilities(counter_modulus=_COUNTER_MODULUS)

    def __init__(self, timing: Timing) -> None:
        super().__init__(Exchange(timing.lost, timing.late))
        self.timing = timing
        self.known = Knowledge(timing)
        self._orders = Orders(self._completed)
        self._slot = Slot()
        self._deframer = Deframer()
        self._resets = Resets(timing)
        self._patience = Patience(limits_of(timing), timing.restless, LASTING)
        self._refusals = Refusals(timing.lost, timing.poll, timing.refused)
        self._gone = False
        self._state: PollAnswer | None = None
        self._first: tuple[PollAnswer, Frame] | None = None
        self._holding = False
        self._state_is_old = False
        self._missed_at: float | None = None
        self._note = NoteWatch()
        self._unreadable = False
        self._tries = 0

    # --- commands, and silence ---------------------------------------------------------------------------------------

    def _post(self, order: Do, now: float) -> None:
        self._slot.posted(order.command)
        self._orders.post(order)
        if not self._holding:
            self._line.hurry(now + self.timing.quiet)

    def _unanswered(self, asked: Request, now: float, late: float | None = None) -> None:
        """Silence counts as NAK; what a command did is then read from the state, not assumed. ``late``: how long an
        answer may still be under way, if not as long as after silence.
        """
        self._deframer.clear()
        self._holding = False
        self._state_is_old = True
        if late is None:
            self._missed_at = now
        self._line.give_up(now, self.timing.poll if asked.command is Command.POLL else self.timing.quiet, late)
        if asked.command in (Command.STACK, Command.RETURN):
            self._orders.unconfirmed = True
        elif asked.command is Command.ENABLE_NOTE_TYPES:
            self._tries += 1  # Asking twice does no harm: it says which notes may come, and moves none.
            if self._tries >= _TRIES:
                self._complete_enabling(Refusal.NO_ANSWER, now)
        elif asked.command not in (Command.POLL, Command.RESET):
            self._question_failed(asked.command, now)
        if self._line.falls_silent(now):
            self._lose("silent")

    def _lose(self, code: str) -> None:
        """Once, until it answers a poll with a state."""
        if self._gone:
            return
        self._gone = True
        self._state = None
        self._resets.lost()
        self._begin_anew()
        self._emit(Lost(code))

    def _begin_anew(self) -> None:
        self.phase = Phase.KNOCKING
        self._first = None
        self.known.forget()
        self._patience.forget()
        self._slot.forget()
        self._orders.fail_all(Refusal.LOST)

    def _completed(self, completion: Completed) -> None:
        self._slot.completed(completion)
        self._emit(completion)

    # --- sending ----------------------------------------------------------------------------------------------------

    def _send_next(self, now: float) -> None:
        self._holding = False
        if self.known.may_ask_at(now):
            self._ask(Request(self.known.next()), now)
        elif self.phase is Phase.SETTLING and self._resets.due(now):
            self._resets.sent(now)
            self._ask(Request(Command.RESET), now)
        elif self._may_do_next():
            self._do(now)
        elif self.phase is not Phase.REPORTED:
            self.known.polled()
            self._ask(_POLL, now)
        else:
            self._line.next_at = None

    def _may_do_next(self) -> bool:
        """Whether there is a command whose time has come. After one that moves a note, and after one that came to
        nothing, a poll comes before another.
        """
        if self._orders.first is None or self._orders.unconfirmed or self._state_is_old:
            return False
        return self.phase in (Phase.SETTLING, Phase.RUNNING)

    def _ask(self, request: Request, now: float) -> None:
        self._deframer.clear()
        self._line.ask(request, now, self.timing.answer)
        self._out.append(Send(frame(encode_request(request))))

    def _do(self, now: float) -> None:
        """Send the first command; it stays first until its answer, or the state, says what became of it."""
        order = self._orders.first
        if order is None:
            return
        state = self._state.state if self._state is not None else None
        if order.command in MOVES_NOTE and state not in IN_ESCROW:
            self._orders.complete(Refusal.NO_NOTE_IN_ESCROW)
            self._line.next_at = now
        elif order.command is CashCommand.ENABLE and self.phase is not Phase.RUNNING:
            self._orders.complete(Refusal.NOT_READY)
            self._line.next_at = now
        elif order == _OPEN and not self._slot.wanted:
            self._orders.complete()  # The caller has just ordered that the slot be shut.
            self._line.next_at = now
        else:
            self._state_is_old |= order.command in MOVES_NOTE
            self._ask(request_for(order.command), now)

    def _complete(self, refused: Refusal | None = None) -> None:
        self._tries = 0
        self._orders.complete(refused)

    # --- receiving --------------------------------------------------------------------------------------------------

    def _receive(self, data: bytes, now: float) -> None:
        for found in self._deframer.feed(data):
            if isinstance(found, Frame):
                self._hear(found, now)
            elif found.damaged and self._line.asked is not None:
                self._out.append(Send(frame(bytes((Command.NAK,)))))
                self._unanswered(self._line.asked, now, self.timing.after_damage)
            elif found.damaged:
                self._line.late_answer(now, self.timing.quiet)

    def _hear(self, found: Frame, now: float) -> None:
        request = self._line.asked
        if request is None:
            self._line.late_answer(now, self.timing.quiet)
            return
        self._line.heard(now)
        try:
            answer = decode_answer(request.command, found.payload)
        except MessageError:
            self._not_understood(request, now)
            return
        if self._unreadable:
            self._unreadable = False
            self._emit(Trouble(TroubleKind.UNREADABLE, over=True))
        match answer:
            case PollAnswer():
                self._polled(answer, found, now)
            case Identification() | NoteTable() | StackedCount():
                self._confirm_receipt(now)
                self._line.finish(now, self.timing.quiet)
                self._learn(answer, now)
            case Acknowledged() | NotAcknowledged() | Illegal():
                self._confirmed(request.command, answer, now)
            case _:
                self._line.finish(now, self.timing.quiet)

    def _confirm_receipt(self, now: float) -> None:
        """Of an answer that holds nothing. The device takes it for its latest answer, whatever we think that we have
        read: that may be an event which is still on its way. It repeats what is not acknowledged.
        """
        if not self._may_be_stale(now):
            self._out.append(_ACK)

    def _may_be_stale(self, now: float) -> bool:
        return self._missed_at is not None and now - self._missed_at < self.timing.stale

    def _not_understood(self, request: Request, now: float) -> None:
        """It may have been an event with money in it, so it is not acknowledged: the device holds it. What was asked
        is as open as after silence.
        """
        if not self._unreadable:
            self._unreadable = True
            self._emit(Trouble(TroubleKind.UNREADABLE))
        self._unanswered(request, now, 0.0)
        self._line.next_at = now + self.timing.poll
        if request.command is Command.POLL:
            self._refused("unreadable", now)

    def _refused(self, code: str, now: float) -> None:
        """A poll was answered, and not with a state: after a while that is no better than silence."""
        if self._refusals.refused(now):
            self._lose(code)
        self._line.next_at = now + self._refusals.pause(gone=self._gone)

    def _confirmed(self, asked: Command, answer: Answer, now: float) -> None:
        self._line.finish(now, self.timing.quiet)
        done = isinstance(answer, Acknowledged)
        self._state_is_old |= not done
        match asked:
            case Command.STACK | Command.RETURN if done:
                self._complete()
            case Command.STACK | Command.RETURN:
                self._orders.unconfirmed = True
            case Command.ENABLE_NOTE_TYPES if isinstance(answer, NotAcknowledged) and self._tries + 1 < _TRIES:
                self._tries += 1  # It arrived damaged: the specification has it sent again.
            case Command.ENABLE_NOTE_TYPES:
                self._complete_enabling(None if done else Refusal.REFUSED, now)
            case Command.COUNT_STACKED if isinstance(answer, Illegal):
                self.known.stacked = None
                self._answered_all(now)
            case Command.IDENTIFICATION | Command.GET_NOTE_TABLE | Command.COUNT_STACKED:
                self._ask_again(asked, now)
            case Command.POLL:
                self._refused("refused", now)
            case _:
                pass

    def _ask_again(self, asked: Command, now: float) -> None:
        """Not answered in this state: asked again after a poll, which says whether the state is still that one."""
        self._line.next_at = now + self.timing.poll
        self._question_failed(asked, now)

    def _question_failed(self, question: Command, now: float) -> None:
        """A unit that says nothing of its count, in whatever way, does without one."""
        match self.known.went_wrong(question, now, only_report=self.phase is Phase.KNOCKING):
            case Standing.GIVEN_UP if not self.known.asking:
                self._report_presence()
            case Standing.TOO_OFTEN if question is Command.COUNT_STACKED:
                self.known.does_without_count()
                self._answered_all(now)
            case Standing.TOO_OFTEN:
                self._emit(NOT_IDENTIFIED)
            case Standing.GIVEN_UP | Standing.GOES_ON:
                pass

    def _complete_enabling(self, refused: Refusal | None, now: float) -> None:
        order = self._orders.first
        if order is not None and order.command in (CashCommand.ENABLE, CashCommand.DISABLE):
            self._complete(refused)
            if order == _OPEN and refused is not None and self._slot.wanted and self.phase is Phase.RUNNING:
                self._give_up_slot(now)

    # --- what a poll says -------------------------------------------------------------------------------------------

    def _polled(self, answer: PollAnswer, found: Frame, now: float) -> None:
        before, self._state, self._state_is_old = self._state, answer, False
        self._gone = False
        self._refusals.end()
        self._resets.saw(answer.state, now)
        self._patience.saw(answer.state, now)
        if answer.state is State.IDLING:
            self._slot.saw_open()
        self._holding = answer.state in HELD
        pause = self.timing.poll
        if answer.state is State.BUSY:
            pause = max(pause, (answer.detail or 0) / 10)
        self._line.finish(now, self.timing.quiet if self._may_do_next() else pause)
        if not self._holding:
            self._confirm_receipt(now)
        match self.phase:
            case Phase.KNOCKING:
                self._first_answer(answer, found, now)
            case Phase.READING if answer.state is not State.DISABLED:
                # It is not at rest any more: what it is will be asked when it is so again.
                self.known.drop()
                self.phase = Phase.SETTLING
                self._report_change(before, answer, found, now)
            case Phase.SETTLING | Phase.RUNNING:
                self._confirm_by_state(answer.state)
                self._report_change(before, answer, found, now)
            case Phase.REPORTED | Phase.READING:
                pass
        at_rest = answer.state is State.IDLING or (answer.state is State.DISABLED and not self._slot.wanted)
        if self.phase is Phase.RUNNING and at_rest and self._nothing_waits and not self._may_be_stale(now):
            poll = Turn(_POLL, (_ASKING,), found.raw)
            self.rest = Rest(poll, self._deframer.clear, self.timing.answer, (_ACK,), pause, now)

    @property
    def _nothing_waits(self) -> bool:
        return not (self._orders or self.known.asking)

    def _first_answer(self, answer: PollAnswer, found: Frame, now: float) -> None:
        if answer.state in PASSING and not self._patience.is_over(now):
            # It moves on while it is being asked who it is: what it said before holds no more.
            self._first = None
            self.known.drop()
            return
        between_tries = self._first is not None and self.known.asking
        self._first = (answer, found)
        if between_tries:
            return
        if answer.state in TELLS_IDENTITY:
            self.known.want(Command.IDENTIFICATION, Command.COUNT_STACKED)
            self._line.next_at = self._line.next_at and self._line.next_at - self.timing.poll + self.timing.quiet
        else:
            self._report_presence()

    def _report_presence(self) -> None:
        if self._first is None:
            return
        (answer, found), self._first = self._first, None
        self.phase = Phase.REPORTED
        self._note.reported(answer)
        detail = answer.detail if answer.state in (State.ESCROW, State.STACKED, State.RETURNED) else None
        presence = presence_of(answer.state)
        self._emit(Answered(self.known.identity, presence, found.raw, detail, self.known.stacked))

    def _proceed(self, now: float) -> None:
        if self.phase is Phase.REPORTED:
            self.phase = Phase.SETTLING
            if self._state is not None and self._state.state in POWER_UP:
                self._patience.begin(now)
            self._note.clear_pending = True
            if not self._holding or self._line.next_at is None:
                self._line.next_at = now + self.timing.quiet
            if self._state is not None and self._state.state in TROUBLE:
                self._emit(trouble_of(self._state))
            if self._state is not None and self._state.state is State.IDLING:
                self._orders.insist(Do(CashCommand.DISABLE, own=True))

    def _acknowledge(self, now: float) -> None:
        if self._holding and self._line.asked is None:
            self._holding = False
            self._resets.acknowledged()
            self._out.append(_ACK)
            self._line.next_at = now + self.timing.poll

    def _confirm_by_state(self, state: State) -> None:
        """What became of a STACK or RETURN whose answer was lost or was a no."""
        if self._orders.unconfirmed and state not in PASSING:
            self._complete(Refusal.NOT_DONE if state in IN_ESCROW else None)

    def _report_change(self, before: PollAnswer | None, answer: PollAnswer, found: Frame, now: float) -> None:
        changed = before != answer
        if changed and before is not None and before.state in TROUBLE:
            self._trouble_is_over(before)
        if (trouble := self._patience.news(now)) is not None:
            self._emit(trouble)
            self._restart()
        if self.phase is Phase.RUNNING and self.known.asking and answer.state not in IDLE:
            # How many notes it has stacked is asked when this one is where it goes.
            self.known.drop()
            self._note.clear_pending = True
        for event in self._note.follow(answer, found, self.known, changed=changed):
            self._emit(event)
        match answer.state:
            case state if state in IDLE:
                self._idle(changed, now)
            case _ if answer.state in POWER_UP and changed:
                self._came_back(found, now)
            case State.INITIALIZE if self.phase is Phase.RUNNING:
                self._restarted()
            case state if state in TROUBLE and changed:
                self._emit(trouble_of(answer))
                if state in STUCK:
                    self._restart()
            case _:
                pass

    def _trouble_is_over(self, before: PollAnswer) -> None:
        trouble = trouble_of(before)
        self._emit(Trouble(trouble.kind, trouble.detail, over=True))
        if trouble.kind.stops_acceptance:
            self._restart()

    def _restart(self) -> None:
        """The device begins anew, or must: it is settled and read again before it takes another note."""
        if self.phase is Phase.RUNNING:
            self.phase = Phase.SETTLING

    def _restarted(self) -> None:
        """It has been reset, and not from here. What it says when it is done is a first answer again; until then, which
        takes its time, the caller must not believe that it takes notes.
        """
        self._begin_anew()
        self._emit(Lost("restarted"))

    def _came_back(self, found: Frame, now: float) -> None:
        """A power cut at the device alone: what it says now is reported before anything is done to it."""
        self._resets.restarted()
        self._note.clear_pending = False
        self._begin_anew()
        if self._state is not None:
            self._first_answer(self._state, found, now)

    # --- idle, and what is asked there ------------------------------------------------------------------------------

    def _idle(self, changed: bool, now: float) -> None:
        if self._slot.given_up:
            if self._slot.recovers(now):
                self._emit(replace(SHUTS_ITSELF, over=True))
        elif self.phase is Phase.SETTLING:
            if self._state is not None and self._state.state is State.DISABLED:
                self.phase = Phase.READING
                self.known.want(Command.IDENTIFICATION, Command.GET_NOTE_TABLE, Command.COUNT_STACKED)
            elif not self._orders:
                self._orders.post(Do(CashCommand.DISABLE, own=True))
        elif self._note.clear_pending and (self.known.stacked is not None or changed):
            self._note.clear_pending = False
            self.known.want(Command.COUNT_STACKED)
        elif self._state == _SHUT and self._nothing_waits:
            self._found_shut(now)

    def _found_shut(self, now: float) -> None:
        match self._slot.found_shut(now):
            case Found.AS_ORDERED:
                self._tell_shut()
            case Found.BY_ITSELF:
                self._orders.post(_OPEN)
            case Found.TOO_OFTEN:
                self._give_up_slot(now)
            case Found.OPENING:
                pass

    def _give_up_slot(self, now: float) -> None:
        self._slot.give_up(now)
        self._emit(SHUTS_ITSELF)
        self._restart()

    def _learn(self, answer: Identification | NoteTable | StackedCount, now: float) -> None:
        self.known.learn(answer)
        if self.known.got_on():
            self._emit(replace(NOT_IDENTIFIED, over=True))
        if isinstance(answer, StackedCount):
            self._answered_all(now)

    def _answered_all(self, now: float) -> None:
        """The count is always the last question of a round."""
        self._line.next_at = now + self.timing.quiet
        if self.phase is Phase.KNOCKING:
            self._report_presence()
        elif self.phase is Phase.READING and (identity := self.known.identity) is not None:
            self.phase = Phase.RUNNING
            self._note.clear_pending = False
            known = self.known
            self._emit(Ready(identity, known.values, known.table_hash, known.stacked))
        elif self.phase is Phase.RUNNING and self._state is not None and self._state.state in IDLE:
            self._emit(Cleared(self.known.stacked, self._state.state is State.IDLING))
