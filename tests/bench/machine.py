"""Where and on what a run was made: without it a figure says nothing."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Machine:
    """``load``: the load averages of the last 1, 5 and 15 minutes when the run began. ``commit``: what was measured,
    with ``+`` behind it where the checkout was changed since; empty outside a checkout.
    """

    python: str
    cpu: str
    cores: int
    load: tuple[float, float, float]
    commit: str


def this_machine() -> Machine:
    """The one that this runs on."""
    return Machine(platform.python_version(), _cpu(), len(os.sched_getaffinity(0)), os.getloadavg(), _commit())


def _cpu() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found is not None else platform.machine()


def _commit() -> str:
    commit = _git("rev-parse", "--short=12", "HEAD")
    return f"{commit}+" if commit and _git("status", "--porcelain") else commit


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
