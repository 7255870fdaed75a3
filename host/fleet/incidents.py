"""Incidents: what a person should look at. Opening the same one again changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from host.fleet.schema import incidents

_MAX_TEXT = 400


_OPEN = (
    insert(incidents).on_conflict_do_nothing(index_elements=[incidents.c.occasion]).returning(incidents.c.incident_no)
)


@dataclass(frozen=True, slots=True)
class Incident:
    """``code`` is short and stable; ``subject`` the note, deposit or device; ``occasion`` tells one from the next."""

    code: str
    terminal_id: str | None
    subject: str
    text: str
    occasion: str


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An incident as it is kept. ``opened_at_us`` is by the host's clock."""

    incident_no: int
    opened_at_us: int
    code: str
    terminal_id: str | None
    subject: str
    text: str


def open_incidents(connection: Connection, found: Sequence[Incident], now_us: int) -> int:
    """Keep those of ``found`` that are new; gives how many."""
    if not found:
        return 0
    rows = [
        {
            "occasion": f"{incident.code}/{incident.terminal_id or '-'}/{incident.occasion}"[:200],
            "opened_at_us": now_us,
            "code": incident.code[:60],
            "terminal_id": incident.terminal_id,
            "subject": incident.subject[:100],
            "text": incident.text[:_MAX_TEXT],
        }
        for incident in found
    ]
    return len(connection.execute(_OPEN, rows).all())


def list_incidents(connection: Connection, limit: int = 200) -> tuple[OpenIncident, ...]:
    """The newest first."""
    c = incidents.c
    query = select(c.incident_no, c.opened_at_us, c.code, c.terminal_id, c.subject, c.text)
    rows = connection.execute(query.order_by(c.incident_no.desc()).limit(limit)).all()
    return tuple(OpenIncident(*row) for row in rows)
