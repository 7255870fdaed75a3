"""Cash modules: validators that hold a note in escrow, and acceptors that take coins without asking."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable

from drivers.api.device import Device, DeviceIdentity
from guichet.ids import DeviceSerial
from guichet.money import Money


class Presence(Enum):
    """Where a note is, as far as a cash module that came back can tell: the columns of the start-up table. A machine
    tells all but OTHER_NOTE, OTHER_DEVICE and NO_ANSWER, which the terminal finds out by itself.
    """

    PATH_EMPTY = "path empty"
    """No note is inside and nothing waits to be acknowledged: idle, disabled, powered up, box full or removed."""
    IN_ESCROW = "in escrow, alive"
    """A note waits for STACK or RETURN, and the device would do either now."""
    RETURNABLE = "returnable"
    """A note that only the customer can get: it goes back now or at the reset, or it is back and that is not
    acknowledged."""
    OTHER_NOTE = "another note"
    """In escrow, or going back, is not the note on record: it is of another type, or more was counted since. Not for a
    machine to tell."""
    MOVING = "moving"
    """A note that is drawn in, or on its way to the box, or past the point of no return at a power-up: what the device
    tells next says where it ended."""
    STACKED = "stacked event"
    """The device holds a stacked event that is not acknowledged: the note is in the box."""
    JAMMED = "jam"
    """A note is stuck, or the device has failed: it cannot say where a note is."""
    OTHER_DEVICE = "other serial number"
    """The first answer has another serial number than the record. Not for a machine to tell."""
    NO_ANSWER = "no answer"
    """It never answered. Not for a machine to tell."""
    FORGOTTEN = "memory lost"
    """It answers and its path is empty, but what it knew of the note is gone: ccTalk's event counter was set back to 0,
    or more events were missed than it keeps."""


@dataclass(frozen=True, slots=True)
class CashCapabilities:
    """What a cash module can do, by its protocol and model; it does not change while it is connected.

    ``escrow``: a note waits to be decided about; without, it is taken without asking, as coins are.
    ``names_type``: a stacked event says which type it is about (ID-003's VEND VALID does not: the note is the one that
    was in escrow). ``marks``: events carry a number of the device's own which must be stored with what they lead to.
    ``counter_modulus``: one more than the highest value of the device's count of stacked notes; None: it has none.
    """

    escrow: bool = True
    names_type: bool = True
    marks: bool = False
    counter_modulus: int | None = None


class BoxState(Enum):
    """How the cash box is."""

    UNKNOWN = "unknown"
    IN = "in"
    REMOVED = "removed"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class CashStorage:
    """The cash box now. ``stacked``: the device's own count, which no exchange of the box sets back."""

    box: BoxState = BoxState.UNKNOWN
    stacked: int | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The first answer after device or terminal came back, before anything was reset. Nothing happens to the device
    until :meth:`CashModule.proceed`; a stacked event in it is not acknowledged before :meth:`CashModule.acknowledge`.

    ``note_type``: of a note in escrow or a stacked one, where the answer says it. ``stacked_counter``: the device's
    count of notes that it stacked, where it has one. ``mark``: see :class:`CashCapabilities`.
    """

    identity: DeviceIdentity | None
    presence: Presence
    frame: bytes
    note_type: int | None = None
    stacked_counter: int | None = None
    mark: int | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """The device has been initialised and its note table read; its path is empty and it accepts nothing yet. What it
    held is done with, without a :class:`Cleared`. Told again whenever it was out of order. ``values`` is the table, by
    note type; ``table_hash`` the SHA-256 of its bytes.
    """

    identity: DeviceIdentity
    values: Mapping[int, Money]
    table_hash: bytes
    stacked_counter: int | None


@dataclass(frozen=True, slots=True)
class Accepting:
    """A note is being drawn in."""


@dataclass(frozen=True, slots=True)
class Escrowed:
    """A note lies where it can still be given back. ``value`` is None for a type that the note table does not name."""

    note_type: int
    value: Money | None
    frame: bytes
    table_hash: bytes
    mark: int | None = None


@dataclass(frozen=True, slots=True)
class Stacking:
    """The note moves on to the cash box."""


@dataclass(frozen=True, slots=True)
class Stacked:
    """The note is in the cash box. The device holds this event until :meth:`CashModule.acknowledge`, and whenever it
    says it again, so does the machine: the caller knows a repeat. ``note_type`` is None where nothing says which it is:
    in a protocol that never does (see :class:`CashCapabilities`), or as the device itself does not know any more.
    """

    note_type: int | None
    value: Money | None
    frame: bytes
    mark: int | None = None


@dataclass(frozen=True, slots=True)
class Returned:
    """The note went back to the customer's side. Held until acknowledged, as :class:`Stacked`."""

    frame: bytes
    mark: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A note never reached escrow; ``reason`` is the device's, as a stable word."""

    reason: str
    mark: int | None = None


