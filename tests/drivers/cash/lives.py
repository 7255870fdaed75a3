"""``guichet-sim`` for cash devices as processes of their own, and their lives, told as facts.

A life waits far more than it works: all of them are lived at once, and the tests look at what happened.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from drivers.api.cash import (
    Answered,
    CashEvent,
    Cleared,
    Escrowed,
    Presence,
    Ready,
    Rejected,
    Returned,
    Stacked,
    Trouble,
)
from drivers.api.device import DeviceConfig
from drivers.cash.module import CashDevice
from drivers.context import DriverContext
from drivers.registry import open_device
from drivers.simulation.control import ask
from drivers.transport.open import open_address
from guichet.ids import DeviceSerial

DEADLINE = 60.0
E = TypeVar("E", bound=CashEvent)
L = TypeVar("L")


@dataclass(frozen=True, slots=True)
class Kind:
    """A simulator and what is its own: its serial number, what it says when its slot is open, what a customer pushes
    in; the first answer and the note type in it after the power went with a note on its way; ``reborn``: what it says
    of itself when its process was killed then and begins again, where that is to stay until its host resets it.

    ``waking``: seconds that its paper takes to come to rest when power is back. ccTalk's numbers must be read before
    the note has got its new one: after that, the one on record would look familiar and prove nothing (the machine's
    own tests, where time stands still, have that case).
    """

    called: str
    name: str
    serial: str
    after_cut: tuple[Presence, int | None]
    reborn: str | None = None
    open_word: str = "idling"
    face: str = "20 EUR"
    escrow: bool = True
    waking: float = 0.05
    counts: bool = True
    names_value: bool = True
    words: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)


_FORGOTTEN = (Presence.FORGOTTEN, None)
_MOVING = (Presence.MOVING, None)
_CCTALK = Kind("cctalk", "cctalk", "12345678", _FORGOTTEN, open_word="accepting", waking=2.5, counts=False)
KINDS = (
    Kind("ccnet", "ccnet", "SIM000000001", _MOVING, "power_up_note_in_stacker"),
    Kind("id003", "id003", "SIM000000001", _MOVING, "power_up_note_in_stacker", counts=False, names_value=False),
    Kind("essp", "essp", "1873452", (Presence.STACKED, 3)),
    _CCTALK,
    replace(
        _CCTALK,
        called="cctalk, crc16 and echo",
        words=("--checksum", "crc16", "--echo"),
        options={"checksum": "crc16", "echo": "yes"},
    ),
    replace(_CCTALK, called="cctalk-coin", name="cctalk-coin", face="0.50 EUR", escrow=False),
)


class Process:
    """The simulator, startable again after its death."""

    def __init__(self, kind: Kind, place: Path, *words: str) -> None:
        self.kind, self.place, self.words = kind, place, words
        self.control, self.state = place / "hands", place / "notes.json"
        self.popen: subprocess.Popen[str] | None = None
        place.mkdir()

    @property
    def port(self) -> Path:
        """Where its pty appears."""
        return self.place / "port"

    async def start(self, *line: str) -> str:
        """Begin, on a pty unless ``line`` says otherwise; gives its first words."""
        where = line or ("--pty", str(self.port))
        own = ("--control", str(self.control), "--state", str(self.state), "--pace", "0.05")
        code = "import sys; from drivers.cli import main; sys.exit(main(sys.argv[1:]))"
        command = [sys.executable, "-c", code, self.kind.name, *where, *own, *self.kind.words, *self.words]
        pipe = subprocess.PIPE
        self.popen = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)  # noqa: ASYNC220 - takes no time
        greeting = await self.read()
        assert greeting, "it ended before it said what it is"
        return greeting

    async def read(self) -> str:
        """The next line that it prints."""
        popen = self.popen
        assert popen is not None
        assert popen.stdout is not None
        try:
            async with asyncio.timeout(DEADLINE):
                return (await asyncio.to_thread(popen.stdout.readline)).strip()
        except TimeoutError:
            popen.kill()  # The thread that reads ends with it.
            raise

    async def typed(self, line: str) -> str:
        """What it answers to a line from the keyboard."""
        assert self.popen is not None
        assert self.popen.stdin is not None
        self.popen.stdin.write(line + "\n")
        self.popen.stdin.flush()
        return await self.read()

    def end(self, how: signal.Signals = signal.SIGKILL) -> int:
        """It dies; gives its exit status."""
        if self.popen is None:
            return 0
        popen, self.popen = self.popen, None
        popen.send_signal(how)
        try:
            popen.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.communicate()
            raise
        return popen.returncode

    async def tell(self, line: str) -> str:
        """Act on it by its control socket."""
        return await asyncio.to_thread(ask, self.control, line)

    def kept(self) -> list[str]:
        """Where every note lies by what outlives the process."""
        return [note["place"] for note in json.loads(self.state.read_text())["notes"]]

    async def places(self) -> list[str]:
        """Where every note lies."""
        return [note["place"] for note in json.loads(await self.tell("notes"))["notes"]]


class Driver:
    """The real driver on a line, as the registry opens it, and a caller that records at once. ``marks``: what is on
    record for each device; ``stacks``: whether it decides at once, too.
    """

    def __init__(self, kind: Kind, address: str, marks: dict[DeviceSerial, int]) -> None:
        config = DeviceConfig("cash", kind.name, address, {"poll_ms": "20", **kind.options})
        device = open_device(config, DriverContext(time.monotonic, bytes, partial(open_address, device="cash")))
        assert isinstance(device, CashDevice)
        self.device, self.marks, self.stacks = device, marks, True
        self.serial = DeviceSerial("")
        self.events: list[CashEvent] = []
        self.happened = asyncio.Event()
        device.subscribe(self._heard)
        device.remember_by(marks.get)
        self.task = asyncio.create_task(device.run())

    def _heard(self, event: CashEvent) -> None:
        self.events.append(event)
        if isinstance(event, Answered) and event.identity is not None:
            self.serial = event.identity.serial
        if isinstance(event, Answered | Escrowed | Stacked | Returned | Rejected) and event.mark is not None:
            self.marks[self.serial] = event.mark
        if isinstance(event, Answered):
            self.device.acknowledge()
            self.device.proceed()
        if isinstance(event, Stacked | Returned | Rejected):
            self.device.acknowledge()
        if isinstance(event, Ready):
            self.device.enable()
        if isinstance(event, Escrowed) and self.stacks:
            self.device.stack()
        self.happened.set()

    async def until(self, kind: type[E], count: int = 1) -> E:
        """The ``count``-th event of a kind."""
        async with asyncio.timeout(DEADLINE):
            while sum(isinstance(event, kind) for event in self.events) < count:
                self.happened.clear()
                await self.happened.wait()
        return [event for event in self.events if isinstance(event, kind)][count - 1]

    async def stop(self) -> None:
        """The terminal's process ends."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@dataclass
