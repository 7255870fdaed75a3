"""Lays screens of the demo side by side: ``python -m tests.docs.montage out/demo kiosk/screen/pictures/day.png``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from PIL import Image, ImageOps

SCREENS = ("statement", "deposit-host-away", "terminal-gone", "recovered")
"""The demo's pictures, without their numbers, from left to right."""

_WIDTH, _GAP = 360, 16


def compose(folder: Path, target: Path) -> None:
    """Write the montage of :data:`SCREENS` from ``folder``. Raises FileNotFoundError for one that the demo left out."""
    screens = [_scaled(_picture(folder, name)) for name in SCREENS]
    width = sum(screen.width for screen in screens) + _GAP * (len(screens) - 1)
    sheet = Image.new("RGB", (width, max(screen.height for screen in screens)), "white")
    left = 0
    for screen in screens:
        sheet.paste(screen, (left, 0))
        left += screen.width + _GAP
    sheet.save(target, optimize=True)


def _picture(folder: Path, name: str) -> Path:
    found = sorted(folder.glob(f"[0-9][0-9]-{name}.png"))
    if not found:
        raise FileNotFoundError(f"no picture {name!r} in {folder}: run make demo first")
    return found[0]


def _scaled(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        height = round(picture.height * _WIDTH / picture.width)
        return ImageOps.contain(picture.convert("RGB"), (_WIDTH, height), Image.Resampling.LANCZOS)


def main(argv: list[str] | None = None) -> int:
    """Exit status 0: written; 1: a picture is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.docs.montage", description=__doc__)
    parser.add_argument("folder", type=Path, help="the demo's pictures, such as out/demo")
    parser.add_argument("target", type=Path, help="the PNG to write")
    arguments = parser.parse_args(argv)
    try:
        compose(arguments.folder, arguments.target)
    except FileNotFoundError as error:
        print(f"montage: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
