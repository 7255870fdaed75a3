"""A strip of paper: what the head printed on it, as text and as a picture that looks like the strip in one's hand.

A dot is an eighth of a millimetre (203 dpi); font A is 12 by 24 dots; a line is 30 dots. The font is the DejaVu Sans
Mono that python-barcode, a dependency of python-escpos, brings along.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO

import segno
from PIL import Image, ImageDraw, ImageFont

from drivers.api.document import Align

LINE = 30
CELL_WIDTH, CELL_HEIGHT = 12, 24
LONGEST = 16_000
"""Dots, two metres: paper that hangs out so far tears off."""
KNIFE = 120
"""From the head to the knife: this much of a document's last feed is the next document's upper margin."""

_PAPER = (252, 250, 244)
_INK = (38, 36, 44)
_EDGE = (226, 222, 212)
_TOP, _BOTTOM = 46, 16
_SIDE = {32: 40, 42: 64, 48: 32}
_TOOTH = 6
_BASELINE = 19
_FONT_SIZE = 19.9
_LEVELS = {48: "L", 49: "M", 50: "Q", 51: "H"}


@dataclass(frozen=True, slots=True)
class Span:
    """Characters in one style."""

    text: str
    bold: bool = False
    width: int = 1
    height: int = 1

    @property
    def dots(self) -> int:
        """How wide it is on paper."""
        return len(self.text) * self.width * CELL_WIDTH


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """A line of text."""

    spans: tuple[Span, ...]
    align: Align

    @property
    def height(self) -> int:
        """Dots, spacing included."""
        return max(LINE, max((span.height for span in self.spans), default=1) * CELL_HEIGHT + LINE - CELL_HEIGHT)


@dataclass(frozen=True, slots=True)
class PrintedCode:
    """A QR code: ``module`` dots a module, ``level`` 48 to 51 for L, M, Q, H."""

    content: bytes
    module: int
    level: int
    align: Align

    @property
    def matrix(self) -> tuple[bytearray, ...]:
        """The modules, 1 for black; none where there is no code with so much in it."""
        return _modules(self.content, _LEVELS.get(self.level, "L"))

    @property
    def height(self) -> int:
        """Dots; paper around it is the quiet zone."""
        return len(self.matrix) * self.module


@dataclass(frozen=True, slots=True)
class PrintedPicture:
    """A raster picture, one bit a dot."""

    width: int
    rows: int
    data: bytes
    scale: tuple[int, int]
    align: Align

    @property
    def height(self) -> int:
        """Dots."""
        return self.rows * self.scale[1]


@dataclass(frozen=True, slots=True)
class Blank:
    """Paper fed without printing."""

    height: int


Piece = PrintedLine | PrintedCode | PrintedPicture | Blank


@dataclass(slots=True)
class Strip:
    """What hangs out of the printer. ``complete``: ended by the knife, not by the end of the roll."""

    columns: int
    pieces: list[Piece] = field(default_factory=list[Piece])
    complete: bool = False

    @property
    def inked(self) -> bool:
        """Whether anything is on it."""
        return any(not isinstance(piece, Blank) for piece in self.pieces)

    def text(self) -> str:
        """The strip for reading and comparing: lines placed as on paper, codes by their content."""
        lines: list[str] = []
        for piece in self.pieces:
            match piece:
                case PrintedLine():
                    lines.append(self._placed(piece))
                case PrintedCode():
                    lines.append(f"[QR {piece.content.decode('utf-8', 'replace')}]".center(self.columns).rstrip())
                case PrintedPicture():
                    lines.append(f"[picture {piece.width} x {piece.rows}]".center(self.columns).rstrip())
                case Blank():
                    lines += [""] * (piece.height // LINE)
        return "\n".join(lines).rstrip("\n") + "\n" + ("" if self.complete else "~ torn off here ~\n")

    def _placed(self, line: PrintedLine) -> str:
        text = "".join(span.text for span in line.spans)
        free = max(self.columns - len(text), 0)
        before = {Align.LEFT: 0, Align.CENTRE: free // 2, Align.RIGHT: free}[line.align]
        return (" " * before + text).rstrip()

    def picture(self) -> Image.Image:
        """The strip as RGBA, ``columns`` x 12 dots of print and the paper's margins, transparent around its edges."""
        pieces = self._trimmed()
        side = _SIDE.get(self.columns, 32)
        size = (self.columns * CELL_WIDTH + 2 * side, _TOP + sum(piece.height for piece in pieces) + _BOTTOM)
        image = Image.new("RGB", size, _PAPER)
        draw = ImageDraw.Draw(image)
        draw.line([(0, 0), (0, size[1])], fill=_EDGE)
        draw.line([(size[0] - 1, 0), (size[0] - 1, size[1])], fill=_EDGE)
        top = _TOP
        for piece in pieces:
            _draw_piece(image, draw, piece, (side, top), self.columns * CELL_WIDTH)
            top += piece.height
        image.putalpha(_outline(size, torn=not self.complete))
        return image

    def _trimmed(self) -> list[Piece]:
        pieces = list(self.pieces)
        left = KNIFE if self.complete else 0
        while left > 0 and pieces and isinstance(last := pieces[-1], Blank):
            pieces[-1:] = [Blank(last.height - left)] if last.height > left else []
            left -= last.height
        return pieces

    def png(self) -> bytes:
        """:meth:`picture`, encoded."""
        buffer = BytesIO()
        self.picture().save(buffer, "PNG")
        return buffer.getvalue()


