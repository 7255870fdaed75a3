"""The evidence behind the books: signed advices and answers, chained journals, and whether they agree."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from sqlalchemy import Connection, select

from guichet.ids import NoteId, TerminalId
from guichet.journal.chain import ChainError, verify_chain
from guichet.money import Money
from guichet.seams import Domain
from guichet.signing import BadSignature, verify
from guichet.v1 import settlement_pb2 as pb
from host.fleet.standing import keys_of
from host.journal.notes import Notes, NoteStory
from host.journal.records import epochs_held, last_place, read_journal, readable_records
from host.ledger.advice import Advice, BadAdvice, parse_advice
from host.ledger.answer import BOOKINGS
from host.ledger.booking import Key, Settled
from host.ledger.kinds import Outcome
from host.ledger.reading import KeptOutcome, by_deposit
from host.ledger.schema import advices


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be. ``check`` is short and stable; ``subject`` says what it is about."""

    check: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class _Stored:
    """An advice and its answer, as bytes."""

    advice_hash: bytes
    content: bytes
    signature: bytes
    answer: bytes
    answer_signature: bytes


def answers_stand(connection: Connection, answer_key: bytes, kept: Sequence[KeptOutcome]) -> Iterator[Finding]:
    """Each advice is its terminal's, each answer is ours, and what it says is what is booked."""
    known = by_deposit(kept)
    for stored in _stored(connection):
        subject = f"advice {stored.advice_hash.hex()[:16]}"
        try:
            advice = parse_advice(stored.content)
            verify(answer_key, Domain.SETTLEMENT_ANSWER, stored.answer, stored.answer_signature)
            answer = pb.SettlementAnswer.FromString(stored.answer)
        except (BadAdvice, BadSignature, DecodeError) as error:
            yield Finding("answer", subject, str(error))
            continue
        if advice.hash != stored.advice_hash or answer.advice_hash != stored.advice_hash:
            yield Finding("answer", subject, "advice and answer are not of this hash")
        if not _signed_by_terminal(connection, advice, stored.signature) and not _is_our_own(answer_key, stored):
            yield Finding("advice", subject, f"is not signed by a key of terminal {advice.terminal_id}")
        yield from _answer_as_booked(subject, advice, answer, known.get((advice.terminal_id, advice.deposit_id), {}))


def _stored(connection: Connection) -> list[_Stored]:
    c = advices.c
    query = select(c.advice_hash, c.content, c.signature, c.answer, c.answer_signature)
    return [_Stored(*row) for row in connection.execute(query.order_by(c.received_at_us, c.advice_hash))]


def _signed_by_terminal(connection: Connection, advice: Advice, signature: bytes) -> bool:
    for key in keys_of(connection, [advice.terminal_id]).get(advice.terminal_id, ()):
        try:
            verify(key.public_key, Domain.DEPOSIT_ADVICE, advice.content, signature)
        except BadSignature:
            continue
        return True
    return False


def _is_our_own(key: bytes, stored: _Stored) -> bool:
    """Whether the host has made this advice itself, for a terminal or a disk that is lost."""
    try:
        verify(key, Domain.LOST_DEPOSIT, stored.content, stored.signature)
    except BadSignature:
        return False
    return True


def _answer_as_booked(
    subject: str, advice: Advice, answer: pb.SettlementAnswer, known: dict[Key, Settled]
) -> Iterator[Finding]:
    asked = [(note.note_id, note.outcome_number) for note in advice.notes]
    if asked != [(note.note_id, note.outcome_number) for note in answer.notes]:
        yield Finding("answer", subject, "does not answer the advice's notes")
    for note in answer.notes:
        if note.booking == pb.BOOKING_CONFLICT:
            continue
        booked = known.get((NoteId(note.note_id), note.outcome_number))
        if booked is None:
            yield Finding("answer", subject, f"note {note.note_id} was answered and is not in the books")
        elif not _says(note, booked):
            yield Finding("answer", subject, f"note {note.note_id} was answered otherwise than it is booked")


def _says(answer: pb.NoteAnswer, booked: Settled) -> bool:
    value = booked.note.value
    said = (answer.booking, answer.claim_number, answer.value.minor, answer.value.currency)
    return said == (BOOKINGS[booked.booking], booked.claim_number, value.minor, value.currency.code)


def readable_advices(connection: Connection) -> dict[bytes, Advice]:
    """The advices that were answered, by their hashes. What cannot be read is a finding of :func:`answers_stand`."""
    told: dict[bytes, Advice] = {}
    for stored in _stored(connection):
        with contextlib.suppress(BadAdvice):
            told[stored.advice_hash] = parse_advice(stored.content)
    return told


def told_by_advices(connection: Connection, kept: Sequence[KeptOutcome]) -> Iterator[Finding]:
    """What was booked by an advice stands in it, for its deposit and account, in its box. What the host resolved by
    itself names none; whose a deposit is that names a card, :mod:`host.offline.evidence` looks at.
    """
    told = readable_advices(connection)
    for outcome in kept:
        number, subject = outcome.settled.note.outcome_number, f"note {outcome.settled.note.note_id}"
        if outcome.advice_hash is None:
            continue
        advice = told.get(outcome.advice_hash)
        if advice is None or outcome.settled.note not in advice.notes:
            yield Finding("advice", subject, f"outcome {number} does not stand in the advice that it names")
        elif not _as_advised(outcome, advice):
            text = f"outcome {number} is of another account, deposit, box or device than its advice"
            yield Finding("advice", subject, text)


