"""``guichet-host operator take-in``: a terminal's signed export comes in as if it had come by the link."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from sqlalchemy import Connection

from guichet.ids import TerminalId
from guichet.journal.export import BadExport, Export, read_export
from guichet.limits import MAX_RECORDS_PER_BATCH
from guichet.v1 import journal_pb2
from host.assembly import Seams, system_seams
from host.bankdays import Calendar
from host.commands.common import CommandError, config_of, keep_command, print_json, writing
from host.config import HostConfig
from host.fleet.incidents import open_incidents
from host.fleet.standing import keys_of
from host.hsm.software import open_module
from host.journal.intake import Gap, MalformedBatch, parse_batch
from host.journal.records import UnknownEpoch, gap_incident, keep_batch
from host.journal.waiting import waiting_advices
from host.ledger.advice import BadAdvice, parse_advice
from host.ledger.settlement import Answer, Settlement, Submission
from host.offline.cards import CardAccounts
from host.pki.keys import open_keys

_MOST = 1_000


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
    """Take one file in. 0: all of it is held and settled; 1: not all; 2: no such file, or no good one."""
    config, seams = config_of(arguments), system_seams()
    export = _read(arguments.file)
    taken = writing(config, lambda connection: take_in_export(connection, export, config, seams))
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


def take_in_export(connection: Connection, export: Export, config: HostConfig, seams: Seams) -> TakenIn:
    """Keep its entries, and settle the advices in them that have no answer yet, all in one transaction.

    Raises :class:`host.commands.common.CommandError` where its seal is not by a key that its terminal has or had.
    """
    name = export.head.terminal_id
    if export.head.public_key not in {key.public_key for key in keys_of(connection, {name}).get(name, ())}:
        raise CommandError(f"it is not sealed by a key that {name} has or had here; nothing was taken in")
    now_us = seams.clock.wall_us()
    keep_command(connection, "take in export", name, now_us)
    taken = TakenIn(name, len(export.entries))
    for batch in _batches(export.entries):
        _keep(connection, batch, taken, now_us)
    _settle(connection, taken, config, seams)
    return taken


def _batches(entries: Sequence[journal_pb2.JournalEntry]) -> Iterator[list[journal_pb2.JournalEntry]]:
    for _, group in groupby(entries, key=lambda entry: entry.epoch):
        of_epoch = list(group)
        for begin in range(0, len(of_epoch), MAX_RECORDS_PER_BATCH):
            yield of_epoch[begin : begin + MAX_RECORDS_PER_BATCH]


def _keep(connection: Connection, batch: list[journal_pb2.JournalEntry], taken: TakenIn, now_us: int) -> None:
    try:
        kept = keep_batch(connection, taken.terminal_id, parse_batch(batch), now_us)
    except Gap as gap:
        open_incidents(connection, (gap_incident(taken.terminal_id, gap),), now_us)
        taken.wrong.append(str(gap))
    except (MalformedBatch, UnknownEpoch) as error:
        taken.wrong.append(str(error))
    else:
        taken.kept += kept.new
        if kept.forked_at is not None:
            taken.wrong.append(f"another entry is held at {batch[0].epoch}/{kept.forked_at}: both are kept")


def _settle(connection: Connection, taken: TakenIn, config: HostConfig, seams: Seams) -> None:
    keys, calendar = open_keys(config.keys, seams.random), Calendar(seams.clock, config.zone)
    cards = CardAccounts(keys.sealing, open_module(config.keys, seams.random), calendar)
    settlement = Settlement(keys.signer, seams.ids, calendar, cards)
    late = seams.clock.wall_us() + 1
    found = waiting_advices(
        connection, received_before_us=late, tried_before_us=late, limit=_MOST, terminal=taken.terminal_id
    )
    for advice in found:
        try:
            submission = Submission(parse_advice(advice.content), advice.signature)
        except BadAdvice as error:
            taken.refused.append(str(error))
            continue
        (result,) = settlement.settle(connection, (submission,))
        if isinstance(result, Answer):
            taken.settled += 1
        else:
            taken.refused.append(f"deposit {submission.advice.deposit_id}: {result.text}")
