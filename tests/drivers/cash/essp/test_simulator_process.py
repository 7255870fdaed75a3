"""``guichet-sim essp`` as a process: a real pty, the real driver, and hands by the control socket."""

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

from drivers import registry
from drivers.api.cash import Answered, CashEvent, Cleared, Escrowed, Presence, Ready, Stacked
from drivers.api.device import DeviceConfig
from drivers.cash.essp import simulator
from drivers.cash.essp.driver import open_device
from drivers.cash.module import CashDevice
from drivers.context import DriverContext
from drivers.errors import ConfigurationError
from drivers.simulation.control import ask
from drivers.simulation.notes import Vault
from drivers.transport.api import ByteTransport
from drivers.transport.open import open_address
from guichet.money import parse_money

DEADLINE = 30.0


class Process:
    """The simulator, startable again after a kill."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.arguments = [
            "essp", "--pty", str(place / "port"), "--control", str(place / "hands"),
            "--state", str(place / "notes.json"), "--pace", "0.05",
        ]  # fmt: skip
        self.popen: subprocess.Popen[str] | None = None

    def start(self) -> None:
        code = "import sys; from drivers.cli import main; sys.exit(main(sys.argv[1:]))"
        self.popen = subprocess.Popen([sys.executable, "-c", code, *self.arguments], stdout=subprocess.PIPE, text=True)
        assert self.popen.stdout is not None
        assert "essp device 1873452 at" in self.popen.stdout.readline()

    def kill(self) -> None:
        if self.popen is not None:
            self.popen.kill()
            self.popen.communicate()
            self.popen = None

    def notes(self) -> list[str]:
        return [note["place"] for note in json.loads(ask(self.place / "hands", "notes"))["notes"]]


@pytest.fixture
def process(run_dir: Path) -> Iterator[Process]:
    place = run_dir / "essp"
    place.mkdir(exist_ok=True)
    for old in place.iterdir():
        old.unlink()
    process = Process(place)
    process.start()
    yield process
    process.kill()


class Driver:
    """The real driver on the process's port, as the registry opens it."""

    def __init__(self, place: Path) -> None:
        config = DeviceConfig("cash", "essp", str(place / "port"), {"poll_ms": "20"})
        context = DriverContext(time.monotonic, bytes, partial(open_address, device="cash"))
        device = registry.open_device(config, context)
        assert isinstance(device, CashDevice)
        self.device = device
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
    return await asyncio.to_thread(ask, process.place / "hands", line)


async def test_a_note_goes_from_a_hand_over_a_real_pty_into_the_box(process: Process, driver: Driver) -> None:
    await tell(process, "wait idling")
    assert await tell(process, "insert 20 EUR") == "note 1"
    stacked = await driver.until(Stacked)
    assert isinstance(stacked, Stacked)
    assert stacked.value == parse_money("20 EUR")
    cleared = await driver.until(Cleared)
    assert isinstance(cleared, Cleared)
    assert cleared.stacked_counter == 1
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
    assert (answered.presence, answered.note_type) == (Presence.STACKED, 4)
    await driver.until(Ready, 2)
    assert process.notes() == ["box"]


def test_the_table_of_the_command_line_names_euro_notes_and_one_foreign_one() -> None:
    values = [str(value) for value in simulator.default_table().values.values()]
    assert values[0] == "5.00 EUR"
    assert values[6:] == ["500.00 EUR", "20.00 USD"]


def test_the_command_line_makes_the_device_that_it_describes() -> None:
    parser = argparse.ArgumentParser()
    simulator.add_arguments(parser)
    options = ["--highest-version", "6", "--no-counter", "--remembers", "--forgets-channel", "--early-credit"]
    arguments = parser.parse_args(["--pty", "p", "--control", "c", "--serial", "77", *options])
    device = simulator.make(Vault(None), arguments)
    assert (device.number, device.highest_version) == (77, 6)
    assert (device.forgets_count, device.remembers_credit, device.forgets_channel, device.early_credit) == (True,) * 4


async def unused(address: str) -> ByteTransport:
    raise AssertionError(address)


@pytest.mark.parametrize("key", ["", "0123", "0123456701234567x", "g123456701234567"])
def test_a_fixed_key_that_is_none_is_refused_and_not_repeated(key: str) -> None:
    config = DeviceConfig("cash", "essp", "/dev/x", {"fixed_key": key})
    with pytest.raises(ConfigurationError, match="16 hexadecimal digits"):
        open_device(config, DriverContext(time.monotonic, bytes, unused))


def test_another_fixed_key_is_taken() -> None:
    config = DeviceConfig("cash", "essp", "/dev/x", {"fixed_key": "00000000000000FF"})
    assert open_device(config, DriverContext(time.monotonic, bytes, unused)).capabilities.counter_modulus == 2**32
