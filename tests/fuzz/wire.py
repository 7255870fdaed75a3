"""Recordings of lines, and what they are in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from drivers.narration import narrator_maker
from drivers.transport.recording import BadRecording, Mark, from_lines, to_text
from tests.conformance.recordings import OURS
from tests.fuzz.decoder import Decoder, Tape, must

_OPTIONS: tuple[Mapping[str, str], ...] = (
    {},
    {"echo": "yes"},
    {"checksum": "crc16"},
    {"bus_address": "3", "fixed_key": "0123456701234567"},
)
_LONGEST = 512


def _recording(data: bytes) -> None:
    with suppress(BadRecording):
        recording = from_lines(data.decode("utf-8", "replace").splitlines())
        must(from_lines(to_text(recording).splitlines()) == recording, "a recording is not read as it was written")


def _recording_seeds() -> Iterator[bytes]:
    for path in OURS.values():
        lines = path.read_text(encoding="ascii").splitlines()
        for at in range(2, min(len(lines), 40), 6):
            yield "\n".join(lines[:2] + lines[at : at + 6]).encode()[:_LONGEST]
    head = next(iter(OURS.values())).read_text(encoding="ascii").splitlines()[:2]
    yield "\n".join([*head, "1.0 > withheld 12", "2.0 ~ 3 moments are not kept", "3e9 ."]).encode()


def _narrator(driver: str) -> Callable[[bytes], None]:
    """First a byte of options, then pieces: a byte of length, of which the highest bit is the way."""

    make = narrator_maker(driver)

    def feed(data: bytes) -> None:
        tape = Tape(data)
        narrator = make(_OPTIONS[tape.byte() % len(_OPTIONS)])
        narrator.opened(b"entropy")
        fed = told = 0
        while tape.more:
            length = tape.byte()
            piece = tape.take(length & 0x7F)
            sayings = narrator.sent(piece) if length & 0x80 else narrator.received(piece)
            fed += len(piece)
            # What only looked like a frame is told whole, and then once more in its parts.
            told += sum(len(saying.raw) for saying in sayings)
        must(told <= fed * 260, "more is told than was said")

    return feed


def _narrator_seeds(driver: str) -> Callable[[], Iterator[bytes]]:
    def seeds() -> Iterator[bytes]:
        path = OURS.get(driver)
        if path is None:
            yield b"\x00\x83\x10\x04\x01\x01\x16"
            return
        with path.open(encoding="ascii") as file:
            moments = [moment for moment in from_lines(file).moments if moment.data and len(moment.data) < 0x80]
        for at in range(0, len(moments), 8):
            story = b"\x00"
            for moment in moments[at : at + 8]:
                story += bytes((len(moment.data) | (0x80 if moment.mark is Mark.SENT else 0),)) + moment.data
            yield story[:_LONGEST]

    return seeds


DECODERS = (
    Decoder("wire-recording", _recording, _recording_seeds, _LONGEST),
    *(
        Decoder(f"wire-{driver}", _narrator(driver), _narrator_seeds(driver), _LONGEST)
        for driver in ("ccnet", "id003", "essp", "cctalk", "escpos")
    ),
)
