"""The screen as the process that it is, against a terminal that is only its end of the contract."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from drivers.simulation.control import ask
from kiosk.screen import main as command
from tests.kiosk.screen.conftest import DEADLINE, FakeTerminal, screen_process
from tests.kiosk.screen.samples import views

VIEWS = views()
UPRIGHT = "1080x1920"


async def test_a_touch_by_the_hand_reaches_the_terminal_with_its_view(terminal: FakeTerminal, place: Path) -> None:
    await terminal.start(VIEWS["menu"])
    async with screen_process(place, "540x960") as screen:
        assert (await terminal.receive("ready")).ready.software_version
        shown = await terminal.receive("shown")
        assert shown.shown.view_id == VIEWS["menu"].view_id
        seen = json.loads(await screen.hand("wait-view menu"))
        assert (seen["controls"], seen["disabled"]) == (["deposit", "statement", "finish"], [])
        assert "Hello, Ieva Kalniņa" in seen["texts"]
        await screen.hand("touch deposit")
        touched = (await terminal.receive("touched")).touched
        assert (touched.view_id, touched.control) == (VIEWS["menu"].view_id, "deposit")


async def test_the_hand_says_what_it_cannot_do(terminal: FakeTerminal, place: Path) -> None:
    await terminal.start(VIEWS["deposit-returning"])
    async with screen_process(place, "540x960") as screen:
        await terminal.receive("shown")
        for line, answer in [
            ("touch print", "no control 'print' here; there are: none"),
            ("touch cancel", "not enabled"),
            ("touch-at 5", "not a place"),
            ("dance", "not understood"),
            ("wait-view nonsense", "nonsense"),
            (f"picture {place}/no/where.png", "No such file"),
        ]:
            with pytest.raises(ValueError, match=answer):
                await screen.hand(line)
        assert "touch CONTROL" in await screen.hand("help")


async def test_the_screen_waits_for_a_terminal_and_attaches_again_to_one_that_came_back(
    terminal: FakeTerminal, place: Path
) -> None:
    async with screen_process(place, "540x960") as screen:
        await _listening(place / "hand")
        seen = json.loads(await screen.hand("wait-view away"))
        assert "A moment, please" in seen["texts"]
        await terminal.start(VIEWS["menu"])
        await screen.hand("wait-view menu")
        await terminal.stop()
        assert json.loads(await screen.hand("wait-view away"))["controls"] == []
        await terminal.start(VIEWS["notice"])
        await screen.hand("wait-view notice")
        await screen.hand("touch done")
        assert (await terminal.receive("touched")).touched.view_id == VIEWS["notice"].view_id


async def test_a_screen_under_systemd_says_when_it_is_ready_and_that_its_frames_go_on(
    terminal: FakeTerminal, place: Path
) -> None:
    await terminal.start(VIEWS["attract"])
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place / "notify"))
        manager.settimeout(DEADLINE)
        environment = {"NOTIFY_SOCKET": str(place / "notify"), "WATCHDOG_USEC": "200000"}
        async with screen_process(place, "540x960", **environment):
            said = [(await asyncio.to_thread(manager.recv, 1024)).decode() for _ in range(3)]
    assert said == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]


@pytest.mark.parametrize("size", ["540x960", "640x512"], ids=["upright", "wide"])
async def test_every_view_is_drawn_in_both_orientations(
    terminal: FakeTerminal, place: Path, repository: Path, size: str
) -> None:
    pictures = repository / "out" / "screens" / size  # half the reference sizes: quick, and still good to look at
    pictures.mkdir(parents=True, exist_ok=True)
    await terminal.start(VIEWS["wait"])
    async with screen_process(place, size) as screen:
        await terminal.receive("ready")
        seen: set[bytes] = set()
        for name, view in VIEWS.items():
            await terminal.shown(view)
            path = pictures / f"{name}.png"
            assert await screen.hand(f"picture {path}") == str(path)
            with Image.open(path) as picture:
                assert f"{picture.width}x{picture.height}" == size
                assert len(set(picture.reduce(8).tobytes())) > 50, f"{name} is blank"
                seen.add(hashlib.sha256(picture.tobytes()).digest())
    assert len(seen) == len(VIEWS)


@pytest.fixture
def display() -> Iterator[str]:
    """An X server in memory."""
    for program in ("Xvfb", "xdotool"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: make test installs it")
    reading, writing = os.pipe()
    arguments = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1080x1920x24", "-nolisten", "tcp"]
    with subprocess.Popen(arguments, pass_fds=[writing], stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        with os.fdopen(reading) as answer:
            number = answer.readline().strip()
        yield f":{number}"
        server.terminate()


async def test_a_real_click_in_a_real_window_reaches_the_terminal(
    terminal: FakeTerminal, place: Path, display: str
) -> None:
    await terminal.start(VIEWS["menu"])
    async with screen_process(place, UPRIGHT, DISPLAY=display) as screen:
        await _listening(place / "hand")
        await screen.hand("wait-view menu")
        # the middle of the lowest button, from the top: see kiosk.screen.theme
        click = ["xdotool", "mousemove", "540", str(1920 - 56 - 66), "click", "1"]
        clicking = await asyncio.create_subprocess_exec(*click, env={**os.environ, "DISPLAY": display})
        assert await clicking.wait() == 0
        assert (await terminal.receive("touched")).touched.control == "finish"


async def _listening(path: Path) -> None:
    """Wait until somebody answers at a socket."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                await asyncio.to_thread(ask, path, "help")
                return
            except OSError:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("size", ["1080", "x", "10x10", "1080x99999", "-1x5"])
def test_a_size_that_is_none_is_refused_with_the_form_of_one(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--socket", "s", f"--size={size}"])
    assert "size" in capsys.readouterr().err


def test_a_production_installation_has_no_hand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    monkeypatch.setattr(command, "find_spec", {"kiosk.workbench": None}.__getitem__)
    assert command.main(parser.parse_args(["--socket", "s", "--hand", "h"])) == 2
    assert "no hand" in capsys.readouterr().err
