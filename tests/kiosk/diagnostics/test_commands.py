"""``guichet-kiosk diag`` and ``journal``, against a terminal's own service on a Unix socket and against bare files."""

# apsw's own stubs leave type parameters of execute() open.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import apsw
import grpc
import pytest

from drivers.api.device import DeviceIdentity, DeviceState, DeviceStatus, SelfTestStep
from drivers.errors import NoAnswer
from guichet.ids import DeviceSerial
from guichet.journal.chain import entry_seal, next_entry, snapshot_seal
from guichet.v1 import health_pb2, local_pb2
from guichet.v1 import journal_pb2 as pb
from guichet.v1.local_pb2_grpc import add_LocalTerminalServicer_to_server
from kiosk.cli import main
from kiosk.diagnostics import local_client
from kiosk.journal import snapshot
from kiosk.journal.folds import Fold
from kiosk.journal.store import Journal, kept_stopped
from kiosk.terminal.desk_view import DeskView
from kiosk.terminal.fitted import Fitted
from kiosk.terminal.health import terminal_health
from kiosk.terminal.local import LocalTerminal
from tests.kiosk.journal.standing import opened
from tests.kiosk.terminal.standing import TERMINAL, WRITER, Clock


class Device:
    """A device that is as the test says."""

    def __init__(self) -> None:
        identity = DeviceIdentity("ccnet", "GUICHET-SIM-CC", DeviceSerial("SIM000000001"), "", True)
        self.status = DeviceStatus(DeviceState.READY, "", identity, {"stacked": 12})
        self.steps = (SelfTestStep("connected", True, "/dev/x"),)
        self.mute = False
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def run(self) -> None:
        """Nobody owns it."""

    async def self_test(self) -> tuple[SelfTestStep, ...]:
        await self.goes_on.wait()
        if self.mute:
            raise NoAnswer("cash", "silent")
        return self.steps


