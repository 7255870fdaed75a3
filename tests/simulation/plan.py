"""What happens in a world, decided before it begins: who comes with which notes, and what goes wrong when. Pure.

A plan is a function of its seed alone. Each part rolls dice of its own, so that leaving one out changes no other.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum


class Wish(Enum):
    """What somebody wants done with a note that was pushed in."""

    TAKE = "take"
    GIVE_BACK = "give back"
    SECOND = "a second note behind it"


class End(Enum):
    """How a visit ends."""

    FINISH = "finish"
    RECEIPT = "finish, and a receipt"
    CANCEL = "cancel in mid-note"
    CARD = "card pulled in mid-note"
    WALKS_AWAY = "walks away"


@dataclass(frozen=True, slots=True)
class Push:
    """A note that is pushed in, such as ``20 EUR``; ``unreadable``: paper that no device knows."""

    face: str
    wish: Wish


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody comes to a terminal and makes a deposit. Both are counted from 0. ``away``: the way to the host is cut
    before, and whole again after.
    """

    terminal: int
    customer: int
    pushes: tuple[Push, ...]
    end: End
    away: bool = False


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the host has signed for a terminal: minor units of EUR a day, deposits a day, how long it is good."""

    per_card: int
    per_terminal: int
    deposits: int
    seconds: int


class Kind(Enum):
    """What can go wrong."""

    KILL = "kill -9"
    POWER = "power cut"
    STOP = "planned restart"
    DEVICE_POWER = "device power cut"
    DEVICE = "device fault"
    ACK = "acknowledgement"
    UNASKED = "note drawn in unasked"
    UNPLUG = "cable out"
    SWAP = "another device"
    DISK = "another disk"
    WENT_BACK = "disk went back"
    PARTITION = "partition"
    RESET = "connection reset"
    WEATHER = "bad network"
    HOST = "host crash"
    DISK_FULL = "disk full"
    DISK_ERROR = "disk error"
    EDIT = "journal edited"
    CLOCK = "clock jump"
    HOST_CLOCK = "host's clock jump"


class Moment(Enum):
    """A record that somebody waits for who wants something to go wrong right then."""

    ESCROWED = "in escrow"
    STACK_INTENDED = "stack intended"
    RETURN_INTENDED = "return intended"
    STACKED = "stacked"
    IN_DOUBT = "in doubt"


@dataclass(frozen=True, slots=True)
class Mishap:
    """Something goes wrong ``after`` seconds from when the ``push``-th note of the ``visit``-th visit is pushed in or,
    with a ``moment``, from the next record of that kind; for ``seconds``. ``number``: how many effects, steps, bytes or
    calls later it strikes, or seconds later an old disk turns up, or a disk goes back; ``word``: which fault, or which
    note.
    """

    visit: int
    push: int
    after: float
    kind: Kind
    seconds: float
    number: int = 0
    word: str = ""
    moment: Moment | None = None

    def __str__(self) -> str:
        what = " ".join(str(part) for part in (self.word, self.number) if part)
        since = f" on {self.moment.value}," if self.moment is not None else ""
        return (
            f"visit {self.visit}, note {self.push},{since} after {self.after:.2f} s: {self.kind.value}"
            f"{' ' + what if what else ''}, for {self.seconds:.1f} s"
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """``subjects``: the cash module of each terminal, by its name in the conformance suite. ``allowances``: what each
    may do without its host, where it may.
    """

    seed: int
    subjects: tuple[str, ...]
    visits: tuple[Visit, ...]
    mishaps: tuple[Mishap, ...]
    allowances: tuple[Allowance | None, ...]

    def only(self, visits: frozenset[int], mishaps: frozenset[int]) -> Plan:
        """The same with only these visits and mishaps, by their places here; a mishap of nobody's visit is none."""
        kept = tuple(mishap for place, mishap in enumerate(self.mishaps) if place in mishaps and mishap.visit in visits)
        stayed = tuple(
            visit if place in visits else replace(visit, pushes=()) for place, visit in enumerate(self.visits)
        )
        return replace(self, visits=stayed, mishaps=kept)


