"""The PIN pad driver against the software pad: in memory with a noisy wire, and as a process on a real pty."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from drivers.api.card import Pan
from drivers.api.device import DeviceConfig, DeviceState
from drivers.api.pinpad import PinBlock
from drivers.context import DriverContext
from drivers.errors import ConfigurationError, DeviceError, NoAnswer, ProtocolError, Refused, TransportError
from drivers.pinpad import messages as m
from drivers.pinpad.driver import SerialPinPad, open_device
from drivers.pinpad.framing import Deframer, encode_frame
from drivers.pinpad.simulator import FileKeyStore, SimulatedPad
from drivers.simulation.control import ask
from drivers.transport.api import ByteTransport, OpenTransport
from drivers.transport.memory import Disturb, MemoryTransport, memory_pair
from drivers.transport.open import open_address
from guichet.pin import Key, decode_pin_block, derive_pin_key, parse_ksn

DEADLINE = 30.0
KEY = "1273671EA26AC29AFA4D1084127652A1"
KEY_ID = "1234567890123456"
PAN = b"4761739001010010"


def opened(block: PinBlock | None) -> str:
    assert block is not None
    key = derive_pin_key(Key(bytes.fromhex(KEY)), parse_ksn(block.ksn))
    return decode_pin_block(key, block.block, PAN).reveal().decode()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "initial-key.json"
    path.write_text(json.dumps({"key": KEY, "key_id": KEY_ID}))
    return path


def unheard(count: int) -> None:
    """Digits that nobody shows."""


def make(address: str, open_transport: OpenTransport, key_file: Path | None) -> SerialPinPad:
    options = {"initial_key_file": str(key_file)} if key_file else {}
    config = DeviceConfig("pinpad", "epp", address, options)
    return open_device(config, DriverContext(time.monotonic, lambda count: bytes(count), open_transport))


class Running:
    """A driver whose task runs."""

    def __init__(self, device: SerialPinPad) -> None:
        self.device = device
        self.task = asyncio.create_task(device.run())
        self.digits: asyncio.Queue[int] = asyncio.Queue()

    async def until(self, state: DeviceState, fault: str = "") -> None:
        async with asyncio.timeout(DEADLINE):
            while (self.device.status.state, self.device.status.fault) != (state, fault):
                if self.task.done():
                    await self.task
                await asyncio.wait({self.task}, timeout=0.02)

    def enter(self) -> asyncio.Task[PinBlock | None]:
        return asyncio.create_task(self.device.enter_pin(Pan(PAN), self.digits.put_nowait))

    async def digits_are(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE):
            while await self.digits.get() != count:
                continue

    async def end(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError, DeviceError):
            await self.task


# --- a process on a pty ---


class PadProcess:
    """``guichet-sim pinpad`` and a finger on its keys."""

    def __init__(self, directory: Path, state: Path) -> None:
        self.link, self.control, self.state = directory / "pinpad", directory / "pinpad.sock", state
        self.start()

    def start(self) -> None:
        program = str(Path(sys.executable).with_name("guichet-sim"))
        places = ["--pty", str(self.link), "--control", str(self.control), "--state", str(self.state)]
        self.process = subprocess.Popen([program, "pinpad", *places])
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        """A socket's file is there a moment before anybody listens at it, so only an answer counts."""
        deadline = time.monotonic() + DEADLINE
        while True:
            assert self.process.poll() is None, "the pad's process ended"
            assert time.monotonic() < deadline, "the pad does not start"
            try:
                ask(self.control, "help")
            except OSError:
                time.sleep(0.02)
            else:
                return

    async def tell(self, line: str) -> str:
        return await asyncio.to_thread(ask, self.control, line)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE)


@pytest.fixture
def pad(run_dir: Path, tmp_path: Path) -> Iterator[PadProcess]:
    process = PadProcess(run_dir, tmp_path / "pad-state.json")
    yield process
    process.kill()


@pytest.fixture
async def running(pad: PadProcess, key_file: Path) -> AsyncIterator[Running]:
    running = Running(make(str(pad.link), partial(open_address, device="pinpad"), key_file))
    yield running
    await running.end()


async def test_a_pin_typed_on_the_pad_opens_at_the_other_end(pad: PadProcess, running: Running) -> None:
    await running.until(DeviceState.READY)
    entry = running.enter()
    await running.digits_are(0)
    await pad.tell("press 1")
    await running.digits_are(1)
    await pad.tell("press 234")
    await running.digits_are(4)
    await pad.tell("clear")
    await running.digits_are(0)
    await pad.tell("press 4321")
    await pad.tell("enter")
    block = await entry
    assert opened(block) == "4321"
    assert running.device.status.counters["blocks"] == 1


async def test_the_customer_may_cancel(pad: PadProcess, running: Running) -> None:
    await running.until(DeviceState.READY)
    entry = running.enter()
    await running.digits_are(0)
    await pad.tell("press 12")
    await pad.tell("cancel")
    assert await entry is None
    assert running.device.status.counters["cancelled"] == 1


