"""What the host is advised of about a deposit: pure, from the journal's fold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

from guichet.ids import TerminalId
from guichet.journal.records import to_wire
from guichet.limits import MAX_NOTES_PER_ADVICE, MAX_OUTCOMES_PER_ADVICE
from guichet.money import Currency, Money
from guichet.offline import start_message
from guichet.v1 import settlement_pb2 as pb
from kiosk.journal.folds import Deposit, Note, NotePhase, Place

_OUTCOMES = {
    NotePhase.STACKED: pb.OUTCOME_CREDITED,
    NotePhase.ACK_SENT: pb.OUTCOME_CREDITED,
    NotePhase.CLEARED: pb.OUTCOME_CREDITED,
    NotePhase.RETURNED: pb.OUTCOME_RETURNED,
    NotePhase.IN_DOUBT: pb.OUTCOME_IN_DOUBT,
    NotePhase.FOUND: pb.OUTCOME_FOUND,
}
_SETTLES_SOMETHING = frozenset({pb.OUTCOME_CREDITED, pb.OUTCOME_IN_DOUBT, pb.OUTCOME_FOUND})


def outcomes(notes: Iterable[Note]) -> dict[Currency, list[pb.NoteOutcome]]:
    """Every outcome of each note, in order, because the host takes the second only after the first; by currency,
    because an advice is of one. A deposit takes one currency, but a note of another can get stuck on its way back.
    """
    stated: dict[Currency, list[pb.NoteOutcome]] = {}
    for note in notes:
        for number, phase in (*note.earlier, (note.outcome_number, note.phase)):
            if phase in _OUTCOMES and note.value is not None:
                stated.setdefault(note.value.currency, []).append(_stated(note, note.value, number, phase))
    return stated


def last_outcome(note: Note) -> dict[Currency, list[pb.NoteOutcome]]:
    """Only the last one: what follows an advice that told of those before."""
    return outcomes([replace(note, earlier=())])


def _stated(note: Note, value: Money, number: int, phase: NotePhase) -> pb.NoteOutcome:
    return pb.NoteOutcome(
        note_id=note.note_id, outcome_number=number, outcome=_OUTCOMES[phase], value=to_wire(value)
    )  # fmt: skip


def in_advices(notes: list[pb.NoteOutcome]) -> list[list[pb.NoteOutcome]]:
    """``notes``, all of one currency, as the contents of as many advices as they need. All outcomes of a note stay
    together. Only a device that reports one find after another fills more than one.
    """
    advices: list[list[pb.NoteOutcome]] = [[]]
    for _, stated in groupby(notes, key=lambda note: note.note_id):
        of_one_note = list(stated)
        count = len({note.note_id for note in advices[-1]})
        if count >= MAX_NOTES_PER_ADVICE or len(advices[-1]) + len(of_one_note) > MAX_OUTCOMES_PER_ADVICE:
            advices.append([])
        advices[-1].extend(of_one_note)
    return advices


def settles_something(notes: Iterable[pb.NoteOutcome]) -> bool:
    """Whether the host has anything to book, to look for, or to take back: a later outcome, also of a note that was
    given back after all, follows one that it was told.
    """
    return any(note.outcome in _SETTLES_SOMETHING or note.outcome_number > 1 for note in notes)


def advice_bytes(
    terminal: TerminalId,
    deposit: Deposit,
    currency: Currency,
    notes: list[pb.NoteOutcome],
    closed_at_us: int,
    place: Place,
) -> bytes:
    """The advice of ``notes``, which are all of ``currency``, serialised this once. ``place``: of the record that it
    rests on.
    """
    epoch, sequence = place
    return pb.DepositAdvice(
        terminal_id=terminal,
        deposit_id=deposit.deposit_id,
        session_id=deposit.session_id,
        account_id=deposit.account_id,
        currency=currency.code,
        box_period_id=deposit.box_period_id,
        device_serial=deposit.device_serial,
        device_simulated=deposit.device_simulated,
        closed_at_us=closed_at_us,
        notes=notes,
        epoch=epoch,
        sequence=sequence,
        offline=None if deposit.offline is None else start_message(deposit.offline),
    ).SerializeToString(deterministic=True)