class Kiosk:
    """A terminal's local service, and its configuration file."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.socket = place / "terminal.sock"
        self.cash, self.card = Device(), Device()
        self.session_open = False
        self.said: list[str] = []
        self.at_rest = True
        self.config = place / "terminal.toml"
        self.config.write_text(f'data = "{place}"\nsocket = "{self.socket}"\ndenominations = ["20 EUR"]\n')
        self.key = place / "journal.key"
        self.key.write_bytes(WRITER.key)
        self.journal: Journal | None = None
        self.epoch = 1
        self.server = grpc.aio.server()

    async def start(self) -> None:
        journal = self.journal = Journal.open(self.place / "journal.db", replace(WRITER, epoch=self.epoch), Clock())
        journal.append(pb.TerminalStarted(software_version="0.1.0"), pb.Incident(code="test", text="x" * 60))
        devices = {"cash": Fitted("ccnet", self.cash), "card": Fitted("pcsc", self.card)}
        local = LocalTerminal(
            TERMINAL, devices, journal, lambda: terminal_health(devices, DeskView(), journal, Clock()),
            lambda: True, lambda: self.session_open, self._exchanged,
        )  # fmt: skip
        add_LocalTerminalServicer_to_server(local, self.server)
        self.server.add_insecure_port(f"unix:{self.socket}")
        await self.server.start()

    def _exchanged(self, text: str) -> bool:
        self.said.append(text)
        if self.at_rest and self.journal is not None:
            self.journal.append(pb.BoxPeriodOpened(box_period_id="018bcfe5-6dc2-700a-8000-00000000abcd"))
        return self.at_rest

    async def stop(self) -> None:
        await self.server.stop(0)
        if self.journal is not None:
            self.journal.close()
            self.journal = None


@pytest.fixture
async def kiosk(run_dir: Path) -> AsyncIterator[Kiosk]:
    place = run_dir / "diagnostics"
    place.mkdir(exist_ok=True)
    for old in place.iterdir():
        old.unlink()
    kiosk = Kiosk(place)
    yield kiosk
    await kiosk.stop()


async def run(*words: object) -> int:
    return await asyncio.to_thread(main, [str(word) for word in words])


# --- diag -----------------------------------------------------------------------------------------------------------


async def test_every_device_is_listed_and_tested(kiosk: Kiosk, capsys: pytest.CaptureFixture[str]) -> None:
    await kiosk.start()
    assert await run("diag", "--config", kiosk.config) == 0
    out = capsys.readouterr().out
    assert "GVA-0001: out of service; host connected" in out
    assert "ccnet GUICHET-SIM-CC SIM000000001 (simulated), stacked 12" in out
    assert out.count("ok  connected: /dev/x") == 2


async def test_for_scripts_it_is_json(kiosk: Kiosk, capsys: pytest.CaptureFixture[str]) -> None:
    await kiosk.start()
    assert await run("diag", "--config", kiosk.config, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert [device["name"] for device in report["status"]["health"]["devices"]] == ["cash", "card"]
    assert report["self_tests"]["cash"]["passed"] is True


async def test_a_test_that_fails_or_a_fault_ends_with_1(kiosk: Kiosk, capsys: pytest.CaptureFixture[str]) -> None:
    await kiosk.start()
    kiosk.cash.steps = (SelfTestStep("no fault", False, "jam-box"),)
    assert await run("diag", "--config", kiosk.config, "cash") == 1
    assert "BAD no fault: jam-box" in capsys.readouterr().out
    kiosk.cash.mute = True
    assert await run("diag", "--config", kiosk.config, "cash") == 1
    assert "BAD device: cash: silent" in capsys.readouterr().out
    kiosk.card.status = DeviceStatus(DeviceState.ABSENT, "absent")
    assert await run("diag", "--config", kiosk.config, "--no-self-test") == 1
    assert "card     absent [absent]" in capsys.readouterr().out


async def test_what_a_device_says_does_not_command_the_terminal_that_shows_it(
    kiosk: Kiosk, capsys: pytest.CaptureFixture[str]
) -> None:
    await kiosk.start()
    rude = DeviceIdentity("ccnet", "\x1b[2J\x9bmodel", DeviceSerial("1\r\n2"), "", False)
    kiosk.cash.status = DeviceStatus(DeviceState.FAULT, "\x1bfault", rude, {"\x1bcount": 1})
    kiosk.cash.steps = (SelfTestStep("\x1bname", False, "\x9bdetail"),)
    assert kiosk.journal is not None
    kiosk.journal.append(pb.Incident(code="\x9b2J", text="\u202egnp.exe"))
    for words in (("diag",), ("diag", "--json"), ("journal", "list"), ("journal", "list", "--json")):
        await run(*words, "--config", kiosk.config)
        out = capsys.readouterr().out
        assert len(out) > 100
        assert not any(sign != "\n" and not sign.isprintable() for sign in out), words


@pytest.mark.parametrize("case", ["no such device", "a session is open", "no terminal", "a dead socket", "no config"])
async def test_what_cannot_be_asked_ends_with_2_and_says_why(
    kiosk: Kiosk, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = {
        "no such device": "NOT_FOUND: no device 'scanner'",
        "a session is open": "FAILED_PRECONDITION: a session is open",
        "no terminal": "no terminal at",
        "a dead socket": "no terminal answers at",
        "no config": "No such file",
    }
    if case in ("no such device", "a session is open"):
        await kiosk.start()
    kiosk.session_open = case == "a session is open"
    if case == "a dead socket":
        kiosk.socket.write_bytes(b"")
    config = kiosk.place / "none.toml" if case == "no config" else kiosk.config
    assert await run("diag", "--config", config, "scanner" if case == "no such device" else "cash") == 2
    assert expected[case] in capsys.readouterr().err


class Stopping(LocalTerminal):
    """What gRPC answers now and then for a server that stops, and at other times UNAVAILABLE."""

    async def GetStatus(
        self,
        request: local_pb2.GetStatusRequest,
        context: grpc.aio.ServicerContext[local_pb2.GetStatusRequest, local_pb2.GetStatusResponse],
    ) -> NoReturn:
        await context.abort(grpc.StatusCode.CANCELLED, "CANCELLED")


async def test_a_terminal_that_stops_while_it_is_asked_is_not_running(
    kiosk: Kiosk, capsys: pytest.CaptureFixture[str]
) -> None:
    stopping = Stopping(TERMINAL, {}, None, health_pb2.TerminalHealth, lambda: True, lambda: False)
    add_LocalTerminalServicer_to_server(stopping, kiosk.server)
    kiosk.server.add_insecure_port(f"unix:{kiosk.socket}")
    await kiosk.server.start()
    assert await run("diag", "--config", kiosk.config) == 2
    assert f"the terminal at {kiosk.socket} stopped before it had answered" in capsys.readouterr().err


async def test_a_terminal_that_gives_no_answer_is_not_waited_for_without_end(
    kiosk: Kiosk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_client, "_SECONDS", 0.5)
    await kiosk.start()
    kiosk.cash.goes_on.clear()
    assert await run("diag", "--config", kiosk.config, "cash") == 2
    assert "the terminal runs, and had not answered in full within 0.5 s" in capsys.readouterr().err


# --- journal --------------------------------------------------------------------------------------------------------


async def test_a_running_terminals_journal_is_listed_and_verified(
    kiosk: Kiosk, capsys: pytest.CaptureFixture[str]
) -> None:
    await kiosk.start()
    assert await run("journal", "list", "--config", kiosk.config) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("1/1      TerminalStarted")
    assert lines[1].endswith("x...")
    assert await run("journal", "verify", "--config", kiosk.config) == 0
    assert "2 entries, chain intact, every seal is this terminal's" in capsys.readouterr().out


async def test_a_stopped_terminals_journal_is_read_from_its_file(
    kiosk: Kiosk, capsys: pytest.CaptureFixture[str]
) -> None:
    await kiosk.start()
    await kiosk.stop()
    assert await run("journal", "verify", "--config", kiosk.config, "--json") == 0
    told = {
        "entries": 2,
        "intact": True,
        "sealed": True,
        "snapshots": 0,
        "begins": "",
        "countersigned": False,
        "broken": "",
    }
    assert json.loads(capsys.readouterr().out) == {**told, "broken": ""}
    assert await run("journal", "list", "--file", kiosk.place / "journal.db", "--json") == 0
    facts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(fact["sequence"], fact["fact"]) for fact in facts] == [(1, "TerminalStarted"), (2, "Incident")]


async def test_what_lies_before_a_new_enrolment_is_listed_and_verified_too(
    kiosk: Kiosk, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(kiosk.place / "journal.db") as (journal, _):
        journal.append(pb.Incident(code="before"))
    kiosk.epoch = 2
    await kiosk.start()
    assert await run("journal", "list", "--config", kiosk.config) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["1/1", "2/1", "2/2"]
    assert await run("journal", "verify", "--config", kiosk.config) == 0
    assert "3 entries, chain intact, every seal is this terminal's" in capsys.readouterr().out


async def test_seals_are_looked_at_where_there_is_the_key(kiosk: Kiosk, capsys: pytest.CaptureFixture[str]) -> None:
    await kiosk.start()
    await kiosk.stop()
    file = kiosk.place / "journal.db"
    assert await run("journal", "verify", "--file", file) == 0
    assert "seals not looked at, for want of the key" in capsys.readouterr().out
    assert await run("journal", "verify", "--file", file, "--key", kiosk.key) == 0
    assert "every seal is this terminal's" in capsys.readouterr().out
    kiosk.key.write_bytes(bytes(32))
    for where in (("--file", file, "--key", kiosk.key), ("--config", kiosk.config)):
        assert await run("journal", "verify", *where) == 1
        assert "BROKEN: " in (said := capsys.readouterr().out)
        assert "entry 1: was not sealed with this terminal's key" in said
    kiosk.key.write_bytes(bytes(31))
    assert await run("journal", "verify", "--config", kiosk.config) == 2
    assert "a key has 32 bytes, this file 31" in capsys.readouterr().err
    kiosk.key.unlink()
    assert await run("journal", "verify", "--config", kiosk.config) == 2
    assert "journal-keyless" in capsys.readouterr().err
    assert await run("journal", "list", "--config", kiosk.config) == 0, "who only reads needs no key"


async def test_a_running_terminal_that_finds_its_journal_broken_says_so(
    kiosk: Kiosk, capsys: pytest.CaptureFixture[str]
) -> None:
    connections: list[apsw.Connection] = []
    apsw.connection_hooks.append(connections.append)
    await kiosk.start()
    apsw.connection_hooks.clear()
    connections[0].execute(
        "DROP TRIGGER entries_are_never_changed; UPDATE entries SET seal = zeroblob(32) WHERE sequence = 2"
    )
    assert await run("journal", "verify", "--config", kiosk.config) == 1
    assert "entry 2: was not sealed" in capsys.readouterr().out


async def test_the_file_of_a_running_terminal_is_left_alone(kiosk: Kiosk, capsys: pytest.CaptureFixture[str]) -> None:
    await kiosk.start()
    assert await run("journal", "verify", "--file", kiosk.place / "journal.db") == 2
    assert "locked" in capsys.readouterr().err
    assert await run("journal", "verify", "--file", kiosk.place / "none.db") == 2


async def test_an_altered_journal_ends_with_1_and_names_the_entry(
    kiosk: Kiosk, capsys: pytest.CaptureFixture[str]
) -> None:
    await kiosk.start()
    await kiosk.stop()
    file = kiosk.place / "journal.db"
    connection = apsw.Connection(str(file))
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("DROP TRIGGER entries_are_never_changed")
    connection.execute("UPDATE entries SET record = x'00' WHERE sequence = 2")
    connection.close()
    assert await run("journal", "verify", "--file", file) == 1
    assert "BROKEN: journal entry 2: was altered" in capsys.readouterr().out
    assert await run("journal", "list", "--file", file) == 1
    out = capsys.readouterr().out
    assert "1/1      TerminalStarted" in out
    assert "1/2      UNREADABLE:" in out
    assert await run("journal", "list", "--file", file, "--json") == 1
    assert "unreadable" in json.loads(capsys.readouterr().out.splitlines()[1])


@pytest.fixture
def with_snapshots(kiosk: Kiosk) -> Path:
    """A stopped terminal's journal that has some."""
    file = kiosk.place / "journal.db"
    with opened(file, snapshot_every=5) as (journal, _):
        for _ in range(20):
            journal.append(pb.Incident(code="x"))
    return file


