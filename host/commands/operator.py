"""``guichet-host operator``: what operations asks at the command line: lists, operators, revocation; what it does about
box counts and claims is in :mod:`host.commands.boxes` and :mod:`host.commands.claims`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sqlalchemy import Connection

from guichet.ids import IdError, check_terminal_id, short
from host.assembly import system_seams
from host.bankdays import in_words
from host.commands import boxes, claims, listing, lost, offline, take_in
from host.commands.common import (
    CommandError,
    add_data_arguments,
    add_question,
    config_of,
    keep_command,
    print_json,
    print_table,
    read_password,
    reading,
    writing,
)
from host.console.operators import OperatorError, add_operator
from host.fleet.incidents import list_incidents
from host.fleet.overview import list_terminals
from host.fleet.standing import withdraw
from host.ledger.overview import DepositState, list_deposits, open_claims
from host.pki.schema import Withdrawal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A command a question, and those that change something."""
    questions = parser.add_subparsers(dest="question", required=True, metavar="WHAT")
    add_question(questions, "terminals", "every terminal with its devices", ask_terminals)
    deposits = add_question(questions, "deposits", "deposits and how their notes were booked", ask_deposits)
    deposits.add_argument("--terminal", metavar="ID", help="only this terminal's")
    deposits.add_argument("--state", choices=[state.value for state in DepositState], help="only in this state")
    add_question(questions, "in-doubt", "open claims: notes in doubt, found, withheld, without an account", ask_claims)
    add_question(questions, "incidents", "what a person should look at", ask_incidents)
    boxes.add_questions(questions)
    claims.add_questions(questions)
    lost.add_question_to(questions)
    add = questions.add_parser("add", help="let somebody log in to the console")
    add_data_arguments(add)
    add.add_argument("name", help="2 to 32 of a-z, 0-9, '.', '_', '-'")
    add.add_argument("--password-file", type=Path, metavar="FILE", help="read the password from FILE's first line")
    add.set_defaults(answer=add_one)
    take = questions.add_parser("take-in", help="take a terminal's signed export in, and settle what it advises")
    add_data_arguments(take)
    take.add_argument("file", type=Path, help="what guichet-kiosk journal export wrote")
    take.add_argument("--json", action="store_true", help="print JSON")
    take.set_defaults(answer=take_in.run)
    revoke = questions.add_parser("revoke", help="take a terminal's certificates out of use")
    add_data_arguments(revoke)
    revoke.add_argument("terminal", metavar="ID")
    revoke.set_defaults(answer=revoke_terminal)
    offline.add_to(questions)


def run(arguments: argparse.Namespace) -> int:
    """Answer the question."""
    answer: listing.Answer = arguments.answer
    return answer(arguments)


def ask_terminals(arguments: argparse.Namespace) -> int:
    """List the fleet."""
    config, now_us = config_of(arguments), system_seams().clock.wall_us()
    with reading(config) as connection:
        found = list_terminals(connection, now_us)
    if arguments.json:
        print_json([listing.terminal_json(terminal) for terminal in found])
        return 0
    rows = [listing.terminal_row(terminal, config.zone) for terminal in found]
    print_table(listing.TERMINAL_HEADINGS, rows, "no terminal has enrolled yet")
    return 0


def ask_deposits(arguments: argparse.Namespace) -> int:
    """List deposits, the newest first, with their notes."""
    config = config_of(arguments)
    state = None if arguments.state is None else DepositState(arguments.state)
    with reading(config) as connection:
        found = list_deposits(connection, terminal=arguments.terminal, state=state)
    if arguments.json:
        print_json([listing.deposit_json(deposit) for deposit in found])
        return 0
    rows = [row for deposit in found for row in listing.deposit_rows(deposit, config.zone)]
    print_table(listing.DEPOSIT_HEADINGS, rows, "no deposit fits")
    return 0


def ask_claims(arguments: argparse.Namespace) -> int:
    """List the open claims, oldest first."""
    config = config_of(arguments)
    with reading(config) as connection:
        found = open_claims(connection)
    if arguments.json:
        print_json([listing.claim_json(claim) for claim in found])
        return 0
    rows = [
        (
            claim.claim_number, claim.reason.value, str(claim.value), claim.terminal_id, short(claim.deposit_id),
            short(claim.note_id), in_words(claim.opened_at_us, config.zone),
        )
        for claim in found
    ]  # fmt: skip
    print_table(("CLAIM", "BECAUSE", "AMOUNT", "TERMINAL", "DEPOSIT", "NOTE", "SINCE"), rows, "nothing is in doubt")
    return 0


def ask_incidents(arguments: argparse.Namespace) -> int:
    """List incidents, the newest first."""
    config = config_of(arguments)
    with reading(config) as connection:
        found = list_incidents(connection)
    if arguments.json:
        print_json([listing.incident_json(incident) for incident in found])
        return 0
    rows = [
        (in_words(one.opened_at_us, config.zone), one.code, one.terminal_id or "host", one.subject, one.text)
        for one in found
    ]
    print_table(("WHEN", "WHAT", "TERMINAL", "ABOUT", "TEXT"), rows, "no incident")
    return 0


def add_one(arguments: argparse.Namespace) -> int:
    """Add an operator."""
    config, seams = config_of(arguments), system_seams()
    password, now_us = read_password(arguments.password_file, again=True), seams.clock.wall_us()

    def add(connection: Connection) -> None:
        add_operator(connection, arguments.name, password, seams.random, now_us)
        keep_command(connection, "add operator", arguments.name, now_us)

    try:
        writing(config, add)
    except OperatorError as error:
        raise CommandError(str(error)) from error
    print(f"{arguments.name} can log in")
    return 0


def revoke_terminal(arguments: argparse.Namespace) -> int:
    """Take a terminal's certificates out of use. What it signed is settled all the same, with an incident."""
    config, now_us = config_of(arguments), system_seams().clock.wall_us()
    try:
        terminal = check_terminal_id(arguments.terminal)
    except IdError as error:
        raise CommandError(str(error)) from error

    def revoke(connection: Connection) -> int:
        keep_command(connection, "revoke terminal", terminal, now_us)
        return withdraw(connection, terminal, Withdrawal.REVOKED, now_us)

    count = writing(config, revoke)
    if not count:
        raise CommandError(f"{terminal} has no certificate in use")
    print(f"{terminal}: {count} certificate{'s' if count > 1 else ''} revoked; a new enrolment admits it again")
    return 0
