"""Decoders that are broken on purpose: a harness that does not find these finds nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from drivers.cash.ccnet.framing import Deframer, Frame, Noise, frame
from drivers.cash.ccnet.machine import Machine
from drivers.cash.ccnet.timing import Timing
from drivers.cash.steps import Input, Output, Received
from tests.fuzz import lines
from tests.fuzz.decoder import Decoder

_MAGIC = b"\xfc\x07\xa5\x1b"


def _takes_a_byte_too_many(data: bytes) -> None:
    """Four bytes must be right: chance alone would need thousands of millions of inputs."""
    right = 0
    while right < len(_MAGIC) and data[right : right + 1] == _MAGIC[right : right + 1]:
        right += 1
    if right == len(_MAGIC):
        data[len(data)]


def _never_ends(data: bytes) -> None:
    while data[:1] == b"\xfc":
        pass


def _takes_all_memory(data: bytes) -> None:
    kept = bytearray(1 << 20)
    while data[:1] == b"\xfc":
        kept += bytes(len(kept))


class _Hoarder:
    """A deframer that waits for the end of a frame that it begins at any byte."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def feed(self, data: bytes, /) -> Iterable[lines.Item]:
        self._kept += data
        if self._kept.endswith(frame(b"\x33")):
            yield from Deframer().feed(bytes(self._kept))
            self._kept.clear()

    def clear(self) -> None:
        self._kept.clear()


class _Careless:
    """A deframer that drops what is damaged without a word."""

    def __init__(self) -> None:
        self._inner = Deframer()

    def feed(self, data: bytes, /) -> Iterable[lines.Item]:
        return [item for item in self._inner.feed(data) if isinstance(item, Frame)]

    def clear(self) -> None:
        self._inner.clear()


class HoardingMachine(Machine):
    """A machine that forgets nothing that was said to it."""

    def __init__(self) -> None:
        super().__init__(Timing())
        self._all: list[bytearray] = []

    def step(self, happened: Input, now: float) -> Sequence[Output]:
        """As ever, but."""
        if isinstance(happened, Received):
            self._all.append(bytearray(happened.data))
        return super().step(happened, now)


def _is_damaged(item: lines.Item) -> bool | None:
    return item.damaged if isinstance(item, Noise) else None


def _raw(item: lines.Item) -> bytes:
    return item.raw


def _hoards(data: bytes) -> None:
    lines.check(lines.Line(_Hoarder, _is_damaged, _raw, frame(b"\x33"), b"\0", 30), data)


def _is_careless(data: bytes) -> None:
    lines.check(lines.Line(_Careless, _is_damaged, _raw, frame(b"\x33"), b"\0", 250), data)


def _seeds() -> Iterator[bytes]:
    yield b"\x00" + frame(b"\x33")


DECODERS = (
    Decoder("planted-index", _takes_a_byte_too_many, _seeds),
    Decoder("planted-endless", _never_ends, _seeds),
    Decoder("planted-memory", _takes_all_memory, _seeds),
    Decoder("planted-hoarder", _hoards, _seeds),
    Decoder("planted-careless", _is_careless, _seeds),
)
