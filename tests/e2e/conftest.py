"""What the end-to-end tests share: one kiosk that each leaves as it found it, and one day of the demo."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.demo.books import compare
from tests.e2e.whole_kiosk import PACE, TIMINGS, CabledStack, Kiosk

_DEMO_SECONDS = 240


@pytest.fixture(scope="package")
def shared_kiosk(run_dir: Path) -> Iterator[Kiosk]:
    """Started once; at the end all books must agree, as after the demo."""
    base = run_dir / "shared"
    with Kiosk.running(CabledStack(base, pace=PACE, poll_ms=40, timings=TIMINGS)) as kiosk:
        yield kiosk
    if kiosk.stack.notes.exists():
        result = compare(base)
        assert not result.findings, result.findings


@pytest.fixture
def kiosk(shared_kiosk: Kiosk) -> Iterator[Kiosk]:
    """At the attract view, everything in order; afterwards it is so again, and no note is lost or doubled."""
    yield shared_kiosk
    shared_kiosk.restore()
    shared_kiosk.agree()


@dataclass(frozen=True, slots=True)
class DemoDay:
    """A day of ``make demo``: how it ended, what it printed, and what it left."""

    status: int
    printed: str
    out: Path
    keep: Path


@pytest.fixture(scope="package")
def demo_day(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> DemoDay:
    """Played once, over what a day before left in the folder of pictures."""
    place = tmp_path_factory.mktemp("demo")
    out, keep = place / "out", place / "keep"
    (out / "demo").mkdir(parents=True)
    (out / "demo" / "of-yesterday.png").touch()
    (out / "someone-else's.txt").touch()
    command = (sys.executable, "-m", "tests.e2e.demo", "--out", str(out), "--keep", str(keep))
    done = subprocess.run(
        command, cwd=repository, check=False, capture_output=True, text=True, timeout=_DEMO_SECONDS
    )  # fmt: skip
    return DemoDay(done.returncode, done.stdout + done.stderr, out, keep)