def _as_advised(outcome: KeptOutcome, advice: Advice) -> bool:
    settled = outcome.settled
    account = settled.account_id if advice.offline is not None else advice.account_id
    booked = (*outcome.deposit, settled.account_id, settled.box_period_id, settled.device_serial)
    said = (advice.terminal_id, advice.deposit_id, account, advice.box_period_id, advice.device_serial)
    return booked == said


# --- journals ---------------------------------------------------------------------------------------------------------


def chains_hold(connection: Connection) -> Iterator[Finding]:
    """Each journal's chain, hashed again from its first entry."""
    for terminal, epoch in epochs_held(connection):
        try:
            verify_chain(read_journal(connection, terminal, epoch), epoch)
        except ChainError as error:
            yield Finding("journal", f"terminal {terminal}, epoch {epoch}", str(error))


# How many records behind a later outcome its advice is at most; a batch may end between them.
_ADVICE_BEHIND_OUTCOME = 2


def notes_by_journal(connection: Connection) -> dict[TerminalId, Notes]:
    """The notes of every terminal, as its journal tells them."""
    notes: dict[TerminalId, Notes] = {}
    for terminal, epoch in epochs_held(connection):
        notes.setdefault(terminal, Notes()).add(epoch, readable_records(connection, terminal, epoch))
    return notes


def against_journals(connection: Connection, answer_key: bytes, kept: Sequence[KeptOutcome]) -> Iterator[Finding]:
    """What was settled is what the journal says, no note of a settled deposit was left out, and the terminal has no
    other answer than the one in the books, as it would where they came from a backup. What the host itself has put in
    doubt, the journal says nothing of.
    """
    notes = notes_by_journal(connection)
    known = by_deposit(kept)
    here = _stored(connection)
    hashes = {stored.advice_hash for stored in here}
    for stored in here:
        try:
            advice = parse_advice(stored.content)
        except BadAdvice:
            continue  # a finding of answers_stand
        if last_place(connection, advice.terminal_id, advice.epoch).sequence < advice.sequence:
            continue  # the journal is still on its way
        told = notes.get(advice.terminal_id, Notes())
        if _answered_otherwise(told.answered.get(stored.advice_hash, stored.answer), stored.answer):
            subject = f"deposit {advice.deposit_id}"
            yield Finding("answer", subject, "its terminal has an answer to the same advice that books it otherwise")
        yield from _unlike_journal(advice, told.stories, own=_is_our_own(answer_key, stored))
        on_the_way = {key for name, keys in told.advised.items() if name not in hashes for key in keys}
        taken = known.get((advice.terminal_id, advice.deposit_id), {}).keys() | on_the_way
        yield from _left_out(advice, told, taken)


def _told(story: NoteStory) -> Set[Outcome]:
    return {outcome for _, outcome in story.told}


def _answered_otherwise(there: bytes, here: bytes) -> bool:
    """Whether two answers book a note otherwise; the dates differ where the books have come back from a backup."""
    try:
        return list(pb.SettlementAnswer.FromString(there).notes) != list(pb.SettlementAnswer.FromString(here).notes)
    except DecodeError:
        return True


def _unlike_journal(advice: Advice, stories: dict[str, NoteStory], *, own: bool) -> Iterator[Finding]:
    for note in advice.notes:
        story = stories.get(note.note_id)
        if own and (story is None or note.outcome is Outcome.IN_DOUBT or note.outcome in _told(story)):
            continue  # Of a branch, its own doubt, or what the journal says of it after all.
        outcome = None if story is None else story.outcomes.get(note.outcome_number)
        if story is None or outcome is None:
            text = f"outcome {note.outcome_number} was settled and is not in the journal"
            yield Finding("journal", f"note {note.note_id}", text)
        elif (note.outcome_number, note.outcome) not in story.told or story.value != note.value:
            text = f"settled as {note.outcome.value} {note.value}, the journal says {outcome[0].value} {story.value}"
            yield Finding("journal", f"note {note.note_id}", text)


def _left_out(advice: Advice, notes: Notes, taken: Set[tuple[str, int]]) -> Iterator[Finding]:
    """A deposit has an advice for each currency that came into it: whichever of them is looked at, every note of the
    deposit must be among ``taken``, what was settled or stands in an advice that the terminal has still to send. What a
    note came to later has an advice of its own, in the same transaction of the journal.
    """
    epoch, sequence = notes.last
    until = max(advice.place, (epoch, sequence - _ADVICE_BEHIND_OUTCOME))
    for note_id, story in notes.stories.items():
        if story.deposit_id != advice.deposit_id or story.value is None:
            continue
        told = {number: outcome for number, (outcome, place) in story.outcomes.items() if place <= until}
        if not told or _nothing_to_tell(told.values(), advice, story.value):
            continue
        if (note_id, max(told)) not in taken:
            yield Finding("journal", f"note {note_id}", f"outcome {max(told)} was left out of the deposit's advices")


def _nothing_to_tell(outcomes: Iterable[Outcome], advice: Advice, value: Money) -> bool:
    """Notes of another currency that were only ever given back: for them alone no advice is signed."""
    return value.currency != advice.currency and all(outcome is Outcome.RETURNED for outcome in outcomes)
