"""Breaking the product on purpose: each break a diff beside this file, applied to a copy, never to what is here.

A break that the outside checker does not catch is a hole in the simulation.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

_HERE = Path(__file__).parent
_ROOT = _HERE.parent.parent
_FOLDER = _HERE / "sabotages"
_COPIED = ("proto", "drivers", "kiosk", "host", "tests")


class NoSuchSabotage(Exception):
    """A name that no diff has."""


@dataclass(frozen=True, slots=True)
class Sabotage:
    """``what`` it breaks is the diff's first line."""

    name: str
    what: str
    diff: Path


def all_of_them() -> tuple[Sabotage, ...]:
    """In the order of their names."""
    return tuple(
        Sabotage(path.stem, path.read_text(encoding="utf-8").partition("\n")[0], path)
        for path in sorted(_FOLDER.glob("*.diff"))
    )


def named(name: str) -> Sabotage:
    """Raises :class:`NoSuchSabotage`."""
    for one in all_of_them():
        if one.name == name:
            return one
    names = [one.name for one in all_of_them()]
    close = [one for one in names if name in one] or get_close_matches(name, names)
    raise NoSuchSabotage(
        f"{name}: no such sabotage{'; close: ' + ', '.join(close) if close else ''}; SABOTAGE=list prints all"
    )


def applied(one: Sabotage, folder: Path) -> dict[str, str]:
    """A copy of the product in ``folder`` with ``one`` in it; gives the environment to run it in."""
    for name in _COPIED:
        shutil.copytree(_ROOT / name, folder / name)
    done = subprocess.run(
        ["patch", "-p1", "--forward", "--fuzz=0", "--input", str(one.diff)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ValueError(f"{one.name} does not fit the product any more: {done.stdout}")
    for broken in _touched(one.diff):  # What is compiled of the others stays good: that saves half the time.
        for compiled in (folder / broken).parent.glob(f"__pycache__/{broken.stem}.*.pyc"):
            compiled.unlink()
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{folder / 'proto'}", "PYTHONDONTWRITEBYTECODE": "1"}


def _touched(diff: Path) -> list[Path]:
    lines = diff.read_text(encoding="utf-8").splitlines()
    return [Path(line.removeprefix("+++ b/")) for line in lines if line.startswith("+++ b/")]


@dataclass(frozen=True, slots=True)
class Catch:
    """What became of a sabotage. ``seed`` and the rule that was broken there; None: nobody noticed."""

    sabotage: Sabotage
    seed: int | None
    wrong: str

    @property
    def by_the_checker(self) -> bool:
        """Caught from outside: a broken rule has its number; a crash of the product's own has none."""
        return self.seed is not None and self.wrong[:1].isdigit()


def hunt(one: Sabotage, start: int, seeds: int, workers: int) -> Catch:
    """Look for a world in which ``one`` shows."""
    words = [f"--start={start}", f"--seeds={seeds}", f"--workers={workers}", "--no-shrink", "--json"]
    with tempfile.TemporaryDirectory(prefix=f"sabotage-{one.name}-") as folder:
        done = subprocess.run(
            [sys.executable, "-m", "tests.simulation", *words],
            cwd=folder,
            env=applied(one, Path(folder)),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode not in (0, 1):
        raise ValueError(f"{one.name}: the simulation ended with {done.returncode}: {done.stderr[-2000:]}")
    failed: dict[str, str] = json.loads(done.stdout.splitlines()[0])["failed"]
    if not failed:
        return Catch(one, None, "")
    first = min(failed, key=int)
    return Catch(one, int(first), failed[first])


def hunt_all(start: int, seeds: int, workers: int) -> int:
    """Every sabotage, a line each; 0 where the checker has caught all of them."""
    missed = 0
    for one in all_of_them():
        catch = hunt(one, start, seeds, workers)
        missed += not catch.by_the_checker
        how = f"seed {catch.seed}: {catch.wrong.splitlines()[0]}" if catch.seed is not None else "NOT CAUGHT"
        print(f"{one.name:34} {how}", flush=True)
    print(f"{missed} not caught" if missed else "every sabotage is caught")
    return 1 if missed else 0


def run(one: Sabotage, words: Sequence[str], module: str = "tests.simulation") -> int:
    """A command of the tests, ``make simulate``'s or another, in a copy with ``one`` in it; gives its exit status."""
    with tempfile.TemporaryDirectory(prefix=f"sabotage-{one.name}-") as folder:
        environment = applied(one, Path(folder))
        return subprocess.run(
            [sys.executable, "-m", module, *words], cwd=folder, env=environment, check=False
        ).returncode
