"""The host's side as a pure state machine: what it must tell, and when, stands in drivers/README.md."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

from drivers.api.cash import (
    Accepting,
    Answered,
    CashCapabilities,
    CashCommand,
    Cleared,
    Completed,
    Escrowed,
    Lost,
    Presence,
    Ready,
    Refusal,
    Rejected,
    Returned,
    Stacked,
    Stacking,
    Trouble,
    TroubleKind,
)
from drivers.api.device import DeviceIdentity
from drivers.cash.connection import Phase
from drivers.cash.dialogue import Dialogue
from drivers.cash.exchange import Exchange
from drivers.cash.orders import MOVES_NOTE, Orders
from drivers.cash.patience import Patience
from drivers.cash.slot import SHUTS_ITSELF, Found, Slot
from drivers.cash.steps import Do, Send
from guichet.ids import DeviceSerial
from guichet.money import Money
from tests.conformance.acme.framing import Deframer, Line, line
from tests.conformance.acme.messages import OK, MessageError, State, Status, Who, status_of, table_of, who_of

ANSWER, QUIET, LOST, TRIES, START_AGAIN = 0.5, 0.02, 6.0, 3, 10.0
IDLE = frozenset({State.SHUT, State.OPEN})
UP = frozenset({State.UP_EMPTY, State.UP_ENTRY, State.UP_BOX})
PASSING = frozenset({State.BUSY, State.REJECTING, State.PAUSED, State.CHEATED})
STUCK = frozenset({State.JAM, State.FAILED})
PRESENCE: Mapping[State, Presence] = {
    **dict.fromkeys((State.UP_EMPTY, State.SHUT, State.OPEN, State.FULL), Presence.PATH_EMPTY),
    **dict.fromkeys((State.UP_ENTRY, State.BACK, State.RETURNED), Presence.RETURNABLE),
    **dict.fromkeys((State.UP_BOX, State.IN, State.TO_BOX, State.OUT), Presence.MOVING),
    State.ESCROW: Presence.IN_ESCROW,
    State.STACKED: Presence.STACKED,
}
TROUBLE: Mapping[State, Trouble] = {
    State.FULL: Trouble(TroubleKind.BOX_FULL),
    State.OUT: Trouble(TroubleKind.BOX_REMOVED),
    State.JAM: Trouble(TroubleKind.JAM, "transport"),
    State.FAILED: Trouble(TroubleKind.FAILURE, "motor"),
    State.PAUSED: Trouble(TroubleKind.PAUSE),
    State.CHEATED: Trouble(TroubleKind.CHEATED),
}
LASTING: Mapping[State, Trouble] = {
    **dict.fromkeys((State.IN, State.TO_BOX), Trouble(TroubleKind.JAM, "transport")),
    **dict.fromkeys((State.BACK, State.REJECTING), Trouble(TroubleKind.JAM, "mouth")),
    **{state: Trouble(TroubleKind.FAILURE, f"stays-{state.value.lower()}") for state in (*UP, *PASSING)},
}
LIMITS = {**dict.fromkeys(LASTING, 30.0), **dict.fromkeys(UP, 40.0), State.BACK: 120.0}
ON_THE_WIRE = {
    CashCommand.ENABLE: "OPEN", CashCommand.DISABLE: "SHUT", CashCommand.STACK: "STACK", CashCommand.RETURN: "RETURN",
}  # fmt: skip
OPEN = Do(CashCommand.ENABLE, own=True)


class Machine(Dialogue[str]):
    """One connection to one device."""

    capabilities = CashCapabilities(counter_modulus=65536)

    def __init__(self, poll: float) -> None:
        super().__init__(Exchange(LOST))
        self._poll = poll
        self._lines = Deframer()
        self._number = 0
        self._orders = Orders(self._completed)
        self._slot = Slot()
        self._patience = Patience(LIMITS, 120.0, LASTING)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.phase = Phase.KNOCKING
        self._state: Status | None = None
        self._first: Line | None = None
        self._done: int | None = None
        self._questions: deque[str] = deque()
        self._identity: DeviceIdentity | None = None
        self._counted = 0
        self._values: Mapping[int, Money] = {}
        self._hash = b""
        self._announced = self._clear_pending = self._looked = False
        self._start_at = self._tries = 0
        self._patience.forget()
        self._slot.forget()
        self._orders.fail_all(Refusal.LOST)

    # --- what the caller wants --------------------------------------------------------------------------------------

    def _post(self, order: Do, now: float) -> None:
        self._slot.posted(order.command)
        self._orders.post(order)
        self._line.hurry(now + QUIET)

    def _completed(self, completion: Completed) -> None:
        self._slot.completed(completion)
        self._emit(completion)

    def _complete(self, refused: Refusal | None = None) -> None:
        self._tries = 0
        self._orders.complete(refused)

    def _proceed(self, now: float) -> None:
        if self.phase is not Phase.REPORTED or self._state is None:
            return
        self.phase, self._clear_pending, self._line.next_at = Phase.SETTLING, True, now
        self._patience.begin(now)
        if self._state.state in TROUBLE:
            self._emit(TROUBLE[self._state.state])

    def _acknowledge(self, now: float) -> None:
        if self._state is not None and self._state.event and self.phase is not Phase.KNOCKING:
            self._done, self._line.next_at = self._state.event, now

    # --- sending ----------------------------------------------------------------------------------------------------

    def _send_next(self, now: float) -> None:
        if self._done is not None:
            self._ask(f"DONE {self._done}", now)
        elif self.phase is Phase.REPORTED:
            self._line.next_at = None
        elif self._questions:
            self._ask(self._questions.popleft(), now)
        elif self.phase is Phase.SETTLING and self._is(UP) and now >= self._start_at:
            self._start_at = now + START_AGAIN
            self._ask("START", now)
        elif self._may_do():
            self._do(now)
        else:
            self._ask("STATUS", now)

    def _is(self, states: frozenset[State]) -> bool:
        return self._state is not None and self._state.state in states

    def _may_do(self) -> bool:
        ready = self.phase in (Phase.SETTLING, Phase.RUNNING) and self._looked and not self._orders.unconfirmed
        return ready and self._orders.first is not None

    def _do(self, now: float) -> None:
        order = self._orders.first
        if order is None:
            return
        self._line.next_at = now
        if order.command in MOVES_NOTE and not self._is(frozenset({State.ESCROW})):
            self._complete(Refusal.NO_NOTE_IN_ESCROW)
        elif order.command is CashCommand.ENABLE and self.phase is not Phase.RUNNING:
            self._complete(Refusal.NOT_READY)
        elif order == OPEN and not self._slot.wanted:
            self._complete()
        else:
            self._looked = order.command not in MOVES_NOTE
            self._ask(ON_THE_WIRE[order.command], now)

    def _ask(self, text: str, now: float) -> None:
        self._number = (self._number + 1) % 10
        self._line.ask(text, now, ANSWER)
        self._out.append(Send(line(self._number, text)))

    def _unanswered(self, asked: str, now: float) -> None:
        self._lines.clear()
        self._line.give_up(now, self._poll)
        self._looked = False
        if asked in ("STACK", "RETURN"):
            self._orders.unconfirmed = True
        elif asked in ("OPEN", "SHUT"):
            self._slot_refused(Refusal.NO_ANSWER)
        elif asked in ("WHO", "TABLE"):
            self._questions.appendleft(asked)
        if self._line.falls_silent(now):
            self._lose("silent")

    def _slot_refused(self, refusal: Refusal) -> None:
        self._tries += 1
        if self._tries >= TRIES:
            self._complete(refusal)

    def _lose(self, code: str) -> None:
        self._begin_anew()
        self._emit(Lost(code))

    # --- receiving --------------------------------------------------------------------------------------------------

    def _receive(self, data: bytes, now: float) -> None:
        for found in self._lines.feed(data):
            asked = self._line.asked
            if asked is not None and isinstance(found, Line) and found.number == self._number:
                self._line.answered(now, self._poll)
                self._hear(asked, found, now)
                if self._done is not None or self._questions or self._may_do():
                    self._line.hurry(now + QUIET)

    def _hear(self, asked: str, found: Line, now: float) -> None:
        try:
            match asked:
                case "STATUS":
                    self._polled(status_of(found.text), found, now)
                case "WHO":
                    self._is_who(who_of(found.text))
                case "TABLE":
                    self._values, self._hash = table_of(found.text), sha256(found.text.encode()).digest()
                    self._read()
                case "STACK" | "RETURN" if found.text != OK:
                    self._orders.unconfirmed = True
                case "OPEN" | "SHUT" if found.text != OK:
                    self._slot_refused(Refusal.REFUSED)
                case "STACK" | "RETURN" | "OPEN" | "SHUT":
                    self._complete()
                case "START":
                    pass
                case _:
                    self._done = None
        except MessageError:
            self._lose("useless")

    def _polled(self, status: Status, found: Line, now: float) -> None:
        before, self._state, self._looked = self._state, status, True
        self._patience.saw(status.state, now)
        if status.state is State.OPEN:
            self._slot.saw_open()
        match self.phase:
            case Phase.KNOCKING:
                self._first_answer(found, now)
            case Phase.READING if status.state is not State.SHUT:
                self._questions.clear()
                self.phase = Phase.SETTLING
                self._follow(before, status, found, now)
            case Phase.SETTLING | Phase.RUNNING:
                if self._orders.unconfirmed and status.state not in PASSING:
                    self._complete(Refusal.NOT_DONE if status.state is State.ESCROW else None)
                self._follow(before, status, found, now)
            case Phase.REPORTED | Phase.READING:
                pass

    def _first_answer(self, found: Line, now: float) -> None:
        if self._is(PASSING) and not self._patience.is_over(now):
            return
        self._first = found
        self._questions = deque(("WHO",))

    def _is_who(self, who: Who) -> None:
        self._identity = DeviceIdentity("acme", who.model, DeviceSerial(who.serial), "", simulated=True)
        self._counted = who.counted
        if self.phase is Phase.KNOCKING and self._state is not None and self._first is not None:
            self.phase, self._announced = Phase.REPORTED, self._state.state is State.ESCROW
            presence, kind = PRESENCE.get(self._state.state, Presence.JAMMED), self._state.note_type or None
            self._emit(Answered(self._identity, presence, self._first.raw, kind, who.counted))
        elif self.phase is Phase.RUNNING and self._is(IDLE):
            self._emit(Cleared(who.counted, self._is(frozenset({State.OPEN}))))
        elif self.phase is Phase.RUNNING:
            self._clear_pending = True

    def _read(self) -> None:
        if self.phase is Phase.READING and self._identity is not None:
            self.phase, self._clear_pending = Phase.RUNNING, False
            self._emit(Ready(self._identity, self._values, self._hash, self._counted))

    # --- what a status tells ----------------------------------------------------------------------------------------

    def _follow(self, before: Status | None, status: Status, found: Line, now: float) -> None:
        changed, state = before != status, status.state
        if changed and before is not None and before.state in TROUBLE:
            trouble = TROUBLE[before.state]
            self._emit(replace(trouble, over=True))
            self._restart(trouble)
        if (news := self._patience.news(now)) is not None:
            self._emit(news)
            self._restart(news)
        if state in UP and changed:
            self._begin_anew()
            self._state = status
            self._first_answer(found, now)
            return
        if state is State.BUSY and self.phase is Phase.RUNNING:
            self._lose("restarted")
            return
        self._tell(status, found, changed=changed)
        if state in TROUBLE and changed:
            self._emit(TROUBLE[state])
            if state in STUCK:
                self._restart(TROUBLE[state])
        if state in IDLE:
            self._idle(now)

    def _restart(self, trouble: Trouble) -> None:
        if self.phase is Phase.RUNNING and trouble.kind.stops_acceptance:
            self.phase = Phase.SETTLING

    def _tell(self, status: Status, found: Line, *, changed: bool) -> None:
        kind, value = status.note_type, self._values.get(status.note_type)
        self._announced &= status.state in (State.ESCROW, State.PAUSED, State.CHEATED)
        self._clear_pending |= status.state not in (*IDLE, *UP, *TROUBLE, State.BUSY)
        match status.state:
            case State.STACKED:
                self._emit(Stacked(kind, value, found.raw))
            case State.RETURNED:
                self._emit(Returned(found.raw))
            case State.IN if changed:
                self._emit(Accepting())
            case State.ESCROW if not self._announced:
                self._announced = True
                self._emit(Escrowed(kind, value, found.raw, self._hash))
            case State.TO_BOX if changed:
                self._emit(Stacking())
            case State.REJECTING if changed:
                self._emit(Rejected("not-recognised"))
            case _:
                pass

    def _idle(self, now: float) -> None:
        shut = self._is(frozenset({State.SHUT}))
        if self._slot.given_up:
            if self._slot.recovers(now):
                self._emit(replace(SHUTS_ITSELF, over=True))
        elif self.phase is Phase.SETTLING and shut:
            self.phase = Phase.READING
            self._questions.extend(("WHO", "TABLE"))
        elif self.phase is Phase.SETTLING and not self._orders:
            self._orders.post(Do(CashCommand.DISABLE, own=True))
        elif self.phase is Phase.RUNNING and self._clear_pending:
            self._clear_pending = False
            self._questions.append("WHO")
        elif self.phase is Phase.RUNNING and shut and not self._orders:
            self._found_shut(now)

    def _found_shut(self, now: float) -> None:
        match self._slot.found_shut(now):
            case Found.AS_ORDERED:
                self._tell_shut()
            case Found.BY_ITSELF:
                self._orders.post(OPEN)
            case Found.TOO_OFTEN:
                self._slot.give_up(now)
                self._emit(SHUTS_ITSELF)
                self._restart(SHUTS_ITSELF)
            case Found.OPENING:
                pass
