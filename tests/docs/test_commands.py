"""Every command of every page is run, in the order of its page.

What speaks to a running kiosk is run against a real one: host, devices, terminal and screen, as ``make run`` starts
them. Of make's targets only what they would do is asked: ``make test`` inside a test would never end.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from drivers.cli import simulators
from kiosk.workbench.processes import Process
from kiosk.workbench.stack import Stack
from tests.docs.pages import ROOT, Page, commands, pages
from tests.docs.test_montage import demo_pictures
from tests.e2e.demo.person import Person

PAGES = [page for page in pages() if any(commands(page))]
BIN = Path(sys.executable).parent
OFFSCREEN = {"SDL_VIDEODRIVER": "offscreen", "KIVY_WINDOW": "sdl2"}
SECONDS = 60


class UnknownCommandError(AssertionError):
    """A page has a command that no test runs. Teach :class:`Reader` how, or take it out of the page."""


@dataclass(frozen=True, slots=True)
class Folders:
    """What the pages' folders are here: ``var`` that of ``make run``, ``scratch`` in the place of /tmp and out/."""

    var: Path
    scratch: Path

    def here(self, word: str) -> str:
        """A word of a command with the pages' folders replaced."""
        for begin, folder in (
            ("var/", self.var),
            ("/tmp/", self.scratch),
            ("out/", self.scratch / "out"),
            ("kiosk/screen/pictures/", self.scratch),
            (".venv/bin/", BIN),
        ):
            if word.startswith(begin):
                return str(folder / word.removeprefix(begin))
        return word


class Reader:
    """Someone who types what the page says, and who looks at the kiosk before going on, as a person does."""

    def __init__(self, stack: Stack, folders: Folders) -> None:
        self._stack = stack
        self._person = Person(stack, folders.scratch)
        self._folders = folders
        self.devices = ExitStack()

    def type(self, command: str) -> None:
        """Do it. Raises AssertionError where it fails."""
        words = shlex.split(command, comments=True)
        while words and "=" in words[0]:
            words.pop(0)  # A setting for make; what make would do does not depend on it.
        here = [self._folders.here(word) for word in words]
        match words:
            case ["make", *_]:
                self._run("make", "--dry-run", *words[1:])
            case [".venv/bin/guichet-sim", "tell", control, *told] if control.startswith("var/run/"):
                self._look(Path(control).stem, told)
                self._run(*here)
            case [".venv/bin/guichet-sim", device, *_] if device in simulators():
                self._start_device(here)
            case [".venv/bin/pre-commit", "install"]:
                self._install_hooks(here)
            case [".venv/bin/guichet-kiosk", "diag", *_]:
                self._person.wait_view("attract")  # A device is not tested while a customer uses it.
                self._run(*here)
            case [program, *_] if program.startswith((".venv/bin/guichet-", ".venv/bin/python", "proto/generate")):
                self._run(*here)
            case _:
                raise UnknownCommandError(command)

    def here(self, word: str) -> str:
        """A word with the folders of this run."""
        return self._folders.here(word)

    def _look(self, device: str, told: list[str]) -> None:
        """Wait until the kiosk is where the page's reader sees it to be."""
        match device, told:
            case "card", ["insert", *_]:
                self._person.wait_view("attract")
            case "card", ["remove"]:
                self._person.wait_view("goodbye")
            case "pinpad", ["press", *_]:
                self._person.wait_view("pin")
            case "hand", ["touch", control]:
                self._person.wait_until(lambda seen: control in seen.controls, f"the button {control}")
            case "cash", ["insert", *_]:
                self._stack.tell("cash", "wait idling")
            case _:
                pass

    def _run(self, *words: str, folder: Path = ROOT) -> None:
        settings = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "ARGS")}
        done = subprocess.run(
            words, cwd=folder, env=settings, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"

    def _start_device(self, words: list[str]) -> None:
        control = Path(words[words.index("--control") + 1])
        process = Process(words[1], words, self._folders.scratch / f"{words[1]}.log")
        self.devices.callback(process.stop)
        process.start()
        process.wait_for(control.exists, "control socket")

    def _install_hooks(self, words: list[str]) -> None:
        """In a repository of its own: this one's hooks are its owner's."""
        folder = self._folders.scratch / "hooks"
        folder.mkdir()
        (folder / ".pre-commit-config.yaml").write_bytes((ROOT / ".pre-commit-config.yaml").read_bytes())
        self._run("git", "init", "--quiet", folder=folder)
        self._run(*words, folder=folder)
        assert (folder / ".git" / "hooks" / "pre-commit").exists()


@pytest.fixture(scope="module")
def reader(run_dir: Path) -> Iterator[Reader]:
    folders = Folders(run_dir / "docs", run_dir / "docs-scratch")
    (folders.scratch / "out").mkdir(parents=True)
    demo_pictures(folders.scratch / "out" / "demo")
    with Stack(folders.var, pace=0.2, poll_ms=50, timings="escrow_hold = 0.3") as stack:
        stack.start_screen("540x960", environment=OFFSCREEN)
        reader = Reader(stack, folders)
        with reader.devices:
            yield reader


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_works(reader: Reader, page: Page) -> None:
    for place, command in commands(page):
        try:
            reader.type(command)
        except Exception as error:
            error.add_note(f"{place}: {command}")
            raise


def test_the_reader_reads_something() -> None:
    assert {"README.md", "CONTRIBUTING.md", "kiosk/README.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("command", ["ls", "curl https://example.com", ".venv/bin/pip install something"])
def test_a_command_that_nobody_runs_is_refused(reader: Reader, command: str) -> None:
    with pytest.raises(UnknownCommandError):
        reader.type(command)


@pytest.mark.parametrize("command", ["make rnu", ".venv/bin/guichet-kiosk daig --config var/terminal.toml"])
def test_a_command_that_fails_is_seen(reader: Reader, command: str) -> None:
    with pytest.raises(AssertionError):
        reader.type(command)


def test_the_money_of_the_pages_customers_is_where_the_books_say(reader: Reader) -> None:
    """Run alone or after the pages: what is in the box is what the host credited."""
    with_json = [str(BIN / "guichet-host"), "reconcile", "--json", "--config", reader.here("var/host.toml")]
    done = subprocess.run(with_json, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["agrees"]
