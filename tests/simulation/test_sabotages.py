"""It must be able to fail: each break of the product is caught from outside, in worlds that the product passes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.simulation import __main__ as command
from tests.simulation.sabotage import Sabotage, all_of_them, applied, hunt, named
from tests.simulation.world import Stage, plan_for

SEEN = {
    "acknowledge-before-record": 1,
    "acknowledge-before-sync": 1,
    "acknowledged-though-unrecorded": 129,
    "card-stands-for-any-account": 1,
    "chain-not-checked": 42,
    "count-credits-more-than-it-covers": 8,
    "count-that-covers-closes-nothing": 8,
    "counter-kept-in-memory": 102,
    "credited-at-escrow": 1,
    "credited-to-another-customer": 1,
    "days-use-kept-in-memory-only": 3,
    "days-use-unknown-after-a-restore": 512,
    "deposit-left-open-at-a-restart": 1,
    "doubt-taken-for-credit": 10,
    "doubt-taken-for-return": 8,
    "doubt-where-all-is-known": 1,
    "event-number-before-its-outcome": 414,
    "find-not-recorded": 18,
    "former-disks-end-is-asked-for": 21,
    "former-disks-notes-are-left": 682,
    "goes-on-after-a-disk-error": 1,
    "host-commits-after-it-answers": 2,
    "intent-after-the-order": 1,
    "intent-not-recorded": 1,
    "intent-not-synced": 1,
    "journal-gap-at-the-host": 1,
    "later-outcome-adds-up": 8,
    "moving-note-taken-for-returned": 101,
    "next-deposit-before-all-is-told": 3561,
    "next-event-taken-for-a-repeat": 5754,
    "note-of-another-kind-not-recorded": 54,
    "note-over-the-limit-taken": 2,
    "offline-expiry-not-looked-at": 15,
    "records-go-at-once": 8,
    "repeated-event-credited-again": 10,
    "restored-journal-is-believed": 689,
    "retry-with-a-new-id": 6,
    "settled-on-timeout": 168,
    "settlement-key-without-the-note": 1,
    "snapshot-forgets-the-outbox": 272,
    "time-trusted-over-a-reboot": 9,
    "two-sessions-on-one-device": 1,
}
"""Where each was last caught: the hunt begins there, and goes on if the world has changed since."""
MOST = 2_000


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as one:
        yield one


def test_there_are_enough_and_each_says_what_it_breaks() -> None:
    assert len(all_of_them()) >= 15
    assert [one.name for one in all_of_them() if not one.what.endswith(".")] == []


def test_of_each_it_is_known_where_it_shows() -> None:
    assert {one.name for one in all_of_them()} == SEEN.keys()


@pytest.mark.parametrize("one", all_of_them(), ids=lambda one: one.name)
def test_each_fits_the_product(one: Sabotage, repository: Path) -> None:
    words = ("patch", "-p1", "--dry-run", "--forward", "--fuzz=0", "--input", str(one.diff))
    done = subprocess.run(words, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", SEEN)
def test_every_sabotage_is_caught_from_outside(name: str, stage: Stage, counted: Callable[[str], None]) -> None:
    one = named(name)
    catch = hunt(one, SEEN[name], MOST, workers=1)
    assert catch.by_the_checker, f"{one.name}: {catch.wrong or 'nobody noticed'}"
    assert stage.run(plan_for(catch.seed or 0)).wrongs == []
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


def test_a_world_with_a_sabotage_can_be_seen_again(capfd: pytest.CaptureFixture[str]) -> None:
    words = ["--sabotage", "doubt-taken-for-credit", "--start", str(SEEN["doubt-taken-for-credit"]), "--seeds", "1"]
    assert command.main([*words, "--no-shrink", "--workers", "1"]) == 1
    assert "doubt-taken-for-credit: caught" in capfd.readouterr().out
    assert command.main([*words, "--trace"]) == 1
    assert "A RULE WAS BROKEN: rule 1" in capfd.readouterr().out


def test_their_names_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--sabotage", "list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == [one.name for one in all_of_them()]
