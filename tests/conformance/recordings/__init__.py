"""A recording of each driver's line, and the same in words: what a driver says may only change where somebody sees it.

``python -m tests.conformance.recordings`` makes ours anew, from a deposit with a fault in it; with ``--subject`` and
``--into`` it makes those of somebody else's driver, which ``pytest tests/conformance --recordings`` then reads.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from pathlib import Path

from drivers.transport.recording import to_text
from kiosk.cli import main as guichet_kiosk
from tests.conformance.results import scripted
from tests.conformance.subject import SUBJECTS, Subject

HERE = Path(__file__).parent
SCRIPT = "note 2 in stacking: lose 2"


def file_of(subject: Subject) -> str | None:
    """The name of its recording's file; None for one that is only another kind of its driver's device. The words lie
    beside it.
    """
    return f"{subject.driver}.wire" if subject.name == subject.driver else None


OURS = {subject.driver: HERE / file for subject in SUBJECTS if (file := file_of(subject)) is not None}
"""The recordings that are kept here, by driver."""


def text_of(subject: Subject) -> str:
    """The recording as it is made now."""
    return to_text(scripted(subject, SCRIPT).recordings[0])


def words_of(path: Path) -> str:
    """What ``guichet-kiosk diag trace`` shows of a recording."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        status = guichet_kiosk(["diag", "trace", "--file", str(path)])
    if status:
        raise ValueError(f"{path}: diag trace ended with {status}")
    return shown.getvalue()


def make(subjects: Iterable[Subject], folder: Path) -> list[Path]:
    """Make them anew in ``folder``; gives the files with the bytes."""
    paths: list[Path] = []
    for subject in subjects:
        if (name := file_of(subject)) is not None:
            path = folder / name
            path.write_text(text_of(subject), encoding="ascii")
            path.with_suffix(".txt").write_text(words_of(path), encoding="ascii")
            paths.append(path)
    return paths
