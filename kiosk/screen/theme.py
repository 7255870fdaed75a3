"""The design system: colours, type, spacing and touch sizes. One place, no Kivy.

Two faces, upright and wide, each designed at a reference size and scaled as a whole to the window that there is. The
upright reference, 1080 by 1920 on 21.5 inches, has 0.248 mm a pixel; the wide one, 1280 by 1024 on 19 inches, 0.294 mm.
No button is lower than 20 mm there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

Colour = tuple[float, float, float, float]


def _hex(text: str) -> Colour:
    red, green, blue = (int(text[index : index + 2], 16) / 255 for index in (0, 2, 4))
    return (red, green, blue, 1.0)


INK: Final = _hex("14203A")
"""The dark ground and the text on the light one."""
INK_RAISED: Final = _hex("22304F")
PAPER: Final = _hex("FAF7F1")
"""The light ground."""
CARD: Final = _hex("FFFFFF")
HAIRLINE: Final = _hex("E4DED2")
MUTED: Final = _hex("616A7D")
"""Less important text on the light ground: contrast above 4.5 to one."""
FAINT: Final = _hex("A9ADB8")
ON_INK: Final = _hex("FFFFFF")
ON_INK_MUTED: Final = _hex("B9C3DA")
ACCENT: Final = _hex("F5B041")
"""The one accent: what to touch, where to look. Text on it is ink."""
ACCENT_PRESSED: Final = _hex("E0992A")
ACCENT_SOFT: Final = _hex("FDF0D6")
GOOD: Final = _hex("2B7A5B")
GOOD_SOFT: Final = _hex("E2F1EA")
CAUTION: Final = _hex("9A5B0B")
CAUTION_SOFT: Final = _hex("FCEFD9")
CALM_SOFT: Final = _hex("EAEEF6")
KEY_GREEN: Final = _hex("2E9E6B")
KEY_YELLOW: Final = _hex("EFC02F")
KEY_RED: Final = _hex("C8473B")

_NOTE_COLOURS: Final = {
    5: _hex("7C8794"),
    10: _hex("C0564A"),
    20: _hex("3F73B5"),
    50: _hex("CF7A2C"),
    100: _hex("4C8F57"),
    200: _hex("B08F1E"),
    500: _hex("7F5AA2"),
}
_OTHER_NOTES: Final = (_hex("4A8C93"), _hex("9A5B78"), _hex("6B6FB0"), _hex("87703F"))


def note_colour(face: int) -> Colour:
    """The ground of a note's tile by its value in major units: the same value always the same colour."""
    return _NOTE_COLOURS.get(face) or _OTHER_NOTES[face % len(_OTHER_NOTES)]


class Face(Enum):
    """Which way round the glass is."""

    UPRIGHT = auto()
    WIDE = auto()


@dataclass(frozen=True, slots=True)
class Metrics:
    """Sizes of one face in pixels of the window, text sizes included."""

    face: Face
    width: int
    height: int
    margin: int
    page_margin: int
    """Above and below what stands on the page."""
    gap: int
    radius: int
    header: int
    """Least height of the dark panel on top (upright), or its width at the side (wide)."""
    ribbon: int
    button: int
    choice: int
    tile_width: int
    tile_height: int
    sign: int
    row: int
    hero: int
    title: int
    heading: int
    body: int
    small: int
    tiny: int
    statement_lines: int

    @property
    def page(self) -> int:
        """Width that the light page has for its content."""
        return self.width - 2 * self.margin - (self.header if self.face is Face.WIDE else 0)


_UPRIGHT: Final = Metrics(
    Face.UPRIGHT, 1080, 1920, margin=72, page_margin=56, gap=28, radius=28, header=480, ribbon=56, button=132,
    choice=196, tile_width=186, tile_height=100, sign=96, row=66, hero=132, title=80, heading=50, body=38,
    small=32, tiny=26, statement_lines=11,
)  # fmt: skip
_WIDE: Final = Metrics(
    Face.WIDE, 1280, 1024, margin=48, page_margin=44, gap=20, radius=22, header=456, ribbon=42, button=96, choice=136,
    tile_width=146, tile_height=78, sign=72, row=50, hero=76, title=54, heading=38, body=29, small=25, tiny=20,
    statement_lines=10,
)  # fmt: skip

_SCALED: Final = (
    "margin", "page_margin", "gap", "radius", "header", "ribbon", "button", "choice", "tile_width", "tile_height",
    "sign", "row", "hero", "title", "heading", "body", "small", "tiny",
)  # fmt: skip


def metrics(width: int, height: int) -> Metrics:
    """The sizes for a window of ``width`` by ``height`` pixels, both at least 1."""
    reference = _WIDE if width >= height else _UPRIGHT
    scale = min(width / reference.width, height / reference.height)
    scaled = {name: max(1, round(getattr(reference, name) * scale)) for name in _SCALED}
    return Metrics(reference.face, width, height, statement_lines=reference.statement_lines, **scaled)