class Life:
    """What happened to a device on a pty, in this order: a note all the way; the power cut with a note on its way; its
    process killed with another on its way, and begun again; the end by Ctrl-C.
    """

    kind: Kind
    process: Process
    marks: dict[DeviceSerial, int] = field(default_factory=dict[DeviceSerial, int])
    greeting: str = ""
    note: str = ""
    stacked: Stacked | None = None
    cleared: Cleared | None = None
    after_note: list[str] = field(default_factory=list[str])
    without_power: list[str] = field(default_factory=list[str])
    answered: Answered | None = None
    told_after_power: int = 0
    after_power: list[str] = field(default_factory=list[str])
    while_dead: list[str] = field(default_factory=list[str])
    reborn: str = ""
    after_death: list[str] = field(default_factory=list[str])
    exit_status: int | None = None
    port_is_gone: bool = False

    async def live(self) -> None:
        """From the first start to the last breath."""
        self.greeting = await self.process.start()
        driver = await self._a_note_all_the_way()
        await self._the_power_goes(driver)
        await self._a_note_on_its_way(driver)
        await asyncio.to_thread(self.process.end)
        await driver.stop()
        await self._it_begins_again()
        self.exit_status = await asyncio.to_thread(self.process.end, signal.SIGINT)
        self.port_is_gone = not self.process.port.is_symlink()

    async def _a_note_all_the_way(self) -> Driver:
        driver = Driver(self.kind, str(self.process.port), self.marks)
        await driver.until(Ready)
        await self.process.tell(f"wait {self.kind.open_word}")
        self.note = await self.process.tell(f"insert {self.kind.face}")
        self.stacked = await driver.until(Stacked)
        self.cleared = await driver.until(Cleared)
        self.after_note = await self.process.places()
        return driver

    async def _a_note_on_its_way(self, driver: Driver) -> None:
        """It moves to the box for so long that nothing here can be too late for it."""
        tell = self.process.tell
        escrowed = sum(isinstance(event, Escrowed) for event in driver.events)
        driver.stacks = False
        await tell(f"wait {self.kind.open_word}")
        await tell("pace 0.05" if self.kind.escrow else "pace 1.2")
        await tell(f"insert {self.kind.face}")
        if self.kind.escrow:
            await driver.until(Escrowed, escrowed + 1)
            await tell("pace 60")
            driver.device.stack()
        await tell("wait stacking")

    async def _the_power_goes(self, driver: Driver) -> None:
        await self._a_note_on_its_way(driver)
        await self.process.tell("power off")
        self.without_power = await self.process.places()
        await self.process.tell(f"pace {self.kind.waking}")
        before = len(driver.events)
        await self.process.tell("power on")
        self.answered = await driver.until(Answered, 2)
        if self.answered.presence is not Presence.STACKED:
            await driver.until(Stacked, 2)
        await driver.until(Ready, 2)
        self.told_after_power = sum(isinstance(event, Stacked) for event in driver.events[before:])
        self.after_power = await self.process.places()

    async def _it_begins_again(self) -> None:
        self.while_dead = self.process.kept()
        await self.process.start()
        self.reborn = json.loads(await self.process.tell("state"))["state"]
        driver = Driver(self.kind, str(self.process.port), self.marks)
        await driver.until(Ready)
        self.after_death = await self.process.places()
        await driver.stop()


