"""What a terminal takes from outside. A test that kills it at a certain write, or stops its clock, brings its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from drivers.registry import open_device
from drivers.transport.api import OpenTransport
from drivers.transport.open import open_address
from guichet.ids import TerminalId
from guichet.sealing import HpkeSealer
from guichet.seams import BootClock, Clock, Ids, Random, Sealer
from guichet.system import SystemBootClock, SystemClock, SystemRandom
from guichet.v1 import terminal_link_pb2 as link_pb
from kiosk.journal.store import Journal, Writer
from kiosk.log import EventLog
from kiosk.settlement.courier import LateDelivery
from kiosk.terminal.fitted import OpenDevice
from kiosk.terminal.front import Front
from kiosk.terminal.late_delivery import SubmitOnly
from kiosk.terminal.link import HostAddress, HostLink
from kiosk.terminal.local import LocalTerminal
from kiosk.terminal.serving import Served, serve_local


def _open_transport(device: str) -> OpenTransport:
    return partial(open_address, device=device)


@dataclass(frozen=True, slots=True)
class Seams:
    """Time, randomness, seals, wires, devices, the journal's file, the ways to the host, the local socket, the log."""

    clock: Clock = field(default_factory=SystemClock)
    boot: BootClock = field(default_factory=SystemBootClock)
    random: Random = field(default_factory=SystemRandom)
    make_sealer: Callable[[bytes], Sealer] = HpkeSealer
    open_transport: Callable[[str], OpenTransport] = _open_transport
    open_journal: Callable[[Path, Writer, Clock], Journal] = Journal.open
    make_link: Callable[[HostAddress, Callable[[], link_pb.Hello], Ids, Random, EventLog], HostLink] = HostLink
    open_device: OpenDevice = open_device
    make_late: Callable[[str, str], LateDelivery] = SubmitOnly
    serve: Callable[[Path, Front, LocalTerminal], Awaitable[Served]] = serve_local
    make_log: Callable[[Clock, TerminalId], EventLog] = EventLog
