"""What a ccTalk event means, and which events of a buffer are new. Pure.

The number of an event runs from 1 to 255 and then from 1 again; 0 is only ever seen after power-up. The ring has 255
places, not 256. (ccTalk generic specification 4.7, part 3; sheet section 4.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivers.api.cash import Trouble, TroubleKind
from drivers.cash.cctalk.messages import SLOTS, EventBuffer

_RING = 255
UNKNOWN_NOTE = 0
"""The type of a note in the box that the device itself does not know: no table names it."""


def distance(old: int, new: int) -> int:
    """How many events lie between two numbers, of which ``new`` is not 0. ``old`` may be 0: none before it."""
    return new if old == 0 else (new - old) % _RING


def before(counter: int, steps: int) -> int:
    """The number ``steps`` events before ``counter``, which is not 0."""
    return (counter - 1 - steps) % _RING + 1


# --- meanings -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InEscrow:
    """A note waits for a decision."""

    note_type: int


@dataclass(frozen=True, slots=True)
class InBox:
    """A note or coin is in the box. ``note_type`` is None where the device does not know which."""

    note_type: int | None


@dataclass(frozen=True, slots=True)
class GivenBack:
    """The note in escrow went back."""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A note or coin was refused; ``reason`` is a stable word."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reported:
    """Something that a person must look at."""

    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Relieved:
    """Something that a person had to look at may be over; a self-check says whether it is."""


@dataclass(frozen=True, slots=True)
class Inhibited:
    """The device takes nothing until it is told to again."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing that matters here."""


Meaning = InEscrow | InBox | GivenBack | NotTaken | Reported | Relieved | Inhibited | Nothing
OfNote = InEscrow | InBox | GivenBack
"""What says where a note is."""

_STACKED, _ESCROWED = 0, 1

NOTE_STATUS: Mapping[int, Meaning] = {
    0: Inhibited(),
    1: GivenBack(),
    2: NotTaken("validation"),
    3: NotTaken("transport"),
    4: NotTaken("inhibited"),
    5: NotTaken("inhibited-switch"),
    6: Reported(Trouble(TroubleKind.JAM, "transport")),
    7: Reported(Trouble(TroubleKind.JAM, "stacker")),
    8: Reported(Trouble(TroubleKind.CHEATED, "pulled-back")),
    9: Reported(Trouble(TroubleKind.CHEATED, "tamper")),
    10: Relieved(),
    11: Reported(Trouble(TroubleKind.BOX_REMOVED)),
    12: Relieved(),
    13: Reported(Trouble(TroubleKind.FAILURE, "stacker")),
    14: Reported(Trouble(TroubleKind.BOX_FULL)),
    15: Reported(Trouble(TroubleKind.JAM, "box")),
    # It cannot be had back, and whether it counts is the owner's policy: a person decides, so it is a jam like others.
    16: Reported(Trouble(TroubleKind.JAM, "safe")),
    17: Reported(Trouble(TroubleKind.CHEATED, "opto")),
    18: Reported(Trouble(TroubleKind.CHEATED, "string")),
    19: Reported(Trouble(TroubleKind.CHEATED, "string-guard")),
    20: Nothing(),
    21: InBox(None),
    22: Relieved(),
}
"""B of a bill event with A = 0 (sheet section 4.2)."""


def note_meaning(a: int, b: int) -> Meaning:
    """A bill validator's event. A pair that the specification does not have is a person's business."""
    if a == 0 and b in NOTE_STATUS:
        return NOTE_STATUS[b]
    if a and b == _STACKED:
        return InBox(a)
    if a and b == _ESCROWED:
        return InEscrow(a)
    return Reported(Trouble(TroubleKind.UNREADABLE, f"event-{a}-{b}"))


