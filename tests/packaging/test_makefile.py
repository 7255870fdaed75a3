"""The commands that stay."""

import os
import subprocess
from pathlib import Path

import pytest

COMMANDS = [
    *("run", "demo", "test", "lint", "bench", "simulate", "image", "image-test"),
    *("coverage", "generate", "lock", "fresh", "clean", "soak", "matrix", "fuzz", "chaos"),
]
# A make that runs these tests hands its own flags and variables down.
ENVIRONMENT = {
    key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "ARGS")
}


def make(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments], cwd=repository, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )


def test_help_lists_every_command(repository: Path) -> None:
    listing = make(repository).stdout
    assert [command for command in COMMANDS if f"  make {command} " not in listing] == []


@pytest.mark.parametrize("command", ["image", "image-test"])
def test_a_command_that_is_not_there_yet_says_so_and_fails(repository: Path, command: str) -> None:
    done = make(repository, command)
    assert done.returncode == 2
    assert f"make {command} is not there yet: it comes with" in done.stderr
