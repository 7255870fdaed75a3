"""Fault scripts: what goes wrong in a simulated cash device, and when, as lines of text. Pure.

    # One fault a line: when, a colon, what. A line that begins with # is for people.
    note 3 in escrow: power off 2
    note 4: jam in box
    before byte 120: power off 1
    after byte 120: wrong crc 3
    ack 2: lose
    at 12.5: box swapped BOX-2

WHEN                                    WHAT
note N                                  power off SECONDS        everything stops, and begins again after it
  when the N-th note is pushed in       mute SECONDS             it hears and says nothing
note N in PHASE                         slow SECONDS             every answer comes that much later, from now on
  drawing-in, escrow, stacking,         late SECONDS             the next answer comes that much later
  returning, rejecting                  lose COUNT               so many answers never arrive
before byte N, after byte N             wrong crc COUNT          so many answers arrive damaged
  of all that the device has sent       noise HEX                these bytes are on the line before the next answer
ack N                                   jam in head|transport|box    the note sticks there
  at the N-th acknowledgement, from 1,  loose jam in head|transport|box    until the device is reset
  of an event that the device holds     free                     the stuck note is taken out by hand
at SECONDS                              box full, box removed, box back    the cash box
  after the device came to life         box swapped NAME         it is out for three seconds, then another is in
                                        cheat, second note       somebody pulls at a note, or pushes another in
                                        fail                     a failure of its own, until the power is cut
                                        serial NAME              another device of its kind, in its place
                                        not taken                the next note that is handed back stays in the mouth
                                        mouth shut SECONDS       a hand is on it: so long nothing can be handed back
                                        slips                    the note in escrow or on its way back goes to the box
                                        unasked                  the next note is drawn in though the slot is shut
                                        unknown denomination     the note inside is of a type without a value
                                        lose, late SECONDS, repeat   with "ack N": what becomes of the acknowledgement
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from drivers.simulation.mechanism import Spot, Step


class ScriptError(ValueError):
    """A line that is no fault; the text says which line and what was expected."""


@dataclass(frozen=True, slots=True)
class OnNote:
    """The ``number``-th note, from 1: when it is pushed in or, with a ``step``, when it has come so far."""

    number: int
    step: Step | None = None


@dataclass(frozen=True, slots=True)
class OnByte:
    """Before or after the ``number``-th byte, from 1, of all that the device has sent."""

    number: int
    after: bool


@dataclass(frozen=True, slots=True)
class OnAck:
    """At the ``number``-th acknowledgement, from 1, that reaches the device while it holds an event."""

    number: int


@dataclass(frozen=True, slots=True)
class AtTime:
    """So many ``seconds`` after the device came to life."""

    seconds: float


When = OnNote | OnByte | OnAck | AtTime


class Fault(Enum):
    """What can go wrong."""

    POWER_OFF = "power off"
    MUTE = "mute"
    SLOW = "slow"
    LATE = "late"
    LOSE = "lose"
    WRONG_CRC = "wrong crc"
    NOISE = "noise"
    JAM = "jam"
    LOOSE_JAM = "loose jam"
    FREE = "free"
    BOX_FULL = "box full"
    BOX_REMOVED = "box removed"
    BOX_BACK = "box back"
    BOX_SWAPPED = "box swapped"
    CHEAT = "cheat"
    SECOND_NOTE = "second note"
    FAIL = "fail"
    SERIAL = "serial"
    NOT_TAKEN = "not taken"
    MOUTH_SHUT = "mouth shut"
    SLIPS = "slips"
    UNASKED = "unasked"
    UNKNOWN = "unknown denomination"
    LOSE_ACK = "lose ack"
    LATE_ACK = "late ack"
    REPEAT_ACK = "repeat ack"


@dataclass(frozen=True, slots=True)
class What:
    """One fault with its measure: seconds, a count, a name, a place, or bytes."""

    fault: Fault
    seconds: float = 0.0
    count: int = 0
    name: str = ""
    spot: Spot | None = None
    noise: bytes = b""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a script. It happens once."""

    when: When
    what: What


def parse(text: str) -> tuple[Rule, ...]:
    """The faults of a script, in its order. Raises :class:`ScriptError`."""
    return tuple(_rules(text))


def parse_fault(text: str) -> What:
    """One fault without its time, as a person's hands do it. Raises ValueError."""
    return _what(text.strip(), on_ack=False)


