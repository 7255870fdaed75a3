"""``guichet-host``: the centre of a fleet of terminals.

Exit status: 0 done; 1 something was found, refused or could not be done; 2 wrong usage or configuration.
"""

from __future__ import annotations

import argparse
import sys

from sqlalchemy.exc import SQLAlchemyError

from host.commands import enrol, migrate, operator, reconcile, serve, verify
from host.commands.common import CommandError, Run, complain, is_text
from host.config import ConfigError
from host.pki.files import KeyFileError
from host.services.tls import TlsTooOld
from host.store.engine import NoDatabase, StoreError

_COMMANDS = (
    ("serve", serve, "run the services and the operations page"),
    ("migrate", migrate, "create the database, or bring it to this version"),
    ("enrol", enrol, "make a one-time code that enrols a terminal"),
    (
        "operator",
        operator,
        "list fleet, deposits, claims; count boxes; decide claims; take exports in; operators, offline limits",
    ),
    ("reconcile", reconcile, "compare the books with the terminals' journals, box by box"),
    ("verify", verify, "check the books, the answers and the journals from the ground"),
)


def main(argv: list[str] | None = None) -> int:
    """Run one command; gives the exit status."""
    arguments = command_line().parse_args(argv)
    if (name := _unreadable(arguments)) is not None:
        complain(f"{name}: not UTF-8")
        return 2
    run: Run = arguments.run
    try:
        return run(arguments)
    except (ConfigError, NoDatabase) as error:
        complain(str(error))
        return 2
    except (CommandError, StoreError, KeyFileError, TlsTooOld) as error:
        complain(str(error))
        return 1
    except (OSError, SQLAlchemyError) as error:
        complain(f"{type(error).__name__}: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


def _unreadable(arguments: argparse.Namespace) -> str | None:
    """The name of an argument, not of a file, whose bytes are no text; None where all are. Python hands such bytes over
    as surrogates, which no database and no terminal takes.
    """
    values: dict[str, object] = vars(arguments)
    return next((name for name, value in values.items() if isinstance(value, str) and not is_text(value)), None)


def command_line() -> argparse.ArgumentParser:
    """What ``guichet-host`` understands."""
    parser = argparse.ArgumentParser(prog="guichet-host", description="The centre of a fleet of terminals.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module, summary in _COMMANDS:
        command = commands.add_parser(name, help=summary, description=summary)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
