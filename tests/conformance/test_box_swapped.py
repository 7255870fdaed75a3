"""A box that is exchanged in mid-deposit: what each of the two has in it is what the records of its period say."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest

from guichet.journal.records import decode
from guichet.money import parse_money
from kiosk.journal.folds import NotePhase
from kiosk.terminal.cash_desk import CashDesk
from tests.conformance.cases import each_script
from tests.conformance.people import Customer
from tests.conformance.results import run_scripted
from tests.conformance.rig import Rig
from tests.conformance.subject import SUBJECTS, Subject
from tests.virtual_time import run_virtually

_CREDITED = (NotePhase.STACKED, NotePhase.ACK_SENT, NotePhase.CLEARED)


@each_script("note 1: box swapped BOX-2", "note 2: box swapped BOX-2", "note 3: box swapped BOX-2")
def test_each_box_has_in_it_what_its_period_says(subject: Subject, script: str) -> None:
    with tempfile.TemporaryDirectory(prefix="swapped-") as place:
        run_virtually(_exchanged(subject, Path(place), script))


def test_a_terminal_whose_period_goes_on_over_an_exchange_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every note is on record and in a box; each of the two counts would be wrong."""

    def only_the_first(desk: CashDesk, *, box_is_in: bool) -> bool:
        return box_is_in and desk._book.fold.box_period is None  # pyright: ignore[reportPrivateUsage]

    monkeypatch.setattr(CashDesk, "_period_is_due", only_the_first)
    with pytest.raises(AssertionError, match=r"a note fell into .*BOX-2.* in the period of .*BOX-1"):
        run_scripted(SUBJECTS[0], "note 2: box swapped BOX-2")


async def _exchanged(subject: Subject, place: Path, script: str) -> None:
    path = place / "script"
    path.write_text(script + "\n", encoding="utf-8")
    rig = Rig(subject, place, path)
    rig.begin()
    for faces in (subject.faces, subject.faces[-1:]):
        await Customer(rig, faces).deposit()
        await rig.at_rest()
        rig.conserve()
    records = (decode(entry.record) for entry in rig.journal.entries(1))
    periods = [one.box_period_opened.box_period_id for one in records if one.HasField("box_period_opened")]
    for period, box in zip(periods, ("BOX-1", "BOX-2"), strict=True):
        lies_there = Counter(parse_money(note.face) for note in rig.vault.notes if note.box == box)
        said = Counter(
            note.value
            for note in rig.fold.notes.values()
            if note.phase in _CREDITED and note.value is not None and note.box_period_id == period
        )
        assert said == lies_there, box
    await rig.kill()
