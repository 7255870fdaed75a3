"""The printer as a process: the command that a person starts, a real pty, real files."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from drivers.api.device import DeviceConfig, DeviceState
from drivers.api.document import Document, Row, Text
from drivers.errors import DeviceError, DeviceFault, NoAnswer
from drivers.printer.escpos.printer import EscposPrinter, open_device
from drivers.simulation.control import ask
from drivers.transport.open import open_address
from tests.drivers.printer.escpos import samples
from tests.drivers.printer.escpos.standing import DEADLINE, context, eventually, read

COMMAND = Path(sys.executable).with_name("guichet-sim")
SHORT = Document("short", (Text("one"), Row("two", "2.00")))


@dataclass
class Process:
    """``guichet-sim printer``, and what lies where."""

    folder: Path
    wire: tuple[str, str]
    process: subprocess.Popen[str] | None = None
    greeting: str = ""

    @property
    def control(self) -> Path:
        return self.folder / "control"

    async def start(self) -> None:
        command = [COMMAND, "printer", *self.wire, "--control", self.control, "--paper", self.folder / "paper"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220 - takes no time
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            self.greeting = (await asyncio.to_thread(self.process.stdout.readline)).strip()

    async def tell(self, line: str) -> str:
        return await asyncio.to_thread(ask, self.control, line)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(how)
        process.communicate(timeout=DEADLINE)
        return process.returncode


@asynccontextmanager
async def driving(address: str) -> AsyncGenerator[EscposPrinter]:
    config = DeviceConfig("printer", "escpos", address, {"poll-seconds": "0.1"})
    printer = open_device(config, context(partial(open_address, device="printer")))
    running = asyncio.ensure_future(printer.run())
    try:
        await eventually(lambda: printer.status.identity is not None)
        yield printer
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def simulator(run_dir: Path, name: str) -> AsyncGenerator[Process]:
    folder = run_dir / name
    folder.mkdir()
    process = Process(folder, ("--pty", str(folder / "tty")))
    try:
        await process.start()
        yield process
    finally:
        process.stop()


async def test_a_receipt_printed_over_a_pty_lies_in_the_folder_as_picture_and_text(run_dir: Path) -> None:
    async with simulator(run_dir, "receipt") as process, driving(process.wire[1]) as printer:
        await printer.print(samples.deposit())
        [document] = json.loads(await process.tell("documents"))
        assert document["complete"]
        assert read(document["text"]) == read(process.folder / "paper" / "receipt-0001.txt")
        assert "Credited to your account              195.00 EUR" in read(document["text"])
        with Image.open(document["png"]) as picture:
            assert picture.width == 640
        identity = printer.status.identity
        assert identity is not None
        assert identity.simulated


async def test_paper_that_ends_in_the_middle_is_told_over_a_pty(run_dir: Path) -> None:
    async with simulator(run_dir, "middle") as process, driving(process.wire[1]) as printer:
        await process.tell("lines 10 then paper out")
        with pytest.raises(DeviceFault) as caught:
            await printer.print(samples.statement())
        assert caught.value.code == "paper-out"
        assert json.loads(await process.tell("state"))["buffered"] == 0
        await process.tell("paper adequate")
        await eventually(lambda: printer.status.state is DeviceState.READY)
        await printer.print(SHORT)
        torn, whole = json.loads(await process.tell("documents"))
        assert (torn["complete"], whole["complete"]) == (False, True)
        assert read(torn["text"]).endswith("~ torn off here ~\n")


async def test_a_stalled_printer_is_no_answer_and_not_a_hanging_terminal(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.printer.escpos.printer._STALL_SECONDS", 0.3)
    monkeypatch.setattr("drivers.printer.escpos.printer._BUSY_ANSWER_SECONDS", 0.3)
    async with simulator(run_dir, "stall") as process, driving(process.wire[1]) as printer:
        await process.tell("lines 3 then stall")
        huge = Document("huge", tuple(Row(f"line {index}", "1.00") for index in range(1500)))
        with pytest.raises(NoAnswer) as caught:
            await printer.print(huge)
        assert caught.value.code in ("stalled", "no-answer")
        assert printer.status.counters == {"documents": 0}
        await eventually(lambda: printer.status.state is DeviceState.ABSENT)
        await process.tell("go")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_a_printer_switched_off_and_on_again_is_found_again(run_dir: Path, how: signal.Signals) -> None:
    async with simulator(run_dir, f"off-{how.name}") as process:
        config = DeviceConfig("printer", "escpos", process.wire[1], {"poll-seconds": "0.1"})
        printer = open_device(config, context(partial(open_address, device="printer")))
        lives: list[str] = []

        async def supervise() -> None:
            while True:
                try:
                    await printer.run()
                except DeviceError as error:
                    lives.append(error.code)
                await asyncio.sleep(0.02)

        supervisor = asyncio.ensure_future(supervise())
        try:
            await eventually(lambda: printer.status.identity is not None)
            await printer.print(SHORT)
            process.stop(how)
            await eventually(lambda: bool(lives))
            assert lives[0] == "hung-up"
            process.control.unlink(missing_ok=True)
            await process.start()
            await eventually(lambda: printer.status.state is DeviceState.READY)
            await printer.print(SHORT)
        finally:
            supervisor.cancel()
            await asyncio.gather(supervisor, return_exceptions=True)
        assert sorted(path.name for path in (process.folder / "paper").iterdir()) == [
            "receipt-0001.png",
            "receipt-0001.txt",
            "receipt-0002.png",
            "receipt-0002.txt",
        ]


async def test_it_stands_at_a_tcp_port_for_one_caller_after_the_other(run_dir: Path) -> None:
    folder = run_dir / "tcp"
    folder.mkdir()
    process = Process(folder, ("--tcp", "0"))
    await process.start()
    where, control = process.greeting.removeprefix("printer at ").split(", control at ")
    assert Path(control) == process.control
    try:
        for _ in range(2):
            async with driving(f"tcp://{where}") as printer:
                await printer.print(SHORT)
        assert len(json.loads(await process.tell("documents"))) == 2
    finally:
        assert process.stop() == 0


async def test_sigterm_ends_it_and_leaves_no_socket_behind(run_dir: Path) -> None:
    async with simulator(run_dir, "term") as process:
        assert process.stop() == 0
        assert not process.control.exists()
        assert not (process.folder / "tty").is_symlink()


async def test_the_control_line_says_what_it_does_not_understand(run_dir: Path) -> None:
    async with simulator(run_dir, "words") as process:
        for line in ("paper green", "lines many then paper out", "lines 3 then", "jump", ""):
            with pytest.raises(ValueError, match=r"not understood: .* \(try 'help'\)"):
                await process.tell(line)
        assert "paper out|near-end|adequate" in await process.tell("help")
        await process.tell("paper near-end")
        assert json.loads(await process.tell("state")) == {
            "paper": "near end",
            "cover_open": False,
            "online": True,
            "fault": "none",
            "mute": False,
            "stalled": False,
            "buffered": 0,
            "documents": 0,
        }
