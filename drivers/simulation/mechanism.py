"""The metal of a simulated validator: paper that moves from the mouth to the cash box, whatever protocol speaks of it.

It moves with time: every call passes the time, and :meth:`Mechanism.advance` lets happen what is due. What it knows is
what sensors and motors know; what a device remembers and says of it is its protocol's part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from drivers.simulation.notes import PhysicalNote, Place, Vault


class Step(Enum):
    """What the mechanism is doing. The names are the phases that a fault script can name."""

    RESTING = "resting"
    DRAWING_IN = "drawing-in"
    ESCROW = "escrow"
    STACKING = "stacking"
    RETURNING = "returning"
    REJECTING = "rejecting"
    INITIALISING = "initialising"
    PAUSED = "paused"
    CHEATED = "cheated"
    JAMMED = "jammed"


class Spot(Enum):
    """Where a note can stick."""

    HEAD = "head"
    TRANSPORT = "transport"
    BOX = "box"


_STICKS_AT = {Place.HEAD: (Spot.HEAD,), Place.TRANSPORT: (Spot.TRANSPORT, Spot.BOX)}


class Box(Enum):
    """How the cash box is."""

    IN = "in"
    OUT = "out"
    FULL = "full"


class Verdict(Enum):
    """What becomes of a note that was drawn in."""

    ESCROW = "escrow"
    STACK = "stack"
    REJECT = "reject"


class Moved(Enum):
    """What has just happened."""

    ESCROWED = "escrowed"
    STACKED = "stacked"
    RETURNED = "returned"
    REJECTED = "rejected"
    JAMMED = "jammed"
    ESCROW_OVER = "escrow time over"
    INITIALISED = "initialised"
    CLEARED_TO_MOUTH = "cleared to the mouth at reset"
    CLEARED_TO_BOX = "cleared to the box at reset"
    CHEATED = "cheated"


Judge = Callable[[PhysicalNote], tuple[Verdict, int]]
"""Says what becomes of a note, and for a rejected one the protocol's own reason."""

Listener = Callable[[Moved, PhysicalNote | None, float], None]
"""Hears what happened, with which note, and when."""


@dataclass(slots=True)
class Mishaps:
    """What goes wrong next in the metal. ``jam``: the next note sticks there; with ``loose``, until the device begins
    anew, and what it does then with whatever is inside sets it free. ``customer_leaves``: a note that is
    handed back is not taken, and stays in the mouth. ``unasked``: the next good note that is pushed in is drawn in
    although the host has shut the slot, and goes the way that ``unasked`` says. ``mouth_shut_until``: so long somebody
    shuts the mouth with a hand, and what lies in escrow cannot be handed back.
    """

    jam: Spot | None = None
    loose: bool = False
    customer_leaves: bool = False
    unasked: Verdict | None = None
    mouth_shut_until: float = 0.0


