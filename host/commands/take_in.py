"""``guichet-host operator take-in``: a terminal's signed export comes in as if it had come by the link."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import Connection, select

from guichet.ids import TerminalId
from guichet.journal.export import BadExport, Export, read_export
from guichet.journal.records import RecordError, decode
from guichet.limits import MAX_RECORDS_PER_BATCH
from guichet.v1 import journal_pb2
from host.assembly import system_seams
from host.bankdays import Calendar
from host.claims.lost import left_open
from host.commands.common import CommandError, config_of, keep_command, print_json, writing
from host.fleet.incidents import Incident, open_incidents
from host.fleet.standing import keys_of
from host.hsm.software import open_module
from host.journal.intake import Gap, MalformedBatch, parse_batch
from host.journal.records import UnknownEpoch, gap_incident, keep_batch
from host.ledger.advice import BadAdvice, parse_advice
from host.ledger.schema import advices
from host.ledger.settlement import Answer, Result, Settlement, Submission
from host.offline.cards import CardAccounts
from host.pki.keys import open_keys

T = TypeVar("T")


@dataclass(slots=True)
class TakenIn:
    """What became of an export. ``kept``: entries that are held now and were not; ``wrong``: what a person should look
    at; ``refused``: advices that were not settled.
    """

    terminal_id: TerminalId
    entries: int
    kept: int = 0
    settled: int = 0
    refused: list[str] = field(default_factory=list[str])
    wrong: list[str] = field(default_factory=list[str])

    @property
    def good(self) -> bool:
        """All of it is held, and all that it advises is settled."""
        return not self.refused and not self.wrong


def run(arguments: argparse.Namespace) -> int:
    """Take one file in. 0: all of it is held and settled; 1: not all, or no good file; 2: wrong usage."""
    config, seams = config_of(arguments), system_seams()
    export = _read(arguments.file)
    keys, calendar = open_keys(config.keys, seams.random), Calendar(seams.clock, config.zone)
    cards = CardAccounts(keys.sealing, open_module(config.keys, seams.random), calendar)
    settlement = Settlement(keys.signer, seams.ids, calendar, cards)
    taken = take_in(export, settlement, partial(writing, config), seams.clock.wall_us())
    if arguments.json:
        told = {"terminal": taken.terminal_id, "entries": taken.entries, "kept": taken.kept, "settled": taken.settled}
        print_json({**told, "refused": taken.refused, "wrong": taken.wrong})
    else:
        print(f"{taken.terminal_id}: {taken.entries} entries, {taken.kept} new; {taken.settled} advices settled")
        for text in (*taken.wrong, *taken.refused):
            print(f"LOOK  {text}")
    return 0 if taken.good else 1


def _read(path: Path) -> Export:
    try:
        return read_export(path.read_bytes())
    except (OSError, BadExport) as error:
        raise CommandError(f"{path}: {error}") from error


class Write(Protocol):
    """Runs one operation in a transaction of its own, beside a running server."""

    def __call__(self, operation: Callable[[Connection], T], /) -> T:
        """What it gives."""
        ...


def take_in(export: Export, settlement: Settlement, write: Write, now_us: int) -> TakenIn:
    """Keep its entries, and settle every advice in them, whether its entry could be kept or not: it was signed when it
    was written. Each batch and each advice is a transaction of its own, so that the server need not wait for all.

    Raises :class:`host.commands.common.CommandError` where its seal is not by a key that its terminal has or had.
    """
    name = export.head.terminal_id
    taken = TakenIn(name, len(export.entries))
    if write(partial(_may_extend, export=export, now_us=now_us)):
        for _, of_epoch in groupby(export.entries, key=lambda entry: entry.epoch):
            _keep_epoch(list(of_epoch), taken, write, now_us)
    else:
        taken.wrong.append("sealed by a key that was revoked: its entries were not taken in, only what it advises")
    for entry in export.entries:
        _settle(entry, taken, settlement, write)
    count = sum(len(advice.notes) for advice in write(lambda connection: left_open(connection, name, now_us)))
    if count:
        taken.wrong.append(f"{count} outcomes of notes stand in no advice: guichet-host operator settle-lost {name}")
    return taken


def _may_extend(connection: Connection, export: Export, now_us: int) -> bool:
    """Whether who sealed it may still write this terminal's journal."""
    name = export.head.terminal_id
    keys = keys_of(connection, {name}).get(name, ())
    sealed_by = [key for key in keys if key.public_key == export.head.public_key]
    if not sealed_by:
        raise CommandError(f"it is not sealed by a key that {name} has or had here; nothing was taken in")
    keep_command(connection, "take in export", name, now_us)
    if sealed_by[0].revoked and not all(key.revoked for key in keys):
        text = "an export sealed by a revoked key was handed in, and the terminal has a newer one: look whose it is"
        occasion = hashlib.sha256(export.head.public_key).hexdigest()
        open_incidents(connection, (Incident("export-after-revocation", name, "journal", text, occasion),), now_us)
        return False
    return True


def _keep_epoch(entries: list[journal_pb2.JournalEntry], taken: TakenIn, write: Write, now_us: int) -> None:
    for begin in range(0, len(entries), MAX_RECORDS_PER_BATCH):
        batch = entries[begin : begin + MAX_RECORDS_PER_BATCH]
        try:
            parsed = parse_batch(batch)
            kept = write(lambda connection, parsed=parsed: keep_batch(connection, taken.terminal_id, parsed, now_us))
        except Gap as gap:
            incident = gap_incident(taken.terminal_id, gap)
            write(lambda connection, incident=incident: open_incidents(connection, (incident,), now_us))
            taken.wrong.append(str(gap))
            return  # What follows in this epoch has no place either.
        except (MalformedBatch, UnknownEpoch) as error:
            taken.wrong.append(str(error))
            return
        taken.kept += kept.new
        if kept.forked_at is not None:
            taken.wrong.append(f"another entry is held at {batch[0].epoch}/{kept.forked_at}: both are kept")


def _settle(entry: journal_pb2.JournalEntry, taken: TakenIn, settlement: Settlement, write: Write) -> None:
    try:
        record = decode(entry.record)
        if not record.HasField("advice_signed"):
            return
        advice = parse_advice(record.advice_signed.content)
    except (RecordError, BadAdvice) as error:
        taken.refused.append(f"entry {entry.epoch}/{entry.sequence}: {error}")
        return
    if advice.terminal_id != taken.terminal_id:
        taken.refused.append(f"entry {entry.epoch}/{entry.sequence}: an advice of {advice.terminal_id}")
        return
    submission = Submission(advice, record.advice_signed.signature)
    known, result = write(lambda connection: _settled(connection, submission, settlement))
    if not isinstance(result, Answer):
        taken.refused.append(f"deposit {advice.deposit_id}: {result.text}")
    elif not known:
        taken.settled += 1


def _settled(connection: Connection, submission: Submission, settlement: Settlement) -> tuple[bool, Result]:
    """Its result, and whether it had one before."""
    known = connection.execute(select(advices.c.deposit_id).where(advices.c.advice_hash == submission.advice.hash))
    had = known.first() is not None
    (result,) = settlement.settle(connection, (submission,))
    return had, result
