# pyright: basic
"""The one movement of the design: three dots that take turns while something takes time."""

from __future__ import annotations

from kivy.clock import Clock
from kivy.graphics import Color, SmoothEllipse
from kivy.uix.widget import Widget

from kiosk.screen import theme
from kiosk.screen.theme import Metrics
from kiosk.screen.widgets import canvas

_SECONDS = 0.45
_COUNT = 3


class Dots(Widget):
    """Three dots, one of them lit; the light moves on about twice a second, so that an idle glass costs little."""

    def __init__(self, sizes: Metrics) -> None:
        super().__init__(size_hint_y=None, height=sizes.sign * 0.5)
        self._side = sizes.sign * 0.42
        self._lit = 0
        with canvas(self):
            self._dots = [(Color(rgba=theme.HAIRLINE), SmoothEllipse()) for _ in range(_COUNT)]
        self.bind(pos=self._place, size=self._place)
        self._colour()
        Clock.schedule_interval(self._step, _SECONDS)

    def _step(self, _: float) -> bool:
        """Moves on; the end of moving, once another scene has taken the glass."""
        self._lit = (self._lit + 1) % _COUNT
        self._colour()
        return self.get_root_window() is not None

    def _colour(self) -> None:
        for index, (colour, _) in enumerate(self._dots):
            colour.rgba = theme.ACCENT if index == self._lit else theme.HAIRLINE

    def _place(self, *_: object) -> None:
        pitch = self._side * 2
        left, foot = self.x + self.width / 2 - pitch - self._side / 2, self.y + (self.height - self._side) / 2
        for index, (_, ellipse) in enumerate(self._dots):
            ellipse.pos = (left + index * pitch, foot)
            ellipse.size = (self._side, self._side)
