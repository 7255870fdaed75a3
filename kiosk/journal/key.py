"""The key that a terminal seals its journal with: a file in the terminal's data, readable by the terminal alone."""

from __future__ import annotations

from pathlib import Path

from guichet.journal.chain import SEAL_KEY_BYTES
from kiosk.journal.faults import Fault, JournalError, failed


def journal_file(data: Path) -> Path:
    """Where the journal lies among the terminal's data."""
    return data / "journal.db"


def key_file(data: Path) -> Path:
    """Where its key lies."""
    return data / "journal.key"


def load_key(path: Path) -> bytes:
    """The key in ``path``. Raises :class:`kiosk.journal.faults.JournalError` where there is none."""
    try:
        key = path.read_bytes()
    except FileNotFoundError as error:
        raise JournalError(Fault.KEYLESS, f"{path}: no such file") from error
    except OSError as error:
        raise failed(path, error) from error
    if len(key) != SEAL_KEY_BYTES:
        raise JournalError(Fault.KEYLESS, f"{path}: a key has {SEAL_KEY_BYTES} bytes, this file {len(key)}")
    return key
