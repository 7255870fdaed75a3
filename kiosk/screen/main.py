"""``guichet-kiosk screen``: the command line of the screen process."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from kiosk.screen.window import prepare

_LEAST, _MOST = 240, 8192


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the screen's options."""
    parser.add_argument("--socket", type=Path, required=True, metavar="PATH", help="the terminal's socket")
    parser.add_argument(
        "--size",
        type=_size,
        default=(1080, 1920),
        metavar="WxH",
        help="the window in pixels (1080x1920; also 1280x1024)",
    )
    parser.add_argument("--borderless", action="store_true", help="no frame, at the display's corner, no mouse pointer")
    parser.add_argument("--hand", type=Path, metavar="PATH", help="answer a demonstration's hand at this socket")


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text, re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(f"not a size: {text!r} (a form like 1080x1920)")
    width, height = int(match[1]), int(match[2])
    if not all(_LEAST <= side <= _MOST for side in (width, height)):
        raise argparse.ArgumentTypeError(f"{text!r}: each side from {_LEAST} to {_MOST} pixels")
    return width, height


def main(arguments: argparse.Namespace) -> int:
    """Run the screen until it is told to end. Exit status: 0 ended, 2 asked for what is not installed."""
    hand: Path | None = arguments.hand
    if hand is not None and find_spec("kiosk.workbench") is None:
        print("guichet-kiosk screen: this is a production installation: it has no hand", file=sys.stderr)
        return 2
    width, height = arguments.size
    with tempfile.TemporaryDirectory(prefix="guichet-screen-") as home:
        prepare(width, height, Path(home), borderless=arguments.borderless)
        from kiosk.screen.app import run_screen

        asyncio.run(run_screen(arguments.socket, version=_version(), hand=hand))
    return 0


def _version() -> str:
    try:
        return version("guichet-sst")
    except PackageNotFoundError:
        return "unknown"


def _alone() -> int:
    parser = argparse.ArgumentParser(prog="guichet-kiosk screen", description=__doc__)
    add_arguments(parser)
    return main(parser.parse_args())


if __name__ == "__main__":
    sys.exit(_alone())
