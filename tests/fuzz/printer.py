"""ESC/POS: what printers answer, and what the simulated printer reads in what it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from drivers.printer.escpos import simulator_commands as commands
from drivers.printer.escpos.status import (
    CLEAR_BUFFERS,
    INITIALISE,
    Fact,
    Query,
    decode,
    identity_request,
    obstacle,
    process_id_request,
    split_answers,
    status_request,
)
from tests.fuzz.decoder import Decoder, Tape, must

_LONGEST_BLOCK = 96


def _status(data: bytes) -> None:
    """The first byte says how the rest is cut into pieces."""
    size, data = 1 + (data[0] if data else 0) % 61, data[1:]
    answers, rest = split_answers(data)
    must(data.endswith(rest) and len(rest) < _LONGEST_BLOCK, "more waits for its end than the longest answer has")
    cut: list[object] = []
    left = b""
    for at in range(0, len(data), size):
        found, left = split_answers(left + data[at : at + size])
        cut += found
    must((tuple(cut), left) == (answers, rest), "what is found depends on the pieces in which it comes")
    with suppress(ValueError):
        obstacle(decode(*Tape(data).take(4).ljust(4, b"\x12")))


def _status_seeds() -> Iterator[bytes]:
    yield b"\x00\x12\x12\x12\x12"
    yield b"\x03\x16\x1e\x32\x7e\x00\x0c"
    yield b"\x05\x5fTM-T20II\x00\x37\x22?id?\x00\x37\x25\x00\x12"
    yield b"\x01\x5f" + b"A" * 100 + b"\x00\x12"


def _commands(data: bytes) -> None:
    while data and (found := commands.next_command(data)) is not None:
        must(0 < found[1] <= len(data), "a command of a length that was not sent")
        data = data[found[1] :]


SAMPLES = (
    INITIALISE,
    b"Text\xd0\xd1\n",
    b"\x1ba\x01\x1bE\x01\x1d!\x11\x1bt\x11Heading\n",
    b"\x1dVA\x03",
    b"\x1b*\x21\x02\x00" + bytes(6) + b"\x1bJ\x18",
    b"\x1dv0\x00\x02\x00\x03\x00" + b"\xaa" * 6,
    b"\x1d(k\x03\x001C\x06\x1d(k\x07\x001P0ABCD\x1d(k\x03\x001Q0",
    b"\x1dk\x04123\x00\x1dkI\x03ABC",
    b"\x1dr\x01" + process_id_request(b"0001"),
    b"".join(identity_request(fact) for fact in Fact),
    b"".join(status_request(query) for query in Query),
    CLEAR_BUFFERS,
    b"\x1c&\x1c.\x1cp\x01\x00\x1bD\x08\x10\x00\x10\x05\x01\x10\x14\x01\x00\x01",
)


def _command_seeds() -> Iterator[bytes]:
    yield from SAMPLES
    yield b"".join(SAMPLES)


DECODERS = (
    Decoder("printer-status", _status, _status_seeds, 256),
    Decoder("printer-commands", _commands, _command_seeds, 256),
)
