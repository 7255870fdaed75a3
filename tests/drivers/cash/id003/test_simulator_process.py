"""``guichet-sim id003`` as a process: a real pty, the real driver, and hands by the control socket."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from drivers.api.cash import Answered, CashEvent, Cleared, Escrowed, Presence, Ready, Stacked
from drivers.api.device import DeviceConfig
from drivers.cash.id003.driver import open_device
from drivers.cash.id003.messages import State, encode_note_table
from drivers.cash.id003.simulator import add_arguments, default_table, make
from drivers.cash.module import CashDevice
from drivers.context import DriverContext
from drivers.simulation.control import ask
from drivers.simulation.hands import Hands
from drivers.simulation.notes import Place, Vault
from drivers.transport.open import open_address
from guichet.money import parse_money

DEADLINE = 30.0


class Process:
    """The simulator, startable again after a kill."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.arguments = [
            "id003", "--pty", str(place / "port"), "--control", str(place / "hands"),
            "--state", str(place / "notes.json"), "--pace", "0.05",
        ]  # fmt: skip
        self.popen: subprocess.Popen[str] | None = None

    def start(self) -> None:
        code = "import sys; from drivers.cli import main; sys.exit(main(sys.argv[1:]))"
        self.popen = subprocess.Popen([sys.executable, "-c", code, *self.arguments], stdout=subprocess.PIPE, text=True)
        assert self.popen.stdout is not None
        assert "id003 device SIM000000001 at" in self.popen.stdout.readline()

    def kill(self) -> None:
        if self.popen is not None:
            self.popen.kill()
            self.popen.communicate()
            self.popen = None

    def tell(self, line: str) -> str:
        return ask(self.place / "hands", line)

    def notes(self) -> list[str]:
        return [note["place"] for note in json.loads(self.tell("notes"))["notes"]]


@pytest.fixture
def process(run_dir: Path) -> Iterator[Process]:
    place = run_dir / "id003"
    place.mkdir(exist_ok=True)
    for old in place.iterdir():
        old.unlink()
    process = Process(place)
    process.start()
    yield process
    process.kill()


class Driver:
    """The real driver on the process's port."""

    def __init__(self, place: Path) -> None:
        config = DeviceConfig("cash", "id003", str(place / "port"), {"poll_ms": "20"})
        context = DriverContext(time.monotonic, bytes, partial(open_address, device="cash"))
        self.device: CashDevice = open_device(config, context)
        self.events: list[CashEvent] = []
        self.happened = asyncio.Event()
        self.device.subscribe(self._heard)
        self.task = asyncio.create_task(self.device.run())

    def _heard(self, event: CashEvent) -> None:
        self.events.append(event)
        if isinstance(event, Answered):
            if event.presence is Presence.STACKED:
                self.device.acknowledge()
            self.device.proceed()
        if isinstance(event, Stacked):
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


@pytest.fixture
async def driver(process: Process) -> AsyncIterator[Driver]:
    driver = Driver(process.place)
    yield driver
    await driver.stop()


async def tell(process: Process, line: str) -> str:
    return await asyncio.to_thread(process.tell, line)


async def test_a_note_goes_from_a_hand_over_a_real_pty_into_the_box(process: Process, driver: Driver) -> None:
    await tell(process, "wait idling")
    assert await tell(process, "insert 20 EUR") == "note 1"
    escrowed = await driver.until(Escrowed)
    assert isinstance(escrowed, Escrowed)
    assert escrowed.value == parse_money("20 EUR")
    await driver.until(Stacked)
    await driver.until(Cleared)
    assert process.notes() == ["box"]


async def test_the_power_goes_with_a_note_on_its_way_and_it_is_told_when_it_is_back(
    process: Process, driver: Driver
) -> None:
    await tell(process, "pace 0.4")
    await tell(process, "wait idling")
    await tell(process, "insert 50")
    await tell(process, "wait stacking")
    await tell(process, "power off")
    assert process.notes() == ["transport"]
    await tell(process, "power on")
    answered = await driver.until(Answered, 2)
    assert isinstance(answered, Answered)
    assert answered.presence is Presence.MOVING
    await driver.until(Stacked)
    assert process.notes() == ["box"]


async def test_a_killed_simulator_finds_its_paper_where_it_was_and_a_driver_comes_back(process: Process) -> None:
    driver = Driver(process.place)
    await driver.until(Answered)
    await driver.stop()
    process.kill()
    vault = Vault.open(process.place / "notes.json")
    vault.move(vault.bring("20.00 EUR", 0x64, readable=True), Place.TRANSPORT)
    process.start()
    assert json.loads(process.tell("state"))["state"] == "power_up_note_in_stacker"
    driver = Driver(process.place)
    await driver.until(Stacked)
    await driver.stop()
    assert process.notes() == ["box"]


def options(*more: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(["--pty", "port", "--control", "hands", *more])


def test_the_command_line_chooses_the_firmware() -> None:
    usual = make(Vault(None), options()).firmware
    assert (usual.recovers, usual.remembers_credit, usual.shows_transients, usual.knows_serial) == (
        True, False, True, True,
    )  # fmt: skip
    assert usual.ack_patience is None
    other = make(
        Vault(None),
        options("--no-recovery", "--remembers", "--no-transients", "--no-serial", "--ack-patience", "60"),
    ).firmware
    assert (other.recovers, other.remembers_credit, other.shows_transients, other.knows_serial) == (
        False, True, False, False,
    )  # fmt: skip
    assert other.ack_patience == 60


def test_a_memory_of_a_credit_is_there_when_the_process_begins_again() -> None:
    vault = Vault(None, memory={"unacknowledged": 1})
    assert make(vault, options("--remembers")).state is State.POWER_UP_NOTE_IN_STACKER
    assert make(vault, options()).state is State.POWER_UP
    assert vault.memory == {}


def test_the_default_table_has_its_first_slot_empty_and_one_foreign_note() -> None:
    table = default_table()
    assert min(table.values) == 0x62
    assert [str(value) for value in table.values.values()][-1] == "20.00 USD"
    assert table == encode_note_table(table.values)
    assert make(Vault(None), options()).unnamed_type == 0x61


@pytest.mark.parametrize(
    ("what", "kind"), [("20", 0x64), ("20 USD", 0x69), ("unknown", 0x61), ("unreadable", 0), ("7 GBP", 0)]
)  # fmt: skip
async def test_any_paper_can_be_inserted(what: str, kind: int) -> None:
    device = make(Vault(None), options())
    for at, sent in enumerate(["FC05402B15", "FC07C000002DB5", "FC06C30004D6"]):
        device.receive(bytes.fromhex(sent), float(at))
    assert await Hands(device, lambda: 3.0).act(f"insert {what}") == "note 1"
    assert device.vault.notes[0].note_type == kind
    device.advance(3.4)
    assert device.state is (State.ESCROW if kind else State.REJECTING)
