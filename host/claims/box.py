"""What the count of a cash box decides about the doubts of its period. Pure: books and counts come in as values.

A count has no note identity: it says how many pieces of a denomination lie in the box, never which. So claims close by
themselves only in the customers' favour, and only all together: where what is over covers every open claim of that
period and denomination, each of them is credited. Anything else needs a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from guichet.money import Money


class Standing(Enum):
    """How a note stands. UNSETTLED: the journal knows of it what the books do not have yet, or have otherwise."""

    CREDITED = "credited"
    FOUND = "found"
    WITHHELD = "withheld"
    IN_DOUBT = "in doubt"
    UNSETTLED = "unsettled"


class Obstacle(Enum):
    """Why a count closes nothing of a denomination by itself, even where it covers the doubts. The first of them is
    the one that is told.
    """

    CONFLICT = "terminal and books differ"
    NO_EXCHANGE = "no exchange was seen"
    ANOTHER_BOX = "a note may lie in another box"
    UNKNOWN_FIND = "a find of unknown value"
    RECOUNT = "more than was counted before"


class Verdict(Enum):
    """What a count says of one denomination. Only COVERED closes claims. PERSONS: there is an :class:`Obstacle`."""

    EXACT = "exact"
    COVERED = "covers the doubts"
    NOT_ALL = "does not cover all doubts"
    NOTHING_OVER = "nothing over for the doubts"
    SHORT = "short"
    OVER = "over"
    WAITING = "waits for settlement"
    PERSONS = "persons decide"


@dataclass(frozen=True, slots=True, order=True)
class NoteKey:
    """Which note. The deposit is the one under which the host was told of it."""

    terminal_id: str
    deposit_id: str
    note_id: str


@dataclass(frozen=True, slots=True)
class BoxNote:
    """A note that lies in a box, or may. ``periods``: the one in whose box it lies; for a doubt all in whose box it
    may lie.
    """

    key: NoteKey
    value: Money
    standing: Standing
    periods: frozenset[str]


@dataclass(frozen=True, slots=True)
class Pieces:
    """The last count of a period's box: pieces by the value of one. ``ordinal``: the place of the period among those of
    its terminal. What is not named was not there. Raises ValueError for fewer than none.
    """

    box_period_id: str
    ordinal: int
    pieces: Mapping[Money, int]

    def __post_init__(self) -> None:
        if any(count < 0 for count in self.pieces.values()):
            raise ValueError("no box has fewer than no pieces")


@dataclass(frozen=True, slots=True)
class Hindrance:
    """That there is an obstacle in a period. ``value`` is None where it is one for every denomination."""

    box_period_id: str
    value: Money | None
    obstacle: Obstacle

    def about(self, period: str, value: Money) -> bool:
        """Whether it stands before this denomination of this period."""
        return self.box_period_id == period and self.value in (None, value)


@dataclass(frozen=True, slots=True)
class Line:
    """One denomination of a period: the pieces that were counted beside the notes as they stand. ``in_doubt`` are all
    that may lie in this box; ``obstacle`` is why nothing closes by itself, if there is a reason.
    """

    value: Money
    pieces: int
    credited: int = 0
    found: int = 0
    withheld: int = 0
    in_doubt: int = 0
    unsettled: int = 0
    obstacle: Obstacle | None = None

    @property
    def certain(self) -> int:
        """Notes that the books have in the box."""
        return self.credited + self.found + self.withheld

    @property
    def over(self) -> int:
        """Pieces that the books do not account for; below zero: that many are missing."""
        return self.pieces - self.certain

    @property
    def verdict(self) -> Verdict:
        """What the count says. Nothing is concluded from books that are not complete."""
        if self.unsettled:
            return Verdict.WAITING
        if self.obstacle is Obstacle.CONFLICT:
            return Verdict.PERSONS
        if self.over < 0:
            return Verdict.SHORT
        if not self.in_doubt:
            return Verdict.OVER if self.over else Verdict.EXACT
        if not self.over:
            return Verdict.NOTHING_OVER
        if self.over < self.in_doubt:
            return Verdict.NOT_ALL
        return Verdict.COVERED if self.obstacle is None else Verdict.PERSONS


@dataclass(frozen=True, slots=True)
class Credit:
    """A doubt that a count closes: the note lies in the box of this period, and is credited."""

    key: NoteKey
    value: Money
    box_period_id: str


def judge(count: Pieces, notes: Iterable[BoxNote], hindrances: Iterable[Hindrance] = ()) -> tuple[Line, ...]:
    """A line for each denomination that was counted, that the books have or that has a hindrance of its own, by
    currency and value.
    """
    period, here = count.box_period_id, [one for one in hindrances if one.box_period_id == count.box_period_id]
    stand = Counter((note.value, note.standing) for note in notes if period in note.periods)
    values = {value for value, pieces in count.pieces.items() if pieces} | {value for value, _ in stand}
    values |= {one.value for one in here if one.value is not None}

    def line(value: Money) -> Line:
        found = {one.obstacle for one in here if one.about(period, value)}
        obstacle = next((obstacle for obstacle in Obstacle if obstacle in found), None)
        notes_here = (stand[value, standing] for standing in Standing)
        return Line(value, count.pieces.get(value, 0), *notes_here, obstacle=obstacle)

    return tuple(line(value) for value in sorted(values, key=face))


def face(value: Money) -> tuple[str, int]:
    """By which denominations are put in order, also across currencies."""
    return value.currency.code, value.minor


def recounted(counts: Sequence[Pieces]) -> tuple[Hindrance, ...]:
    """The hindrances of a period that was counted more than once, all its counts in order: what the last has more of
    than any before. A name is no proof, so nobody makes a claim close by counting again.
    """
    if not counts:
        return ()
    *earlier, last = counts
    more = [
        value for value, pieces in last.pieces.items() if any(pieces > count.pieces.get(value, 0) for count in earlier)
    ]
    return tuple(Hindrance(last.box_period_id, value, Obstacle.RECOUNT) for value in sorted(more, key=face))


def decide(
    counts: Sequence[Pieces], notes: Iterable[BoxNote], hindrances: Sequence[Hindrance] = ()
) -> tuple[Credit, ...]:
    """Every doubt that these counts, one a period of one terminal, close.

    A doubt that may lie in two boxes is a candidate in both. Once it is credited in one it weighs on the other no more,
    which can then cover what it did not cover before: so this goes on until nothing closes. Which claims close does not
    depend on the order of counts and notes; where both boxes cover a doubt, it lies in the earlier one.
    """
    standing, in_order = tuple(notes), sorted(counts, key=lambda count: count.ordinal)
    credits: list[Credit] = []
    while closed := _first_covered(in_order, standing, hindrances):
        standing = after(closed, standing)
        credits += closed
    return tuple(sorted(credits, key=lambda credit: credit.key))


def after(credits: Iterable[Credit], notes: Iterable[BoxNote]) -> tuple[BoxNote, ...]:
    """How the notes stand once these doubts are credited."""
    lies = {credit.key: frozenset({credit.box_period_id}) for credit in credits}
    return tuple(
        replace(note, standing=Standing.CREDITED, periods=lies[note.key]) if note.key in lies else note
        for note in notes
    )


def _first_covered(counts: Sequence[Pieces], notes: Iterable[BoxNote], hindrances: Sequence[Hindrance]) -> list[Credit]:
    """The doubts of the first denomination that is covered; none where none is."""
    by_period: dict[str, list[BoxNote]] = {}
    for note in notes:
        for period in note.periods:
            by_period.setdefault(period, []).append(note)
    for count in counts:
        here = by_period.get(count.box_period_id, [])
        for line in judge(count, here, hindrances):
            if line.verdict is Verdict.COVERED:
                doubts = (note for note in here if note.value == line.value and note.standing is Standing.IN_DOUBT)
                return [Credit(note.key, note.value, count.box_period_id) for note in doubts]
    return []


def resting_place(doubt: BoxNote, own: str, counts: Sequence[Pieces], notes: Iterable[BoxNote]) -> str | None:
    """In whose box a doubt lies that persons decide to credit: that of a counted period with a piece over, else that of
    one that nobody has counted, the note's ``own`` before others. None where all were counted and no piece is left, and
    while one of them is :func:`waiting`: the piece may belong to a note whose settlement is on its way.
    """
    if waiting(doubt, notes := tuple(notes)):
        return None
    counted = {count.box_period_id: count for count in counts}
    candidates = sorted(doubt.periods, key=lambda period: (period != own, period))
    for period in (period for period in candidates if period in counted):
        if any(line.value == doubt.value and line.over > 0 for line in judge(counted[period], notes)):
            return period
    return next((period for period in candidates if period not in counted), None)


def waiting(doubt: BoxNote, notes: Iterable[BoxNote]) -> tuple[str, ...]:
    """The periods, in order, in whose box ``doubt`` may lie and a note of its denomination that is not settled yet."""
    unsettled = (note for note in notes if note.standing is Standing.UNSETTLED and note.value == doubt.value)
    return tuple(sorted({period for note in unsettled for period in note.periods & doubt.periods}))
