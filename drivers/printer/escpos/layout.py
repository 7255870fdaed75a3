"""From a document's blocks to lines that fit the paper. Pure: no printer, no code page, no bytes.

What stands in a document was named by customers and merchants. Nothing of it may reach the printer as a command or move
to another line than its own: every text is cleaned here, and a line feed inside a text is a space.
"""

from __future__ import annotations

import textwrap
import unicodedata
from dataclasses import dataclass
from typing import assert_never

from drivers.api.document import Align, Block, Document, QrCode, Row, Rule, Space, Text

COLUMNS = (32, 42, 48)
"""Characters of font A in a line: 32 on 58 mm paper (384 dots), 42 (512 dots) or 48 (576 dots) on 80 mm."""

MAX_LINES = 2000
"""The longest document: some seven metres of paper. More is a mistake of the caller."""

MAX_QR_CHARACTERS = 300
RULE_CHARACTER = "─"
_INDENT = "  "
_GLUE = "\u00a0"
_GLUES = str.maketrans(dict.fromkeys("\u2007\u202f\u2060", _GLUE))


class LayoutError(ValueError):
    """A document that cannot be put on paper as it is."""


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line, already shorter than the paper is wide. ``large``: twice as wide and as high."""

    text: str
    align: Align = Align.LEFT
    bold: bool = False
    large: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """A QR code in the middle of the paper."""

    content: str


LaidOut = Line | Code


def lay_out(document: Document, columns: int) -> tuple[LaidOut, ...]:
    """``document`` as lines of at most ``columns`` characters, one of :data:`COLUMNS`.

    Raises :class:`LayoutError` for another width, a QR code of more than 300 characters or none, and a document of
    more than :data:`MAX_LINES` lines.
    """
    if columns not in COLUMNS:
        raise LayoutError(f"a line has {', '.join(map(str, COLUMNS))} characters, not {columns}")
    lines: list[LaidOut] = []
    for block in document.blocks:
        lines += _block(block, columns)
        if len(lines) > MAX_LINES:
            raise LayoutError(f"{document.title!r} has more than {MAX_LINES} lines")
    return tuple(lines)


def clean(text: str) -> str:
    """``text`` composed (NFC), without control, format and private characters.

    Every kind of white space is a space, but the kinds that do not break stay whole. A mark that composes with no
    letter is left out: no printer prints it.
    """
    composed = unicodedata.normalize("NFC", text).translate(_GLUES)
    return "".join(filter(None, map(_clean_character, composed)))


def _clean_character(character: str) -> str:
    if character == _GLUE:
        return _GLUE
    match unicodedata.category(character):
        case "Zs" | "Zl" | "Zp":
            return " "
        case "Cc":
            return " " if character.isspace() and character not in "\x1c\x1d\x1e\x1f" else ""
        case "Cf" | "Cs" | "Co" | "Cn" | "Mn" | "Me":
            return ""
        case _:
            return character


def _block(block: Block, columns: int) -> list[LaidOut]:
    match block:
        case Text():
            return _text(block, columns)
        case Row():
            return _row(block, columns)
        case Rule():
            return [Line(RULE_CHARACTER * columns)]
        case QrCode():
            return [_code(block)]
        case Space():
            return [Line("")] * min(max(block.lines, 0), MAX_LINES + 1)
        case _:
            assert_never(block)


def _text(block: Text, columns: int) -> list[LaidOut]:
    width = columns // 2 if block.large else columns
    return [Line(line, block.align, block.bold, block.large) for line in _wrap(block.text, width) or [""]]


def _row(row: Row, columns: int) -> list[LaidOut]:
    """The value stands at the right of the first line; what the name needs more goes on below, indented. A value wider
    than half of the paper has lines of its own.
    """
    right = _plain(clean(row.right).strip())
    beside = columns - len(right) - 1
    if len(right) > columns // 2 and len(clean(row.left).strip()) > beside:
        values: list[LaidOut] = [Line(line.rjust(columns), bold=row.bold) for line in _wrap(row.right, columns)]
        return [Line(line, bold=row.bold) for line in _wrap(row.left, columns)] + values
    first, *rest = _wrap(row.left, max(beside, 1), indent=_INDENT) or [""]
    joined = first.ljust(columns - len(right)) + right
    return [Line(line, bold=row.bold) for line in (joined, *rest)]


def _wrap(text: str, width: int, indent: str = "") -> list[str]:
    wrapped = textwrap.wrap(clean(text), width, subsequent_indent=indent, break_on_hyphens=False)
    return [_plain(line) for line in wrapped]


def _plain(text: str) -> str:
    return text.replace(_GLUE, " ")


def _code(block: QrCode) -> Code:
    content = _plain(clean(block.content))
    if not 0 < len(content) <= MAX_QR_CHARACTERS:
        raise LayoutError(f"a QR code holds 1 to {MAX_QR_CHARACTERS} characters, not {len(content)}")
    return Code(content)
