"""Commands to a chip and its answers: EMV 4.3 Book 1 section 9.3 and 12, Book 3 section 6; no input or output here.

A :data:`Dialogue` yields the bytes of a command and is sent the bytes of the answer: whoever drives it owns the wire.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
Dialogue = Generator[bytes, bytearray, T]
"""Yields commands, is sent answers (data and status word), returns ``T``."""

OK = 0x9000
FILE_BLOCKED = 0x6283
CONDITIONS_NOT_MET = 0x6985
NOT_SUPPORTED = 0x6A81
NOT_FOUND = 0x6A82
NO_MORE_RECORDS = 0x6A83

_MORE_DATA = 0x61
_WRONG_LE = 0x6C
_WARNINGS = (0x62, 0x63)
_HEADER_BYTES = 4
_MAX_GET_RESPONSE = 16
_MAX_SHORT = 255


class BadAnswer(ValueError):
    """An answer without a status word, or one that never ends."""


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What the chip said. ``data`` is the reader's to wipe; ``status`` is SW1 SW2."""

    data: bytearray
    status: int

    @property
    def ok(self) -> bool:
        """Whether the status is 9000."""
        return self.status == OK

    def __repr__(self) -> str:
        return f"Answer({len(self.data)} bytes, {self.status:04X})"


@dataclass(frozen=True, slots=True, repr=False)
class Command:
    """A short command that wants an answer: ``header`` is CLA INS P1 P2, ``data`` at most 255 bytes."""

    header: bytes
    data: bytes = b""

    def __post_init__(self) -> None:
        if len(self.header) != _HEADER_BYTES or len(self.data) > _MAX_SHORT:
            raise ValueError("a short command has a header of 4 bytes and at most 255 bytes of data")

    def encode(self, le: int = 0, *, t0: bool = False) -> bytes:
        """The bytes, with Le (0 means 256). T=0 carries no Le behind data: the chip says 61xx instead."""
        if not self.data:
            return self.header + bytes([le])
        return self.header + bytes([len(self.data)]) + self.data + (b"" if t0 else bytes([le]))


def select(name: bytes, *, following: bool = False) -> Command:
    """SELECT by DF name: the first, or the next of the same partial name."""
    return Command(bytes([0x00, 0xA4, 0x04, 0x02 if following else 0x00]), name)


def read_record(sfi: int, record: int) -> Command:
    """READ RECORD ``record`` of the file with short identifier ``sfi`` (1..30)."""
    return Command(bytes([0x00, 0xB2, record, sfi << 3 | 4]))


def get_processing_options(values: bytes) -> Command:
    """GET PROCESSING OPTIONS with the values that the chip's list asks for."""
    length = bytes([len(values)]) if len(values) < 0x80 else bytes([0x81, len(values)])
    return Command(b"\x80\xa8\x00\x00", b"\x83" + length + values)


def exchange(command: Command, *, t0: bool) -> Dialogue[Answer]:
    """Send a command and gather its whole answer: 6Cxx asks for the same command with another Le, 61xx for GET RESPONSE
    (ISO 7816-4 and EMV Book 1, 9.3.1). Readers that do this by themselves simply never show those two.

    A warning (62xx, 63xx) under T=0 that came without data may have some: GET RESPONSE fetches it, and the warning
    stays the status. Raises :class:`BadAnswer`.
    """
    answer = _split((yield command.encode(t0=t0)))
    if answer.status >> 8 == _WRONG_LE:
        answer = _split((yield command.encode(answer.status & 0xFF, t0=t0)))
    if t0 and command.data and not answer.data and answer.status >> 8 in _WARNINGS:
        fetched = yield from _gather(answer, 0)
        return Answer(fetched.data, answer.status)
    if answer.status >> 8 == _MORE_DATA:
        return (yield from _gather(answer, answer.status & 0xFF))
    return answer


def _gather(so_far: Answer, expected: int) -> Dialogue[Answer]:
    data = so_far.data
    for _ in range(_MAX_GET_RESPONSE):
        answer = _split((yield bytes([0x00, 0xC0, 0x00, 0x00, expected])))
        longer = data + answer.data
        wipe(data)
        wipe(answer.data)
        data = longer
        if answer.status >> 8 not in (_MORE_DATA, _WRONG_LE):
            return Answer(data, answer.status)
        expected = answer.status & 0xFF
    wipe(data)
    raise BadAnswer("a chip that always has more to say")


def _split(raw: bytearray) -> Answer:
    if len(raw) < 2:
        wipe(raw)
        raise BadAnswer(f"an answer of {len(raw)} bytes has no status word")
    answer = Answer(raw[:-2], int.from_bytes(raw[-2:], "big"))
    wipe(raw)
    return answer


def wipe(buffer: bytearray) -> None:
    """Overwrite ``buffer`` with zeros. Its length stays: views into it may be alive."""
    buffer[:] = bytes(len(buffer))
