"""What the terminal says of itself, at its local socket."""

from __future__ import annotations

from pathlib import Path

from guichet.v1 import health_pb2, local_pb2
from kiosk.diagnostics.local_client import TerminalNotRunning, status

_WORKING = (health_pb2.DEVICE_STATE_READY, health_pb2.DEVICE_STATE_WARNING)


def asked(socket: Path) -> local_pb2.GetStatusResponse | None:
    """How it is; None while it does not answer."""
    try:
        return status(socket)
    except (TerminalNotRunning, RuntimeError):
        return None


def why_not(socket: Path) -> set[str]:
    """What is out: devices by name, ``host``, ``journal``; ``terminal`` where it does not answer. Empty: it serves."""
    now = asked(socket)
    if now is None:
        return {"terminal"}
    out = {one.name for one in now.health.devices if one.state not in _WORKING}
    out |= set() if now.host_connected else {"host"}
    return out | ({"journal"} if now.health.journal_fault else set())
