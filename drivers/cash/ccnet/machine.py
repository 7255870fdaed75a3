"""The host's side of CCNET as a pure state machine: inputs and a time go in; bytes, events and a deadline come out.

The life of a connection: *knocking* until the device answers a poll; the first answer is *reported* and nothing more
is done until the caller has it on record and says proceed; *settling* until nothing moves any more; *reading* who the
device is and what its note types are worth; *running*.

What holds throughout (CashCode NET common specification 2.6, and its power-up states):

* A stacked or returned note's event is acknowledged only when the caller says so. Until then the device repeats it.
* STACK and RETURN are never sent again blindly: when their answer is lost, a poll says what became of them.
* RESET is sent only after the first answer is on record, and never while a note may be on its way to the box.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import sha256

from drivers.api import (
    Accepting,
    Answered,
    CashCommand,
    CashEvent,
    Cleared,
    Completed,
    DeviceIdentity,
    Escrowed,
    Lost,
    Ready,
    Rejected,
    Returned,
    Stacked,
    Stacking,
    Trouble,
)
from drivers.cash.ccnet.framing import Deframer, Frame, frame
from drivers.cash.ccnet.messages import (
    REJECT_REASONS,
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
from drivers.cash.ccnet.states import (
    HELD,
    IN_ESCROW,
    LEAVES_ESCROW_ALONE,
    PASSING,
    POWER_UP,
    PRESENCE,
    STUCK,
    TELLS_IDENTITY,
    TROUBLE,
    request_for,
    trouble_word,
)
from drivers.cash.steps import Acknowledge, Do, Emit, Input, Output, Proceed, Received, Send, Tick
from guichet.ids import DeviceSerial
from guichet.money import Money


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. ``answer``: how long an answer may take; the specification's 10 ms plus what USB-serial adds.
    ``slow_answer``: the same for identification and note table, which units in the field take long over. ``quiet``:
    between the end of one exchange and the next. ``lost``: silence after which the device counts as gone.
    """

    poll: float = 0.2
    answer: float = 0.25
    slow_answer: float = 1.5
    quiet: float = 0.02
    lost: float = 5.0
    reset_again: float = 10.0


class Phase(Enum):
    """Where in its life the connection is."""

    KNOCKING = auto()
    REPORTED = auto()
    SETTLING = auto()
    READING = auto()
    RUNNING = auto()


@dataclass(frozen=True, slots=True)
class _Asked:
    request: Request
    deadline: float


_MOVES_NOTE = frozenset({CashCommand.STACK, CashCommand.RETURN})
_SLOW = frozenset({Command.IDENTIFICATION, Command.GET_NOTE_TABLE})
_SIMULATED_PART = "GUICHET-SIM"
_UNREADABLE = "unreadable-answer"
_TRIES = 3


