"""A kiosk of the simulation: the machine that stays, and the lives of the terminal's process in it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

import apsw

from drivers.api.card import CardEvent, CardInserted, CardRemoved, Pan
from drivers.api.device import Device, DeviceConfig
from drivers.api.pinpad import PinBlock
from drivers.context import DriverContext
from drivers.errors import TransportError
from drivers.registry import GROUP, OpenDevice
from drivers.simulation.cash_device import Order, SimulatedCash
from drivers.simulation.notes import Vault
from drivers.transport.api import ByteTransport, OpenTransport
from guichet.journal.chain import Entry
from guichet.money import Currency, Money, parse_money
from guichet.pin import Key, Ksn, Pin, derive_pin_key, encode_pin_block
from guichet.seams import Clock
from guichet.v1 import screen_pb2 as screen
from host.pki.enrolment import Enrolled
from kiosk.journal.store import RESERVE_BYTES, Journal, Writer
from kiosk.log import EventLog, Loggable
from kiosk.terminal.config import TerminalConfig, Timings
from kiosk.terminal.enrolment import Identity
from kiosk.terminal.front import Front
from kiosk.terminal.late_delivery import SubmitOnly
from kiosk.terminal.link import HostLink
from kiosk.terminal.local import LocalTerminal
from kiosk.terminal.main import run_terminal
from kiosk.terminal.seams import Seams
from kiosk.terminal.serving import Orders, Served
from tests.conformance.subject import Subject
from tests.simulation.bank import Bank, CountingRandom, Customer, keep_identity
from tests.simulation.clocks import KioskBoot, KioskClock
from tests.simulation.devices import Line, Pad, Printer, Reader
from tests.simulation.disk import Disk, close_dead
from tests.simulation.loop import Life, WorldLoop, require_alive
from tests.simulation.network import Channel, Exchange, Route
from tests.simulation.sealing import CountingSealer

_EUROS = ("0.20 EUR", "0.50 EUR", "1 EUR", "2 EUR", "5 EUR", "10 EUR", "20 EUR", "50 EUR", "100 EUR")
_TIMINGS = Timings(
    escrow_hold=0.5,
    device_grace=12.0,
    customer=8.0,
    notice=2.0,
    settlement_wait=2.0,
    late_delivery=30.0,
    replication_wait=2.0,
    note_taken=12.0,
    note_moves=20.0,
    look_again=4.0,
    retention=5.0,
)
_KEEP_US = 25_000_000
_RESTART_SECONDS = 2.0


@lru_cache
def _driver(name: str) -> OpenDevice:
    """As the registry finds it, which reads what is installed each time."""
    (point,) = entry_points(group=GROUP, name=name)
    return cast("OpenDevice", point.load())


class QuietLog(EventLog):
    """Keeps its last events for whoever asks why."""

    def __init__(self, keep: Callable[[str], None], crashed: Callable[[str], None]) -> None:
        self._keep, self._on_crash = keep, crashed

    def event(self, name: str, **facts: Loggable) -> None:
        if name == "task.crashed":
            self._on_crash(str(facts.get("traceback")))
        self._keep(f"{name} {facts}" if facts else name)


@dataclass(frozen=True, slots=True)
class PhysicalBox:
    """A cash box: of which of its kiosk's devices, in their order, and its name."""

    device: int
    name: str


