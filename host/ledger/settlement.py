"""Settling advices: a batch at a time, in one transaction of the database, each key once for ever."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from sqlalchemy import Connection, select

from guichet.ids import NoteId, TerminalId
from guichet.seams import Domain, Ids, Signer
from guichet.signing import BadSignature, verify
from host.bankdays import Calendar
from host.claims.numbers import claim_number
from host.fleet.incidents import Incident, open_incidents
from host.fleet.standing import SignedBy, Terminal, keys_of
from host.journal.records import forked_from
from host.ledger.advice import Advice
from host.ledger.answer import answer_to
from host.ledger.booking import CustomerAccount, Key, Place, Plan, Premature, Settled, plan
from host.ledger.kinds import Ledger
from host.ledger.reading import Deposit, customer_accounts, known_outcomes
from host.ledger.schema import advices
from host.ledger.writing import Booked, write
from host.offline.bounds import incidents_of
from host.offline.cards import CardAccounts


@dataclass(frozen=True, slots=True)
class Submission:
    """An advice, checked, with the terminal's signature over its bytes, not yet verified. ``by_host``: the host has
    made and signed it itself, for a terminal that is lost (:mod:`host.claims.lost`).
    """

    advice: Advice
    signature: bytes
    by_host: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A serialised SettlementAnswer and the host's signature over it."""

    content: bytes
    signature: bytes


class RefusalReason(Enum):
    """Why an advice was not taken."""

    BAD_SIGNATURE = "bad signature"
    SIMULATED = "simulated device"
    PREMATURE = "premature"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing of the advice was booked. ``text`` is for the engineer."""

    reason: RefusalReason
    text: str


Result = Answer | Refusal


@dataclass(slots=True)
class _Batch:
    """What is read and decided on the way through a batch."""

    known: dict[Deposit, dict[Key, Settled]]
    accounts: Mapping[str, CustomerAccount]
    forks: Mapping[tuple[TerminalId, int], int]
    answers: dict[bytes, Answer]
    booked: list[Booked] = field(default_factory=list[Booked])
    incidents: list[Incident] = field(default_factory=list[Incident])


class Settlement:
    """Books what terminals advise. Holds no state of its own: the database is the memory."""

    def __init__(self, signer: Signer, ids: Ids, calendar: Calendar, cards: CardAccounts) -> None:
        """``cards``: whose a deposit is that began without the host."""
        self._signer = signer
        self._cards = cards
        self._ids = ids
        self._calendar = calendar

    def settle(self, connection: Connection, batch: Sequence[Submission]) -> tuple[Result, ...]:
        """One result a submission, in their order. The same advice has the same answer, byte for byte, for ever."""
        keys = keys_of(connection, {submission.advice.terminal_id for submission in batch})
        batch = [self._with_account(connection, submission, keys) for submission in batch]
        work = _read(connection, [submission.advice for submission in batch])
        results = tuple(self._one(submission, keys, work) for submission in batch)
        now_us = self._calendar.clock.wall_us()
        write(connection, work.booked, work.incidents, now_us)
        alone = {(one.advice.terminal_id, one.advice.deposit_id) for one in work.booked if one.advice.offline}
        open_incidents(connection, incidents_of(connection, alone), now_us)
        return results

    def _with_account(
        self, connection: Connection, submission: Submission, keys: Mapping[TerminalId, Sequence[SignedBy]]
    ) -> Submission:
        """An advice that names a card gets the card's account; one that is refused anyhow stays as it is."""
        advice = submission.advice
        signed_by = _signed_by(submission, keys.get(advice.terminal_id, ())) if advice.offline is not None else None
        if signed_by is None or advice.offline is None or _simulated_for_real(advice, signed_by):
            return submission
        account = self._cards.account_of(connection, signed_by.terminal, advice.deposit_id, advice.offline)
        return replace(submission, advice=replace(advice, account_id=account))

    def _one(self, submission: Submission, keys: Mapping[TerminalId, Sequence[SignedBy]], work: _Batch) -> Result:
        advice = submission.advice
        signed_by = _signed_by(submission, keys.get(advice.terminal_id, ()))
        if signed_by is None:
            return Refusal(RefusalReason.BAD_SIGNATURE, f"not signed by a key of terminal {advice.terminal_id}")
        answered = work.answers.get(advice.hash)
        if answered is not None:
            return answered
        if _simulated_for_real(advice, signed_by):
            text = "a simulated device, and the terminal is not enrolled for training"
            return Refusal(RefusalReason.SIMULATED, text)
        if signed_by.revoked:
            work.incidents.append(_after_revocation(advice))
        return self._book(submission, signed_by.terminal, work)

    def _book(self, submission: Submission, terminal: Terminal, work: _Batch) -> Result:
        advice = submission.advice
        today = self._calendar.today()
        place = Place(terminal.ledger, advice.terminal_id, advice.currency.code)
        known = work.known.setdefault((advice.terminal_id, advice.deposit_id), {})
        forked = _rests_on_a_fork(advice, work.forks)
        account = None if forked else work.accounts.get(advice.account_id)
        try:
            decided = plan(advice, known, account, place, today, _numbers(advice))
        except Premature as error:
            work.incidents.append(_out_of_order(advice, str(error)))
            return Refusal(RefusalReason.PREMATURE, str(error))
        known.update({(new.note.note_id, new.note.outcome_number): new for new in decided.new})
        work.incidents += [*_conflict_incidents(advice, decided), *([_of_a_fork(advice)] if forked else ())]
        content = answer_to(advice, decided, today)
        answer = Answer(content, self._signer.sign(Domain.SETTLEMENT_ANSWER, content))
        work.answers[advice.hash] = answer
        work.booked.append(self._booked(submission, place, decided, answer, today))
        return answer

    def _booked(
        self, submission: Submission, place: Place, decided: Plan, answer: Answer, today: datetime.date
    ) -> Booked:
        return Booked(
            advice=submission.advice,
            signature=submission.signature,
            place=place,
            plan=decided,
            answer=answer.content,
            answer_signature=answer.signature,
            transaction_id=self._ids.new() if decided.legs else None,
            today=today,
            received_at_us=self._calendar.clock.wall_us(),
        )


