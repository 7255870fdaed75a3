"""Terminal health: what a heartbeat may say, and what is kept of it."""

from __future__ import annotations

from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite import insert

from guichet.ids import TerminalId
from guichet.limits import CLOCK_TOLERANCE_US
from guichet.v1 import health_pb2
from host.fleet.incidents import Incident, open_incidents
from host.fleet.schema import terminal_health

_MAX_DEVICES = 16
_MAX_COUNTERS = 32
_MAX_TEXT = 100
_DAY_US = 24 * 3600 * 1_000_000


# A heartbeat every few seconds from every terminal: made once, only their values change.
_HEARD = insert(terminal_health)
_SEEN = _HEARD.on_conflict_do_update(
    index_elements=[terminal_health.c.terminal_id], set_={"last_seen_us": _HEARD.excluded.last_seen_us}
)
_REPORTED = _HEARD.on_conflict_do_update(
    index_elements=[terminal_health.c.terminal_id],
    set_={"last_seen_us": _HEARD.excluded.last_seen_us, "report": _HEARD.excluded.report},
)


class HealthError(ValueError):
    """A heartbeat that breaks a bound."""


def check_health(health: health_pb2.TerminalHealth) -> None:
    """Raises :class:`HealthError` for too many devices or counters, or too long a text."""
    if len(health.devices) > _MAX_DEVICES:
        raise HealthError(f"{len(health.devices)} devices are over {_MAX_DEVICES}")
    texts = [health.software_version, health.journal_fault]
    for device in health.devices:
        if len(device.counters) > _MAX_COUNTERS:
            raise HealthError(f"{len(device.counters)} counters are over {_MAX_COUNTERS}")
        texts += [device.name, device.fault, device.driver, device.model, device.serial, device.firmware]
        texts += [counter.name for counter in device.counters]
    if any(len(text) > _MAX_TEXT for text in texts):
        raise HealthError(f"a text is over {_MAX_TEXT} characters")


def keep_health(
    connection: Connection, terminal: TerminalId, health: health_pb2.TerminalHealth | None, now_us: int
) -> None:
    """Remember that ``terminal`` was heard now, and what it said; a clock that is off is an incident a day, and so is a
    journal that cannot be used.
    """
    report = b"" if health is None else health.SerializeToString()
    statement = _SEEN if health is None else _REPORTED
    connection.execute(statement, {"terminal_id": terminal, "last_seen_us": now_us, "report": report})
    if health is not None:
        open_incidents(connection, _clock_incidents(terminal, health.terminal_time_us, now_us), now_us)
        open_incidents(connection, _journal_incidents(terminal, health.journal_fault, now_us), now_us)


def _journal_incidents(terminal: TerminalId, fault: str, now_us: int) -> tuple[Incident, ...]:
    if not fault:
        return ()
    text = f"the terminal cannot use its journal ({fault}); it takes no money until somebody has looked"
    return (Incident("journal-fault", terminal, fault, text, str(now_us // _DAY_US)),)


def _clock_incidents(terminal: TerminalId, terminal_us: int, now_us: int) -> tuple[Incident, ...]:
    off_us = terminal_us - now_us
    if abs(off_us) <= CLOCK_TOLERANCE_US:
        return ()
    text = f"the terminal's clock is {off_us // 1_000_000} s off; its records are kept all the same"
    return (Incident("clock-off", terminal, "clock", text, str(now_us // _DAY_US)),)
