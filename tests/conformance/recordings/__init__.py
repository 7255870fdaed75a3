"""A recording of each driver's line, and the same in words: what a driver says may only change where somebody sees it.

``python -m tests.conformance.recordings`` makes them anew, from a deposit with a fault in it.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from drivers.transport.recording import to_text
from kiosk.cli import main as guichet_kiosk
from tests.conformance.results import scripted
from tests.conformance.subject import SUBJECTS, Subject

HERE = Path(__file__).parent
SCRIPT = "note 2 in stacking: lose 4"
RECORDED = tuple(subject for subject in SUBJECTS if subject.name == subject.driver)


def path_of(subject: Subject) -> Path:
    """Where the recording of a driver lies; the words lie beside it."""
    return HERE / f"{subject.driver}.wire"


def words_of(path: Path) -> str:
    """What ``guichet-kiosk diag trace`` shows of a recording."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        status = guichet_kiosk(["diag", "trace", "--file", str(path)])
    if status:
        raise ValueError(f"{path}: diag trace ended with {status}")
    return shown.getvalue()


def make() -> None:
    """Make all of them anew."""
    for subject in RECORDED:
        path = path_of(subject)
        path.write_text(to_text(scripted(subject, SCRIPT).recordings[0]), encoding="ascii")
        path.with_suffix(".txt").write_text(words_of(path), encoding="ascii")
