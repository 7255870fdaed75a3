"""What the commands print: nothing of it commands the terminal that shows it, and a pipe may be closed at any time."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path

from drivers.narration import printable

Command = Callable[[argparse.Namespace], int]


def say(text: str = "") -> None:
    """Print a line, which may hold what a device or a file says."""
    print(printable(text), flush=True)


def complain(command: str, error: Exception | str) -> None:
    """Say on standard error why ``command`` cannot be done."""
    print(f"guichet-kiosk {command}: {printable(str(error))}", file=sys.stderr)


def has_no_place(command: str, out: Path) -> bool:
    """Whether ``out`` cannot be made: it is there already, or its folder is not. Says so."""
    if out.exists():
        complain(command, f"{out} is there already; nothing was written")
    elif not out.parent.is_dir():
        complain(command, f"{out.parent} is no folder; nothing was written")
    else:
        return False
    return True


def until_nobody_reads(command: Command) -> Command:
    """``command``, which ends quietly with 0 when whoever read its output has seen enough, as ``head`` does."""

    @wraps(command)
    def run(arguments: argparse.Namespace) -> int:
        try:
            status = command(arguments)
            sys.stdout.flush()
        except BrokenPipeError:
            # What Python would still flush at its end has nowhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return status

    return run
