"""The few drawings of the design, as pictures with soft edges: drawn four times too large, then reduced. No Kivy."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from PIL import Image, ImageDraw

from kiosk.screen import theme
from kiosk.screen.scene import Motion, Sign
from kiosk.screen.theme import Colour

_OVER = 4
_Pen = ImageDraw.ImageDraw
_Rgba = tuple[int, int, int, int]


def _rgba(colour: Colour) -> _Rgba:
    red, green, blue, alpha = (round(part * 255) for part in colour)
    return (red, green, blue, alpha)


def _reduced(width: int, height: int, draw: Callable[[_Pen, int], None]) -> Image.Image:
    large = Image.new("RGBA", (width * _OVER, height * _OVER), (0, 0, 0, 0))
    draw(ImageDraw.Draw(large), width * _OVER)
    return large.reduce(_OVER)


@lru_cache(maxsize=64)
def sign(which: Sign, size: int, ground: Colour, ink: Colour) -> Image.Image:
    """A sign in a disc, ``size`` pixels square."""

    def draw(pen: _Pen, side: int) -> None:
        pen.ellipse((0, 0, side - 1, side - 1), fill=_rgba(ground))
        _SIGNS[which](pen, side / 100, _rgba(ink))

    return _reduced(size, size, draw)


def _stroke(pen: _Pen, unit: float, ink: _Rgba, points: list[tuple[float, float]], width: float = 8) -> None:
    """A line through points of a 100 by 100 field, with round ends and corners."""
    scaled = [(x * unit, y * unit) for x, y in points]
    pen.line(scaled, fill=ink, width=round(width * unit), joint="curve")
    radius = width * unit / 2
    for x, y in scaled:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)


def _box(unit: float, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
    return (left * unit, top * unit, right * unit, bottom * unit)


def _in(pen: _Pen, unit: float, ink: _Rgba) -> None:
    _stroke(pen, unit, ink, [(50, 24), (50, 58)])
    _stroke(pen, unit, ink, [(36, 45), (50, 59), (64, 45)])
    _stroke(pen, unit, ink, [(30, 74), (70, 74)])


def _out(pen: _Pen, unit: float, ink: _Rgba) -> None:
    _stroke(pen, unit, ink, [(50, 27), (50, 60)])
    _stroke(pen, unit, ink, [(36, 40), (50, 26), (64, 40)])
    _stroke(pen, unit, ink, [(30, 74), (70, 74)])


def _busy(pen: _Pen, unit: float, ink: _Rgba) -> None:
    for x in (30, 50, 70):
        pen.ellipse(_box(unit, x - 6.5, 43.5, x + 6.5, 56.5), fill=ink)


def _done(pen: _Pen, unit: float, ink: _Rgba) -> None:
    _stroke(pen, unit, ink, [(30, 52), (44, 66), (71, 37)], 9)


def _info(pen: _Pen, unit: float, ink: _Rgba) -> None:
    pen.ellipse(_box(unit, 44.5, 24, 55.5, 35), fill=ink)
    _stroke(pen, unit, ink, [(50, 47), (50, 73)], 9)


def _caution(pen: _Pen, unit: float, ink: _Rgba) -> None:
    _stroke(pen, unit, ink, [(50, 27), (50, 55)], 9)
    pen.ellipse(_box(unit, 44.5, 66, 55.5, 77), fill=ink)


def _deposit(pen: _Pen, unit: float, ink: _Rgba) -> None:
    pen.rounded_rectangle(_box(unit, 24, 34, 76, 66), 5 * unit, outline=ink, width=round(6 * unit))
    pen.ellipse(_box(unit, 42, 42, 58, 58), fill=ink)


def _statement(pen: _Pen, unit: float, ink: _Rgba) -> None:
    pen.rounded_rectangle(_box(unit, 30, 23, 70, 77), 5 * unit, outline=ink, width=round(6 * unit))
    for y, right in ((39, 60), (50, 60), (61, 52)):
        _stroke(pen, unit, ink, [(41, y), (right, y)], 5)


_SIGNS: dict[Sign, Callable[[_Pen, float, _Rgba], None]] = {
    Sign.IN: _in,
    Sign.OUT: _out,
    Sign.BUSY: _busy,
    Sign.DONE: _done,
    Sign.INFO: _info,
    Sign.CAUTION: _caution,
    Sign.DEPOSIT: _deposit,
    Sign.STATEMENT: _statement,
}


@lru_cache(maxsize=8)
def wordmark(height: int, mark: Colour, ground: Colour) -> Image.Image:
    """The mark: a counter window, rounded above, with its slot. As high as asked, a little narrower."""
    width = round(height * 0.82)

    def draw(pen: _Pen, side: int) -> None:
        unit, tall = side / 82, side / 82 * 100
        pen.pieslice((0, 0, side - 1, 82 * unit), 180, 360, fill=_rgba(mark))
        pen.rectangle((0, 41 * unit, side - 1, tall), fill=_rgba(mark))
        pen.pieslice(_box(unit, 19, 21, 63, 65), 180, 360, fill=_rgba(ground))
        pen.rectangle(_box(unit, 19, 43, 63, 62), fill=_rgba(ground))
        pen.rounded_rectangle(_box(unit, 19, 74, 63, 84), 5 * unit, fill=_rgba(ground))

    return _reduced(width, height, draw)


@lru_cache(maxsize=8)
def card_at_slot(motion: Motion, width: int) -> Image.Image:
    """A chip card half in its slot with an arrow, ``width`` pixels wide and as high."""
    return _at_slot(_card, motion, width)


@lru_cache(maxsize=8)
def note_at_slot(motion: Motion, width: int) -> Image.Image:
    """A banknote half in its slot with an arrow, ``width`` pixels wide and as high."""
    return _at_slot(_note, motion, width)


def _at_slot(thing: Callable[[_Pen, float, float], None], motion: Motion, width: int) -> Image.Image:
    def draw(pen: _Pen, side: int) -> None:
        unit = side / 100
        thing(pen, unit, 27 if motion is Motion.IN else 32)
        _slot(pen, unit)
        _arrow(pen, unit, down=motion is Motion.IN)

    return _reduced(width, width, draw)


def _note(pen: _Pen, unit: float, top: float) -> None:
    pen.rounded_rectangle(_box(unit, 30, top, 70, 88), 3 * unit, fill=_rgba(theme.GOOD))
    pen.rounded_rectangle(
        _box(unit, 33, top + 3, 67, 86), 2 * unit, outline=_rgba(theme.GOOD_SOFT), width=round(unit * 0.8)
    )
    pen.ellipse(_box(unit, 41, top + 15, 59, top + 33), fill=_rgba(theme.GOOD_SOFT))
    pen.rounded_rectangle(_box(unit, 37, top + 7, 46, top + 9.4), 1.2 * unit, fill=_rgba(theme.GOOD_SOFT))


def _card(pen: _Pen, unit: float, top: float) -> None:
    pen.rounded_rectangle(_box(unit, 30, top, 70, 88), 4 * unit, fill=_rgba(theme.INK))
    pen.rounded_rectangle(_box(unit, 35.5, top + 6, 46, top + 8.4), 1.2 * unit, fill=_rgba(theme.ON_INK_MUTED))
    pen.rounded_rectangle(_box(unit, 35.5, top + 11, 42, top + 13.4), 1.2 * unit, fill=_rgba(theme.INK_RAISED))
    left, chip = 44.0, top + 26
    pen.rounded_rectangle(_box(unit, left, chip, left + 12, chip + 14), 2 * unit, fill=_rgba(theme.ACCENT))
    lines = [(left, chip + 5, left + 4, chip + 5), (left, chip + 9, left + 4, chip + 9)]
    lines += [(left + 8, chip + 5, left + 12, chip + 5), (left + 8, chip + 9, left + 12, chip + 9)]
    lines += [(left + 4, chip, left + 4, chip + 14), (left + 8, chip, left + 8, chip + 14)]
    for line in lines:
        pen.line(_box(unit, *line), fill=_rgba(theme.INK), width=round(0.7 * unit))


def _slot(pen: _Pen, unit: float) -> None:
    """The reader's mouth in front of the card: what is below its line hides the card."""
    pen.rounded_rectangle(_box(unit, 12, 74, 88, 92), 6 * unit, fill=_rgba(theme.HAIRLINE))
    pen.rounded_rectangle(_box(unit, 24, 74, 76, 77.4), 1.7 * unit, fill=_rgba(theme.INK))


