"""The points at which a life of the terminal can end: before and after every device write, commit and send."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from drivers.cash.ccnet.framing import Deframer, Frame
from drivers.cash.ccnet.messages import Command, State
from drivers.transport.api import ByteTransport, OpenTransport
from drivers.transport.open import open_address
from guichet.journal.chain import Entry
from guichet.journal.records import Fact, decode, fact_of
from guichet.seams import Clock
from guichet.v1 import journal_pb2
from guichet.v1 import terminal_link_pb2 as link_pb
from kiosk.journal.store import Journal, Writer
from kiosk.terminal.link import HostLink


@dataclass(slots=True)
class Gate:
    """Counts the points that a life passes and ends it, as a power cut would, at the one that was chosen."""

    kill_at: str = ""
    armed: bool = False
    passed: dict[str, None] = field(default_factory=dict[str, None])

    def __call__(self, point: str) -> None:
        """Pass ``point``, or die here."""
        if not self.armed:
            return
        self.passed.setdefault(point)
        if point == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


class GatedTransport:
    """A CCNET wire whose every write is a point, named by the command and by what the device last said. It reads the
    frames of that protocol and of no other; only the cash module's wire may be gated.
    """

    def __init__(self, inner: ByteTransport, gate: Gate) -> None:
        self._inner = inner
        self._gate = gate
        self._deframer = Deframer()
        self._state = "nothing"
        self._notes = 0

    async def read(self) -> bytes:
        data = await self._inner.read()
        for found in self._deframer.feed(data):
            if isinstance(found, Frame) and len(found.payload) <= 2 and found.payload[0] in set(State):
                state = State(found.payload[0]).name
                self._notes += self._gate.armed and state == "ESCROW" and self._state != "ESCROW"
                self._state = state
        return data

    def write(self, data: bytes) -> None:
        command = Command(data[3]).name
        point = f"write {command} when {self._state}, note {self._notes}"
        self._gate(f"before {point}")
        self._inner.write(data)
        self._gate(f"after {point}")

    async def drained(self) -> None:
        await self._inner.drained()

    def close(self) -> None:
        self._inner.close()


def gated_transports(gate: Gate) -> Callable[[str], OpenTransport]:
    """In place of the terminal's own way of opening wires."""

    def for_device(device: str) -> OpenTransport:
        async def opening(address: str) -> ByteTransport:
            return GatedTransport(await open_address(address, device=device), gate)

        return opening

    return for_device


def gated_journal(gate: Gate) -> Callable[[Path, Writer, Clock], Journal]:
    """In place of ``Journal.open``: every commit is a point, named by its facts and how often they came."""
    seen: Counter[str] = Counter()

    class GatedJournal(Journal):
        def append(self, *facts: Fact) -> Entry:
            names = "+".join(fact.DESCRIPTOR.name for fact in facts)
            seen[names] += gate.armed
            gate(f"before commit {names} {seen[names]}")
            entry = super().append(*facts)
            gate(f"after commit {names} {seen[names]}")
            return entry

    return GatedJournal.open


def gated_link(gate: Gate) -> type[HostLink]:
    """In place of ``HostLink``: every send is a point, named by what it carries."""
    notes = 0

    class GatedLink(HostLink):
        async def _items(self) -> AsyncIterator[link_pb.ConnectRequest]:
            async for item in super()._items():
                point = f"send {describe(item)}"
                gate(f"before {point}")
                yield item
                gate(f"after {point}")

    def describe(item: link_pb.ConnectRequest) -> str:
        nonlocal notes
        if item.WhichOneof("item") != "journal":
            return str(item.WhichOneof("item"))
        facts = [fact_of(decode(entry.record)) for entry in item.journal.entries]
        notes += sum(isinstance(fact, journal_pb2.NoteEscrowed) for fact in facts) if gate.armed else 0
        return f"journal up to {facts[-1].DESCRIPTOR.name}, note {notes}"

    return GatedLink
