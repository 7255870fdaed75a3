"""What a chip says of itself, taken from its data objects and checked: number, expiry, label, languages.

EMV 4.3 Book 3, annex A names the objects and section 7.2 those that every chip must have; ISO/IEC 7812-1 gives the
check digit of a card number. Nothing here puts a value into an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from drivers.api.card import Card, Pan
from drivers.card.pcsc.apdu import wipe
from drivers.card.pcsc.tlv import Tlv

PAN = 0x5A
TRACK_2 = 0x57
EXPIRY = 0x5F24
CDOL_1 = 0x8C
CDOL_2 = 0x8D
LABEL = 0x50
PREFERRED_NAME = 0x9F12
CODE_TABLE = 0x9F11
LANGUAGES = 0x5F2D

_MANDATORY = (PAN, EXPIRY, CDOL_1, CDOL_2)
_SEPARATOR, _FILL = 0xD, 0xF
_ZERO = ord("0")
_MIN_DIGITS, _MAX_DIGITS = 12, 19
_MAX_LANGUAGES = 4
_MAX_LABEL = 16


class Reason(Enum):
    """Why a card could not be identified; the values are codes of :class:`drivers.errors.CardError`."""

    UNREADABLE = "unreadable"
    NO_APPLICATION = "no-application"
    BLOCKED = "blocked"
    INVALID = "invalid"


class EmvFailure(Exception):
    """The chip does not identify itself. ``detail`` is for the engineer and has no value of the card in it."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, repr=False)
class ChipData:
    """The objects of the chosen application: ``fci`` from its SELECT, ``records`` from its records."""

    fci: Mapping[int, Tlv]
    records: Mapping[int, Tlv]


def card_of(data: ChipData) -> Card:
    """The card, checked. Raises :class:`EmvFailure` with ``INVALID`` for one whose data contradict themselves."""
    for tag in _MANDATORY:
        if tag not in data.records:
            raise EmvFailure(Reason.INVALID, f"object {tag:X} is missing")
    expiry = _expiry(data.records[EXPIRY].value)
    digits = _before(_FILL, data.records[PAN].value)
    try:
        _check_number(digits)
        if TRACK_2 in data.records:
            _check_track_2(digits, data.records[TRACK_2].value)
        pan = Pan(bytes(digits))
    finally:
        wipe(digits)
    return Card(pan, pan.masked, expiry, _label(data.fci), _languages(data.fci))


def luhn_holds(digits: bytes | bytearray) -> bool:
    """Whether the last of these ASCII digits is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = (digit - _ZERO) * (2 if index % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _before(end: int, value: memoryview) -> bytearray:
    """The nibbles of ``value`` before the first ``end``, as ASCII; what is no digit becomes no digit."""
    nibbles = bytearray()
    for byte in value:
        for nibble in (byte >> 4, byte & 0x0F):
            if nibble == end:
                return nibbles
            nibbles.append(_ZERO + nibble)
    return nibbles


def _check_number(digits: bytearray) -> None:
    if not _MIN_DIGITS <= len(digits) <= _MAX_DIGITS or not digits.isdigit():
        raise EmvFailure(Reason.INVALID, "the card number is not 12 to 19 digits")
    if not luhn_holds(digits):
        raise EmvFailure(Reason.INVALID, "the card number's check digit is wrong")


def _check_track_2(digits: bytearray, track: memoryview) -> None:
    number = _before(_SEPARATOR, track)
    same = number == digits and len(number) < 2 * len(track)  # shorter: there was a separator
    wipe(number)
    if not same:
        raise EmvFailure(Reason.INVALID, "the card number differs from that of the track 2 data")


def _expiry(value: memoryview) -> str:
    """YYMM of a date YYMMDD."""
    text = value.hex()
    if len(text) != 6 or not text.isdecimal() or not 1 <= int(text[2:4]) <= 12:
        raise EmvFailure(Reason.INVALID, "the expiry date is not a date")
    return text[:4]


def _label(fci: Mapping[int, Tlv]) -> str:
    """The preferred name where its code table is one that we have, else the label."""
    if PREFERRED_NAME in fci and CODE_TABLE in fci and len(fci[CODE_TABLE].value) == 1:
        table = fci[CODE_TABLE].value[0]
        try:
            return _printable(bytes(fci[PREFERRED_NAME].value).decode(f"iso8859_{table}"))
        except (LookupError, UnicodeDecodeError):
            pass  # a table that does not exist, or a name that is not written in it: the label says the same in ASCII
    label = fci.get(LABEL)
    return _printable(bytes(label.value).decode("ascii", "replace")) if label else ""


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable()).strip()[:_MAX_LABEL]


def _languages(fci: Mapping[int, Tlv]) -> tuple[str, ...]:
    """Up to four ISO 639-1 codes, two letters each. What is not letters is left out."""
    if LANGUAGES not in fci:
        return ()
    text = bytes(fci[LANGUAGES].value).decode("ascii", "replace").lower()
    codes = [text[at : at + 2] for at in range(0, min(len(text), 2 * _MAX_LANGUAGES), 2)]
    return tuple(code for code in codes if len(code) == 2 and code.isascii() and code.isalpha())
