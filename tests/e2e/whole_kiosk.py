"""A whole kiosk of real processes for a test: a person in front of it, cables that can be pulled, books to compare."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

from guichet.journal.records import Fact, decode, fact_of
from guichet.money import Currency, Money
from guichet.v1 import health_pb2, local_pb2
from kiosk.diagnostics.local_client import TerminalNotRunning, read_journal, status
from kiosk.workbench.processes import tool
from kiosk.workbench.stack import Stack
from tests.e2e.demo.cable import Cable
from tests.e2e.demo.person import NotAsExpected, Person, Seen

ANNA_PIN, BORIS_PIN, WRONG_PIN = "1234", "4321", "9876"
SIZE = "540x960"
OFFSCREEN = {"SDL_VIDEODRIVER": "offscreen", "KIVY_WINDOW": "sdl2"}
TIMINGS = (
    "escrow_hold = 0.3\nsettlement_wait = 2\nreplication_wait = 2\ncustomer = 40\ndevice_grace = 25\nlate_delivery = 2"
    "\nnote_taken = 6\nlook_again = 1"
)
PACE = 0.1
PATIENCE_SECONDS = 120.0
_LOOK_SECONDS = 0.05
_WORKING = (health_pb2.DEVICE_STATE_READY, health_pb2.DEVICE_STATE_WARNING)
_INSIDE = ("head", "escrow", "transport")

OneFact = TypeVar("OneFact", bound=Fact)


@dataclass(frozen=True, slots=True)
class Books:
    """Notes by value: where each of them has them."""

    box: Counter[str]
    credited: Counter[str]
    in_doubt: Counter[str]

    def since(self, before: Books) -> Books:
        """What has come since ``before``."""
        return Books(self.box - before.box, self.credited - before.credited, self.in_doubt - before.in_doubt)


class CabledStack(Stack):
    """A stack with cables between terminal and host: one for sessions, one for delivery without one."""

    cables: tuple[Cable, ...] = ()

    def write_terminal_config(self, host_port: int) -> None:
        """All ways to the host are cables."""
        if not self.cables:
            self.cables = (Cable(host_port), Cable(self.ports.enrol))
        session, late = self.cables
        super().write_terminal_config(session.port)
        text = self.config.read_text(encoding="utf-8")
        self.config.write_text(text.replace(f":{self.ports.enrol}", f":{late.port}"), encoding="utf-8")

    def pull_cables(self) -> None:
        """The host cannot be reached any more."""
        for cable in self.cables:
            cable.pull()

    def plug_cables_in(self) -> None:
        """It can again."""
        for cable in self.cables:
            cable.plug_in()

    def close(self) -> None:
        """End everything, the cables last."""
        super().close()
        for cable in self.cables:
            cable.close()
        self.cables = ()


class Kiosk:
    """One stack and its person."""

    def __init__(self, stack: CabledStack) -> None:
        self.stack = stack
        self.person = Person(stack, stack.base)

    @classmethod
    @contextmanager
    def running(cls, stack: CabledStack, *, screen: bool = True) -> Generator[Kiosk]:
        """Start ``stack`` and wait until a card can be put in."""
        with stack:
            kiosk = cls(stack)
            if screen:
                stack.start_screen(SIZE, environment=OFFSCREEN)
            kiosk.until(kiosk.in_service, "every device to be ready and the host to be there")
            if screen:
                kiosk.person.wait_view("attract")
            yield kiosk

    # --- what a customer does ---------------------------------------------------------------------------------------

    def sign_in(self, card: str = "anna", pin: str = ANNA_PIN) -> Seen:
        """Card and PIN; the menu."""
        self.person.card(card)
        self.person.wait_view("pin")
        self.person.pin(pin)
        return self.person.wait_view("menu")

    def begin_deposit(self) -> Seen:
        """From the menu to the open slot."""
        self.person.touch("deposit")
        return self.to_open_slot()

    def to_open_slot(self) -> Seen:
        """Choose the account where there is a choice, and wait until the slot is open."""
        seen = self.person.wait_until(lambda seen: seen.name in ("deposit", "accounts"), "the deposit")
        if seen.name == "accounts":
            self.person.touch(seen.controls[0])
        return self.person.wait_until(lambda seen: seen.says("Insert your first note"), "the slot to open")

    def sees_total(self, amount: str) -> Seen:
        """Wait until so much is taken and the next note can come."""
        return self.person.wait_until(
            lambda seen: seen.says(amount) and seen.says("Insert the next note"), f"{amount} and an open slot"
        )

    def finish(self) -> Seen:
        """End the deposit; what became of it."""
        self.person.touch("finish")
        return self.person.wait_view("deposit_result")

    def leave(self) -> None:
        """Take the card and go, wherever it was."""
        self.person.take_card()
        self.person.wait_view("attract")

    # --- what can be seen from outside ------------------------------------------------------------------------------

    def until(self, true: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for something that no one announces."""
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                raise NotAsExpected(f"waited for {what}")
            time.sleep(_LOOK_SECONDS)

    def status(self) -> local_pb2.GetStatusResponse | None:
        """How the terminal says it is; None while it does not answer."""
        try:
            return status(self.stack.base / "run" / "terminal.sock")
        except TerminalNotRunning:
            return None

    def in_service(self) -> bool:
        """Everything works and the host is there."""
        now = self.status()
        works = health_pb2.SERVICE_STATE_IN_SERVICE
        return now is not None and now.host_connected and now.health.service == works

    def connected(self) -> bool:
        """The host is there."""
        now = self.status()
        return now is not None and now.host_connected

    def works(self, device: str) -> bool:
        """Whether the terminal finds that a device works."""
        now = self.status()
        return now is not None and any(one.name == device and one.state in _WORKING for one in now.health.devices)

    def facts(self, kind: type[OneFact]) -> list[OneFact]:
        """All of one kind that are in the running terminal's journal."""
        entries = read_journal(self.stack.base / "run" / "terminal.sock")
        facts = [fact_of(decode(entry.record)) for entry in entries]
        return [fact for fact in facts if isinstance(fact, kind)]

    def host(self, *words: str) -> subprocess.CompletedProcess[str]:
        """``guichet-host WORDS`` on this stack's host."""
        return run_tool("guichet-host", *words, "--config", str(self.stack.base / "host.toml"))

    def diag(self) -> subprocess.CompletedProcess[str]:
        """``guichet-kiosk diag``."""
        return run_tool("guichet-kiosk", "diag", "--config", str(self.stack.config))

    # --- the books --------------------------------------------------------------------------------------------------

    def books(self) -> Books:
        """Once everything is settled: the paper by the simulator's own memory, and what the host has of it."""
        self.until(self._settled, "everything to be settled")
        # The terminal may have closed a deposit before the validator has given back what it had drawn in.
        self.until(lambda: not any(note["place"] in _INSIDE for note in self._paper()), "every note to come to rest")
        notes = self._paper()
        box = Counter(str(note["face"]) for note in notes if note["place"] == "box")
        query = (
            "SELECT value_minor, currency, booking, outcome FROM note_outcomes o WHERE outcome_number ="
            " (SELECT max(outcome_number) FROM note_outcomes WHERE note_id = o.note_id)"
        )
        with sqlite3.connect(f"file:{self.stack.base / 'host' / 'host.db'}?mode=ro", uri=True) as database:
            rows = database.execute(query).fetchall()
        database.close()
        values = [(str(Money(minor, Currency(code))), booking, outcome) for minor, code, booking, outcome in rows]
        credited = Counter(value for value, booking, _ in values if booking == "customer")
        return Books(box, credited, Counter(value for value, _, outcome in values if outcome == "in-doubt"))

    def _paper(self) -> list[dict[str, object]]:
        """Every note that the simulated validator has met, and where it lies."""
        return cast("list[dict[str, object]]", json.loads(self.stack.tell("cash", "notes"))["notes"])

    def _settled(self) -> bool:
        now = self.status()
        return now is not None and now.health.open_deposits == 0

    def agree(self) -> None:
        """Conservation: what is credited lies in the box, and what lies there is credited or in doubt."""
        books = self.books()
        assert books.credited <= books.box, f"credited {books.credited}, in the box {books.box}"
        assert books.box <= books.credited + books.in_doubt, f"in the box {books.box}, known {books}"

    def restore(self) -> None:
        """Put right whatever a test has left wrong, and wait for the next customer."""
        self.stack.plug_cables_in()
        newest = [process for process in self.stack.ended() if self.stack.process(process.name) is process]
        self.stack.start_again(newest)
        for name in ("cash", "printer", "card"):
            self.until(self.stack.control(name).exists, f"{name} to be there")
        for device, line in (
            ("cash", "power on"),
            ("cash", "mute off"),
            ("cash", f"pace {PACE}"),
            ("printer", "paper adequate"),
            ("card", "remove"),
        ):
            self.stack.tell(device, line)
        self.until(self.in_service, "everything to work again")
        self.person.wait_view("attract")


def run_tool(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """One of the project's own commands, to its end."""
    return subprocess.run((tool(name), *words), check=False, capture_output=True, text=True, timeout=60)
