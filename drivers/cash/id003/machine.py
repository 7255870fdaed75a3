"""The host's side of ID-003 as a pure state machine: inputs and a time go in; bytes, events and a deadline come out.

The life of a connection: *knocking* until the device answers a poll; the first answer is *reported* and nothing more
is done until the caller has it on record and says proceed; *settling* until nothing moves any more; *reading* who the
device is and what its note types are worth; *running*.

What holds throughout (protocols/id003, sections 7 and 8):

* VEND VALID is acknowledged only when the caller says so. Until then the device repeats it, and is not reset.
* STACK and RETURN are never sent again blindly: when their answer is lost, a poll says what became of them.
* RESET is sent only after the first answer is on record, and never while a note may be on its way to the box.
* The power-recovery option comes first in every INITIALIZE; the inhibit is lifted again after every RESET.
* A device that stays in a state that should pass, or that answers no poll with a state, is told about, and not waited
  for in silence; one that begins anew by itself is told as lost before it is asked anything.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from drivers.cash.connection import NOT_IDENTIFIED, Phase
from drivers.cash.dialogue import Dialogue
from drivers.cash.exchange import Exchange
from drivers.cash.id003.commands import MOVES, SLOT, Commands
from drivers.cash.id003.framing import Deframer, Frame, frame
from drivers.cash.id003.initialising import PowerRecovery
from drivers.cash.id003.knowledge import REPORT, WHOLE, Knowledge
from drivers.cash.id003.messages import (
    COUNTRIES,
    Answer,
    Command,
    Enquiry,
    Invalid,
    MessageError,
    NoteTable,
    Request,
    SerialNumber,
    Setting,
    State,
    Status,
    Version,
    decode_answer,
    encode_request,
)
from drivers.cash.id003.resets import Resets
from drivers.cash.id003.states import (
    IDLE,
    LASTING,
    PASSING,
    POWER_RECOVERY,
    POWER_UP,
    STUCK,
    TELLS_IDENTITY,
    TROUBLE,
    limits_of,
    presence_of,
    trouble_of,
)
from drivers.cash.id003.timing import Timing
from drivers.cash.id003.watch import NoteWatch
from drivers.cash.patience import Patience, Refusals
from drivers.cash.questions import Standing
from drivers.cash.rest import Rest, Turn
from drivers.cash.slot import SHUTS_ITSELF, Found, Slot
from drivers.cash.steps import Do, Send

_STATUS = Request(Command.STATUS)
_ASKING = Send(frame(encode_request(_STATUS)))


class Machine(Dialogue[Request]):
    """One connection to one validator.

    ``countries``: which currency each country code of the note table is.
    """

    capabilities = CashCapabilities(names_type=False)

    def __init__(self, timing: Timing, countries: Mapping[int, str] = COUNTRIES) -> None:
        super().__init__(Exchange(timing.lost, timing.late))
        self.timing = timing
        self.known = Knowledge(timing)
        self._countries = countries
        self._commands = Commands(self._completed)
        self._slot = Slot()
        self._deframer = Deframer()
        self._option = PowerRecovery()
        self._note = NoteWatch()
        self._resets = Resets(timing)
        self._patience = Patience(limits_of(timing), timing.restless, LASTING)
        self._refusals = Refusals(timing.lost, timing.poll, timing.refused)
        self._gone = self._restarts = self._believed_ready = False
        self._state: Status | None = None
        self._unreported: tuple[Status, Frame] | None = None
        self._holding = False
        self._unreadable = False

    # --- commands, and silence ---------------------------------------------------------------------------------------

    def _post(self, order: Do, now: float) -> None:
        self._slot.posted(order.command)
        self._commands.post(order)
        if not self._holding:
            self._line.hurry(now + self.timing.quiet)

    def _unanswered(self, asked: Request, now: float, late: float | None = None) -> None:
        """What a command did is then read from the state, not assumed; what only asks or sets is sent again. ``late``:
        how long an answer may still be under way, if not as long as after silence.
        """
        self._deframer.clear()
        self._holding = False
        self._commands.look_first()
        self._line.give_up(now, self.timing.poll if asked.command is Command.STATUS else self.timing.quiet, late)
        match asked.command:
            case command if command in MOVES | SLOT:
                self._commands.unanswered(asked)
            case Command.SET_OPTIONS:
                self._option.answered(accepted=False)
            case Command.STATUS | Command.RESET:
                pass
            case question:
                self._question_failed(question, now)
        if self._line.falls_silent(now):
            self._lose("silent")

    def _refused(self, code: str, now: float) -> None:
        """A poll was answered, and not with a state: after a while that is no better than silence."""
        if self._refusals.refused(now):
            self._lose(code)
        self._line.next_at = now + self._refusals.pause(gone=self._gone)

    def _lose(self, code: str) -> None:
        """Once, until it answers a poll with a state."""
        if self._gone:
            return
        self._gone = True
        self._resets.lost()
        self._begin_anew()
        self._state = None
        self._emit(Lost(code))

    def _begin_anew(self) -> None:
        self.phase = Phase.KNOCKING
        self._unreported = None
        self._restarts = self._believed_ready = False
        self._patience.forget()
        self._slot.forget()
        for event in self._note.came_back():
            self._emit(event)
        self.known.forget()
        self._option.begin_anew()
        self._commands.fail_all(Refusal.LOST)

    def _completed(self, completion: Completed) -> None:
        self._slot.completed(completion)
        self._emit(completion)

    # --- sending ----------------------------------------------------------------------------------------------------

    def _send_next(self, now: float) -> None:
        self._holding = False
        if self._option_due():
            self._ask(POWER_RECOVERY, now)
        elif self.known.may_ask_at(now):
            self._ask(Request(self.known.next()), now)
        elif self._reset_due(now):
            self._resets.sent(now)
            self._ask(Request(Command.RESET), now)
        elif self._may_do_next():
            self._do_next(now)
        elif self.phase is not Phase.REPORTED:
            self.known.polled()
            self._ask(_STATUS, now)
        else:
            self._line.next_at = None

    def _may_do_next(self) -> bool:
        return self._commands.next_may_go and self.phase in (Phase.SETTLING, Phase.RUNNING)

    def _option_due(self) -> bool:
        # It moves nothing. Where the device begins anew before our eyes, it must not be too late for a note inside.
        mine = self.phase in (Phase.SETTLING, Phase.READING, Phase.RUNNING) or self._restarts
        return mine and self._option.due(at_rest=self.phase is Phase.READING)

    def _ask(self, request: Request, now: float) -> None:
        self._deframer.clear()
        self._line.ask(request, now, self.timing.answer)
        self._out.append(Send(frame(encode_request(request))))

    def _reset_due(self, now: float) -> bool:
        if self.phase is Phase.KNOCKING:
            return self._resets.due_in_silence(now)
        return self.phase is Phase.SETTLING and self._resets.due(self._state, now, owed=self._note.owed)

    def _do_next(self, now: float) -> None:
        state = self._state.state if self._state is not None else None
        request = self._commands.next(state, ready=self.phase is Phase.RUNNING)
        if request is not None:
            self._ask(request, now)
        else:
            self._line.next_at = now

    # --- receiving --------------------------------------------------------------------------------------------------

    def _receive(self, data: bytes, now: float) -> None:
        for found in self._deframer.feed(data):
            if isinstance(found, Frame):
                self._hear(found, now)
            elif found.damaged and self._line.asked is not None:
                self._unanswered(self._line.asked, now, self.timing.after_damage)
            elif found.damaged:
                self._heard_late(now)

    def _heard_late(self, now: float) -> None:
        """To nothing that is asked now; but whoever says that is alive."""
        self._line.late_answer(now, self.timing.quiet)
        self._resets.heard()

    def _hear(self, found: Frame, now: float) -> None:
        request = self._line.asked
        if request is None:
            self._heard_late(now)
            return
        self._line.heard(now)
        self._resets.heard()
        try:
            answer = decode_answer(request.command, found.payload, self._countries)
        except MessageError:
            self._not_understood(request, now)
            return
        if isinstance(answer, Enquiry):
            # Not asked for: the poll that it wants comes anyway; but one that says nothing else says nothing.
            if self._refusals.refused(now):
                self._lose("refused")
            return
        if self._unreadable:
            self._unreadable = False
            self._emit(Trouble(TroubleKind.UNREADABLE, over=True))
        self._line.finish(now, self.timing.quiet)
        match answer:
            case Status():
                self._polled(answer, found, now)
            case SerialNumber() | Version() | NoteTable():
                self.known.learn(answer)
                self._got_on(now)
            case _:
                self._confirmed(request, answer, now)

    def _not_understood(self, request: Request, now: float) -> None:
        """It may have been an event with money in it, so it is not acknowledged: the device holds it. What was asked
        is as open as after silence.
        """
        if not self._unreadable:
            self._unreadable = True
            self._emit(Trouble(TroubleKind.UNREADABLE))
        self._unanswered(request, now, 0.0)
        self._line.next_at = now + self.timing.poll
        if request.command is Command.STATUS:
            self._refused("unreadable", now)

    def _confirmed(self, asked: Request, answer: Answer, now: float) -> None:
        match asked.command:
            case command if command in MOVES | SLOT:
                self._commands.answered(asked, answer)
            case Command.SET_OPTIONS:
                self._option.answered(accepted=answer == Setting(asked.command, asked.data))
            case Command.STATUS:
                self._refused("refused", now)
            case Command.RESET:
                pass
            case question:
                self._ask_again(question, answer, now)

    def _ask_again(self, question: Command, answer: Answer, now: float) -> None:
        """Not answered in this state: asked again after a poll, which says whether the state is still that one."""
        state = self._state.state if self._state is not None else None
        refused = isinstance(answer, Invalid)
        if refused and self.known.refused(question, state, only_report=self.phase is Phase.KNOCKING):
            self._got_on(now)
        else:
            self._line.next_at = now + self.timing.poll
            self._question_failed(question, now)

    def _question_failed(self, question: Command, now: float) -> None:
        only_report = self.phase is Phase.KNOCKING
        if self.known.went_wrong(question, now, only_report=only_report) is Standing.TOO_OFTEN:
            if self.known.does_without(question):
                self._got_on(now)
            else:
                self._emit(NOT_IDENTIFIED)
        if only_report and not self.known.asking:
            self._report_presence()

    # --- what a poll says -------------------------------------------------------------------------------------------

    def _polled(self, status: Status, found: Frame, now: float) -> None:
        before, self._state = self._state, status
        self._gone = False
        self._refusals.end()
        self._resets.saw(status.state, now)
        self._patience.saw(status.state, now)
        if status.state is State.IDLING:
            self._slot.saw_open()
        self._holding = status.state is State.VEND_VALID
        self._option.polled(status.state)
        match self.phase:
            case Phase.KNOCKING:
                self._line.next_at = now + self.timing.poll
                self._first_answer(status, found, now)
            case Phase.READING if status.state is not State.DISABLED:
                # It is not at rest any more: what it is will be asked when it is so again.
                self.known.drop()
                self.phase = Phase.SETTLING
                self._report_change(before, status, found, now)
            case Phase.SETTLING | Phase.RUNNING:
                self._report_change(before, status, found, now)
            case Phase.REPORTED | Phase.READING:
                pass
        if self.phase not in (Phase.KNOCKING, Phase.REPORTED) and not self._option_due():
            self._line.next_at = now + (self.timing.quiet if self._may_do_next() else self.timing.poll)
        at_rest = status.state is State.IDLING or (status.state is State.DISABLED and not self._slot.wanted)
        if self.phase is Phase.RUNNING and at_rest and not self._commands:
            poll = Turn(_STATUS, (_ASKING,), found.raw)
            self.rest = Rest(poll, self._deframer.clear, self.timing.answer, (), self.timing.poll, now)

    def _first_answer(self, status: Status, found: Frame, now: float) -> None:
        if status.state in PASSING and not self._patience.is_over(now):
            self.known.drop()
            self._unreported = None
            return
        between_tries, self._unreported = self._unreported is not None and self.known.asking, (status, found)
        if between_tries and status.state in TELLS_IDENTITY:
            return
        self.known.drop()
        if status.state in TELLS_IDENTITY:
            self.known.want(*(WHOLE if status.state in POWER_UP else REPORT))
            self._line.next_at = now + self.timing.quiet
        else:
            self._report_presence()

    def _report_presence(self) -> None:
        if self._unreported is None:
            return
        (status, found), self._unreported = self._unreported, None
        self.phase, self._restarts = Phase.REPORTED, False
        self._note.reported(status)
        note_type = status.detail if status.state is State.ESCROW else None
        self._emit(Answered(self.known.identity, presence_of(status.state), found.raw, note_type))

    def _proceed(self, now: float) -> None:
        if self.phase is Phase.REPORTED:
            self.phase = Phase.SETTLING
            if self._state is not None and self._state.state in POWER_UP:
                self._patience.begin(now)
            if not self._holding or self._line.next_at is None:
                self._line.next_at = now + self.timing.quiet
            if self._state is not None and self._state.state in TROUBLE:
                self._emit(trouble_of(self._state))
            if self._state is not None and self._state.state is State.IDLING:
                self._commands.insist(Do(CashCommand.DISABLE, own=True))

    def _acknowledge(self, now: float) -> None:
        """The device does not answer it: the next poll shows whether it arrived."""
        if self._holding and self._line.asked is None:
            self._holding = self._note.owed = False
            self._resets.acknowledged()
            self._out.append(Send(frame(encode_request(Request(Command.ACK)))))
            self._line.next_at = now + self.timing.poll

    def _report_change(self, before: Status | None, status: Status, found: Frame, now: float) -> None:
        changed, state = before != status, status.state
        if changed and before is not None and before.state in TROUBLE:
            self._trouble_is_over(before)
        if changed and state in POWER_UP:
            self._came_back(status, found, now)
            return
        if state is State.INITIALIZE and self._believed_ready:
            self._restarted()
            return
        if (trouble := self._patience.news(now, at_once=self._resets.stays_cheated(now))) is not None:
            self._tell_trouble(trouble)
            self._restart()
        self._commands.polled(state)
        for event in self._note.follow(status, found, self.known, changed=changed):
            self._emit(event)
        if state in IDLE:
            self._idle(state, now)
        elif changed and state in TROUBLE:
            self._tell_trouble(trouble_of(status))
        if state in STUCK:
            self._restart()

    def _trouble_is_over(self, before: Status) -> None:
        trouble = trouble_of(before)
        self._emit(Trouble(trouble.kind, trouble.detail, over=True))
        if trouble.kind.stops_acceptance:
            self._option.begin_anew()
            self._restart()

    def _tell_trouble(self, trouble: Trouble) -> None:
        self._believed_ready &= not trouble.kind.stops_acceptance
        self._emit(trouble)

    def _restart(self) -> None:
        """The device begins anew, or must: it is settled and read again before it takes another note."""
        if self.phase is Phase.RUNNING:
            self.phase = Phase.SETTLING

    def _restarted(self) -> None:
        """It has been reset, and not from here. What it says when it is done is a first answer again; until then, which
        takes its time, the caller must not believe that it takes notes.
        """
        self._begin_anew()
        self._restarts = True
        self._emit(Lost("restarted"))

    def _came_back(self, status: Status, found: Frame, now: float) -> None:
        """A power cut at the device alone: what it says now is reported before anything is done to it."""
        self._resets.restarted()
        self._begin_anew()
        self._first_answer(status, found, now)

    # --- idle, and what is asked there ------------------------------------------------------------------------------

    def _idle(self, state: State, now: float) -> None:
        if self._slot.given_up:
            if self._slot.recovers(now):
                self._emit(replace(SHUTS_ITSELF, over=True))
        elif self.phase is Phase.SETTLING:
            if state is State.DISABLED:
                self.phase = Phase.READING
                self.known.want(*WHOLE)
            elif not self._commands:
                self._commands.post(Do(CashCommand.DISABLE, own=True))
        elif self.phase is Phase.RUNNING and self._note.clear_pending:
            self._note.clear_pending = False
            self._emit(Cleared(None, state is State.IDLING))
        elif self.phase is Phase.RUNNING and state is State.DISABLED and not self._commands:
            self._found_shut(now)

    def _found_shut(self, now: float) -> None:
        """1A when 11 was expected: it was reset, or somebody has served it (protocols/id003, 7.11). What it was set to
        is gone, so it is read and set again; ``Ready`` then says that the slot must be opened anew.
        """
        match self._slot.found_shut(now):
            case Found.AS_ORDERED:
                self._tell_shut()
            case Found.BY_ITSELF:
                self._option.begin_anew()
                self._restart()
            case Found.TOO_OFTEN:
                self._slot.give_up(now)
                self._option.begin_anew()
                self._tell_trouble(SHUTS_ITSELF)
                self._restart()
            case Found.OPENING:
                pass

    def _got_on(self, now: float) -> None:
        """A question has its answer."""
        if self.known.got_on():
            self._emit(replace(NOT_IDENTIFIED, over=True))
        self._line.next_at = now + self.timing.quiet
        if self.known.asking:
            return
        if self.phase is Phase.KNOCKING:
            self._report_presence()
        elif self.phase is Phase.READING and (identity := self.known.identity) is not None:
            self.phase, self._believed_ready = Phase.RUNNING, True
            self._slot.forget()
            self._note.clear_pending = False
            self._emit(Ready(identity, self.known.values, self.known.table_hash, None))
