"""It must be able to fail: each break of the product is caught from outside, in worlds that the product passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.simulation import __main__ as command
from tests.simulation.sabotage import Sabotage, all_of_them, applied, hunt, named
from tests.simulation.world import Stage, plan_for

SEEN: dict[str, int] = {}
"""Where each was last caught: the hunt begins there, and goes on if the world has changed since."""
MOST = 2_000


def test_there_are_enough_and_each_says_what_it_breaks() -> None:
    assert len(all_of_them()) >= 15
    assert [one.name for one in all_of_them() if not one.what.endswith(".")] == []


@pytest.mark.parametrize("one", all_of_them(), ids=lambda one: one.name)
def test_every_sabotage_is_caught_from_outside(one: Sabotage, counted: Callable[[str], None]) -> None:
    catch = hunt(one, SEEN.get(one.name, 1), MOST, workers=1)
    assert catch.by_the_checker, f"{one.name}: {catch.wrong or 'nobody noticed'}"
    with Stage() as stage:
        clean = stage.run(plan_for(catch.seed or 0))
    assert clean.wrongs == []
    counted("sabotages caught: 1")


def test_a_sabotage_that_fits_no_more_says_so(tmp_path: Path) -> None:
    diff = tmp_path / "old.diff"
    diff.write_text("It was.\n\n--- a/kiosk/log.py\n+++ b/kiosk/log.py\n@@ -1,1 +1,1 @@\n-not there\n+at all\n")
    with pytest.raises(ValueError, match="does not fit the product any more"):
        applied(Sabotage("old", "It was.", diff), tmp_path / "copy")


def test_the_product_itself_is_not_touched(tmp_path: Path, repository: Path) -> None:
    before = (repository / "kiosk/terminal/recovery.py").read_bytes()
    applied(named("doubt-taken-for-credit"), tmp_path)
    assert (repository / "kiosk/terminal/recovery.py").read_bytes() == before
    assert (tmp_path / "kiosk/terminal/recovery.py").read_bytes() != before


def test_their_names_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--sabotage", "list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == [one.name for one in all_of_them()]
