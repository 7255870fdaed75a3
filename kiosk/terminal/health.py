"""How the terminal is, as a message: for the host, for diagnostics, and for what the screen offers."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.api.device import Device, DeviceState
from guichet.seams import Clock
from guichet.v1 import health_pb2 as pb
from kiosk.journal.faults import Fault, JournalError
from kiosk.journal.store import Journal
from kiosk.terminal.desk_view import DeskView
from kiosk.terminal.fitted import Fitted

SOFTWARE_VERSION = "0.1.0"

_STATES: Mapping[DeviceState, pb.DeviceState.ValueType] = {
    DeviceState.STARTING: pb.DEVICE_STATE_STARTING,
    DeviceState.READY: pb.DEVICE_STATE_READY,
    DeviceState.WARNING: pb.DEVICE_STATE_WARNING,
    DeviceState.FAULT: pb.DEVICE_STATE_FAULT,
    DeviceState.ABSENT: pb.DEVICE_STATE_ABSENT,
}
_WORKS = frozenset({DeviceState.READY, DeviceState.WARNING})


def works(device: Device | None) -> bool:
    """Whether a device can do its work now."""
    return device is not None and device.status.state in _WORKS


def device_health(name: str, driver: str, device: Device) -> pb.DeviceHealth:
    """One device as a message."""
    status = device.status
    health = pb.DeviceHealth(name=name, driver=driver, state=_STATES[status.state], fault=status.fault)
    if status.identity is not None:
        health.model, health.serial = status.identity.model, status.identity.serial
        health.firmware, health.simulated = status.identity.firmware, status.identity.simulated
    for counter, value in sorted(status.counters.items()):
        health.counters.add(name=counter, value=value)
    return health


def terminal_health(devices: Mapping[str, Fitted], desk: DeskView, journal: Journal, clock: Clock) -> pb.TerminalHealth:
    """All of it."""
    try:
        free = journal.free_bytes()
    except JournalError:
        free = 0
    fold = journal.fold
    return pb.TerminalHealth(
        service=service_state(devices, desk, journal),
        devices=[device_health(name, one.driver, one.device) for name, one in devices.items()],
        open_deposits=len(fold.outbox) + (fold.open_deposit is not None),
        notes_in_doubt=len(fold.in_doubt),
        journal_free_bytes=free,
        terminal_time_us=clock.wall_us(),
        software_version=SOFTWARE_VERSION,
        journal_fault=journal.failure.fault.value if journal.failure is not None else "",
    )


def without_journal(fault: Fault, clock: Clock) -> pb.TerminalHealth:
    """How a terminal is that could not open its journal: nothing else was begun."""
    return pb.TerminalHealth(
        service=pb.SERVICE_STATE_OUT_OF_SERVICE,
        terminal_time_us=clock.wall_us(),
        software_version=SOFTWARE_VERSION,
        journal_fault=fault.value,
    )


def service_state(devices: Mapping[str, Fitted], desk: DeskView, journal: Journal) -> pb.ServiceState.ValueType:
    """Without a card reader, a PIN pad or a journal there is no service at all; without cash or paper there is less."""
    parts = {name: works(one.device) for name, one in devices.items()}
    if journal.failure is not None or not parts.get("card") or not parts.get("pinpad"):
        return pb.SERVICE_STATE_OUT_OF_SERVICE
    if not parts.get("printer") or not desk.ready:
        return pb.SERVICE_STATE_REDUCED
    return pb.SERVICE_STATE_IN_SERVICE