def _rules(text: str) -> Iterator[Rule]:
    for number, line in enumerate(text.splitlines(), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        when, _, what = line.partition(":")
        try:
            place = _when(when.strip().lower())
            yield Rule(place, _what(what.strip(), on_ack=isinstance(place, OnAck)))
        except ValueError as error:
            raise ScriptError(f"line {number}: {line!r}: {error}") from error


_PHASES = (Step.DRAWING_IN, Step.ESCROW, Step.STACKING, Step.RETURNING, Step.REJECTING)


def _when(text: str) -> When:
    if found := re.fullmatch(r"note (\d{1,9})(?: in ([a-z-]+))?", text):
        return OnNote(_from_one(found[1]), _step(found[2]) if found[2] else None)
    if found := re.fullmatch(r"(before|after) byte (\d{1,9})", text):
        return OnByte(_from_one(found[2]), found[1] == "after")
    if found := re.fullmatch(r"ack (\d{1,9})", text):
        return OnAck(_from_one(found[1]))
    if found := re.fullmatch(r"at (\d{1,9}(?:\.\d{1,6})?)", text):
        return AtTime(float(found[1]))
    raise ValueError("when? note N, note N in PHASE, before byte N, after byte N, ack N, at SECONDS")


def _from_one(digits: str) -> int:
    number = int(digits)
    if number < 1:
        raise ValueError("it is counted from 1")
    return number


def _step(word: str) -> Step:
    for step in _PHASES:
        if step.value == word:
            return step
    raise ValueError(f"phase {word!r}: one of {', '.join(step.value for step in _PHASES)}")


_PLAIN: Mapping[str, Fault] = {
    "free": Fault.FREE,
    "box full": Fault.BOX_FULL,
    "box removed": Fault.BOX_REMOVED,
    "box back": Fault.BOX_BACK,
    "cheat": Fault.CHEAT,
    "second note": Fault.SECOND_NOTE,
    "fail": Fault.FAIL,
    "not taken": Fault.NOT_TAKEN,
    "slips": Fault.SLIPS,
    "unasked": Fault.UNASKED,
    "unknown denomination": Fault.UNKNOWN,
}
_MEASURED: tuple[tuple[str, str, Callable[[str], What]], ...] = (
    ("power off SECONDS", r"power off (\d{1,6}(?:\.\d{1,6})?)", lambda v: What(Fault.POWER_OFF, seconds=float(v))),
    ("mute SECONDS", r"mute (\d{1,6}(?:\.\d{1,6})?)", lambda v: What(Fault.MUTE, seconds=float(v))),
    ("slow SECONDS", r"slow (\d{1,6}(?:\.\d{1,6})?)", lambda v: What(Fault.SLOW, seconds=float(v))),
    ("late SECONDS", r"late (\d{1,6}(?:\.\d{1,6})?)", lambda v: What(Fault.LATE, seconds=float(v))),
    ("mouth shut SECONDS", r"mouth shut (\d{1,6}(?:\.\d{1,6})?)", lambda v: What(Fault.MOUTH_SHUT, seconds=float(v))),
    ("lose COUNT", r"lose (\d{1,6})", lambda v: What(Fault.LOSE, count=int(v))),
    ("wrong crc COUNT", r"wrong crc (\d{1,6})", lambda v: What(Fault.WRONG_CRC, count=int(v))),
    ("noise HEX", r"noise ((?:[0-9A-Fa-f]{2} ?){1,64})", lambda v: What(Fault.NOISE, noise=bytes.fromhex(v))),
    ("jam in head|transport|box", r"jam in (head|transport|box)", lambda v: What(Fault.JAM, spot=Spot(v.lower()))),
    (
        "loose jam in head|transport|box",
        r"loose jam in (head|transport|box)",
        lambda v: What(Fault.LOOSE_JAM, spot=Spot(v.lower())),
    ),
    ("box swapped NAME", r"box swapped (\S{1,32})", lambda v: What(Fault.BOX_SWAPPED, name=v)),
    ("serial NAME", r"serial (\S{1,12})", lambda v: What(Fault.SERIAL, name=v)),
)


def _what(text: str, *, on_ack: bool) -> What:
    if on_ack:
        return _on_ack(text)
    if text.lower() in _PLAIN:
        return What(_PLAIN[text.lower()])
    for _, pattern, make in _MEASURED:
        if found := re.fullmatch(pattern, text, re.IGNORECASE):
            return make(found[1])
    raise ValueError(f"what? {' or '.join(_meant(text.lower())) or ', '.join(_usages())}")


def _usages() -> list[str]:
    return [*(usage for usage, _, _ in _MEASURED), *_PLAIN]


def _meant(text: str) -> list[str]:
    """What begins as ``text`` does."""
    first = text.partition(" ")[0]
    return [usage for usage in _usages() if usage.partition(" ")[0] == first]


def _on_ack(text: str) -> What:
    if text == "lose":
        return What(Fault.LOSE_ACK)
    if text == "repeat":
        return What(Fault.REPEAT_ACK)
    if found := re.fullmatch(r"late (\d{1,6}(?:\.\d{1,6})?)", text):
        return What(Fault.LATE_ACK, seconds=float(found[1]))
    raise ValueError("what? with an ack: lose, late SECONDS, repeat")
