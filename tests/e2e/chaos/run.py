"""One run of chaos: people deposit, things go wrong by the plan, and after each kill the books are compared.

A kill is SIGKILL to a real process. At once the books are compared as it has left them; then it is started again, and
the books are compared once more when the terminal serves, or says why it does not. The next kill may come before that:
then that second comparison is the first one of the next. Faults that last are mended when their time has come, whatever
else goes wrong meanwhile.

In the end nothing goes wrong any more, the last customer goes, and within a bound everything must be settled and agree
to the last note; the product's own checks must find nothing, and every incident must be one that a fault of this run
explains.

The plan is the seed's; what meets what is not: real processes do not run twice alike.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.chaos.books import Wrong
from tests.e2e.chaos.compare import Comparing
from tests.e2e.chaos.faults import Faults
from tests.e2e.chaos.machine import Machine, SmallDisk
from tests.e2e.chaos.person import PINS, People
from tests.e2e.chaos.plan import Kind, Mishap, Moment
from tests.e2e.chaos.service import asked, why_not

_LOOK_SECONDS = 0.01
_NOTE_SECONDS = 15.0
_SERVES_SECONDS = 120.0
_REST_SECONDS = 120.0

EXPLAINED = {
    "clock-off": frozenset({Kind.MOVE_CLOCK}),
    "journal-fault": frozenset({Kind.FILL_DISK}),
}
"""Which fault must have been for an incident not to be one of the product's own. A death alone explains none."""


@dataclass(slots=True)
class Repair:
    """What will be mended, and when."""

    due: float
    kind: Kind
    mend: Callable[[], None]


