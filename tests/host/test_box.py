"""What a count decides: all claims of a denomination or none, never more than lies in the box, whatever the order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guichet.money import Currency, Money
from host.claims.box import (
    BoxNote,
    Credit,
    Hindrance,
    Line,
    NoteKey,
    Obstacle,
    Pieces,
    Standing,
    Verdict,
    after,
    decide,
    judge,
    recounted,
    resting_place,
    waiting,
)

EUR = Currency("EUR")
FIVE, TWENTY = Money(500, EUR), Money(2_000, EUR)
PERIODS = ("p0", "p1", "p2")
IN_BOX = (Standing.CREDITED, Standing.FOUND, Standing.WITHHELD)
MAY_LIE = (Standing.IN_DOUBT, Standing.UNSETTLED)


def note(number: int, standing: Standing, *periods: str, value: Money = TWENTY) -> BoxNote:
    return BoxNote(NoteKey("T-1", f"d{number}", f"n{number:03}"), value, standing, frozenset(periods or ("p0",)))


def counted(pieces: int, period: str = "p0", value: Money = TWENTY) -> Pieces:
    return Pieces(period, PERIODS.index(period), {value: pieces})


def numbers(credits: Sequence[Credit]) -> set[str]:
    return {credit.key.note_id for credit in credits}


ONE_CREDITED = note(1, Standing.CREDITED)
TWO_DOUBTS = (note(2, Standing.IN_DOUBT), note(3, Standing.IN_DOUBT))


@pytest.mark.parametrize(
    ("pieces", "doubts", "verdict", "closed"),
    [
        (0, 0, Verdict.SHORT, set[str]()),
        (1, 0, Verdict.EXACT, set[str]()),
        (2, 0, Verdict.OVER, set[str]()),
        (0, 2, Verdict.SHORT, set[str]()),
        (1, 2, Verdict.NOTHING_OVER, set[str]()),
        (2, 2, Verdict.NOT_ALL, set[str]()),
        (3, 2, Verdict.COVERED, {"n002", "n003"}),
        (4, 2, Verdict.COVERED, {"n002", "n003"}),
    ],
)
def test_claims_close_only_where_what_is_over_covers_all_of_them(
    pieces: int, doubts: int, verdict: Verdict, closed: set[str]
) -> None:
    notes = (ONE_CREDITED, *TWO_DOUBTS[:doubts])
    (line,) = judge(counted(pieces), notes)
    assert line.verdict is verdict
    assert numbers(decide([counted(pieces)], notes)) == closed


def test_what_is_over_beyond_the_claims_is_told_afterwards() -> None:
    notes = (ONE_CREDITED, *TWO_DOUBTS)
    (line,) = judge(counted(4), after(decide([counted(4)], notes), notes))
    assert (line.verdict, line.over, line.certain) == (Verdict.OVER, 1, 3)


def test_found_and_withheld_notes_are_in_the_box_and_cover_no_claim() -> None:
    notes = (note(1, Standing.FOUND), note(2, Standing.WITHHELD), note(3, Standing.IN_DOUBT))
    assert decide([counted(2)], notes) == ()
    assert numbers(decide([counted(3)], notes)) == {"n003"}


def test_another_denomination_and_another_period_cover_nothing() -> None:
    doubt = note(1, Standing.IN_DOUBT)
    assert decide([counted(5, value=FIVE), counted(5, "p1")], [doubt]) == ()


def test_books_that_are_not_complete_close_nothing() -> None:
    doubt = note(1, Standing.IN_DOUBT)
    assert decide([counted(5)], [doubt, note(2, Standing.UNSETTLED)]) == ()
    (line,) = judge(counted(5), [doubt, note(2, Standing.UNSETTLED)])
    assert line.verdict is Verdict.WAITING
    assert numbers(decide([counted(5)], [doubt, note(2, Standing.UNSETTLED, value=FIVE)])) == {"n001"}


def test_a_denomination_that_was_not_named_was_not_there() -> None:
    (five, twenty) = judge(Pieces("p0", 0, {FIVE: 1}), [ONE_CREDITED])
    assert five == Line(FIVE, 1)
    assert twenty == Line(TWENTY, 0, credited=1)
    assert twenty.verdict is Verdict.SHORT


def test_a_doubt_that_spans_two_periods_is_a_candidate_in_both() -> None:
    spanning, own = note(1, Standing.IN_DOUBT, "p0", "p1"), note(2, Standing.IN_DOUBT, "p1")
    assert numbers(decide([counted(1, "p0")], [spanning, own])) == {"n001"}
    assert decide([counted(1, "p1")], [spanning, own]) == ()
    (both,) = {credit.box_period_id for credit in decide([counted(2, "p1")], [spanning, own])}
    assert both == "p1"


def test_a_doubt_that_is_closed_in_one_box_no_longer_weighs_on_the_other() -> None:
    spanning, own = note(1, Standing.IN_DOUBT, "p0", "p1"), note(2, Standing.IN_DOUBT, "p1")
    credits = decide([counted(1, "p1"), counted(1, "p0")], [spanning, own])
    assert {(credit.key.note_id, credit.box_period_id) for credit in credits} == {("n001", "p0"), ("n002", "p1")}


def test_a_doubt_that_both_boxes_cover_is_credited_once_and_in_the_earlier() -> None:
    (credit,) = decide([counted(1, "p1"), counted(1, "p0")], [note(1, Standing.IN_DOUBT, "p0", "p1")])
    assert credit.box_period_id == "p0"


def test_no_box_has_fewer_than_no_pieces() -> None:
    with pytest.raises(ValueError, match="fewer than no"):
        counted(-1)


@pytest.mark.parametrize(
    ("counts", "place"),
    [
        ((), "p0"),
        ((counted(0),), "p1"),
        ((counted(1),), "p0"),
        ((counted(0), counted(1, "p1")), "p1"),
        ((counted(1, "p1"),), "p1"),
        ((counted(0), counted(0, "p1")), None),
    ],
)
def test_persons_credit_a_doubt_where_a_piece_is_left_and_nowhere_else(
    counts: tuple[Pieces, ...], place: str | None
) -> None:
    doubt = note(1, Standing.IN_DOUBT, "p0", "p1")
    assert resting_place(doubt, "p0", counts, [doubt]) == place


@pytest.mark.parametrize("obstacle", Obstacle)
@pytest.mark.parametrize(
    ("pieces", "doubts", "verdict"),
    [
        (0, 0, Verdict.SHORT),
        (1, 0, Verdict.EXACT),
        (2, 0, Verdict.OVER),
        (0, 2, Verdict.SHORT),
        (1, 2, Verdict.NOTHING_OVER),
        (2, 2, Verdict.NOT_ALL),
        (3, 2, Verdict.PERSONS),
        (4, 2, Verdict.PERSONS),
    ],
)
def test_with_an_obstacle_nothing_closes_by_itself(
    pieces: int, doubts: int, verdict: Verdict, obstacle: Obstacle
) -> None:
    notes = (ONE_CREDITED, *TWO_DOUBTS[:doubts])
    for value in (TWENTY, None):
        (line,) = judge(counted(pieces), notes, [Hindrance("p0", value, obstacle)])
        assert line.verdict is (Verdict.PERSONS if obstacle is Obstacle.CONFLICT else verdict)
        assert decide([counted(pieces)], notes, [Hindrance("p0", value, obstacle)]) == ()


def test_an_obstacle_stands_before_its_own_period_and_denomination_only() -> None:
    elsewhere = [Hindrance("p1", None, Obstacle.NO_EXCHANGE), Hindrance("p0", FIVE, Obstacle.ANOTHER_BOX)]
    assert numbers(decide([counted(3)], (ONE_CREDITED, *TWO_DOUBTS), elsewhere)) == {"n002", "n003"}


def test_of_several_obstacles_the_first_is_told_and_settlement_comes_before_all() -> None:
    both = [Hindrance("p0", None, Obstacle.UNKNOWN_FIND), Hindrance("p0", TWENTY, Obstacle.CONFLICT)]
    (line,) = judge(counted(1), [ONE_CREDITED], both)
    assert (line.obstacle, line.verdict) == (Obstacle.CONFLICT, Verdict.PERSONS)
    (line,) = judge(counted(1), [note(1, Standing.UNSETTLED)], both)
    assert line.verdict is Verdict.WAITING
    (empty,) = judge(counted(0), (), both)
    assert (empty.value, empty.verdict) == (TWENTY, Verdict.PERSONS), "nobody has such a note, and two sources differ"


@pytest.mark.parametrize(
    ("series", "more"),
    [
        ((), False),
        ((2,), False),
        ((2, 2), False),
        ((2, 1), False),
        ((1, 2), True),
        ((1, 2, 2), True),
        ((1, 2, 1), False),
    ],
)
def test_a_recount_of_more_pieces_than_any_before_it_is_an_obstacle(series: Sequence[int], more: bool) -> None:
    found = recounted([counted(pieces) for pieces in series])
    assert found == ((Hindrance("p0", TWENTY, Obstacle.RECOUNT),) if more else ())


def test_persons_credit_nothing_while_a_note_of_the_denomination_is_not_settled() -> None:
    """The piece that is over may be the unsettled note itself."""
    doubt, late = note(1, Standing.IN_DOUBT, "p0", "p1"), note(2, Standing.UNSETTLED, "p1")
    for counts in ((), (counted(1, "p1"),), (counted(1), counted(1, "p1"))):
        assert waiting(doubt, [doubt, late]) == ("p1",)
        assert resting_place(doubt, "p0", counts, [doubt, late]) is None
    other = (note(2, Standing.UNSETTLED, "p1", value=FIVE), note(3, Standing.UNSETTLED, "p2"))
    assert waiting(doubt, [doubt, *other]) == ()
    assert resting_place(doubt, "p0", (counted(1),), [doubt, *other]) == "p0"


# --- whatever lies where ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """Notes as the books have them, and how many pieces of each value really lie in each box."""

    notes: tuple[BoxNote, ...]
    lies: Mapping[NoteKey, str]
    paper: Counter[tuple[str, Money]]

    def settled(self, notes: Sequence[BoxNote]) -> list[BoxNote]:
        """``notes`` once every advice has come: what was not settled and lies in a box is credited there."""
        known = [one for one in notes if one.standing is not Standing.UNSETTLED]
        late = [one for one in notes if one.standing is Standing.UNSETTLED and one.key in self.lies]
        lie = [replace(one, standing=Standing.CREDITED, periods=frozenset({self.lies[one.key]})) for one in late]
        return [*known, *lie]

    def counts(self) -> list[Pieces]:
        """A right count of every box."""
        return [
            Pieces(period, index, {value: self.paper[period, value] for value in (FIVE, TWENTY)})
            for index, period in enumerate(PERIODS)
        ]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Books for which the design's conservation holds: a note in the box lies there, a doubt may lie where it can."""
    notes: list[BoxNote] = []
    lies: dict[NoteKey, str] = {}
    paper: Counter[tuple[str, Money]] = Counter()
    for number in range(draw(st.integers(0, 8))):
        value, first = draw(st.sampled_from((FIVE, TWENTY))), draw(st.integers(0, 2))
        standing = draw(st.sampled_from((*IN_BOX, Standing.UNSETTLED, *(Standing.IN_DOUBT,) * 3)))
        last = first + draw(st.integers(0, 1)) if standing in MAY_LIE else first
        candidates = PERIODS[first : last + 1]
        notes.append(note(number, standing, *candidates, value=value))
        place = draw(st.sampled_from((*candidates, None))) if standing in MAY_LIE else candidates[0]
        if place is not None:
            lies[notes[-1].key] = place
            paper[place, value] += 1
    return World(tuple(notes), lies, paper)


