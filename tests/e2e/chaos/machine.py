"""The machine on which chaos happens: the whole kiosk of the end-to-end tests, started again without waiting for it,
with a clock that can be moved and, where it can be had, a disk of its own that can be filled up.

The way to the host is cut at the cables of these tests, not in a network namespace: a cable is there without root, and
cuts the sessions and the delivery without one alike. What hangs instead of breaking off is had by SIGSTOP of the host.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from kiosk.workbench.processes import Process
from tests.e2e.whole_kiosk import OFFSCREEN, CabledStack

PACE = 0.1
TIMINGS = (
    "escrow_hold = 0\nsettlement_wait = 2\nreplication_wait = 2\ncustomer = 15\nnotice = 5\ndevice_grace = 60"
    "\nlate_delivery = 1\nnote_taken = 6\nnote_moves = 30\nlook_again = 0.5"
)
SIZE = "270x480"
_DISK_BYTES = 32 << 20
_DISK_BYTES_A_KILL = 100 << 10
_CLONE_NEWNS = 0x00020000
"""unshare(2); os.unshare is there from Python 3.12 on."""
_SCRIPT = Path(__file__).with_name("terminal.py")


class NoSmallDisk(Exception):
    """Why the terminal's data cannot be put on a disk of its own."""


class Machine(CabledStack):
    """All processes. ``screen``: whether the terminal has a window too; nobody needs it to deposit."""

    def __init__(self, base: Path, *, counter: bool, screen: bool) -> None:
        super().__init__(base, pace=PACE, poll_ms=20, timings=TIMINGS)
        self._counter = counter
        self._wants_screen = screen
        self.hours = self.base / "clock"
        self.terminal.command = (sys.executable, "-P", str(_SCRIPT), str(self.config), str(self.hours))

    def _start_devices(self) -> None:
        super()._start_devices()
        if not self._counter:
            self._without_counter()

    def _without_counter(self) -> None:
        cash = self.process("cash")
        cash.stop()
        cash.command = (*cash.command, "--no-counter")
        self.launch(cash)
        cash.wait_for(lambda: self._answers("cash"), "control socket")

    def start_terminal(self) -> None:
        """Start it, with its clock right."""
        self.move_clock(0)
        super().start_terminal()
        if self._wants_screen and self.screen is None:
            self.start_screen(SIZE, environment=OFFSCREEN)

    def names(self) -> tuple[str, ...]:
        """What can be killed."""
        return tuple(process.name for process in self._processes)

    # --- what is done to it ---------------------------------------------------------------------------------------

    def launch(self, process: Process) -> None:
        """Start what has ended, as systemd does, and do not wait until it is ready. What it left is unplugged first."""
        run = self.base / "run"
        for left in (f"{process.name}.tty", f"{process.name}.ctl", f"{process.name}.sock"):
            (run / left).unlink(missing_ok=True)
        process.start()

    def power_off(self) -> None:
        """The validator's power is cut; one whose simulator is just starting, when it has started."""
        self.process("cash").wait_for(lambda: self._answers("cash"), "control socket")
        self.tell("cash", "power off")

    def power_on(self) -> None:
        """The validator's power is back, unless its simulator has died meanwhile: then it comes with that one."""
        with suppress(OSError, ValueError):
            self.tell("cash", "power on")

    def move_clock(self, hours: int) -> None:
        """The terminal's wall clock is so many hours off from now on."""
        new = self.hours.with_suffix(".new")
        new.write_text(str(hours), encoding="utf-8")
        new.replace(self.hours)


class SmallDisk:
    """The terminal's data on a file system of its own, which only this process and what it starts can see: whatever
    ends them, no mount stays behind. Make it before there are other threads. Raises :class:`NoSmallDisk`.
    """

    def __init__(self, folder: Path, kills: int) -> None:
        self._folder = folder
        if os.geteuid() != 0:
            raise NoSmallDisk("only root can mount a small disk under the journal")
        if ctypes.CDLL(None).unshare(_CLONE_NEWNS):
            raise NoSmallDisk("no mount namespace can be had here")
        subprocess.run(("mount", "--make-rprivate", "/"), check=True)
        folder.mkdir(parents=True, exist_ok=True)
        size = _DISK_BYTES + kills * _DISK_BYTES_A_KILL
        words = ("mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "guichet-chaos", str(folder))
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        if done.returncode:
            raise NoSmallDisk(f"no file system can be mounted here: {done.stderr.strip()}")

    @property
    def _ballast(self) -> Path:
        return self._folder / "ballast"

    def fill(self) -> None:
        """Up to the last byte that can be had."""
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in (1 << 20, 1 << 16, 1 << 12):
                try:
                    while ballast.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def make_room(self) -> None:
        """Take away what filled it up."""
        self._ballast.unlink(missing_ok=True)

    def close(self) -> None:
        """Take it away; what lay on it stays in the folder, for whoever wants to look."""
        self.make_room()
        kept = self._folder.with_name(f"{self._folder.name}-kept")
        shutil.copytree(self._folder, kept)
        subprocess.run(("umount", str(self._folder)), check=True)
        shutil.copytree(kept, self._folder, dirs_exist_ok=True)
        shutil.rmtree(kept)
