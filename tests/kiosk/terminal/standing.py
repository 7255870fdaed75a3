"""A cash desk over a real journal, and a cash module that only notes what it is told, in one log with the journal."""

# apsw's own stubs leave type parameters of execute() open.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import apsw
from cryptography.hazmat.primitives.asymmetric import ec

from drivers.api.cash import (
    Accepting,
    Answered,
    CashCapabilities,
    CashEvent,
    CashStorage,
    Cleared,
    Escrowed,
    LastMark,
    Presence,
    Ready,
    Returned,
    Shut,
    Stacked,
)
from drivers.api.device import DeviceIdentity, DeviceState, DeviceStatus, SelfTestStep
from guichet.ids import DepositId, DeviceSerial, SessionId, TerminalId, make_id
from guichet.journal.records import Fact, decode, fact_of
from guichet.money import Money, parse_money
from guichet.seams import Domain
from guichet.signing import EcdsaSigner, verify
from guichet.v1 import customer_pb2
from guichet.v1 import settlement_pb2 as settlement
from kiosk.journal.folds import Deposit, Note, NotePhase
from kiosk.journal.store import Journal, Writer
from kiosk.terminal.cash_desk import CashDesk
from kiosk.terminal.note_book import NoteBook

TERMINAL = TerminalId("GVA-0001")
WRITER = Writer(TERMINAL, 1, bytes(range(32)))
SERIAL, OTHER_SERIAL = DeviceSerial("SIM000000001"), DeviceSerial("REAL00000002")
FIVE, TEN, TWENTY, DOLLARS = 2, 3, 4, 5
VALUES = {
    FIVE: parse_money("5 EUR"),
    TEN: parse_money("10 EUR"),
    TWENTY: parse_money("20 EUR"),
    DOLLARS: parse_money("20 USD"),
}
TAKEN = frozenset({VALUES[TEN], VALUES[TWENTY]})
SIGNER = EcdsaSigner(ec.generate_private_key(ec.SECP256R1()))
_IDS = count(1)


class Clock:
    """Time that only tests move."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000_000_000
        self.seconds = 0.0

    def wall_us(self) -> int:
        return self.wall

    def monotonic(self) -> float:
        return self.seconds


class Ids:
    """Ids that never repeat in a test run."""

    def new(self) -> str:
        return make_id(0, next(_IDS).to_bytes(10, "big"))


class Killed(BaseException):
    """The process ended here."""


class FakeCash:
    """A cash module that does nothing but say what it was told."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.handler: Callable[[CashEvent], None] | None = None
        self.last_mark: LastMark = lambda _: None
        self.capabilities = CashCapabilities(counter_modulus=65536)
        self.storage = CashStorage()
        self.dies_at = ""

    @property
    def status(self) -> DeviceStatus:
        return DeviceStatus(DeviceState.READY)

    async def run(self) -> None:
        """Never owned by anyone."""

    async def self_test(self) -> tuple[SelfTestStep, ...]:
        return ()

    def subscribe(self, handler: Callable[[CashEvent], None]) -> None:
        self.handler = handler

    def remember_by(self, last_mark: LastMark) -> None:
        self.last_mark = last_mark

    def _do(self, what: str) -> None:
        if what == self.dies_at:
            raise Killed
        self.log.append(what)

    def proceed(self) -> None:
        self._do("proceed")

    def enable(self) -> None:
        self._do("enable")

    def disable(self) -> None:
        self._do("disable")

    def stack(self) -> None:
        self._do("stack")

    def return_note(self) -> None:
        self._do("return")

    def acknowledge(self) -> None:
        self._do("acknowledge")


def identity(serial: DeviceSerial = SERIAL, *, simulated: bool = True) -> DeviceIdentity:
    return DeviceIdentity("ccnet", "GUICHET-SIM-CC", serial, "", simulated)


