"""``guichet-kiosk run``: everything on this machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import threading
from pathlib import Path

from drivers.card.pcsc.private_pcscd import PcscdUnavailable
from kiosk.workbench.processes import StartError
from kiosk.workbench.stack import OPERATOR, Stack

_LOOK_SECONDS = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of ``run``."""
    parser.add_argument("--base", type=Path, default=Path("var"), help="folder of books, journal, notes (var)")
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier run left in that folder")
    parser.add_argument("--size", default="540x960", help="size of the kiosk's window (540x960)")
    parser.add_argument("--no-screen", action="store_true", help="no window")


def main(arguments: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM. 0: ended when asked to; 1: something did not start."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    try:
        if arguments.fresh:
            forget(arguments.base)
        print("starting host, devices and terminal ...", flush=True)
        with Stack(arguments.base) as stack:
            if not arguments.no_screen:
                stack.start_screen(arguments.size, environment=_screen_environment())
            print(_what_to_do(stack, screen=not arguments.no_screen), flush=True)
            _watch(stack, stop)
            print("\nending ...", flush=True)
    except (StartError, PcscdUnavailable, OSError) as error:
        print(f"guichet-kiosk run: {error}", file=sys.stderr)
        return 1
    return 0


def forget(base: Path) -> None:
    """Remove what an earlier run left, where nothing else is in the way. Raises :class:`StartError`."""
    if not base.exists():
        return
    if not (base / "lock").exists():
        raise StartError(f"{base} is not the folder of a run; nothing was removed")
    with Stack(base).locked():
        shutil.rmtree(base)


def _screen_environment() -> dict[str, str]:
    return {} if os.environ.get("DISPLAY") else {"SDL_VIDEODRIVER": "offscreen", "KIVY_WINDOW": "sdl2"}


def _watch(stack: Stack, stop: threading.Event) -> None:
    """What systemd does on a kiosk: a process that ended is started again."""
    while not stop.wait(_LOOK_SECONDS):
        ended = stack.ended()
        for process in ended:
            print(f"{process.name} ended and is started again: see {process.log}", flush=True)
        stack.start_again(ended)


def _from_here(path: Path) -> Path:
    """``path`` as a person in this folder would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _what_to_do(stack: Stack, *, screen: bool) -> str:
    tell = f"{_from_here(Path(sys.executable).parent / 'guichet-sim')} tell"
    base = _from_here(stack.base)
    run = base / "run"
    window = "its window" if os.environ.get("DISPLAY") else "no display here, so it draws offscreen; see it with"
    return f"""
Guichet is running. Everything here is for training: the money is not real.

  operations page   http://127.0.0.1:{stack.ports.console}/   log in as {OPERATOR}, password in {base}/operator.txt
  kiosk             {window if screen else "without a screen"}
                    {tell} {run}/hand.ctl picture screen.png

Be the customer (in another shell, in this folder):

  put a card in     {tell} {run}/card.ctl insert anna
  type the PIN      {tell} {run}/pinpad.ctl press 1234
                    {tell} {run}/pinpad.ctl enter
  touch a button    {tell} {run}/hand.ctl touch deposit        (statement, deposit, finish, ...)
  put a note in     {tell} {run}/cash.ctl insert 20 EUR
  take the card     {tell} {run}/card.ctl remove

Try to lose a note: touch deposit, put one in, and while it is inside

  cut the power     {tell} {run}/cash.ctl power off            (and on again)
  kill the terminal kill -KILL $(cat {base}/log/terminal.pid)    (it is started again)

Then look where the money is:

  .venv/bin/guichet-kiosk diag --config {base}/terminal.toml
  .venv/bin/guichet-kiosk diag trace --config {base}/terminal.toml    (the validator's line, as it goes on)
  .venv/bin/guichet-kiosk journal list --config {base}/terminal.toml
  .venv/bin/guichet-host operator deposits --config {base}/host.toml

Ctrl-C ends everything. What the books and the box hold stays in {base}; 'make run ARGS=--fresh' begins anew.
"""
