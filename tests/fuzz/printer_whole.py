"""ESC/POS: the simulated printer."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.api.printer import Paper
from drivers.printer.escpos.simulator_machine import Fault, Machine
from drivers.printer.escpos.simulator_paper import Strip
from tests.fuzz.decoder import Decoder, Tape, must
from tests.fuzz.printer import SAMPLES
from tests.fuzz.sizes import held

_MOST_HELD = 256 * 1024


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
                _print(printer, SAMPLES[tape.byte() % len(SAMPLES)])
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
    for sample in range(len(SAMPLES)):
        yield bytes((2, 3, sample, 3, 3))
        yield bytes((0, 0x15, 3, sample, 3, 1, 5, 7, 4, 0, 3, 3))
        yield bytes((1, 0, len(SAMPLES[sample]))) + SAMPLES[sample] + bytes((6, 2, 3, 1, 3, 11, 6, 0, 7, 3, 3))


DECODERS = (Decoder("printer-simulator", _machine, _machine_seeds, 256, story=True),)
