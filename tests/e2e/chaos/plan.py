"""What goes wrong and when, from a seed. Pure: what people do meanwhile, and what comes of it, is not here."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What goes wrong."""

    KILL_TERMINAL = "kill -9 terminal"
    KILL_HOST = "kill -9 host"
    KILL_CASH = "kill -9 cash"
    KILL_PINPAD = "kill -9 pinpad"
    KILL_PRINTER = "kill -9 printer"
    KILL_SCREEN = "kill -9 screen"
    CUT_POWER = "power of cash off"
    STOP_TERMINAL = "stop terminal"
    STOP_HOST = "stop host"
    CUT_NETWORK = "network cut"
    FILL_DISK = "disk full"
    MOVE_CLOCK = "clock moved"

    @property
    def kills(self) -> str:
        """Whose process dies; empty where none does."""
        return self.value.removeprefix("kill -9 ") if self.value.startswith("kill -9 ") else ""

    @property
    def stops(self) -> str:
        """Whose process is stopped."""
        return self.value.removeprefix("stop ") if self.value.startswith("stop ") else ""


class Moment(Enum):
    """From when the delay counts."""

    NOTE = "after a note was pushed in"
    END = "after somebody ended a deposit"
    START = "after the terminal was last started again"
    ANY = "after what went wrong before"


@dataclass(frozen=True, slots=True)
class Mishap:
    """One thing that goes wrong, ``delay`` seconds after its moment and for ``seconds``: so long a process is dead, the
    cable pulled, the clock off by ``hours``. ``notes``: how many are pushed in first, where the moment is a note's.
    ``hangs``: so long the process hears and says nothing before it is killed, as with one that a watchdog kills.
    """

    kind: Kind
    moment: Moment
    notes: int
    delay: float
    seconds: float = 0.0
    hours: int = 0
    hangs: float = 0.0


_KILLS = {
    Kind.KILL_TERMINAL: 70,
    Kind.KILL_HOST: 14,
    Kind.KILL_CASH: 5,
    Kind.KILL_PINPAD: 3,
    Kind.KILL_PRINTER: 2,
    Kind.KILL_SCREEN: 4,
}
_OTHERS = {
    Kind.CUT_POWER: 8,
    Kind.STOP_TERMINAL: 3,
    Kind.STOP_HOST: 3,
    Kind.CUT_NETWORK: 5,
    Kind.FILL_DISK: 3,
    Kind.MOVE_CLOCK: 3,
}
_AT_THE_END = {Kind.KILL_TERMINAL: 40, Kind.KILL_HOST: 45, Kind.CUT_NETWORK: 15}
"""When a deposit is delivered, what matters is at its two ends."""
_OTHERS_A_KILL = 0.25
_HANGING = frozenset({Kind.KILL_TERMINAL, Kind.KILL_HOST})
_HANGS = 0.2
"""How many of these hang before."""
_HANGING_SECONDS = 0.8
_MOMENTS = {Moment.NOTE: 30, Moment.END: 12, Moment.START: 50, Moment.ANY: 8}
_NOTE_SECONDS = 0.7
"""What a note takes from the mouth to being cleared, and as much again."""
_START_SECONDS = 1.2
"""What a terminal takes to recover and to open the slot again."""
_END_SECONDS = 0.15
"""What it takes to close a deposit, to deliver it and to hear that it is booked, and as much again."""
_ANY_SECONDS = 1.0
_LONGEST = {
    Moment.NOTE: _NOTE_SECONDS,
    Moment.END: _END_SECONDS,
    Moment.START: _START_SECONDS,
    Moment.ANY: _ANY_SECONDS,
}
_DEAD_SECONDS = 1.2
_LAST_SECONDS = {Kind.FILL_DISK: (0.5, 2.0), Kind.MOVE_CLOCK: (0.0, 20.0)}
_SHORT = (0.1, 1.5)


def mishaps(seed: int, kills: int, without: frozenset[Kind] = frozenset()) -> Iterator[Mishap]:
    """What goes wrong in a run of so many kills, in order, without what this machine cannot do."""
    dice = random.Random(f"chaos {seed}")
    while kills:
        mishap = _mishap(dice)
        if mishap.kind not in without:
            kills -= bool(mishap.kind.kills)
            yield mishap


def _kind(dice: random.Random, moment: Moment) -> Kind:
    other = dice.random() < _OTHERS_A_KILL / (1 + _OTHERS_A_KILL)
    weights = _AT_THE_END if moment is Moment.END else _OTHERS if other else _KILLS
    return dice.choices(list(weights), list(weights.values()))[0]


def _mishap(dice: random.Random) -> Mishap:
    moment = dice.choices(list(_MOMENTS), list(_MOMENTS.values()))[0]
    kind = _kind(dice, moment)
    notes = dice.choice((1, 1, 1, 2)) if moment is Moment.NOTE else 0
    delay = dice.uniform(0, _LONGEST[moment])
    if kind.kills:
        # Most are back at once: the more lives, the more deaths.
        dead = dice.choice((0.0, 0.0, dice.uniform(0, _DEAD_SECONDS)))
        hangs = dice.uniform(0, _HANGING_SECONDS) if kind in _HANGING and dice.random() < _HANGS else 0.0
        if hangs and moment is Moment.END:
            delay /= 10  # It should hang before it has heard what comes now.
        return Mishap(kind, moment, notes, delay, dead, hangs=hangs)
    hours = dice.choice((-48, -5, -1, 1, 3, 48)) if kind is Kind.MOVE_CLOCK else 0
    return Mishap(kind, moment, notes, delay, dice.uniform(*_LAST_SECONDS.get(kind, _SHORT)), hours)
