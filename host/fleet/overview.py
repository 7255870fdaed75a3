"""The fleet at a glance: what the operations page and ``guichet-host operator terminals`` show."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Connection, func, select

from guichet.limits import HEARTBEAT_SECONDS
from guichet.v1 import health_pb2
from host.fleet.schema import terminal_health, terminals
from host.ledger.kinds import Ledger
from host.pki.schema import certificates

_MISSED_HEARTBEATS = 3
OFFLINE_AFTER_US = int(_MISSED_HEARTBEATS * HEARTBEAT_SECONDS * 1_000_000)


class Service(Enum):
    """What a terminal says of itself; UNKNOWN before its first heartbeat."""

    UNKNOWN = "unknown"
    STARTING = "starting"
    IN_SERVICE = "in service"
    REDUCED = "reduced"
    OUT_OF_SERVICE = "out of service"


class Device(Enum):
    """What a terminal says of a device."""

    UNKNOWN = "unknown"
    STARTING = "starting"
    READY = "ready"
    WARNING = "warning"
    FAULT = "fault"
    ABSENT = "absent"


_SERVICES = dict(enumerate(Service))
_DEVICES = dict(enumerate(Device))


@dataclass(frozen=True, slots=True)
class DeviceView:
    """One device as its terminal last reported it."""

    name: str
    state: Device
    fault: str
    model: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class TerminalView:
    """A terminal. Online: heard within three heartbeats. Its counts are its own, as of the last heartbeat;
    ``journal_fault`` is why its journal cannot be used, or empty.
    """

    terminal_id: str
    ledger: Ledger
    description: str
    online: bool
    last_seen_us: int
    service: Service
    devices: tuple[DeviceView, ...]
    open_deposits: int
    notes_in_doubt: int
    software_version: str
    journal_fault: str
    certificate_until_us: int | None

    @property
    def blind(self) -> bool:
        """It could not open its journal, so it has begun with no device and does not know what is unsettled."""
        return bool(self.journal_fault) and not self.devices

    @property
    def well(self) -> bool:
        """Nothing about it asks for a person."""
        return self.online and self.service is Service.IN_SERVICE and not self.notes_in_doubt and not self.journal_fault


def list_terminals(connection: Connection, now_us: int) -> tuple[TerminalView, ...]:
    """Every terminal, by name. ``certificate_until_us`` is None where none is in use."""
    t, h = terminals.c, terminal_health.c
    query = select(t.terminal_id, t.ledger, t.description, h.last_seen_us, h.report)
    rows = connection.execute(query.outerjoin_from(terminals, terminal_health).order_by(t.terminal_id)).all()
    until = _certificates(connection)
    return tuple(
        _view(name, ledger, description, last_seen_us, report, until.get(name), now_us)
        for name, ledger, description, last_seen_us, report in rows
    )


def _certificates(connection: Connection) -> dict[str, int]:
    c = certificates.c
    query = select(c.terminal_id, func.max(c.not_after_us)).where(c.withdrawn_at_us.is_(None)).group_by(c.terminal_id)
    return {row[0]: row[1] for row in connection.execute(query)}


def _view(
    name: str,
    ledger: Ledger,
    description: str,
    last_seen_us: int | None,
    report: bytes | None,
    certificate_until_us: int | None,
    now_us: int,
) -> TerminalView:
    health = health_pb2.TerminalHealth.FromString(report or b"")
    seen = last_seen_us or 0
    return TerminalView(
        terminal_id=name,
        ledger=ledger,
        description=description,
        online=now_us - seen <= OFFLINE_AFTER_US,
        last_seen_us=seen,
        service=_SERVICES.get(health.service, Service.UNKNOWN),
        devices=tuple(_device(device) for device in health.devices),
        open_deposits=health.open_deposits,
        notes_in_doubt=health.notes_in_doubt,
        software_version=health.software_version,
        journal_fault=health.journal_fault,
        certificate_until_us=certificate_until_us,
    )


def _device(device: health_pb2.DeviceHealth) -> DeviceView:
    state = _DEVICES.get(device.state, Device.UNKNOWN)
    return DeviceView(device.name, state, device.fault, device.model, device.simulated)