_FAULTS = (
    "mute 3", "mute 12", "lose 1", "lose 4", "late 0.4", "late 6", "wrong crc 1", "wrong crc 4",
    "noise 7F FC 02 03 28 55", "jam in head", "jam in transport", "jam in box", "box full", "box removed", "cheat",
    "second note", "fail", "not taken", "slips",
)  # fmt: skip
_ACKS = ("lose", "repeat", "late 0.4", "late 3")
_WEIGHTS = {
    Kind.KILL: 8,
    Kind.POWER: 8,
    Kind.STOP: 2,
    Kind.DEVICE_POWER: 6,
    Kind.DEVICE: 8,
    Kind.ACK: 3,
    Kind.UNPLUG: 3,
    Kind.SWAP: 3,
    Kind.DISK: 2,
    Kind.PARTITION: 5,
    Kind.RESET: 3,
    Kind.WEATHER: 3,
    Kind.HOST: 5,
    Kind.DISK_FULL: 2,
    Kind.DISK_ERROR: 3,
    Kind.EDIT: 1,
    Kind.CLOCK: 1,
    Kind.HOST_CLOCK: 1,
}
# How often it is a note that is drawn in unasked instead.
_UNASKED = 0.05
# How many jams a reset sets free, or the power off and on.
_LOOSE = 0.4
# How many of the device's faults are a hand on its mouth instead, just as it is to give a note back.
_MOUTH_SHUT = 0.12
# In how many worlds a disk goes back, beside what else goes wrong there.
_WENT_BACK = 0.08
# In how many worlds another note lies in escrow when the process comes back, or has slipped on into the box.
_ANOTHER_NOTE = 0.1
_SLIPPED_ON = 0.5
# Of a note in the box that nobody saw there it cannot say which it is: the one on record, for all that anybody knows.
_NAMES_NO_NOTE = "id003"
# How many of what goes wrong comes on top of the last: one misfortune alone is what everybody thinks of.
_TOGETHER = 0.35
# How many wait for a record, for what lies between two records lasts milliseconds, and seconds hit it seldom.
_AIMED = 0.45
_MOMENTS = {
    Moment.ESCROWED: 3,
    Moment.STACK_INTENDED: 4,
    Moment.RETURN_INTENDED: 3,
    Moment.STACKED: 4,
    Moment.IN_DOUBT: 1,
}
_DEPOSITS = 12
_NOTES = 40


def plan_of(seed: int, subjects: tuple[str, ...], faces: dict[str, tuple[str, ...]]) -> Plan:
    """The plan of ``seed``: at least ten visits, thirty notes and six mishaps, a death and a power cut among them.
    ``subjects`` to choose from; ``faces``: what is pushed into each.
    """
    dice = random.Random(f"{seed}/world")
    terminals = tuple(dice.choice(subjects) for _ in range(dice.choice((1, 1, 2))))
    allowances = tuple(_allowance(seed, index) for index in range(len(terminals)))
    visits = tuple(
        _away(seed, number, visit, allowances) for number, visit in enumerate(_visits(seed, terminals, faces))
    )
    mishaps = (*_mishaps(seed, visits), *_another_note(seed, visits, terminals, faces))
    return Plan(seed, terminals, visits, mishaps, allowances)


def _allowance(seed: int, terminal: int) -> Allowance | None:
    dice = random.Random(f"{seed}/allowance/{terminal}")
    if dice.random() < 0.5:
        return None
    per_card = dice.choice((3_000, 8_000, 20_000))
    per_terminal = per_card * dice.choice((1, 2, 3))
    return Allowance(per_card, per_terminal, dice.choice((1, 2, 3)), dice.choice((120, 7 * 86_400, 7 * 86_400)))


def _away(seed: int, number: int, visit: Visit, allowances: tuple[Allowance | None, ...]) -> Visit:
    dice = random.Random(f"{seed}/away/{number}")
    return replace(visit, away=allowances[visit.terminal] is not None and dice.random() < 0.4)


def _visits(seed: int, terminals: tuple[str, ...], faces: dict[str, tuple[str, ...]]) -> Iterator[Visit]:
    notes = 0
    number = 0
    while number < _DEPOSITS or notes < _NOTES:
        dice = random.Random(f"{seed}/visit/{number}")
        terminal = number % len(terminals)
        pushes = tuple(_push(dice, faces[terminals[terminal]]) for _ in range(dice.choice((2, 3, 3, 4, 5))))
        ends = (End.FINISH, End.FINISH, End.FINISH, End.RECEIPT, End.CANCEL, End.CARD, End.WALKS_AWAY)
        yield Visit(terminal, dice.randrange(3), pushes, dice.choice(ends))
        notes += len(pushes)
        number += 1


def _push(dice: random.Random, faces: tuple[str, ...]) -> Push:
    face = "unreadable" if dice.random() < 0.04 else dice.choice(faces)
    wishes = (Wish.TAKE,) * 10 + (Wish.GIVE_BACK,) * 2 + (Wish.SECOND,)
    return Push(face, dice.choice(wishes))


def _mishaps(seed: int, visits: tuple[Visit, ...]) -> Iterator[Mishap]:
    count = random.Random(f"{seed}/mishaps").randint(6, 10)
    visit = push = 0
    for number in range(count):
        dice = random.Random(f"{seed}/mishap/{number}")
        kind = {0: Kind.KILL, 1: Kind.POWER}.get(number) or dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        if number > 1 and random.Random(f"{seed}/unasked/{number}").random() < _UNASKED:
            kind = Kind.UNASKED
        if not number or dice.random() >= _TOGETHER:
            visit = dice.randrange(len(visits))
            push = dice.randrange(len(visits[visit].pushes))
        mishap = _mishap(dice, visit, push, kind, visits[visit].pushes[push].face)
        by_hand = random.Random(f"{seed}/mouth/{number}")
        if kind is Kind.DEVICE and by_hand.random() < _MOUTH_SHUT:
            mishap = replace(mishap, word=f"mouth shut {by_hand.choice((5, 15, 60))}")
        if mishap.word.startswith("jam in") and random.Random(f"{seed}/loose/{number}").random() < _LOOSE:
            mishap = replace(mishap, word=f"loose {mishap.word}")
        yield _aimed(seed, number, mishap)
    dice = random.Random(f"{seed}/went back")
    if dice.random() < _WENT_BACK:
        yield _aimed(seed, count, _goes_back(dice, visits))


