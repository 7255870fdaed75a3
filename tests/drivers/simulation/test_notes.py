"""The paper of a simulated cash module, and that its memory outlives a power cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drivers.simulation.notes import Place, Vault


def test_a_note_goes_from_hand_to_box_and_is_counted_there(tmp_path: Path) -> None:
    vault = Vault.open(tmp_path / "notes.json")
    note = vault.bring("20.00 EUR", 4, readable=True)
    assert (note.number, note.place, vault.inside()) == (1, Place.HAND, None)
    for place in (Place.HEAD, Place.ESCROW, Place.TRANSPORT):
        note = vault.move(note, place)
        assert vault.inside() == note
    note = vault.move(note, Place.BOX)
    assert (vault.counter, note.box, vault.inside()) == (1, "BOX-1", None)


def test_everything_is_in_the_file_after_every_movement(tmp_path: Path) -> None:
    file = tmp_path / "notes.json"
    vault = Vault.open(file)
    vault.move(vault.move(vault.bring("5.00 EUR", 2, readable=True), Place.HEAD), Place.BOX)
    vault.move(vault.bring("unknown", 9, readable=False), Place.TRANSPORT)
    again = Vault.open(file)
    assert (again.counter, again.box, again.notes) == (vault.counter, vault.box, vault.notes)
    assert json.loads(file.read_text()) == json.loads(vault.as_json())


def test_another_box_is_empty_and_the_old_notes_stay_in_the_old_one(tmp_path: Path) -> None:
    vault = Vault.open(tmp_path / "notes.json")
    vault.move(vault.bring("5.00 EUR", 2, readable=True), Place.BOX)
    vault.exchange_box("BOX-2")
    vault.move(vault.bring("10.00 EUR", 3, readable=True), Place.BOX)
    assert [note.box for note in Vault.open(tmp_path / "notes.json").notes] == ["BOX-1", "BOX-2"]


def test_without_a_file_it_is_kept_in_memory_only() -> None:
    vault = Vault.open(None)
    vault.bring("5.00 EUR", 2, readable=True)
    assert len(vault.notes) == 1


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"box": "B", "counter": "x", "notes": []}', '{"box": "B", "counter": 1, "notes": [1]}',
                '{"box": "B", "counter": 1, "notes": [{"place": "moon"}]}',
                '{"box": "B", "counter": 1, "notes": [{"place": "box", "other": 1}]}'],
)  # fmt: skip
def test_a_file_that_is_no_memory_is_refused_by_its_name(tmp_path: Path, content: str) -> None:
    file = tmp_path / "notes.json"
    file.write_text(content)
    with pytest.raises(ValueError, match=r"notes\.json is not a simulator's memory"):
        Vault.open(file)
