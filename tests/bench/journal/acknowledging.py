"""From a device's word that a note is stacked to the leave to acknowledge it: the cash desk decides, and one commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles

from drivers.api.cash import Accepting, Answered, CashEvent, Cleared, Escrowed, Presence, Ready, Shut, Stacked
from guichet.ids import SessionId
from guichet.v1 import customer_pb2
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.store import Journal
from kiosk.terminal.cash_desk import CashDesk
from kiosk.terminal.note_book import NoteBook
from tests.bench.errors import BenchError
from tests.bench.journal.bare import Bare, Watch, cpu_of, disk, rows
from tests.bench.journal.days import WRITER, Standing
from tests.bench.plan import Bench, Plan
from tests.bench.rows import Measure, Pair, Row
from tests.kiosk.terminal.standing import SIGNER, TAKEN, TWENTY, VALUES, FakeCash, Ids, identity

_NOTES = 400
_NOTES_A_DEPOSIT = 4
_MEASURE = Measure(
    "journal-acknowledge", "stacked event to leave to acknowledge (median)", "us", "bare APSW, one commit of that row",
    limit="the disk's sync; of what is added, two thirds are chain, seal and fold, one third the decision",
)  # fmt: skip


class _Cash(FakeCash):
    """Stops the time when it hears that a note is on record."""

    def __init__(self) -> None:
        super().__init__([])
        self.watch = Watch()

    def acknowledge(self) -> None:
        """Now it may tell the device."""
        self.watch.stop()


class _Desk:
    """A cash desk on a journal of its own."""

    def __init__(self, path: Path) -> None:
        self.journal = Journal.open(path, WRITER, Standing())
        self._cash = _Cash()
        self.watch = self._cash.watch
        self._desk = CashDesk(self._cash, NoteBook(WRITER.terminal, self.journal, Standing(), Ids(), SIGNER))
        self._says(Answered(identity(), Presence.PATH_EMPTY, b"first", None, 7))
        self._says(Ready(identity(), VALUES, bytes(32), 7))
        self._counter = 7

    def _says(self, event: CashEvent) -> None:
        if self._cash.handler is None:
            raise BenchError("nobody listens to the device")
        self._cash.handler(event)

    def deposit(self, number: int, notes: int, after_each: Callable[[], None]) -> None:
        """A session with one deposit of so many notes."""
        session = SessionId(f"session-{number}")
        self.journal.append(pb.SessionOpened(session_id=session))
        account = customer_pb2.Account(account_id="account", masked_number="**** 4711", currency="EUR")
        self._desk.open_deposit(session, account, TAKEN, "1")
        self._desk.accept()
        for _ in range(notes):
            self._note()
            after_each()
        self._desk.close_deposit(pb.DEPOSIT_END_CUSTOMER)
        self._says(Shut())
        self.journal.append(pb.SessionClosed(session_id=session))

    def _note(self) -> None:
        self._says(Accepting())
        self._says(Escrowed(TWENTY, VALUES[TWENTY], bytes(16), bytes(32)))
        self._desk.take()
        before = len(self.watch.wall)
        self.watch.__enter__()
        self._says(Stacked(TWENTY, VALUES[TWENTY], bytes(16)))
        if len(self.watch.wall) != before + 1:
            raise BenchError("a note was not acknowledged")
        self._counter += 1
        self._says(Cleared(self._counter, enabled=False))


def run(plan: Plan) -> Iterator[Row]:
    """The row, where the plan wants it."""
    if not plan.wants(_MEASURE.name):
        return
    count = plan.times(_NOTES // _NOTES_A_DEPOSIT)
    pairs: list[Pair] = []
    theirs = Watch()
    with disk() as place:
        desk, bare = _Desk(place / "ours.db"), Bare(place / "bare.db")
        stacked = pb.NoteStacked(
            note_id=Ids().new(), evidence=pb.EVIDENCE_EVENT, frame=bytes(16), outcome_number=1
        )  # fmt: skip
        made = iter(rows([[stacked]] * (plan.repetitions * count * _NOTES_A_DEPOSIT)))

        def commit() -> None:
            with theirs:
                bare.write([next(made)])

        for turn in range(plan.repetitions):
            plan.tell(f"{_MEASURE.name}: turn {turn + 1} of {plan.repetitions}")
            for number in range(turn * count, (turn + 1) * count):
                desk.deposit(number, _NOTES_A_DEPOSIT, commit)
            notes = count * _NOTES_A_DEPOSIT
            pairs.append(Pair(median(desk.watch.wall[-notes:]), median(theirs.wall[-notes:]), (notes, notes)))
        desk.journal.close()
        bare.close()
    tails = ("p95", _p95(desk.watch.wall)), ("baseline p95", _p95(theirs.wall))
    yield Row(_MEASURE, tuple(pairs), (*cpu_of(desk.watch, theirs), *tails))


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


BENCH = Bench((_MEASURE.name,), run)
