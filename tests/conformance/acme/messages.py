"""What lines say. Pure.

The host asks STATUS, WHO or TABLE, or orders START, OPEN, SHUT, STACK, RETURN or DONE with an event's number; an order
is answered OK or NO. A status is a state, the type of the note that it is about or 0, and the number of an event that
the device holds or 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from guichet.money import Money, parse_money

OK, NO = "OK", "NO"


class MessageError(Exception):
    """It says nothing that this protocol has."""


class State(Enum):
    """Where the note is, or what a person must do."""

    UP_EMPTY = "UP-EMPTY"
    UP_ENTRY = "UP-ENTRY"
    UP_BOX = "UP-BOX"
    BUSY = "BUSY"
    SHUT = "SHUT"
    OPEN = "OPEN"
    IN = "IN"
    ESCROW = "ESCROW"
    TO_BOX = "TO-BOX"
    BACK = "BACK"
    STACKED = "STACKED"
    RETURNED = "RETURNED"
    REJECTING = "REJECTING"
    PAUSED = "PAUSED"
    CHEATED = "CHEATED"
    JAM = "JAM"
    FULL = "FULL"
    OUT = "OUT"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Status:
    """The answer to STATUS. ``event``: 0 where none is held."""

    state: State
    note_type: int = 0
    event: int = 0

    def text(self) -> str:
        """On the wire."""
        return f"{self.state.value} {self.note_type} {self.event}"


@dataclass(frozen=True, slots=True)
class Who:
    """The answer to WHO. ``counted``: notes stacked, modulo 65536."""

    serial: str
    model: str
    counted: int

    def text(self) -> str:
        """On the wire."""
        return f"{self.serial} {self.model} {self.counted}"


def status_of(text: str) -> Status:
    """The other way. Raises :class:`MessageError`."""
    try:
        state, note_type, event = text.split(" ")
        return Status(State(state), _number(note_type), _number(event))
    except ValueError as error:
        raise MessageError(f"no status: {text[:40]!r}") from error


def who_of(text: str) -> Who:
    """The other way. Raises :class:`MessageError`."""
    try:
        serial, model, counted = text.split(" ")
        return Who(serial, model, _number(counted))
    except ValueError as error:
        raise MessageError(f"no name: {text[:40]!r}") from error


def table_text(values: Mapping[int, Money]) -> str:
    """The answer to TABLE."""
    return ";".join(f"{kind}={value}" for kind, value in sorted(values.items()))


def table_of(text: str) -> dict[int, Money]:
    """The other way. Raises :class:`MessageError`."""
    try:
        pairs = [entry.split("=") for entry in text.split(";") if entry]
        return {_number(kind): parse_money(value) for kind, value in pairs}
    except ValueError as error:
        raise MessageError(f"no table: {text[:40]!r}") from error


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise ValueError(text)
    return int(text)