def _read(connection: Connection, batch: Sequence[Advice]) -> _Batch:
    c = advices.c
    stored = select(c.advice_hash, c.answer, c.answer_signature)
    rows = connection.execute(stored.where(c.advice_hash.in_({advice.hash for advice in batch}))).all()
    return _Batch(
        known=known_outcomes(connection, {(advice.terminal_id, advice.deposit_id) for advice in batch}),
        accounts=customer_accounts(connection, {advice.account_id for advice in batch}),
        forks=forked_from(connection, {advice.terminal_id for advice in batch}),
        answers={key: Answer(content, signature) for key, content, signature in rows},
    )


def _signed_by(submission: Submission, keys: Sequence[SignedBy]) -> SignedBy | None:
    """By which of the terminal's keys. One of the host's own is as good as one that is in use."""
    if submission.by_host:
        return replace(keys[0], revoked=False) if keys else None
    for key in keys:
        try:
            verify(key.public_key, Domain.DEPOSIT_ADVICE, submission.advice.content, submission.signature)
        except BadSignature:
            continue
        return key
    return None


def _simulated_for_real(advice: Advice, signed_by: SignedBy) -> bool:
    return advice.simulated and signed_by.terminal.ledger is Ledger.LIVE


def _numbers(advice: Advice) -> Callable[[NoteId], str]:
    return lambda note_id: claim_number(advice.terminal_id, advice.deposit_id, note_id)


def _conflict_incidents(advice: Advice, decided: Plan) -> list[Incident]:
    return [
        Incident(
            code="settlement-conflict",
            terminal_id=advice.terminal_id,
            subject=conflict.note.note_id,
            text=f"outcome {conflict.note.outcome_number} ({conflict.note.outcome.value} {conflict.note.value}) of "
            f"deposit {advice.deposit_id}: {conflict.reason}; both are kept, neither changes the books",
            occasion=f"{conflict.note.note_id}/{conflict.note.outcome_number}/{advice.hash.hex()}",
        )
        for conflict in decided.conflicts
    ]


def _rests_on_a_fork(advice: Advice, forks: Mapping[tuple[TerminalId, int], int]) -> bool:
    """Two disks have written that part of the journal: whose its notes are, a person must find out."""
    parted = forks.get((advice.terminal_id, advice.epoch))
    return parted is not None and advice.sequence >= parted


def _of_a_fork(advice: Advice) -> Incident:
    text = f"deposit {advice.deposit_id} rests on a journal with two branches: what it credits went to suspense"
    return Incident("deposit-of-a-fork", advice.terminal_id, advice.deposit_id, text, advice.hash.hex())


def _after_revocation(advice: Advice) -> Incident:
    text = f"deposit {advice.deposit_id} was booked by an advice of a terminal whose key has been revoked: check it"
    return Incident("advice-after-revocation", advice.terminal_id, advice.deposit_id, text, advice.hash.hex())


def _out_of_order(advice: Advice, text: str) -> Incident:
    return Incident("outcome-out-of-order", advice.terminal_id, advice.deposit_id, text, advice.hash.hex())
