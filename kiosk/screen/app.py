# pyright: basic
"""The screen process: window, link and hand in one loop.

Import it after :func:`kiosk.screen.window.prepare`.
"""

from __future__ import annotations

import asyncio
import signal
from functools import lru_cache
from pathlib import Path

from kivy.app import App
from kivy.clock import Clock
from kivy.uix.widget import Widget

from guichet.v1 import screen_pb2 as pb
from kiosk.notify import Notifier
from kiosk.screen import presenters
from kiosk.screen.glass import Compose, Glass
from kiosk.screen.link import ScreenLink
from kiosk.screen.presenters import Room
from kiosk.screen.words import Words

_FIRST_LANGUAGE = "en"


class ScreenApp(App):
    """Kivy's frame around the glass, without the settings page that a key would open."""

    title = "Guichet"
    use_kivy_settings = False

    def __init__(self, root: Widget) -> None:
        super().__init__()
        self._content = root

    def build(self) -> Widget:
        """The glass."""
        return self._content

    def open_settings(self, *_: object) -> bool:
        """There are none."""
        return False


@lru_cache(maxsize=8)
def _words(language: str) -> Words:
    return Words(language)


def of_view(view: pb.View) -> Compose:
    """How to make the scene of a view."""
    return lambda sizes: presenters.present(view, Room(sizes.statement_lines), _words(view.language))


def of_away(language: str) -> Compose:
    """How to make the scene of a terminal that is away."""
    return lambda _: presenters.away(_words(language))


class Screen:
    """Joins glass and link: views one way, touches the other. Remembers the language while the terminal is away."""

    def __init__(self, terminal: Path, version: str) -> None:
        self._language = _FIRST_LANGUAGE
        self.link = ScreenLink(terminal, version, self._view, self._away)
        self.glass = Glass(of_away(self._language), self.link.touched, self.link.shown)

    def _view(self, view: pb.View) -> None:
        self._language = view.language
        self.glass.show(of_view(view))

    def _away(self) -> None:
        self.glass.show(of_away(self._language))


async def run_screen(terminal: Path, *, version: str, hand: Path | None = None) -> None:
    """Show what the terminal at the socket ``terminal`` sends until the window is closed or the process told to end.

    ``hand`` is the path of a socket for the hand of demonstrations, see :mod:`kiosk.workbench.hand`. The terminal may
    come later than the screen, and may go and come back.
    """
    screen = Screen(terminal, version)
    app = ScreenApp(screen.glass.root)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, app.stop)
    _notify_from_frames(Notifier())
    async with asyncio.TaskGroup() as group:
        beside = [group.create_task(screen.link.run(), name="link")]
        if hand is not None:
            from kiosk.workbench.hand import serve

            beside.append(group.create_task(serve(hand, screen.glass), name="hand"))
        await app.async_run(async_lib="asyncio")
        for task in beside:
            task.cancel()


def _notify_from_frames(notifier: Notifier) -> None:
    """Tell the service manager from Kivy's own clock: what stops drawing stops being alive."""
    Clock.schedule_once(lambda _: notifier.ready(), 0)
    if seconds := notifier.watchdog_seconds:
        Clock.schedule_interval(lambda _: notifier.alive(), seconds)
