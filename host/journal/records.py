"""Journals in the database: what is held, keeping what came, reading it back."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, insert, select, tuple_
from sqlalchemy.dialects.sqlite import insert as insert_unless_there

from guichet.ids import TerminalId
from guichet.journal.chain import Entry
from guichet.journal.line import OPENING, ends_of, goes_on_from
from guichet.journal.records import RecordError, decode
from guichet.v1 import journal_pb2
from host.fleet.incidents import Incident, open_incidents
from host.fleet.schema import terminal_epochs
from host.journal.intake import Gap, Place, take_in
from host.journal.schema import journal_advices, journal_entries, journal_forks
from host.store.metadata import Row

# Asked for with every batch of every terminal: made once, only their values change.
_OF_EPOCH = (journal_entries.c.terminal_id == bindparam("terminal"), journal_entries.c.epoch == bindparam("epoch"))
_GIVEN = select(
    func.count().filter(terminal_epochs.c.epoch == bindparam("epoch")), func.max(terminal_epochs.c.epoch)
).where(terminal_epochs.c.terminal_id == bindparam("terminal"))
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
_FORKED_FROM = select(func.min(journal_forks.c.sequence)).where(
    journal_forks.c.terminal_id == bindparam("terminal"), journal_forks.c.epoch == bindparam("epoch")
)
_BRANCH = (
    select(func.count())
    .select_from(journal_forks)
    .where(
        journal_forks.c.terminal_id == bindparam("terminal"),
        journal_forks.c.epoch == bindparam("epoch"),
        journal_forks.c.sequence == bindparam("before"),
        journal_forks.c.hash == bindparam("hash"),
    )
)


class UnknownEpoch(Exception):
    """An epoch that this terminal was never given."""


def check_epoch(connection: Connection, terminal: TerminalId, epoch: int) -> int:
    """The newest epoch that the host gave to ``terminal``. Raises :class:`UnknownEpoch` unless it gave ``epoch``."""
    given, newest = connection.execute(_GIVEN, {"terminal": terminal, "epoch": epoch}).one()
    if not given:
        raise UnknownEpoch(f"epoch {epoch} was not given to {terminal}")
    return int(newest)


def last_place(connection: Connection, terminal: TerminalId, epoch: int) -> Place:
    """The last entry of ``epoch`` that is held."""
    row = connection.execute(_LAST, {"terminal": terminal, "epoch": epoch}).first()
    return Place() if row is None else Place(*row)


def line_of(connection: Connection, terminal: TerminalId, epoch: int) -> dict[int, Place]:
    """What is held of the story that the disk of ``epoch`` goes on with: each epoch up to it, in order, with its last
    entry there (see :mod:`guichet.journal.line`).
    """
    c = terminal_epochs.c
    given = select(c.epoch).where(c.terminal_id == terminal, c.epoch <= epoch)

    def opening(one: int) -> list[Entry]:
        return [entry for entry in read_after(connection, terminal, (one, 0), OPENING) if entry.epoch == one]

    epochs = connection.execute(given).scalars().all()
    ends = ends_of(epochs, lambda one: last_place(connection, terminal, one).sequence, opening)
    return {one: _place(connection, terminal, (one, sequence)) for one, sequence in ends}


def beside_of(connection: Connection, terminal: TerminalId, epoch: int, line: Collection[int]) -> list[int]:
    """The epochs before ``epoch`` of which something is held, and nothing is in its ``line``: other disks' own."""
    c = terminal_epochs.c
    given = select(c.epoch).where(c.terminal_id == terminal, c.epoch < epoch).order_by(c.epoch)
    others = [one for one in connection.execute(given).scalars() if one not in line]
    return [one for one in others if last_place(connection, terminal, one).sequence]


def _place(connection: Connection, terminal: TerminalId, place: tuple[int, int]) -> Place:
    """That entry; none where it is not held."""
    epoch, sequence = place
    values = {"terminal": terminal, "epoch": epoch, "first": sequence, "last": sequence}
    row = connection.execute(_HELD, values).first()
    return Place() if row is None else Place(*row)


