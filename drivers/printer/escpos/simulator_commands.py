"""What an ESC/POS printer understands: bytes to typed commands, the way a printer's own interpreter walks them. Pure.

Source: Epson's ESC/POS command reference. A command that is known by its length but does nothing here is stepped over,
so that its parameters never come out as text.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.api.document import Align


@dataclass(frozen=True, slots=True)
class Initialise:
    """ESC @."""


@dataclass(frozen=True, slots=True)
class Characters:
    """Bytes to print in the code page that is selected."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Feed:
    """Print what is in the line, then feed ``lines`` (LF, ESC d); ``dots`` instead for ESC J."""

    lines: int = 1
    dots: int = 0


@dataclass(frozen=True, slots=True)
class SetAlign:
    """ESC a."""

    align: Align


@dataclass(frozen=True, slots=True)
class SetBold:
    """ESC E, ESC G: emphasised or double-struck."""

    bold: bool


@dataclass(frozen=True, slots=True)
class SetSize:
    """GS !, or the size bits of ESC !: 1 to 8 times."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class SelectPage:
    """ESC t."""

    page: int


@dataclass(frozen=True, slots=True)
class Cut:
    """GS V, ESC i, ESC m; after feeding ``dots``."""

    dots: int = 0


@dataclass(frozen=True, slots=True)
class CodeFunction:
    """GS ( k for a QR code: function 67 size, 69 correction, 80 store, 81 print, others ignored."""

    function: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Raster:
    """GS v 0: a picture, eight dots a byte, each dot ``wide`` by ``high``."""

    bytes_per_row: int
    rows: int
    wide: int
    high: int
    data: bytes


@dataclass(frozen=True, slots=True)
class AskPaper:
    """GS r."""


@dataclass(frozen=True, slots=True)
class AskProcessId:
    """GS ( H fn 48."""

    process_id: bytes


@dataclass(frozen=True, slots=True)
class AskIdentity:
    """GS I."""

    fact: int


@dataclass(frozen=True, slots=True)
class Ignored:
    """Stepped over."""


Command = (
    Initialise | Characters | Feed | SetAlign | SetBold | SetSize | SelectPage | Cut | CodeFunction | Raster | AskPaper
    | AskProcessId | AskIdentity | Ignored
)  # fmt: skip

_LF, _DLE, _ESC, _FS, _GS = 0x0A, 0x10, 0x1B, 0x1C, 0x1D
_ALIGNS = {0: Align.LEFT, 1: Align.CENTRE, 2: Align.RIGHT}

# What stands behind the letter, in bytes. A letter that is not here has one parameter, as most have.
_ESC_PARAMETERS = {b"2": 0, b"i": 0, b"m": 0, b"@": 0, b"L": 0, b"S": 0, b"<": 0, b"p": 3, b"c": 2, b"$": 2, b"\\": 2}
_GS_PARAMETERS = {b"L": 2, b"W": 2, b"P": 2, b"$": 2, b"\\": 2, b":": 0}
_DLE_LENGTHS = {0x04: 3, 0x05: 3}
_CLEAR_LENGTH, _PULSE_LENGTH = 10, 5
# What the reference gives as the most. Beyond it a command is none: what follows it is taken for text.
_MOST_ROWS, _MOST_TABS, _MOST_CODE = 2303, 32, 255
LARGEST = 256 * 1024
"""Bytes of the largest command."""


def next_command(data: bytes) -> tuple[Command, int] | None:
    """The command at the beginning of ``data`` and its length; None while its end has not come."""
    if not data:
        return None
    first = data[0]
    if first >= 0x20:
        length = next((at for at, byte in enumerate(data) if byte < 0x20), len(data))
        return Characters(data[:length]), length
    match first:
        case _ if first == _LF:
            return Feed(), 1
        case _ if first == _DLE:
            return _real_time(data)
        case _ if first in (_ESC, _FS):
            return _escape(data)
        case _ if first == _GS:
            return _group(data)
        case _:
            return Ignored(), 1


def _real_time(data: bytes) -> tuple[Command, int] | None:
    """Answered when it was received; here it is only stepped over."""
    if len(data) < 3:
        return None
    match data[1], data[2]:
        case 0x14, 8:
            length = _CLEAR_LENGTH
        case 0x14, _:
            length = _PULSE_LENGTH
        case second, _:
            length = _DLE_LENGTHS.get(second, 1)
    return (Ignored(), length) if len(data) >= length else None


def _escape(data: bytes) -> tuple[Command, int] | None:
    if len(data) < 2:
        return None
    letter = data[1:2]
    if data[0] == _FS:
        length = 2 if letter in b"&." else 3
        return (Ignored(), length) if len(data) >= length else None
    if letter == b"*":
        return _column_picture(data)
    if letter == b"D":
        return _up_to_nul(data, 2, _MOST_TABS)
    length = 2 + _ESC_PARAMETERS.get(letter, 1)
    return (_escaped(letter, data[2:length]), length) if len(data) >= length else None


def _escaped(letter: bytes, parameters: bytes) -> Command:
    n = parameters[0] if parameters else 0
    match letter:
        case b"@":
            return Initialise()
        case b"a":
            return SetAlign(_ALIGNS.get(n % 48, Align.LEFT))
        case b"E" | b"G":
            return SetBold(bool(n & 1))
        case b"!":
            return SetSize(2 if n & 0x20 else 1, 2 if n & 0x10 else 1)
        case b"d":
            return Feed(n)
        case b"J":
            return Feed(0, n)
        case b"t":
            return SelectPage(n)
        case b"i" | b"m":
            return Cut()
        case _:
            return Ignored()


def _column_picture(data: bytes) -> tuple[Command, int] | None:
    if len(data) < 5:
        return None
    columns = int.from_bytes(data[3:5], "little")
    length = 5 + columns * (3 if data[2] in (32, 33) else 1)
    return (Ignored(), length) if len(data) >= length else None


def _group(data: bytes) -> tuple[Command, int] | None:
    if len(data) < 3:
        return None
    match data[1:2]:
        case b"(":
            return _parenthesis(data)
        case b"v":
            return _raster(data)
        case b"V":
            length = 4 if data[2] >= 65 else 3
            return (Cut(data[3] if length == 4 else 0), length) if len(data) >= length else None
        case b"k":
            return _barcode(data)
        case b"!":
            return SetSize((data[2] >> 4 & 7) + 1, (data[2] & 7) + 1), 3
        case b"r":
            return AskPaper(), 3
        case b"I":
            return AskIdentity(data[2]), 3
        case letter:
            length = 2 + _GS_PARAMETERS.get(letter, 1)
            return (Ignored(), length) if len(data) >= length else None


def _parenthesis(data: bytes) -> tuple[Command, int] | None:
    if len(data) < 5 or len(data) < (length := 5 + int.from_bytes(data[3:5], "little")):
        return None
    content = data[5:length]
    match data[2:3]:
        case b"k" if len(content) >= 2 and content[0] == 49:
            start = 3 if content[1] in (80, 81) else 2
            return CodeFunction(content[1], content[start:]), length
        case b"H" if len(content) == 6 and content[0] == 48:
            return AskProcessId(content[2:]), length
        case _:
            return Ignored(), length


def _raster(data: bytes) -> tuple[Command, int] | None:
    if len(data) < 8:
        return None
    mode, width, rows = data[3], int.from_bytes(data[4:6], "little"), int.from_bytes(data[6:8], "little")
    length = 8 + width * rows
    if not 8 < length <= LARGEST or rows > _MOST_ROWS:
        return Ignored(), 8
    if len(data) < length:
        return None
    return Raster(width, rows, 2 if mode & 1 else 1, 2 if mode & 2 else 1, data[8:length]), length


def _barcode(data: bytes) -> tuple[Command, int] | None:
    if data[2] >= 65:
        length = 4 + data[3] if len(data) > 3 else 4
        return (Ignored(), length) if len(data) >= length else None
    return _up_to_nul(data, 3, _MOST_CODE)


def _up_to_nul(data: bytes, begin: int, most: int) -> tuple[Command, int] | None:
    """A list from ``begin`` that NUL ends; where it has more than ``most`` bytes it is none."""
    end = data.find(b"\0", begin, begin + most + 1)
    if end >= 0:
        return Ignored(), end + 1
    return (Ignored(), begin) if len(data) > begin + most else None
