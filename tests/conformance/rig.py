"""A cash desk over a real journal, the driver under test, and its device, joined in memory and in virtual time.

The terminal can die at any record and live again; the device can lose its power at any time; the paper is counted where
only the simulator knows it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from drivers.api.cash import CashEvent, CashModule, TroubleKind
from drivers.context import DriverContext
from drivers.errors import DeviceError, TransportError
from drivers.simulation.cash_device import SimulatedCash
from drivers.simulation.notes import Place, Vault
from drivers.simulation.script import parse
from drivers.transport.api import ByteTransport, OpenTransport
from drivers.transport.memory import MemoryTransport, memory_pair
from drivers.transport.recorder import Tape, recorded
from drivers.transport.recording import Header, Moment, Recording
from guichet.ids import BoxPeriodId, DepositId, SessionId, TerminalId, make_id
from guichet.journal.chain import Entry
from guichet.journal.records import Fact, decode, fact_of
from guichet.money import Money, parse_money
from guichet.signing import EcdsaSigner
from guichet.v1 import customer_pb2
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import Fold, Note, NotePhase
from kiosk.journal.store import Journal, Writer
from kiosk.terminal.cash_desk import CashDesk
from kiosk.terminal.desk_view import Stage
from kiosk.terminal.note_book import NoteBook
from tests.conformance.boxes import Boxes, PhysicalBox, WatchedVault
from tests.conformance.conduct import Conduct, WatchedLine, WatchedModule
from tests.conformance.subject import Subject

TERMINAL = TerminalId("GVA-0001")
SIGNER = EcdsaSigner(ec.generate_private_key(ec.SECP256R1()))
_TAKEN = ("0.20 EUR", "0.50 EUR", "1 EUR", "2 EUR", "5 EUR", "10 EUR", "20 EUR", "50 EUR", "100 EUR")
TAKEN = frozenset(parse_money(face) for face in _TAKEN)
ACCOUNT = customer_pb2.Account(account_id="ACC", masked_number="**** 1", currency="EUR", product="Current")
_LATENCY = 0.002
_CREDITED = (NotePhase.STACKED, NotePhase.ACK_SENT, NotePhase.CLEARED)


class Dead(BaseException):
    """The terminal's process has just been killed."""


class Clock:
    """The loop's time, for journal and ids."""

    def wall_us(self) -> int:
        return int(asyncio.get_running_loop().time() * 1_000_000) + 1_700_000_000_000_000

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class Ids:
    """Ids that do not repeat within a rig."""

    def __init__(self) -> None:
        self._last = 0

    def new(self) -> str:
        self._last += 1
        return make_id(0, self._last.to_bytes(10, "big"))


class MortalJournal(Journal):
    """A journal whose process can die right before or right after a certain record."""

    on_period: Callable[[BoxPeriodId], None] | None = None
    dies_before: Callable[[Fact], bool] | None = None
    dies_after: Callable[[Fact], bool] | None = None

    def append(self, *facts: Fact) -> Entry:
        if self.dies_before is not None and any(self.dies_before(fact) for fact in facts):
            raise Dead
        entry = super().append(*facts)
        for fact in facts:
            if isinstance(fact, pb.BoxPeriodOpened) and self.on_period is not None:
                self.on_period(BoxPeriodId(fact.box_period_id))
        if self.dies_after is not None and any(self.dies_after(fact) for fact in facts):
            raise Dead
        return entry


class Recorder:
    """Keeps everything of every connection, as a :class:`drivers.transport.recorder.Listener`."""

    def __init__(self) -> None:
        self._connections: list[tuple[Header, list[Moment]]] = []

    def began(self, header: Header) -> None:
        self._connections.append((header, []))

    def heard(self, moment: Moment) -> None:
        self._connections[-1][1].append(moment)

    @property
    def recordings(self) -> list[Recording]:
        """A recording a connection."""
        return [Recording(header, tuple(moments)) for header, moments in self._connections]