@lru_cache(maxsize=16)
def _modules(content: bytes, level: str) -> tuple[bytearray, ...]:
    try:
        return tuple(segno.make_qr(content, error=level, boost_error=False).matrix)
    except segno.DataOverflowError:
        return ()


@cache
def _font(times: int) -> ImageFont.FreeTypeFont:
    data = files("barcode").joinpath("fonts/DejaVuSansMono.ttf").read_bytes()
    return ImageFont.truetype(BytesIO(data), _FONT_SIZE * times)


def _draw_piece(
    image: Image.Image, draw: ImageDraw.ImageDraw, piece: Piece, place: tuple[int, int], width: int
) -> None:
    left, top = place
    match piece:
        case PrintedLine():
            left += _offset(sum(span.dots for span in piece.spans), width, piece.align)
            for span in piece.spans:
                _draw_span(image, span, (left, top + piece.height))
                left += span.dots
        case PrintedCode():
            matrix = piece.matrix
            left += _offset(len(matrix) * piece.module, width, piece.align)
            _draw_matrix(draw, matrix, piece.module, (left, top))
        case PrintedPicture():
            left += _offset(piece.width * piece.scale[0], width, piece.align)
            mask = Image.frombytes("1", (piece.width, piece.rows), piece.data)
            image.paste(_INK, (left, top), _stretched(mask, piece.scale))
        case Blank():
            return


def _offset(dots: int, width: int, align: Align) -> int:
    free = max(width - dots, 0)
    return {Align.LEFT: 0, Align.CENTRE: free // 2, Align.RIGHT: free}[align]


def _draw_span(image: Image.Image, span: Span, corner: tuple[int, int]) -> None:
    """``corner`` is the line's lower left. Each character has its own cell, as in the printer's character generator."""
    times = span.width if span.width == span.height else 1
    mask = Image.new("L", (max(len(span.text), 1) * CELL_WIDTH * times, CELL_HEIGHT * times), 0)
    for index, character in enumerate(span.text):
        if character != " ":
            mask.paste(_glyph(character, times, bold=span.bold), (index * CELL_WIDTH * times, 0))
    if span.width != span.height:
        mask = _stretched(mask, (span.width, span.height))
    image.paste(_INK, (corner[0], corner[1] - mask.height - (LINE - CELL_HEIGHT) // 2), mask)


@lru_cache(maxsize=2048)
def _glyph(character: str, times: int, *, bold: bool) -> Image.Image:
    cell = Image.new("L", (CELL_WIDTH * times, CELL_HEIGHT * times), 0)
    draw = ImageDraw.Draw(cell)
    for strike in range(2 if bold else 1):
        draw.text((strike * times, _BASELINE * times), character, 255, _font(times), anchor="ls")
    return cell


def _stretched(mask: Image.Image, scale: tuple[int, int]) -> Image.Image:
    wide, high = scale
    size = (mask.width * wide, mask.height * high)
    return mask.transform(size, Image.Transform.AFFINE, (1 / wide, 0, 0, 0, 1 / high, 0), Image.Resampling.NEAREST)


def _draw_matrix(draw: ImageDraw.ImageDraw, matrix: tuple[bytearray, ...], module: int, place: tuple[int, int]) -> None:
    for row, modules in enumerate(matrix):
        for column, black in enumerate(modules):
            if black:
                x, y = place[0] + column * module, place[1] + row * module
                draw.rectangle((x, y, x + module - 1, y + module - 1), fill=_INK)


def _outline(size: tuple[int, int], *, torn: bool) -> Image.Image:
    """The knife leaves small teeth; a strip torn by hand, or off an empty roll, has a ragged end."""
    width, height = size
    mask = Image.new("L", size, 255)
    draw = ImageDraw.Draw(mask)
    for x in range(0, width, 2 * _TOOTH):
        draw.polygon([(x, 0), (x + 2 * _TOOTH, 0), (x + _TOOTH, _TOOTH)], fill=0)
        depth = _TOOTH + (x * 7919 % 23 if torn else 0)
        draw.polygon([(x, height), (x + 2 * _TOOTH, height), (x + _TOOTH, height - depth)], fill=0)
    return mask
