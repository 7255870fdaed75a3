"""An SSP validator in software, unit type 0: what the metal does, as this protocol says it.

It forgets its key, protocol version, inhibits and whether it was enabled at a power cut, clears its path by itself and
says E1 or E2 of a note that it found there. (SSP manual GA138, poll events, events at reset.)
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from zlib import crc32

from drivers.cash.essp.events import Event, EventCode
from drivers.cash.essp.keys import DEFAULT_FIXED_KEY, Dice
from drivers.cash.essp.messages import (
    Answer,
    Command,
    Counters,
    Plain,
    Polled,
    RejectCode,
    Request,
    SerialNumber,
    Setup,
    Status,
    Version,
)
from drivers.cash.essp.simulator_wire import DeviceWire
from drivers.simulation.cash_device import Order, SimulatedCash
from drivers.simulation.mechanism import Box, Moved, Step, Verdict
from drivers.simulation.notes import PhysicalNote, Place, Vault
from drivers.simulation.script import Rule
from guichet.money import Money

_OK, _CANNOT = Plain(Status.OK), Plain(Status.CANNOT)
_IN_FLIGHT = "in-flight"
_UNACKNOWLEDGED = "unacknowledged"
_REJECTED = "rejected"
_VERSION_AT_POWER_UP = 4
_NOT_RECOGNISED, _INHIBITED, _BY_HOST, _BY_HOST_DISABLED, _ESCROW_TIMEOUT = 0x02, 0x06, 0x08, 0x0C, 0x13
_POLLS = (Command.POLL, Command.POLL_WITH_ACK)
_COUNT_MODULUS = 1 << 32
# What a version below this one does not say.
_SAID_FROM: Mapping[EventCode, int] = {
    EventCode.CLEARED_TO_BOX: 5, EventCode.CLEARED_FROM_FRONT: 5, EventCode.BOX_REMOVED: 5,
    EventCode.BOX_REPLACED: 5, EventCode.INITIALISING: 7, EventCode.ALL_DISABLED: 7,
}  # fmt: skip


class Says(Enum):
    """What the device would say of itself, for people."""

    FAILED = "failed"
    BOX_REMOVED = "box_removed"
    BOX_FULL = "box_full"
    INITIALISING = "initialising"
    WAITING = "waiting"
    SCANNING = "scanning"
    ESCROW = "escrow"
    STACKING = "stacking"
    REJECTING = "rejecting"
    PAUSED = "paused"
    CHEATED = "cheated"
    JAMMED = "jammed"
    DISABLED = "disabled"
    IDLING = "idling"


_STEPS: Mapping[Step, Says] = {
    Step.DRAWING_IN: Says.SCANNING,
    Step.ESCROW: Says.ESCROW,
    Step.STACKING: Says.STACKING,
    Step.RETURNING: Says.REJECTING,
    Step.REJECTING: Says.REJECTING,
    Step.INITIALISING: Says.INITIALISING,
    Step.PAUSED: Says.PAUSED,
    Step.CHEATED: Says.CHEATED,
    Step.JAMMED: Says.JAMMED,
}


class Validator(SimulatedCash):
    """The device. ``forgets_count``: no counters in this firmware. ``counted_before``: notes of an earlier life.
    ``remembers_credit``: an event that was not acknowledged survives a power cut, as E2. ``forgets_channel``: which
    note lay in its path does not. ``early_credit``: EE comes when the note passes the point of no return, not when it
    lies in the box.
    """

    def __init__(
        self, vault: Vault, table: Setup, serial: str, stage_seconds: float = 0.3, script: tuple[Rule, ...] = ()
    ) -> None:
        super().__init__(vault, serial, stage_seconds, script)
        self.table = table
        self.highest_version = 8
        self.counted_before = 0
        self.forgets_count = self.remembers_credit = self.forgets_channel = self.early_credit = False
        self._wire = DeviceWire(DEFAULT_FIXED_KEY, Dice(serial.encode()), self._carry_out)
        self._now = 0.0
        self.woke(self.metal.wake())

    # --- what it says of itself -------------------------------------------------------------------------------------

    @property
    def values(self) -> Mapping[int, Money]:
        """What its channels are worth."""
        return self.table.values

    @property
    def unnamed_type(self) -> int:
        """The channel after the last that its table names."""
        return max(self.table.values, default=0) + 1

    @property
    def number(self) -> int:
        """Its serial number as the protocol has it: a number; of a name that is none, one made of it."""
        number = int(self.serial) if self.serial.isdecimal() else crc32(self.serial.encode())
        return number % _COUNT_MODULUS

    @property
    def accepts(self) -> bool:
        """The slot is open."""
        return self.doing is Says.IDLING

    @property
    def doing(self) -> Says:
        """What it does now."""
        if self.failed:
            return Says.FAILED
        if self._boots:
            return Says.INITIALISING
        if self.metal.step is not Step.RESTING:
            return _STEPS[self.metal.step]
        if self._held:
            return Says.WAITING
        if self.metal.box is not Box.IN:
            return Says.BOX_REMOVED if self.metal.box is Box.OUT else Says.BOX_FULL
        return Says.IDLING if self._enabled and self._accepted else Says.DISABLED

    @property
    def waits_for_acknowledgement(self) -> bool:
        """It holds a credit."""
        return bool(self._held)

    @property
    def says(self) -> str:
        """The same as a word."""
        return self.doing.value

    @property
    def sayings(self) -> frozenset[str]:
        """All of the words."""
        return frozenset(saying.value for saying in Says)

    # --- power and time ---------------------------------------------------------------------------------------------

    def woke(self, place: Place | None) -> None:
        """It begins to initialise by itself; of what was not acknowledged it keeps what it can."""
        self._boots = True
        self._enabled = False
        self._accepted: frozenset[int] = frozenset()
        self._version = _VERSION_AT_POWER_UP
        self._held: list[Event] = []
        self._told: list[Event] = []
        self._once = [Event(EventCode.SLAVE_RESET)]
        self._announced = self._ack_arrived = False
        self._reject_code = 0
        self._wire.forget()
        if place is None:
            self.vault.remember(_IN_FLIGHT, None)
        kept = self.vault.memory.get(_UNACKNOWLEDGED)
        if kept is not None and self.remembers_credit and place is not Place.TRANSPORT:
            self._hold(EventCode.CLEARED_TO_BOX, self._kept(kept))
        elif place is not Place.TRANSPORT:
            self.vault.remember(_UNACKNOWLEDGED, None)

    def restore_power(self, now: float) -> None:
        """It comes up and clears its path."""
        super().restore_power(now)
        self.advance(now)

    def advance(self, now: float) -> None:
        """Let happen what is due at ``now``."""
        if self._boots and self.powered:
            self._boots = False
            self.metal.reset(now)
        super().advance(now)

    def deafen(self) -> None:
        """Forget a frame that has begun to arrive."""
        self._wire.deafen()

    def hear(self, data: bytes, now: float) -> list[bytes]:
        """One answer to each good frame."""
        self._now = now
        return self._wire.hear(data)

    # --- what the metal does ----------------------------------------------------------------------------------------

    def judge(self, note: PhysicalNote) -> tuple[Verdict, int]:
        """Whether it is recognised and its channel not inhibited; every good note goes through escrow."""
        if not note.readable:
            return Verdict.REJECT, _NOT_RECOGNISED
        if note.note_type not in self._accepted:
            return Verdict.REJECT, _INHIBITED
        return Verdict.ESCROW, 0

    def moved(self, happened: Moved, note: PhysicalNote | None, now: float) -> None:
        """Events with money in them are held until they are acknowledged; the others are told once."""
        channel = note.note_type if note is not None else 0
        match happened:
            case Moved.ESCROWED:
                self._announced = False
                self.vault.remember(_IN_FLIGHT, channel)
            case Moved.ESCROW_OVER:
                self._reject_code = _ESCROW_TIMEOUT
            case Moved.STACKED:
                if not self.early_credit:
                    self._credit(channel)
                self._once.append(Event(EventCode.STACKED))
                self.vault.remember(_IN_FLIGHT, None)
            case Moved.RETURNED | Moved.REJECTED:
                if happened is Moved.REJECTED:
                    self._reject_code = self.metal.reason
                self.vault.remember(_REJECTED, self.vault.memory.get(_REJECTED, 0) + 1)
                self._once.append(Event(EventCode.REJECTED))
                self.vault.remember(_IN_FLIGHT, None)
            case Moved.CLEARED_TO_MOUTH | Moved.CLEARED_TO_BOX:
                self._cleared(happened)
            case Moved.CHEATED:
                self._hold(EventCode.FRAUD, channel)
            case Moved.JAMMED if note is not None and note.place is Place.TRANSPORT:
                self._once.append(Event(EventCode.SAFE_JAM))
            case _:
                pass

    def _cleared(self, happened: Moved) -> None:
        channel = self._kept(self.vault.memory.get(_IN_FLIGHT, 0))
        self.vault.remember(_IN_FLIGHT, None)
        if happened is Moved.CLEARED_TO_BOX:
            self.vault.remember(_UNACKNOWLEDGED, channel)
            self._hold(EventCode.CLEARED_TO_BOX, channel)
        else:
            self._once.append(Event(EventCode.CLEARED_FROM_FRONT, bytes((channel,))))

    def _kept(self, channel: int) -> int:
        return 0 if self.forgets_channel else channel

    def _credit(self, channel: int) -> None:
        self.vault.remember(_UNACKNOWLEDGED, channel)
        self._hold(EventCode.CREDIT, channel)

    def _hold(self, code: EventCode, channel: int) -> None:
        self._held.append(Event(code, bytes((channel,))))

    def box_changed(self, box: Box, now: float) -> None:
        """The box is told when it goes and when it comes; whoever is the host enables again."""
        if box is Box.OUT:
            self._once.append(Event(EventCode.BOX_REMOVED))
        elif box is Box.IN:
            self._once.append(Event(EventCode.BOX_REPLACED))
        self._enabled = False if box is Box.OUT else self._enabled

    # --- the wire ---------------------------------------------------------------------------------------------------

    def _carry_out(self, request: Request) -> Answer | None:
        """Every command but a poll begins the time of escrow anew."""
        if request.command not in _POLLS:
            self.metal.hold(self._now)
        match request.command:
            case Command.POLL | Command.POLL_WITH_ACK:
                return self._poll(guaranteed=request.command is Command.POLL_WITH_ACK)
            case Command.EVENT_ACK:
                return self._acknowledge()
            case Command.HOLD:
                return _OK if self._in_escrow() else _CANNOT
            case Command.REJECT:
                self.on_order(Order.RETURN)
                return self._give_back(_BY_HOST)
            case Command.PROTOCOL:
                return self._agree(request.number)
            case _:
                return self._set_up(request)

    def _set_up(self, request: Request) -> Answer:
        match request.command:
            case Command.SET_INHIBITS:
                self._accepted = request.channels & frozenset(range(1, self.table.channels + 2))
            case Command.ENABLE:
                self._enabled = True
            case Command.DISABLE:
                self._enabled = False
                self._give_back(_BY_HOST_DISABLED)  # No text says what becomes of the note: this is the worst of it.
            case Command.RESET:
                self.on_order(Order.RESET)
                self.metal.wake()
                self.woke(None)
                self.advance(self._now)
            case _:
                return self._tell_of_itself(request.command)
        return _OK

    def _tell_of_itself(self, command: Command) -> Answer:
        match command:
            case Command.SETUP:
                return self.table
            case Command.SERIAL:
                return SerialNumber(self.number)
            case Command.FIRMWARE:
                return Version("GUICHET-SIM-SSP1")
            case Command.LAST_REJECT:
                return RejectCode(self._reject_code)
            case Command.COUNTERS if self.forgets_count:
                return Plain(Status.UNKNOWN_COMMAND)
            case Command.COUNTERS:
                stacked = (self.vault.counter + self.counted_before) % _COUNT_MODULUS
                return Counters(stacked, 0, rejected=self.vault.memory.get(_REJECTED, 0))
            case _:
                return _OK

    def _agree(self, version: int) -> Answer:
        if not 1 <= version <= self.highest_version:
            return Plain(Status.FAIL)
        self._version = version
        return _OK

    def _in_escrow(self) -> bool:
        """A second note that is pushed in does not end it."""
        note = self.metal.note
        return self.metal.step in (Step.ESCROW, Step.PAUSED) and note is not None and note.place is Place.ESCROW

    def _give_back(self, reason: int) -> Answer:
        if not self.metal.give_back(self._now):
            return _CANNOT
        self._reject_code = reason
        self.stepped(self._now)
        return _OK

    def _acknowledge(self) -> Answer | None:
        """None where the acknowledgement never arrives."""
        waits, late = bool(self._held), len(self._late_acks)
        self._ack_arrived = False
        self.acknowledge_arrives(self._now)
        if not self._ack_arrived and len(self._late_acks) == late:
            return None
        return _OK if waits else _CANNOT

    @property
    def told_of_money(self) -> bool:
        """An attempt to cheat is held too."""
        return any(event.code is not EventCode.FRAUD for event in self._told)

    def acknowledged(self, now: float) -> None:
        """The events that were told go; one that came since stays."""
        self._ack_arrived = True
        if self.told_of_money:
            self.vault.remember(_UNACKNOWLEDGED, None)
        self._held = [event for event in self._held if event not in self._told]
        self._told = []

    def _poll(self, *, guaranteed: bool) -> Answer:
        if self.failed:
            return Plain(Status.SOFTWARE_ERROR)
        if self.metal.step is Step.ESCROW and self._announced:
            self._stack()
        once, later = self._sayable(self._once)
        held, _ = self._sayable(self._held)
        self._once = later
        lasting, _ = self._sayable(self._lasting(guaranteed=guaranteed))
        self._told = held
        if not guaranteed:
            self.acknowledged(self._now)
        return Polled((*once, *lasting, *held))

    def _stack(self) -> None:
        self.on_order(Order.STACK)
        note = self.metal.note
        self.metal.stack(self._now)
        if self.early_credit and note is not None:
            self._credit(note.note_type)
        self.stepped(self._now)

    def _sayable(self, events: list[Event]) -> tuple[list[Event], list[Event]]:
        say = [event for event in events if self._version >= _SAID_FROM.get(event.code, 0)]
        return say, [event for event in events if event not in say]

    def _lasting(self, *, guaranteed: bool) -> list[Event]:
        """What is said at every poll for as long as it lasts."""
        events: list[Event] = []
        note = self.metal.note
        match self.metal.step:
            case Step.DRAWING_IN:
                events.append(Event(EventCode.READ, b"\0"))
            case Step.ESCROW if note is not None and not self._announced:
                self._announced = True
                events.append(Event(EventCode.READ, bytes((note.note_type,))))
            case Step.STACKING:
                events.append(Event(EventCode.STACKING))
            case Step.RETURNING | Step.REJECTING:
                events.append(Event(EventCode.REJECTING))
            case Step.INITIALISING if guaranteed:
                events.append(Event(EventCode.INITIALISING))
            case Step.JAMMED if note is not None and note.place is not Place.TRANSPORT:
                events.append(Event(EventCode.UNSAFE_JAM))
            case _:
                pass
        if self.metal.box is Box.FULL:
            events.append(Event(EventCode.STACKER_FULL))
        if not self._enabled:
            events.append(Event(EventCode.DISABLED))
        elif not self._accepted:
            events.append(Event(EventCode.ALL_DISABLED if self._version >= 7 else EventCode.DISABLED))
        return events
