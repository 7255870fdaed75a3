"""The short form of ``make simulate``: some worlds, the same one twice, and what a failure is shown as."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.simulation import notes
from drivers.simulation.notes import Place
from tests.simulation import __main__ as command
from tests.simulation.campaign import MANY_SEEDS, Tally
from tests.simulation.plan import Kind
from tests.simulation.world import LEAST_DEPOSITS, LEAST_NOTES, Outcome, Stage, plan_for
from tests.start_up_table import CELLS

SEEDS = range(1, 17)
REGRESSIONS = (
    2,
    5,
    16,
    46,
    207,
    365,
    1_642,
    1_713,
    1_876,
    2_312,
    2_879,
    3_108,
    3_186,
    3_357,
    5_754,
    10_165,
    10_235,
    10_293,
    10_309,
    10_320,
    10_346,
)
"""Worlds that have found something once, in the product or in the simulation. A world changes with whatever changes in
plan or product: what each has found has a test of its own at the lowest level that shows it.
"""


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as one:
        yield one


@pytest.mark.parametrize("seed", sorted({*SEEDS, *REGRESSIONS}))
def test_a_world_comes_to_rest_and_adds_up(stage: Stage, seed: int, counted: Callable[[str], None]) -> None:
    outcome = stage.run(plan_for(seed))
    assert outcome.wrongs == []
    assert outcome.deposits >= LEAST_DEPOSITS
    assert outcome.notes >= LEAST_NOTES
    counted(f"simulated deposits: {outcome.deposits}")


def test_a_plan_has_enough_of_everything() -> None:
    for seed in range(1, 500):
        plan = plan_for(seed)
        kinds = [mishap.kind for mishap in plan.mishaps]
        assert len(plan.visits) >= 10
        assert sum(len(visit.pushes) for visit in plan.visits) >= 30
        assert len(kinds) >= 5
        assert Kind.KILL in kinds
        assert Kind.POWER in kinds


def test_the_same_seed_is_the_same_world(stage: Stage) -> None:
    assert told(stage.run(plan_for(7))) == told(stage.run(plan_for(7)))
    assert told(stage.run(plan_for(7))) != told(stage.run(plan_for(8)))


def test_it_is_the_same_in_another_process_whatever_its_hashes(stage: Stage) -> None:
    here = told(stage.run(plan_for(7)))
    program = "from tests.simulation.test_worlds import *\nwith Stage() as s: print(told(s.run(plan_for(7))))"
    for hashes in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": os.pathsep.join(sys.path)}
        there = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        assert there.stdout.strip() == here


def told(outcome: Outcome) -> str:
    """All that must be alike: the last hash of each journal covers every record in it, and every time."""
    return f"{outcome.digest} {outcome.virtual_seconds:.6f} {outcome.deposits} {len(outcome.log)}"


def test_a_disk_that_went_back_is_a_fork_and_is_made_anew(stage: Stage) -> None:
    outcome = stage.run(plan_for(2_312))
    said = "\n".join(outcome.log)
    assert outcome.happened[Kind.WENT_BACK.value] == 1
    assert said.index("the disk went back") < said.index("journal.forked") < said.index(" restored ")
    assert outcome.wrongs == []


def test_a_note_that_leaves_the_box_by_itself_is_found_missing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checker looks at paper, not at books: it is enough that paper is gone."""
    steal_from(monkeypatch)
    outcome = stage.run(plan_for(3))
    assert outcome.wrongs[0].startswith("1: SIM-0001")


def test_what_fails_is_made_small_and_can_be_seen_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    steal_from(monkeypatch)
    command._smallest(3, None)  # pyright: ignore[reportPrivateUsage]
    said = capsys.readouterr().out
    assert "WRONG rule 1: SIM-0001" in said
    again = said.rpartition("python -m tests.simulation ")[2].split()
    assert again[again.index("--mishaps") + 1] == "none"
    assert "," not in again[again.index("--visits") + 1]
    assert command.main(again) == 1
    assert "A RULE WAS BROKEN: rule 1: SIM-0001" in capsys.readouterr().out


def steal_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first note that would reach the box be elsewhere."""
    move = notes.Vault.move

    def moved(vault: notes.Vault, note: notes.PhysicalNote, place: Place) -> notes.PhysicalNote:
        first = all(other.place not in (Place.BOX, Place.CUSTODY) for other in vault.notes)
        return move(vault, note, Place.CUSTODY if first and place is Place.BOX else place)

    monkeypatch.setattr(notes.Vault, "move", moved)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sabotage", "nothing-of-that-name"], "no such sabotage"),
        (["--seeds", "0"], "at least 1"),
        (["--sabotage", "taken-for-credit"], "close: doubt-taken-for-credit"),
        (["--start", "0"], "at least 1"),
        (["--visits", "99"], "this seed has 0 to"),
        (["--mishaps", "x"], "such as 0,3"),
    ],
)
def test_words_that_make_no_sense_end_with_two(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(words) == 2
    assert said in capsys.readouterr().err


def test_a_run_over_several_processes_tells_what_it_has_seen(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--seeds", "2", "--start", "21", "--workers", "2"]) == 0
    said = capsys.readouterr().out
    assert "2 seeds" in said
    assert "deposits a second of one core" in said
    assert said.endswith("every rule held in 2 worlds\n")


def test_what_scripts_read_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--seeds", "1", "--start", "23", "--workers", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["seeds"] == 1
    assert told["failed"] == {}
    assert told["happened"]["kill -9"] >= 1
    assert "STACKED / IN_ESCROW" in told["never"]


def test_what_was_never_reached_is_named() -> None:
    tally = Tally()
    assert "STACK_INTENDED / MOVING" in tally.never
    tally.cells["STACK_INTENDED / MOVING"] += 1
    assert "STACK_INTENDED / MOVING" not in tally.never
    assert "NONE / PATH_EMPTY" in tally.words()


def test_a_long_run_that_has_not_been_everywhere_says_so_and_fails() -> None:
    tally = Tally(seeds=MANY_SEEDS - 1)
    assert not tally.is_narrow
    tally.seeds += 1
    assert tally.is_narrow
    assert "but they have NEVER been in NONE / PATH_EMPTY" in command._verdict(tally)  # pyright: ignore[reportPrivateUsage]
    tally.cells.update(CELLS)
    assert not tally.is_narrow


def test_what_was_on_record_when_somebody_died_is_told() -> None:
    tally = Tally()
    tally.deaths.update({"power: paper in box, record: credited": 2, "process: no paper inside, record: credited": 1})
    assert "when a life ended: credited 3" in tally.words()


def test_the_paths_are_those_of_this_checkout() -> None:
    assert Path(command.__file__).is_relative_to(Path(__file__).parent)
