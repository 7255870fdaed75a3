"""A cash desk with everything about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kiosk.terminal.standing import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Its journal is closed in the end."""
    rig = Rig(tmp_path / "journal.db")
    yield rig
    rig.journal.close()