def _arrow(pen: _Pen, unit: float, *, down: bool) -> None:
    ink = _rgba(theme.ACCENT)
    tail, head = (5, 19) if down else (25, 11)
    barb = head - 7 if down else head + 7
    _stroke(pen, unit, ink, [(50, tail), (50, head)], 4)
    _stroke(pen, unit, ink, [(43, barb), (50, head), (57, barb)], 4)


@lru_cache(maxsize=32)
def banknote(width: int, height: int, colour: Colour) -> Image.Image:
    """A note's ground: its colour, a lighter field at the right, a watermark's circle."""
    paper = _rgba(colour)
    lighter = (*(min(255, part + 26) for part in paper[:3]), 255)
    lightest = (*(min(255, part + 58) for part in paper[:3]), 255)

    def draw(pen: _Pen, side: int) -> None:
        tall = round(side * height / width)
        radius = round(tall * 0.12)
        pen.rounded_rectangle((0, 0, side - 1, tall - 1), radius, fill=paper)
        pen.rounded_rectangle((round(side * 0.66), 0, side - 1, tall - 1), radius, fill=lighter)
        pen.rectangle((round(side * 0.66), 0, round(side * 0.72), tall - 1), fill=lighter)
        middle, half = side * 0.83, tall * 0.24
        pen.ellipse((middle - half, tall / 2 - half, middle + half, tall / 2 + half), fill=lightest)

    return _reduced(width, height, draw)