ANY_COUNTS = st.lists(st.integers(0, 4), min_size=6, max_size=6).map(
    lambda pieces: [
        Pieces(period, index, {FIVE: pieces[index], TWENTY: pieces[index + 3]}) for index, period in enumerate(PERIODS)
    ]
)


@given(world=worlds())
def test_conservation_holds_after_every_decision_of_a_right_count(world: World) -> None:
    notes = after(decide(world.counts(), world.notes), world.notes)
    for count in world.counts():
        for line in judge(count, notes):
            assert line.certain <= line.pieces <= line.certain + line.in_doubt + line.unsettled


@given(world=worlds(), data=st.data())
@settings(max_examples=1_000)
def test_persons_never_credit_more_than_lies_in_a_box_whatever_is_settled_afterwards(
    world: World, data: st.DataObject
) -> None:
    """They decide about the doubts in any order, and would credit each of them."""
    notes: tuple[BoxNote, ...] = world.notes
    doubts = [one for one in notes if one.standing is Standing.IN_DOUBT]
    for doubt in data.draw(st.permutations(doubts)):
        place = resting_place(doubt, min(doubt.periods), world.counts(), notes)
        if place is not None:
            notes = after([Credit(doubt.key, doubt.value, place)], notes)
    for count in world.counts():
        assert all(line.certain <= line.pieces for line in judge(count, world.settled(notes)))


