"""From a rule of the design to the check that holds it: what the page names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.simulation import without_host
from tests.simulation.audit import Audit
from tests.simulation.causes import Causes
from tests.simulation.checker import Checker
from tests.simulation.sabotage import all_of_them

_PLACES = {"Checker": Checker, "Audit": Audit, "Causes": Causes, "without_host": without_host}
_COLUMNS = 3


@pytest.fixture(scope="module")
def rules(repository: Path) -> list[tuple[str, str, str]]:
    """The rows of the table: rule, check, seen to catch."""
    page = (repository / "tests/simulation/README.md").read_text(encoding="utf-8")
    table = page.partition("## Which rule is held by what")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines() if line[:2] == "| "]
    assert all(len(row) == _COLUMNS for row in rows)
    return [(rule, check, caught) for rule, check, caught in rows[1:]]


def test_every_rule_that_worlds_can_break_has_its_row(rules: list[tuple[str, str, str]]) -> None:
    assert [rule.partition(".")[0] for rule, _, _ in rules] == ["1", "2", "3", "4", "5", "6", "9", "10"]


def test_every_check_that_is_named_is_there(rules: list[tuple[str, str, str]]) -> None:
    for rule, check, _ in rules:
        place, named = None, 0
        for name in re.findall(r"`([\w.]+)`", check):
            begin, dot, last = name.rpartition(".")
            place = _PLACES[begin] if dot else place
            assert callable(getattr(place, last, None)), f"{rule}: {name}"
            named += 1
        assert named, f"{rule}: no check is named"


def test_every_sabotage_stands_with_the_rules_that_it_breaks(rules: list[tuple[str, str, str]]) -> None:
    named = {name for _, _, caught in rules for name in re.findall(r"`([\w-]+)`", caught)}
    assert named == {one.name for one in all_of_them()}
    for rule, _, caught in rules:
        assert re.findall(r"`([\w-]+)`", caught), f"{rule}: nothing has broken it"
