"""An ID-003 validator in software: what the metal does, as this protocol says it.

What it was set to is lost at a power cut; where its notes are is not. Where no source says what a unit does, or sources
differ, both behaviours are there to be chosen (protocols/id003, 8.3, 10 and 12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.cash.id003.framing import Deframer, Frame, Noise, frame
from drivers.cash.id003.messages import (
    SETTINGS,
    Acknowledged,
    Answer,
    Command,
    CommunicationError,
    Invalid,
    MessageError,
    NoteTable,
    Request,
    SerialNumber,
    Setting,
    State,
    Status,
    Version,
    decode_request,
    encode_answer,
    set_of,
)
from drivers.cash.id003.states import IDLE, IN_ESCROW, POWER_UP
from drivers.simulation.cash_device import Order, SimulatedCash
from drivers.simulation.mechanism import Box, Moved, Step, Verdict
from drivers.simulation.notes import PhysicalNote, Place, Vault
from drivers.simulation.script import Rule
from guichet.money import Money

_FIRST_CODE, _CODES = 0x61, 16
_NOT_RECOGNISED, _INHIBITED_OR_UNDECIDED = 0x76, 0x79
_STACK_MOTOR = 0xA2
_POWER_RECOVERY = 0x02
_INITIALISING_SECONDS = 0.5
_UNACKNOWLEDGED = "unacknowledged"
_AFTER_RESET: Mapping[Command, bytes] = {
    **{command: bytes(size) for command, size in SETTINGS.items()},
    Command.SET_DENOMINATIONS: b"\xff\xff",
    Command.SET_INHIBIT: b"\x01",
}

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


@dataclass(slots=True)
class Firmware:
    """How units differ.

    ``recovers``: the power-recovery option works; without it a note past the point of no return is stacked in silence.
    ``remembers_credit``: a VEND VALID that was not acknowledged survives a power cut. ``shows_transients``: STACKING
    and STACKED last long enough to be seen. ``knows_serial``: has the serial-number command. ``says_invalid``: answers
    a command that it does not know. ``tells_later``: identity and note table are told after power-up, too.
    ``ack_patience``: seconds after which an acknowledgement comes too late, and the unit says nothing more until it is
    reset; None: never. ``after_box``: what it says when the box is back. ``accepts_wait``: WAIT is answered with ACK.
    """

    recovers: bool = True
    remembers_credit: bool = False
    shows_transients: bool = True
    knows_serial: bool = True
    says_invalid: bool = True
    tells_later: bool = True
    ack_patience: float | None = None
    after_box: State = State.INITIALIZE
    accepts_wait: bool = False


class Validator(SimulatedCash):
    """The device."""

    def __init__(
        self,
        vault: Vault,
        table: NoteTable,
        serial: str,
        stage_seconds: float = 0.3,
        script: tuple[Rule, ...] = (),
        firmware: Firmware | None = None,
    ) -> None:
        super().__init__(vault, serial, stage_seconds, script)
        self.table = table
        self.firmware = firmware or Firmware()
        self._waiting: State | None = None
        self._shown: Status | None = None
        self._set: dict[Command, bytes] = dict(_AFTER_RESET)
        self._held_since: float | None = None
        self._told = False
        self._hangs = False
        self._on_hold = False
        self._undecided = False
        self._vended_early = False
        self._stacked_to_show = False
        self._deframer = Deframer()
        self.woke(self.metal.wake())

    # --- what it says of itself -------------------------------------------------------------------------------------

    @property
    def values(self) -> Mapping[int, Money]:
        """What its note types are worth."""
        return self.table.values

    @property
    def unnamed_type(self) -> int:
        """The first escrow code that its table does not name."""
        return next(code for code in range(_FIRST_CODE, _FIRST_CODE + _CODES) if code not in self.table.values)

    @property
    def accepts(self) -> bool:
        """The slot is open in IDLING."""
        return self.state is State.IDLING

    @property
    def waits_for_acknowledgement(self) -> bool:
        """It holds VEND VALID."""
        return self._held_since is not None

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
            return self._shown.state
        if self.failed:
            return State.FAILURE
        if self.metal.box is Box.OUT and self.metal.step is not Step.STACKING:
            return State.BOX_REMOVED
        if self.metal.step is Step.CHEATED:
            return State.CHEATED
        if self._held_since is not None:
            return State.VEND_VALID
        if self._waiting is not None:
            return self._waiting
        return self._moving_state()

    def _moving_state(self) -> State:
        step, note = self.metal.step, self.metal.note
        match step:
            case Step.JAMMED:
                return State.JAM_STACKER if note is not None and note.place is Place.TRANSPORT else State.JAM_ACCEPTOR
            case Step.ESCROW if self._on_hold:
                return State.HOLDING
            case Step.RETURNING if self._undecided:
                return State.REJECTING
            case Step.RESTING:
                return self._resting_state()
            case _:
                return _STATES[step]

    def _resting_state(self) -> State:
        if self._stacked_to_show:
            return State.STACKED
        if self.metal.box is Box.FULL:
            return State.BOX_FULL
        return State.DISABLED if self._set[Command.SET_INHIBIT][0] & 1 else State.IDLING

    def _status(self) -> Status:
        state, note = self.state, self.metal.note
        match state:
            case _ if self._shown is not None:
                return self._shown
            case State.ESCROW if note is not None:
                return Status(state, bytes((note.note_type,)))
            case State.REJECTING:
                return Status(state, bytes((_INHIBITED_OR_UNDECIDED if self._undecided else self.metal.reason,)))
            case State.FAILURE:
                return Status(state, bytes((_STACK_MOTOR,)))
            case _:
                return Status(state)

    def show(self, state: State | None, data: bytes = b"") -> None:
        """Answer polls with ``state``, whatever the metal does; None: the truth again."""
        self._shown = None if state is None else Status(state, data)

    # --- what the metal does ----------------------------------------------------------------------------------------

    def judge(self, note: PhysicalNote) -> tuple[Verdict, int]:
        """Whether it is recognised and enabled."""
        bit = note.note_type - _FIRST_CODE
        if not note.readable or not 0 <= bit < _CODES:
            return Verdict.REJECT, _NOT_RECOGNISED
        if int.from_bytes(self._set[Command.SET_DENOMINATIONS], "little") >> bit & 1:
            return Verdict.REJECT, _INHIBITED_OR_UNDECIDED
        return Verdict.ESCROW, 0

    def moved(self, happened: Moved, note: PhysicalNote | None, now: float) -> None:
        """VEND VALID is held until it is acknowledged."""
        match happened:
            case Moved.ESCROWED:
                self._on_hold = self._undecided = self._vended_early = False
            case Moved.STACKED if not self._vended_early:
                self._hold(now)
            case Moved.CLEARED_TO_BOX if self.firmware.recovers and self._set[Command.SET_OPTIONS][0] & _POWER_RECOVERY:
                self._hold(now)
            case Moved.ESCROW_OVER:
                self._undecided = True
            case Moved.INITIALISED:
                self._waiting = None
                if self.firmware.remembers_credit and _UNACKNOWLEDGED in self.vault.memory:
                    self._hold(now)
            case _:
                pass

    def woke(self, place: Place | None) -> None:
        """It waits for RESET, and says where it sees a note."""
        self._set = dict(_AFTER_RESET)
        self._held_since, self._told, self._hangs = None, False, False
        self._on_hold = self._undecided = self._vended_early = self._stacked_to_show = False
        self.show(None)
        kept = self.firmware.remembers_credit and _UNACKNOWLEDGED in self.vault.memory
        if place is Place.TRANSPORT or (place is None and kept):
            self._waiting = State.POWER_UP_NOTE_IN_STACKER
        elif place is not None:
            self._waiting = State.POWER_UP_NOTE_IN_ACCEPTOR
        else:
            self._waiting = State.POWER_UP
        if not kept:
            self.vault.remember(_UNACKNOWLEDGED, None)

    def box_changed(self, box: Box, now: float) -> None:
        """A box that is back has most units begin anew; no capture shows how."""
        if box is not Box.IN or self.metal.step is not Step.RESTING:
            return
        match self.firmware.after_box:
            case State.POWER_UP:
                self._set, self._waiting = dict(_AFTER_RESET), State.POWER_UP
            case State.INITIALIZE:
                self._initialise(now)
            case State.DISABLED:
                self._set[Command.SET_INHIBIT] = b"\x01"
            case _:
                pass

    def _hold(self, now: float) -> None:
        self.vault.remember(_UNACKNOWLEDGED, 1)
        self._held_since, self._told = now, False

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
            return frame(encode_answer(CommunicationError())) if found.damaged and not self._hangs else b""
        try:
            request = decode_request(found.payload)
        except MessageError:
            return b"" if self._hangs else frame(encode_answer(Invalid()))
        if self._hangs and request.command is not Command.RESET:
            return b""
        answer = self._answer(request, now)
        # An acknowledgement is for the VEND VALID just told, not for one that has come up since.
        self._told = isinstance(answer, Status) and self._held_since is not None and answer.state is State.VEND_VALID
        return b"" if answer is None else frame(encode_answer(answer))

    def _answer(self, request: Request, now: float) -> Answer | None:
        match request.command:
            case Command.STATUS:
                status = self._status()
                self._stacked_to_show = False
                return status
            case Command.ACK:
                self.acknowledge_arrives(now)
                return None
            case Command.RESET:
                return self._reset(now)
            case Command.STACK_1 | Command.STACK_2 | Command.RETURN | Command.HOLD:
                return self._decide(request.command, now)
            case Command.WAIT:
                return Acknowledged() if self.firmware.accepts_wait else Invalid()
            case command if command in SETTINGS:
                return self._change(request)
            case command if (setting := set_of(command)) is not None:
                return Setting(command, self._set[setting])
            case question:
                return self._tell(question)

    def _tell(self, question: Command) -> Answer | None:
        """Who it is: at power-up surely, at rest if the firmware does, never with a note inside."""
        state = self.state
        if state not in POWER_UP and not (self.firmware.tells_later and state in IDLE | {State.INITIALIZE}):
            return Invalid()
        match question:
            case Command.VERSION:
                return Version("i(EUR)GUICHET-SIM ID003-05V001-00 01JAN26 0000")
            case Command.SERIAL if self.firmware.knows_serial:
                return SerialNumber(self.serial)
            case Command.NOTE_TABLE:
                return self.table
            case _:
                return Invalid() if self.firmware.says_invalid else None

    def acknowledged(self, now: float) -> None:
        """The event that was told goes; one that is acknowledged too late does not, and takes the unit with it."""
        if self._held_since is None or not self._told:
            return
        patience = self.firmware.ack_patience
        if patience is not None and now - self._held_since > patience:
            self._hangs = True
            return
        self._held_since, self._told = None, False
        self._stacked_to_show = self.firmware.shows_transients and self.metal.step is Step.RESTING
        self.vault.remember(_UNACKNOWLEDGED, None)

    def _reset(self, now: float) -> Answer:
        self.on_order(Order.RESET)
        if self.state is not State.JAM_STACKER or self.metal.loosens:
            if self._held_since is not None:
                self._held_since = None  # It is gone: why nobody should send RESET now.
                self.vault.remember(_UNACKNOWLEDGED, None)
            self.failed = self._hangs = False
            self.show(None)
            self._waiting = None
            self._initialise(now)
        return Acknowledged()

    def _initialise(self, now: float) -> None:
        self._set = dict(_AFTER_RESET)
        self._stacked_to_show = False
        self.metal.reset(now)
        if self.metal.step is Step.INITIALISING:
            self.metal.due = now + max(_INITIALISING_SECONDS, self.metal.stage_seconds)

    def _change(self, request: Request) -> Answer:
        """Refused at power-up; and only polling is spoken here."""
        if self.state in POWER_UP or (request.command is Command.SET_COMMUNICATION and request.data != b"\x00"):
            return Invalid()
        self._set[request.command] = request.data
        return Setting(request.command, request.data)

    def _decide(self, command: Command, now: float) -> Answer:
        if command is not Command.HOLD:
            self.on_order(Order.RETURN if command is Command.RETURN else Order.STACK)
        if self.state not in IN_ESCROW:
            return Invalid()
        match command:
            case Command.HOLD:
                self._on_hold = self.metal.hold(now)
            case Command.RETURN:
                self.metal.give_back(now)
            case _:
                self.metal.stack(now)
                if command is Command.STACK_1:
                    self._vended_early = True
                    self._hold(now)
                if not self.firmware.shows_transients:
                    self.metal.due = now
        if command is not Command.HOLD:
            self.stepped(now)
        return Acknowledged()
