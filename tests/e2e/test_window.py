"""A person's path through a real window: an X server, a mouse that is moved and clicked, nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.demo.person import Seen
from tests.e2e.whole_kiosk import ANNA_PIN, OFFSCREEN, SIZE, Books, Kiosk


@pytest.fixture
def display() -> Iterator[str]:
    """An X server in memory, as large as the kiosk's window."""
    missing = [program for program in ("Xvfb", "xdotool") if shutil.which(program) is None]
    if missing:
        assert not os.environ.get("CI"), f"{missing} are not installed"
        pytest.skip(f"{', '.join(missing)} not installed: make test installs them")
    reading, writing = os.pipe()
    command = ("Xvfb", "-displayfd", str(writing), "-screen", "0", f"{SIZE}x24", "-nolisten", "tcp")
    with subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        with os.fdopen(reading) as answer:
            number = answer.readline().strip()
        yield f":{number}"
        server.terminate()


class Mouse:
    """Clicks in the window on a display."""

    def __init__(self, kiosk: Kiosk, display: str, pictures: Path) -> None:
        self._kiosk = kiosk
        self._display = display
        self._pictures = pictures

    def click(self, control: str) -> None:
        """Where the button is, a click by X."""
        x, y = self._kiosk.stack.tell("hand", f"where {control}").split()
        command = ("xdotool", "mousemove", x, y, "click", "1")
        subprocess.run(command, check=True, env={**os.environ, "DISPLAY": self._display}, timeout=30)

    def picture(self, name: str) -> None:
        """Keep what is in the window; not blank."""
        path = self._pictures / f"{name}.png"
        self._kiosk.stack.tell("hand", f"picture {path}")
        with Image.open(path) as picture:
            assert f"{picture.width}x{picture.height}" == SIZE
            assert len(set(picture.convert("L").reduce(4).tobytes())) > 20, f"{name} is blank"


@pytest.fixture
def mouse(kiosk: Kiosk, display: str, repository: Path) -> Iterator[Mouse]:
    """The kiosk's screen in that window instead of off screen."""
    pictures = repository / "out" / "window"
    pictures.mkdir(parents=True, exist_ok=True)
    kiosk.stack.process("screen").stop()
    kiosk.stack.start_screen(SIZE, environment={"DISPLAY": display, "SDL_VIDEODRIVER": "x11", "KIVY_WINDOW": "sdl2"})
    kiosk.person.wait_view("attract")
    yield Mouse(kiosk, display, pictures)
    kiosk.stack.process("screen").stop()
    kiosk.stack.start_screen(SIZE, environment=OFFSCREEN)


def test_a_person_deposits_a_note_by_clicks_alone(kiosk: Kiosk, mouse: Mouse) -> None:
    before, person = kiosk.books(), kiosk.person
    mouse.picture("1-attract")
    person.card("anna")
    person.wait_view("pin")
    person.pin(ANNA_PIN)
    person.wait_view("menu")
    mouse.picture("2-menu")
    mouse.click("deposit")
    seen = person.wait_until(lambda seen: seen.name in ("deposit", "accounts"), "the deposit")
    if seen.name == "accounts":
        mouse.click(person.wait_view("accounts").controls[0])
    person.wait_until(_slot_open, "the slot to open")
    mouse.picture("3-slot-open")
    person.insert("20 EUR")
    kiosk.sees_total("€20")
    mouse.picture("4-one-note")
    mouse.click("finish")
    assert person.wait_view("deposit_result").says("€20")
    mouse.picture("5-result")
    mouse.click("receipt")
    person.wait_until(lambda seen: seen.says("Your receipt is printed"), "the receipt")
    mouse.click("done")
    person.wait_view("menu")
    mouse.click("finish")
    assert person.wait_view("goodbye").says("Please take your card")
    mouse.picture("6-goodbye")
    kiosk.leave()
    one = Counter({"20.00 EUR": 1})
    assert kiosk.books().since(before) == Books(one, one, Counter())


def _slot_open(seen: Seen) -> bool:
    return seen.says("Insert your first note")
