"""``guichet-sim cctalk`` and ``cctalk-coin`` as processes: a real pty, the real driver, hands by the control socket."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from drivers.api.cash import Answered, CashEvent, Cleared, Escrowed, Presence, Ready, Rejected, Returned, Stacked
from drivers.api.device import DeviceConfig
from drivers.cash.cctalk import simulator, simulator_coin
from drivers.cash.cctalk.driver import open_coin_acceptor, open_device
from drivers.cash.cctalk.simulator_device import Validator
from drivers.cash.module import CashDevice
from drivers.context import DriverContext
from drivers.simulation.control import ask
from drivers.simulation.hands import Hands
from drivers.simulation.notes import Place, Vault
from drivers.transport.open import open_address
from guichet.ids import DeviceSerial
from guichet.money import parse_money

DEADLINE = 30.0


class Process:
    """A simulator, startable again after a kill."""

    def __init__(self, place: Path, name: str, *more: str) -> None:
        self.place, self.name = place, name
        self.arguments = [
            name, "--pty", str(place / "port"), "--control", str(place / "hands"),
            "--state", str(place / "notes.json"), "--pace", "0.05", *more,
        ]  # fmt: skip
        self.popen: subprocess.Popen[str] | None = None

    def start(self) -> None:
        code = "import sys; from drivers.cli import main; sys.exit(main(sys.argv[1:]))"
        self.popen = subprocess.Popen([sys.executable, "-c", code, *self.arguments], stdout=subprocess.PIPE, text=True)
        assert self.popen.stdout is not None
        assert f"{self.name} device 12345678 at" in self.popen.stdout.readline()

    def kill(self) -> None:
        if self.popen is not None:
            self.popen.kill()
            self.popen.communicate()
            self.popen = None

    async def tell(self, line: str) -> str:
        return await asyncio.to_thread(ask, self.place / "hands", line)

    async def notes(self) -> list[str]:
        return [note["place"] for note in json.loads(await self.tell("notes"))["notes"]]


@pytest.fixture
def processes(run_dir: Path) -> Iterator[list[Process]]:
    started: list[Process] = []
    yield started
    for process in started:
        process.kill()


def start(processes: list[Process], run_dir: Path, name: str, *more: str) -> Process:
    place = run_dir / name
    place.mkdir(exist_ok=True)
    for old in place.iterdir():
        old.unlink()
    process = Process(place, name, *more)
    process.start()
    processes.append(process)
    return process


class Driver:
    """The real driver on the process's port, and a caller that keeps marks."""

    def __init__(self, process: Process, **options: str) -> None:
        config = DeviceConfig("cash", process.name, str(process.place / "port"), {"poll_ms": "20", **options})
        context = DriverContext(time.monotonic, bytes, partial(open_address, device="cash"))
        opens = open_coin_acceptor if process.name == "cctalk-coin" else open_device
        self.device: CashDevice = opens(config, context)
        self.events: list[CashEvent] = []
        self.marks: dict[DeviceSerial, int] = {}
        self.happened = asyncio.Event()
        self.device.subscribe(self._heard)
        self.device.remember_by(self.marks.get)
        self.task = asyncio.create_task(self.device.run())

    def _heard(self, event: CashEvent) -> None:
        self.events.append(event)
        if isinstance(event, Answered | Escrowed | Stacked | Returned | Rejected) and event.mark is not None:
            self.marks[DeviceSerial("12345678")] = event.mark
        if isinstance(event, Answered):
            self.device.acknowledge()
            self.device.proceed()
        if isinstance(event, Stacked | Returned | Rejected):
            self.device.acknowledge()
        if isinstance(event, Ready):
            self.device.enable()
        if isinstance(event, Escrowed):
            self.device.stack()
        self.happened.set()

    async def until(self, kind: type[CashEvent], count: int = 1) -> CashEvent:
        async with asyncio.timeout(DEADLINE):
            while sum(isinstance(event, kind) for event in self.events) < count:
                self.happened.clear()
                await self.happened.wait()
        return [event for event in self.events if isinstance(event, kind)][count - 1]

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.mark.parametrize(
    ("more", "options"),
    [((), {}), (("--checksum", "crc16", "--echo"), {"checksum": "crc16", "echo": "yes"})],
    ids=["simple", "crc16 and echo"],
)
async def test_a_note_goes_from_a_hand_over_a_real_pty_into_the_box(
    processes: list[Process], run_dir: Path, more: tuple[str, ...], options: dict[str, str]
) -> None:
    process = start(processes, run_dir, "cctalk", *more)
    driver = Driver(process, **options)
    await driver.until(Ready)
    await process.tell("wait accepting")
    assert await process.tell("insert 20 EUR") == "note 1"
    stacked = await driver.until(Stacked)
    assert isinstance(stacked, Stacked)
    assert stacked.value == parse_money("20 EUR")
    await driver.until(Cleared)
    assert await process.notes() == ["box"]
    await driver.stop()


