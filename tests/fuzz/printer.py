"""ESC/POS: what printers answer, and the simulated printer's own reading of what it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from drivers.api.printer import Paper
from drivers.printer.escpos import simulator_commands as commands
from drivers.printer.escpos.simulator_machine import Fault, Machine
from drivers.printer.escpos.simulator_paper import Strip
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
from tests.fuzz.sizes import held

_LONGEST_BLOCK = 96
_MOST_HELD = 256 * 1024


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


_SAMPLES = (
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
    yield from _SAMPLES
    yield b"".join(_SAMPLES)


class _Folder:
    """Where the paper falls."""

    def __init__(self) -> None:
        self.strips = 0

    def take(self, strip: Strip) -> None:
        self.strips += 1
        must(strip.text().endswith("\n"), "a strip that cannot be read")


def _machine(data: bytes) -> None:
    """The first byte: how wide the paper is; then what comes, and what people do."""
    tape = Tape(data)
    folder = _Folder()
    printer = Machine((32, 42, 48)[tape.byte() % 3], folder.take)
    while tape.more:
        what = tape.byte()
        match what & 7:
            case 0 | 1 | 2:
                _print(printer, tape.take(tape.byte()))
            case 3:
                _print(printer, _SAMPLES[tape.byte() % len(_SAMPLES)])
            case 4:
                printer.load(tuple(Paper)[what >> 4 & 1 or tape.byte() % len(Paper)])
            case 5:
                printer.cover_open, printer.offline = bool(what & 0x10), bool(what & 0x20)
            case 6:
                printer.fault = tuple(Fault)[tape.byte() % len(Fault)]
            case _:
                printer.resume()
    must(held(printer) <= _MOST_HELD, "it keeps more and more")


def _print(printer: Machine, data: bytes) -> None:
    said = printer.receive(data)
    must(len(said) <= 256 + 64 * len(data) + printer.buffered, "it answers without end")


def _machine_seeds() -> Iterator[bytes]:
    for sample in range(len(_SAMPLES)):
        yield bytes((2, 3, sample, 3, 3))
        yield bytes((0, 0x15, 3, sample, 3, 1, 5, 7, 4, 0, 3, 3))
        yield bytes((1, 0, len(_SAMPLES[sample]))) + _SAMPLES[sample] + bytes((6, 2, 3, 1, 3, 11, 6, 0, 7, 3, 3))


DECODERS = (
    Decoder("printer-status", _status, _status_seeds, 256),
    Decoder("printer-commands", _commands, _command_seeds, 256),
    Decoder("printer-simulator", _machine, _machine_seeds, 256),
)
