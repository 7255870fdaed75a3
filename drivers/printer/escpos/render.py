"""From a document to the bytes of ESC/POS, through python-escpos."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import assert_never

from drivers.api.document import Align, Document
from drivers.printer.escpos import library
from drivers.printer.escpos.layout import Code, LaidOut, Line, lay_out
from drivers.printer.escpos.status import INITIALISE

_FEED_BEFORE_CUT = 6
"""Lines between head and knife: the library feeds them before every cut."""

_ALIGN = {Align.LEFT: "left", Align.CENTRE: "center", Align.RIGHT: "right"}
_UNKNOWN = "?"
_ALIKE = {"─": "-", "−": "-", "‑": "-", "‐": "-", "–": "-", "—": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "„": '"',
          "•": "*", "·": "*", "×": "x"}  # fmt: skip
_CORRECTION_M = 1
_MODULE_DOTS = 6
_MODULE_DOTS_LONG = 4
_LONG_CODE = 120


@dataclass(frozen=True, slots=True)
class Paper:
    """What the documents are made for: a profile of python-escpos and the number of characters in a line."""

    profile: str
    columns: int


def render(document: Document, paper: Paper) -> tuple[bytes, ...]:
    """The whole document, from ESC @ to the cut, in parts of whole commands: whatever is put on the line between two of
    them is no part of any.

    Characters that no code page of the profile has become ones that look alike, else a question mark: the library would
    switch the whole line to GB18030 for a single Chinese one. Raises :class:`drivers.printer.escpos.layout.LayoutError`
    and, for an unknown profile, KeyError.
    """
    printer = library.composer(paper.profile)
    parts = [INITIALISE]
    for line in lay_out(document, paper.columns):
        _put(printer, line, paper.profile)
        parts.append(printer.output[sum(map(len, parts)) - len(INITIALISE) :])
    printer.cut("FULL")
    return *parts, printer.output[sum(map(len, parts)) - len(INITIALISE) :]


def blank_strip(paper: Paper) -> bytes:
    """Push out and cut off what an unfinished document left under the head."""
    printer = library.composer(paper.profile)
    printer.cut("FULL")
    return INITIALISE + printer.output


def _put(printer: library.Composer, item: LaidOut, profile: str) -> None:
    match item:
        case Line():
            size = 2 if item.large else 1
            printer.set(align=_ALIGN[item.align], bold=item.bold, custom_size=True, width=size, height=size)
            printer.textln("".join(_printable(profile, character) for character in item.text))
        case Code():
            _put_code(printer, item)
        case _:
            assert_never(item)


def _put_code(printer: library.Composer, code: Code) -> None:
    dots = _MODULE_DOTS if len(code.content) <= _LONG_CODE else _MODULE_DOTS_LONG
    printer.set(align="center", bold=False, custom_size=True, width=1, height=1)
    printer.print_and_feed(1)
    library.put_code(printer, code.content, correction=_CORRECTION_M, dots=dots)
    printer.print_and_feed(1)


@lru_cache(maxsize=4096)
def _printable(profile: str, character: str) -> str:
    """``character``, or what to print in its place."""
    printer = library.composer(profile)
    for candidate in (character, _ALIKE.get(character, _UNKNOWN)):
        if library.encodable(printer, candidate):
            return candidate
    return _UNKNOWN
