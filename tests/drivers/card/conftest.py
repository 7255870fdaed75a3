"""A real pcscd with a virtual reader, and a card process that puts cards into it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from drivers.api.card import CardEvent, CardReader
from drivers.api.device import DeviceConfig
from drivers.card.pcsc.private_pcscd import PrivatePcscd
from drivers.card.pcsc.reader import open_device
from drivers.context import DriverContext
from drivers.errors import DeviceError
from drivers.simulation.control import ask
from drivers.transport.api import ByteTransport

DEADLINE = 30.0


@pytest.fixture(scope="session")
def pcsc_dir(run_dir: Path) -> Path:
    """Always the same: the PC/SC library reads the socket's name once in a process's life."""
    directory = run_dir / "pcsc"
    directory.mkdir()
    os.environ["PCSCLITE_CSOCK_NAME"] = str(directory / "pcscd.comm")
    return directory


@pytest.fixture
def pcscd(pcsc_dir: Path) -> Iterator[PrivatePcscd]:
    with PrivatePcscd(pcsc_dir) as service:
        assert str(service.socket) == os.environ["PCSCLITE_CSOCK_NAME"]
        yield service


def wait_until_it_answers(process: subprocess.Popen[bytes], control: Path) -> None:
    """A socket's file is there a moment before anybody listens at it, so only an answer counts."""
    deadline = time.monotonic() + DEADLINE
    while True:
        assert process.poll() is None, "the simulator ended"
        assert time.monotonic() < deadline, "the simulator does not start"
        try:
            ask(control, "help")
        except OSError:
            time.sleep(0.02)
        else:
            return


class CardProcess:
    """``guichet-sim card``, and a hand that puts cards into the slot."""

    def __init__(self, port: int, control: Path) -> None:
        self._control = control
        program = str(Path(sys.executable).with_name("guichet-sim"))
        command = [program, "card", "--vpcd", f"127.0.0.1:{port}", "--control", str(control)]
        self.process = subprocess.Popen(command)
        wait_until_it_answers(self.process, control)

    async def tell(self, line: str) -> str:
        return await asyncio.to_thread(ask, self._control, line)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(DEADLINE)


@pytest.fixture
def cards(pcscd: PrivatePcscd, run_dir: Path) -> Iterator[CardProcess]:
    process = CardProcess(pcscd.port, run_dir / f"card-{pcscd.port}.sock")
    yield process
    process.end()


async def no_transport(address: str) -> ByteTransport:
    raise AssertionError("a PC/SC reader opens no transport")


def make_reader(address: str = "", **options: str) -> CardReader:
    config = DeviceConfig("card", "pcsc", address, options)
    return open_device(config, DriverContext(time.monotonic, os.urandom, no_transport))


class RunningReader:
    """A reader whose task is running, and what it told."""

    def __init__(self, reader: CardReader) -> None:
        self.device = reader
        self.events: asyncio.Queue[CardEvent] = asyncio.Queue()
        reader.subscribe(self.events.put_nowait)
        self.task = asyncio.create_task(reader.run())

    async def event(self) -> CardEvent:
        async with asyncio.timeout(DEADLINE):
            return await self.events.get()

    async def end(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError, DeviceError):
            await self.task


@pytest.fixture
async def reader(pcscd: PrivatePcscd) -> AsyncIterator[RunningReader]:
    running = RunningReader(make_reader())
    yield running
    await running.end()
