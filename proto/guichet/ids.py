"""Names of things: typed identifiers, and how new ones are made from a time and random bytes."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import NewType

TerminalId = NewType("TerminalId", str)
SessionId = NewType("SessionId", str)
DepositId = NewType("DepositId", str)
NoteId = NewType("NoteId", str)
BoxPeriodId = NewType("BoxPeriodId", str)
AccountId = NewType("AccountId", str)
ItemId = NewType("ItemId", str)
DeviceSerial = NewType("DeviceSerial", str)

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_TERMINAL = re.compile(r"[A-Z0-9][A-Z0-9-]{1,15}", re.ASCII)


MAX_NAME = 64
"""So many characters at most has a name that comes from outside, such as a device's serial number."""


NO_SERIAL = DeviceSerial("unknown")
"""What stands for the serial number of a device that has none."""


def as_name(text: str) -> str:
    """``text`` as everyone can keep it and show it: at most 64 printable characters. What cannot be printed stands as
    its number; of a longer one the beginning, with a mark that tells it from others.
    """
    shown = "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)
    if len(shown) <= MAX_NAME:
        return shown
    mark = sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{shown[: MAX_NAME - len(mark) - 1]}~{mark}"


class IdError(ValueError):
    """Text that is not the identifier that it should be."""


def make_id(wall_us: int, entropy: bytes) -> str:
    """A UUID version 7 (RFC 9562, section 5.7) as text.

    ``wall_us`` is microseconds since 1970, of which 48 bits of milliseconds are kept; ``entropy`` is 10 random bytes.
    The time inside only spreads keys well in an index. It orders nothing: the clock may be wrong.
    """
    if len(entropy) != 10:
        raise IdError("an id takes 10 bytes of entropy")
    milliseconds = (wall_us // 1000) & (2**48 - 1)
    value = (milliseconds << 80) | int.from_bytes(entropy, "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def check_id(text: str) -> str:
    """``text`` itself where it is an id made by :func:`make_id`; raises :class:`IdError` otherwise."""
    if _UUID.fullmatch(text) is None:
        raise IdError(f"not an id: {text[:64]!r}")
    return text


def check_terminal_id(text: str) -> TerminalId:
    """A terminal's name: 2 to 16 capitals, digits and hyphens. Raises :class:`IdError` otherwise."""
    if _TERMINAL.fullmatch(text) is None:
        raise IdError(f"not a terminal id: {text[:64]!r} (2 to 16 of A-Z, 0-9 and '-')")
    return TerminalId(text)


def short(identifier: str) -> str:
    """The last eight characters: what a person reads out on the telephone and what a receipt prints large."""
    return identifier[-8:].upper()
