"""Journals in the database: what is held, keeping what came, reading it back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, bindparam, func, insert, select
from sqlalchemy.dialects.sqlite import insert as insert_unless_there

from guichet.ids import TerminalId
from guichet.journal.chain import Entry
from guichet.journal.records import RecordError, decode
from guichet.v1 import journal_pb2
from host.fleet.incidents import Incident, open_incidents
from host.fleet.schema import terminal_epochs
from host.journal.intake import Place, take_in
from host.journal.schema import journal_entries, journal_forks

# Asked for with every batch of every terminal: made once, only their values change.
_OF_EPOCH = (journal_entries.c.terminal_id == bindparam("terminal"), journal_entries.c.epoch == bindparam("epoch"))
_GIVEN = (
    select(func.count())
    .select_from(terminal_epochs)
    .where(terminal_epochs.c.terminal_id == bindparam("terminal"), terminal_epochs.c.epoch == bindparam("epoch"))
)
_LAST = (
    select(journal_entries.c.sequence, journal_entries.c.hash)
    .where(*_OF_EPOCH)
    .order_by(journal_entries.c.sequence.desc())
    .limit(1)
)
_HELD = select(journal_entries.c.sequence, journal_entries.c.hash).where(
    *_OF_EPOCH, journal_entries.c.sequence.between(bindparam("first"), bindparam("last"))
)
_KEEP = insert(journal_entries)


class UnknownEpoch(Exception):
    """An epoch that this terminal was never given."""


def check_epoch(connection: Connection, terminal: TerminalId, epoch: int) -> None:
    """Raises :class:`UnknownEpoch` unless the host gave ``epoch`` to ``terminal``."""
    if not connection.execute(_GIVEN, {"terminal": terminal, "epoch": epoch}).scalar_one():
        raise UnknownEpoch(f"epoch {epoch} was not given to {terminal}")


def last_place(connection: Connection, terminal: TerminalId, epoch: int) -> Place:
    """The last entry of ``epoch`` that is held."""
    row = connection.execute(_LAST, {"terminal": terminal, "epoch": epoch}).first()
    return Place() if row is None else Place(*row)


def keep_batch(
    connection: Connection, terminal: TerminalId, entries: Sequence[Entry], now_us: int
) -> tuple[Place, bool]:
    """Keep what is new of ``entries``, both branches of a fork, and the incidents in them.

    Gives the last place held, and whether there was a fork. Raises :class:`UnknownEpoch` or
    :class:`host.journal.intake.Gap`.
    """
    epoch = entries[0].epoch
    check_epoch(connection, terminal, epoch)
    last = last_place(connection, terminal, epoch)
    repeated = entries[0].sequence <= last.sequence
    intake = take_in(entries, last, _held(connection, terminal, entries) if repeated else {})
    if intake.new:
        rows = [_row(terminal, entry, now_us) for entry in intake.new]
        connection.execute(_KEEP, rows)
        last = Place(intake.new[-1].sequence, intake.new[-1].hash)
        open_incidents(connection, _reported(terminal, intake.new), now_us)
    if intake.forked:
        rows = [_row(terminal, entry, now_us) for entry in intake.forked]
        connection.execute(insert_unless_there(journal_forks).on_conflict_do_nothing(), rows)
        open_incidents(connection, (_fork_incident(terminal, intake.forked[0]),), now_us)
    return last, bool(intake.forked)


def _held(connection: Connection, terminal: TerminalId, entries: Sequence[Entry]) -> dict[int, bytes]:
    places = {"epoch": entries[0].epoch, "first": entries[0].sequence, "last": entries[-1].sequence}
    return {row[0]: row[1] for row in connection.execute(_HELD, {"terminal": terminal, **places})}


def _row(terminal: TerminalId, entry: Entry, now_us: int) -> dict[str, str | int | bytes]:
    return {
        "terminal_id": terminal,
        "epoch": entry.epoch,
        "sequence": entry.sequence,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
        "record": entry.record,
        "received_at_us": now_us,
    }


def _fork_incident(terminal: TerminalId, entry: Entry) -> Incident:
    text = f"two journals claim entry {entry.sequence} of epoch {entry.epoch}; both are kept"
    return Incident("journal-fork", terminal, f"entry {entry.epoch}/{entry.sequence}", text, entry.hash.hex())


def _reported(terminal: TerminalId, entries: Sequence[Entry]) -> tuple[Incident, ...]:
    return tuple(incident for entry in entries for incident in _incidents_in(terminal, entry))


def _incidents_in(terminal: TerminalId, entry: Entry) -> Iterator[Incident]:
    """What the record itself reports. A record that cannot be read is evidence too: it stays, and a person looks."""
    place = f"{entry.epoch}/{entry.sequence}"
    try:
        record = decode(entry.record)
    except RecordError as error:
        yield Incident("journal-unreadable", terminal, f"entry {place}", str(error), place)
        return
    if record.terminal_id != terminal:
        text = f"a record of terminal {record.terminal_id[:16]!r} in the journal of {terminal}"
        yield Incident("journal-of-another", terminal, f"entry {place}", text, place)
    if record.HasField("incident"):
        said = record.incident
        yield Incident(said.code or "unnamed", terminal, said.note_id or said.device, said.text, place)


def read_journal(connection: Connection, terminal: TerminalId, epoch: int) -> Iterator[Entry]:
    """The entries of an epoch in order, as they came."""
    c = journal_entries.c
    query = select(c.epoch, c.sequence, c.previous_hash, c.hash, c.record)
    query = query.where(c.terminal_id == terminal, c.epoch == epoch).order_by(c.sequence)
    for row in connection.execute(query):
        yield Entry(*row)


def epochs_held(connection: Connection) -> tuple[tuple[TerminalId, int], ...]:
    """Every terminal and epoch of which something is held."""
    c = journal_entries.c
    rows = connection.execute(select(c.terminal_id, c.epoch).distinct().order_by(c.terminal_id, c.epoch)).all()
    return tuple((TerminalId(terminal), epoch) for terminal, epoch in rows)


def readable_records(
    connection: Connection, terminal: TerminalId, epoch: int
) -> Iterator[tuple[int, journal_pb2.JournalRecord]]:
    """Sequence and record of what can be read in an epoch; the rest has its incident."""
    for entry in read_journal(connection, terminal, epoch):
        try:
            yield entry.sequence, decode(entry.record)
        except RecordError:
            continue
