"""``guichet-kiosk``: everything that runs on a terminal, by name."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from kiosk.diagnostics.box_command import add_box_arguments, box_exchanged
from kiosk.diagnostics.commands import add_diag_arguments, add_journal_arguments, diag, journal
from kiosk.diagnostics.trace import add_replay_arguments, add_trace_arguments, replay_file, trace

# Told apart by two words; the rest of the command line is their own.
_RESTORE = "run 'guichet-kiosk journal restore' before the terminal starts"
_OF_TWO_WORDS = frozenset({"diag trace", "diag replay"})


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What ``guichet-kiosk`` understands. ``screen`` and ``run`` get their arguments when they are called: Kivy and the
    workbench have them, which the others do without.
    """

    parser: argparse.ArgumentParser
    screen: argparse.ArgumentParser
    run: argparse.ArgumentParser


def command_line() -> CommandLine:
    """All commands."""
    parser = argparse.ArgumentParser(prog="guichet-kiosk", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    enrol = commands.add_parser("enrol", help="make this machine a terminal, with a ticket of the host")
    enrol.add_argument("--ticket", type=Path, required=True, help="the ticket's file; it works once")
    enrol.add_argument("--data", type=Path, required=True, help="where key and certificate are kept")
    enrol.add_argument("--description", default="", help="for the operator: which machine this is")

    enrol.add_argument(
        "--again", action="store_true", help="a new key for a machine that is enrolled; keeps its journal"
    )

    terminal = commands.add_parser("terminal", help="run the terminal: devices, sessions, journal, settlement")
    terminal.add_argument("--config", type=Path, required=True, help="its configuration (TOML)")

    screen = commands.add_parser("screen", help="run the screen of a terminal")
    run = commands.add_parser("run", help="start a host and a kiosk with simulated devices on this machine")
    add_diag_arguments(commands.add_parser("diag", help="devices, states, counters, a self-test each"))
    add_trace_arguments(commands.add_parser("diag trace", help="what goes over a device's line, in words and hex"))
    add_replay_arguments(commands.add_parser("diag replay", help="whether today's driver says what was recorded"))
    add_journal_arguments(commands.add_parser("journal", help="list, verify, export, salvage or restore the journal"))
    add_box_arguments(commands.add_parser("box-exchanged", help="a cash box was exchanged that nobody saw leave"))
    commands.add_parser("load", help="many terminals at once (not there yet)")
    return CommandLine(parser, screen, run)


def main(argv: list[str] | None = None) -> int:
    """Run one command. Exit status: 0 done, 1 found something wrong, 2 wrong usage or configuration."""
    line = command_line()
    words = _joined(sys.argv[1:] if argv is None else argv)
    match words[0] if words else "":
        case "screen":
            return _screen(line, words)
        case "run":
            return _run(line, words)
        case _:
            return _dispatch(line.parser.parse_args(words))


def _joined(words: list[str]) -> list[str]:
    name = " ".join(words[:2])
    return [name, *words[2:]] if name in _OF_TWO_WORDS else words


def _dispatch(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "enrol":
            return _enrol(arguments)
        case "terminal":
            return _terminal(arguments)
        case "diag":
            return diag(arguments)
        case "diag trace":
            return trace(arguments)
        case "diag replay":
            return replay_file(arguments)
        case "journal":
            return journal(arguments)
        case "box-exchanged":
            return box_exchanged(arguments)
        case _:
            print("guichet-kiosk load: not there yet; it comes with the fleet's load tests", file=sys.stderr)
            return 2


def _screen(line: CommandLine, words: list[str]) -> int:
    # Kivy is only imported where a screen is wanted.
    from kiosk.screen import main as screen_main

    screen_main.add_arguments(line.screen)
    return screen_main.main(line.parser.parse_args(words))


def _run(line: CommandLine, words: list[str]) -> int:
    try:
        from kiosk.workbench import run as workbench
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("kiosk.workbench"):
            raise
        print("guichet-kiosk run: this is a production installation: it has no simulated devices", file=sys.stderr)
        return 2
    workbench.add_arguments(line.run)
    return workbench.main(line.parser.parse_args(words))


def _enrol(arguments: argparse.Namespace) -> int:
    from kiosk.journal.key import journal_file
    from kiosk.terminal.enrolment import EnrolmentError, enrol, read_ticket

    try:
        ticket = read_ticket(arguments.ticket)
        identity = asyncio.run(enrol(ticket, arguments.data, arguments.description, again=arguments.again))
    except EnrolmentError as error:
        print(f"guichet-kiosk enrol: {error}", file=sys.stderr)
        return 1
    print(f"enrolled as {identity.terminal_id}, epoch {identity.epoch}{', for training' if identity.training else ''}")
    if identity.epoch == 1 or journal_file(arguments.data).exists():
        return 0
    if arguments.again:
        print(f"its journal is not here: {_RESTORE}", file=sys.stderr)
        return 1
    return _restore(arguments.data)


def _restore(data: Path) -> int:
    """A new disk of a terminal that had another: the host holds what that one wrote."""
    from kiosk.diagnostics.copy_commands import restore
    from kiosk.journal.faults import JournalError
    from kiosk.journal.restore import RestoreError
    from kiosk.terminal.copy import FetchError

    try:
        print(restore(data, "").words)
    except (FetchError, RestoreError, JournalError) as error:
        print(f"guichet-kiosk enrol: enrolled, but its journal is not restored: {error}", file=sys.stderr)
        print(_RESTORE, file=sys.stderr)
        return 1
    return 0


def _terminal(arguments: argparse.Namespace) -> int:
    from drivers.errors import ConfigurationError
    from kiosk.journal.faults import JournalError
    from kiosk.terminal.config import ConfigError, load_config
    from kiosk.terminal.enrolment import EnrolmentError
    from kiosk.terminal.main import run_terminal
    from kiosk.terminal.seams import Seams

    try:
        asyncio.run(run_terminal(load_config(arguments.config), Seams()))
    except (ConfigError, ConfigurationError, EnrolmentError) as error:
        print(f"guichet-kiosk terminal: {error}", file=sys.stderr)
        return 2
    except JournalError as error:
        print(f"guichet-kiosk terminal: out of service: {error}", file=sys.stderr)
        return 1
    return 0