def forked_sequence(connection: Connection, terminal: TerminalId, epoch: int) -> int:
    """From where on two disks have written ``epoch``; 0 where only one has."""
    return connection.execute(_FORKED_FROM, {"terminal": terminal, "epoch": epoch}).scalar_one() or 0


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a batch: the last place that is held now, how many entries are new, where it parts from what is
    held, if it does, and from where on two disks have written its epoch, this time or before (0: only one has).
    """

    last: Place
    new: int
    forked_at: int | None
    forked_sequence: int


def keep_batch(connection: Connection, terminal: TerminalId, entries: Sequence[Entry], now_us: int) -> Kept:
    """Keep what is new of ``entries``, both branches of a fork, the incidents in them, and where their advices stand.

    Raises :class:`UnknownEpoch` or :class:`host.journal.intake.Gap`.
    """
    epoch = entries[0].epoch
    newest = check_epoch(connection, terminal, epoch)
    last = last_place(connection, terminal, epoch)
    repeated = entries[0].sequence <= last.sequence
    held = _held(connection, terminal, entries) if repeated else {}
    on_a_branch = (
        not repeated and entries[0].previous_hash != last.hash and _is_branch(connection, terminal, entries[0])
    )
    intake = take_in(entries, last, held, on_a_branch=on_a_branch)
    if intake.new:
        rows = [_row(terminal, entry, now_us) for entry in intake.new]
        connection.execute(_KEEP, rows)
        last = Place(intake.new[-1].sequence, intake.new[-1].hash)
        _read(connection, terminal, intake.new, now_us)
        beside = _left_behind(connection, terminal, intake.new[:OPENING])
        if epoch < newest and (end := line_of(connection, terminal, newest).get(epoch, Place())) != last:
            beside.append(_beside_incident(terminal, epoch, end.sequence + 1))
        open_incidents(connection, beside, now_us)
    if intake.forked:
        rows = [_row(terminal, entry, now_us) for entry in intake.forked]
        connection.execute(insert_unless_there(journal_forks).on_conflict_do_nothing(), rows)
        _read(connection, terminal, intake.forked, now_us)
        open_incidents(connection, () if on_a_branch else (_fork_incident(terminal, intake.forked[0]),), now_us)
    forked_at = intake.forked[0].sequence if intake.forked else None
    return Kept(last, len(intake.new), forked_at, forked_sequence(connection, terminal, epoch))


def _is_branch(connection: Connection, terminal: TerminalId, entry: Entry) -> bool:
    before = {"terminal": terminal, "epoch": entry.epoch, "before": entry.sequence - 1, "hash": entry.previous_hash}
    return bool(connection.execute(_BRANCH, before).scalar_one())


def gap_incident(terminal: TerminalId, gap: Gap) -> Incident:
    """Entries that a terminal has gone past without the host's holding them."""
    missing = f"{gap.first} to {gap.last}" if gap.last > gap.first else str(gap.first)
    text = f"entries {missing} of epoch {gap.epoch} were not sent and are not held"
    return Incident("journal-gap", terminal, f"epoch {gap.epoch}", text, f"{gap.epoch}/{gap.first}/{gap.last}")


def forked_from(connection: Connection, terminals: Collection[TerminalId]) -> dict[tuple[TerminalId, int], int]:
    """Terminal and epoch of each journal that has two branches, and the sequence at which they part."""
    c = journal_forks.c
    query = select(c.terminal_id, c.epoch, func.min(c.sequence)).where(c.terminal_id.in_(terminals))
    rows = connection.execute(query.group_by(c.terminal_id, c.epoch)).all()
    return {(TerminalId(terminal), epoch): sequence for terminal, epoch, sequence in rows}


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


def _left_behind(connection: Connection, terminal: TerminalId, new: Sequence[Entry]) -> list[Incident]:
    """What is held already and an epoch that begins with ``new`` does not go on with; nothing where it has begun."""
    begins = goes_on_from(new) if new[0].sequence == 1 else None
    if begins is None:
        return []
    c = terminal_epochs.c
    between = select(c.epoch).where(c.terminal_id == terminal, c.epoch >= begins[0], c.epoch < new[0].epoch)
    held = {one: last_place(connection, terminal, one).sequence for one in connection.execute(between).scalars()}
    after = {one: begins[1] if one == begins[0] else 0 for one in held}
    return [_beside_incident(terminal, one, after[one] + 1) for one in held if held[one] > after[one]]


