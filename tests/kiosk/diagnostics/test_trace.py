"""``guichet-kiosk diag trace`` and ``diag replay``: from a recording, and from a terminal's own service as it runs."""

from __future__ import annotations

import asyncio
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import pytest

from drivers.api.device import DeviceConfig, DeviceIdentity, DeviceState, DeviceStatus, SelfTestStep
from drivers.cash.ccnet.framing import frame as ccnet_frame
from drivers.context import DriverContext
from drivers.transport.api import ByteTransport
from drivers.transport.memory import MemoryTransport, memory_pair
from drivers.transport.recorder import FIRST_BYTES, LATEST_BYTES, Tape
from drivers.transport.recording import Header, Mark, Moment, from_lines, identity_moment, moment_line
from guichet.ids import DeviceSerial
from guichet.system import SystemRandom
from guichet.v1 import health_pb2
from guichet.v1 import local_pb2 as pb
from guichet.v1.local_pb2_grpc import LocalTerminalStub, add_LocalTerminalServicer_to_server
from kiosk.cli import main
from kiosk.diagnostics.trace_view import Entry, Folding
from kiosk.journal.store import Journal
from kiosk.log import EventLog
from kiosk.terminal.fitted import Fitted, Workshop
from kiosk.terminal.line_follower import BATCH_BYTES, MOST_WAITING_BYTES, LineFollower
from kiosk.terminal.local import MOST_FOLLOWERS, LocalTerminal
from tests.conformance.recordings import HERE
from tests.elsewhere import installed
from tests.kiosk.terminal.standing import TERMINAL, Clock

POLL, IDLING, ACK = bytes.fromhex("02030633DA81"), bytes.fromhex("0203061467D4"), bytes.fromhex("02030600C282")
ESCROW = bytes.fromhex("0203078004A875")
CCNET = HERE / "ccnet.wire"
ESSP = HERE / "essp.wire"


async def run(*words: object) -> int:
    return await asyncio.to_thread(main, [str(word) for word in words])


# --- from a file ------------------------------------------------------------------------------------------------------


def test_a_recording_is_shown_with_names_and_hex_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diag", "trace", "--file", str(CCNET)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("cash: ccnet at memory, from 1970-01-01 00:00:00 UTC\n")
    assert "  >  02 03 06 33 DA 81                                poll\n" in out
    assert "  <  02 03 07 81 04 70 6C                             stacked, detail 4\n" in out
    assert "  !                                                   acknowledge\n" in out


def test_what_repeats_itself_is_folded_unless_every_line_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diag", "trace", "--file", str(CCNET)]) == 0
    folded = capsys.readouterr().out.splitlines()
    assert main(["diag", "trace", "--file", str(CCNET), "--every"]) == 0
    every = capsys.readouterr().out.splitlines()
    said = [line for line in folded if "... the same" in line]
    assert said
    assert not any("... the same" in line for line in every)
    assert len(every) > len(folded)


def test_for_scripts_every_moment_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diag", "trace", "--file", str(CCNET), "--json"]) == 0
    first, *moments = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert first == {"device": "cash", "driver": "ccnet", "address": "memory", "began_us": 0}
    assert moments[1] == {"at": 0.0, "what": "sent", "hex": "02030633da81", "words": "poll"}
    assert {moment["what"] for moment in moments} >= {"sent", "received", "step", "identity"}


