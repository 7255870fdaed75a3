"""A CCNET validator in software: what the metal does, as this protocol says it.

Its enabled types are lost at a power cut; its counter, where its notes are and, in units that have it, an event that
was not acknowledged, are not (CashCode NET 2.6, power recovery).
"""

from __future__ import annotations

from collections.abc import Mapping

from drivers.cash.ccnet.framing import Deframer, Frame, Noise, frame
from drivers.cash.ccnet.messages import (
    Acknowledged,
    Answer,
    Command,
    EnabledTypes,
    Identification,
    Illegal,
    MessageError,
    NotAcknowledged,
    NoteTable,
    PollAnswer,
    Request,
    StackedCount,
    State,
    decode_request,
    encode_answer,
)
from drivers.cash.ccnet.states import IN_ESCROW
from drivers.simulation.cash_device import Order, SimulatedCash
from drivers.simulation.mechanism import Box, Moved, Step, Verdict
from drivers.simulation.notes import PhysicalNote, Place, Vault
from drivers.simulation.script import Rule
from guichet.money import Money

_IDENTIFIES_IN = frozenset(
    {State.POWER_UP, State.POWER_UP_NOTE_IN_VALIDATOR, State.POWER_UP_NOTE_IN_STACKER, State.INITIALIZE,
     State.DISABLED, State.FAILURE}
)  # fmt: skip
_IDENTIFICATION_ERROR = 0x65
_INHIBITED = 0x68
_STACK_MOTOR = 0x50
_UNACKNOWLEDGED = "unacknowledged"

_STATES: Mapping[Step, State] = {
    Step.DRAWING_IN: State.ACCEPTING,
    Step.ESCROW: State.ESCROW,
    Step.STACKING: State.STACKING,
    Step.RETURNING: State.RETURNING,
    Step.REJECTING: State.REJECTING,
    Step.INITIALISING: State.INITIALIZE,
    Step.PAUSED: State.PAUSE,
    Step.CHEATED: State.CHEATED,
}


