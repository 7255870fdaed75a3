"""What goes onto paper, whatever the printer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Align(Enum):
    """Where text stands in its line."""

    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; wrapped at the paper's width."""

    text: str
    align: Align = Align.LEFT
    bold: bool = False
    large: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A name at the left and a value (an amount) at the right of one line, joined by spaces."""

    left: str
    right: str
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the paper."""


@dataclass(frozen=True, slots=True)
class QrCode:
    """A two-dimensional code of at most 300 characters."""

    content: str


@dataclass(frozen=True, slots=True)
class Space:
    """Empty lines."""

    lines: int = 1


Block = Text | Row | Rule | QrCode | Space


@dataclass(frozen=True, slots=True)
class Document:
    """What goes onto paper, whatever the printer. ``title`` names it in logs; it is not printed."""

    title: str
    blocks: tuple[Block, ...]
