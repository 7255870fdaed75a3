"""The baseline: a bare, blocking pyserial loop, as a script has it that has never heard of garbage on a line.

It sleeps until a request is due, writes it, reads the head of the answer and then as many bytes as that says. It looks
for no frame, computes no checksum, knows no state and keeps no time-out of its own. What it sends is what the driver
sent, ready made, with one exception: no two eSSP packets are alike, and whoever sends one has to seal it. So there the
loop seals a packet of the same length before each, with the same library, and opens none.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import serial

from drivers.cash.essp.framing import frame
from drivers.cash.essp.sealing import SEALED, Seal
from tests.bench.cash.trace import Exchange
from tests.bench.errors import BenchError
from tests.bench.sides import Pipe

_READ_SECONDS = 5.0
_HEADS: Mapping[str, int] = {"ccnet": 3, "id003": 2, "essp": 3, "cctalk": 2, "cctalk-coin": 2}
_KEY = bytes(16)
_SEALED_AT = 3
_POLL = b"\x56"


@dataclass(frozen=True, slots=True)
class Repeat:
    """Say on ``link`` what ``trace`` says, as ``driver`` would; measure the CPU of those ``measured``; stamp the
    answers of ``stamped``.
    """

    link: Path
    driver: str
    trace: tuple[Exchange, ...]
    measured: range
    stamped: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Repeated:
    """``cpu``: seconds, user and system, of this process for the exchanges that were to be measured; ``polls`` of them
    were answered. ``stamps``: when the last byte of each stamped answer was in hand.
    """

    cpu: float
    polls: int
    stamps: tuple[float, ...]


def be(task: Repeat, pipe: Pipe) -> None:
    """Be the loop; see :class:`tests.bench.sides.Side`."""
    before, measured = task.trace[: task.measured.start], task.trace[task.measured.start : task.measured.stop]
    stamps: list[float] = []
    with serial.Serial(str(task.link), 9600, timeout=_READ_SECONDS) as port:
        _repeat(port, before, task.driver, stamps)
        cpu = time.process_time()
        _repeat(port, measured, task.driver, stamps)
        cpu = time.process_time() - cpu
    polls = sum(1 for exchange in measured if exchange.answer)
    pipe.send(Repeated(cpu, polls, tuple(stamps[number] for number in sorted(task.stamped))))


def _repeat(port: serial.Serial, trace: tuple[Exchange, ...], driver: str, stamps: list[float]) -> None:
    head, essp = _HEADS[driver], driver == "essp"
    for count, exchange in enumerate(trace):
        time.sleep(exchange.pause)
        if essp and exchange.request[_SEALED_AT] == SEALED:
            frame(Seal(_KEY).close(count, _POLL, bytes), flag=True)
        port.write(exchange.request)
        if exchange.answer:
            begun = port.read(head)
            if begun + port.read(len(exchange.answer) - head) != exchange.answer:
                raise BenchError(f"no answer to {exchange.request.hex()}")
        stamps.append(time.monotonic())
