"""The metal alone: where the paper goes, whatever protocol speaks of it."""

from __future__ import annotations

import pytest

from drivers.simulation.mechanism import Mechanism, Moved, Spot, Step, Verdict
from drivers.simulation.notes import PhysicalNote, Place, Vault


class Watched:
    """A mechanism with a judge that can be told, and everything that it tells."""

    def __init__(self) -> None:
        self.verdict = Verdict.ESCROW
        self.told: list[Moved] = []
        self.metal = Mechanism(Vault(None), self._judge, self._hear, stage_seconds=1.0, escrow_seconds=10.0)

    def _judge(self, note: PhysicalNote) -> tuple[Verdict, int]:
        return self.verdict, 7

    def _hear(self, happened: Moved, note: PhysicalNote | None, now: float) -> None:
        self.told.append(happened)

    @property
    def place(self) -> Place:
        return self.metal.vault.notes[-1].place

    def in_escrow(self) -> None:
        self.metal.insert("20.00 EUR", 4, 0.0)
        self.metal.advance(1.0)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_note_goes_from_the_mouth_over_escrow_to_the_box(watched: Watched) -> None:
    watched.in_escrow()
    assert (watched.metal.step, watched.place) == (Step.ESCROW, Place.ESCROW)
    assert watched.metal.stack(1.0)
    assert watched.place is Place.TRANSPORT
    watched.metal.advance(1.9)
    assert watched.metal.step is Step.STACKING
    watched.metal.advance(2.0)
    assert (watched.metal.step, watched.place) == (Step.RESTING, Place.BOX)
    assert watched.told == [Moved.ESCROWED, Moved.STACKED]


def test_a_note_that_nobody_decides_about_comes_back_after_its_time(watched: Watched) -> None:
    watched.in_escrow()
    watched.metal.hold(5.0)
    watched.metal.advance(14.9)
    assert watched.metal.step is Step.ESCROW
    watched.metal.advance(15.0)
    assert watched.metal.step is Step.RETURNING
    watched.metal.advance(16.0)
    assert watched.place is Place.HAND
    assert watched.told == [Moved.ESCROWED, Moved.ESCROW_OVER, Moved.RETURNED]


def test_what_is_not_in_escrow_is_neither_stacked_nor_given_back_nor_held(watched: Watched) -> None:
    assert not watched.metal.stack(0.0)
    assert not watched.metal.give_back(0.0)
    assert not watched.metal.hold(0.0)


def test_a_rejected_note_comes_back_with_the_protocols_reason(watched: Watched) -> None:
    watched.verdict = Verdict.REJECT
    watched.in_escrow()
    assert (watched.metal.step, watched.metal.reason) == (Step.REJECTING, 7)
    watched.metal.advance(2.0)
    assert (watched.place, watched.told) == (Place.HAND, [Moved.REJECTED])


def test_without_escrow_it_goes_straight_on(watched: Watched) -> None:
    watched.verdict = Verdict.STACK
    watched.in_escrow()
    assert watched.metal.step is Step.STACKING
    watched.metal.advance(2.0)
    assert (watched.place, watched.told) == (Place.BOX, [Moved.STACKED])


@pytest.mark.parametrize(("spot", "place"), [(Spot.HEAD, Place.HEAD), (Spot.TRANSPORT, Place.TRANSPORT)])
def test_a_note_that_sticks_stays_where_it_is_until_a_hand_frees_it(watched: Watched, spot: Spot, place: Place) -> None:
    watched.metal.mishaps.jam = spot
    watched.in_escrow()
    watched.metal.stack(1.0)
    watched.metal.advance(9.0)
    assert (watched.metal.step, watched.place, watched.told[-1]) == (Step.JAMMED, place, Moved.JAMMED)
    watched.metal.reset(9.0)
    assert watched.metal.step is Step.JAMMED, "a reset does not pull paper out"
    watched.metal.mishaps.jam = None
    watched.metal.free()
    assert (watched.metal.step, watched.place) == (Step.RESTING, Place.CUSTODY)


def test_a_second_note_has_everything_wait_and_go_on_where_it_was(watched: Watched) -> None:
    watched.in_escrow()
    watched.metal.stack(1.0)
    watched.metal.push_second(1.5)
    assert watched.metal.step is Step.PAUSED
    watched.metal.advance(2.5)
    assert watched.metal.step is Step.STACKING
    watched.metal.advance(3.0)
    assert watched.place is Place.BOX


@pytest.mark.parametrize(("stacked", "place"), [(False, Place.HAND), (True, Place.BOX)])
def test_somebody_who_pulls_gets_back_only_what_is_not_past_the_point_of_no_return(
    watched: Watched, stacked: bool, place: Place
) -> None:
    watched.in_escrow()
    if stacked:
        watched.metal.stack(1.0)
    watched.metal.cheat(1.5)
    watched.metal.advance(9.0)
    assert (watched.place, Moved.CHEATED in watched.told) == (place, True)


