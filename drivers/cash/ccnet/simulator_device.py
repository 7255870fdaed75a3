"""A CCNET validator in software: the other end of the codec, stateful, with paper in it.

It moves with time: every call passes the time and first lets happen what is due. Its enabled types are lost at a power
cut, its counter and the places of its notes are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
from drivers.simulation.notes import PhysicalNote, Place, Vault

ESCROW_SECONDS = 10.0
_IDENTIFIES_IN = frozenset(
    {State.POWER_UP, State.POWER_UP_NOTE_IN_VALIDATOR, State.POWER_UP_NOTE_IN_STACKER, State.INITIALIZE,
     State.DISABLED, State.FAILURE}
)  # fmt: skip
_IDENTIFICATION_ERROR = 0x65
_INHIBITED = 0x68


@dataclass(slots=True)
class Faults:
    """What goes wrong next. ``garbage`` and ``lost``: how many answers arrive damaged or not at all; ``jam``: the next
    note that is stacked sticks; ``mute``: says nothing; ``forgets_count``: no counter command in this firmware;
    ``remembers_credit``: an event that was not acknowledged survives a power cut.
    """

    garbage: int = 0
    lost: int = 0
    jam: bool = False
    mute: bool = False
    forgets_count: bool = False
    remembers_credit: bool = False


@dataclass(slots=True)
class Validator:
    """The device. ``stage_seconds`` is how long one movement of paper takes."""

    vault: Vault
    table: NoteTable
    serial: str
    stage_seconds: float = 0.3
    faults: Faults = field(default_factory=Faults)
    powered: bool = True
    state: State = State.POWER_UP
    _detail: int | None = None
    _due: float | None = None
    _enabled: frozenset[int] = frozenset()
    _escrow: frozenset[int] = frozenset()
    _held: PollAnswer | None = None
    _told: bool = False
    _unacknowledged: PhysicalNote | None = None
    _deframer: Deframer = field(default_factory=Deframer)

    def __post_init__(self) -> None:
        self._wake()

    # --- what people do ---------------------------------------------------------------------------------------------

    def insert(self, face: str, note_type: int, now: float, *, readable: bool = True) -> PhysicalNote:
        """A customer pushes a note in. Raises ValueError where the mouth does not take it."""
        self.advance(now)
        if not self.powered or self.state is not State.IDLING:
            raise ValueError(f"the slot is closed ({'no power' if not self.powered else self.state.name.lower()})")
        note = self.vault.move(self.vault.bring(face, note_type, readable=readable), Place.HEAD)
        self._go(State.ACCEPTING, now)
        return note

    def cut_power(self, now: float) -> None:
        """Everything stops where it is."""
        self.advance(now)
        self.powered = False

    def restore_power(self, now: float) -> None:
        """It comes up, knowing only where its sensors see paper."""
        if not self.powered:
            self.powered = True
            self._wake()

    def exchange_box(self, name: str | None, now: float) -> None:
        """None: the box is taken out; a name: that one is put in."""
        self.advance(now)
        if name is None:
            self._settle(State.BOX_REMOVED)
            return
        if name != self.vault.box:
            self.vault.exchange_box(name)
        self._enabled = self._escrow = frozenset()
        self._go(State.INITIALIZE, now)

    def trouble(self, state: State, now: float) -> None:
        """Show a state that a person must look at: box full, cheated (which passes), failure."""
        self.advance(now)
        if state is State.CHEATED:
            self._go(state, now)
        else:
            self._settle(state, 0x50 if state is State.FAILURE else None)

    def free_jam(self, now: float) -> None:
        """An engineer takes the stuck note out by hand: it goes to custody, and the path is clear."""
        self.advance(now)
        note = self.vault.inside()
        if note is not None:
            self.vault.move(note, Place.CUSTODY)
        self._settle(State.POWER_UP)

    def _wake(self) -> None:
        note = self.vault.inside()
        self._enabled = self._escrow = frozenset()
        self._held, self._told, self._due = None, False, None
        if note is None and self.faults.remembers_credit and self._unacknowledged is not None:
            self._settle(State.POWER_UP_NOTE_IN_STACKER)
        elif note is None:
            self._unacknowledged = None
            self._settle(State.POWER_UP)
        elif note.place is Place.TRANSPORT:
            self._settle(State.POWER_UP_NOTE_IN_STACKER)
        else:
            self._settle(State.POWER_UP_NOTE_IN_VALIDATOR)

    # --- time -------------------------------------------------------------------------------------------------------

    def advance(self, now: float) -> None:
        """Let happen what is due at ``now``."""
        while self.powered and self._due is not None and now >= self._due:
            due, self._due = self._due, None
            self._arrive(due)

    def _arrive(self, now: float) -> None:
        note = self.vault.inside()
        match self.state:
            case State.ACCEPTING if note is not None:
                self._judge(note, now)
            case State.ESCROW:
                self._go(State.RETURNING, now)
            case State.CHEATED if note is not None:
                self._go(State.STACKING if note.place is Place.TRANSPORT else State.RETURNING, now)
            case State.STACKING if note is not None:
                self._reach_box(note)
            case State.RETURNING if note is not None:
                self.vault.move(note, Place.HAND)
                self._hold(PollAnswer(State.RETURNED, note.note_type))
            case State.REJECTING if note is not None:
                self.vault.move(note, Place.HAND)
                self._rest()
            case State.INITIALIZE:
                self._initialised(note)
            case _:
                self._rest()

    def _judge(self, note: PhysicalNote, now: float) -> None:
        if not note.readable:
            self._go(State.REJECTING, now, _IDENTIFICATION_ERROR)
        elif note.note_type not in self._enabled:
            self._go(State.REJECTING, now, _INHIBITED)
        elif note.note_type in self._escrow:
            self.vault.move(note, Place.ESCROW)
            self._settle(State.ESCROW, note.note_type)
            self._due = now + ESCROW_SECONDS
        else:
            self.vault.move(note, Place.TRANSPORT)
            self._go(State.STACKING, now)

    def _reach_box(self, note: PhysicalNote) -> None:
        if self.faults.jam:
            self.faults.jam = False
            self._settle(State.JAM_BOX)
            return
        self._unacknowledged = self.vault.move(note, Place.BOX)
        self._hold(PollAnswer(State.STACKED, note.note_type))

    def _initialised(self, note: PhysicalNote | None) -> None:
        """The end of RESET: what lies before the point of no return was given back, what lies past it is stacked."""
        if note is not None and note.place is Place.TRANSPORT:
            self._reach_box(note)
        elif self._unacknowledged is not None and self.faults.remembers_credit:
            self._hold(PollAnswer(State.STACKED, self._unacknowledged.note_type))
        else:
            if note is not None:
                self.vault.move(note, Place.HAND)
            self._rest()

    def _go(self, state: State, now: float, detail: int | None = None) -> None:
        self._settle(state, detail)
        self._due = now + self.stage_seconds

    def _settle(self, state: State, detail: int | None = None) -> None:
        self.state, self._detail, self._due = state, detail, None

    def _hold(self, event: PollAnswer) -> None:
        self._settle(event.state, event.detail)
        self._held = event

    def _rest(self) -> None:
        if self._held is not None:
            self._settle(self._held.state, self._held.detail)
            return
        self._settle(State.IDLING if self._enabled else State.DISABLED)

    # --- the wire ---------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> bytes:
        """What it answers to ``data``; empty where it keeps silent."""
        self.advance(now)
        if not self.powered or self.faults.mute:
            self._deframer.clear()
            return b""
        return b"".join(self._answer_frame(found, now) for found in self._deframer.feed(data))

    def _answer_frame(self, found: Frame | Noise, now: float) -> bytes:
        if isinstance(found, Noise):
            return frame(encode_answer(NotAcknowledged())) if found.damaged else b""
        try:
            request = decode_request(found.payload)
        except MessageError:
            return self._disturbed(frame(encode_answer(Illegal())))
        answer = self._answer(request, now)
        # An acknowledgement is for the answer just given: one that a new event overtook does not let the event go.
        self._told = answer is not None and answer == self._held
        return b"" if answer is None else self._disturbed(frame(encode_answer(answer)))

    def _disturbed(self, answer: bytes) -> bytes:
        if self.faults.lost:
            self.faults.lost -= 1
            return b""
        if self.faults.garbage:
            self.faults.garbage -= 1
            return answer[:-1] + bytes((answer[-1] ^ 0xFF,))
        return answer

    def _answer(self, request: Request, now: float) -> Answer | None:
        match request.command:
            case Command.ACK:
                self._acknowledged()
                return None
            case Command.NAK:
                return None
            case Command.POLL:
                return PollAnswer(self.state, self._detail)
            case Command.RESET:
                return self._reset(now)
            case Command.ENABLE_NOTE_TYPES:
                return self._enable(request)
            case Command.STACK | Command.RETURN:
                return self._decide(request.command, now)
            case Command.HOLD if self.state is State.ESCROW:
                self._due = now + ESCROW_SECONDS
                return Acknowledged()
            case Command.SET_SECURITY:
                return Acknowledged()
            case Command.IDENTIFICATION if self.state in _IDENTIFIES_IN:
                return Identification("GUICHET-SIM-CC", self.serial, b"")
            case Command.GET_NOTE_TABLE if self.state in _IDENTIFIES_IN:
                return self.table
            case Command.COUNT_STACKED if not self.faults.forgets_count:
                return StackedCount(self.vault.counter)
            case Command.GET_STATUS:
                return EnabledTypes(self._enabled, frozenset())
            case _:
                return Illegal()

    def _acknowledged(self) -> None:
        if self._held is not None and self._told:
            self._held = None
            self._unacknowledged = None
            self._rest()

    def _reset(self, now: float) -> Answer:
        self._enabled = self._escrow = frozenset()
        if self.state is not State.JAM_BOX:
            self._held = None
            self._go(State.INITIALIZE, now)
        return Acknowledged()

    def _enable(self, request: Request) -> Answer:
        supported = frozenset(self.table.values) | _unnamed_types(self.table.values)
        self._enabled, self._escrow = request.enabled & supported, request.escrow
        if self.state in (State.IDLING, State.DISABLED):
            self._rest()
        return Acknowledged()

    def _decide(self, command: Command, now: float) -> Answer:
        note = self.vault.inside()
        if self.state is not State.ESCROW or note is None:
            return Illegal()
        if command is Command.STACK:
            self.vault.move(note, Place.TRANSPORT)
            self._go(State.STACKING, now)
        else:
            self._go(State.RETURNING, now)
        return Acknowledged()


def _unnamed_types(values: Mapping[int, object]) -> frozenset[int]:
    """A type that the device recognises but its table does not name: the one after the last named."""
    return frozenset({max(values, default=0) + 1})
