"""Card readers, and the card number on its way through the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from drivers.api.device import Device


class Pan:
    """A card number on its way from the card to the seal and the PIN pad. It prints as stars and can be wiped.

    Only code inside ``drivers``, the host's sealed channel and the mark of a card that deposits without the host ever
    call :meth:`reveal`.
    """

    __slots__ = ("_digits",)

    def __init__(self, digits: bytes) -> None:
        self._digits = bytearray(digits)

    def reveal(self) -> bytes:
        """The ASCII digits. Raises ValueError once wiped."""
        if not self._digits:
            raise ValueError("this card number has been wiped")
        return bytes(self._digits)

    @property
    def masked(self) -> str:
        """``**** 1234``: the last four digits only."""
        return "**** " + self._digits[-4:].decode("ascii")

    def wipe(self) -> None:
        """Overwrite the digits and forget them."""
        for index in range(len(self._digits)):
            self._digits[index] = 0
        self._digits.clear()

    def __repr__(self) -> str:
        return "Pan(****)"

    def __reduce__(self) -> str:
        raise TypeError("a card number is not serialised")


@dataclass(frozen=True, slots=True)
class Card:
    """What was read from a chip. ``masked`` is what everyone else may know; ``expiry`` is YYMM; ``languages`` are the
    card's own preferences, best first, ISO 639-1.
    """

    pan: Pan
    masked: str
    expiry: str
    label: str
    languages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CardInserted:
    """A card lies in the reader; read it."""


@dataclass(frozen=True, slots=True)
class CardRemoved:
    """The card is gone."""


CardEvent = CardInserted | CardRemoved


@runtime_checkable
class CardReader(Device, Protocol):
    """A reader into which a customer puts a card and takes it out again."""

    def subscribe(self, handler: Callable[[CardEvent], None]) -> None:
        """``handler`` is called on the loop for every insertion and removal."""
        ...

    @property
    def card_inside(self) -> bool:
        """Whether a card is in the reader now."""
        ...

    async def read(self) -> Card:
        """Identify the card by its chip. Raises :class:`drivers.errors.CardError` with code ``unreadable``,
        ``no-application``, ``blocked``, ``removed`` or ``invalid``, within five seconds.
        """
        ...