async def test_every_snapshot_is_compared_with_all_records_up_to_it(
    kiosk: Kiosk, with_snapshots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run("journal", "verify", "--config", kiosk.config) == 0
    assert (
        "20 entries, chain intact, every seal is this terminal's, 3 snapshots say the same" in capsys.readouterr().out
    )
    assert await run("journal", "verify", "--config", kiosk.config, "--json") == 0
    assert json.loads(capsys.readouterr().out)["snapshots"] == 3


@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize(
    ("state", "said"),
    [
        (b"%d\n{}" % snapshot.VERSION, "its snapshot says something else than the records up to it"),
        (snapshot.encode(Fold(count_due=True)), "its snapshot says something else than the records up to it"),
        (b"%d\nof a version to come" % (snapshot.VERSION + 1), ""),
    ],
    ids=["no state", "another state", "another version"],
)
async def test_a_snapshot_that_says_something_else_is_found_though_its_seal_is_good(
    kiosk: Kiosk, with_snapshots: Path, which: int, state: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    one = kept_stopped(with_snapshots).snapshots[which]
    seal = snapshot_seal(WRITER.key, one.epoch, one.sequence, one.hash, state)
    connection = apsw.Connection(str(with_snapshots))
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("DROP TRIGGER snapshots_are_never_changed")
    connection.execute("UPDATE snapshots SET state = ?, seal = ? WHERE sequence = ?", (state, seal, one.sequence))
    connection.close()
    assert await run("journal", "verify", "--config", kiosk.config) == (1 if said else 0)
    out = capsys.readouterr().out
    assert f"BROKEN: journal entry {one.sequence}: {said}" in out if said else "2 snapshots say the same" in out


async def test_a_snapshot_that_was_edited_or_whose_entry_is_gone_ends_with_1(
    kiosk: Kiosk, with_snapshots: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = kept_stopped(with_snapshots).snapshots[-1].sequence
    connection = apsw.Connection(str(with_snapshots))
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("DROP TRIGGER entries_are_never_removed")
    connection.execute("DELETE FROM entries WHERE sequence >= ?", (last,))
    connection.close()
    assert await run("journal", "verify", "--config", kiosk.config) == 1
    assert f"entry {last}: epoch 1 has a snapshot of it, and it is not there" in capsys.readouterr().out
    connection = apsw.Connection(str(with_snapshots))
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    connection.execute("DROP TRIGGER snapshots_are_never_changed")
    connection.execute("UPDATE snapshots SET seal = zeroblob(32)")
    connection.close()
    assert await run("journal", "verify", "--config", kiosk.config) == 1
    assert "its snapshot was not sealed with this terminal's key" in capsys.readouterr().out
    assert await run("journal", "list", "--config", kiosk.config) == 0, "the records are there to be read"


async def test_a_record_of_a_version_to_come_breaks_no_chain_but_is_said(
    kiosk: Kiosk, capsys: pytest.CaptureFixture[str]
) -> None:
    await kiosk.start()
    assert kiosk.journal is not None
    last = kiosk.journal.last
    await kiosk.stop()
    entry = next_entry(1, last, pb.JournalRecord(schema=2, incident=pb.Incident()).SerializeToString())
    connection = apsw.Connection(str(kiosk.place / "journal.db"))
    connection.execute("PRAGMA locking_mode=EXCLUSIVE")
    seal = entry_seal(WRITER.key, entry.hash)
    row = (entry.epoch, entry.sequence, entry.previous_hash, entry.hash, seal, entry.record)
    connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", row)
    connection.close()
    assert await run("journal", "verify", "--file", kiosk.place / "journal.db") == 1
    assert "BROKEN: schema 2 is not 1" in capsys.readouterr().out


async def test_the_service_state_is_what_still_works(kiosk: Kiosk) -> None:
    await kiosk.start()
    assert kiosk.journal is not None
    devices = {
        "cash": Fitted("ccnet", kiosk.cash),
        "card": Fitted("pcsc", kiosk.card),
        "pinpad": Fitted("epp", Device()),
    }

    def state(desk: DeskView) -> int:
        assert kiosk.journal is not None
        return terminal_health(devices, desk, kiosk.journal, Clock()).service

    assert state(DeskView(ready=True)) == health_pb2.SERVICE_STATE_REDUCED, "no printer"
    devices["printer"] = Fitted("escpos", Device())
    assert state(DeskView(ready=True)) == health_pb2.SERVICE_STATE_IN_SERVICE
    assert state(DeskView(ready=False)) == health_pb2.SERVICE_STATE_REDUCED
    kiosk.card.status = DeviceStatus(DeviceState.FAULT, "x")
    assert state(DeskView(ready=True)) == health_pb2.SERVICE_STATE_OUT_OF_SERVICE


# --- a box that was exchanged unseen ----------------------------------------------------------------------------------


async def test_an_engineer_says_that_the_box_was_exchanged_while_the_power_was_off(
    kiosk: Kiosk, capsys: pytest.CaptureFixture[str]
) -> None:
    await kiosk.start()
    assert await run("box-exchanged", "--config", kiosk.config, "--by", "Eva K.", "--witness", "Otto L.") == 0
    assert kiosk.said == ["exchanged unseen, says Eva K., Otto L. looked on"]
    assert capsys.readouterr().out == "box period 0000ABCD has begun\n"
    assert await run("box-exchanged", "--config", kiosk.config, "--by", "Eva K.", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"box_period_id": ""}, "the same period went on"


async def test_a_box_is_not_exchanged_under_a_customers_hands(kiosk: Kiosk, capsys: pytest.CaptureFixture[str]) -> None:
    await kiosk.start()
    kiosk.session_open = True
    assert await run("box-exchanged", "--config", kiosk.config, "--by", "Eva K.") == 1
    assert "a session is open" in capsys.readouterr().err
    kiosk.session_open, kiosk.at_rest = False, False
    assert await run("box-exchanged", "--config", kiosk.config, "--by", "Eva K.") == 1
    assert "a note may still be on its way" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--by", ""], ["--by", "x" * 65], ["--by", "Eva", "--witness", "\x1b[2J"]])
async def test_who_exchanged_a_box_has_a_name(
    kiosk: Kiosk, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    await kiosk.start()
    assert await run("box-exchanged", "--config", kiosk.config, *words) == 1
    assert "a name has 1 to 64 printable characters" in capsys.readouterr().err
    assert kiosk.said == []


async def test_where_no_terminal_runs_nobody_can_be_told_of_a_box(
    kiosk: Kiosk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run("box-exchanged", "--config", kiosk.config, "--by", "Eva K.") == 2
    assert "no terminal" in capsys.readouterr().err
