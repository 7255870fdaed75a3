"""``guichet-kiosk diag trace`` of a terminal's own service as it runs, and those who are slower than its lines."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import pytest

from drivers.api.device import DeviceConfig, DeviceIdentity, DeviceState, DeviceStatus, SelfTestStep
from drivers.context import DriverContext
from drivers.transport.api import ByteTransport
from drivers.transport.memory import MemoryTransport, memory_pair
from drivers.transport.recorder import FIRST_BYTES, LATEST_BYTES, Tape
from drivers.transport.recording import Header, Mark, Moment, from_lines
from guichet.ids import DeviceSerial
from guichet.system import SystemRandom
from guichet.v1 import health_pb2
from guichet.v1 import local_pb2 as pb
from guichet.v1.local_pb2_grpc import LocalTerminalStub, add_LocalTerminalServicer_to_server
from kiosk.cli import main
from kiosk.journal.store import Journal
from kiosk.log import EventLog
from kiosk.terminal.fitted import Fitted, Workshop
from kiosk.terminal.line_follower import BATCH_BYTES, MOST_WAITING_BYTES, LineFollower
from kiosk.terminal.local import MOST_FOLLOWERS, LocalTerminal
from tests.kiosk.terminal.standing import TERMINAL, WRITER, Clock

POLL, IDLING, ACK = bytes.fromhex("02030633DA81"), bytes.fromhex("0203061467D4"), bytes.fromhex("02030600C282")
ESCROW = bytes.fromhex("0203078004A875")


async def run(*words: object) -> int:
    return await asyncio.to_thread(main, [str(word) for word in words])


# --- from a terminal that runs ----------------------------------------------------------------------------------------


class Device:
    """A device whose line a test writes on."""

    def __init__(self, context: DriverContext) -> None:
        self.context = context
        identity = DeviceIdentity("ccnet", "GUICHET-SIM-CC", DeviceSerial("SIM000000001"), "", True)
        self.status = DeviceStatus(DeviceState.READY, "", identity)
        self.line: ByteTransport

    async def run(self) -> None:
        self.line = await self.context.open_transport("memory")

    async def self_test(self) -> tuple[SelfTestStep, ...]:
        return ()


class Kiosk:
    """A terminal's local service over a validator's line."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.socket = place / "terminal.sock"
        self.config = place / "terminal.toml"
        self.config.write_text(f'data = "{place}"\nsocket = "{self.socket}"\ndenominations = ["20 EUR"]\n')
        self.far: MemoryTransport
        self.device: Device
        self.server = grpc.aio.server()
        clock = Clock()
        log = EventLog(clock, TERMINAL)
        workshop = Workshop(clock, SystemRandom(), log, lambda _, context: Device(context), None)
        self.fitted = workshop.fit(DeviceConfig("cash", "ccnet", "memory"), self.open)
        assert self.fitted.tape is not None
        self.tape = self.fitted.tape
        assert isinstance(self.fitted.device, Device)
        self.device = self.fitted.device
        self.devices = {"cash": self.fitted, "card": Fitted("pcsc", self.device)}

    async def open(self, address: str) -> ByteTransport:
        near, self.far = memory_pair("cash")
        return near

    async def start(self) -> None:
        journal = Journal.open(self.place / "journal.db", WRITER, Clock())
        local = LocalTerminal(TERMINAL, self.devices, journal, health_pb2.TerminalHealth, lambda: True, lambda: True)
        add_LocalTerminalServicer_to_server(local, self.server)
        self.server.add_insecure_port(f"unix:{self.socket}")
        await self.server.start()
        journal.close()
        await self.device.run()

    async def exchange(self, question: bytes, answer: bytes) -> None:
        self.device.line.write(question)
        self.far.write(answer)
        await self.device.line.read()
        self.device.line.write(ACK)


@pytest.fixture
async def kiosk(run_dir: Path) -> AsyncIterator[Kiosk]:
    place = run_dir / "trace"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    kiosk = Kiosk(place)
    await kiosk.start()
    yield kiosk
    await kiosk.server.stop(0)


