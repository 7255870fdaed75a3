"""A terminal whose box was exchanged, for tests of counts and claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from guichet.ids import TerminalId, make_id
from guichet.money import parse_money
from guichet.v1 import journal_pb2
from host.claims.box import NoteKey
from host.claims.counting import Counted, CountPlan, enter_count
from host.claims.numbers import claim_number
from host.claims.periods import BOX_REMOVED
from host.fleet.incidents import OpenIncident, list_incidents
from host.journal.intake import parse_batch
from host.journal.records import keep_batch
from host.ledger.resolving import Resolved
from tests.host.bench import ANNA, Bench
from tests.host.terminal import BOX_PERIOD, SERIAL, BenchTerminal, Note, an_id, deposit_id
from tests.host.test_settlement import answer

NEXT_PERIOD = make_id(0, b"next perio")
THIRD_PERIOD = make_id(0, b"third peri")


def opened(terminal: BenchTerminal, period: str) -> None:
    """A cash box is put in."""
    terminal.write(journal_pb2.BoxPeriodOpened(box_period_id=period, device_serial=SERIAL))


def exchanged(terminal: BenchTerminal, period: str) -> None:
    """A cash box leaves, and another is put in."""
    removed(terminal)
    opened(terminal, period)


def removed(terminal: BenchTerminal) -> None:
    """A cash box leaves its place."""
    terminal.write(journal_pb2.Incident(code=BOX_REMOVED, device="cash"))


def path_is_empty(terminal: BenchTerminal) -> None:
    """Nothing is under way in the cash module, for it lets the next note in."""
    terminal.write(journal_pb2.AcceptanceOpened(deposit_id=deposit_id(1)))


def replicate(bench: Bench, terminal: BenchTerminal) -> None:
    with bench.engine.begin() as connection:
        keep_batch(connection, terminal.name, parse_batch(terminal.journal()), bench.clock.now_us)


def exchanged_box(bench: Bench, notes: Sequence[Note], *, account: str = ANNA, spans: bool = False) -> BenchTerminal:
    """A deposit of ``notes`` is settled, and the box that it went into was exchanged. ``spans``: its doubts were under
    way when that happened.
    """
    terminal = bench.enrol("T-1")
    opened(terminal, BOX_PERIOD)
    place = terminal.write_deposit(1, notes, account)
    if not spans:
        path_is_empty(terminal)
    exchanged(terminal, NEXT_PERIOD)
    replicate(bench, terminal)
    answer(bench, terminal.advice(1, notes, account=account, place=place))
    return terminal


def counted(pieces: Mapping[str, int], period: str = BOX_PERIOD, by: str = "eva", witness: str = "") -> Counted:
    """A count as somebody enters it; ``pieces`` by a face such as ``20 EUR``."""
    values = {parse_money(face): count for face, count in pieces.items()}
    return Counted(TerminalId("T-1"), period, values, by, witness)


def count(
    bench: Bench, pieces: Mapping[str, int], period: str = BOX_PERIOD, by: str = "eva"
) -> tuple[CountPlan, tuple[Resolved, ...]]:
    """Enter a count."""
    host = bench.host
    with bench.engine.begin() as connection:
        return enter_count(connection, counted(pieces, period, by), host.keys.signer, host.resolver, host.now_us())


def incident_codes(bench: Bench) -> list[str]:
    """What the host tells a person to look at, the oldest first; that a box was out comes from its terminal."""
    return [incident.code for incident in told(bench)]


def told(bench: Bench) -> list[OpenIncident]:
    """The incidents of the host's own."""
    with bench.engine.begin() as connection:
        return [one for one in reversed(list_incidents(connection)) if one.code != BOX_REMOVED]


def key_of(note: int, deposit: int = 1) -> NoteKey:
    """A note of a deposit, by their numbers."""
    return NoteKey("T-1", deposit_id(deposit), an_id(note))


def number_of(note: int, deposit: int = 1) -> str:
    """Its claim number."""
    key = key_of(note, deposit)
    return claim_number(key.terminal_id, key.deposit_id, key.note_id)
