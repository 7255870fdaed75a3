"""The device in software: what the metal does, as this protocol says it."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.simulation.cash_device import Order, SimulatedCash
from drivers.simulation.mechanism import Box, Moved, Step, Verdict
from drivers.simulation.notes import PhysicalNote, Place, Vault
from drivers.simulation.script import Rule
from guichet.money import Money
from tests.conformance.acme.framing import Deframer, Line, line
from tests.conformance.acme.messages import NO, OK, State, Status, Who, table_text

_STEPS: Mapping[Step, State] = {
    Step.DRAWING_IN: State.IN,
    Step.ESCROW: State.ESCROW,
    Step.STACKING: State.TO_BOX,
    Step.RETURNING: State.BACK,
    Step.REJECTING: State.REJECTING,
    Step.INITIALISING: State.BUSY,
    Step.PAUSED: State.PAUSED,
    Step.CHEATED: State.CHEATED,
    Step.JAMMED: State.JAM,
}
_EVENTS, _HELD, _RETURNED, _TYPE = "events", "held", "returned", "type"


class Device(SimulatedCash):
    """Everything that it holds it keeps without power."""

    def __init__(
        self, vault: Vault, values: Mapping[int, Money], serial: str, stage_seconds: float, script: tuple[Rule, ...]
    ) -> None:
        super().__init__(vault, serial, stage_seconds, script)
        self._values = values
        self._open = self._open_at_the_mouth = self._up = False
        self._lines = Deframer()
        self.woke(self.metal.wake())

    @property
    def values(self) -> Mapping[int, Money]:
        return self._values

    @property
    def unnamed_type(self) -> int:
        return max(self._values, default=0) + 1

    @property
    def accepts(self) -> bool:
        return self._state() is State.OPEN

    @property
    def says(self) -> str:
        return self._state().value.lower()

    @property
    def sayings(self) -> frozenset[str]:
        return frozenset(state.value.lower() for state in State)

    @property
    def waits_for_acknowledgement(self) -> bool:
        return self._held != 0

    @property
    def _held(self) -> int:
        return self.vault.memory.get(_HELD, 0)

    # --- what the metal does ----------------------------------------------------------------------------------------

    def judge(self, note: PhysicalNote) -> tuple[Verdict, int]:
        return (Verdict.ESCROW if note.readable and self._open_at_the_mouth else Verdict.REJECT), 0

    def insert(self, face: str, note_type: int, now: float, *, readable: bool = True) -> PhysicalNote:
        self._open_at_the_mouth = self._open
        return super().insert(face, note_type, now, readable=readable)

    def moved(self, happened: Moved, note: PhysicalNote | None, now: float) -> None:
        stacked = happened in (Moved.STACKED, Moved.CLEARED_TO_BOX)
        if note is not None and (stacked or happened in (Moved.RETURNED, Moved.CLEARED_TO_MOUTH)):
            number = self.vault.memory.get(_EVENTS, 0) % 999_999 + 1
            for name, value in ((_EVENTS, number), (_HELD, number), (_TYPE, note.note_type), (_RETURNED, not stacked)):
                self.vault.remember(name, int(value))

    def woke(self, place: Place | None) -> None:
        self._open, self._up = False, True

    def box_changed(self, box: Box, now: float) -> None:
        if box is Box.IN and self.metal.step is Step.RESTING:
            self._open = False
            self.metal.reset(now)

    # --- what it says -----------------------------------------------------------------------------------------------

    def _state(self) -> State:
        note = self.metal.note
        if self.failed:
            return State.FAILED
        if self.metal.box is Box.OUT and self.metal.step is not Step.STACKING:
            return State.OUT
        if self._held and not self._up and self.metal.step is not Step.CHEATED:
            return State.RETURNED if self.vault.memory.get(_RETURNED) else State.STACKED
        if self._up:
            return self._up_state(note)
        if self.metal.step in _STEPS:
            return _STEPS[self.metal.step]
        if self.metal.box is Box.FULL:
            return State.FULL
        return State.OPEN if self._open else State.SHUT

    def _up_state(self, note: PhysicalNote | None) -> State:
        if note is None and not self._held:
            return State.UP_EMPTY
        goes_back = note.place is not Place.TRANSPORT if note is not None else self.vault.memory.get(_RETURNED)
        return State.UP_ENTRY if goes_back else State.UP_BOX

    def _status(self) -> Status:
        state, note = self._state(), self.metal.note
        if state in (State.STACKED, State.RETURNED):
            return Status(state, self.vault.memory[_TYPE], self._held)
        return Status(state, note.note_type if note is not None and state is State.ESCROW else 0)

    # --- the wire ---------------------------------------------------------------------------------------------------

    def deafen(self) -> None:
        self._lines.clear()

    def hear(self, data: bytes, now: float) -> list[bytes]:
        asked = [found for found in self._lines.feed(data) if isinstance(found, Line)]
        return [line(found.number, self._answer(found.text, now)) for found in asked]

    def acknowledged(self, now: float) -> None:
        self.vault.remember(_HELD, None)

    def _answer(self, text: str, now: float) -> str:
        order, _, number = text.partition(" ")
        match order:
            case "STATUS":
                return self._status().text()
            case "WHO":
                return Who(self.serial.replace(" ", "-"), "ACME-1", self.vault.counter).text()
            case "TABLE":
                return table_text(self._values)
            case "START":
                return self._start(now)
            case "OPEN" | "SHUT" if not self._up:
                self._open = order == "OPEN"
                return OK
            case "STACK" | "RETURN":
                return self._decide(order, now)
            case "DONE" if self._held and number == str(self._held) and not self._up:
                self.acknowledge_arrives(now)
                return OK
            case _:
                return NO

    def _start(self, now: float) -> str:
        self.on_order(Order.RESET)
        self._up = self._open = False
        self.metal.reset(now)
        return OK

    def _decide(self, order: str, now: float) -> str:
        self.on_order(Order.STACK if order == "STACK" else Order.RETURN)
        if self._state() is not State.ESCROW:
            return NO
        if not (self.metal.stack(now) if order == "STACK" else self.metal.give_back(now)):
            return NO
        self.stepped(now)
        return OK
