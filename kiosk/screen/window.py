# pyright: basic
"""Kivy's settings. They must stand before the first import of Kivy's window: call :func:`prepare` first."""

from __future__ import annotations

import logging
import os
from pathlib import Path

_FRAMES_PER_SECOND = 30


def prepare(width: int, height: int, home: Path, *, borderless: bool = False) -> None:
    """Choose the window: its size in pixels, without a frame at the display's corner where ``borderless``.

    Without a display the window is drawn off screen, for real. ``home`` is a directory of its own for what Kivy writes;
    nothing is read from or left in the user's. Raises RuntimeError where Kivy's window exists already.
    """
    _choose_environment(home)
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # Kivy warns about the age of a configuration that it has just made up
    try:
        from kivy.config import Config
    finally:
        logging.disable(before)
    Config.set("kivy", "log_level", "warning")
    Config.set("kivy", "exit_on_escape", "0")
    Config.set("graphics", "width", str(width))
    Config.set("graphics", "height", str(height))
    Config.set("graphics", "multisamples", "0")  # several times faster in software; our shapes have soft edges
    Config.set("graphics", "maxfps", str(_FRAMES_PER_SECOND))
    if borderless:
        for name, value in (
            ("borderless", "1"),
            ("position", "custom"),
            ("left", "0"),
            ("top", "0"),
            ("show_cursor", "0"),
        ):
            Config.set("graphics", name, value)
    Config.set("input", "mouse", "mouse,disable_multitouch")
    Config.remove_option("input", "%(name)s")  # else Kivy reads every input device by itself, past the window


def _choose_environment(home: Path) -> None:
    """What Kivy reads when it is first imported."""
    os.environ.update(
        KIVY_HOME=str(home),
        KIVY_NO_ARGS="1",
        KIVY_NO_FILELOG="1",
        KIVY_NO_CONFIG="1",
        KIVY_LOG_MODE="MIXED",
        KIVY_CLIPBOARD="dummy",
        KIVY_WINDOW="sdl2",
        KIVY_TEXT="sdl2",
        KIVY_METRICS_DENSITY="1",
        KIVY_METRICS_FONTSCALE="1",
        SDL_AUDIODRIVER="dummy",
    )
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        os.environ.setdefault("SDL_VIDEODRIVER", "offscreen")
