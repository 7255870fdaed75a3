"""``guichet-sim ccnet`` as a process: a real pty, the real driver, and hands by the control socket."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from drivers.api.cash import Answered, CashEvent, Cleared, Escrowed, Presence, Ready, Stacked
from drivers.api.device import DeviceConfig
from drivers.cash.ccnet.driver import open_device
from drivers.cash.ccnet.framing import frame
from drivers.cash.ccnet.messages import ALL_TYPES, Command, Request, State, encode_note_table, encode_request
from drivers.cash.ccnet.simulator import default_table
from drivers.cash.ccnet.simulator_device import Validator
from drivers.cash.module import CashDevice
from drivers.cli import main
from drivers.context import DriverContext
from drivers.simulation.control import ask
from drivers.simulation.hands import Hands
from drivers.simulation.mechanism import Spot
from drivers.simulation.notes import Place, Vault
from drivers.transport.open import open_address
from guichet.money import parse_money

DEADLINE = 30.0


class Process:
    """The simulator, startable again after a kill."""

    def __init__(self, place: Path, *more: str) -> None:
        self.place = place
        self.arguments = [
            "ccnet", "--pty", str(place / "port"), "--control", str(place / "hands"),
            "--state", str(place / "notes.json"), "--pace", "0.05", *more,
        ]  # fmt: skip
        self.popen: subprocess.Popen[str] | None = None

    def start(self) -> None:
        code = "import sys; from drivers.cli import main; sys.exit(main(sys.argv[1:]))"
        self.popen = subprocess.Popen([sys.executable, "-c", code, *self.arguments], stdout=subprocess.PIPE, text=True)
        assert self.popen.stdout is not None
        assert "ccnet device SIM000000001 at" in self.popen.stdout.readline()

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
    place = run_dir / "ccnet"
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
        config = DeviceConfig("cash", "ccnet", str(place / "port"), {"poll_ms": "20"})
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
    assert answered.presence is Presence.MOVING
    await driver.until(Stacked)
    assert process.notes() == ["box"]


async def test_a_killed_simulator_finds_its_paper_where_it_was(process: Process) -> None:
    driver = Driver(process.place)
    await tell(process, "pace 30")
    await driver.until(Answered)
    await driver.stop()
    process.kill()
    vault = Vault.open(process.place / "notes.json")
    vault.move(vault.bring("20.00 EUR", 4, readable=True), Place.TRANSPORT)
    process.start()
    assert json.loads(process.tell("state")) == {
        "state": "power_up_note_in_stacker",
        "phase": "resting",
        "powered": True,
    }
    driver = Driver(process.place)
    assert isinstance(await driver.until(Stacked), Stacked)
    await driver.stop()
    assert process.notes() == ["box"]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("dance", "not understood: 'dance'"), ("insert", "not an amount"), ("insert 20 EUR", "slot is closed"),
        ("insert 3 moons", "not an amount"), ("wait moon", "no state 'moon'"), ("power", "one of: off, on"),
        ("power maybe", "one of: off, on"), ("box", "box removed, box full"), ("garbage x", "no count"),
        ("pace fast", "no number of seconds"), ("jam mouth", "jam where"), ("fault rain", "what"),
        ("slow -1", "0 to 3600"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_said(line: str, error: str) -> None:
    hands = Hands(Validator(Vault(None), default_table(), "S"), lambda: 0.0)
    with pytest.raises(ValueError, match=error):
        await hands.act(line)


async def test_hands_can_do_everything_that_happens_to_a_validator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.simulation.hands._WAIT_SECONDS", 0.02)
    device = Validator(Vault(None), default_table(), "S")
    clock = count()
    hands, shown = Hands(device, lambda: float(next(clock))), list[State]()
    for line in ("cheat", "box full", "box out", "box BOX-2", "failure", "free", "power off", "power on"):
        await hands.act(line)
        shown.append(device.state)
    assert shown == [
        State.CHEATED, State.POWER_UP, State.BOX_REMOVED, State.POWER_UP, State.FAILURE, State.POWER_UP,
        State.POWER_UP, State.POWER_UP,
    ]  # fmt: skip
    assert device.vault.box == "BOX-2"
    for line in ("jam", "mute on", "garbage 2", "lose 3", "pace 0.5"):
        await hands.act(line)
    line, mishaps = device.line, device.metal.mishaps
    assert (mishaps.jam, line.mute, line.garbage, line.lost) == (Spot.BOX, True, 2, 3)
    assert device.metal.stage_seconds == 0.5
    assert "insert 20 EUR" in await hands.act("help")
    with pytest.raises(ValueError, match=r"not idling within 0\.02 s: power_up"):
        await hands.act("wait idling")


@pytest.mark.parametrize(
    ("what", "state", "kind"),
    [
        ("20", State.ESCROW, 4),
        ("unknown", State.ESCROW, 10),
        ("unreadable", State.REJECTING, 0),
        ("7 GBP", State.REJECTING, 0),
    ],
)
async def test_any_paper_can_be_inserted(what: str, state: State, kind: int) -> None:
    device = Validator(Vault(None), default_table(), "S")
    device.receive(frame(encode_request(Request(Command.RESET))), 0.0)
    device.advance(1.0)
    device.receive(frame(encode_request(Request(Command.ENABLE_NOTE_TYPES, ALL_TYPES, ALL_TYPES))), 1.0)
    assert await Hands(device, lambda: 1.0).act(f"insert {what}") == "note 1"
    device.advance(1.4)
    assert device.state is state
    assert device.vault.notes[0].note_type == kind


def test_the_tables_first_type_is_not_0() -> None:
    assert min(default_table().values) == 2
    assert default_table() == encode_note_table(default_table().values)


# --- the command line -----------------------------------------------------------------------------------------------


def test_telling_prints_the_answer_and_ends_with_0(process: Process, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tell", str(process.place / "hands"), "state"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "power_up"


def test_telling_what_is_refused_ends_with_1(process: Process, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tell", str(process.place / "hands"), "insert", "20", "EUR"]) == 1
    assert "guichet-sim: the slot is closed (power_up)" in capsys.readouterr().err


def test_telling_nobody_ends_with_1(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tell", str(run_dir / "nobody"), "state"]) == 1
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["dance"], ["ccnet"], ["tell"], ["tell", "x"], ["ccnet", "--pace", "fast"]])
def test_wrong_usage_ends_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert "usage: guichet-sim" in capsys.readouterr().err


def test_help_names_every_device(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    for name in ("ccnet", "card", "printer", "pinpad", "tell"):
        assert name in out


def test_a_production_installation_says_that_it_has_no_simulators(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "drivers.cash.ccnet.simulator", None)
    assert main(["tell", "x", "state"]) == 2
    assert "production installation" in capsys.readouterr().err