@given(world=worlds(), counts=ANY_COUNTS)
def test_no_count_credits_more_than_lies_in_the_box(world: World, counts: list[Pieces]) -> None:
    credits = decide(counts, world.notes)
    notes = after(credits, world.notes)
    for count in counts:
        credited = {credit.value for credit in credits if credit.box_period_id == count.box_period_id}
        for line in judge(count, notes):
            if line.value in credited:
                assert line.certain <= line.pieces
                assert line.in_doubt == 0


@given(world=worlds(), counts=ANY_COUNTS, data=st.data())
def test_no_obstacle_lets_close_what_would_not_close_without_it(
    world: World, counts: list[Pieces], data: st.DataObject
) -> None:
    one = st.builds(
        Hindrance, st.sampled_from(PERIODS), st.sampled_from((FIVE, TWENTY, None)), st.sampled_from(Obstacle)
    )
    hindrances = data.draw(st.lists(one, max_size=3))
    closed = decide(counts, world.notes, hindrances)
    assert numbers(closed) <= numbers(decide(counts, world.notes))
    assert not any(one.about(credit.box_period_id, credit.value) for credit in closed for one in hindrances)


@given(world=worlds(), counts=ANY_COUNTS)
def test_no_customer_loses_by_a_count(world: World, counts: list[Pieces]) -> None:
    credits = decide(counts, world.notes)
    closed = {credit.key: credit for credit in credits}
    assert len(closed) == len(credits)
    for before, now in zip(world.notes, after(credits, world.notes), strict=True):
        if before.key in closed:
            assert before.standing is Standing.IN_DOUBT
            assert now.standing is Standing.CREDITED
            assert now.periods <= before.periods
        else:
            assert now == before