@dataclass
class OtherLife:
    """What happened to a device on a TCP port, with another serial number, a fault script and a keyboard: two hosts,
    one after the other, and what was typed.
    """

    kind: Kind
    process: Process
    greeting: str = ""
    serials: list[str] = field(default_factory=list[str])
    trouble: Trouble | None = None
    prompt: str = ""
    typed: list[str] = field(default_factory=list[str])

    async def live(self) -> None:
        """From the first start to the last breath."""
        script = self.process.place / "script"
        script.write_text("note 1 in stacking: box full\n")
        words = ("--tcp", "0", "--serial", "4711", "--script", str(script), "--prompt")
        self.greeting = await self.process.start(*words)
        where = self.greeting.partition(" at ")[2].partition(",")[0]
        self.prompt = await self.process.read()
        for host in ("one", "other"):
            driver = Driver(self.kind, f"tcp://{where}", {})
            await driver.until(Ready)
            self.serials.append(driver.serial)
            if host == "other":
                await self.process.tell(f"wait {self.kind.open_word}")
                self.typed = [
                    await self.process.typed(line) for line in (f"insert {self.kind.face}", "dance", "mute off")
                ]
                self.trouble = await driver.until(Trouble)
            await driver.stop()
        await asyncio.to_thread(self.process.end)


async def alive(lives: Mapping[str, Callable[[], Coroutine[None, None, None]]]) -> dict[str, Exception]:
    """Live all of them at once; gives what went wrong in which."""
    ends = await asyncio.gather(*(live() for live in lives.values()), return_exceptions=True)
    return {name: end for name, end in zip(lives, ends, strict=True) if isinstance(end, Exception)}
