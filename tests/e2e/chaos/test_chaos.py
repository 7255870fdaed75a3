"""Chaos, in the suite's form: two machines side by side, because most of a machine's time is spent waiting."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.chaos.plan import Kind, Moment, mishaps

_SECONDS = 900
RUNS = (("--kills=62", "--seed=1", "--no-screen", "--no-counter"), ("--kills=40", "--seed=5"))
"""A validator without a counter, which may leave a doubt; one with, which may not, beside a window that dies too."""


def start(repository: Path, *words: str) -> subprocess.Popen[str]:
    line = (sys.executable, "-m", "tests.e2e.chaos", *words)
    # As in the field, also in how quick they are: asyncio's debug mode would take more than half of the processors.
    field = {name: value for name, value in os.environ.items() if name != "PYTHONASYNCIODEBUG"}
    return subprocess.Popen(line, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=field)


def outcome(running: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        said, told = running.communicate(timeout=_SECONDS)
    finally:
        running.terminate()
    return running.returncode, said, told


def in_all(tallies: list[dict[str, Any]], name: str) -> Counter[str]:
    counted = Counter[str]()
    for tally in tallies:
        counted.update(tally[name])
    return counted


def test_a_hundred_kills_and_what_else_goes_wrong_lose_and_double_no_note(
    repository: Path, counted: Callable[[str], None]
) -> None:
    ended = [outcome(one) for one in [start(repository, *words, "--json") for words in RUNS]]
    for status, said, told in ended:
        assert status == 0, f"{said}\n{told}"
    tallies: list[dict[str, Any]] = [json.loads(said) for _, said, _ in ended]
    kills, others = in_all(tallies, "kills"), in_all(tallies, "others")
    came_to = {name: sum(tally[name] for tally in tallies) for name in ("comparisons", "notes", "in_box", "in_doubt")}
    seconds = max(tally["seconds"] for tally in tallies)
    counted(f"{kills.total()} kills -9: {dict(kills)}; besides: {dict(others)}; {came_to}; {seconds:.0f} s")
    assert kills.total() >= 100
    assert kills["terminal"] > 50
    assert set(kills) >= {"terminal", "host", "cash", "screen"}
    assert came_to["comparisons"] >= kills.total()
    assert came_to["in_box"] > 20
    if Kind.FILL_DISK.value not in others:
        skipped = next(line for _, _, told in ended for line in told.splitlines() if "never full" in line)
        counted(skipped)


def test_a_product_that_records_no_intent_goes_red_and_the_report_says_how_to_see_it_again(
    repository: Path, counted: Callable[[str], None]
) -> None:
    words = ("--kills=60", "--seed=1", "--no-screen", "--sabotage=intent-not-recorded")
    status, said, told = outcome(start(repository, *words))
    assert status == 1, f"{said}\n{told}"
    wrong = next(line for line in told.splitlines() if line.startswith("WRONG after"))
    counted(wrong)
    assert "kill -9 terminal" in told
    assert "GUICHET_KEEP=1 python -m tests.e2e.chaos --kills 60 --seed 1 --no-screen" in told


# --- the plan ---------------------------------------------------------------------------------------------------------


def test_a_seed_is_always_the_same_plan_and_another_is_another() -> None:
    assert list(mishaps(7, 100)) == list(mishaps(7, 100))
    assert list(mishaps(7, 100)) != list(mishaps(8, 100))
    assert list(islice(mishaps(7, 1000), 50)) == list(islice(mishaps(7, 100), 50))


def test_a_plan_has_as_many_kills_as_were_wished_for_and_everything_in_it() -> None:
    plan = list(mishaps(1, 1000))
    assert sum(bool(mishap.kind.kills) for mishap in plan) == 1000
    assert {mishap.kind for mishap in plan} == set(Kind)
    assert {mishap.moment for mishap in plan} == set(Moment)


def test_what_a_machine_cannot_do_is_left_out_of_its_plan_and_nothing_else() -> None:
    whole, less = list(mishaps(3, 200)), list(mishaps(3, 200, frozenset({Kind.FILL_DISK})))
    assert less == [mishap for mishap in whole if mishap.kind is not Kind.FILL_DISK]


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "says"), [("--kills=0", "at least 1"), ("--sabotage=none-such", "no such sabotage")])
def test_words_that_make_no_sense_end_with_two(repository: Path, word: str, says: str) -> None:
    status, _, told = outcome(start(repository, word))
    assert status == 2
    assert says in told