async def test_a_coin_goes_from_a_hand_over_a_real_pty_into_the_box(processes: list[Process], run_dir: Path) -> None:
    process = start(processes, run_dir, "cctalk-coin")
    driver = Driver(process)
    await driver.until(Ready)
    await process.tell("wait accepting")
    await process.tell("insert 0.50 EUR")
    stacked = await driver.until(Stacked)
    assert isinstance(stacked, Stacked)
    assert stacked.value == parse_money("0.50 EUR")
    assert await process.notes() == ["box"]
    await driver.stop()


async def test_the_power_goes_with_a_note_on_its_way_and_it_is_told_when_it_is_back(
    processes: list[Process], run_dir: Path
) -> None:
    process = start(processes, run_dir, "cctalk")
    driver = Driver(process)
    await driver.until(Ready)
    await process.tell("pace 0.4")
    await process.tell("wait accepting")
    await process.tell("insert 50")
    await process.tell("wait stacking")
    await process.tell("power off")
    assert await process.notes() == ["transport"]
    # Slow enough that the numbers are read before the note has got its new one: after that, the one on record would
    # look familiar and prove nothing (test_machine.py, where time stands still, has that case).
    await process.tell("pace 6")
    await process.tell("power on")
    answered = await driver.until(Answered, 2)
    assert isinstance(answered, Answered)
    assert answered.presence is Presence.FORGOTTEN
    await driver.until(Stacked)
    assert await process.notes() == ["box"]
    await driver.stop()


async def test_a_killed_simulator_finds_its_paper_where_it_was(processes: list[Process], run_dir: Path) -> None:
    process = start(processes, run_dir, "cctalk")
    process.kill()
    vault = Vault.open(process.place / "notes.json")
    vault.move(vault.bring("20.00 EUR", 3, readable=True), Place.TRANSPORT)
    process.start()
    driver = Driver(process)
    await driver.until(Ready)
    assert await process.notes() == ["box"]
    await driver.stop()


@pytest.mark.parametrize(
    ("what", "state", "kind"),
    [("20", "escrow", 3), ("unknown", "escrow", 9), ("unreadable", "rejecting", 0), ("7 GBP", "rejecting", 0)],
)
async def test_any_paper_can_be_inserted(what: str, state: str, kind: int) -> None:
    device = Validator(Vault(None), simulator.default_table(), "1")
    device.advance(0.0)
    device.advance(1.0)
    device.mask, device.master = b"\xff" * 8, True
    assert await Hands(device, lambda: 1.0).act(f"insert {what}") == "note 1"
    device.advance(1.4)
    assert device.says == state
    assert device.vault.notes[0].note_type == kind


def test_the_default_tables_begin_at_1_and_hold_something_foreign() -> None:
    for table, foreign in ((simulator.default_table(), "20 USD"), (simulator_coin.default_table(), "0.25 USD")):
        assert min(table) == 1
        assert parse_money(foreign) in table.values()