async def test_a_cancelled_task_ends_the_entry_at_the_pad(pad: PadProcess, running: Running) -> None:
    await running.until(DeviceState.READY)
    entry = running.enter()
    await running.digits_are(0)
    entry.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entry
    assert json.loads(await pad.tell("state"))["entering"] is False
    second = running.enter()
    await running.digits_are(0)
    await pad.tell("press 5678")
    await pad.tell("enter")
    assert opened(await second) == "5678"


async def test_the_counter_survives_a_kill_and_no_key_is_used_twice(pad: PadProcess, running: Running) -> None:
    await running.until(DeviceState.READY)
    first = running.enter()
    await running.digits_are(0)
    pad.kill()
    with pytest.raises(DeviceError):
        await first
    with pytest.raises(DeviceError):
        async with asyncio.timeout(DEADLINE):
            await running.task
    pad.start()
    assert json.loads(await pad.tell("state"))["counter"] == 1
    again = Running(running.device)
    try:
        await again.until(DeviceState.READY)
        entry = again.enter()
        await again.digits_are(0)
        await pad.tell("press 1234")
        await pad.tell("enter")
        block = await entry
        assert opened(block) == "1234"
        assert block is not None
        assert parse_ksn(block.ksn).counter == 2
    finally:
        await again.end()


async def test_a_terminal_that_comes_back_finds_the_pad_free(pad: PadProcess, running: Running) -> None:
    await running.until(DeviceState.READY)
    entry = running.enter()
    await running.digits_are(0)
    await running.end()
    with pytest.raises(DeviceError):
        await entry
    again = Running(running.device)
    try:
        await again.until(DeviceState.READY)
        assert json.loads(await pad.tell("state"))["entering"] is False
    finally:
        await again.end()


async def test_a_silent_pad_ends_the_task(pad: PadProcess, running: Running) -> None:
    await running.until(DeviceState.READY)
    await pad.tell("silent")
    with pytest.raises(NoAnswer) as caught:
        async with asyncio.timeout(DEADLINE):
            await running.task
    assert caught.value.code == "silent"
    assert running.device.status.state is DeviceState.ABSENT
    assert [step.passed for step in await running.device.self_test()] == [False]
    with pytest.raises(NoAnswer, match="not there"):
        await running.device.enter_pin(Pan(PAN), unheard)
    await pad.tell("answering")
    again = Running(running.device)
    await again.until(DeviceState.READY)
    await again.end()


async def test_it_says_who_it_is_and_tests_itself(pad: PadProcess, running: Running) -> None:
    await running.until(DeviceState.READY)
    identity = running.device.status.identity
    assert identity is not None
    assert (identity.model, identity.simulated) == ("SOFTWARE PIN PAD", True)
    steps = await running.device.self_test()
    assert [(step.name, step.passed) for step in steps] == [("answer", True), ("state", True), ("key", True)]


async def test_neither_pin_nor_card_number_nor_key_is_logged_or_told(
    pad: PadProcess, running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await running.until(DeviceState.READY)
    entry = running.enter()
    await running.digits_are(0)
    told = [await pad.tell(line) for line in ("press 739184", "state", "enter", "state", "help")]
    block = await entry
    with pytest.raises(ValueError, match="not understood") as caught:
        await pad.tell("press 7391x")
    with pytest.raises(ValueError, match="load-key takes") as bad_key:
        await pad.tell(f"load-key {KEY[:30]} {KEY_ID}")
    assert opened(block) == "739184"
    for text in (*told, caplog.text, str(caught.value), str(bad_key.value), str(running.device.status)):
        for secret in ("7391", PAN.decode(), KEY[:30]):
            assert secret not in text
    assert pad.state.stat().st_mode & 0o077 == 0


async def test_a_key_may_be_loaded_by_hand(pad: PadProcess) -> None:
    assert await pad.tell(f"load-key {KEY} {KEY_ID}") == "loaded"
    assert json.loads(await pad.tell("state"))["key_id"] == KEY_ID
    running = Running(make(str(pad.link), partial(open_address, device="pinpad"), None))
    await running.until(DeviceState.READY)
    await running.end()


def test_a_damaged_memory_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text('{"key": "12')
    with pytest.raises(ValueError, match="damaged"):
        FileKeyStore(path).load()


# --- in memory ---


class Wire:
    """A software pad at the other end of a wire in memory."""

    def __init__(self, directory: Path) -> None:
        self.near, self.far = memory_pair("pinpad")
        self.pad = SimulatedPad("S1", FileKeyStore(directory / "state.json"), self.far)
        self.task = asyncio.create_task(self.pad.serve())

    async def open(self, address: str) -> ByteTransport:
        return self.near

    async def end(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError, BaseExceptionGroup):
            await self.task


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    wire = Wire(tmp_path)
    yield wire
    await wire.end()


def damage(every: int) -> Disturb:
    """What a line does that loses one write in ``every``."""
    count = 0

    def disturb(data: bytes) -> bytes:
        nonlocal count
        count += 1
        return data[:-1] + bytes([data[-1] ^ 1]) if count % every == 0 else data

    return disturb


async def test_a_noisy_line_costs_time_and_nothing_else(wire: Wire, key_file: Path) -> None:
    wire.near.disturb = damage(5)
    wire.far.disturb = damage(7)
    running = Running(make("memory", wire.open, key_file))
    await running.until(DeviceState.READY)
    entry = running.enter()
    await running.digits_are(0)
    await wire.pad.handle("press 1234")
    await wire.pad.handle("enter")
    assert opened(await entry) == "1234"
    assert json.loads(await wire.pad.handle("state"))["counter"] == 1
    await running.end()


async def test_without_a_key_the_pad_is_out_of_order_until_enrolment_brings_one(wire: Wire, tmp_path: Path) -> None:
    path = tmp_path / "initial-key.json"
    running = Running(make("memory", wire.open, path))
    await running.until(DeviceState.FAULT, "no-key")
    with pytest.raises(Refused) as caught:
        await running.device.enter_pin(Pan(PAN), unheard)
    assert caught.value.code == "no-key"
    path.write_text(json.dumps({"key": KEY, "key_id": KEY_ID}))
    await running.until(DeviceState.READY)
    await running.end()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"key": "12", "key_id": "34"}', '{"key": 1, "key_id": 2}'])
