"""Delivers advices, oldest first, until the host has answered each; one that is refused never blocks the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256

from google.protobuf.message import DecodeError

from guichet.seams import Clock, Domain, Random
from guichet.signing import BadSignature, verify
from guichet.v1 import journal_pb2, settlement_pb2
from guichet.v1 import terminal_link_pb2 as pb
from kiosk.journal.faults import JournalError
from kiosk.journal.folds import Advice, Place
from kiosk.journal.store import Journal
from kiosk.log import EventLog
from kiosk.settlement.courier import Courier, HostAway, HostRefused, JournalCopy, LateDelivery
from kiosk.settlement.waiting import Backoff, jittered

_RETRY = Backoff(first=2.0, longest=600.0)
# So long without a session, and what is signed goes the way that needs none.
_LATE_SECONDS = 60.0
_RAREST_LATE = 3600.0


class BadAnswer(Exception):
    """An answer that is not the host's, or not to this advice. It is not taken; the advice stays open."""


@dataclass(frozen=True, slots=True)
class _Again:
    """When to try an advice again: ``due`` in monotonic seconds. Each time that it is not taken doubles ``wait``."""

    due: float
    wait: float


class Settler:
    """The terminal's outbox at work."""

    def __init__(
        self,
        journal: Journal,
        link: Courier,
        late: LateDelivery,
        copy: JournalCopy,
        host_signing_key: bytes,
        clock: Clock,
        random: Random,
        log: EventLog,
        late_seconds: float = _LATE_SECONDS,
    ) -> None:
        """``copy``: over a session an advice goes after the records that it rests on, so that the books never know what
        the journal's copy does not. ``late_seconds``: how long to wait for a session before delivering without one.
        """
        self._journal = journal
        self._copy = copy
        self._places: dict[bytes, Place] = {}
        self._link = link
        self._late = late
        self._late_seconds = late_seconds
        self._late_wait = late_seconds
        self._late_due = 0.0
        self._host_key = host_signing_key
        self._clock = clock
        self._random = random
        self._log = log
        self._moved = asyncio.Event()
        self._again: dict[bytes, _Again] = {}
        self._alarmed: set[tuple[bytes, str]] = set()
        self._settled = asyncio.Condition()
        journal.observe(lambda _entry, _fact: self._moved.set())
        link.on_change(self._on_link)
        copy.on_progress(self._moved.set)

    def _on_link(self, welcome: pb.Welcome | None) -> None:
        if welcome is not None:
            self._again.clear()  # A host that is back deserves to be asked at once.
        self._late_wait = 0.0 if self._link.refused else self._late_seconds
        self._late_due = self._clock.monotonic() + self._late_wait
        self._moved.set()

    async def run(self) -> None:
        """Settle until cancelled; a journal that takes no record any more ends it, for no answer could be kept."""
        self._late_due = self._clock.monotonic() + self._late_wait
        while True:
            try:
                await self._settle()
            except JournalError as error:
                self._log.event("journal.failed", reason=str(error))

    async def _settle(self) -> None:
        while True:
            # Read once: what comes due between two readings would be neither sent nor waited for.
            now = self._clock.monotonic()
            connected = self._link.connected
            advice = self._next(now, copied=connected)
            if advice is not None and connected:
                await self._deliver(advice, self._by_link)
            elif advice is not None and now >= self._late_due:
                answered = await self._deliver(advice, self._late.submit)
                # Once the way is open the others follow at once, also after a refusal, which blocks only what it is
                # about; while nobody answers it is tried more and more rarely.
                self._late_wait = 0.0 if answered else min(max(self._late_wait * 2, self._late_seconds), _RAREST_LATE)
                self._late_due = self._clock.monotonic() + jittered(self._late_wait, self._random)
            else:
                await self._wait(now)

    def _next(self, now: float, *, copied: bool) -> Advice | None:
        """The oldest that is due; where ``copied``, only one whose records the host holds."""
        if self._journal.failure is not None:
            return None
        for digest, advice in self._journal.fold.outbox.items():
            again = self._again.get(digest)
            due = again is None or now >= again.due
            if due and (not copied or self._copy.holds(self._place_of(advice))):
                return advice
        return None

    def _place_of(self, advice: Advice) -> Place:
        """Of the last record that it tells of."""
        place = self._places.get(advice.digest)
        if place is None:
            stated = settlement_pb2.DepositAdvice.FromString(advice.content)
            place = self._places[advice.digest] = stated.epoch, stated.sequence
        return place

    async def _wait(self, now: float) -> None:
        """Until something moves, or something is due."""
        due = [again.due for again in self._again.values() if again.due > now]
        if self._journal.fold.outbox and not self._link.connected and self._late_due > now:
            due.append(self._late_due)
        try:
            async with asyncio.timeout(min(due) - now if due else None):
                await self._moved.wait()
        except TimeoutError:
            return
        self._moved.clear()

    async def _by_link(self, advice: pb.SignedAdvice) -> pb.SignedAnswer:
        return (await self._link.request(pb.ConnectRequest(advice=advice))).answer

    async def _deliver(self, advice: Advice, way: Callable[[pb.SignedAdvice], Awaitable[pb.SignedAnswer]]) -> bool:
        """Send it once. Gives whether the host said anything, be it a refusal."""
        digest = advice.digest
        sent = journal_pb2.SettlementSent(deposit_id=advice.deposit_id, attempt=advice.attempts + 1, advice_hash=digest)
        self._journal.append(sent)
        try:
            answer = await way(pb.SignedAdvice(content=advice.content, signature=advice.signature))
            self._accept(advice, answer)
        except (HostRefused, BadAnswer) as error:
            wait = self._try_again(digest)
            self._log.event("settlement.refused", deposit=advice.deposit_id, reason=str(error), retry_seconds=wait)
            self._alarm(advice, error)
        except HostAway:
            self._try_again(digest)
            return False
        else:
            self._again.pop(digest, None)
            self._places.pop(digest, None)
            async with self._settled:
                self._settled.notify_all()
        return True

    def _try_again(self, digest: bytes) -> float:
        """Not at once; gives the seconds until then."""
        before = self._again.get(digest)
        wait = _RETRY.after(before.wait if before is not None else None)
        seconds = jittered(wait, self._random)
        self._again[digest] = _Again(self._clock.monotonic() + seconds, wait)
        return round(seconds, 3)

    def _alarm(self, advice: Advice, error: HostRefused | BadAnswer) -> None:
        """A person should know, once for each reason: with the record, the host hears of it too, whatever it answers.
        That the host is busy is no reason.
        """
        if isinstance(error, BadAnswer):
            code = "settlement-answer-refused"
        elif error.code == pb.REFUSAL_CODE_BUSY:
            return
        else:
            code = "settlement-refused"
        if (advice.digest, code) not in self._alarmed:
            self._alarmed.add((advice.digest, code))
            text = f"deposit {advice.deposit_id} is not settled, and is sent again: {error}"
            self._journal.append(journal_pb2.Incident(code=code, device="terminal", text=text))

    def _accept(self, advice: Advice, answer: pb.SignedAnswer) -> None:
        """Check that the answer is the host's and to this advice, then keep it."""
        stated = check_answer(advice, answer, self._host_key)
        conflicts = [
            journal_pb2.Incident(code="settlement-conflict", text="the host holds other content", note_id=note.note_id)
            for note in stated.notes
            if note.booking == settlement_pb2.BOOKING_CONFLICT
        ]
        settled = journal_pb2.Settled(
            deposit_id=advice.deposit_id, answer=answer.content, signature=answer.signature, advice_hash=advice.digest
        )
        self._journal.append(settled, *conflicts)
        self._log.event(
            "settlement.settled", deposit=advice.deposit_id, notes=len(stated.notes), conflicts=len(conflicts)
        )

    async def wait_settled(self, deposit_id: str, seconds: float) -> settlement_pb2.SettlementAnswer | None:
        """The host's answer about a deposit, waiting up to ``seconds`` for it."""

        def answered() -> bool:
            return any(known == deposit_id for known in self._journal.fold.answers)

        try:
            async with asyncio.timeout(seconds), self._settled:
                await self._settled.wait_for(answered)
        except TimeoutError:
            return None
        for known, answer in self._journal.fold.answers.items():
            if known == deposit_id:
                return settlement_pb2.SettlementAnswer.FromString(answer)
        return None


def check_answer(advice: Advice, answer: pb.SignedAnswer, host_key: bytes) -> settlement_pb2.SettlementAnswer:
    """The answer, once it is sure to be the host's, to this advice, about the same notes and amounts. Raises
    :class:`BadAnswer`.
    """
    try:
        verify(host_key, Domain.SETTLEMENT_ANSWER, answer.content, answer.signature)
        stated = settlement_pb2.SettlementAnswer.FromString(answer.content)
    except (BadSignature, DecodeError) as error:
        raise BadAnswer(str(error)) from error
    asked = settlement_pb2.DepositAdvice.FromString(advice.content)
    if stated.advice_hash != sha256(advice.content).digest() or stated.deposit_id != asked.deposit_id:
        raise BadAnswer("the answer is to another advice")
    expected = [(n.note_id, n.outcome_number, n.value.minor, n.value.currency) for n in asked.notes]
    if [(n.note_id, n.outcome_number, n.value.minor, n.value.currency) for n in stated.notes] != expected:
        raise BadAnswer("the answer is about other notes or amounts")
    return stated