async def test_what_a_terminal_has_kept_is_shown(kiosk: Kiosk, capsys: pytest.CaptureFixture[str]) -> None:
    kiosk.tape.reveal()
    await kiosk.exchange(POLL, ESCROW)
    assert await run("diag", "trace", "--config", kiosk.config, "--once") == 0
    out = capsys.readouterr().out
    assert out.startswith("cash: ccnet at memory, GUICHET-SIM-CC SIM000000001 (simulated), from ")
    assert "escrow, detail 4" in out


async def test_a_device_of_an_unknown_kind_keeps_its_bytes_to_itself(
    kiosk: Kiosk, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a PIN pad does: only cash modules and printers are known to say nothing secret."""
    await kiosk.exchange(POLL, ESCROW)
    assert await run("diag", "trace", "--config", kiosk.config, "--once") == 0
    assert capsys.readouterr().out.count("bytes that are not kept") == 3


async def test_a_device_without_a_line_and_one_that_is_not_there_are_refused(
    kiosk: Kiosk, capsys: pytest.CaptureFixture[str]
) -> None:
    for device in ("card", "scanner"):
        assert await run("diag", "trace", "--config", kiosk.config, device, "--once") == 2
        assert f"NOT_FOUND: no line of {device!r}: cash" in capsys.readouterr().err


async def test_a_line_that_was_never_opened_has_nothing_to_show(
    kiosk: Kiosk, capsys: pytest.CaptureFixture[str]
) -> None:
    workshop = Workshop(
        Clock(), SystemRandom(), EventLog(Clock(), TERMINAL), lambda _, context: Device(context), kiosk.place / "wire"
    )
    kiosk.devices["printer"] = workshop.fit(DeviceConfig("printer", "escpos", "memory"), kiosk.open)
    assert await run("diag", "trace", "--config", kiosk.config, "printer", "--once") == 0
    assert capsys.readouterr().err == "printer: nothing has gone over its line yet\n"
    assert not (kiosk.place / "wire").exists()


async def test_no_terminal_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "terminal.toml"
    config.write_text(f'data = "{tmp_path}"\nsocket = "{tmp_path}/none.sock"\ndenominations = ["20 EUR"]\n')
    assert await run("diag", "trace", "--config", config) == 2
    assert "no terminal at" in capsys.readouterr().err


async def test_a_line_is_followed_while_it_goes_on_and_recorded_connection_by_connection(kiosk: Kiosk) -> None:
    """As a process, ended by Ctrl-C as an engineer ends it."""
    kiosk.tape.reveal()
    await kiosk.exchange(POLL, IDLING)
    record = kiosk.place / "line.wire"
    words = ["diag", "trace", "--config", str(kiosk.config), "cash", "--record", str(record)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import sys; from kiosk.cli import main; sys.exit(main())", *words,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    shown: list[str] = []
    try:
        async with asyncio.timeout(60):
            await _show_until(process, shown, lambda line: line.endswith("ack"))
            await kiosk.exchange(POLL, ESCROW)
            await _show_until(process, shown, lambda line: "escrow, detail 4" in line)
            await kiosk.device.run()
            await kiosk.exchange(POLL, ESCROW)
            await _show_until(process, shown, lambda line: line.startswith("cash: ccnet"))
            await _show_until(process, shown, lambda line: "escrow, detail 4" in line)
            process.send_signal(signal.SIGINT)
            _, errors = await process.communicate()
            assert (process.returncode, errors.decode()) == (0, "")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert shown[0].startswith("cash: ccnet at memory")
    first = from_lines(record.read_text().splitlines())
    second = from_lines((kiosk.place / "line-2.wire").read_text().splitlines())
    assert [moment.data for moment in first.moments] == [POLL, IDLING, ACK, POLL, ESCROW, ACK]
    assert [moment.data for moment in second.moments][:2] == [POLL, ESCROW]


async def _show_until(process: asyncio.subprocess.Process, shown: list[str], last: Callable[[str], bool]) -> None:
    assert process.stdout is not None
    while True:
        line = (await process.stdout.readline()).decode().rstrip()
        assert line, f"it ended after {shown}"
        shown.append(line)
        if last(line):
            return


# --- who is slower than the line --------------------------------------------------------------------------------------


def tape() -> Tape:
    made = Tape(lambda: Header("cash", "ccnet", "memory"), lambda: None)
    made.begin()
    return made


def babble(line: Tape, count: int) -> None:
    for number in range(count):
        line.note(Moment(float(number), Mark.RECEIVED, bytes(4096)))


async def test_what_a_slow_reader_missed_is_told_where_it_is_missing() -> None:
    line = tape()
    line.reveal()
    with LineFollower(line) as follower:
        babble(line, 200)
        taken = [moment for _ in range(5) for moment in await asyncio.wait_for(follower.more(), 20)]
        assert abs(sum(map(len, taken)) - MOST_WAITING_BYTES) < 20_000
        line.note(Moment(9e9, Mark.STEP, text="tick"))
        missed = 200 - len(taken)
        assert await asyncio.wait_for(follower.more(), 20) == [
            f"9000000000.0 ~ {missed} moments are not kept", "9000000000.0 ! tick",
        ]  # fmt: skip


async def test_what_waits_is_told_in_batches_and_nothing_twice() -> None:
    line = tape()
    line.reveal()
    with LineFollower(line) as follower:
        babble(line, 40)
        batches = [await asyncio.wait_for(follower.more(), 20), await asyncio.wait_for(follower.more(), 20)]
        line.note(Moment(50.0, Mark.STEP, text="tick"))
        batches.append(await asyncio.wait_for(follower.more(), 20))
    assert all(sum(map(len, batch)) <= BATCH_BYTES for batch in batches)
    told = [float(told.split(" ", 1)[0]) for batch in batches for told in batch]
    assert told == [*map(float, range(40)), 50.0]


async def test_a_reader_that_reads_nothing_costs_little_whatever_the_device_says() -> None:
    """Not even when its line comes and goes the whole night."""
    line = tape()
    line.reveal()
    with LineFollower(line) as follower:
        for _ in range(3):
            babble(line, 1000)
            line.begin()
        assert len(await asyncio.wait_for(follower.more(), 20)) == 2
        for _ in range(10_000):
            line.begin()
        waiting = 0
        line.note(Moment(0.0, Mark.STEP, text="end"))
        while (lines := await asyncio.wait_for(follower.more(), 20))[-1] != "0.0 ! end":
            waiting += sum(map(len, lines))
        assert waiting < MOST_WAITING_BYTES


async def test_a_line_on_which_a_device_babbles_is_shown_all_the_same(
    kiosk: Kiosk, capsys: pytest.CaptureFixture[str]
) -> None:
    kiosk.tape.reveal()
    babble(kiosk.tape, 2000)
    kiosk.device.line.write(bytes(5_000_000))
    assert await run("diag", "trace", "--config", kiosk.config, "--once", "--json") == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert any(moment.get("words", "").startswith("GAP: ") for moment in shown)
    so_far = kiosk.tape.so_far()
    assert so_far is not None
    kept = sum(len(moment.data) for moment in so_far.moments)
    assert kept <= FIRST_BYTES + LATEST_BYTES


async def test_no_more_than_a_few_can_look_at_once_and_the_next_is_told_so(
    kiosk: Kiosk, capsys: pytest.CaptureFixture[str]
) -> None:
    async with grpc.aio.insecure_channel(f"unix:{kiosk.socket}") as channel:
        asked = pb.TraceLineRequest(device="cash", follow=True)
        looking = [LocalTerminalStub(channel).TraceLine(asked) for _ in range(MOST_FOLLOWERS)]
        for each in looking:
            await each.read()
        assert await run("diag", "trace", "--config", kiosk.config, "--once") == 2
        assert f"RESOURCE_EXHAUSTED: {MOST_FOLLOWERS} look at lines already" in capsys.readouterr().err
        for each in looking:
            each.cancel()
        async with asyncio.timeout(60):
            while await run("diag", "trace", "--config", kiosk.config, "--once") != 0:
                capsys.readouterr()
