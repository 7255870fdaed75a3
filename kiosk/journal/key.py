"""The key that a terminal seals its journal with: a file in the terminal's data, readable by the terminal alone."""

from __future__ import annotations

from pathlib import Path

from guichet.journal.chain import SEAL_KEY_BYTES
from kiosk.journal.faults import Fault, JournalError, failed


def key_file(data: Path) -> Path:
    """Where it lies among the terminal's data."""
    return data / "journal.key"


def load_key(path: Path) -> bytes:
    """The key in ``path``. Raises :class:`kiosk.journal.faults.JournalError` where there is none."""
    try:
        key = path.read_bytes()
    except OSError as error:
        raise failed(path, error) from error
    if len(key) != SEAL_KEY_BYTES:
        raise JournalError(Fault.BROKEN, f"{path}: a key has {SEAL_KEY_BYTES} bytes, this file {len(key)}")
    return key
