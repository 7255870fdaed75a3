"""A cash box is taken out and counted: a doubt closes by the paper that was there, and by nothing else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from guichet.v1 import journal_pb2
from tests.e2e.whole_kiosk import PACE, TIMINGS, CabledStack, Kiosk


@pytest.fixture
def kiosk(run_dir: Path) -> Iterator[Kiosk]:
    """A kiosk of its own: the box of the others stays in."""
    with Kiosk.running(CabledStack(run_dir / "counted", pace=PACE, poll_ms=40, timings=TIMINGS)) as kiosk:
        yield kiosk


def paper(kiosk: Kiosk, *places: str) -> Counter[str]:
    """What lies there by the simulator's own memory; in a box: in the first."""
    notes = json.loads(kiosk.stack.tell("cash", "notes"))["notes"]
    return Counter(note["face"] for note in notes if note["place"] in places and note["box"] in ("", "BOX-1"))


def count(kiosk: Kiosk, period: str, pieces: Counter[str], *more: str) -> tuple[int, Sequence[str]]:
    """Enter what somebody found; the exit status, and the claims that it closed."""
    named = [*more, *(word for face, number in pieces.items() for word in ("--pieces", f"{face}={number}"))]
    done = kiosk.host("operator", "count", "--terminal", "K001", "--period", period, "--by", "Eva", "--json", *named)
    return done.returncode, [claim["claim_number"] for claim in json.loads(done.stdout)["credited"]]


def test_a_note_that_stuck_is_credited_by_the_count_once_it_is_counted(kiosk: Kiosk) -> None:
    kiosk.sign_in()
    kiosk.begin_deposit()
    kiosk.person.insert("20 EUR")
    kiosk.sees_total("€20")
    kiosk.stack.tell("cash", "jam")
    kiosk.person.insert("50 EUR")
    kiosk.person.wait_view("deposit_result")
    kiosk.person.take_card()
    kiosk.person.wait_view("attract")
    # The engineer takes the note out by hand and changes the box.
    kiosk.stack.tell("cash", "free")
    kiosk.until(kiosk.in_service, "deposits to be possible again")
    (first,) = kiosk.facts(journal_pb2.BoxPeriodOpened)
    assert kiosk.host("operator", "count", "--terminal", "K001", "--period", first.box_period_id, "--by", "Eva",
                      "--empty").returncode == 1, "its box is still in"  # fmt: skip
    kiosk.stack.tell("cash", "box removed")
    kiosk.until(lambda: not kiosk.works("cash"), "the box to be missed")
    kiosk.stack.tell("cash", "box swapped BOX-2")
    kiosk.until(kiosk.in_service, "the new box to be taken")
    kiosk.until(lambda: len(json.loads(kiosk.host("operator", "periods", "--json").stdout)) == 2, "the host to know")
    claim = json.loads(kiosk.host("operator", "claims", "--json").stdout)[0]
    assert claim["value_minor"] == 5000
    # A count that was kept could not be followed by one of more pieces: that would be for two operators.
    assert count(kiosk, first.box_period_id, paper(kiosk, "box"), "--dry-run") == (1, [])
    assert paper(kiosk, "custody") == Counter({"50.00 EUR": 1})
    assert count(kiosk, first.box_period_id, paper(kiosk, "box", "custody")) == (0, [claim["claim_number"]])
    assert json.loads(kiosk.host("operator", "claims", "--json").stdout) == []
    assert kiosk.books().credited == Counter({"20.00 EUR": 1, "50.00 EUR": 1})
    for command in ("verify", "reconcile"):
        done = kiosk.host(command)
        assert done.returncode == 0, done.stdout