def test_a_recording_can_be_written_down_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy.wire"
    assert main(["diag", "trace", "--file", str(CCNET), "--record", str(copy)]) == 0
    assert copy.read_text() == CCNET.read_text()
    assert main(["diag", "trace", "--file", str(CCNET), "--record", str(copy)]) == 2
    assert "File exists" in capsys.readouterr().err
    assert copy.read_text() == CCNET.read_text()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "No such file"),
        ("", "a recording begins with 'guichet wire recording 1'"),
        ("\x00\xff", "codec can't decode"),
        ("guichet wire recording 1\n{}\n", "a header has options"),
        ("guichet wire recording 1\nHEAD\n1.0 > 0\n", "not hexadecimal"),
    ],
)
def test_what_is_no_recording_ends_with_2_and_says_why(
    text: str | None, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.wire"
    if text is not None:
        head = CCNET.read_text().splitlines()[1]
        path.write_bytes(text.replace("HEAD", head).encode("latin-1"))
    for command in (["trace", "--file"], ["replay"]):
        assert main(["diag", *command, str(path)]) == 2
        assert why in capsys.readouterr().err


def test_times_that_no_clock_says_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.wire"
    path.write_text("\n".join([*CCNET.read_text().splitlines()[:2], "-1e308 .", "1e308 ."]) + "\n")
    assert main(["diag", "trace", "--file", str(path), "--json"]) == 2
    assert capsys.readouterr().err == "guichet-kiosk diag trace: no time: -1e308\n"


def test_a_line_with_a_key_of_its_own_is_read_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    show = ["diag", "trace", "--file", str(ESSP)]
    assert main([*show, "--option", "fixed_key=1111111111111111"]) == 0
    assert "polled events" not in capsys.readouterr().out
    assert main([*show, "--option", "fixed_key=0123456701234567"]) == 0
    assert "polled events" in capsys.readouterr().out
    assert main([*show, "--option", "fixed_key"]) == 2
    assert "--option 'fixed_key': NAME=VALUE" in capsys.readouterr().err


def test_a_device_that_comes_and_goes_uses_one_file_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "flapping.wire"
    head = CCNET.read_text().splitlines(keepends=True)[:2]
    path.write_text("".join([*head, "1.0 .\n"] * 300))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 50, hard))
    try:
        assert main(["diag", "trace", "--file", str(path), "--record", str(tmp_path / "copy.wire")]) == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (tmp_path / "copy-300.wire").read_text() == "".join([*head, "1.0 .\n"])


def test_bytes_that_were_not_kept_are_stars(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pinpad.wire"
    head = CCNET.read_text().splitlines()[:2]
    path.write_text("\n".join([*head, "1.0 > withheld 28", "2.0 ~ 12 moments are not kept", "3.0 ."]) + "\n")
    assert main(["diag", "trace", "--file", str(path)]) == 0
    out = capsys.readouterr().out
    assert "**** 28 bytes that are not kept" in out
    assert "GAP: 12 moments are not kept" in out
    assert out.endswith("closed\n")


def test_what_a_device_says_does_not_command_the_terminal_that_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rude.wire"
    head = CCNET.read_text().splitlines()[:2]
    part = b"\x1b]0;rude\x07".ljust(15)
    answer = ccnet_frame(part + b"SERIAL".ljust(12) + bytes(7)).hex(" ")
    rude = DeviceIdentity("ccnet", "\x1b[2J", DeviceSerial("1\r\n2"), "", False)
    lines = [
        *head,
        f"1.0 > {ccnet_frame(bytes((0x37,))).hex(' ')}",
        f"1.1 < {answer}",
        moment_line(identity_moment(1.2, rude)),
    ]
    path.write_text("\n".join(lines) + "\n")
    assert main(["diag", "trace", "--file", str(path)]) == 0
    out = capsys.readouterr().out
    assert "\\x1b]0;rude\\x07" in out
    assert "\\x1b[2J 1\\x0d\\x0a2" in out
    assert not any(sign != "\n" and not sign.isprintable() for sign in out)


@pytest.mark.parametrize("words", ["trace --every --file", "replay --events"])
def test_a_reader_that_has_seen_enough_ends_it_quietly(words: str) -> None:
    command = [sys.executable, "-c", "import sys; from kiosk.cli import main; sys.exit(main())"]
    process = subprocess.Popen(
        [*command, "diag", *words.split(), str(ESSP)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, b"")


def folded(*words: str) -> list[str]:
    """What folding shows of entries with these words."""
    folding, shown = Folding(), list[Entry | int]()
    for number, word in enumerate(words):
        shown += folding.fold(Entry(float(number), Mark.SENT, b"", word))
    shown += folding.rest()
    return [each.words if isinstance(each, Entry) else f"x{each}" for each in shown]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("a b a b a b a b c", "a b a b x2 c"),
        ("a b a b a b a c", "a b a b x1 a c"),
        ("a b a b a b", "a b a b x1"),
        ("a b a b a", "a b a b a"),
        ("a b c a b c a b c d e d e d e", "a b c a b c x1 d e d e x1"),
        ("a a a a a a", "a a a a x1"),
        ("a b c d", "a b c d"),
    ],
)
def test_two_rounds_are_shown_and_the_rest_is_counted(words: str, shown: str) -> None:
    assert folded(*words.split()) == shown.split()


