"""The baseline: a bare, blocking pyserial loop. It writes a request, reads as many bytes as the answer has, sleeps until
the next is due, and understands nothing: no frame is looked for, no checksum computed, no time-out kept.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import serial

from tests.bench.cash.trace import Exchange
from tests.bench.sides import Pipe, SideError

_READ_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Repeat:
    """Say on ``link`` what ``trace`` says; measure the CPU of those ``measured``; stamp the answers of ``stamped``."""

    link: Path
    trace: tuple[Exchange, ...]
    measured: range
    stamped: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Repeated:
    """``cpu``: seconds, user and system, of this process for the exchanges that were to be measured, ``count`` of them.
    ``stamps``: when the last byte of each stamped answer was in hand.
    """

    cpu: float
    count: int
    stamps: tuple[float, ...]


def be(task: Repeat, pipe: Pipe) -> None:
    """Be the loop; see :class:`tests.bench.sides.Side`."""
    before = task.trace[: task.measured.start]
    measured = task.trace[task.measured.start : task.measured.stop]
    after = task.trace[task.measured.stop :]
    stamps: list[float] = []
    with serial.Serial(str(task.link), 9600, timeout=_READ_SECONDS) as port:
        _repeat(port, before, stamps)
        cpu = time.process_time()
        _repeat(port, measured, stamps)
        cpu = time.process_time() - cpu
        _repeat(port, after, stamps)
    stamped = tuple(stamps[number] for number in sorted(task.stamped))
    pipe.send(Repeated(cpu, len(measured), stamped))


def _repeat(port: serial.Serial, trace: tuple[Exchange, ...], stamps: list[float]) -> None:
    for exchange in trace:
        time.sleep(exchange.pause)
        port.write(exchange.request)
        if len(port.read(len(exchange.answer))) < len(exchange.answer):
            raise SideError(f"no answer to {exchange.request.hex()}")
        stamps.append(time.monotonic())
