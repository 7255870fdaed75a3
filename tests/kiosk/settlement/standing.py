"""A host in memory: what it is asked, and what it answers."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec

from guichet.ids import DepositId
from guichet.journal.records import decode, fact_of
from guichet.seams import Domain
from guichet.signing import EcdsaSigner
from guichet.v1 import journal_pb2
from guichet.v1 import settlement_pb2 as settlement
from guichet.v1 import terminal_link_pb2 as pb
from kiosk.journal.folds import Advice
from kiosk.journal.store import Journal
from kiosk.log import EventLog
from kiosk.settlement.courier import HostAway, HostRefused
from tests.kiosk.terminal.standing import SIGNER, TERMINAL, Clock

HOST = EcdsaSigner(ec.generate_private_key(ec.SECP256R1()))
DEADLINE = 20.0


class Dice:
    """Rolls what it is told."""

    rolls = 255

    def bytes(self, count: int) -> bytes:
        return bytes([self.rolls] * count)


class RealTime(Clock):
    """The wall stands still; the monotonic clock is the machine's."""

    def monotonic(self) -> float:
        return time.monotonic()


def advice(number: int, *notes: tuple[str, int]) -> journal_pb2.AdviceSigned:
    """A signed advice about deposit ``number``; notes as (id, minor units)."""
    content = settlement.DepositAdvice(
        terminal_id=TERMINAL,
        deposit_id=f"deposit-{number}",
        currency="EUR",
        notes=[note_outcome(name, minor) for name, minor in notes or ((f"note-{number}", 2000),)],
    ).SerializeToString()
    signature = SIGNER.sign(Domain.DEPOSIT_ADVICE, content)
    return journal_pb2.AdviceSigned(deposit_id=f"deposit-{number}", content=content, signature=signature)


def note_outcome(name: str, minor: int) -> settlement.NoteOutcome:
    note = settlement.NoteOutcome(note_id=name, outcome_number=1, outcome=settlement.OUTCOME_CREDITED)
    note.value.minor, note.value.currency = minor, "EUR"
    return note


def stated(content: bytes) -> settlement.SettlementAnswer:
    """The answer that the host gives to an advice."""
    asked = settlement.DepositAdvice.FromString(content)
    answer = settlement.SettlementAnswer(
        terminal_id=asked.terminal_id,
        deposit_id=asked.deposit_id,
        advice_hash=sha256(content).digest(),
        business_date="2026-01-31",
        value_date="2026-02-01",
    )
    for note in asked.notes:
        answered = answer.notes.add(
            note_id=note.note_id, outcome_number=note.outcome_number, booking=settlement.BOOKING_CUSTOMER
        )
        answered.value.CopyFrom(note.value)
    return answer


def signed(answer: settlement.SettlementAnswer, domain: Domain = Domain.SETTLEMENT_ANSWER) -> pb.SignedAnswer:
    content = answer.SerializeToString()
    return pb.SignedAnswer(content=content, signature=HOST.sign(domain, content))


def kept(signed_advice: journal_pb2.AdviceSigned) -> Advice:
    """The advice as the fold has it."""
    return Advice(DepositId(signed_advice.deposit_id), signed_advice.content, signed_advice.signature)


Answer = Callable[[pb.ConnectRequest], pb.ConnectResponse]


class Host:
    """A :class:`kiosk.settlement.courier.Courier` and :class:`kiosk.settlement.courier.LateDelivery` that keeps
    entries and answers advices. ``answers`` may replace what it does next; ``asked`` is everything that came.
    """

    def __init__(self) -> None:
        self.connected = False
        self.refused = False
        self.asked: list[str] = []
        self.late: list[str] = []
        self.late_is_open = True
        self.refuses: dict[str, Exception] = {}
        self.replace: list[Answer | Exception] = []
        self.entries: list[journal_pb2.JournalEntry] = []
        self.batches: list[tuple[int, int]] = []
        self.begun_again = 0
        self._listeners: list[Callable[[pb.Welcome | None], None]] = []
        self._happened = asyncio.Event()

    def on_change(self, listener: Callable[[pb.Welcome | None], None]) -> None:
        self._listeners.append(listener)

    def connect(self, held: pb.Welcome | None = None) -> None:
        """The link comes up."""
        self.connected, self.refused = True, False
        last = self.entries[-1] if self.entries else None
        known = pb.Welcome(held_sequence=last.sequence, held_hash=last.hash) if last is not None else pb.Welcome()
        for listener in self._listeners:
            listener(held or known)

    def disconnect(self) -> None:
        """The link goes down."""
        self.connected = False
        for listener in self._listeners:
            listener(None)

    def begin_again(self) -> None:
        """The terminal wants to say hello again; the link comes back at once."""
        self._happened.set()
        self.begun_again += 1
        self.disconnect()
        self.connect()

    def refuse(self) -> None:
        """It is there and lets the terminal in no more."""
        self.refused = True
        self.disconnect()

    async def request(self, item: pb.ConnectRequest) -> pb.ConnectResponse:
        if not self.connected:
            raise HostAway("not connected")
        self._happened.set()
        if item.WhichOneof("item") == "journal":
            entries = item.journal.entries
            self.batches.append((entries[0].sequence, entries[-1].sequence))
        else:
            self.asked.append(settlement.DepositAdvice.FromString(item.advice.content).deposit_id)
        if self.replace:
            special = self.replace.pop(0)
            if isinstance(special, Exception):
                raise special
            return special(item)
        return self.answer(item)

    def answer(self, item: pb.ConnectRequest) -> pb.ConnectResponse:
        """What it does when it does its work."""
        if item.WhichOneof("item") == "advice":
            return pb.ConnectResponse(answer=self.settle(item.advice))
        entries = item.journal.entries
        if entries[0].sequence != len(self.entries) + 1:
            raise HostRefused(pb.REFUSAL_CODE_GAP, "gap")
        self.entries.extend(entries)
        last = self.entries[-1]
        return pb.ConnectResponse(journal_held=pb.JournalHeld(epoch=1, sequence=last.sequence, hash=last.hash))

    def settle(self, signed_advice: pb.SignedAdvice) -> pb.SignedAnswer:
        deposit = settlement.DepositAdvice.FromString(signed_advice.content).deposit_id
        if deposit in self.refuses:
            raise self.refuses[deposit]
        return signed(stated(signed_advice.content))

    async def submit(self, advice: pb.SignedAdvice) -> pb.SignedAnswer:
        self._happened.set()
        self.late.append(settlement.DepositAdvice.FromString(advice.content).deposit_id)
        if not self.late_is_open:
            raise HostAway("nobody there")
        return self.settle(advice)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for what the terminal does."""
        async with asyncio.timeout(DEADLINE):
            while not true():
                self._happened.clear()
                waiting = asyncio.ensure_future(self._happened.wait())
                await asyncio.wait({waiting}, timeout=0.02)
                waiting.cancel()


def log() -> tuple[EventLog, io.StringIO]:
    """A log and what is in it."""
    stream = io.StringIO()
    return EventLog(Clock(), TERMINAL, stream), stream


def attempts(journal: Journal) -> list[tuple[str, int]]:
    """Every attempt on record."""
    facts = [fact_of(decode(entry.record)) for entry in journal.entries(1)]
    return [(fact.deposit_id, fact.attempt) for fact in facts if isinstance(fact, journal_pb2.SettlementSent)]
