"""One world, from a plan to a verdict: everything is put in place, people come, things go wrong, and in the end,
when nothing goes wrong any more, all of it must come to rest and add up.
"""

from __future__ import annotations

import asyncio
import gc
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from drivers.simulation.mechanism import Box
from drivers.simulation.script import OnAck, OnByte, Rule, parse, parse_fault
from guichet.v1 import screen_pb2 as screen
from tests.conformance.subject import SUBJECTS
from tests.simulation.bank import CUSTOMERS, Bank, Customer
from tests.simulation.book import JournalPlace
from tests.simulation.checker import Checker
from tests.simulation.counting import count_boxes
from tests.simulation.disk import Disk, Disks
from tests.simulation.engineer import Engineer
from tests.simulation.kiosk import Kiosk
from tests.simulation.loop import Life, NothingLeft, WorldLoop, bury_world, silence
from tests.simulation.network import Exchange, Weather
from tests.simulation.people import Person, mend
from tests.simulation.plan import Kind, Mishap, Moment, Plan, plan_of
from tests.start_up_table import watched_cells

NAMES = ("SIM-0001", "SIM-0002", "SIM-0003")
BY_NAME = {subject.name: subject for subject in SUBJECTS}
FACES = {subject.name: subject.faces for subject in SUBJECTS}
LEAST_DEPOSITS, LEAST_NOTES = 10, 30
"""A seed has at least so many."""
_SETTLE_SECONDS = 1_200.0
# Longer than either end takes to notice that the other is back.
_QUIET = 10.0
_LOOK = 2.0
_NOTICED = 25.0
_LAST_MOMENT = 30.0
_BOX_OUT = 8.0
_BOX_KNOWN = 20.0
_DISK_OUT = 4.0


def plan_for(seed: int) -> Plan:
    """The plan of ``seed``, over every cash module that the conformance suite knows."""
    return plan_of(seed, tuple(BY_NAME), FACES)


@dataclass(slots=True)
class Outcome:
    """What a world came to. ``wrongs``: the rules that were broken, the first one first; ``trace``: what happened."""

    plan: Plan
    wrongs: list[str] = field(default_factory=list[str])
    deposits: int = 0
    notes: int = 0
    credited: int = 0
    in_doubt: int = 0
    found: int = 0
    boxes: int = 0
    closed: int = 0
    records: int = 0
    lives: int = 0
    retirements: int = 0
    virtual_seconds: float = 0.0
    alone: int = 0
    happened: Counter[str] = field(default_factory=Counter[str])
    cells: Counter[str] = field(default_factory=Counter[str])
    deaths: Counter[str] = field(default_factory=Counter[str])
    trace: list[str] = field(default_factory=list[str])
    log: list[str] = field(default_factory=list[str])
    digest: str = ""


class Stage:
    """What outlives a world in this process: the bank's keys and empty books, the disks' folder, SQLite's VFS."""

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="guichet-sim-", dir=_in_memory()))
        self.bank = Bank(NAMES)
        self.vfs = Disks()
        self.disks = [Disk(self._folder / name) for name in NAMES]
        for disk in self.disks:
            self.vfs.add(disk)
        gc.collect()
        gc.freeze()  # What is there by now stays: nobody need look at it again after every world.
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        gc.unfreeze()
        self.bank.close()
        self.vfs.unregister()
        shutil.rmtree(self._folder)

    def run(self, plan: Plan) -> Outcome:
        """Let ``plan`` happen, and give what came of it."""
        loop = WorldLoop()
        world = _World(self, plan, loop)
        cells: Counter[str] = Counter()
        gc.disable()  # What the dead leave behind is unwound when they are buried, and not whenever it pleases.
        try:
            with watched_cells(cells):
                loop.run_until_complete(loop.world.run(loop.create_task, world.happen()))
        except NothingLeft as error:
            world.checker.wrong(f"5: {error}")
        finally:
            outcome = world.outcome()
            outcome.cells = cells
            with silence():
                world.end()
                del world
                loop.close()
                gc.collect()
            gc.enable()
        return outcome


def _in_memory() -> str | None:
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() else None


