"""A host in memory: what it is asked, and what it answers."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec

from guichet.ids import DepositId
from guichet.journal.chain import Entry
from guichet.journal.checkpoint import Checkpoint, countersigned
from guichet.journal.line import line
from guichet.journal.records import decode, fact_of
from guichet.seams import Domain
from guichet.signing import EcdsaSigner
from guichet.v1 import journal_pb2, replication_pb2
from guichet.v1 import settlement_pb2 as settlement
from guichet.v1 import terminal_link_pb2 as pb
from host.journal.intake import Gap, Place, parse_batch, take_in
from kiosk.journal.folds import Advice
from kiosk.journal.store import Journal
from kiosk.log import EventLog
from kiosk.settlement.courier import HostAway, HostRefused
from tests.kiosk.terminal.standing import SIGNER, TERMINAL, Clock

HOST = EcdsaSigner(ec.generate_private_key(ec.SECP256R1()))
DEADLINE = 20.0
DAY_US = 24 * 60 * 60 * 1_000_000


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


class Copy:
    """A host's copy of the journal that holds everything, or nothing."""

    def __init__(self) -> None:
        self.up_to: tuple[int, int] = (9, 9)
        self._listeners: list[Callable[[], None]] = []

    def holds(self, place: tuple[int, int]) -> bool:
        return place <= self.up_to

    def on_progress(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def grow(self, place: tuple[int, int]) -> None:
        self.up_to = place
        for listener in self._listeners:
            listener()


Answer = Callable[[pb.ConnectRequest], pb.ConnectResponse]


class Host:
    """A :class:`kiosk.settlement.courier.Courier` and :class:`kiosk.settlement.courier.LateDelivery` that keeps
    entries and answers advices. ``answers`` may replace what it does next; ``asked`` is everything that came.
    """

    def __init__(self) -> None:
        self.epoch = 1
        self.connected = False
        self.refused = False
        self.asked: list[str] = []
        self.late: list[str] = []
        self.late_is_open = True
        self.refuses: dict[str, Exception] = {}
        self.replace: list[Answer | Exception] = []
        self.entries: list[journal_pb2.JournalEntry] = []
        self.branch: set[tuple[int, bytes]] = set()
        self.days = 0
        self.batches: list[tuple[int, int]] = []
        self.begun_again = 0
        self._listeners: list[Callable[[pb.Welcome | None], None]] = []
        self._happened = asyncio.Event()

    def on_change(self, listener: Callable[[pb.Welcome | None], None]) -> None:
        self._listeners.append(listener)

    def connect(self, held: pb.Welcome | None = None) -> None:
        """The link comes up."""
        self.connected, self.refused = True, False
        for listener in self._listeners:
            listener(held or self.welcome())

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
        return pb.ConnectResponse(journal_held=self._take_in(item.journal))

    def _take_in(self, batch: pb.JournalBatch) -> pb.JournalHeld:
        """With the host's own decision about it."""
        entries = parse_batch(batch.entries)
        epoch, mine = entries[0].epoch, [entry for entry in self.entries if entry.epoch == entries[0].epoch]
        held = {entry.sequence: entry.hash for entry in mine}
        last = Place(mine[-1].sequence, mine[-1].hash) if mine else Place()
        on_a_branch = (entries[0].sequence - 1, entries[0].previous_hash) in self.branch
        try:
            intake = take_in(entries, last, held, on_a_branch=on_a_branch)
        except Gap as gap:
            raise HostRefused(pb.REFUSAL_CODE_GAP, str(gap)) from gap
        self.branch.update((entry.sequence, entry.hash) for entry in intake.forked)
        if intake.forked:
            raise HostRefused(pb.REFUSAL_CODE_FORK, "fork", intake.forked[0].sequence)
        new = {entry.sequence for entry in intake.new}
        self.entries.extend(entry for entry in batch.entries if entry.sequence in new)
        held_now = pb.JournalHeld(epoch=epoch, sequence=entries[-1].sequence, hash=entries[-1].hash)
        held_now.forked_sequence = self.forked_sequence(epoch)
        if batch.countersign:
            held_now.checkpoint.CopyFrom(self.checkpoint(epoch, held_now.sequence, held_now.hash))
        return held_now

    def forked_sequence(self, epoch: int) -> int:
        """From where on two disks have written ``epoch``; branches are of the first."""
        return min((sequence for sequence, _ in self.branch if epoch == 1), default=0)

    def checkpoint(self, epoch: int, sequence: int, digest: bytes) -> replication_pb2.SignedCheckpoint:
        """Its word about an entry; every one a day after the last."""
        self.days += 1
        return countersigned(Checkpoint(TERMINAL, epoch, sequence, digest, self.days * DAY_US), HOST)

    def welcome(self, epoch: int = 0) -> pb.Welcome:
        """What it says to a hello in ``epoch``, or in its terminal's."""
        epoch = epoch or self.epoch
        entries = [Entry(one.epoch, one.sequence, one.previous_hash, one.hash, one.record) for one in self.entries]
        last = {entry.epoch: entry for entry in line(entries)}
        earlier = (one for number, one in sorted(last.items()) if number < epoch)
        held = (replication_pb2.EpochHeld(epoch=one.epoch, sequence=one.sequence, hash=one.hash) for one in earlier)
        beside = sorted({entry.epoch for entry in entries if entry.epoch < epoch} - last.keys())
        known = pb.Welcome(earlier=held, forked_sequence=self.forked_sequence(epoch), beside=beside)
        if epoch in last:
            known.held_sequence, known.held_hash = last[epoch].sequence, last[epoch].hash
        return known

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
