"""The command line of the demo."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from drivers.card.pcsc.private_pcscd import PcscdUnavailable
from kiosk.workbench.processes import StartError
from kiosk.workbench.stack import Stack
from tests.e2e.demo.cable import Cable
from tests.e2e.demo.day import Day, evening
from tests.e2e.demo.person import NotAsExpected

# What "make demo" promises once everything is set up.
_PROMISED_SECONDS = 90
_TIMINGS = "escrow_hold = 0.4\nsettlement_wait = 3\nreplication_wait = 2"
# Offscreen also where there is a display: the pictures are the same everywhere, and nothing flickers past a person.
_OFFSCREEN = {"SDL_VIDEODRIVER": "offscreen", "KIVY_WINDOW": "sdl2"}


def main() -> int:
    """Exit status 0 only if everything went as it should and all books agree."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out"), help="where pictures and receipts go")
    parser.add_argument("--size", default="540x960", help="size of the kiosk's window")
    parser.add_argument("--keep", type=Path, help="leave books, journal and logs of the day in this folder")
    parser.add_argument("--compare", type=Path, help="play nothing: only compare the books that --keep left there")
    arguments = parser.parse_args()
    if arguments.compare is not None:
        return evening(arguments.compare)
    return _play(arguments)


def _play(arguments: argparse.Namespace) -> int:
    # A short path, because a Unix socket's may have no more than 107 bytes.
    base = Path(tempfile.mkdtemp(prefix="guichet-demo-"))
    shown = _fresh(arguments.out)
    began = time.monotonic()
    try:
        print("starting host, devices, terminal and screen ...", flush=True)
        _day(base, shown, arguments.size)
        status = evening(base)
    except (NotAsExpected, StartError, PcscdUnavailable, ValueError, OSError) as error:
        print(f"\nNOT AS IT SHOULD BE: {error}", file=sys.stderr)
        status = 1
    finally:
        if arguments.keep is not None:
            shutil.copytree(base, arguments.keep, dirs_exist_ok=True, ignore=_sockets)
        shutil.rmtree(base, ignore_errors=True)
    print(f"\n{summary(time.monotonic() - began)}; pictures and receipts are in {arguments.out}", flush=True)
    return status


def summary(seconds: float) -> str:
    """How long the day took, and whether that is longer than it should be. A slow machine is no wrong book: it is said,
    and the exit status stays.
    """
    over = f", MORE THAN THE {_PROMISED_SECONDS} s that it should take" if seconds > _PROMISED_SECONDS else ""
    return f"{seconds:.0f} s{over}"


def _day(base: Path, out: Path, size: str) -> None:
    with Stack(base, pace=0.25, poll_ms=100, timings=_TIMINGS) as stack:
        cable = Cable(stack.ports.link)
        try:
            stack.write_terminal_config(cable.port)
            stack.terminal.stop()
            stack.start_terminal()
            stack.start_screen(size, environment=_OFFSCREEN)
            Day(stack, cable, out).run()
        finally:
            cable.close()


def _fresh(out: Path) -> Path:
    """An empty folder for this day; of an earlier one only its pictures and papers are removed."""
    folder = out / "demo"
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def _sockets(folder: str, names: list[str]) -> list[str]:
    """Sockets and ttys are nothing to keep."""
    return [name for name in names if not ((path := Path(folder, name)).is_file() or path.is_dir())]


if __name__ == "__main__":
    sys.exit(main())
