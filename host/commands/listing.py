"""The operator's lists as rows for people and as JSON for scripts."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

from guichet.ids import short
from host.bankdays import in_words
from host.commands.common import Json
from host.fleet.incidents import OpenIncident
from host.fleet.overview import TerminalView
from host.ledger.overview import DepositView, NoteView, OpenClaim

Answer = Callable[[argparse.Namespace], int]

TERMINAL_HEADINGS = ("TERMINAL", "LEDGER", "LINK", "SERVICE", "LAST HEARD", "OPEN", "IN DOUBT", "DEVICES")
DEPOSIT_HEADINGS = ("DEPOSIT", "TERMINAL", "RECEIVED", "STATE", "NOTE", "VALUE", "OUTCOME", "BOOKED TO", "CLAIM")


def terminal_row(terminal: TerminalView, zone: str) -> tuple[str, ...]:
    """One line a terminal."""
    devices = ", ".join(
        f"{device.name} {device.state.value}" + (f" ({device.fault})" if device.fault else "")
        for device in terminal.devices
    )
    if terminal.journal_fault:
        devices = ", ".join(filter(None, (f"journal fault ({terminal.journal_fault})", devices)))
    return (
        terminal.terminal_id, terminal.ledger.value, "online" if terminal.online else "offline",
        terminal.service.value, in_words(terminal.last_seen_us, zone),
        "?" if terminal.blind else str(terminal.open_deposits),
        "?" if terminal.blind else str(terminal.notes_in_doubt), devices,
    )  # fmt: skip


def terminal_json(terminal: TerminalView) -> Json:
    """A terminal with its devices."""
    return {
        "terminal_id": terminal.terminal_id,
        "ledger": terminal.ledger.value,
        "description": terminal.description,
        "online": terminal.online,
        "last_seen_us": terminal.last_seen_us,
        "service": terminal.service.value,
        "open_deposits": None if terminal.blind else terminal.open_deposits,
        "notes_in_doubt": None if terminal.blind else terminal.notes_in_doubt,
        "software_version": terminal.software_version,
        "journal_fault": terminal.journal_fault,
        "devices": [
            {
                "name": device.name,
                "state": device.state.value,
                "fault": device.fault,
                "model": device.model,
                "simulated": device.simulated,
            }
            for device in terminal.devices
        ],
    }


def deposit_rows(deposit: DepositView, zone: str) -> Iterator[tuple[str, ...]]:
    """One line a note; the deposit's own columns stand on the first."""
    head = (
        short(deposit.deposit_id), deposit.terminal_id, in_words(deposit.received_at_us, zone), deposit.state.value,
    )  # fmt: skip
    for note in deposit.notes:
        yield (*head, *_note_cells(note))
        head = ("", "", "", "")
    if not deposit.notes:
        yield (*head, "", "", "", "", "")


def _note_cells(note: NoteView) -> tuple[str, ...]:
    booked = note.booking.value if note.booking is not None else f"conflict: {note.conflict}"
    number = f" ({note.outcome_number}{', by the host' if note.by_host else ''})" if note.outcome_number > 1 else ""
    outcome = note.outcome.value + number
    return short(note.note_id), str(note.value), outcome, booked, note.claim_number


def deposit_json(deposit: DepositView) -> Json:
    """A deposit with its notes. What was credited is told in the account's currency; each note has its own."""
    return {
        "terminal_id": deposit.terminal_id,
        "deposit_id": deposit.deposit_id,
        "ledger": deposit.ledger.value,
        "received_at_us": deposit.received_at_us,
        "account": deposit.account,
        "credited_minor": deposit.credited[0].minor,
        "currency": deposit.credited[0].currency.code,
        "state": deposit.state.value,
        "notes": [
            {
                "note_id": note.note_id,
                "outcome_number": note.outcome_number,
                "outcome": note.outcome.value,
                "value_minor": note.value.minor,
                "currency": note.value.currency.code,
                "booking": None if note.booking is None else note.booking.value,
                "claim_number": note.claim_number,
                "conflict": note.conflict,
                "by_host": note.by_host,
            }
            for note in deposit.notes
        ],
    }


def claim_json(claim: OpenClaim) -> Json:
    """An open claim."""
    return {
        "claim_number": claim.claim_number,
        "reason": claim.reason.value,
        "value_minor": claim.value.minor,
        "currency": claim.value.currency.code,
        "terminal_id": claim.terminal_id,
        "deposit_id": claim.deposit_id,
        "note_id": claim.note_id,
        "ledger": claim.ledger.value,
        "opened_at_us": claim.opened_at_us,
    }


def incident_json(incident: OpenIncident) -> Json:
    """An incident."""
    return {
        "incident_no": incident.incident_no,
        "opened_at_us": incident.opened_at_us,
        "code": incident.code,
        "terminal_id": incident.terminal_id,
        "subject": incident.subject,
        "text": incident.text,
    }