@dataclass(frozen=True, slots=True)
class Cleared:
    """The device is done with whatever it held since :class:`Ready`: the path is empty. ``stacked_counter`` as counted
    now.
    """

    stacked_counter: int | None
    enabled: bool


@dataclass(frozen=True, slots=True)
class Shut:
    """The slot is shut, nothing is in the path, and all that came in before has been told. Once after each DISABLE that
    came to be, and after :class:`Ready`; never while an ENABLE waits.
    """


class TroubleKind(Enum):
    """What a person must look at. The values are stable words: they stand in journals, logs and on screens."""

    CHEATED = "cheated"
    PAUSE = "pause"
    UNREADABLE = "unreadable-answer"
    JAM = "jam"
    BOX_FULL = "box-full"
    BOX_REMOVED = "box-removed"
    FAILURE = "failure"
    EVENTS_MISSED = "events-missed"

    @property
    def stops_acceptance(self) -> bool:
        """Whether no note is taken until the device is :class:`Ready` anew; the others pass by themselves."""
        return self not in (TroubleKind.CHEATED, TroubleKind.PAUSE, TroubleKind.UNREADABLE, TroubleKind.EVENTS_MISSED)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that a person must look at. ``detail``: where a note is jammed, or the device's own failure code.
    ``over``: it has passed; a box that was removed is back.
    """

    kind: TroubleKind
    detail: str = ""
    over: bool = False

    @property
    def code(self) -> str:
        """A stable word, such as ``box-removed``, ``jam-head`` or ``failure-50``."""
        return f"{self.kind.value}-{self.detail}" if self.detail else self.kind.value


@dataclass(frozen=True, slots=True)
class Passed:
    """The device's events have been read up to ``mark`` (see :class:`CashCapabilities`): what the last of them said has
    been told already, or is nobody's business. Nothing waits for it; it keeps the event from being told again.
    """

    mark: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The device stopped answering. What it holds is not known until it is back."""

    code: str


class CashCommand(Enum):
    """What can be asked of a cash module."""

    ENABLE = "enable"
    DISABLE = "disable"
    STACK = "stack"
    RETURN = "return"


class Refusal(Enum):
    """Why a command was not carried out. After NOT_DONE the note is still in escrow: the device said so."""

    NO_NOTE_IN_ESCROW = "no note in escrow"
    NOT_DONE = "not done"
    NOT_READY = "not ready"
    REFUSED = "refused"
    NO_ANSWER = "no answer"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Completed:
    """The one completion of a command; ``refused`` is None where the device has begun to do it."""

    command: CashCommand
    refused: Refusal | None = None


CashEvent = (
    Answered | Ready | Accepting | Escrowed | Stacking | Stacked | Returned | Rejected | Cleared | Shut | Trouble
    | Passed | Lost | Completed
)  # fmt: skip

LastMark = Callable[[DeviceSerial], int | None]
"""The mark that was last stored for a device; None: none ever was."""


@runtime_checkable
class CashModule(Device, Protocol):
    """A validator that holds one note in escrow, or an acceptor that takes coins without asking. Commands are posted at
    once and never block; each ends in one :class:`Completed`, with LOST where the device or its line goes before, or
    the driver fails. None of them is ever repeated blindly by the driver.

    While there is no line (``run`` has not opened it, or it has gone: :class:`Lost` was told) a command does nothing,
    and nothing is told of it. Nor is anything told when ``run`` is cancelled: that is an end in order.
    """

    @property
    def capabilities(self) -> CashCapabilities:
        """What it can do."""
        ...

    @property
    def storage(self) -> CashStorage:
        """Its cash box now; never blocks."""
        ...

    def subscribe(self, handler: Callable[[CashEvent], None]) -> None:
        """``handler`` is called for every event, on the loop, before the device is answered."""
        ...

    def remember_by(self, last_mark: LastMark) -> None:
        """Where a device's marks are kept (see :class:`CashCapabilities`); asked when the device comes back."""
        ...

    def proceed(self) -> None:
        """After :class:`Answered`: the answer is on record; initialise the device (which may return a note)."""
        ...

    def enable(self) -> None:
        """Take the next note into escrow, of whatever type: the caller decides there. Legal after :class:`Ready`."""
        ...

    def disable(self) -> None:
        """Take no further note. One on its way is finished."""
        ...

    def stack(self) -> None:
        """Move the escrowed note to the cash box. The intent must be on disk before."""
        ...

    def return_note(self) -> None:
        """Give the escrowed note back."""
        ...

    def acknowledge(self) -> None:
        """The event that the device holds is on disk; let it go on."""
        ...
