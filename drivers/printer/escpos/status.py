"""What an ESC/POS printer says about itself: requests, and what the answers mean. Pure.

Source: Epson's ESC/POS command reference: DLE EOT (real-time status), DLE DC4 fn 8 (clear buffers), GS r (status in
its turn), GS ( H fn 48 (process id), GS I (identity). Real-time requests are answered at once, even offline; the others
when the printer has worked its way to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag

from drivers.api.printer import Paper, PrinterState


class Query(IntEnum):
    """The ``n`` of DLE EOT n."""

    PRINTER = 1
    OFFLINE_CAUSE = 2
    ERROR_CAUSE = 3
    PAPER = 4


class Fact(IntEnum):
    """The ``n`` of GS I n: who the printer is."""

    FIRMWARE = 65
    MAKER = 66
    MODEL = 67
    SERIAL = 68


class PrinterBits(IntFlag):
    """DLE EOT 1."""

    OFFLINE = 0x08


class OfflineBits(IntFlag):
    """DLE EOT 2."""

    COVER_OPEN = 0x04
    PAPER_END_STOP = 0x20
    ERROR = 0x40


class ErrorBits(IntFlag):
    """DLE EOT 3."""

    RECOVERABLE = 0x04
    CUTTER = 0x08
    UNRECOVERABLE = 0x20
    AUTO_RECOVERABLE = 0x40


class PaperBits(IntFlag):
    """DLE EOT 4. Each sensor shows in two bits."""

    NEAR_END = 0x0C
    END = 0x60


DLE_EOT = b"\x10\x04"
CLEAR_BUFFERS = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
"""DLE DC4 fn 8: forget what has not been printed yet. Answered with :class:`Cleared`."""
INITIALISE = b"\x1b@"
NO_AUTOMATIC_STATUS = b"\x1da\x00"
TRANSMIT_PAPER_STATUS = b"\x1dr\x01"
"""GS r 1: answered with one byte when everything before it has been processed."""

STATUS_FIXED = 0x12
"""Bits 1 and 4 of a real-time status byte are on, 0 and 7 off. Nothing else that a printer sends looks so."""
_STATUS_MASK = 0x93
_TRANSMITTED_MASK = 0x90
_INFO_HEADER = 0x5F
_BLOCK_HEADER = 0x37
_PROCESS_ID = 0x22
_CLEARED = 0x25
_MAX_BLOCK = 96

_FAULTS = (
    (ErrorBits.UNRECOVERABLE, "unrecoverable"),
    (ErrorBits.CUTTER, "cutter"),
    (ErrorBits.AUTO_RECOVERABLE, "overheated"),
    (ErrorBits.RECOVERABLE, "mechanical"),
)


def status_request(query: Query) -> bytes:
    """DLE EOT n."""
    return DLE_EOT + bytes([query])


def identity_request(fact: Fact) -> bytes:
    """GS I n."""
    return b"\x1dI" + bytes([fact])


def process_id_request(process_id: bytes) -> bytes:
    """GS ( H fn 48: "say this when everything before it is printed". ``process_id`` is four characters, 20h to 7Eh."""
    if len(process_id) != 4 or not all(0x20 <= byte <= 0x7E for byte in process_id):
        raise ValueError("a process id is four printable ASCII characters")
    return b"\x1d(H\x06\x00\x30\x30" + process_id


# --- answers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StatusByte:
    """The answer to DLE EOT n; it does not say to which n."""

    value: int


@dataclass(frozen=True, slots=True)
class Transmitted:
    """The answer to GS r."""

    value: int


@dataclass(frozen=True, slots=True)
class Information:
    """The answer to GS I."""

    text: str


@dataclass(frozen=True, slots=True)
class Processed:
    """The answer to GS ( H fn 48."""

    process_id: bytes


@dataclass(frozen=True, slots=True)
class Cleared:
    """The answer to DLE DC4 fn 8."""


Answer = StatusByte | Transmitted | Information | Processed | Cleared


def split_answers(received: bytes) -> tuple[tuple[Answer, ...], bytes]:
    """The whole answers in ``received``, and the beginning of one that is still coming. Other bytes are left out:
    automatic status, flow control, noise.
    """
    answers: list[Answer] = []
    position = 0
    while position < len(received):
        byte = received[position]
        if byte in (_INFO_HEADER, _BLOCK_HEADER):
            end = received.find(b"\0", position, position + _MAX_BLOCK)
            if end < 0 and len(received) - position < _MAX_BLOCK:
                break
            if end < 0:
                position += 1
                continue
            answers += _block(byte, received[position + 1 : end])
            position = end + 1
            continue
        if byte & _STATUS_MASK == STATUS_FIXED:
            answers.append(StatusByte(byte))
        elif byte & _TRANSMITTED_MASK == 0:
            answers.append(Transmitted(byte))
        position += 1
    return tuple(answers), received[position:]


def _block(header: int, block: bytes) -> tuple[Answer, ...]:
    if header == _INFO_HEADER:
        text = "".join(chr(byte) for byte in block if 0x20 <= byte <= 0x7E)
        return (Information(text.strip()),)
    if len(block) == 5 and block[0] == _PROCESS_ID:
        return (Processed(block[1:]),)
    return (Cleared(),) if block == bytes([_CLEARED]) else ()


# --- meaning --------------------------------------------------------------------------------------------------------


def decode(printer: int, offline: int, error: int, paper: int) -> PrinterState:
    """The state that the four status bytes, DLE EOT 1 to 4, describe. Raises ValueError for a byte that is none."""
    for byte in (printer, offline, error, paper):
        if byte & _STATUS_MASK != STATUS_FIXED:
            raise ValueError(f"{byte:02X} is not a status byte")
    fault = next((word for bit, word in _FAULTS if error & bit), "")
    if not fault and offline & OfflineBits.ERROR:
        fault = "mechanical"
    return PrinterState(
        online=not printer & PrinterBits.OFFLINE,
        paper=_paper(offline, paper),
        cover_open=bool(offline & OfflineBits.COVER_OPEN),
        fault=fault,
    )


def _paper(offline: int, paper: int) -> Paper:
    if offline & OfflineBits.PAPER_END_STOP or paper & PaperBits.END:
        return Paper.OUT
    return Paper.NEAR_END if paper & PaperBits.NEAR_END else Paper.ADEQUATE


def obstacle(state: PrinterState) -> str:
    """Why a printer in this state cannot print, as a stable word; empty where it can. A cover that is open comes first:
    under an open cover no paper is seen, and only closing it shows more.
    """
    if state.cover_open:
        return "cover-open"
    if state.paper is Paper.OUT:
        return "paper-out"
    if state.fault:
        return state.fault
    return "" if state.can_print else "offline"