class Rig:
    """One life of a terminal's cash part. ``log`` has device calls as words and records as their names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log: list[str] = []
        connections: list[apsw.Connection] = []
        apsw.connection_hooks.append(connections.append)
        try:
            self.journal = Journal.open(path, WRITER, Clock())
        finally:
            apsw.connection_hooks.remove(connections.append)
        self.connection = connections[0]
        self.journal.observe(lambda _, fact: self.log.append(fact.DESCRIPTOR.name))
        self.cash = FakeCash(self.log)
        self.book = NoteBook(TERMINAL, self.journal, Clock(), Ids(), SIGNER)
        self.desk = CashDesk(self.cash, self.book)

    # --- what happens -----------------------------------------------------------------------------------------------

    def tell(self, event: CashEvent) -> list[str]:
        """The device says something; what follows from it, in order."""
        before = len(self.log)
        assert self.cash.handler is not None
        self.cash.handler(event)
        return self.log[before:]

    def answered(
        self,
        presence: Presence,
        note_type: int | None = None,
        counter: int | None = None,
        who: DeviceIdentity | None = None,
    ) -> list[str]:
        return self.tell(Answered(who, presence, b"first", note_type, counter))

    def ready(self, counter: int | None = 7, serial: DeviceSerial = SERIAL) -> list[str]:
        return self.tell(Ready(identity(serial), VALUES, b"table hash", counter))

    def escrowed(self, kind: int = TWENTY) -> list[str]:
        return self.tell(Escrowed(kind, VALUES.get(kind), b"escrow", b"table hash"))

    def stacked(self, kind: int = TWENTY) -> list[str]:
        return self.tell(Stacked(kind, VALUES.get(kind), b"stacked"))

    def returned(self) -> list[str]:
        return self.tell(Returned(b"returned"))

    def cleared(self, counter: int | None = 8, *, enabled: bool = False) -> list[str]:
        return self.tell(Cleared(counter, enabled))

    def does(self, work: Callable[[], object]) -> list[str]:
        """A flow does something; what follows from it."""
        before = len(self.log)
        work()
        return self.log[before:]

    def fails(self) -> None:
        """From here on nothing can be written."""
        self.connection.execute("PRAGMA query_only=ON")

    def restarted(self) -> Rig:
        """The process ends and another one opens the journal."""
        self.journal.close()
        return Rig(self.path)

    # --- as far as a certain point ----------------------------------------------------------------------------------

    def begin(self, counter: int | None = 7) -> DepositId:
        """A first start, and an open deposit with an open slot."""
        self.answered(Presence.PATH_EMPTY, counter=counter, who=identity())
        self.ready(counter)
        return self.open()

    def open(self) -> DepositId:
        if not self.desk.shut:
            self.tell(Shut())
        account = customer_pb2.Account(account_id="ACC-1", masked_number="**** 4711", currency="EUR", product="Current")
        deposit = self.desk.open_deposit(SessionId("session"), account, TAKEN, "v1")
        self.desk.accept()
        return deposit

    def one_note(self, kind: int = TWENTY, counter: int | None = 8) -> None:
        """A note goes in, all the way."""
        self.tell(Accepting())
        self.escrowed(kind)
        self.desk.take()
        self.stacked(kind)
        self.cleared(counter)

    # --- what is known ----------------------------------------------------------------------------------------------

    @property
    def facts(self) -> list[Fact]:
        """Everything on disk."""
        return [fact_of(decode(entry.record)) for entry in self.journal.entries(1)]

    def records(self, name: str) -> list[Fact]:
        return [fact for fact in self.facts if fact.DESCRIPTOR.name == name]

    @property
    def notes(self) -> list[Note]:
        return list(self.journal.fold.notes.values())

    @property
    def phases(self) -> list[NotePhase]:
        return [note.phase for note in self.notes]

    @property
    def deposits(self) -> list[Deposit]:
        return list(self.journal.fold.deposits.values())

    def advices(self) -> list[settlement.DepositAdvice]:
        """Every advice that was signed, its signature checked."""
        advices: list[settlement.DepositAdvice] = []
        for advice in self.journal.fold.outbox.values():
            verify(SIGNER.public_key(), Domain.DEPOSIT_ADVICE, advice.content, advice.signature)
            advices.append(settlement.DepositAdvice.FromString(advice.content))
        return advices

    def stated(self) -> list[list[tuple[str, int, str]]]:
        """What the host is told of notes: (outcome, outcome number, value), a list an advice."""
        return [[_stated(note) for note in advice.notes] for advice in self.advices()]


def _stated(note: settlement.NoteOutcome) -> tuple[str, int, str]:
    outcome = settlement.Outcome.Name(note.outcome).removeprefix("OUTCOME_")
    return outcome, note.outcome_number, f"{note.value.minor} {note.value.currency}"


def euros(minor: int) -> Money:
    return Money(minor, VALUES[FIVE].currency)