def _aimed(seed: int, number: int, mishap: Mishap) -> Mishap:
    dice = random.Random(f"{seed}/moment/{number}")
    if dice.random() >= _AIMED:
        return mishap
    moment = dice.choices(list(_MOMENTS), list(_MOMENTS.values()))[0]
    count = mishap.number
    if mishap.kind in (Kind.KILL, Kind.POWER, Kind.DEVICE_POWER):
        count = min(count, dice.randint(1, 12))
    after = dice.choice((0.0, 0.0, dice.uniform(0, 0.4), dice.uniform(0, 2)))
    # Longer than anyone waits for a device that does not answer.
    seconds = dice.choice((mishap.seconds, 20.0)) if mishap.kind is Kind.UNPLUG else mishap.seconds
    return replace(mishap, after=after, number=count, seconds=seconds, moment=moment)


def _another_note(
    seed: int, visits: tuple[Visit, ...], terminals: tuple[str, ...], faces: dict[str, tuple[str, ...]]
) -> Iterator[Mishap]:
    """The process dies with a note in escrow, for longer than the device holds it, or with one just acknowledged; and
    another one is drawn in then, which may slip into the box before anybody asks.
    """
    dice = random.Random(f"{seed}/another note")
    if dice.random() >= _ANOTHER_NOTE:
        return
    visit = dice.randrange(len(visits))
    push = dice.randrange(len(visits[visit].pushes))
    name = terminals[visits[visit].terminal]
    moment = dice.choice((Moment.ESCROWED, Moment.RETURN_INTENDED, Moment.STACK_INTENDED, Moment.STACKED))
    face = dice.choice([one for one in faces[name] if one != visits[visit].pushes[push].face])
    # The device is done with a note that is on record when it has been asked once more.
    dies = dice.uniform(0.02, 0.3) if moment is Moment.STACKED else 0.0
    comes = dice.uniform(11.5, 15.0)
    yield Mishap(visit, push, dies, Kind.KILL, 18.0, 0, "at once", moment)
    yield Mishap(visit, push, comes, Kind.UNASKED, 1.0, 0, face, moment)
    if dice.random() < _SLIPPED_ON and not name.startswith(_NAMES_NO_NOTE):
        yield Mishap(visit, push, comes + dice.uniform(0.6, 2.0), Kind.DEVICE, 1.0, 0, "slips", moment)


def _goes_back(dice: random.Random, visits: tuple[Visit, ...]) -> Mishap:
    """The image is taken as it strikes; some deposits later, or none, the disk is that; after ``seconds`` an engineer
    comes.
    """
    visit = dice.randrange(len(visits))
    push = dice.randrange(len(visits[visit].pushes))
    number = dice.choice((1, 4, 15, 40, 100))
    seconds = number + dice.choice((6.0, 20.0, 60.0))
    return Mishap(visit, push, dice.choice((0.0, dice.uniform(0, 4))), Kind.WENT_BACK, seconds, number)


def _mishap(dice: random.Random, visit: int, push: int, kind: Kind, face: str) -> Mishap:
    after = dice.choice((0.0, dice.uniform(0, 0.8), dice.uniform(0, 4)))
    seconds = dice.choice((0.3, dice.uniform(0.05, 1.0), 3.0, dice.uniform(1.0, 15.0)))
    number, word = 0, ""
    match kind:
        case Kind.KILL | Kind.POWER:
            word = dice.choice(("at once", "at effect", "at disk", "at disk", "at disk", "at step"))
            number = dice.randint(1, 300 if word == "at step" else 60)
        case Kind.DEVICE_POWER:
            word, number = dice.choice(("before", "after")), dice.randint(1, 60)
        case Kind.DEVICE:
            word = dice.choice(_FAULTS)
        case Kind.ACK:
            word = dice.choice(_ACKS)
        case Kind.UNASKED:
            word = face
        case Kind.HOST:
            number = dice.randint(1, 12)
        case Kind.PARTITION:
            seconds = dice.choice((2.0, 10.0, 40.0))
        case Kind.DISK_ERROR:
            number = dice.randint(1, 12)
        case Kind.DISK:
            seconds = dice.uniform(4.0, 15.0)
            # Somebody finds the old one, much later perhaps, and hands in what it still has.
            number = dice.choice((0, 0, 1, 10, 60, 200))
        case Kind.CLOCK | Kind.HOST_CLOCK:
            number = dice.choice((-86_400, -3_600, -5, 90, 3_600, 86_400))
        case _:
            pass
    return Mishap(visit, push, after, kind, seconds, number, word)
