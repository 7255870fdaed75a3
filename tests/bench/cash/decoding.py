"""Frames decoded a second, bytes to messages, against an exhaustive scan of the same bytes.

The bytes are answers to polls with garbage between every two, in ten streams, of which the scan has the first. A device
says few different things, some of them thousands of times, and the codecs of CCNET, ID-003 and ccTalk remember what
they have decoded; here too, after the first round, nearly every frame is one that they remember. What the decoding
itself costs the rows called ``afresh`` say, in which nothing is remembered. eSSP's remembers nothing: no two of its
packets are equal.

The bytes come as a line brings them, in pieces of 1 to 32
bytes; one byte at a time; and all at once. The scan has all of them at once and need not keep anything for later, which
favours it; the deframer is given zeros for as long as a frame may be behind them, so that it waits for nothing any
more. Both must find the same frames, and the same messages in them, else nothing counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from tests.bench.cash.codecs import CODECS, Codec
from tests.bench.errors import BenchError
from tests.bench.plan import Bench, Plan
from tests.bench.rows import Better, Measure, Pair, Row

_FRAMES = 40
_STREAMS = 10
_GARBAGE = 12
_SECONDS = 0.3
_TARGET = 20.0
_ANSWERS = 300
_PIECE = 32
_ANEW = "checksum, and making the objects of frame and message"
_REMEMBERED = "finding the frames, and looking them up among those remembered"

Cut = Callable[[bytes, Random], list[bytes]]
Found = list[tuple[bytes, object]]


def _pieces(stream: bytes, dice: Random) -> list[bytes]:
    ends = [0]
    while ends[-1] < len(stream):
        ends.append(min(len(stream), ends[-1] + dice.randint(1, _PIECE)))
    return [stream[begin:end] for begin, end in pairwise(ends)]


def _bytes(stream: bytes, dice: Random) -> list[bytes]:
    return [bytes((byte,)) for byte in stream]


def _burst(stream: bytes, dice: Random) -> list[bytes]:
    return [stream]


@dataclass(frozen=True, slots=True)
class _Way:
    """How the bytes come. ``afresh``: and nothing of them is remembered."""

    name: str
    words: str
    cut: Cut
    afresh: bool = False


_WAYS = (
    _Way("pieces", "in pieces of 1 to 32 bytes", _pieces),
    _Way("bytes", "byte by byte", _bytes),
    _Way("burst", "all at once", _burst),
    _Way("afresh", "in pieces, nothing remembered", _pieces, afresh=True),
)


def _name(codec: Codec, way: _Way) -> str:
    return f"decode/{codec.name}/{way.name}"


def run(plan: Plan) -> Iterator[Row]:
    """The rows that the plan wants."""
    for codec in CODECS:
        ways = [way for way in _WAYS if plan.wants(_name(codec, way))]
        if ways:
            plan.tell(f"decode/{codec.name}")
            yield from _rows(codec, ways, plan)


def _rows(codec: Codec, ways: list[_Way], plan: Plan) -> Iterator[Row]:
    streams = [_stream(codec, plan.times(_FRAMES), seed) for seed in range(_STREAMS)]
    pairs: dict[str, list[Pair]] = {way.name: [] for way in ways}
    for turn in range(plan.repetitions):
        expected, theirs = _timed(lambda: scan(codec, streams[0]))
        for way in ways:
            pieces = [[*way.cut(stream, Random(turn)), bytes(codec.longest)] for stream in streams]
            with codec.afresh() if way.afresh else nullcontext():
                ours, mine = repeated(codec, pieces, expected, plan.seconds(_SECONDS))
            pairs[way.name].append(Pair(mine, len(expected) / theirs, (len(ours), len(expected))))
    for way in ways:
        measure = Measure(
            _name(codec, way), f"frames decoded, {way.words}", "1/s", "exhaustive scan, all at once", _TARGET,
            Better.MORE, _REMEMBERED if codec.remembers and not way.afresh else _ANEW,
        )  # fmt: skip
        yield Row(measure, tuple(pairs[way.name]))


def _stream(codec: Codec, frames: int, seed: int) -> bytes:
    dice = Random(seed)
    return b"".join(dice.randbytes(dice.randrange(_GARBAGE)) + codec.said(dice) for _ in range(frames))


def scan(codec: Codec, stream: bytes) -> Found:
    """The exhaustive scan: every length at every offset."""
    found: Found = []
    at = 0
    while at < len(stream):
        longest = min(codec.longest, len(stream) - at)
        tried = (codec.frame(stream[at : at + length]) for length in range(codec.shortest, longest + 1))
        frame = next((frame for frame in tried if frame is not None), None)
        if frame is None:
            at += 1
        else:
            found.append((frame.raw, codec.decode(frame)))
            at += len(frame.raw)
    return found


def _deframe(codec: Codec, pieces: list[bytes]) -> Found:
    deframer = codec.deframer()
    items = (item for piece in pieces for item in deframer.feed(piece))
    return [(item.raw, codec.decode(item)) for item in items if not hasattr(item, "damaged")]


def _timed(do: Callable[[], Found]) -> tuple[Found, float]:
    began = time.perf_counter()
    return do(), time.perf_counter() - began


def repeated(codec: Codec, streams: list[list[bytes]], expected: Found, seconds: float) -> tuple[Found, float]:
    """What the deframer finds in the first stream, and frames a second in all of them. Raises
    :class:`tests.bench.errors.BenchError` where the scan finds others.
    """
    found = _deframe(codec, streams[0])
    if found != expected:
        raise BenchError(f"{codec.name}: {len(found)} frames, and {len(expected)} by the scan")
    frames, took = 0, 0.0
    while took < seconds or not frames:
        for pieces in streams:
            again, seconds_taken = _timed(lambda pieces=pieces: _deframe(codec, pieces))
            frames, took = frames + len(again), took + seconds_taken
    return found, frames / took


BENCH = Bench(tuple(_name(codec, way) for codec in CODECS for way in _WAYS), run)