class Rig:
    """One terminal's cash part, one device, one wire. ``told`` is every event of every life, in order; ``latency`` how
    many seconds each answer is under way.
    """

    def __init__(self, subject: Subject, place: Path, script: Path | None = None, *, record: bool = False) -> None:
        self.subject = subject
        self.recorder = Recorder() if record else None
        self.boxes = Boxes()
        self._others: list[Vault] = []
        self.vault = self._new_vault()
        self._before = 0
        self.conduct = Conduct(acknowledges=subject.acknowledges)
        self.device = self._watched(subject.device(self.vault, script))
        self.path = place / "journal.db"
        self.told: list[CashEvent] = []
        self.lives = 0
        self.plugged = True
        self.latency: Callable[[], float] = lambda: _LATENCY
        self._ids = Ids()
        self._life: asyncio.Task[None] | None = None
        self._far: MemoryTransport | None = None
        self.journal: MortalJournal
        self.desk: CashDesk
        self.module: CashModule

    @property
    def now(self) -> float:
        """The time in this world."""
        return asyncio.get_running_loop().time()

    @property
    def fold(self) -> Fold:
        """What the journal amounts to."""
        return self.journal.fold

    # --- lives of the terminal --------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A life of the terminal begins."""
        self.device.advance(self.now)  # What happened to it meanwhile, nobody saw.
        self.lives += 1
        journal = MortalJournal.open(self.path, Writer(TERMINAL, 1, bytes(32)), Clock())
        assert isinstance(journal, MortalJournal)
        self.journal = journal
        journal.on_period = lambda period: self.boxes.opened(period, self._box)
        context = DriverContext(lambda: self.now, self._random, self._recorded())
        self.conduct.begin()
        self.module = WatchedModule(self.subject.module(context), self.conduct)
        self.module.subscribe(self.told.append)
        self.desk = CashDesk(self.module, NoteBook(TERMINAL, journal, Clock(), self._ids, SIGNER))
        self._life = asyncio.create_task(self._live())

    async def _live(self) -> None:
        """Until killed; a line that goes is opened again, as the supervisor does."""
        self.desk.close_orphan()
        while True:
            try:
                await self.module.run()
            except DeviceError:
                await asyncio.sleep(0.5)
            except BaseExceptionGroup as group:
                if group.subgroup(Dead) is None:
                    raise
                raise Dead from group

    async def kill(self) -> None:
        """The process ends here, without a farewell."""
        life, self._life = self._life, None
        if life is not None:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
            self.journal.close()
            _check(life)
        if self._far is not None:
            self._far.close()

    def check_life(self) -> None:
        """Raises what has ended the terminal's process, where that was no death that was meant."""
        if self._life is not None:
            _check(self._life)

    @property
    def dead(self) -> bool:
        """The process has died by itself, at the record that it was to die at."""
        return self._life is None or self._life.done()

    def _random(self, count: int) -> bytes:
        return bytes((self.lives * 31 + n) % 256 for n in range(count))

    def _recorded(self) -> OpenTransport:
        if self.recorder is None:
            return self._open
        header = Header("cash", self.subject.driver, "memory", self.subject.options)
        tape = Tape(lambda: header, lambda: self.module.status.identity)
        tape.reveal()
        tape.listen(self.recorder)
        return recorded(self._open, tape, lambda: self.now)

    # --- the wire ---------------------------------------------------------------------------------------------------

    def _watched(self, device: SimulatedCash) -> SimulatedCash:
        device.on_order = self.conduct.ordered
        return device

    async def _open(self, address: str) -> ByteTransport:
        if not self.plugged:
            raise TransportError("cash", "absent", address)
        near, far = memory_pair("cash")
        self._far = far
        self.conduct.connected()
        asyncio.get_running_loop().create_task(self._be_the_device(far))
        return WatchedLine(near, self.conduct)

    async def _be_the_device(self, far: MemoryTransport) -> None:
        last = 0.0
        with suppress(TransportError):
            while True:
                data = await far.read()
                answer = b"".join([self.device.receive(part, self.now) for part in self.conduct.arriving(data)])
                if answer:
                    last = max(last, self.now + self.latency())
                    asyncio.get_running_loop().call_at(last, self._say, far, answer)
                if (at := self.device.late_at) is not None:
                    asyncio.get_running_loop().call_at(at, self._say_late, far)

    def _say_late(self, far: MemoryTransport) -> None:
        if late := self.device.collect(self.now):
            self._say(far, late)
        if (at := self.device.late_at) is not None:
            # Another one, or this one: a timer may go off by a rounding too early.
            asyncio.get_running_loop().call_at(max(at, self.now + 0.001), self._say_late, far)

    def _say(self, far: MemoryTransport, answer: bytes) -> None:
        with suppress(TransportError):
            far.write(answer)

    def unplug(self) -> None:
        """The cable is pulled: the line hangs up, and cannot be opened until :meth:`plug`."""
        self.plugged = False
        if self._far is not None:
            self._far.close()

    def plug(self) -> None:
        """The cable is back."""
        self.device.advance(self.now)
        self.plugged = True

    # --- waiting ----------------------------------------------------------------------------------------------------

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    def at(self, when: float, do: Callable[[], None]) -> None:
        """Let something happen at a certain time."""
        asyncio.get_running_loop().call_at(when, do)

    async def until(self, true: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
        """Until ``true()``; fails with ``what`` was waited for."""
        end = self.now + seconds
        while not true():
            self.check_life()
            assert self.now < end, f"{self.subject.name}: never {what}; told {self.told[-6:]}, view {self.desk.view}"
            await asyncio.sleep(0.03)

    async def ready(self) -> None:
        """Until a deposit can begin."""
        await self.until(lambda: self.desk.view.ready, "ready")

    @property
    def unrest(self) -> str:
        """What keeps the desk from taking the next note; empty where nothing does."""
        wants = {
            "not ready": not self.desk.view.ready,
            f"undecided: {self.fold.open_note}": self.desk.undecided,
            "the deposit is open": self.fold.open_deposit is not None,
        }
        return ", ".join(what for what, is_so in wants.items() if is_so)

    async def at_rest(self, seconds: float = 180.0) -> None:
        """Until every note is decided and the device can take the next one, or so many seconds have passed."""
        end = self.now + seconds
        while self.unrest and self.now < end:
            self.check_life()
            await asyncio.sleep(0.05)

    async def heard_again(self) -> None:
        """Until a device that lost its power or fell silent has told what it has to tell."""

        def answers() -> bool:
            self.device.advance(self.now)
            return self.device.powered and not self.device.line.mute

        await self.until(answers, "a device that answers")
        await self.sleep(8.0)  # Longer than either end takes to notice that the other is back.
        await self.at_rest()

    # --- a customer -------------------------------------------------------------------------------------------------

    def open_deposit(self) -> DepositId:
        """A deposit of euros."""
        return self.desk.open_deposit(SessionId("session"), ACCOUNT, TAKEN, "v1")

    async def next_customer(self) -> DepositId:
        """A deposit, as soon as the device has told all that came in before."""
        self.desk.ask_whether_shut()
        await self.until(lambda: self.desk.shut or self.dead, "a slot that is shut")
        return self.open_deposit()

    async def insert(self, face: str, *, readable: bool = True) -> None:
        """Push a note in as soon as the slot is open."""
        self.desk.accept()
        await self.until(lambda: self._slot_open() or self.dead, "an open slot")
        self._before = len(self.fold.notes)
        money = parse_money(face)
        kind = self.device.type_of(money)
        self.device.insert(str(money), kind or 0, self.now, readable=readable and kind is not None)

    def push_unasked(self, face: str) -> None:
        """The device draws a note in though its slot is shut, unless something is in its way."""
        money = parse_money(face)
        self.device.draw_in(str(money), self.device.type_of(money) or 0, self.now)

    def _slot_open(self) -> bool:
        self.device.advance(self.now)
        return self.device.powered and self.device.accepts and self.device.metal.note is None

    async def first_note_in_escrow(self, face: str, fault: str = "") -> Note:
        """The terminal begins, somebody opens a deposit, and a note of ``face`` lies in escrow; ``fault``: what happens
        to it, in the words of a script.
        """
        self.begin()
        await self.ready()
        await self.next_customer()
        if fault:
            self.device.follow(*parse(f"note {self.device.inserted + 1}: {fault}"))
        await self.insert(face)
        return await self.escrowed()

    async def escrowed(self) -> Note:
        """Until a note of this deposit lies in escrow, on record."""

        def there() -> bool:
            note = self.fold.open_note
            return note is not None and note.phase is NotePhase.ESCROWED

        await self.until(there, "a note in escrow")
        note = self.fold.open_note
        assert note is not None
        return note

    async def deposit(self, *faces: str) -> None:
        """A whole deposit: every note in, taken, and the deposit closed."""
        await self.next_customer()
        for face in faces:
            await self.insert(face)
            await self.take()
        self.desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)

    async def take(self) -> None:
        """Take the note that was pushed in, where it waits to be decided about; until it is cleared."""
        if self.module.capabilities.escrow:
            await self.escrowed()
            self.desk.take()
        else:
            await self.until(lambda: len(self.fold.notes) > self._before, "the coin on record")
        await self.until(self._cleared, "the note to be cleared")

    def _cleared(self) -> bool:
        settled = self.fold.open_note is None
        moving = self.desk.view.stage in (Stage.DRAWING_IN, Stage.ESCROW, Stage.STACKING, Stage.CLEARING)
        return settled and not moving and self.device.metal.note is None

    def settled(self) -> bool:
        """The device moves nothing and holds nothing back."""
        self.device.advance(self.now)
        note = self.fold.open_note
        return self.device.metal.note is None and (note is None or note.phase is NotePhase.IN_DOUBT)

    def facts(self) -> list[Fact]:
        """Everything on record."""
        return [fact_of(decode(entry.record)) for entry in self.journal.entries(1)]

    def swap_device(self) -> None:
        """Another device of the same kind stands in the place of this one, with a box of its own and a count that would
        prove a note if it were believed.
        """
        self._others.append(self.vault)
        self.vault = self._new_vault(box="OTHER-BOX", counter=self.vault.counter + 1)
        self.device = self._watched(self.subject.device(self.vault, serial="OTHER-000001"))

    # --- the boxes --------------------------------------------------------------------------------------------------

    def _new_vault(self, **what: Any) -> Vault:
        vault = WatchedVault(None, **what)
        number = len(self._others)
        vault.on_stacked = lambda: self.boxes.stacked((number, vault.box))
        vault.on_exchanged = lambda: self.boxes.exchanged((number, vault.box), hidden=self._sees_nothing)
        return vault

    @property
    def _vaults(self) -> tuple[Vault, ...]:
        return *self._others, self.vault

    @property
    def _box(self) -> PhysicalBox:
        """The one that stands there now."""
        return len(self._others), self.vault.box

    @property
    def _sees_nothing(self) -> bool:
        return self.dead or not self.plugged or not self.device.powered or self.device.line.mute

    # --- the count --------------------------------------------------------------------------------------------------

    def paper(self) -> Counter[Money]:
        """What physically lies in the boxes, by value; an unreadable paper has none."""
        notes = [note for vault in self._vaults for note in vault.notes]
        return Counter(parse_money(note.face) for note in notes if note.place is Place.BOX)

    def notes_by(self, *phases: NotePhase) -> Counter[Money]:
        """Notes of the journal, by value."""
        return by_value(self.fold.notes.values(), *phases)

    @property
    def credited(self) -> Counter[Money]:
        """Notes for which a customer gets money."""
        return self.notes_by(*_CREDITED)

    def _swallowed(self) -> int:
        """How many coins may have fallen untold. Of what is taken without escrow, one may fall as the power goes, and
        nobody can know which: for each such time, an attendant has been called.
        """
        incidents = [fact.code for fact in self.facts() if isinstance(fact, pb.Incident)]
        return 0 if self.subject.escrow else incidents.count(TroubleKind.EVENTS_MISSED.value)

    def conserve(self, *, hidden: bool = False, mistaken: bool = False) -> None:
        """credited + found <= notes in the box <= credited + found + in doubt, for each box by itself and by value
        (design, section 1); and the driver did nothing that it may not do (:class:`tests.conformance.conduct.Conduct`).
        ``hidden``: but for one note, of which the protocol cannot tell; ``mistaken``: or which it takes for another.
        """
        self.check_life()
        assert not self.conduct.wrongs, f"{self.subject.name}: {self.conduct.wrongs}"
        assert not self.boxes.wrongs, f"{self.subject.name}: {self.boxes.wrongs}"
        over, missing = Counter[Money](), Counter[Money]()
        for name, notes, paper in self._by_box():
            certain = by_value(notes, *_CREDITED, NotePhase.FOUND)
            missing += certain - paper
            assert missing.total() <= mistaken, f"{self.subject.name}: on record and not in {name}: {certain - paper}"
            over += paper - certain - by_value(notes, NotePhase.IN_DOUBT)
        unknown = sum(1 for n in self.fold.notes.values() if n.phase is NotePhase.FOUND and n.value is None)
        assert over.total() <= unknown + self._swallowed() + (hidden or mistaken), (
            f"{self.subject.name}: in the box and nobody's: {over}"
        )

    def _by_box(self) -> Iterator[tuple[str, list[Note], Counter[Money]]]:
        """Each box, or those that only together can be counted: the notes of its periods, and the paper."""
        papers = {
            (number, note.box): Counter[Money]() for number, vault in enumerate(self._vaults) for note in vault.notes
        }
        for number, vault in enumerate(self._vaults):
            for note in vault.notes:
                if note.place is Place.BOX:
                    papers[number, note.box][parse_money(note.face)] += 1
        for periods, boxes in self.boxes.groups(set(papers)):
            notes = [note for note in self.fold.notes.values() if note.box_period_id in periods]
            yield (
                " and ".join(name for _, name in sorted(boxes)),
                notes,
                sum((papers[box] for box in boxes), Counter[Money]()),
            )


def by_value(notes: Iterable[Note], *phases: NotePhase) -> Counter[Money]:
    """How many of ``notes`` are in one of ``phases``, by value; one of unknown value has none."""
    return Counter(note.value for note in notes if note.phase in phases and note.value is not None)


def _check(life: asyncio.Task[None]) -> None:
    if life.done() and not life.cancelled() and (error := life.exception()) is not None and not isinstance(error, Dead):
        raise error