class Validator(SimulatedCash):
    """The device. ``forgets_count``: no counter command in this firmware. ``remembers_credit``: an event that was not
    acknowledged survives a power cut. ``ack_within``: seconds after its answer in which an acknowledgement counts, 0.01
    by the letter of CCNET; None: whenever it comes, as units in the field do (protocols/ccnet, section 3).
    """

    def __init__(
        self, vault: Vault, table: NoteTable, serial: str, stage_seconds: float = 0.3, script: tuple[Rule, ...] = ()
    ) -> None:
        super().__init__(vault, serial, stage_seconds, script)
        self.table = table
        self.forgets_count = False
        self.remembers_credit = False
        self.ack_within: float | None = None
        self._waiting: State | None = None
        self._shown: State | None = None
        self._shown_detail: int | None = None
        self._enabled: frozenset[int] = frozenset()
        self._escrow: frozenset[int] = frozenset()
        self._enabled_at_the_mouth: frozenset[int] = frozenset()
        self._held: PollAnswer | None = None
        self._on_hold = False
        self._told = False
        self._told_at = 0.0
        self._deframer = Deframer()
        self.woke(self.metal.wake())

    # --- what it says of itself -------------------------------------------------------------------------------------

    @property
    def values(self) -> Mapping[int, Money]:
        """What its note types are worth."""
        return self.table.values

    @property
    def unnamed_type(self) -> int:
        """The type after the last that its table names."""
        return max(self.table.values, default=0) + 1

    @property
    def accepts(self) -> bool:
        """The slot is open in IDLING."""
        return self.state is State.IDLING

    @property
    def waits_for_acknowledgement(self) -> bool:
        """It holds STACKED or RETURNED, or will after the next RESET."""
        return self._held is not None or self._waiting is State.POWER_UP_NOTE_IN_STACKER

    @property
    def says(self) -> str:
        """The state's name."""
        return self.state.name.lower()

    @property
    def sayings(self) -> frozenset[str]:
        """The names of all states."""
        return frozenset(state.name.lower() for state in State)

    @property
    def state(self) -> State:
        """The answer to a poll."""
        if self._shown is not None:
            return self._shown
        if self.failed:
            return State.FAILURE
        if self.metal.box is Box.OUT and self.metal.step is not Step.STACKING:
            return State.BOX_REMOVED
        if self.metal.step is Step.CHEATED:
            return State.CHEATED
        if self._held is not None:
            return self._held.state
        if self._waiting is not None:
            return self._waiting
        return self._moving_state()

    def _moving_state(self) -> State:
        step, note = self.metal.step, self.metal.note
        if step is Step.JAMMED:
            return State.JAM_BOX if note is not None and note.place is Place.TRANSPORT else State.JAM_VALIDATOR
        if step is Step.ESCROW and self._on_hold:
            return State.HOLDING
        if step is not Step.RESTING:
            return _STATES[step]
        if self.metal.box is Box.FULL:
            return State.BOX_FULL
        return State.IDLING if self._enabled else State.DISABLED

    def _detail(self) -> int | None:
        state, note = self.state, self.metal.note
        match state:
            case _ if self._shown is not None:
                return self._shown_detail
            case State.STACKED | State.RETURNED if self._held is not None:
                return self._held.detail
            case State.ESCROW if note is not None:
                return note.note_type
            case State.REJECTING:
                return self.metal.reason
            case State.FAILURE:
                return _STACK_MOTOR
            case _:
                return None

    def show(self, state: State | None, detail: int | None = None) -> None:
        """Answer polls with ``state``, whatever the metal does; None: the truth again."""
        self._shown, self._shown_detail = state, detail

    # --- what the metal does ----------------------------------------------------------------------------------------

    def judge(self, note: PhysicalNote) -> tuple[Verdict, int]:
        """Whether it is recognised and enabled, and whether its type goes through escrow."""
        if not note.readable:
            return Verdict.REJECT, _IDENTIFICATION_ERROR
        if note.note_type not in self._enabled_at_the_mouth:
            return Verdict.REJECT, _INHIBITED
        return (Verdict.ESCROW if note.note_type in self._escrow else Verdict.STACK), 0

    def insert(self, face: str, note_type: int, now: float, *, readable: bool = True) -> PhysicalNote:
        """What is disabled from here on is so for the next note; this one is finished, by the escrow bits of then."""
        self._enabled_at_the_mouth = self._enabled
        return super().insert(face, note_type, now, readable=readable)

    def moved(self, happened: Moved, note: PhysicalNote | None, now: float) -> None:
        """Events with money in them are held until they are acknowledged."""
        match happened:
            case Moved.ESCROWED:
                self._on_hold = False
            case Moved.STACKED | Moved.CLEARED_TO_BOX if note is not None:
                self.vault.remember(_UNACKNOWLEDGED, note.note_type)
                self._hold(PollAnswer(State.STACKED, note.note_type))
            case Moved.RETURNED if note is not None:
                self._hold(PollAnswer(State.RETURNED, note.note_type))
            case Moved.INITIALISED:
                self._waiting = None
                kept = self.vault.memory.get(_UNACKNOWLEDGED)
                if self._held is None and kept is not None and self.remembers_credit:
                    self._hold(PollAnswer(State.STACKED, kept))
            case _:
                pass

    def woke(self, place: Place | None) -> None:
        """It waits for RESET, and says where it sees a note."""
        self._enabled = self._escrow = frozenset()
        self._held, self._told = None, False
        self.show(None)
        kept = self.remembers_credit and _UNACKNOWLEDGED in self.vault.memory
        if place is Place.TRANSPORT or (place is None and kept):
            self._waiting = State.POWER_UP_NOTE_IN_STACKER
        elif place is not None:
            self._waiting = State.POWER_UP_NOTE_IN_VALIDATOR
        else:
            self.vault.remember(_UNACKNOWLEDGED, None)
            self._waiting = State.POWER_UP

    def box_changed(self, box: Box, now: float) -> None:
        """A box that is back has the device initialise by itself; what was enabled is lost."""
        if box is Box.IN and self.metal.step is Step.RESTING:
            self._enabled = self._escrow = frozenset()
            self.metal.reset(now)

    def _hold(self, event: PollAnswer) -> None:
        self._held = event
        self._told = False

    # --- the wire ---------------------------------------------------------------------------------------------------

    def deafen(self) -> None:
        """Forget a frame that has begun to arrive."""
        self._deframer.clear()

    def hear(self, data: bytes, now: float) -> list[bytes]:
        """One answer to each frame that is not an acknowledgement."""
        answers = [self._answer_frame(found, now) for found in self._deframer.feed(data)]
        return [answer for answer in answers if answer]

    def _answer_frame(self, found: Frame | Noise, now: float) -> bytes:
        if isinstance(found, Noise):
            return frame(encode_answer(NotAcknowledged())) if found.damaged else b""
        try:
            request = decode_request(found.payload)
        except MessageError:
            return frame(encode_answer(Illegal()))
        answer = self._answer(request, now)
        # An acknowledgement is for the answer just given: one that a new event overtook does not let the event go.
        self._told, self._told_at = answer is not None and answer == self._held, now
        return b"" if answer is None else frame(encode_answer(answer))

    def _answer(self, request: Request, now: float) -> Answer | None:
        match request.command:
            case Command.ACK:
                if self._held is not None and self._told and not self._too_late(now):
                    self.acknowledge_arrives(now)
                return None
            case Command.NAK:
                return None
            case Command.POLL:
                return PollAnswer(self.state, self._detail())
            case Command.RESET:
                return self._reset(now)
            case Command.ENABLE_NOTE_TYPES:
                return self._enable(request)
            case Command.STACK | Command.RETURN:
                return self._decide(request.command, now)
            case Command.HOLD if self.metal.hold(now):
                self._on_hold = True
                return Acknowledged()
            case Command.SET_SECURITY:
                return Acknowledged()
            case Command.IDENTIFICATION if self.state in _IDENTIFIES_IN:
                return Identification("GUICHET-SIM-CC", self.serial, bytes(7))
            case Command.GET_NOTE_TABLE if self.state in _IDENTIFIES_IN:
                return self.table
            case Command.COUNT_STACKED if not self.forgets_count:
                return StackedCount(self.vault.counter)
            case Command.GET_STATUS:
                return EnabledTypes(self._enabled, frozenset())
            case _:
                return Illegal()

    def acknowledged(self, now: float) -> None:
        """The event that was told goes, unless a silence was taken for NAK meanwhile."""
        if self._too_late(now):
            return
        self._held, self._told = None, False
        self.vault.remember(_UNACKNOWLEDGED, None)

    def _too_late(self, now: float) -> bool:
        return self.ack_within is not None and now - self._told_at > self.ack_within

    def _reset(self, now: float) -> Answer:
        self.on_order(Order.RESET)
        self._enabled = self._escrow = frozenset()
        if self.state is not State.JAM_BOX or self.metal.loosens:
            self._held = None
            self.failed = False
            self.show(None)
            self._waiting = None
            self.metal.reset(now)
        return Acknowledged()

    def _enable(self, request: Request) -> Answer:
        supported = frozenset(self.table.values) | {self.unnamed_type}
        self._enabled, self._escrow = request.enabled & supported, request.escrow
        return Acknowledged()

    def _decide(self, command: Command, now: float) -> Answer:
        self.on_order(Order.STACK if command is Command.STACK else Order.RETURN)
        if self.state not in IN_ESCROW:
            return Illegal()
        done = self.metal.stack(now) if command is Command.STACK else self.metal.give_back(now)
        if done:
            self.stepped(now)
        return Acknowledged() if done else Illegal()
