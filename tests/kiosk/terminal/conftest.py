"""What the tests of the terminal's core share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory in memory where there is one: these tests write hundreds of journals, each commit of them synced."""
    with tempfile.TemporaryDirectory(prefix="guichet-", dir=_MEMORY if _MEMORY.is_dir() else None) as place:
        yield Path(place)