@dataclass(slots=True)
class Tally:
    """What a run has come to. ``found``: what was wrong; empty where nothing was."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter[str])
    others: Counter[str] = field(default_factory=Counter[str])
    comparisons: int = 0
    notes: int = 0
    in_box: int = 0
    in_doubt: int = 0
    sessions: int = 0
    records: int = 0
    lives: int = 0
    seconds: float = 0.0
    found: str = ""
    trace: list[str] = field(default_factory=list[str])


class Run:
    """One run on a machine that is up. ``disk``: what can be filled up, if anything."""

    def __init__(
        self, machine: Machine, seed: int, disk: SmallDisk | None, tell: Callable[[str], None], *, counter: bool
    ) -> None:
        self._machine = machine
        self._socket = machine.base / "run" / "terminal.sock"
        self._faults = Faults(machine, disk)
        self._counter = counter
        self._tell = tell
        self._people = People(machine, random.Random(f"people {seed}"), _only_accounts(machine.base))
        self._comparing = Comparing(machine.base, self._people.pushes)
        self._repairs: list[Repair] = []
        self._began = self._started = time.monotonic()
        self._dead: set[str] = set()
        self._recovering = True
        self.tally = Tally(seed)

    # --- the whole ----------------------------------------------------------------------------------------------------

    def go_wrong(self, mishap: Mishap) -> None:
        """One of the plan, at its moment. Raises :class:`Wrong`."""
        if mishap.moment in (Moment.NOTE, Moment.END):
            self._until_it_serves()
        self._wait_for(mishap)
        if mishap.kind.kills:
            self._until(lambda: mishap.kind.kills not in self._dead, _NOTE_SECONDS, lambda: "it is not started again")
            self._hang(mishap.kind.kills, mishap.hangs)
            self._kill(mishap.kind, mishap.seconds)
        elif not self._is_on(mishap.kind):
            self._disturb(mishap)

    def come_to_rest(self) -> None:
        """Mend everything, let the last customer go, and see that all books agree. Raises :class:`Wrong`."""
        self._note("nothing goes wrong any more")
        while self._repairs:
            self._mend_due(float("inf"))
        self._until_it_serves()
        self._people.leave()
        self._until(self._caught_up, _REST_SECONDS, lambda: "not everything is settled and delivered")
        self._comparing.at_rest()
        self._explained()
        self._no_crash()

    def count(self) -> None:
        """What it has come to so far."""
        tally, book = self.tally, self._comparing.book
        tally.comparisons, tally.records = self._comparing.times, len(book.hashes)
        tally.notes, tally.sessions = len(self._people.pushes), self._people.sessions
        tally.in_box = book.piles("credited", "found").total()
        tally.in_doubt = book.piles("in doubt").total()
        tally.seconds = time.monotonic() - self._began

    def close(self) -> None:
        """Whatever comes of it, nobody stays behind."""
        self.count()
        self._people.end()

    # --- what goes wrong ----------------------------------------------------------------------------------------------

    def _hang(self, name: str, seconds: float) -> None:
        """It neither hears nor says anything for a while: what is on its way to it will die with it."""
        if not seconds:
            return
        self._machine.process(name).signal(signal.SIGSTOP)
        self._note(f"{name} hangs for {seconds:.1f} s")
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._look_on(until - time.monotonic())

    def _kill(self, kind: Kind, down: float) -> None:
        name = kind.kills
        process = self._machine.process(name)
        process.kill()
        self._dead.add(name)
        self.tally.kills[name] += 1
        self._note(kind.value)
        self._compare()
        self._repairs = [one for one in self._repairs if one.kind.stops != name]  # It is not stopped any more.
        self._repair_in(down, kind, lambda: self._start(name))
        self._mend_due(time.monotonic())

    def _start(self, name: str) -> None:
        self._machine.launch(self._machine.process(name))
        self._dead.discard(name)
        self._recovering = True
        if name == "terminal":
            self._started = time.monotonic()
            self.tally.lives += 1

    def _disturb(self, mishap: Mishap) -> None:
        kind = mishap.kind
        if kind.stops in self._dead or (kind is Kind.CUT_POWER and "cash" in self._dead):
            return
        self._faults.do(mishap)
        self.tally.others[kind.value] += 1
        self._note(f"{kind.value} for {mishap.seconds:.1f} s" + (f", {mishap.hours} hours" if mishap.hours else ""))
        self._repair_in(mishap.seconds, kind, lambda: self._over(kind))

    def _over(self, kind: Kind) -> None:
        self._faults.undo(kind)
        self._recovering = True
        self._note(f"over: {kind.value}")

    def _is_on(self, kind: Kind) -> bool:
        return any(one.kind is kind for one in self._repairs)

    def _repair_in(self, seconds: float, kind: Kind, mend: Callable[[], None]) -> None:
        self._repairs.append(Repair(time.monotonic() + seconds, kind, mend))

    def _mend_due(self, now: float) -> None:
        due = [one for one in self._repairs if one.due <= now]
        self._repairs = [one for one in self._repairs if one not in due]
        for one in due:
            one.mend()

    # --- waiting ------------------------------------------------------------------------------------------------------

    def _wait_for(self, mishap: Mishap) -> None:
        """For its moment, while what is due is mended."""
        match mishap.moment:
            case Moment.NOTE:
                wanted = len(self._people.pushes) + mishap.notes
                since = self._some_time(lambda: len(self._people.pushes) >= wanted)
            case Moment.END:
                ended = self._people.ended
                since = self._some_time(lambda: self._people.ended > ended)
            case Moment.START:
                since = self._started
            case Moment.ANY:
                since = time.monotonic()
        while time.monotonic() < since + mishap.delay:
            self._look_on(since + mishap.delay - time.monotonic())

    def _some_time(self, true: Callable[[], bool]) -> float:
        """Wait for what people do, unless what went wrong before keeps them from it; gives when that was."""
        deadline = time.monotonic() + _NOTE_SECONDS
        while not true() and time.monotonic() < deadline:
            self._look_on()
        return time.monotonic()

    def _look_on(self, longest: float = _LOOK_SECONDS) -> None:
        """A moment passes; what is due is mended, and whoever died by himself is found."""
        time.sleep(max(0.0, min(_LOOK_SECONDS, longest)))
        self._mend_due(time.monotonic())
        self._people.check()
        for name in self._machine.names():
            process = self._machine.process(name)
            if name not in self._dead and not process.running:
                raise Wrong(f"{name} ended by itself: {process.last_words()}")

    def _until(self, true: Callable[[], bool], seconds: float, otherwise: Callable[[], str]) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                raise Wrong(f"{otherwise()}, for {seconds:.0f} s")
            self._look_on()

    def _until_it_serves(self) -> None:
        """It serves, or says why not, and a fault of this moment is the reason; then the books are compared."""
        if not self._recovering:
            return
        self._recovering = False
        self._until(self._serves_or_says_why_not, _SERVES_SECONDS, lambda: f"out of service: {why_not(self._socket)}")
        self._compare()

    def _serves_or_says_why_not(self) -> bool:
        if "terminal" in self._dead or self._is_on(Kind.STOP_TERMINAL):
            return True  # It cannot say anything; it will be asked when it can.
        return why_not(self._socket) <= self._reasons()

    def _reasons(self) -> set[str]:
        """What cannot work now."""
        on = {one.kind for one in self._repairs}
        reasons = set(self._dead)
        reasons |= {"host"} if on & {Kind.CUT_NETWORK, Kind.STOP_HOST} else set()
        reasons |= {"cash"} if Kind.CUT_POWER in on else set()
        return reasons | ({"journal", "cash", "card", "pinpad", "printer"} if Kind.FILL_DISK in on else set())

    def _caught_up(self) -> bool:
        now = asked(self._socket)
        closed = now is not None and now.health.open_deposits == 0 and not now.session_open
        return closed and self._comparing.caught_up()

    # --- what is seen -------------------------------------------------------------------------------------------------

    def _compare(self) -> None:
        try:
            self._comparing.now()
        except sqlite3.OperationalError:
            if not self._is_on(Kind.STOP_HOST):  # One that stands still in the middle of a commit may hold its lock.
                raise
        self._explained()

    def _explained(self) -> None:
        """Every incident and every doubt is one that something which went wrong before explains."""
        went_wrong = {Kind(text) for text in self.tally.others}
        for code, count in self._comparing.incidents.items():
            if not EXPLAINED.get(code, frozenset[Kind]()) & went_wrong:
                raise Wrong(f"{count} incidents {code!r}, and nothing that went wrong explains one")
        cuts = self.tally.kills["cash"] + self.tally.others[Kind.CUT_POWER.value]
        doubts, most = self._comparing.book.doubts, 0 if self._counter else cuts
        if doubts > most:
            raise Wrong(f"{doubts} notes were put in doubt, and {most} can be explained")

    def _no_crash(self) -> None:
        for name in ("terminal", "host"):
            log = (self._machine.base / "log" / f"{name}.log").read_text(encoding="utf-8", errors="replace")
            crashed = [line for line in log.splitlines() if "task.crashed" in line or line.startswith("Traceback")]
            if crashed:
                raise Wrong(f"the log of {name} has a crash: {crashed[0][:2000]}")

    def _note(self, what: str) -> None:
        at, since = time.monotonic() - self._began, time.monotonic() - self._people.last_push
        line = f"{at:8.2f} s  {what}  (note {len(self._people.pushes)} was pushed in {since:.2f} s before)"
        self.tally.trace.append(line)
        self._tell(line)


def _only_accounts(base: Path) -> dict[str, str]:
    """The account that takes deposits of each of the people, by name."""
    query = (
        "SELECT c.display_name, a.account_id FROM accounts a JOIN customers c USING (customer_id)"
        " WHERE a.takes_deposits AND a.ledger = 'training' AND a.currency = 'EUR'"
    )
    with sqlite3.connect(f"file:{base / 'host' / 'host.db'}?mode=ro", uri=True) as database:
        rows = database.execute(query).fetchall()
    database.close()
    return {who: account for name, account in rows for who in PINS if name.lower().startswith(who)}
