"""Chaos on the real processes: ``python -m tests.e2e.chaos --kills 1000 --seed 7``.

A host, a terminal and its devices run as in the field, people deposit notes, and processes are killed, stopped, cut off
from each other and from their disk at times from the seed; after each kill the books are compared with the paper.

The seed gives the same plan, but real processes do not run twice alike: a failure may need some tries to come again.
So it prints what happened, in order; GUICHET_KEEP=1 keeps the folder with journal, books and logs.

Exit status: 0, everything added up; 1, it did not; 2, the words make no sense, or the machine did not come up.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from drivers.card.pcsc.private_pcscd import PcscdUnavailable
from kiosk.workbench.processes import StartError
from tests.e2e.chaos.chaos import Wishes, chaos
from tests.e2e.chaos.report import as_json, failure, words
from tests.simulation import sabotage

_COMMAND = "python -m tests.e2e.chaos"
_SHOW_EVERY = 10


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    arguments = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))  # What was mounted and started is taken away.
    try:
        return _sabotaged(arguments) if arguments.sabotage else _run(arguments)
    except (ValueError, sabotage.NoSuchSabotage, StartError, PcscdUnavailable) as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_COMMAND, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=_at_least_one, default=100, help="how many (100)")
    parser.add_argument("--seed", type=int, default=1, help="of what goes wrong when, and of the people (1)")
    parser.add_argument("--no-counter", action="store_true", help="a validator that does not count what it stacks")
    parser.add_argument("--no-screen", action="store_true", help="no window, which takes a good part of the time")
    parser.add_argument("--sabotage", metavar="NAME", help="with this break of tests/simulation/sabotages in a copy")
    parser.add_argument("--trace", action="store_true", help="print everything that happens")
    parser.add_argument("--json", action="store_true", help="print what it came to as JSON")
    return parser


def _at_least_one(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"at least 1, not {word!r}")
    return int(word)


def _run(arguments: argparse.Namespace) -> int:
    folder = Path(tempfile.mkdtemp(prefix="guichet-chaos-"))
    done = 0

    def show(line: str) -> None:
        nonlocal done
        done += " kill -9 " in line
        if arguments.trace or (" kill -9 " in line and done % _SHOW_EVERY == 0):
            print(line if arguments.trace else f"{done} kills", file=sys.stderr, flush=True)

    wishes = Wishes(arguments.kills, arguments.seed, counter=not arguments.no_counter, screen=not arguments.no_screen)
    try:
        tally = chaos(folder / "k", wishes, show)
    finally:
        if not os.environ.get("GUICHET_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)
    print(as_json(tally) if arguments.json else words(tally))
    if tally.found:
        kept = str(folder) if folder.exists() else ""
        print(failure(tally, f"{_COMMAND} {wishes.words()}", kept), file=sys.stderr)
    return 1 if tally.found else 0


def _sabotaged(arguments: argparse.Namespace) -> int:
    """The same in a copy with a break in it: 1 where it was caught."""
    one = sabotage.named(arguments.sabotage)
    words = [f"--kills={arguments.kills}", f"--seed={arguments.seed}"]
    words += [flag for flag, on in (("--no-counter", arguments.no_counter), ("--json", arguments.json)) if on]
    words += [flag for flag, on in (("--no-screen", arguments.no_screen), ("--trace", arguments.trace)) if on]
    return sabotage.run(one, words, module="tests.e2e.chaos")


if __name__ == "__main__":
    sys.exit(main())
