"""``make run``: what it starts it ends, all of it and nothing else, however it ends itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from drivers.simulation.control import ask
from kiosk.workbench.processes import tool
from tests.e2e.processes import commands_with

_SECONDS = 60.0


@contextmanager
def running(base: Path) -> Generator[subprocess.Popen[str]]:
    """A run that has printed what to do, in a process group of its own, as a shell gives it."""
    command = (tool("guichet-kiosk"), "run", "--base", str(base))
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, process_group=0
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def told(process: subprocess.Popen[str]) -> str:
    """What it prints until it is up."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if "Ctrl-C ends everything" in line:
            return text
    raise AssertionError(f"it ended: {text}")


def nothing_left(base: Path) -> bool:
    deadline = time.monotonic() + _SECONDS
    while (left := commands_with(f"{base}/")) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not left


def refusal(*words: str) -> str:
    """What a run that cannot begin says."""
    command = (tool("guichet-kiosk"), "run", *words)
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_SECONDS)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


@contextmanager
def bystander(words: str) -> Generator[subprocess.Popen[bytes]]:
    """A process of somebody else, with ``words`` in its command line."""
    command = (sys.executable, "-c", "import sys; sys.stdin.read()", words)
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield process
        process.communicate(b"")


def test_a_run_ends_all_that_it_started_and_nothing_else_however_it_ends(run_dir: Path) -> None:
    base = run_dir / "run"
    with bystander(f"{base}-of-another/x") as other:
        with running(base) as process:
            told(process)
            assert len(commands_with(f"{base}/")) >= 8
            process.kill()
            assert process.wait(_SECONDS) == -signal.SIGKILL
            assert nothing_left(base)

        with running(base) as process:
            text = told(process)
            for words in ("http://127.0.0.1:", "operator.txt", "card.ctl insert anna", "cash.ctl insert 20 EUR"):
                assert words in text
            names = " ".join(commands_with(f"{base}/"))
            for name in ("guichet-host", "guichet-sim ccnet", "guichet-sim printer", "pcscd", "terminal", "screen"):
                assert name in names
            # A second one on the same folder is refused, and does the first no harm.
            in_use = f"{base} is in use by another run; end that one first, or use --base"
            assert in_use in refusal("--base", str(base))
            assert in_use in refusal("--fresh", "--base", str(base))
            ask(base / "run" / "hand.ctl", "wait-view attract")

            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(_SECONDS) == 0
            assert nothing_left(base)
        assert other.poll() is None


def test_fresh_removes_no_folder_that_is_not_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    assert "is not the folder of a run; nothing was removed" in refusal("--fresh", "--base", str(tmp_path))
    assert (tmp_path / "precious").exists()