@given(world=worlds(), counts=ANY_COUNTS)
def test_a_second_run_decides_nothing(world: World, counts: list[Pieces]) -> None:
    notes = after(decide(counts, world.notes), world.notes)
    assert decide(counts, notes) == ()
    assert all(line.verdict is not Verdict.COVERED for count in counts for line in judge(count, notes))


@given(world=worlds(), counts=ANY_COUNTS, data=st.data())
def test_the_order_of_notes_and_counts_changes_nothing(world: World, counts: list[Pieces], data: st.DataObject) -> None:
    shaken = data.draw(st.permutations(world.notes))
    assert decide(data.draw(st.permutations(counts)), shaken) == decide(counts, world.notes)
    assert [judge(count, shaken) for count in counts] == [judge(count, world.notes) for count in counts]


@given(world=worlds(), counts=ANY_COUNTS, data=st.data())
def test_boxes_that_are_counted_one_after_another_close_the_same_claims(
    world: World, counts: list[Pieces], data: st.DataObject
) -> None:
    known: list[Pieces] = []
    notes, closed = world.notes, set[str]()
    for count in data.draw(st.permutations(counts)):
        known.append(count)
        credits = decide(known, notes)
        notes, closed = after(credits, notes), closed | numbers(credits)
    assert closed == numbers(decide(counts, world.notes))
