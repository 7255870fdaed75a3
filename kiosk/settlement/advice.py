"""What the host is advised of about a deposit: pure, from the journal's fold."""

from __future__ import annotations

from collections.abc import Iterable

from guichet.ids import TerminalId
from guichet.journal.records import to_wire
from guichet.v1 import settlement_pb2 as pb
from kiosk.journal.folds import Deposit, Note, NotePhase

_OUTCOMES = {
    NotePhase.STACKED: pb.OUTCOME_CREDITED,
    NotePhase.ACK_SENT: pb.OUTCOME_CREDITED,
    NotePhase.CLEARED: pb.OUTCOME_CREDITED,
    NotePhase.RETURNED: pb.OUTCOME_RETURNED,
    NotePhase.IN_DOUBT: pb.OUTCOME_IN_DOUBT,
    NotePhase.FOUND: pb.OUTCOME_FOUND,
}
_SETTLES_SOMETHING = frozenset({pb.OUTCOME_CREDITED, pb.OUTCOME_IN_DOUBT, pb.OUTCOME_FOUND})


def outcomes(deposit: Deposit, notes: Iterable[Note]) -> list[pb.NoteOutcome]:
    """Every outcome of each note that can be stated in the deposit's currency, in order: the host takes the second only
    after the first.
    """
    return [
        stated
        for note in notes
        for number, phase in (*note.earlier, (note.outcome_number, note.phase))
        for stated in _stated(deposit, note, number, phase)
    ]


def last_outcome(deposit: Deposit, note: Note) -> list[pb.NoteOutcome]:
    """Only the last one: what follows an advice that told of those before."""
    return _stated(deposit, note, note.outcome_number, note.phase)


def _stated(deposit: Deposit, note: Note, number: int, phase: NotePhase) -> list[pb.NoteOutcome]:
    if phase not in _OUTCOMES or note.value is None or note.value.currency != deposit.currency:
        return []
    value = to_wire(note.value)
    return [pb.NoteOutcome(note_id=note.note_id, outcome_number=number, outcome=_OUTCOMES[phase], value=value)]


def settles_something(notes: Iterable[pb.NoteOutcome]) -> bool:
    """Whether the host has anything to book or to look for."""
    return any(note.outcome in _SETTLES_SOMETHING for note in notes)


def advice_bytes(
    terminal: TerminalId, deposit: Deposit, notes: list[pb.NoteOutcome], closed_at_us: int, epoch: int, sequence: int
) -> bytes:
    """The advice, serialised this once. ``epoch`` and ``sequence`` are the place of the record that it rests on."""
    return pb.DepositAdvice(
        terminal_id=terminal,
        deposit_id=deposit.deposit_id,
        session_id=deposit.session_id,
        account_id=deposit.account_id,
        currency=deposit.currency.code,
        box_period_id=deposit.box_period_id,
        device_serial=deposit.device_serial,
        device_simulated=deposit.device_simulated,
        closed_at_us=closed_at_us,
        notes=notes,
        epoch=epoch,
        sequence=sequence,
    ).SerializeToString(deterministic=True)