_COIN_REFUSALS: Mapping[int, str] = {
    1: "reject", 2: "inhibited", 3: "several-windows", 4: "wake-up-timeout", 5: "validation-timeout", 8: "close-coin",
    9: "gate-not-ready", 10: "credit-sensor-not-ready", 11: "sorter-not-ready", 12: "reject-not-cleared",
    13: "validation-sensor-not-ready", 18: "too-fast", 19: "too-slow", 21: "double-entry", 22: "double-entry",
    24: "repeated-trip", 25: "slug", 27: "games-overload", 37: "validation-too-fast", 38: "validation-too-slow",
}  # fmt: skip
# A coin that was recognised and of which nobody knows where it went, or a path that is blocked.
_COIN_JAMS: Mapping[int, str] = {
    6: "credit-sensor-timeout", 7: "sorter-timeout", 14: "credit-sensor", 15: "sorter", 16: "credit-sequence",
    23: "credit-sensor-early", 26: "reject-sensor", 29: "gate-open", 30: "gate-closed", 31: "manifold", 32: "manifold",
    33: "manifold", 36: "swallowed", 39: "wrong-sorter",
}  # fmt: skip
_COIN_FRAUDS: Mapping[int, str] = {17: "backwards", 20: "string", 34: "security", 40: "light"}
_COIN_FAILURES: Mapping[int, str] = {35: "motor", 255: "unspecified"}
_COIN_SILENT = frozenset({0, 28, 253, 254})
_INHIBITED_TYPES = range(128, 160)


def coin_meaning(a: int, b: int) -> Meaning:
    """A coin acceptor's event: a credit of position ``a``, or with 0 a status (sheet section 4.1)."""
    if a:
        return InBox(a)
    if b in _COIN_SILENT:
        return Nothing()
    if b in _INHIBITED_TYPES:
        return NotTaken("inhibited")
    if b in _COIN_REFUSALS:
        return NotTaken(_COIN_REFUSALS[b])
    for kind, codes in (
        (TroubleKind.JAM, _COIN_JAMS),
        (TroubleKind.CHEATED, _COIN_FRAUDS),
        (TroubleKind.FAILURE, _COIN_FAILURES),
    ):
        if b in codes:
            return Reported(Trouble(kind, codes[b]))
    return Reported(Trouble(TroubleKind.UNREADABLE, f"event-0-{b}"))


CREDIT_VALUES = 256
"""A credit that is a value is told as a type from here on: a position with the same number is another coin, and a table
of positions that is on record must not be read for it.
"""


def coin_value_meaning(a: int, b: int) -> Meaning:
    """The event of a coin acceptor whose credits are values: ``a`` says what the coin is worth (sheet section 5)."""
    return InBox(CREDIT_VALUES + a) if a else coin_meaning(a, b)


_FAULTS: Mapping[int, Trouble] = {
    38: Trouble(TroubleKind.FAILURE, "stacker"),
    39: Trouble(TroubleKind.JAM, "transport"),
    44: Trouble(TroubleKind.BOX_REMOVED),
    45: Trouble(TroubleKind.BOX_FULL),
}


def fault_trouble(code: int) -> Trouble:
    """What a self-check's fault code other than 0 asks of a person (sheet section 4.3)."""
    return _FAULTS.get(code, Trouble(TroubleKind.FAILURE, str(code)))


# --- what is new ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a device that came back has to tell. ``baseline``: the number up to which everything counts as read.
    ``missed``: events went by unread. ``forgotten``: whether they said something of the note on record, nobody knows.
    ``first_time``: no number of this device is on record, and so no note of it either.
    """

    baseline: int
    missed: bool = False
    forgotten: bool = False
    first_time: bool = False


def judge(mark: int | None, counter: int, *, restarted: bool) -> Judgement:
    """``mark``: the last number on record for this device, if any is; ``counter``: its newest. ``restarted``: its
    inhibits are those of power-up, so that its numbers may have begun anew and only look familiar.
    """
    if mark is None:
        return Judgement(counter, missed=counter != 0, first_time=True)
    if counter == 0:
        return Judgement(0, missed=mark != 0, forgotten=mark != 0)
    new = distance(mark, counter)
    if new > SLOTS:
        return Judgement(before(counter, SLOTS) if counter > SLOTS or not restarted else 0, missed=True, forgotten=True)
    # Numbers that began anew may have come to the very one on record: what they stood for was never read.
    return Judgement(mark, missed=restarted and mark != 0, forgotten=restarted and mark != 0)


def unread(buffer: EventBuffer, baseline: int) -> list[tuple[int, tuple[int, int]]]:
    """The events after ``baseline``, which is at most five back, oldest first, each with its number."""
    if buffer.counter == 0:
        return []
    new = min(distance(baseline, buffer.counter), SLOTS)
    return [(before(buffer.counter, slot), buffer.events[slot]) for slot in reversed(range(new))]