def _beside_incident(terminal: TerminalId, epoch: int, first: int) -> Incident:
    text = (
        f"the terminal's disk does not go on with entries of epoch {epoch} from {first} on, which another wrote: what"
        " they advise is booked, and it does not know of them"
    )
    return Incident("journal-of-a-former-disk", terminal, f"epoch {epoch}", text, f"{epoch}/{first}")


def _fork_incident(terminal: TerminalId, entry: Entry) -> Incident:
    text = f"two journals claim entry {entry.sequence} of epoch {entry.epoch}; both are kept"
    return Incident("journal-fork", terminal, f"entry {entry.epoch}/{entry.sequence}", text, entry.hash.hex())


def _read(connection: Connection, terminal: TerminalId, entries: Sequence[Entry], now_us: int) -> None:
    """What the records themselves report, and which advices are among them. A record that cannot be read is evidence
    too: it stays, and a person looks.
    """
    incidents: list[Incident] = []
    advices: list[Row] = []
    for entry in entries:
        place = f"{entry.epoch}/{entry.sequence}"
        try:
            record = decode(entry.record)
        except RecordError as error:
            incidents.append(Incident("journal-unreadable", terminal, f"entry {place}", str(error), place))
            continue
        incidents += _incidents_in(terminal, record, place)
        if record.HasField("advice_signed"):
            advices.append(_advice_row(terminal, entry, record.advice_signed.content, now_us))
    open_incidents(connection, incidents, now_us)
    if advices:
        connection.execute(insert_unless_there(journal_advices).on_conflict_do_nothing(), advices)


def _advice_row(terminal: TerminalId, entry: Entry, content: bytes, now_us: int) -> Row:
    place = {"terminal_id": terminal, "epoch": entry.epoch, "sequence": entry.sequence}
    return {"advice_hash": hashlib.sha256(content).digest(), **place, "received_at_us": now_us, "tried_us": None}


def _incidents_in(terminal: TerminalId, record: journal_pb2.JournalRecord, place: str) -> Iterator[Incident]:
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


def read_after(connection: Connection, terminal: TerminalId, after: tuple[int, int], limit: int) -> tuple[Entry, ...]:
    """The entries behind a place, of every epoch, in order; at most ``limit``."""
    c = journal_entries.c
    query = select(c.epoch, c.sequence, c.previous_hash, c.hash, c.record)
    query = query.where(c.terminal_id == terminal, tuple_(c.epoch, c.sequence) > after)
    return tuple(Entry(*row) for row in connection.execute(query.order_by(c.epoch, c.sequence).limit(limit)))


def epochs_held(connection: Connection) -> tuple[tuple[TerminalId, int], ...]:
    """Every terminal and epoch of which something is held."""
    c = journal_entries.c
    rows = connection.execute(select(c.terminal_id, c.epoch).distinct().order_by(c.terminal_id, c.epoch)).all()
    return tuple((TerminalId(terminal), epoch) for terminal, epoch in rows)


def readable_branches(
    connection: Connection, terminal: TerminalId
) -> Iterator[tuple[int, int, journal_pb2.JournalRecord]]:
    """Epoch, sequence and record of what can be read of the branches that are kept beside a terminal's journal."""
    c = journal_forks.c
    query = select(c.epoch, c.sequence, c.record).where(c.terminal_id == terminal).order_by(c.epoch, c.sequence)
    for epoch, sequence, record in connection.execute(query):
        try:
            yield epoch, sequence, decode(record)
        except RecordError:
            continue


def received_at_us(connection: Connection, terminal: TerminalId, place: tuple[int, int]) -> int:
    """When the host took the entry of ``place`` in, by its own clock."""
    c = journal_entries.c
    entry = (c.terminal_id == terminal, c.epoch == place[0], c.sequence == place[1])
    return connection.execute(select(c.received_at_us).where(*entry)).scalar_one()


def readable_records(
    connection: Connection, terminal: TerminalId, epoch: int
) -> Iterator[tuple[int, journal_pb2.JournalRecord]]:
    """Sequence and record of what can be read in an epoch; the rest has its incident."""
    for entry in read_journal(connection, terminal, epoch):
        try:
            yield entry.sequence, decode(entry.record)
        except RecordError:
            continue
