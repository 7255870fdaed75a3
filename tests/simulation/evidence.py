"""What lies there to be looked at: the paper, a journal's file, the host's database, each read in words of our own."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from pathlib import Path

from drivers.simulation.notes import Place
from tests.simulation.book import Face
from tests.simulation.kiosk import Kiosk

Outcome = tuple[str, Face, str, str]
"""What the host last has of a note: its state, value, account and booking."""

Outcomes = dict[tuple[str, str], Outcome]
"""By terminal and note."""


def final_outcomes(database: sqlite3.Connection) -> Outcomes:
    """What the host last has of each note."""
    query = (
        "SELECT terminal_id, note_id, outcome, value_minor, currency, account_id, booking FROM note_outcomes "
        "ORDER BY outcome_number"
    )
    found: Outcomes = {}
    for terminal, note, outcome, minor, currency, account, booking in database.execute(query):
        found[terminal, note] = (outcome.replace("-", " "), (minor, currency), account, booking)
    return found


def face_of(text: str) -> Face | None:
    """What is printed on paper, as minor units; None for what is no money."""
    amount, _, currency = text.partition(" ")
    whole, _, cents = amount.partition(".")
    if not whole.isdigit():
        return None
    return int(whole) * 100 + int((cents + "00")[:2]), currency


def forgotten_by(kiosk: Kiosk) -> Counter[Face]:
    """What lies in the boxes and its device cannot know."""
    faces = ((face_of(face), count) for face, count in kiosk.forgotten.items())
    return Counter({face: count for face, count in faces if face is not None})


def paper_of(kiosk: Kiosk) -> Counter[Face]:
    """What lies in the boxes."""
    found: Counter[Face] = Counter()
    for vault in kiosk.vaults:
        for note in vault.notes:
            if note.place is Place.BOX and (face := face_of(note.face)) is not None:
                found[face] += 1
    return found


def read_file(path: Path) -> list[tuple[int, int, bytes, bytes, bytes]]:
    """Every row of a journal's file, by a SQLite of its own, from a copy: whoever has it open is not disturbed."""
    with tempfile.TemporaryDirectory(prefix="checker-") as folder:
        copy = Path(folder) / "copy.db"
        copy.write_bytes(path.read_bytes())
        log = Path(f"{path}-wal")
        if log.exists():
            Path(f"{copy}-wal").write_bytes(log.read_bytes())
        connection = sqlite3.connect(copy)
        try:
            query = "SELECT epoch, sequence, previous_hash, hash, record FROM entries ORDER BY epoch, sequence"
            return connection.execute(query).fetchall()
        finally:
            connection.close()