async def test_a_bad_key_file_is_a_configuration_error_that_quotes_nothing(
    wire: Wire, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "initial-key.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        await make("memory", wire.open, path).run()
    assert caught.value.code == "bad-key-file"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_options_that_it_does_not_have_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="unknown-option: colour"):
        open_device(
            DeviceConfig("pinpad", "epp", "/dev/null", {"colour": "red"}),
            DriverContext(time.monotonic, lambda count: bytes(count), partial(open_address, device="pinpad")),
        )


async def test_a_pad_that_cannot_be_opened_is_lost(key_file: Path) -> None:
    device = make("/nonexistent/pinpad", partial(open_address, device="pinpad"), key_file)
    with pytest.raises(TransportError) as caught:
        await device.run()
    assert (caught.value.code, device.status.state) == ("absent", DeviceState.ABSENT)


class ScriptedPad:
    """A pad that is no software: it answers as told."""

    def __init__(self, far: MemoryTransport, **answers: m.Answer) -> None:
        self._far = far
        self._answers = answers

    async def serve(self) -> None:
        deframer = Deframer()
        while True:
            for frame in deframer.feed(await self._far.read()):
                answer = self._answers[type(m.decode(frame)).__name__]
                self._far.write(encode_frame(m.encode(frame.sequence, answer)))


HARDWARE = m.Identity(False, "EPP", "7", "1.0")
IDLE = m.Status(m.PadState.IDLE, False, bytes(8), 0)


async def scripted(key_file: Path | None, **answers: m.Answer) -> Running:
    near, far = memory_pair("pinpad")
    task = asyncio.create_task(ScriptedPad(far, CancelEntry=m.EntryCancelled(), **answers).serve())

    async def open_near(address: str) -> ByteTransport:
        return near

    running = Running(make("memory", open_near, key_file))
    running.task.add_done_callback(lambda _: task.cancel())
    return running


async def test_a_key_in_clear_never_goes_to_hardware(key_file: Path) -> None:
    running = await scripted(key_file, Identify=HARDWARE, AskStatus=IDLE)
    with pytest.raises(ConfigurationError) as caught:
        await running.task
    assert caught.value.code == "clear-key"


async def test_a_pad_with_a_fault_says_so() -> None:
    fault = m.Status(m.PadState.FAULT, True, bytes(8), 0)
    running = await scripted(None, Identify=HARDWARE, AskStatus=fault)
    await running.until(DeviceState.FAULT, "pad-fault")
    await running.end()


async def test_an_answer_to_another_question_is_a_protocol_error() -> None:
    running = await scripted(None, Identify=IDLE)
    with pytest.raises(ProtocolError, match="instead of Identity"):
        await running.task


@pytest.mark.parametrize(
    ("outcome", "counted"), [(m.Outcome.TIMED_OUT, "timed-out"), (m.Outcome.CANCELLED, "cancelled")]
)
async def test_an_entry_without_a_pin_is_none(outcome: m.Outcome, counted: str) -> None:
    status = m.Status(m.PadState.IDLE, True, bytes(8), 0)
    answers = {"EnterPin": m.EntryStarted(), "AskEntry": m.Entry(outcome, 0)}
    running = await scripted(None, Identify=HARDWARE, AskStatus=status, **answers)
    await running.until(DeviceState.READY)
    assert await running.device.enter_pin(Pan(PAN), unheard) is None
    assert running.device.status.counters[counted] == 1
    await running.end()


async def test_a_pad_that_was_restarted_in_an_entry_is_an_error() -> None:
    status = m.Status(m.PadState.IDLE, True, bytes(8), 0)
    answers = {"EnterPin": m.EntryStarted(), "AskEntry": m.Entry(m.Outcome.NONE, 0)}
    running = await scripted(None, Identify=HARDWARE, AskStatus=status, **answers)
    await running.until(DeviceState.READY)
    with pytest.raises(NoAnswer, match="entry-lost"):
        await running.device.enter_pin(Pan(PAN), unheard)
    await running.end()
