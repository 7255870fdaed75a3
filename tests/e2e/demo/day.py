"""The day, step by step. Each step prints what it saw; the first thing that is not as it should be ends the day."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from kiosk.workbench.processes import tool
from kiosk.workbench.stack import Stack
from tests.e2e.demo.books import compare
from tests.e2e.demo.cable import Cable
from tests.e2e.demo.person import PATIENCE_SECONDS, NotAsExpected, Person

ANNA_PIN, BORIS_PIN, WRONG_PIN = "1234", "4321", "9876"
_LOOK_SECONDS = 0.1


class Day:
    """One day at one kiosk."""

    def __init__(self, stack: Stack, cable: Cable, out: Path) -> None:
        self._stack = stack
        self._cable = cable
        self._out = out
        self._person = Person(stack, out)
        self._step = 0

    def run(self) -> None:
        """All of it, up to the settlement."""
        self.morning()
        self.statement()
        self.quiet_deposit()
        self.night()
        self.settlement()

    # --- saying what happens ----------------------------------------------------------------------------------------

    def step(self, title: str) -> None:
        """A new step begins."""
        self._step += 1
        print(f"\n{self._step}. {title}", flush=True)

    def saw(self, evidence: str) -> None:
        """Something that was seen."""
        print(f"   {evidence}", flush=True)

    def expect(self, true: bool, what: str) -> None:
        """Print ``what`` as seen; raises where it is not so."""
        if not true:
            raise NotAsExpected(what)
        self.saw(what)

    def picture(self, name: str) -> None:
        """Keep what is on the glass."""
        self.saw(f"picture {self._person.picture(name)}")

    # --- the day ----------------------------------------------------------------------------------------------------

    def morning(self) -> None:
        """Everything is up."""
        self.step("Morning: the kiosk waits for a card")
        self._person.wait_view("attract")
        self.picture("attract")
        done = _call("guichet-kiosk", "diag", "--config", str(self._stack.config), "--json")
        report = json.loads(done.stdout)
        devices = ", ".join(
            f"{device['name']} {device['state'][13:].lower()}" for device in report["status"]["health"]["devices"]
        )
        self.expect(done.returncode == 0, f"diag: every device passed its self-test ({devices})")

    def statement(self) -> None:
        """Card, wrong PIN, right PIN, statement on paper."""
        person = self._person
        self.step("Anna puts her card in and mistypes her PIN once")
        person.card("anna")
        person.wait_view("pin")
        person.pin(WRONG_PIN)
        person.wait_until(lambda seen: seen.says("2 more tries"), "the word about two more tries")
        self.picture("pin-wrong")
        person.pin(ANNA_PIN)
        seen = person.wait_view("menu")
        self.expect(seen.says("Anna"), "the host knows her: " + seen.texts[2])
        self.picture("menu")

        self.step("She prints her statement")
        person.touch("statement")
        accounts = person.wait_view("accounts")
        self.picture("accounts")
        person.touch(accounts.controls[0])
        person.wait_view("statement")
        self.picture("statement")
        printed = self._printed()
        person.touch("print")
        self._until(lambda: self._printed() > printed, "a document on paper")
        self.saw(f"printed {self._keep_paper('statement')}")
        person.wait_view("statement")
        person.touch("back")
        person.wait_view("menu")
        person.touch("finish")
        self._leave()

    def quiet_deposit(self) -> None:
        """Two notes kept, one returned, all online."""
        person = self._person
        self.step("Boris deposits 5 and 100 euros; his dollars come back")
        self._sign_in("boris", BORIS_PIN)
        person.touch("deposit")
        self._to_deposit()
        for note in ("5 EUR", "20 USD"):
            person.insert(note)
            person.wait_until(lambda seen: not seen.says("Insert"), "the note to be seen")
        person.wait_until(lambda seen: seen.says("another currency"), "the dollars to come back")
        self.picture("deposit-foreign-note-returned")
        person.insert("100 EUR")
        person.wait_until(lambda seen: seen.says("€105"), "105 euros on the screen")
        self.picture("deposit-105")
        person.wait_until(lambda seen: "finish" in seen.controls and seen.says("Insert"), "the slot to be open again")
        person.touch("finish")
        seen = person.wait_view("deposit_result")
        self.expect(seen.says("€105"), "the screen says: " + " / ".join(seen.texts[2:5]))
        printed = self._printed()
        person.touch("receipt")
        self._until(lambda: self._printed() > printed, "the receipt on paper")
        person.wait_view("deposit_result")
        self.picture("deposit-booked")
        self.saw(f"printed {self._keep_paper('receipt-booked')}")
        person.touch("done")
        person.wait_view("menu")
        person.touch("finish")
        self._leave()

    def night(self) -> None:
        """The cable is pulled in mid-deposit, and the terminal dies with a note between stack and acknowledgement."""
        person, stack = self._person, self._stack
        self.step("Night: Anna deposits 20 euros, and the cable to the host is pulled")
        self._sign_in("anna", ANNA_PIN)
        person.touch("deposit")
        self._to_deposit()
        person.insert("20 EUR")
        person.wait_until(lambda seen: seen.says("€20") and seen.says("Insert"), "20 euros on the screen")
        self._cable.pull()
        person.insert("50 EUR")
        person.wait_until(lambda seen: seen.says("€70") and seen.says("Insert"), "70 euros on the screen")
        self.picture("deposit-host-away")
        self.saw("she goes on: 50 euros more, on record here, not yet at the host")

        self.step("The terminal is killed while her third note, 10 euros, is on its way to the box")
        person.insert("10 EUR")
        stack.tell("cash", "wait stacking")
        stack.terminal.kill()
        seen = person.wait_view("away")
        self.saw(
            "SIGKILL between the stack command and the device's acknowledgement; the screen says: " + seen.texts[2]
        )
        self.picture("terminal-gone")
        stack.tell("cash", "wait stacked")
        self.saw(f"the validator finished alone and holds its event: {stack.tell('cash', 'state')}")
        last = self._journal()[-1]
        self.expect(last["fact"] == "StackIntended", "the journal's last word is the intent to stack")

        self.step("The terminal starts again, still without its host, and reads the device before it does anything")
        stack.start_terminal()
        seen = person.wait_view("deposit_result")
        self.picture("recovered")
        self.expect(seen.says("€80"), "Anna, still there, reads: " + " / ".join(seen.texts[2:6]))
        printed = self._printed()
        person.touch("receipt")
        self._until(lambda: self._printed() > printed, "a provisional receipt")
        self.saw(f"printed {self._keep_paper('receipt-provisional')}")
        person.wait_view("deposit_result")
        person.touch("done")
        self._leave(then=None)
        self._say_recovery()

    def settlement(self) -> None:
        """The cable is back."""
        self.step("The cable is put back: what the terminal signed is settled, once")
        self._person.wait_view("out_of_service")
        self.picture("out-of-service")
        self._cable.plug_in()
        self._until(lambda: self._facts("Settled") == 2, "the host's answer in the journal")
        done = _call("guichet-host", "operator", "deposits", "--config", str(self._stack.base / "host.toml"), "--json")
        for deposit in cast("list[dict[str, object]]", json.loads(done.stdout)):
            self.saw(f"host: {deposit['deposit_id']} {deposit['state']}, {deposit['credited_minor']} cents credited")
        self._person.wait_view("attract")

    # --- small things -----------------------------------------------------------------------------------------------

    def _sign_in(self, card: str, pin: str) -> None:
        self._person.card(card)
        self._person.wait_view("pin")
        self._person.pin(pin)
        self._person.wait_view("menu")

    def _to_deposit(self) -> None:
        seen = self._person.wait_until(lambda seen: seen.name in ("deposit", "accounts"), "the deposit")
        if seen.name == "accounts":
            self._person.touch(seen.controls[0])
        self._person.wait_view("deposit")

    def _leave(self, then: str | None = "attract") -> None:
        self._person.wait_view("goodbye")
        self._person.take_card()
        if then is not None:
            self._person.wait_view(then)

    def _say_recovery(self) -> None:
        records = self._journal()
        started = max(n for n, record in enumerate(records) if record["fact"] == "TerminalStarted")
        for record in records[started:]:
            if record["fact"] in ("DeviceAnswered", "NoteStacked", "AckSent", "NoteCleared", "DepositClosed"):
                how = record.get("presence") or record.get("evidence") or record.get("end") or ""
                self.saw(f"journal {record['sequence']}: {record['fact']} {how}")

    def _journal(self) -> list[dict[str, object]]:
        done = _call("guichet-kiosk", "journal", "list", "--config", str(self._stack.config), "--json")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def _facts(self, name: str) -> int:
        return sum(record["fact"] == name for record in self._journal())

    def _printed(self) -> int:
        return len(list(self._stack.paper.glob("*.png")))

    def _keep_paper(self, name: str) -> Path:
        newest = max(self._stack.paper.glob("*.png"))
        for ending in (".png", ".txt"):
            (self._out / f"{name}{ending}").write_bytes(newest.with_suffix(ending).read_bytes())
        return self._out / f"{name}.png"

    def _until(self, true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not true():
            if time.monotonic() > deadline:
                raise NotAsExpected(f"waited for {what}")
            time.sleep(_LOOK_SECONDS)


def evening(base: Path) -> int:
    """Compare all books with the paper in the box. 0: everything agrees; 1: something does not."""
    result = compare(base)
    print("\nEvening: do the books agree with the notes that are physically in the box?", flush=True)
    print(f"   in the box (simulator's own memory)  {_counted(result.physical)}")
    print(f"   credited by the host (SQL)           {_counted(result.host)}")
    print(f"   credited by the journal              {_counted(result.journal)}")
    print(f"   counted by the device (on the wire)  {result.device_counter} notes")
    print(f"   posted to customers                  {result.customer_postings} cents")
    for finding in result.findings:
        print(f"   WRONG: {finding}", file=sys.stderr)
    print("   they do not agree" if result.findings else "   all agree", flush=True)
    return 1 if result.findings else 0


def _counted(notes: dict[str, int]) -> str:
    return ", ".join(f"{count} x {face}" for face, count in sorted(notes.items(), key=lambda n: float(n[0].split()[0])))


def _call(command: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run((tool(command), *words), check=False, capture_output=True, text=True, timeout=60)
