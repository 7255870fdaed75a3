"""The far ends of some lines, as a process: simulated devices on real ptys, or what such devices said, said again.

A bare loop cannot keep up a conversation: eSSP's polls are encrypted and counted, ID-003's and CCNET's notes want
commands. So the loop sends, byte by byte and pause by pause, what the driver sent in the run before, and gets the
answers that the driver got.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from drivers.simulation.cash_device import SimulatedCash
from drivers.simulation.cash_process import serve
from drivers.simulation.notes import Vault
from drivers.simulation.port import serve_pty
from drivers.transport.api import ByteTransport
from guichet.money import parse_money
from tests.bench.cash.trace import Exchange, Passed
from tests.bench.errors import BenchError
from tests.bench.sides import Pipe, told
from tests.conformance.subject import SUBJECTS


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated device of conformance subject ``name``; ``pace``: seconds that one movement of paper takes."""

    name: str
    link: Path
    pace: float = 0.3


@dataclass(frozen=True, slots=True)
class Again:
    """The answers of ``trace``, to its requests and to no others."""

    link: Path
    trace: tuple[Exchange, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """Whatever this side has to open is open."""


@dataclass(frozen=True, slots=True)
class Insert:
    """So many notes more go into every device, each as soon as its slot is open; the customers come ``apart`` seconds
    one after the other.
    """

    notes: int
    apart: float = 0.0


@dataclass(frozen=True, slots=True)
class Finish:
    """Say what passed, and end."""


@dataclass(frozen=True, slots=True)
class Log:
    """What passed on each line."""

    lines: tuple[tuple[Passed, ...], ...]


class Tap:
    """A transport that keeps what passes, with the time, and lets a customer look after every answer."""

    def __init__(self, inner: ByteTransport, customer: Customer | None = None) -> None:
        self._inner = inner
        self._customer = customer
        self.log: list[Passed] = []

    async def read(self) -> bytes:
        """What comes from the host."""
        data = await self._inner.read()
        self.log.append(Passed(time.monotonic(), False, data))
        return data

    def write(self, data: bytes) -> None:
        """What the device says."""
        now = time.monotonic()
        self._inner.write(data)
        self.log.append(Passed(now, True, data))
        if self._customer is not None:
            self._customer.look(now)

    async def drained(self) -> None:
        """Returns when everything written has left this process."""
        await self._inner.drained()

    def close(self) -> None:
        """Give the line up."""
        self._inner.close()


class Customer:
    """Puts notes in, one after the other."""

    def __init__(self, device: SimulatedCash, face: str) -> None:
        self._device = device
        self._money = parse_money(face)
        self._left = 0
        self._not_before = 0.0

    def bring(self, notes: int, not_before: float) -> None:
        """He has so many notes, and begins at that time."""
        self._left, self._not_before = notes, not_before

    def look(self, now: float) -> None:
        """Push the next note in if the slot is open and nothing is in it."""
        device = self._device
        if self._left and now >= self._not_before and device.accepts and device.metal.note is None:
            self._left -= 1
            device.insert(str(self._money), device.type_of(self._money) or 0, now)


def be(task: tuple[Simulated | Again, ...], pipe: Pipe) -> None:
    """Be the far ends of ``task``; see :class:`tests.bench.sides.Side`."""
    asyncio.run(_be(task, pipe), debug=False)


async def _be(task: tuple[Simulated | Again, ...], pipe: Pipe) -> None:
    taps: list[Tap] = []
    customers: list[Customer] = []
    async with asyncio.TaskGroup() as tasks:
        running: list[asyncio.Task[None]] = []
        for end in task:
            line = serve_pty("bench", end.link)
            if isinstance(end, Simulated):
                device, customer = _device(end)
                tap = Tap(line, customer)
                customers.append(customer)
                running.append(tasks.create_task(serve(device, tap, time.monotonic)))
            else:
                tap = Tap(line)
                running.append(tasks.create_task(_say_again(end.trace, tap)))
            taps.append(tap)
        pipe.send(Standing())
        while isinstance(message := await told(pipe), Insert):
            now = time.monotonic()
            for n, customer in enumerate(customers):
                customer.bring(message.notes, now + n * message.apart)
        for one in running:
            one.cancel()
    for tap in taps:
        tap.close()
    pipe.send(Log(tuple(tuple(tap.log) for tap in taps)))


def _device(end: Simulated) -> tuple[SimulatedCash, Customer]:
    subject = next(subject for subject in SUBJECTS if subject.name == end.name)
    device = subject.device(Vault(None))
    device.metal.stage_seconds = end.pace
    return device, Customer(device, subject.faces[0])


async def _say_again(trace: tuple[Exchange, ...], line: ByteTransport) -> None:
    """Raises :class:`tests.bench.errors.BenchError` where the host says something else than in ``trace``."""
    heard = b""
    for exchange in trace:
        while len(heard) < len(exchange.request):
            heard += await line.read()
        if not heard.startswith(exchange.request):
            raise BenchError(f"{heard.hex()} came instead of {exchange.request.hex()}")
        heard = heard[len(exchange.request) :]
        if exchange.answer:
            line.write(exchange.answer)
