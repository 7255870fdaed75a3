"""``guichet-host enrol``: a one-time code for a terminal, and a ticket that an engineer carries to it."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from guichet.ids import IdError, TerminalId, check_terminal_id
from host.assembly import system_seams
from host.bankdays import in_words
from host.commands.common import CommandError, add_data_arguments, config_of, keep_command, print_json, writing
from host.config import HostConfig
from host.ledger.kinds import Ledger
from host.pki.authority import Authority
from host.pki.codes import NewCode, WrongLedger, new_code


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add_data_arguments(parser)
    parser.add_argument("--terminal", required=True, metavar="ID", help="its name: 2 to 16 of A-Z, 0-9 and '-'")
    parser.add_argument("--training", action="store_true", help="simulated devices and training money")
    parser.add_argument("--address", metavar="NAME", help="how the terminal reaches this host (default: first name)")
    parser.add_argument("--ticket", type=Path, metavar="FILE", help="write everything the terminal needs into FILE")
    parser.add_argument("--json", action="store_true", help="print the ticket")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the host listens."""

    port: int
    enrol_port: int


def run(arguments: argparse.Namespace) -> int:
    """Make the code and print it once; only its hash is kept."""
    config, seams = config_of(arguments), system_seams()
    try:
        terminal = check_terminal_id(arguments.terminal)
    except IdError as error:
        raise CommandError(str(error)) from error
    ledger = Ledger.TRAINING if arguments.training else Ledger.LIVE
    now_us = seams.clock.wall_us()

    def make(connection: Connection) -> NewCode:
        code = new_code(connection, terminal, ledger, seams.random, now_us)
        keep_command(connection, "make enrolment code", terminal, now_us)
        return code

    try:
        code = writing(config, make)
    except WrongLedger as error:
        raise CommandError(str(error)) from error
    authority = Authority(config.keys, now_us)
    ticket = _ticket(arguments.address or config.names[0], ports_of(config), terminal, code, authority)
    if arguments.ticket is not None:
        _write(arguments.ticket, ticket)
    if arguments.json:
        print_json(ticket)
    else:
        _show(code, authority, ledger, config, arguments.ticket)
    return 0


def ports_of(config: HostConfig) -> Ports:
    """The ports of the server that runs on this directory, or those that it will take. Raises CommandError for 0."""
    try:
        running = json.loads(config.ports_file.read_text(encoding="utf-8"))
        ports = Ports(int(running["port"]), int(running["enrol_port"]))
    except FileNotFoundError:
        ports = Ports(config.port, config.enrol_port)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{config.ports_file} cannot be read: {error}") from error
    if not ports.port or not ports.enrol_port:
        raise CommandError("the server takes free ports: start it first, then make the code")
    return ports


def _ticket(
    address: str, ports: Ports, terminal: TerminalId, code: NewCode, authority: Authority
) -> dict[str, str | int]:
    return {
        "address": address,
        "port": ports.port,
        "enrol_port": ports.enrol_port,
        "terminal_id": terminal,
        "code": code.text,
        "fingerprint": authority.fingerprint,
        "authority_pem": authority.pem.decode("ascii"),
    }


def _write(path: Path, ticket: dict[str, str | int]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(ticket, file, indent=2)
        file.write("\n")


def _show(code: NewCode, authority: Authority, ledger: Ledger, config: HostConfig, ticket: Path | None) -> None:
    print(f"terminal     {code.terminal_id} ({ledger.value})")
    print(f"code         {code.text}")
    print(f"good until   {in_words(code.expires_at_us, config.zone)} {config.zone}, for one enrolment")
    print(f"fingerprint  {authority.fingerprint}")
    if ticket is not None:
        print(f"ticket       {ticket} (a secret until it is used)")
