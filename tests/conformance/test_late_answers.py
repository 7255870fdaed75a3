"""A line that brings answers late: a bus that is shared, a converter that stalls, a radio in between.

Most answers do not say which question they answer. Whatever the lateness, no note may end up with another's value, with
a credit that it is not worth, or with nobody; and up to what a driver waits for, nothing may be in doubt.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from kiosk.journal.folds import NotePhase
from tests.conformance.people import Customer
from tests.conformance.results import run_scripted, scripted
from tests.conformance.rig import Rig
from tests.conformance.subject import Subject
from tests.virtual_time import run_virtually

_FACES = {True: ("20 EUR", "50 EUR", "5 EUR"), False: ("0.50 EUR", "2 EUR", "1 EUR")}


async def deposit(subject: Subject, place: Path, seed: int, longest: float) -> tuple[int, int]:
    """A deposit of three notes, each answer up to ``longest`` seconds under way: how many are in doubt, and found."""
    rig = Rig(subject, place)
    dice = random.Random(seed)
    rig.latency = lambda: dice.uniform(0.002, longest)
    rig.begin()
    await Customer(rig, _FACES[subject.escrow]).deposit()
    await rig.at_rest()
    rig.conserve()
    await rig.kill()
    return len(rig.fold.in_doubt), rig.notes_by(NotePhase.FOUND).total()


def outcomes(subject: Subject, tmp_path: Path, longest: float, seeds: int) -> list[tuple[int, int]]:
    """Of so many deposits."""
    places = [tmp_path / str(seed) for seed in range(seeds)]
    for place in places:
        place.mkdir()
    return [run_virtually(deposit(subject, place, seed, longest)) for seed, place in enumerate(places)]


def test_answers_that_come_late_leave_nothing_in_doubt(subject: Subject, tmp_path: Path) -> None:
    assert set(outcomes(subject, tmp_path, 0.4, 10)) == {(0, 0)}


@pytest.mark.parametrize("longest", [0.9, 1.9])
def test_answers_that_come_very_late_hide_no_note_and_double_none(
    subject: Subject, longest: float, tmp_path: Path
) -> None:
    if not subject.acknowledges:
        longest /= 2  # Beyond a second ccTalk's driver believes nothing any more, and takes the device out of service.
    found = [found for _, found in outcomes(subject, tmp_path, longest, 10)]
    assert not subject.escrow or not any(found)


@pytest.mark.parametrize("seconds", [3, 6, 9])
def test_a_line_that_stands_still_and_brings_all_at_once_lets_no_event_go_that_is_not_on_record(
    subject: Subject, seconds: int
) -> None:
    """Longer than a driver waits, at some forty moments of a deposit: what it acknowledges may be another answer."""
    count = scripted(subject, "").bytes_sent
    for byte in range(1, count, max(1, count // 40)):
        tally = run_scripted(subject, f"before byte {byte}: late {seconds}")
        assert tally.over
        assert tally.served
        assert tally.in_doubt <= 1
