"""``guichet-host operator settle-lost``: what a lost terminal, or a disk that was replaced, left without an advice."""

from __future__ import annotations

import argparse

from sqlalchemy import Connection

from guichet.ids import IdError, TerminalId, check_terminal_id, short
from host.assembly import system_seams
from host.bankdays import Calendar
from host.claims.lost import left_open, settle_left_open
from host.commands.common import (
    CommandError,
    Questions,
    add_question,
    config_of,
    keep_command,
    print_json,
    print_table,
    reading,
    writing,
)
from host.fleet.standing import keys_of
from host.hsm.software import open_module
from host.ledger.advice import Advice
from host.ledger.settlement import Refusal, Settlement
from host.offline.cards import CardAccounts
from host.pki.keys import open_keys

_HEADINGS = ("DEPOSIT", "NOTE", "OUTCOME", "AMOUNT", "BOX PERIOD")


def add_question_to(questions: Questions) -> None:
    """The command."""
    lost = add_question(questions, "settle-lost", "settle what a lost terminal or disk left open", run)
    lost.description = (
        "Settle, from the journal that the host holds, the notes that nobody will advise of any more: all of a "
        "terminal that was revoked and not enrolled again; of any other, those that another disk wrote beside its own "
        "journal. What was stacked is credited, what has no outcome is in doubt until its box is counted. Exit status: "
        "0 done, or nothing is left; 1 refused."
    )
    lost.add_argument("terminal", metavar="ID")
    lost.add_argument("--look", action="store_true", help="only show what would be settled")


def run(arguments: argparse.Namespace) -> int:
    """Show it, and settle it unless only a look was asked for."""
    config, seams = config_of(arguments), system_seams()
    try:
        terminal = TerminalId(check_terminal_id(arguments.terminal))
    except IdError as error:
        raise CommandError(str(error)) from error
    now_us = seams.clock.wall_us()
    with reading(config) as connection:
        if not keys_of(connection, {terminal}):
            raise CommandError(f"no terminal {terminal} has enrolled here")
        found = left_open(connection, terminal, now_us)
    if arguments.look or not found:
        return _show(arguments, found)
    keys, calendar = open_keys(config.keys, seams.random), Calendar(seams.clock, config.zone)
    cards = CardAccounts(keys.sealing, open_module(config.keys, seams.random), calendar)
    settlement = Settlement(keys.signer, seams.ids, calendar, cards)

    def settle(connection: Connection) -> tuple[Advice, ...]:
        found = left_open(connection, terminal, now_us)
        keep_command(connection, "settle lost", terminal, now_us)
        for result in settle_left_open(connection, found, settlement, keys.signer, now_us):
            if isinstance(result, Refusal):
                raise CommandError(f"{result.reason.value}: {result.text}; nothing was settled")
        return found

    return _show(arguments, writing(config, settle))


def _show(arguments: argparse.Namespace, found: tuple[Advice, ...]) -> int:
    notes = [(advice, note) for advice in found for note in advice.notes]
    if arguments.json:
        print_json(
            [
                {
                    "deposit_id": advice.deposit_id,
                    "note_id": note.note_id,
                    "outcome_number": note.outcome_number,
                    "outcome": note.outcome.value,
                    "minor": note.value.minor,
                    "currency": note.value.currency.code,
                    "box_period_id": advice.box_period_id,
                }
                for advice, note in notes
            ]
        )
        return 0
    rows = [
        (
            short(advice.deposit_id),
            short(note.note_id),
            note.outcome.value,
            str(note.value),
            short(advice.box_period_id),
        )
        for advice, note in notes
    ]
    print_table(_HEADINGS, rows, "nothing is left open")
    return 0