@dataclass(slots=True)
class Mechanism:
    """Mouth, path, escrow and box. ``stage_seconds``: how long one movement of paper takes; ``escrow_seconds``: how
    long a note is held for a decision before it is given back; ``slipped``: the number of a note that went to the
    box by itself.
    """

    vault: Vault
    judge: Judge
    listener: Listener
    stage_seconds: float = 0.3
    escrow_seconds: float = 10.0
    mishaps: Mishaps = field(default_factory=Mishaps)
    step: Step = Step.RESTING
    reason: int = 0
    box: Box = Box.IN
    due: float | None = None
    slipped: int | None = None
    _resumed: tuple[Step, float | None] | None = None

    @property
    def note(self) -> PhysicalNote | None:
        """The note between mouth and box."""
        return self.vault.inside()

    @property
    def loosens(self) -> bool:
        """A note sticks, and a reset sets it free."""
        return self.step is Step.JAMMED and self.mishaps.jam is None

    # --- what people do ---------------------------------------------------------------------------------------------

    def insert(self, face: str, note_type: int, now: float, *, readable: bool = True) -> PhysicalNote:
        """A customer pushes a note in. Raises ValueError where another is in the way."""
        if self.step is not Step.RESTING or self.note is not None:
            raise ValueError(f"the slot is taken: {self.step.value}")
        note = self.vault.move(self.vault.bring(face, note_type, readable=readable), Place.HEAD)
        self._go(Step.DRAWING_IN, now)
        return note

    def push_second(self, now: float) -> None:
        """A second note is pushed in behind the first, and drawn out again: everything waits meanwhile."""
        if self.step in (Step.DRAWING_IN, Step.ESCROW, Step.STACKING, Step.RETURNING):
            self._resumed = (self.step, None if self.due is None else self.due - now)
            self._go(Step.PAUSED, now)

    def slip(self, now: float) -> None:
        """A worn belt: the note that is held, or on its way back, slips towards the box, whatever was ordered."""
        note = self.note
        if note is not None and (self.step is Step.ESCROW or (self.step is Step.RETURNING and self.due is not None)):
            self.vault.move(note, Place.TRANSPORT)
            self._go(Step.STACKING, now)
            self.slipped = note.number

    def cheat(self, now: float) -> None:
        """Somebody pulls at the note, or at a string."""
        self.listener(Moved.CHEATED, self.note, now)
        self._go(Step.CHEATED, now)

    def free(self) -> None:
        """An engineer takes the stuck note out by hand: it goes to custody, and the path is clear."""
        note = self.note
        if note is not None:
            self.vault.move(note, Place.CUSTODY)
        self._stop(Step.RESTING)

    def take(self, now: float) -> None:
        """The customer takes the note that was handed back."""
        if self.step is Step.RETURNING and self.due is None:
            self._handed_back(now)

    def exchange(self, name: str | None) -> None:
        """None: the box is taken out; a name: that one is put in, an empty one unless it is the same."""
        self.box = Box.OUT if name is None else Box.IN
        if name is not None and name != self.vault.box:
            self.vault.exchange_box(name)

    # --- what the device does ---------------------------------------------------------------------------------------

    def stack(self, now: float) -> bool:
        """Move the escrowed note to the box. Gives whether there was one."""
        note = self.note
        if self.step is not Step.ESCROW or note is None:
            return False
        self.vault.move(note, Place.TRANSPORT)
        self._go(Step.STACKING, now)
        return True

    def give_back(self, now: float) -> bool:
        """Hand the escrowed note back. Gives whether there was one, and nothing in its way."""
        if self.step is not Step.ESCROW or now < self.mishaps.mouth_shut_until:
            return False
        self._go(Step.RETURNING, now)
        return True

    def hold(self, now: float) -> bool:
        """Begin the time of escrow anew. Gives whether there is a note in escrow."""
        if self.step is not Step.ESCROW:
            return False
        self.due = now + self.escrow_seconds
        return True

    def reset(self, now: float) -> None:
        """Begin anew: what lies before the point of no return will be given back, what lies past it stacked."""
        self._resumed = None
        if self.step is Step.JAMMED and self.note is not None and not self.loosens:
            return
        self._go(Step.INITIALISING, now)

    def wake(self) -> Place | None:
        """Power is back: nothing moves. Gives where the sensors see paper."""
        self._resumed = None
        self._stop(Step.RESTING)
        note = self.note
        return note.place if note is not None else None

    # --- time -------------------------------------------------------------------------------------------------------

    def advance(self, now: float) -> None:
        """Let happen what is due at ``now``."""
        while self.due is not None and now >= self.due:
            due, self.due = self.due, None
            self._arrive(due)

    def _arrive(self, now: float) -> None:
        note = self.note
        match self.step:
            case Step.DRAWING_IN if note is not None:
                self._drawn_in(note, now)
            case Step.ESCROW if now < self.mishaps.mouth_shut_until:
                self.due = self.mishaps.mouth_shut_until
            case Step.ESCROW:
                self.listener(Moved.ESCROW_OVER, note, now)
                self._go(Step.RETURNING, now)
            case Step.STACKING if note is not None:
                self._reach_box(note, now)
            case Step.RETURNING:
                self._given_back(now)
            case Step.REJECTING if note is not None:
                self.vault.move(note, Place.HAND)
                self._stop(Step.RESTING)
                self.listener(Moved.REJECTED, note, now)
            case Step.INITIALISING:
                self._initialised(note, now)
            case Step.PAUSED if self._resumed is not None:
                step, left = self._resumed
                self._resumed = None
                self.step, self.due = step, None if left is None else now + left
            case Step.CHEATED if note is not None:
                self._go(Step.STACKING if note.place is Place.TRANSPORT else Step.RETURNING, now)
            case _:
                self._stop(Step.RESTING)

    def _drawn_in(self, note: PhysicalNote, now: float) -> None:
        if self._sticks(Spot.HEAD, note, now):
            return
        verdict, self.reason = self.judge(note)
        unasked, self.mishaps.unasked = self.mishaps.unasked, None
        if verdict is Verdict.REJECT and unasked is not None and note.readable:
            verdict = unasked
        match verdict:
            case Verdict.ESCROW:
                moved = self.vault.move(note, Place.ESCROW)
                self._stop(Step.ESCROW)
                self.due = now + self.escrow_seconds
                self.listener(Moved.ESCROWED, moved, now)
            case Verdict.STACK:
                self.vault.move(note, Place.TRANSPORT)
                self._go(Step.STACKING, now)
            case Verdict.REJECT:
                self._go(Step.REJECTING, now)

    def _reach_box(self, note: PhysicalNote, now: float) -> None:
        if any(self._sticks(spot, note, now) for spot in _STICKS_AT[Place.TRANSPORT]):
            return
        moved = self.vault.move(note, Place.BOX)
        self._stop(Step.RESTING)
        self.listener(Moved.STACKED, moved, now)

    def _given_back(self, now: float) -> None:
        if self.mishaps.customer_leaves:
            self.mishaps.customer_leaves = False
            self.due = None
            return
        self._handed_back(now)

    def _handed_back(self, now: float) -> None:
        note = self.note
        moved = self.vault.move(note, Place.HAND) if note is not None else None
        self._stop(Step.RESTING)
        self.listener(Moved.RETURNED, moved, now)

    def _initialised(self, note: PhysicalNote | None, now: float) -> None:
        self._stop(Step.RESTING)
        if note is not None and any(self._sticks(spot, note, now) for spot in _STICKS_AT.get(note.place, ())):
            return
        if note is not None and note.place is Place.TRANSPORT:
            self.listener(Moved.CLEARED_TO_BOX, self.vault.move(note, Place.BOX), now)
        elif note is not None:
            self.listener(Moved.CLEARED_TO_MOUTH, self.vault.move(note, Place.HAND), now)
        self.listener(Moved.INITIALISED, None, now)

    def _sticks(self, spot: Spot, note: PhysicalNote, now: float) -> bool:
        if self.mishaps.jam is not spot:
            return False
        self._stop(Step.JAMMED)
        self.listener(Moved.JAMMED, note, now)
        if self.mishaps.loose:
            self.mishaps.jam, self.mishaps.loose = None, False
        return True

    def _go(self, step: Step, now: float) -> None:
        self.step = step
        self.due = now + self.stage_seconds

    def _stop(self, step: Step) -> None:
        self.step, self.due = step, None
