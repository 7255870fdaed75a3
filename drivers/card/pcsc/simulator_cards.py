"""Simulated cards as small TOML files: what a person would read off the card, and what is wrong with it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import cast

CARDS = Path(__file__).parent.parent / "cards"
"""The training cards that come with the project; none of them is anyone's."""


class Fault(Enum):
    """What a simulated card does wrong."""

    NONE = ""
    MUTE = "mute"
    UNREADABLE = "unreadable"
    BLOCKED = "blocked"
    APPLICATION_BLOCKED = "application-blocked"
    OTHER_NUMBER_IN_TRACK_2 = "other-number-in-track-2"


class Protocol(Enum):
    """The transmission protocol that the card's answer to reset names (ISO/IEC 7816-3)."""

    T0 = "T=0"
    T1 = "T=1"


@dataclass(frozen=True, slots=True, repr=False)
class CardFile:
    """One simulated card. ``pan`` are digits (a wrong check digit is a fault too), ``expiry`` is YYMM."""

    name: str
    aid: bytes
    label: str
    pan: str
    expiry: str
    holder: str
    languages: tuple[str, ...]
    protocol: Protocol
    directory: bool
    fault: Fault

    @property
    def masked(self) -> str:
        """All that a control answer says of the number."""
        return "**** " + self.pan[-4:]

    def __repr__(self) -> str:
        return f"CardFile({self.name})"


_BRANDS = {
    "visa": "A0000000031010",
    "mastercard": "A0000000041010",
    "maestro": "A0000000043060",
    "house": "F04755494348455401",  # a proprietary name: no terminal knows it
}


def load_cards(place: Path) -> dict[str, CardFile]:
    """The cards of a folder, or of one file, by name. Raises ValueError for a file that is not a card."""
    files = sorted(place.glob("*.toml")) if place.is_dir() else [place]
    return {path.stem: _load(path) for path in files}


def _load(path: Path) -> CardFile:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
        languages = cast("list[str]", content.get("languages", []))
        return CardFile(
            name=path.stem,
            aid=bytes.fromhex(_BRANDS[str(content["brand"])]),
            label=str(content.get("label", content["brand"])).upper(),
            pan=_digits(content["pan"], 12, 19),
            expiry=_digits(content["expiry"], 4, 4),
            holder=str(content.get("holder", "")),
            languages=tuple(str(language) for language in languages),
            protocol=Protocol(str(content.get("protocol", "T=0"))),
            directory=bool(content.get("directory", True)),
            fault=Fault(str(content.get("fault", ""))),
        )
    except (OSError, ValueError, LookupError) as error:
        raise ValueError(f"{path.name} is not a card: {error}") from error


def _digits(value: object, least: int, most: int) -> str:
    text = str(value)
    if not text.isascii() or not text.isdecimal() or not least <= len(text) <= most:
        raise ValueError("pan is 12 to 19 digits, expiry is YYMM")
    return text
