"""What a person can do to a simulated cash device, as lines: the same for all of them. :data:`HELP` has them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from drivers.simulation.cash_device import SimulatedCash
from drivers.simulation.help import help_text
from drivers.simulation.mechanism import Box, Spot, Step
from drivers.simulation.script import Fault, What, parse_fault
from guichet.money import parse_money

_WAIT_SECONDS = 20.0
_LOOK_SECONDS = 0.005

HELP = help_text(
    ("insert 20 EUR", "push a note in; EUR may be left out"),
    ("insert unreadable", "push in paper that nothing recognises"),
    ("insert unknown", "push in a note of a type that the device's note table does not name"),
    ("take", "take the note that the device gave back"),
    ("state", "what the device says of itself, what its metal does, whether it has power; as JSON"),
    ("notes", "where each piece of paper lies, as JSON; no driver can ask this"),
    ("wait WORD", f"until the device says so of itself, or its metal does so; {_WAIT_SECONDS:g} s at most"),
    ("power off|on", "cut the power, with whatever moves; give it back"),
    ("box removed|full|back", "take the cash box out; let it be full; put it back"),
    ("box swapped NAME", "put in another cash box, an empty one"),
    ("jam head|transport|box", "the next note that comes by sticks there"),
    ("free", "take a note that sticks out by hand, and switch the device off and on"),
    ("cheat", "pull at the note"),
    ("second", "push in a second note behind the one inside"),
    ("fail", "the device fails, until its power is cut"),
    ("not taken", "the next note that is given back stays where it is"),
    ("mute on|off", "says nothing to its host; speaks again"),
    ("garbage N", "damage the next N answers"),
    ("lose N", "lose the next N answers"),
    ("slow SECONDS", "every answer comes so late"),
    ("pace SECONDS", "what one movement of paper takes"),
    ("fault WHAT", "any fault, in the words of a fault script: fault noise 7F 7F"),
    ("help", "this list"),
)


class Hands:
    """A person at the device."""

    def __init__(self, device: SimulatedCash, monotonic: Callable[[], float]) -> None:
        self._device = device
        self._now = monotonic

    async def act(self, line: str) -> str:
        """Do what ``line`` says. Raises ValueError for what cannot be understood or done."""
        verb, _, rest = line.partition(" ")
        device, now = self._device, self._now()
        device.advance(now)
        match verb:
            case "insert":
                return self._insert(rest)
            case "take":
                device.metal.take(now)
            case "wait":
                return await self._wait(rest)
            case "state":
                return json.dumps({"state": device.says, "phase": device.metal.step.value, "powered": device.powered})
            case "notes":
                return device.vault.as_json()
            case "power":
                _choose(rest, {"off": lambda: device.cut_power(now), "on": lambda: device.restore_power(now)})
            case "fault":
                device.act(parse_fault(rest), now)
            case "help":
                return HELP
            case _:
                self._handle(verb, rest)
        return ""

    def _handle(self, verb: str, rest: str) -> None:
        device, now = self._device, self._now()
        match verb:
            case "box":
                self._box(rest)
            case "jam":
                device.jam(_spot(rest or "box"))
            case "free":
                device.free_jam(now)
            case "cheat":
                device.act(What(Fault.CHEAT), now)
            case "second":
                device.act(What(Fault.SECOND_NOTE), now)
            case "fail" | "failure":
                device.act(What(Fault.FAIL), now)
            case "not" if rest == "taken":
                device.act(What(Fault.NOT_TAKEN), now)
            case "mute":
                _choose(rest, {"on": lambda: self._mute(on=True), "off": lambda: self._mute(on=False)})
            case "garbage" | "lose":
                device.act(What(Fault.WRONG_CRC if verb == "garbage" else Fault.LOSE, count=_count(rest)), now)
            case "slow":
                device.line.slow = _seconds(rest)
            case "pace":
                device.metal.stage_seconds = _seconds(rest)
            case _:
                raise ValueError(f"not understood: {verb!r} (try 'help')")

    def _insert(self, what: str) -> str:
        device = self._device
        if what == "unreadable":
            note = device.insert("unreadable paper", 0, self._now(), readable=False)
        elif what == "unknown":
            note = device.insert("unknown", device.unnamed_type, self._now())
        else:
            face = parse_money(what if " " in what else f"{what} EUR")
            kind = device.type_of(face)
            # Paper that the table does not know is not recognised as anything.
            note = device.insert(str(face), kind or 0, self._now(), readable=kind is not None)
        return f"note {note.number}"

    async def _wait(self, name: str) -> str:
        """For a phase of the mechanism, or for the state that the device's protocol calls so."""
        wanted = name.lower()
        if wanted not in {step.value for step in Step} | set(self._device.sayings):
            raise ValueError(f"no state {name!r}; one of {', '.join(sorted(self._device.sayings))}")
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                while wanted not in (self._device.says, self._device.metal.step.value):
                    await asyncio.sleep(_LOOK_SECONDS)
                    self._device.advance(self._now())
        except TimeoutError as error:
            raise ValueError(f"not {name} within {_WAIT_SECONDS:g} s: {self._device.says}") from error
        return name

    def _box(self, what: str) -> None:
        now = self._now()
        verb, _, name = what.partition(" ")
        match verb:
            case "swapped" if name:
                self._device.change_box(Box.IN, now, name)
            case "out" | "removed" if not name:
                self._device.change_box(Box.OUT, now)
            case "full" if not name:
                self._device.change_box(Box.FULL, now)
            case "back" if not name:
                self._device.change_box(Box.IN, now)
            case _:
                raise ValueError("box removed, box full, box back or box swapped NAME")

    def _mute(self, *, on: bool) -> None:
        self._device.line.mute = on


def _spot(word: str) -> Spot:
    try:
        return Spot(word)
    except ValueError:
        raise ValueError(f"jam where? {', '.join(spot.value for spot in Spot)}") from None


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 6:
        raise ValueError(f"{text!r} is no count")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number of seconds") from None
    if not 0 <= seconds <= 3600:
        raise ValueError(f"{text!r}: 0 to 3600 seconds")
    return seconds


def _choose(word: str, actions: dict[str, Callable[[], None]]) -> None:
    if word not in actions:
        raise ValueError(f"one of: {', '.join(actions)}")
    actions[word]()