class Machine:
    """One connection to one validator. Feed it with :meth:`step`; it never blocks and never reads a clock."""

    def __init__(self, timing: Timing) -> None:
        self.timing = timing
        self.phase = Phase.KNOCKING
        self.identity: DeviceIdentity | None = None
        self.values: Mapping[int, Money] = {}
        self.stacked_counter: int | None = None
        self._deframer = Deframer()
        self._asked: _Asked | None = None
        self._next_send: float | None = None
        self._last_heard: float | None = None
        self._last_reset: float | None = None
        self._lost = False
        self._state: PollAnswer | None = None
        self._unpolled: Frame | None = None
        self._holding = False
        self._questions: deque[Command] = deque()
        self._wanted: deque[Do] = deque()
        self._unconfirmed: CashCommand | None = None
        self._state_is_old = False
        self._announced: PollAnswer | None = None
        self._unreadable = False
        self._tries = 0
        self._table_hash = b""
        self._clear_pending = False
        self._out: list[Output] = []

    # --- the one entrance -------------------------------------------------------------------------------------------

    def step(self, happened: Input, now: float) -> list[Output]:
        """What follows from ``happened`` at ``now`` (monotonic seconds)."""
        self._out = []
        if self._last_heard is None:
            self._last_heard = self._next_send = now
        match happened:
            case Received(data):
                self._receive(data, now)
            case Tick():
                self._tick(now)
            case Proceed():
                self._proceed(now)
            case Acknowledge():
                self._acknowledge(now)
            case Do():
                self._wanted.append(happened)
                self._hurry(now)
        return self._out

    @property
    def deadline(self) -> float | None:
        """When :class:`Tick` is due; None: only something from outside can move it."""
        if self._asked is not None:
            return self._asked.deadline
        return self._next_send

    # --- time -------------------------------------------------------------------------------------------------------

    def _tick(self, now: float) -> None:
        if self._asked is not None and now >= self._asked.deadline:
            self._unanswered(self._asked.request, now)
        if self._asked is None and self._next_send is not None and now >= self._next_send:
            self._send_next(now)

    def _unanswered(self, request: Request, now: float) -> None:
        """Silence counts as NAK; what a command did is then read from the state, not assumed."""
        self._asked = None
        self._deframer.clear()
        self._holding = False
        self._next_send = now + self.timing.quiet
        if request.command in (Command.STACK, Command.RETURN):
            self._unconfirmed = CashCommand.STACK if request.command is Command.STACK else CashCommand.RETURN
        elif request.command is Command.ENABLE_NOTE_TYPES:
            self._tries += 1  # Asking twice does no harm: it says which notes may come, and moves none.
            if self._tries >= _TRIES:
                self._complete_enabling("no-answer")
        elif request.command not in (Command.POLL, Command.RESET):
            self._questions.appendleft(request.command)
        silent = now - (self._last_heard if self._last_heard is not None else now)
        if silent >= self.timing.lost and not self._lost:
            self._lose("silent")

    def _lose(self, code: str) -> None:
        self._lost = True
        self.phase = Phase.KNOCKING
        self._questions.clear()
        self._state = None
        self._forget()
        self._fail_wanted()
        self._emit(Lost(code))

    def _forget(self) -> None:
        """What comes back may be another device, and has a count of its own: nothing known before holds for it."""
        self.identity, self.stacked_counter = None, None
        self.values, self._table_hash = {}, b""

    def _fail_wanted(self) -> None:
        self._unconfirmed = None
        while self._wanted:
            self._complete(self._wanted.popleft(), "lost")

    def _hurry(self, now: float) -> None:
        """A command need not wait for the next poll's time, only for the line to be quiet."""
        if self._asked is None and self._next_send is not None and not self._holding:
            self._next_send = min(self._next_send, now + self.timing.quiet)

    # --- sending ----------------------------------------------------------------------------------------------------

    def _send_next(self, now: float) -> None:
        self._holding = False
        if self._questions:
            self._ask(Request(self._questions.popleft()), now)
        elif self.phase is Phase.SETTLING and self._reset_due(now):
            self._last_reset = now
            self._ask(Request(Command.RESET), now)
        elif self._may_do_next():
            self._do(self._wanted.popleft(), now)
        elif self.phase is not Phase.REPORTED:
            self._ask(Request(Command.POLL), now)
        else:
            self._next_send = None

    def _may_do_next(self) -> bool:
        """Whether there is a command whose time has come. After one that moves a note, a poll comes before another."""
        if not self._wanted or self._unconfirmed is not None or self.phase not in (Phase.SETTLING, Phase.RUNNING):
            return False
        return not (self._state_is_old and self._wanted[0].command in _MOVES_NOTE)

    def _ask(self, request: Request, now: float) -> None:
        self._deframer.clear()
        patience = self.timing.slow_answer if request.command in _SLOW else self.timing.answer
        self._asked = _Asked(request, now + patience)
        self._out.append(Send(frame(encode_request(request))))

    def _reset_due(self, now: float) -> bool:
        """A device at power-up waits for RESET; a stuck one may come free by it, tried again with patience."""
        if self._state is None:
            return False
        if self._state.state in POWER_UP:
            return self._last_reset is None or now - self._last_reset >= self.timing.lost
        if self._state.state in STUCK:
            return self._last_reset is None or now - self._last_reset >= self.timing.reset_again
        return False

    def _do(self, wanted: Do, now: float) -> None:
        """Send a command; it stays first in the queue until its answer, or the state, says what became of it."""
        state = self._state.state if self._state is not None else None
        moves_note = wanted.command in _MOVES_NOTE
        if moves_note and state not in IN_ESCROW:
            self._refuse(wanted, "no-note-in-escrow", now)
        elif wanted.command is CashCommand.ENABLE and self.phase is not Phase.RUNNING:
            self._refuse(wanted, "not-ready", now)
        else:
            self._state_is_old |= moves_note
            self._wanted.appendleft(wanted)
            self._ask(request_for(wanted.command), now)

    def _refuse(self, wanted: Do, reason: str, now: float) -> None:
        self._complete(wanted, reason)
        self._next_send = now

    def _complete(self, wanted: Do, refused: str) -> None:
        self._tries = 0
        if not wanted.own:
            self._emit(Completed(wanted.command, refused))

    # --- receiving --------------------------------------------------------------------------------------------------

    def _receive(self, data: bytes, now: float) -> None:
        for found in self._deframer.feed(data):
            if isinstance(found, Frame):
                self._hear(found, now)
            elif found.damaged and self._asked is not None:
                self._out.append(Send(frame(bytes((Command.NAK,)))))
                self._unanswered(self._asked.request, now)

    def _hear(self, found: Frame, now: float) -> None:
        if self._asked is None:
            return  # A late answer to a question that was given up: the next exchange asks again.
        asked = self._asked.request.command
        try:
            answer = decode_answer(asked, found.payload)
        except MessageError:
            self._not_understood(self._asked.request, now)
            return
        self._last_heard = now
        self._lost = False
        if self._unreadable:
            self._unreadable = False
            self._emit(Trouble(_UNREADABLE, over=True))
        match answer:
            case PollAnswer():
                self._polled(answer, found, now)
            case Identification() | NoteTable() | StackedCount():
                self._out.append(Send(frame(bytes((Command.ACK,)))))
                self._finish_exchange(now, self.timing.quiet)
                self._learn(answer, now)
            case Acknowledged() | NotAcknowledged() | Illegal():
                self._confirmed(asked, answer, now)
            case _:
                self._finish_exchange(now, self.timing.quiet)

    def _not_understood(self, request: Request, now: float) -> None:
        """It may have been an event with money in it, so it is not acknowledged: the device holds it. What was asked
        is as open as after silence.
        """
        self._last_heard = now
        if not self._unreadable:
            self._unreadable = True
            self._emit(Trouble(_UNREADABLE))
        self._unanswered(request, now)
        self._next_send = now + self.timing.poll

    def _finish_exchange(self, now: float, pause: float) -> None:
        self._asked = None
        self._next_send = now + pause

    def _confirmed(self, asked: Command, answer: Answer, now: float) -> None:
        self._finish_exchange(now, self.timing.quiet)
        done = isinstance(answer, Acknowledged)
        match asked:
            case Command.STACK | Command.RETURN if done:
                self._complete(self._wanted.popleft(), "")
            case Command.STACK | Command.RETURN:
                self._unconfirmed = self._wanted[0].command
            case Command.ENABLE_NOTE_TYPES if isinstance(answer, NotAcknowledged) and self._tries + 1 < _TRIES:
                self._tries += 1  # It arrived damaged: the specification has it sent again.
            case Command.ENABLE_NOTE_TYPES:
                self._complete_enabling("" if done else "refused")
            case Command.COUNT_STACKED if isinstance(answer, Illegal):
                self.stacked_counter = None
                self._answered_all(now)
            case Command.IDENTIFICATION | Command.GET_NOTE_TABLE | Command.COUNT_STACKED:
                self._ask_again(asked, now)
            case _:
                pass

    def _ask_again(self, asked: Command, now: float) -> None:
        """Not answered in this state. A device that came back is reported all the same, even without its name."""
        self._tries += 1
        if self.phase is Phase.KNOCKING and self._tries >= _TRIES:
            self._tries = 0
            return
        self._questions.appendleft(asked)
        self._next_send = now + self.timing.poll

    def _complete_enabling(self, refused: str) -> None:
        if self._wanted and self._wanted[0].command in (CashCommand.ENABLE, CashCommand.DISABLE):
            self._complete(self._wanted.popleft(), refused)

    # --- what a poll says -------------------------------------------------------------------------------------------

    def _polled(self, answer: PollAnswer, found: Frame, now: float) -> None:
        before, self._state, self._state_is_old = self._state, answer, False
        self._holding = answer.state in HELD
        pause = self.timing.poll
        if answer.state is State.BUSY:
            pause = max(pause, (answer.detail or 0) / 10)
        self._finish_exchange(now, pause)
        if not self._holding:
            self._out.append(Send(frame(bytes((Command.ACK,)))))
        match self.phase:
            case Phase.KNOCKING:
                self._first_answer(answer, found)
            case Phase.SETTLING | Phase.RUNNING:
                self._confirm_by_state(answer.state)
                self._report_change(before, answer, found)
            case Phase.REPORTED | Phase.READING:
                pass

    def _first_answer(self, answer: PollAnswer, found: Frame) -> None:
        if answer.state in PASSING:
            return
        self._unpolled = found
        if answer.state in TELLS_IDENTITY:
            self._questions.extend((Command.IDENTIFICATION, Command.COUNT_STACKED))
            self._next_send = self._next_send and self._next_send - self.timing.poll + self.timing.quiet
        else:
            self._report_presence()

    def _report_presence(self) -> None:
        found, answer = self._unpolled, self._state
        if found is None or answer is None:
            return
        self._unpolled = None
        self.phase = Phase.REPORTED
        self._announced = answer if answer.state in IN_ESCROW else None
        detail = answer.detail if answer.state in (State.ESCROW, State.STACKED, State.RETURNED) else None
        presence = PRESENCE[answer.state]
        self._emit(Answered(self.identity, presence, found.raw, detail, self.stacked_counter))

    def _proceed(self, now: float) -> None:
        if self.phase is Phase.REPORTED:
            self.phase = Phase.SETTLING
            self._clear_pending = True
            if not self._holding or self._next_send is None:
                self._next_send = now + self.timing.quiet
            if self._state is not None and self._state.state in TROUBLE:
                self._emit(Trouble(trouble_word(self._state)))
            if self._state is not None and self._state.state is State.IDLING:
                self._wanted.appendleft(Do(CashCommand.DISABLE, own=True))

    def _acknowledge(self, now: float) -> None:
        if self._holding and self._asked is None:
            self._holding = False
            self._out.append(Send(frame(bytes((Command.ACK,)))))
            self._next_send = now + self.timing.poll

    def _confirm_by_state(self, state: State) -> None:
        """What became of a STACK or RETURN whose answer was lost or was a no."""
        if self._unconfirmed is None or state in PASSING:
            return
        self._unconfirmed = None
        self._complete(self._wanted.popleft(), "not-done" if state in IN_ESCROW else "")

    def _report_change(self, before: PollAnswer | None, answer: PollAnswer, found: Frame) -> None:
        changed = before != answer
        if changed and before is not None and before.state in TROUBLE:
            self._emit(Trouble(trouble_word(before), over=True))
        if answer.state not in LEAVES_ESCROW_ALONE:
            self._announced = None
        match answer.state:
            case State.STACKED:
                self._clear_pending = True
                self._emit(Stacked(answer.detail or 0, self.values.get(answer.detail or 0), found.raw))
            case State.RETURNED:
                self._clear_pending = True
                self._emit(Returned(found.raw))
            case State.IDLING | State.DISABLED:
                self._idle(changed)
            case _ if answer.state in POWER_UP and changed:
                self._came_back(found)
            case State.INITIALIZE if self.phase is Phase.RUNNING:
                self._restart()
            case _ if changed:
                self._report_new(answer, found)
            case _:
                pass

    def _report_new(self, answer: PollAnswer, found: Frame) -> None:
        match answer.state:
            case State.ACCEPTING:
                self._clear_pending = True
                self._emit(Accepting())
            case State.ESCROW if self._announced != answer:
                self._announced = answer
                note_type = answer.detail or 0
                self._emit(Escrowed(note_type, self.values.get(note_type), found.raw, self._table_hash))
            case State.STACKING:
                self._emit(Stacking())
            case State.REJECTING:
                self._clear_pending = True
                self._emit(Rejected(REJECT_REASONS.get(answer.detail or 0, f"reason-{answer.detail or 0:02x}")))
            case _ if answer.state in TROUBLE:
                self._emit(Trouble(trouble_word(answer)))
                if answer.state in STUCK:
                    self._restart()
            case _:
                pass

    def _restart(self) -> None:
        """The device begins anew, or must: it is settled and read again before it takes another note."""
        if self.phase is Phase.RUNNING:
            self.phase = Phase.SETTLING

    def _came_back(self, found: Frame) -> None:
        """A power cut at the device alone: what it says now is reported before anything is done to it."""
        self.phase = Phase.KNOCKING
        self._last_reset = None
        self._clear_pending = False
        self._forget()
        self._fail_wanted()
        if self._state is not None:
            self._first_answer(self._state, found)

    # --- idle, and what is asked there ------------------------------------------------------------------------------

    def _idle(self, changed: bool) -> None:
        if self.phase is Phase.SETTLING:
            if self._state is not None and self._state.state is State.DISABLED:
                self.phase = Phase.READING
                self._questions.extend((Command.IDENTIFICATION, Command.GET_NOTE_TABLE, Command.COUNT_STACKED))
            elif not self._wanted:
                self._wanted.append(Do(CashCommand.DISABLE, own=True))
        elif self._clear_pending and (self.stacked_counter is not None or changed):
            self._clear_pending = False
            self._questions.append(Command.COUNT_STACKED)

    def _learn(self, answer: Identification | NoteTable | StackedCount, now: float) -> None:
        self._tries = 0
        match answer:
            case Identification(part, serial, _):
                simulated = part.startswith(_SIMULATED_PART)
                self.identity = DeviceIdentity("ccnet", part, DeviceSerial(serial), "", simulated)
            case NoteTable(values, raw):
                self.values, self._table_hash = values, sha256(raw).digest()
            case StackedCount(count):
                self.stacked_counter = count
                self._answered_all(now)

    def _answered_all(self, now: float) -> None:
        """The count is always the last question of a round."""
        self._next_send = now + self.timing.quiet
        if self.phase is Phase.KNOCKING:
            self._report_presence()
        elif self.phase is Phase.READING and self.identity is not None:
            self.phase = Phase.RUNNING
            self._clear_pending = False
            self._emit(Ready(self.identity, self.values, self._table_hash, self.stacked_counter))
        elif self.phase is Phase.RUNNING:
            idling = self._state is not None and self._state.state is State.IDLING
            self._emit(Cleared(self.stacked_counter, idling))

    def _emit(self, event: CashEvent) -> None:
        self._out.append(Emit(event))