class _World:
    def __init__(self, stage: Stage, plan: Plan, loop: WorldLoop) -> None:
        self._plan, self._loop = plan, loop
        self._bank = stage.bank
        self._stage = stage
        self.checker = Checker()
        self._exchange = Exchange()
        self._lives: list[Life] = []
        self._host_life: Life | None = None
        self._kiosks: list[Kiosk] = []
        self._engineers: dict[str, Engineer] = {}
        self._happened: Counter[str] = Counter()
        self._trace: list[str] = []
        self._settled_in = 0.0
        self._over = False
        self._busy = self._boxes = self._closed = 0
        self._lurking: list[tuple[Kiosk, Mishap]] = []

    # --- the whole --------------------------------------------------------------------------------------------------

    async def happen(self) -> None:
        self._bank.put_back(self._loop)
        self._bank.executor.on_commit = lambda: self.checker.committed(self._bank.database)
        self.checker.host_holds = self._held_of
        self.checker.on_note = self._moment_has_come
        self._begin_host()
        self.checker.host_clock = self._bank.clock
        for index, name in enumerate(self._plan.subjects):
            allowance = self._plan.allowances[index]
            if allowance is not None:
                self._bank.allow(NAMES[index], allowance)
            dice = random.Random(f"{self._plan.seed}/kiosk/{index}")
            kiosk = Kiosk(
                NAMES[index], BY_NAME[name], self._bank, self._stage.disks[index], self._loop, self._exchange, dice,
                self.checker, index + 10,
            )  # fmt: skip
            self._kiosks.append(kiosk)
            self._engineers[kiosk.name] = Engineer(kiosk, self._bank)
            kiosk.begin()
        crowd = [self._loop.create_task(self._queue(kiosk, index)) for index, kiosk in enumerate(self._kiosks)]
        menders = [self._loop.create_task(mend(kiosk)) for kiosk in self._kiosks]
        watch = self._loop.create_task(self._watch(crowd))
        await asyncio.wait([*crowd, watch], return_when=asyncio.ALL_COMPLETED)
        await self._come_to_rest()
        await self._more_people()
        for task in menders:
            task.cancel()
        if not self.checker.wrongs:
            self.checker.at_rest(self._kiosks, self._bank.database)
        if not self.checker.wrongs:
            await self._count()

    async def _count(self) -> None:
        """An engineer exchanges every cash box, and what was in the old ones is counted. Of an exchange that a terminal
        does not see, because its process dies just then of what was to kill it, it knows nothing: its period goes on.
        """
        for kiosk in self._kiosks:
            kiosk.device.change_box(Box.OUT, self._loop.time())
        await asyncio.sleep(_BOX_OUT)
        for kiosk in self._kiosks:
            kiosk.device.change_box(Box.IN, self._loop.time(), f"{kiosk.vault.box}-NEXT")
        await asyncio.sleep(_BOX_KNOWN)
        await self._come_to_rest()
        for kiosk in self._kiosks:
            if not self.checker.wrongs:
                entered = count_boxes(kiosk, self.checker.books[kiosk.name].boxes, self._bank)
                self._boxes, self._closed = self._boxes + entered.boxes, self._closed + entered.credited
        if not self.checker.wrongs:
            self.checker.counted(self._kiosks, self._bank.database)

    async def _watch(self, crowd: list[asyncio.Task[None]]) -> None:
        """Stops the world at the first thing that is wrong."""
        while not all(task.done() for task in crowd):
            await asyncio.sleep(0.5)
            if self.checker.wrongs or self._loop.crashes:
                for task in crowd:
                    task.cancel()

    async def _queue(self, kiosk: Kiosk, index: int) -> None:
        """Whoever comes to this kiosk, one after the other."""
        for number, visit in enumerate(self._plan.visits):
            if visit.terminal == index and visit.pushes:
                person = Person(kiosk, visit, partial(self._pushed, kiosk, number))
                self._note(f"visit {number} at {kiosk.name}{', the host away' if visit.away else ''}")
                if visit.away:
                    kiosk.route.cut()
                    await asyncio.sleep(_NOTICED)
                await person.visit()
                if visit.away:
                    kiosk.route.heal()
                    await asyncio.sleep(_LOOK)

    async def _more_people(self) -> None:
        """Where much went wrong, fewer made a deposit than a seed must have: the same people come once more, when
        nothing goes wrong any more, to a kiosk that takes notes. Not in a world that was made small.
        """
        if not all(visit.pushes for visit in self._plan.visits):
            return
        for visit in self._plan.visits * 2:
            kiosk = self._kiosks[visit.terminal]
            if self._are_enough() or self.checker.wrongs or self._loop.crashes:
                break
            if not self.checker.books[kiosk.name].count_due:
                self._note(f"once more at {kiosk.name}")
                customer = CUSTOMERS[visit.customer]
                await Person(kiosk, replace(visit, away=False), lambda _: self._comes_from(kiosk, customer)).visit()  # noqa: B023 - it is over by then
        await self._come_to_rest()

    def _are_enough(self) -> bool:
        """Ten deposits and thirty notes."""
        notes = sum(len(vault.notes) for kiosk in self._kiosks for vault in kiosk.vaults)
        deposits = sum(len(self.checker.books[kiosk.name].deposits) for kiosk in self._kiosks)
        return deposits >= LEAST_DEPOSITS and notes >= LEAST_NOTES

    def _pushed(self, kiosk: Kiosk, visit: int, push: int) -> None:
        self._comes_from(kiosk, CUSTOMERS[self._plan.visits[visit].customer])
        for mishap in self._plan.mishaps:
            if (mishap.visit, mishap.push) == (visit, push):
                self._busy += 1
                if mishap.moment is None:
                    self._loop.at(self._loop.time() + mishap.after, self._strike, kiosk, mishap)
                else:
                    self._lurking.append((kiosk, mishap))
                    self._loop.at(self._loop.time() + _LAST_MOMENT, self._has_waited, kiosk, mishap)

    def _comes_from(self, kiosk: Kiosk, customer: Customer) -> None:
        """Whatever paper is new in this kiosk is this customer's."""
        for vault_index, vault in enumerate(kiosk.vaults):
            for note in vault.notes:
                self.checker.pushed_by.setdefault((kiosk.name, vault_index, note.number), customer.account)

    def _moment_has_come(self, kiosk: Kiosk, moment: Moment) -> None:
        """A record is on disk that some mishap waits for. What kills does so right here, before anything else is done;
        the rest is nothing of this process's.
        """
        for lurking in [one for one in self._lurking if one[0] is kiosk and one[1].moment is moment]:
            self._lurking.remove(lurking)
            mishap = lurking[1]
            if mishap.kind in (Kind.KILL, Kind.POWER) and not mishap.after:
                self._strike(*lurking)
            else:
                self._loop.at(self._loop.time() + mishap.after, self._strike, *lurking)

    def _has_waited(self, kiosk: Kiosk, mishap: Mishap) -> None:
        """The record has not come: it happens all the same."""
        if (kiosk, mishap) in self._lurking:
            self._lurking.remove((kiosk, mishap))
            self._strike(kiosk, mishap)

    async def _come_to_rest(self) -> None:
        """Nothing goes wrong any more: within twenty minutes everything is settled."""
        until = self._loop.time() + _SETTLE_SECONDS
        while self._busy and not self.checker.wrongs and not self._loop.crashes:
            if self._loop.time() > until:
                self.checker.wrong("5: what went wrong is never over")
            await asyncio.sleep(_LOOK)
        for kiosk in self._kiosks:
            kiosk.route.weather = Weather()
        began = quiet_since = self._loop.time()
        while not self.checker.wrongs and not self._loop.crashes:
            unrest, now = self._unrest(), self._loop.time()
            if not unrest and now - quiet_since >= _QUIET:
                break
            quiet_since = now if unrest else quiet_since
            if now - began > _SETTLE_SECONDS:
                self.checker.wrong(f"5: twenty minutes after the last fault: {unrest}")
                return
            await asyncio.sleep(_LOOK)
        self._settled_in = self._loop.time() - began

    def _unrest(self) -> str:
        for kiosk in self._kiosks:
            book = self.checker.books[kiosk.name]
            if kiosk.view is None or kiosk.view.WhichOneof("content") != "attract":
                return f"{kiosk.name} shows {kiosk.view.WhichOneof('content') if kiosk.view else 'nothing'}"
            if screen.SERVICE_DEPOSIT not in kiosk.view.attract.available and not book.count_due:
                return f"{kiosk.name} takes no deposit"
            if book.open_deposit or not all(book.advices.values()):
                return f"{kiosk.name} has an open deposit or an advice without answer"
            device = kiosk.device
            device.advance(self._loop.time())
            if device.metal.note is not None or not device.powered or device.line.mute:
                return f"{kiosk.name}: a note is on its way, or the device is silent"
            if not book.boxes or next(reversed(book.boxes.values())).device != kiosk.box.device:
                return f"{kiosk.name} has not heard from the device that stands there"
            held = self._held_of(kiosk.name)
            if not book.entries or held != book.last_place:
                return f"{kiosk.name}: the host holds {held} of {book.last_place}"
        return ""

    def _held_of(self, name: str) -> JournalPlace:
        """The last record of a terminal that the host holds."""
        query = "SELECT max((epoch << 32) + sequence) FROM journal_entries WHERE terminal_id = ?"
        place = self._bank.database.execute(query, (name,)).fetchone()[0] or 0
        return place >> 32, place % 2**32

    # --- the host ---------------------------------------------------------------------------------------------------

    def _begin_host(self) -> None:
        life = Life("host", self._host_died)
        self._lives.append(life)
        self._host_life = life
        life.soon(self._bank.begin, life, self._exchange, self.checker.crashed)

    def _host_died(self, _: Life) -> None:
        self._note("the host is dead" if not self._over else "the end")
        for kiosk in self._kiosks:
            kiosk.route.host_died()

    # --- what goes wrong --------------------------------------------------------------------------------------------

    def _strike(self, kiosk: Kiosk, mishap: Mishap) -> None:
        self._happened[mishap.kind.value] += 1
        self._note(str(mishap))
        self.checker.struck(kiosk, mishap)
        now = self._loop.time()
        over = self._begin_mishap(kiosk, mishap, now)
        self._loop.at(now + mishap.seconds, self._is_over, over)

    def _is_over(self, over: Callable[[], None]) -> None:
        self._busy -= 1
        over()

    def _begin_mishap(self, kiosk: Kiosk, mishap: Mishap, now: float) -> Callable[[], None]:
        """Let it begin; gives how it ends."""
        engineer = self._engineers[kiosk.name]
        match mishap.kind:
            case Kind.KILL:
                kiosk.restart_seconds = max(0.05, mishap.seconds)
                self._die(kiosk, mishap)
            case Kind.POWER:
                kiosk.dark_seconds = max(0.05, mishap.seconds)
                self._die(kiosk, mishap)
                return partial(self._cut_at_last, kiosk)
            case Kind.STOP if kiosk.orders is not None and kiosk.life is not None:
                kiosk.life.soon(kiosk.orders.stop.set)
            case Kind.DEVICE_POWER:
                rule = Rule(
                    OnByte(kiosk.device.bytes_sent + mishap.number, mishap.word == "after"),
                    parse_fault(f"power off {mishap.seconds:.3f}"),
                )
                kiosk.device.follow(rule)
            case Kind.DEVICE:
                kiosk.device.act(parse_fault(mishap.word), now)
            case Kind.ACK:
                what = parse(f"ack 1: {mishap.word}")[0].what
                kiosk.device.follow(Rule(OnAck(kiosk.device.acknowledgements + 1), what))
            case Kind.UNASKED:
                self._drawn_in(kiosk, mishap)
            case Kind.UNPLUG:
                kiosk.unplug()
                return kiosk.plug
            case Kind.SWAP:
                kiosk.swap_device()
            case Kind.DISK if mishap.number:
                # The line goes first, so that only the old disk knows what is written until it goes itself.
                kiosk.route.cut()
                self._loop.at(now + mishap.seconds / 2, engineer.exchange_disk, mishap.seconds / 2)
                return partial(self._old_disk_turns_up, kiosk, mishap.number)
            case Kind.DISK:
                engineer.exchange_disk(mishap.seconds)
            case Kind.WENT_BACK:
                engineer.take_image()
                self._loop.at(now + mishap.number, engineer.put_image_back)
                return partial(self._went_back, kiosk)
            case Kind.PARTITION:
                kiosk.route.cut()
                return kiosk.route.heal
            case Kind.RESET:
                kiosk.route.reset()
            case Kind.WEATHER:
                kiosk.route.weather.latency, kiosk.route.weather.jitter = 0.2, 1.0
                kiosk.route.weather.repeats = kiosk.route.weather.overtakes = 0.2
                return partial(_calm, kiosk)
            case Kind.HOST if self._host_life is not None:
                self._host_life.dies_at_effect(mishap.number)
                return self._host_back
            case Kind.DISK_FULL:
                kiosk.disk.full = True
                return kiosk.disk.mended
            case Kind.DISK_ERROR:
                kiosk.disk.fails_in(mishap.number)
                return kiosk.disk.mended
            case Kind.EDIT:
                engineer.edit_journal(mishap.seconds + 2.0)
            case Kind.CLOCK:
                kiosk.clock.offset_us += mishap.number * 1_000_000
            case Kind.HOST_CLOCK:
                self._bank.clock.jump(mishap.number)
            case _:
                pass
        return _nothing

    def _went_back(self, kiosk: Kiosk) -> None:
        """An engineer sees what the host says of it, makes the disk anew, and hands in what was on it."""
        self._busy += 1
        self._engineers[kiosk.name].exchange_disk(_DISK_OUT)
        self._loop.at(self._loop.time() + 2 * _DISK_OUT, self._take_in, kiosk)

    def _old_disk_turns_up(self, kiosk: Kiosk, seconds: int) -> None:
        """So many seconds after the new one was put in."""
        kiosk.route.heal()
        self._busy += 1
        self._loop.at(self._loop.time() + seconds, self._take_in, kiosk)

    def _take_in(self, kiosk: Kiosk) -> None:
        self._busy -= 1
        old_disk = self._engineers[kiosk.name].old_disk
        new = self._bank.take_in(old_disk) if old_disk else set[JournalPlace]()
        self._note(f"{kiosk.name}: of the old disk {len(new)} records are new to the host")
        self.checker.brought_in(kiosk, new)

    def _drawn_in(self, kiosk: Kiosk, mishap: Mishap) -> None:
        """Who came holds one more note to the slot, and the device takes it though the slot is shut; unless somebody
        else is there by now, or something is in the way.
        """
        customer = CUSTOMERS[self._plan.visits[mishap.visit].customer]
        if kiosk.last_card is customer and kiosk.push_unasked(mishap.word):
            self._comes_from(kiosk, customer)

    def _die(self, kiosk: Kiosk, mishap: Mishap) -> None:
        life = kiosk.life
        if life is None or not life.alive or mishap.word == "at once":
            kiosk.kill()
        elif mishap.word == "at effect":
            life.dies_at_effect(mishap.number)
        elif mishap.word == "at disk":
            life.dies_at_disk(mishap.number)
        else:
            life.dies_at_callback(mishap.number)

    def _cut_at_last(self, kiosk: Kiosk) -> None:
        """It did not come to what it was to die at: it goes dark all the same."""
        if kiosk.dark_seconds is not None:
            kiosk.kill()

    def _host_back(self) -> None:
        life = self._host_life
        if life is not None:
            life.die()
        self._begin_host()

    # --- the end ----------------------------------------------------------------------------------------------------

    def _note(self, text: str) -> None:
        self._trace.append(f"{self._loop.time():9.3f} {text}")

    def outcome(self) -> Outcome:
        """What it came to."""
        books = [self.checker.books[kiosk.name] for kiosk in self._kiosks]
        wrongs = self.checker.wrongs + [f"crash: {crash}" for crash in self._loop.crashes]
        return Outcome(
            plan=self._plan,
            wrongs=wrongs,
            deposits=sum(len(book.deposits) for book in books),
            notes=sum(len(vault.notes) for kiosk in self._kiosks for vault in kiosk.vaults),
            credited=sum(book.count("credited").total() for book in books),
            in_doubt=sum(book.count("in doubt").total() for book in books),
            found=sum(book.count("found").total() for book in books),
            boxes=self._boxes,
            closed=self._closed,
            records=self.checker.records,
            retirements=self.checker.retirements,
            alone=sum(len(book.alone) for book in books),
            lives=sum(kiosk.lives for kiosk in self._kiosks),
            virtual_seconds=self._loop.time(),
            happened=self._happened,
            deaths=sum((kiosk.deaths for kiosk in self._kiosks), Counter[str]()),
            trace=self._trace,
            log=[f"{kiosk.name} {line}" for kiosk in self._kiosks for line in kiosk.log],
            digest="/".join(book.entries[-1][1].hex() for book in books if book.entries),
        )

    def end(self) -> None:
        """Everybody dies, and what is left of them unwinds without an effect."""
        self._over = True
        self._bank.executor.on_commit = _nothing
        for kiosk in self._kiosks:
            kiosk.end()
        for life in self._lives:
            life.die()
            life.bury()
        bury_world(self._loop)


def _calm(kiosk: Kiosk) -> None:
    kiosk.route.weather = Weather(down=kiosk.route.weather.down)


def _nothing() -> None:
    """It ends by itself."""
