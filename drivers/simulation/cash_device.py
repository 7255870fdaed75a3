"""What every simulated cash device has in common: metal, a wire on which things go wrong, power, a fault script.

A protocol's own device (``simulator_device.py`` in its folder) adds what it remembers and how it says it. Time comes in
with every call; nothing here waits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from drivers.simulation.mechanism import Box, Mechanism, Moved, Spot, Step, Verdict
from drivers.simulation.notes import PhysicalNote, Place, Vault
from drivers.simulation.script import AtTime, Fault, OnAck, OnByte, OnNote, Rule, What
from guichet.money import Money

_SWAP_SECONDS = 3.0
"""How long an engineer's hands take, from one box to the other."""


class Order(Enum):
    """What a host may order that a note's fate, or the memory of it, depends on."""

    RESET = "reset"
    STACK = "stack"
    RETURN = "return"
    ACKNOWLEDGE = "acknowledge"


@dataclass(slots=True)
class LineFaults:
    """What goes wrong on the wire. ``garbage`` and ``lost``: how many answers arrive damaged or not at all; ``mute``:
    says nothing; ``slow``: seconds that every answer comes late; ``late``: the same for the next answer only;
    ``noise``: bytes before the next answer; ``lose_acks``: how many acknowledgements of the host never arrive;
    ``repeat_acks``: how many arrive twice; ``late_ack``: seconds after which the next one takes effect.
    """

    garbage: int = 0
    lost: int = 0
    mute: bool = False
    slow: float = 0.0
    late: float = 0.0
    noise: bytes = b""
    lose_acks: int = 0
    repeat_acks: int = 0
    late_ack: float = 0.0