class Kiosk:
    """One machine: its disk, cash module, card slot, screen, cable to the host; and its terminal's present life."""

    def __init__(
        self,
        name: str,
        subject: Subject,
        bank: Bank,
        disk: Disk,
        loop: WorldLoop,
        exchange: Exchange,
        dice: random.Random,
        observer: Observer,
        salt: int,
    ) -> None:
        self.name, self.subject, self.disk, self.loop = name, subject, disk, loop
        self._exchange, self._dice, self.observer = exchange, dice, observer
        self.route = Route(loop, dice, partial(observer.sent, self))
        self.clock = KioskClock(loop)
        self.boot = KioskBoot(name, loop)
        self._random = CountingRandom(salt)
        self._pin_counter = 0
        disk.wipe()
        disk.mended()
        self.take_identity(*bank.enrolled[name])
        self.vault = Vault(None)
        self.former_vaults: list[Vault] = []
        self._forgotten: Counter[str] = Counter()
        self.device = self._watched(subject.device(self.vault))
        self.plugged = True
        self.powered = True
        self.card: Customer | None = None
        self.last_card: Customer | None = None
        self.view: screen.View | None = None
        self.life: Life | None = None
        self.lives = 0
        self.log: list[str] = []
        self.deaths: Counter[str] = Counter()
        self.graves: list[Life] = []
        self._snapshot_every = dice.randint(10, 80)
        self._poll_ms = dice.choice((300, 500, 900))
        disk.log_pages = dice.choice((20, 60, 150))
        self.restart_seconds = _RESTART_SECONDS
        self.dark_seconds: float | None = None
        self.open_for_work = False
        self.orders: Orders | None = None
        self._line: Line | None = None
        self._reader: Reader | None = None
        self._pad: Pad | None = None
        self._touches: asyncio.Queue[screen.AttachRequest] | None = None
        self._journal: Journal | None = None

    # --- lives ------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The service manager starts the terminal, unless the machine is dark, or its disk is being exchanged."""
        if not self.powered or self.open_for_work or (self.life is not None and self.life.alive):
            return
        self.lives += 1
        life = Life(f"{self.name}/{self.lives}", self._ended)
        self.graves.append(life)
        self.life = life
        life.soon(self._main, life)

    def _main(self, life: Life) -> None:
        self.orders = Orders()
        task = life.start(run_terminal(self._config(), self._seams(), self.orders))
        task.add_done_callback(partial(self._exited, life), context=self.loop.world)

    def _exited(self, life: Life, task: asyncio.Task[None]) -> None:
        """It ended by itself: told to stop, or by an error. The service manager starts it again."""
        if life.alive:
            self.note(f"exit {task.exception()!r}")
            life.die()

    def _ended(self, life: Life) -> None:
        """Whatever ended it. What the dead had open is given back once nobody is in the middle of it."""
        self.view = None
        self._reader = self._pad = self._touches = None
        self._journal = None
        line, self._line = self._line, None
        self.note(f"{life.name} is dead")
        paper = self.vault.inside()
        place = f"paper in {paper.place.value}" if paper is not None else "no paper inside"
        dark = "power" if self.dark_seconds is not None or not self.powered else "process"
        self.deaths[f"{dark}: {place}, {self.observer.says_of_note(self)}"] += 1
        now = self.loop.time()
        self.loop.at(now, self._give_back, life, line)
        seconds, self.dark_seconds = self.dark_seconds, None
        if seconds is not None:
            self.cut_power()
            self.loop.at(now + seconds, self.restore_power)
        self.route.terminal_died(silently=not self.powered)
        self.loop.at(now + self.restart_seconds, self.begin)

    def _give_back(self, life: Life, line: Line | None) -> None:
        close_dead(life)
        if line is not None:
            line.hang_up()

    def kill(self) -> None:
        """SIGKILL."""
        if self.life is not None:
            self.life.die()

    def cut_power(self) -> None:
        """The whole machine goes dark."""
        if not self.powered or self.open_for_work:
            return
        self.powered = False
        self.kill()
        self.disk.cut(self._dice)
        self.device.cut_power(self.loop.time())

    def restore_power(self) -> None:
        """And comes back."""
        if not self.powered and not self.open_for_work:
            self.powered = True
            self.boot.again()
            self.device.restore_power(self.loop.time())
            self.begin()

    def switch_off(self) -> None:
        """An engineer opens the machine, and it is dark until it is switched on."""
        self.dark_seconds = None
        self.cut_power()
        self.open_for_work = True

    def switch_on(self, *, open_for_work: bool) -> None:
        """It has power again; what starts, while it is open, the engineer says."""
        self.powered = True
        self.boot.again()
        self.device.restore_power(self.loop.time())
        self.open_for_work = open_for_work

    def take_identity(self, identity: Identity, enrolled: Enrolled) -> None:
        """What an enrolment leaves on the disk."""
        self.identity = identity
        self._pin_key, self._pin_key_id = Key(enrolled.pin_initial_key), enrolled.pin_key_id
        keep_identity(identity, self.disk.folder)

    def journal_key(self) -> bytes:
        """That of its disk."""
        return (self.disk.folder / "journal.key").read_bytes()

    @property
    def has_journal(self) -> bool:
        """Whether its terminal has the journal open."""
        return self._journal is not None

    def end(self) -> None:
        """The world is over."""
        self.kill()
        for life in self.graves:
            close_dead(life)
            life.bury()

    def _config(self) -> TerminalConfig:
        cash = {"poll_ms": str(self._poll_ms), **self.subject.options}
        devices = {
            name: DeviceConfig(name, self.subject.driver, "memory", cash if name == "cash" else {})
            for name in ("cash", "card", "pinpad", "printer")
        }
        return TerminalConfig(
            data=self.disk.folder,
            socket=self.disk.folder / "socket",
            devices=devices,
            denominations=frozenset(parse_money(face) for face in _EUROS),
            unreplicated_caps={Currency("EUR"): Money(20_000, Currency("EUR"))},
            timings=_TIMINGS,
            version="simulation",
        )

    def _seams(self) -> Seams:
        return Seams(
            clock=self.clock,
            boot=self.boot,
            random=self._random,
            make_sealer=lambda key: CountingSealer(key, lambda: self._random.bytes(32)),
            open_transport=self._transport,
            open_journal=self._open_journal,
            make_link=partial(HostLink, open_channel=self.open_channel),
            open_device=self._open_device,
            make_late=partial(SubmitOnly, open_channel=self.open_channel),
            serve=self._serve,
            make_log=lambda _clock, _terminal: QuietLog(self.note, self.observer.crashed),
        )

    def note(self, line: str) -> None:
        """Keep a line for whoever asks why."""
        self.log.append(f"{self.loop.time():.3f} {line}")

    def open_channel(self, target: str, _credentials: object, _options: object = ()) -> Channel:
        certificate = b"" if target.endswith("7444") else self.identity.certificate_pem.encode()
        return Channel(self.route, self._exchange, target, certificate)

    # --- the journal ------------------------------------------------------------------------------------------------

    def _open_journal(self, path: Path, writer: Writer, clock: Clock) -> Journal:
        disk, retired = self.disk, partial(self.observer.retired, self)

        class OnDisk(Journal):
            def __setattr__(self, name: str, value: object) -> None:
                # Days are long here: seconds do.
                super().__setattr__(name, _KEEP_US if name == "keep_us" else value)

            def free_bytes(self) -> int:
                return 0 if disk.full else 100 * RESERVE_BYTES

            def retire(self, most: int = 256) -> int:
                gone = super().retire(most)
                if self.base is not None:
                    retired(self.base.place)
                return gone

            def close(self) -> None:
                # SQLite keeps it for itself where the disk fails as it closes; a file system in Python cannot.
                with suppress(apsw.Error):
                    super().close()

        journal = OnDisk.open(path, writer, clock, self._snapshot_every)
        self._journal = journal
        self.observer.opened(self, journal)
        journal.observe(partial(self.observer.appended, self))
        return journal

    # --- devices ----------------------------------------------------------------------------------------------------

    def _watched(self, device: SimulatedCash) -> SimulatedCash:
        device.on_order = lambda order: self.observer.ordered(self, order)
        return device

    def swap_device(self) -> None:
        """Another one of its kind stands in its place, with a box of its own."""
        if self._line is not None:
            self._line.hang_up()
        self.former_vaults.append(self.vault)
        self._forgotten += self.forgotten
        number = len(self.former_vaults) + 1
        self.vault = Vault(None, box=f"BOX-{number}00", counter=self.vault.counter + 1)
        self.device = self._watched(self.subject.device(self.vault, serial=f"OTHER-{number:06}"))

    @property
    def forgotten(self) -> Counter[str]:
        """The faces of notes that went to the box by themselves and that a device forgot before it could say so. One
        that keeps no event without power cannot, and no protocol asks for what it does not know.
        """
        here = self.device.forgotten if self.subject.acknowledges else []
        return self._forgotten + Counter(self.vault.notes[number - 1].face for number in here)

    @property
    def vaults(self) -> list[Vault]:
        """All paper that this kiosk has ever met."""
        return [*self.former_vaults, self.vault]

    @property
    def box(self) -> PhysicalBox:
        """The one that is in, or was last."""
        return PhysicalBox(len(self.former_vaults), self.vault.box)

    def unplug(self) -> None:
        """The cash module's cable."""
        self.plugged = False
        if self._line is not None:
            self._line.hang_up()

    def plug(self) -> None:
        """It is back."""
        self.plugged = True

    def _transport(self, _device: str) -> OpenTransport:
        async def open_line(address: str) -> ByteTransport:
            require_alive()
            if not self.plugged:
                raise TransportError("cash", "absent", address)
            self._line = Line(self.device, self.loop)
            return self._line

        return open_line

    def _open_device(self, config: DeviceConfig, context: DriverContext) -> Device:
        match config.name:
            case "cash":
                return _driver(config.driver)(config, context)
            case "card":
                self._reader = Reader(lambda: self.card)
                return self._reader
            case "pinpad":
                self._pad = Pad(self.pin_block)
                return self._pad
            case _:
                return Printer()

    # --- what a person does -----------------------------------------------------------------------------------------

    def insert_card(self, customer: Customer) -> None:
        """A card goes in."""
        self.card = self.last_card = customer
        self._tell(CardInserted())

    def take_card(self) -> None:
        """It comes out."""
        if self.card is not None:
            self.card = None
            self._tell(CardRemoved())

    def _tell(self, event: CardEvent) -> None:
        if self._reader is not None and self.life is not None:
            self.life.soon(self._reader.tell, event)

    def touch(self, control: str) -> None:
        """A finger on the glass."""
        if self.view is not None and self._touches is not None and self.life is not None:
            touched = screen.Touched(view_id=self.view.view_id, control=control)
            self.life.soon(self._touches.put_nowait, screen.AttachRequest(touched=touched))

    def type_pin(self, digits: str) -> None:
        """Keys of the pad, the green one last."""
        if self._pad is not None and self.life is not None:
            self.life.soon(self._pad.typed, digits)

    def pin_block(self, pan: Pan, digits: str) -> PinBlock:
        """What the pad makes of it; its counter outlives every power cut."""
        self._pin_counter += 1
        ksn = Ksn(self._pin_key_id, self._pin_counter)
        block = encode_pin_block(derive_pin_key(self._pin_key, ksn), Pin(digits.encode()), pan.reveal(), bytes(8))
        return PinBlock(block, ksn.encode())

    def push_unasked(self, face: str) -> bool:
        """A note is held to the slot, and drawn in whether the slot is open or not. Gives whether it was."""
        if not face[0].isdigit():
            return False
        money = parse_money(face)
        kind = self.device.type_of(money)
        return self.device.draw_in(str(money), kind or 0, self.loop.time(), readable=kind is not None)

    async def _serve(self, _socket: Path, front: Front, _local: LocalTerminal) -> Served:
        touches: asyncio.Queue[screen.AttachRequest] = asyncio.Queue()
        self._touches = touches

        async def touched() -> AsyncIterator[screen.AttachRequest]:
            while True:
                yield await touches.get()

        async def attend() -> None:
            context: Any = None
            async for response in front.Attach(touched(), context):
                self.view = response.view

        return _Served(asyncio.get_running_loop().create_task(attend()))


class Observer:
    """Whoever watches a kiosk from outside. The product knows nothing of it."""

    def opened(self, kiosk: Kiosk, journal: Journal) -> None:
        """A life has opened its journal."""

    def appended(self, kiosk: Kiosk, entry: Any, fact: Any) -> None:
        """The journal says that this is on disk."""

    def retired(self, kiosk: Kiosk, first: tuple[int, int]) -> None:
        """The journal begins with the record of that place now."""

    def restored(self, kiosk: Kiosk, entries: list[Entry]) -> None:
        """Another disk has these, and nothing else that the one before had."""

    def went_back(self, kiosk: Kiosk, entries: list[Entry]) -> None:
        """The disk has these, as it had them once."""

    def ordered(self, kiosk: Kiosk, order: Order) -> None:
        """The cash module hears an order."""

    def sent(self, kiosk: Kiosk, method: str, data: bytes) -> None:
        """The terminal sends this to the host."""

    def says_of_note(self, kiosk: Kiosk) -> str:
        """What is last on record of this kiosk's last note."""
        return ""

    def crashed(self, trace: str) -> None:
        """A task of the terminal ended by an error that nobody expected."""


class _Served:
    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    async def stop(self, grace: float | None) -> None:
        self._task.cancel()