def test_a_reset_gives_back_what_it_can_and_stacks_what_it_cannot(watched: Watched) -> None:
    watched.in_escrow()
    watched.metal.reset(1.0)
    watched.metal.advance(2.0)
    assert (watched.place, watched.told[1:]) == (Place.HAND, [Moved.CLEARED_TO_MOUTH, Moved.INITIALISED])
    watched.in_escrow()
    watched.metal.stack(3.0)
    watched.metal.reset(3.0)
    watched.metal.advance(4.0)
    assert (watched.place, watched.told[-2:]) == (Place.BOX, [Moved.CLEARED_TO_BOX, Moved.INITIALISED])


def test_a_note_that_is_not_taken_stays_in_the_mouth_and_blocks_it(watched: Watched) -> None:
    watched.metal.mishaps.customer_leaves = True
    watched.in_escrow()
    watched.metal.give_back(1.0)
    watched.metal.advance(99.0)
    assert (watched.metal.step, watched.place) == (Step.RETURNING, Place.ESCROW)
    with pytest.raises(ValueError, match="taken: returning"):
        watched.metal.insert("5.00 EUR", 2, 99.0)
    watched.metal.take(100.0)
    assert (watched.metal.step, watched.place) == (Step.RESTING, Place.HAND)


@pytest.mark.parametrize("on_its_way_back", [False, True])
def test_a_worn_belt_lets_a_note_slip_to_the_box_whatever_was_ordered(watched: Watched, on_its_way_back: bool) -> None:
    watched.in_escrow()
    if on_its_way_back:
        watched.metal.give_back(1.5)
    watched.metal.slip(2.0)
    assert (watched.metal.step, watched.place) == (Step.STACKING, Place.TRANSPORT)
    watched.metal.advance(3.0)
    assert (watched.place, watched.told[-1]) == (Place.BOX, Moved.STACKED)


def test_only_a_note_that_is_held_or_moves_back_can_slip(watched: Watched) -> None:
    watched.metal.slip(0.0)
    assert watched.metal.step is Step.RESTING
    watched.metal.mishaps.customer_leaves = True
    watched.in_escrow()
    watched.metal.give_back(1.0)
    watched.metal.advance(99.0)
    watched.metal.slip(99.0)
    assert (watched.metal.step, watched.place) == (Step.RETURNING, Place.ESCROW), "it lies in the mouth"


@pytest.mark.parametrize(("way", "step"), [(Verdict.ESCROW, Step.ESCROW), (Verdict.STACK, Step.STACKING)])
def test_one_note_is_drawn_in_though_the_slot_is_shut(watched: Watched, way: Verdict, step: Step) -> None:
    watched.verdict = Verdict.REJECT
    watched.metal.mishaps.unasked = way
    watched.in_escrow()
    assert watched.metal.step is step
    watched.metal.advance(99.0)
    watched.in_escrow()
    assert watched.metal.step is Step.REJECTING, "the next one is refused again"


def test_paper_that_is_no_note_is_not_held_because_the_head_drew_it_in(watched: Watched) -> None:
    watched.verdict = Verdict.REJECT
    watched.metal.mishaps.unasked = Verdict.ESCROW
    watched.metal.insert("paper", 0, 0.0, readable=False)
    watched.metal.advance(1.0)
    assert watched.metal.step is Step.REJECTING


def test_after_a_power_cut_nothing_moves_and_the_sensors_say_where_the_paper_is(watched: Watched) -> None:
    watched.in_escrow()
    watched.metal.stack(1.0)
    assert watched.metal.wake() is Place.TRANSPORT
    watched.metal.advance(99.0)
    assert watched.place is Place.TRANSPORT
    watched.metal.exchange("BOX-2")
    watched.metal.reset(99.0)
    watched.metal.advance(100.0)
    assert watched.metal.vault.notes[-1].box == "BOX-2"


@pytest.mark.parametrize("spot", [Spot.TRANSPORT, Spot.BOX])
@pytest.mark.parametrize("how", ["reset", "power"])
def test_what_sticks_loosely_is_set_free_by_a_reset_or_the_power(watched: Watched, spot: Spot, how: str) -> None:
    watched.in_escrow()
    watched.metal.mishaps.jam, watched.metal.mishaps.loose = spot, True
    watched.metal.stack(1.0)
    watched.metal.advance(2.0)
    assert (watched.metal.step, watched.metal.loosens) == (Step.JAMMED, True)
    if how == "power":
        assert watched.metal.wake() is Place.TRANSPORT
    watched.metal.reset(3.0)
    watched.metal.advance(4.0)
    assert (watched.metal.step, watched.place) == (Step.RESTING, Place.BOX)
    assert watched.told[-2:] == [Moved.CLEARED_TO_BOX, Moved.INITIALISED]


@pytest.mark.parametrize("spot", list(Spot))
def test_what_sticks_sticks_again_until_a_hand_takes_it_out(watched: Watched, spot: Spot) -> None:
    watched.metal.mishaps.jam = spot
    watched.in_escrow()
    watched.metal.stack(1.0)
    watched.metal.advance(2.0)
    where = watched.place
    assert (watched.metal.step, watched.metal.loosens) == (Step.JAMMED, False)
    watched.metal.reset(2.0)
    assert watched.metal.wake() is where
    watched.metal.reset(3.0)
    watched.metal.advance(4.0)
    assert (watched.metal.step, watched.place, watched.told.count(Moved.JAMMED)) == (Step.JAMMED, where, 2)
    watched.metal.free()
    assert watched.place is Place.CUSTODY