class SimulatedCash(ABC):
    """One device. What people do to it and what its host sends come in through the methods, each with the time.
    ``unasked``: where paper goes that the head draws in by itself; ``forgotten``: the numbers of notes that slipped to
    the box, before the word of which the power was cut.
    """

    unasked = Verdict.ESCROW

    def __init__(self, vault: Vault, serial: str, stage_seconds: float, script: tuple[Rule, ...] = ()) -> None:
        self.vault = vault
        self.serial = serial
        self.line = LineFaults()
        self.metal = Mechanism(vault, self.judge, self.moved, stage_seconds)
        self.powered = True
        self.failed = False
        self.inserted = len(vault.notes)
        self.bytes_sent = 0
        self.acknowledgements = 0
        self.forgotten: list[int] = []
        self.on_order: Callable[[Order], None] = _nobody_looks
        self._rules = list(script)
        self._born: float | None = None
        self._timers: list[tuple[float, What]] = []
        self._outbox: list[tuple[float, bytes]] = []
        self._late_acks: list[float] = []

    # --- what a protocol adds ---------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def values(self) -> Mapping[int, Money]:
        """What its note types are worth."""

    @property
    @abstractmethod
    def unnamed_type(self) -> int:
        """A type that it recognises and its table does not name."""

    @property
    @abstractmethod
    def accepts(self) -> bool:
        """Whether its host has opened the slot."""

    @property
    @abstractmethod
    def says(self) -> str:
        """What it would say of itself now, in its protocol's word, in lower case."""

    @property
    @abstractmethod
    def sayings(self) -> frozenset[str]:
        """All words that :attr:`says` can be."""

    @abstractmethod
    def judge(self, note: PhysicalNote) -> tuple[Verdict, int]:
        """What becomes of a note that was drawn in, with the protocol's own reason for a refusal."""

    @abstractmethod
    def moved(self, happened: Moved, note: PhysicalNote | None, now: float) -> None:
        """The metal has done something."""

    @abstractmethod
    def woke(self, place: Place | None) -> None:
        """Power is back. ``place``: where the sensors see a note. Whatever is not kept without power is gone."""

    @abstractmethod
    def hear(self, data: bytes, now: float) -> list[bytes]:
        """The answers to what came from the host, each one frame."""

    @abstractmethod
    def acknowledged(self, now: float) -> None:
        """The host's acknowledgement takes effect."""

    @abstractmethod
    def deafen(self) -> None:
        """Forget a frame that has begun to arrive."""

    @property
    def told_of_money(self) -> bool:
        """Whether what it has told, and holds until it is acknowledged, is about a note in the box or given back."""
        return True

    @property
    def waits_for_acknowledgement(self) -> bool:
        """Whether it holds an event of a note, and does nothing else until it may let it go; never where nothing is
        acknowledged.
        """
        return False

    # --- what people do ---------------------------------------------------------------------------------------------

    def type_of(self, face: Money) -> int | None:
        """The note type of a value; None for paper that this device does not know."""
        return next((kind for kind, value in self.values.items() if value == face), None)

    def insert(self, face: str, note_type: int, now: float, *, readable: bool = True) -> PhysicalNote:
        """A customer pushes a note in. Raises ValueError where the mouth does not take it."""
        self.advance(now)
        unasked = self.metal.mishaps.unasked is not None and not self.waits_for_acknowledgement
        if not self.powered or not (self.accepts or unasked):
            raise ValueError(f"the slot is closed ({self.says if self.powered else 'no power'})")
        self.inserted += 1
        note = self.metal.insert(face, note_type, now, readable=readable)
        self._follow_script(now, OnNote(self.inserted))
        self.stepped(now)
        return note

    def draw_in(self, face: str, note_type: int, now: float, *, readable: bool = True) -> bool:
        """A note is held to the slot, and the head draws it in whether the slot is open or not. Gives whether nothing
        was in its way.
        """
        self.advance(now)
        at_rest = self.metal.step is Step.RESTING and self.metal.note is None
        if not self.powered or not at_rest or self.waits_for_acknowledgement:
            return False
        self.act(What(Fault.UNASKED), now)
        self.insert(face, note_type, now, readable=readable)
        return True

    def cut_power(self, now: float) -> None:
        """Everything stops where it is."""
        self.advance(now)
        self.powered = False
        self._outbox.clear()
        self._late_acks.clear()

    def restore_power(self, now: float) -> None:
        """It comes up, knowing only where its sensors see paper, and what it keeps without power."""
        if not self.powered:
            self.powered, self.failed = True, False
            self.deafen()
            self.woke(self.metal.wake())
            self._forget_what_slipped()

    def _forget_what_slipped(self) -> None:
        """One that is in the box, and that the device knows nothing of any more; what is on its way it will see."""
        slipped = self.metal.slipped
        if slipped is not None and self.vault.notes[slipped - 1].place is Place.BOX:
            self.metal.slipped = None
            if not self.waits_for_acknowledgement:
                self.forgotten.append(slipped)

    def jam(self, spot: Spot, *, loose: bool = False) -> None:
        """The next note that comes by sticks there; ``loose``: until the device is reset."""
        self.metal.mishaps.jam, self.metal.mishaps.loose = spot, loose

    def free_jam(self, now: float) -> None:
        """An engineer takes the stuck note out by hand, and switches the device off and on."""
        self.advance(now)
        self.metal.mishaps.jam, self.metal.mishaps.loose = None, False
        self.metal.free()
        self.failed = False
        self.woke(None)
        self._forget_what_slipped()

    def change_box(self, box: Box, now: float, name: str | None = None) -> None:
        """The cash box is full, taken out, or back: the same one, or with a ``name`` another, empty one."""
        self.advance(now)
        if box is Box.IN:
            self.metal.exchange(name or self.vault.box)
        elif box is Box.OUT:
            self.metal.exchange(None)
        else:
            self.metal.box = Box.FULL
        self.box_changed(box, now)

    @abstractmethod
    def box_changed(self, box: Box, now: float) -> None:
        """The cash box is full, out, or back."""

    def act(self, what: What, now: float) -> None:
        """One fault of a script, or of a person's hands."""
        match what.fault:
            case Fault.POWER_OFF:
                self.cut_power(now)
                self._timers.append((now + what.seconds, what))
            case Fault.MUTE:
                self.line.mute = True
                self._timers.append((now + what.seconds, what))
            case Fault.SLOW:
                self.line.slow = what.seconds
            case Fault.LATE:
                self.line.late = what.seconds
            case Fault.LOSE:
                self.line.lost += what.count
            case Fault.WRONG_CRC:
                self.line.garbage += what.count
            case Fault.NOISE:
                self.line.noise += what.noise
            case Fault.LOSE_ACK:
                self.line.lose_acks += 1
            case Fault.REPEAT_ACK:
                self.line.repeat_acks += 1
            case Fault.LATE_ACK:
                self.line.late_ack = what.seconds
            case _:
                self._act_on_metal(what, now)

    def _act_on_metal(self, what: What, now: float) -> None:
        match what.fault:
            case Fault.JAM | Fault.LOOSE_JAM:
                self.jam(what.spot or Spot.BOX, loose=what.fault is Fault.LOOSE_JAM)
            case Fault.FREE:
                self.free_jam(now)
            case Fault.BOX_FULL:
                self.change_box(Box.FULL, now)
            case Fault.BOX_REMOVED:
                self.change_box(Box.OUT, now)
            case Fault.BOX_BACK:
                self.change_box(Box.IN, now)
            case Fault.BOX_SWAPPED:
                self.change_box(Box.OUT, now)
                self._timers.append((now + _SWAP_SECONDS, what))
            case Fault.CHEAT:
                self.metal.cheat(now)
            case Fault.SECOND_NOTE:
                self.metal.push_second(now)
            case Fault.FAIL:
                self.failed = True
            case Fault.SERIAL:
                self.serial = what.name
                self.cut_power(now)
                self.restore_power(now)
            case Fault.NOT_TAKEN:
                self.metal.mishaps.customer_leaves = True
            case Fault.MOUTH_SHUT:
                self.metal.mishaps.mouth_shut_until = now + what.seconds
            case Fault.SLIPS:
                self.metal.slip(now)
            case Fault.UNASKED:
                self.metal.mishaps.unasked = self.unasked
            case Fault.UNKNOWN:
                if self.metal.note is not None:
                    self.vault.take_for(self.metal.note, self.unnamed_type)
            case (
                Fault.POWER_OFF | Fault.MUTE | Fault.SLOW | Fault.LATE | Fault.LOSE | Fault.WRONG_CRC | Fault.NOISE
                | Fault.LOSE_ACK | Fault.REPEAT_ACK | Fault.LATE_ACK
            ):  # fmt: skip
                raise ValueError(f"{what.fault.value} is not done to the metal")
            case _:
                assert_never(what.fault)

    def follow(self, *rules: Rule) -> None:
        """Let these faults happen too, each when its time comes."""
        self._rules.extend(rules)

    # --- time -------------------------------------------------------------------------------------------------------

    @property
    def due(self) -> float | None:
        """When something happens by itself, or an answer that is late goes out."""
        metal = [self.metal.due] if self.powered and self.metal.due is not None else []
        timers = [at for at, _ in self._timers] + [at for at, _ in self._outbox] + self._late_acks
        return min([*metal, *timers, *self._script_times()], default=None)

    def advance(self, now: float) -> None:
        """Let happen what is due at ``now``."""
        if self._born is None:
            self._born = now
        while (at := self.due) is not None and at <= now and self._advance_to(at):
            pass

    def _advance_to(self, at: float) -> bool:
        """One moment; gives whether anything happened in it. What is due is taken out before any of it is done: that
        may come back here at the same moment.
        """
        timers = [timer for timer in self._timers if timer[0] <= at]
        self._timers = [timer for timer in self._timers if timer not in timers]
        for _, what in timers:
            self._end(what, at)
        acknowledgements = [moment for moment in self._late_acks if moment <= at]
        self._late_acks = [moment for moment in self._late_acks if moment > at]
        for _ in acknowledgements:
            self.acknowledged(at)
        rules = [rule for rule in self._rules if (due := self._time_of(rule)) is not None and due <= at]
        self._do(rules, at)
        happened = bool(timers or acknowledgements or rules)
        if self.powered and self.metal.due is not None and self.metal.due <= at:
            before = self.metal.step
            self.metal.advance(at)
            if self.metal.step is not before:
                self.stepped(at)
            happened = True
        return happened

    def stepped(self, now: float) -> None:
        """The mechanism has come to another step; called by whatever moves it."""
        self._follow_script(now, OnNote(self.inserted, self.metal.step))

    def _end(self, what: What, now: float) -> None:
        match what.fault:
            case Fault.POWER_OFF:
                self.restore_power(now)
            case Fault.BOX_SWAPPED:
                self.change_box(Box.IN, now, what.name)
            case _:
                self.line.mute = False

    def _script_times(self) -> list[float]:
        return [due for rule in self._rules if (due := self._time_of(rule)) is not None]

    def _time_of(self, rule: Rule) -> float | None:
        return (self._born or 0.0) + rule.when.seconds if isinstance(rule.when, AtTime) else None

    def _follow_script(self, now: float, point: OnNote | OnByte | OnAck) -> None:
        self._do([rule for rule in self._rules if rule.when == point], now)

    def _do(self, rules: list[Rule], now: float) -> None:
        """Each happens once, however one leads to another."""
        self._rules = [rule for rule in self._rules if rule not in rules]
        for rule in rules:
            self.act(rule.what, now)

    # --- the wire ---------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> bytes:
        """What it answers at once to ``data``; empty where it keeps silent or takes its time: see :meth:`collect`."""
        self.advance(now)
        if not self.powered or self.line.mute:
            self.deafen()
            return b""
        answers = self.hear(data, now)
        return b"".join(self._put_out(answer, now) for answer in answers)

    def collect(self, now: float) -> bytes:
        """Answers whose time has come."""
        self.advance(now)
        ready = [data for at, data in self._outbox if at <= now]
        self._outbox = [(at, data) for at, data in self._outbox if at > now]
        return b"".join(ready)

    @property
    def late_at(self) -> float | None:
        """When the first of the answers that are late goes out."""
        return min((at for at, _ in self._outbox), default=None)

    @property
    def script_is_over(self) -> bool:
        """Every fault of the script has happened."""
        return not self._rules

    def acknowledge_arrives(self, now: float) -> None:
        """The host acknowledges an event that this device holds; a protocol's device calls this instead of
        :meth:`acknowledged`.
        """
        if self.told_of_money:
            self.metal.slipped = None
            self.on_order(Order.ACKNOWLEDGE)
        self.acknowledgements += 1
        self._follow_script(now, OnAck(self.acknowledgements))
        line = self.line
        if line.lose_acks:
            line.lose_acks -= 1
        elif line.late_ack:
            self._late_acks.append(now + line.late_ack)
            line.late_ack = 0.0
        else:
            self.acknowledged(now)
            if line.repeat_acks:
                line.repeat_acks -= 1
                self.acknowledged(now)

    def _put_out(self, answer: bytes, now: float) -> bytes:
        disturbed = self._disturbed(answer)
        late, self.line.late = self.line.slow + self.line.late, 0.0
        if late or self._outbox:
            # An answer does not overtake one that is under way.
            self._outbox.append((max([now + late, *(at for at, _ in self._outbox)]), disturbed))
            return b""
        return self._counted(disturbed, now)

    def _disturbed(self, answer: bytes) -> bytes:
        line = self.line
        noise, line.noise = line.noise, b""
        if line.lost:
            line.lost -= 1
            return noise
        if line.garbage:
            line.garbage -= 1
            answer = answer[:-1] + bytes((answer[-1] ^ 0xFF,))
        return noise + answer

    def _counted(self, data: bytes, now: float) -> bytes:
        """Byte by byte where a script waits for one: a power cut stops in mid-frame."""
        if not any(isinstance(rule.when, OnByte) for rule in self._rules):
            self.bytes_sent += len(data)
            return data
        sent = bytearray()
        for byte in data:
            self._follow_script(now, OnByte(self.bytes_sent + 1, after=False))
            if not self.powered:
                break
            sent.append(byte)
            self.bytes_sent += 1
            self._follow_script(now, OnByte(self.bytes_sent, after=True))
            if not self.powered:
                break
        return bytes(sent)


def _nobody_looks(_: Order) -> None:
    """For whoever watches what the host orders: ``on_order``, called by a protocol's device before it obeys."""
