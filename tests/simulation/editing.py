"""Somebody has the disk in his hands, without the terminal's key: a note's value is raised, all hashes made anew."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from pathlib import Path

from guichet.v1 import journal_pb2 as pb

_UNCHANGED = "SELECT epoch, sequence, previous_hash, record FROM entries ORDER BY epoch, sequence"


def chained(epoch: int, sequence: int, previous: bytes, record: bytes) -> bytes:
    """SHA-256 over a domain, the place as two numbers of eight bytes, the hash before, and the record."""
    place = epoch.to_bytes(8, "big") + sequence.to_bytes(8, "big")
    return hashlib.sha256(b"guichet/v1/journal-entry\0" + place + previous + record).digest()


def edited(file: bytes, log: bytes | None) -> bytes | None:
    """The journal's file with the last note's value raised to a hundred; None where it has no note."""
    with tempfile.TemporaryDirectory(prefix="editing-") as folder:
        path = Path(folder) / "journal.db"
        path.write_bytes(file)
        if log is not None:
            Path(f"{path}-wal").write_bytes(log)
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            if not _raise_last_note(connection):
                return None
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
        return path.read_bytes()


def _raise_last_note(connection: sqlite3.Connection) -> bool:
    rows = connection.execute(_UNCHANGED).fetchall()
    notes = [at for at, row in enumerate(rows) if pb.JournalRecord.FromString(row[3]).HasField("note_escrowed")]
    if not notes:
        return False
    triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f'DROP TRIGGER "{name}"')
    previous: bytes = rows[notes[-1]][2]
    for at in range(notes[-1], len(rows)):
        epoch, sequence, _, record = rows[at]
        if at == notes[-1]:
            message = pb.JournalRecord.FromString(record)
            message.note_escrowed.value.minor = 10_000
            record = message.SerializeToString()
        digest = chained(epoch, sequence, previous, record)
        values = (previous, digest, record, epoch, sequence)
        connection.execute("UPDATE entries SET previous_hash=?, hash=?, record=? WHERE epoch=? AND sequence=?", values)
        previous = digest
    for _, sql in triggers:
        connection.execute(sql)
    return True
