"""Starting, watching and ending the processes of a workbench, and nothing else."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_LOOK_SECONDS = 0.02
_SETPRIV = shutil.which("setpriv") or "/usr/bin/setpriv"


class StartError(RuntimeError):
    """Something did not come up; the text says what and where its log is."""


@dataclass(slots=True)
class Process:
    """One child with its log. It dies with the workbench, even if that one is killed."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    stop_signal: signal.Signals = signal.SIGTERM
    _child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, in a session of its own: a Ctrl-C at the keyboard is the workbench's to handle."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                (_SETPRIV, "--pdeathsig", "KILL", *self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        self.pid_file.write_text(f"{self._child.pid}\n", encoding="utf-8")

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        """Its process id. Raises RuntimeError when it was never started."""
        if self._child is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._child.pid

    @property
    def pid_file(self) -> Path:
        """Beside the log: whom to send a signal."""
        return self.log.with_suffix(".pid")

    def wait_for(self, ready: Callable[[], bool], what: str) -> None:
        """Return when ``ready()``; raises :class:`StartError` when it ends before or takes too long."""
        deadline = time.monotonic() + _START_SECONDS
        while not ready():
            if not self.running:
                raise StartError(f"{self.name} ended before {what}: see {self.log}\n{self.last_words()}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.name}: no {what} within {_START_SECONDS:.0f} s: see {self.log}")
            time.sleep(_LOOK_SECONDS)

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])

    def kill(self) -> None:
        """As a power cut would: no farewell."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._child is not None:
            self._child.send_signal(number)

    def stop(self) -> None:
        """Ask it to end, and see that it does."""
        if self._child is None or self._child.poll() is not None:
            return
        self._child.send_signal(self.stop_signal)
        try:
            self._child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


def tool(name: str) -> str:
    """One of the project's own commands, of the environment that this program runs in."""
    return str(Path(sys.executable).parent / name)
