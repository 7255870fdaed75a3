"""Reading an advice: the bytes that a terminal signed, checked field by field as settlement.proto says. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from guichet.ids import MAX_NAME, DepositId, IdError, NoteId, TerminalId, check_id, check_terminal_id
from guichet.limits import MAX_NOTES_PER_ADVICE, MAX_OUTCOMES_PER_ADVICE
from guichet.money import Currency, Money, MoneyError
from guichet.offline import OfflineError, OfflineStart, start_of
from guichet.v1 import settlement_pb2 as pb
from host.ledger.kinds import Outcome

_OUTCOMES = {
    pb.OUTCOME_CREDITED: Outcome.CREDITED,
    pb.OUTCOME_RETURNED: Outcome.RETURNED,
    pb.OUTCOME_IN_DOUBT: Outcome.IN_DOUBT,
    pb.OUTCOME_FOUND: Outcome.FOUND,
    pb.OUTCOME_WITHHELD: Outcome.WITHHELD,
}
_MAX_OUTCOMES = 100
_MAX_PLACE = 2**63 - 1


class BadAdvice(ValueError):
    """An advice that cannot be what it claims to be. The text says why; nothing of it is booked."""


@dataclass(frozen=True, slots=True)
class AdvisedNote:
    """One numbered outcome of one note."""

    note_id: NoteId
    outcome_number: int
    outcome: Outcome
    value: Money


@dataclass(frozen=True, slots=True)
class Advice:
    """A checked advice. ``hash`` is the SHA-256 of ``content``, the bytes as they were signed.

    ``account_id`` may be empty (a note found outside any deposit, or one that began without the host: ``offline``); so
    may ``session_id``.
    """

    terminal_id: TerminalId
    deposit_id: DepositId
    session_id: str
    account_id: str
    currency: Currency
    box_period_id: str
    device_serial: str
    simulated: bool
    epoch: int
    sequence: int
    notes: tuple[AdvisedNote, ...]
    content: bytes
    hash: bytes
    offline: OfflineStart | None = None

    @property
    def place(self) -> tuple[int, int]:
        """The journal position that it rests on: epoch and sequence."""
        return self.epoch, self.sequence


def parse_advice(content: bytes) -> Advice:
    """The advice in ``content``. Raises :class:`BadAdvice`."""
    message = pb.DepositAdvice()
    try:
        message.ParseFromString(content)
        return _advice(message, content)
    except DecodeError as error:
        raise BadAdvice("not an advice") from error
    except (IdError, MoneyError, OfflineError) as error:
        raise BadAdvice(str(error)) from error


def _advice(message: pb.DepositAdvice, content: bytes) -> Advice:
    currency = Currency(message.currency)
    if len(message.notes) > MAX_OUTCOMES_PER_ADVICE:
        raise BadAdvice(f"{len(message.notes)} outcomes are over {MAX_OUTCOMES_PER_ADVICE}")
    if max(message.epoch, message.sequence) > _MAX_PLACE:
        raise BadAdvice("a journal position out of range")
    notes = tuple(_note(note, currency) for note in message.notes)
    if len({(note.note_id, note.outcome_number) for note in notes}) < len(notes):
        raise BadAdvice("the same outcome of a note stands in it twice")
    if (count := len({note.note_id for note in notes})) > MAX_NOTES_PER_ADVICE:
        raise BadAdvice(f"{count} notes are over {MAX_NOTES_PER_ADVICE}")
    if message.HasField("offline") and message.account_id:
        raise BadAdvice("a deposit that began without the host names a card, not an account")
    return Advice(
        terminal_id=check_terminal_id(message.terminal_id),
        deposit_id=DepositId(check_id(message.deposit_id)),
        session_id=check_id(message.session_id) if message.session_id else "",
        account_id=_text(message.account_id, "account_id"),
        currency=currency,
        box_period_id=_text(message.box_period_id, "box_period_id"),
        device_serial=_text(message.device_serial, "device_serial"),
        simulated=message.device_simulated,
        epoch=message.epoch,
        sequence=message.sequence,
        notes=notes,
        content=content,
        hash=hashlib.sha256(content).digest(),
        offline=start_of(message.offline) if message.HasField("offline") else None,
    )


def _note(message: pb.NoteOutcome, currency: Currency) -> AdvisedNote:
    note_id = NoteId(check_id(message.note_id))
    outcome = _OUTCOMES.get(message.outcome)
    if outcome is None:
        raise BadAdvice(f"note {note_id}: an outcome that this host does not know")
    if not 1 <= message.outcome_number <= _MAX_OUTCOMES:
        raise BadAdvice(f"note {note_id}: outcomes count from 1 to {_MAX_OUTCOMES}")
    value = Money(message.value.minor, Currency(message.value.currency))
    if value.currency != currency:
        raise BadAdvice(f"note {note_id}: {value.currency} in a deposit of {currency}")
    if value.minor <= 0:
        raise BadAdvice(f"note {note_id}: its value is not above zero")
    return AdvisedNote(note_id, message.outcome_number, outcome, value)


def _text(text: str, name: str) -> str:
    if len(text) > MAX_NAME or not text.isprintable():
        raise BadAdvice(f"{name}: at most {MAX_NAME} printable characters")
    return text