# --- replay -----------------------------------------------------------------------------------------------------------


def test_a_recording_is_replayed_on_todays_driver(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diag", "replay", str(ESSP), "--events"]) == 0
    *events, last = capsys.readouterr().out.splitlines()
    assert last.startswith("the same: ")
    assert any(" stacked note type 3, value 20.00 EUR" in line for line in events)


def test_a_driver_that_cannot_be_loaded_is_told_and_its_line_is_shown_as_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {"acme": "acme_gone:it"}
    installed(tmp_path, "acme", {"guichet.drivers": entry, "guichet.narrators": entry})
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    path = tmp_path / "acme.wire"
    path.write_text(CCNET.read_text().replace('"driver": "ccnet"', '"driver": "acme"', 1))
    assert main(["diag", "replay", str(path)]) == 2
    error = "cash: cannot-load: driver 'acme', acme_gone:it: No module named 'acme_gone'"
    assert capsys.readouterr().err == f"guichet-kiosk diag replay: {error}\n"
    assert main(["diag", "trace", "--file", str(path)]) == 0
    assert "02 03 06 33 DA 81" in capsys.readouterr().out


def test_a_driver_that_says_something_else_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "other.wire"
    path.write_text(CCNET.read_text().replace("> 02 03 06 35 EC E4", "> 02 03 06 36 77 D6", 1))
    assert main(["diag", "replay", str(path)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("DIFFERENT: moment ")
    assert out.endswith("recorded > 02 03 06 36 77 D6, now > 02 03 06 35 EC E4\n")


@pytest.mark.parametrize(
    ("change", "words", "why"),
    [
        (('"driver": "ccnet"', '"driver": "abacus"'), (), "'abacus' is not one of"),
        (('"driver": "ccnet"', '"driver": "escpos"'), (), "escpos is no cash module"),
        (('"options": {}', '"options": {"poll_ms": "never"}'), (), "poll_ms 'never'"),
        (('"options": {}', '"options": {"fixed_key": "****"}'), (), "--option is needed for fixed_key"),
        (('"options": {}', '"options": {"poll_ms": "' + "9" * 5000 + '"}'), (), "poll_ms '9999"),
        (('"driver": "ccnet"', '"driver": "\\u001b[2Jccnet"'), (), "\\x1b[2Jccnet"),
        (('"options": {}', '"options": {"\\u001b[2Jkey": "****"}'), (), "--option is needed for \\x1b[2Jkey"),
        (("! proceed", "! go ahead"), (), "no step: 'go ahead'"),
        (("", ""), ("--option", "poll_ms"), "--option 'poll_ms': NAME=VALUE"),
        (("", ""), ("--option", "poll_ms=0"), "poll_ms '0'"),
    ],
)
def test_what_cannot_be_replayed_ends_with_2_and_says_why(
    change: tuple[str, str], words: tuple[str, ...], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.wire"
    path.write_text(CCNET.read_text().replace(*change, 1))
    assert main(["diag", "replay", str(path), *words]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("cut", ["1.39 ~ 3 moments are not kept", "1.39 > withheld 4"])
def test_a_recording_that_is_not_whole_cannot_be_tried(
    cut: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.wire"
    path.write_text(CCNET.read_text() + cut + "\n")
    assert main(["diag", "replay", str(path)]) == 2
    assert "not whole" in capsys.readouterr().err


def test_a_recording_from_the_middle_cannot_be_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.wire"
    lines = CCNET.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2] + lines[40:]))
    assert main(["diag", "replay", str(path)]) == 2
    assert "no steps from the opening of the line on" in capsys.readouterr().err


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
        journal = Journal.open(self.place / "journal.db", TERMINAL, 1, Clock())
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
            process.send_signal(2)
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
        _, errors = await process.communicate()
    assert errors == b""
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
