"""``guichet-kiosk box-exchanged``: a cash box was exchanged that nobody saw leave."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from guichet.ids import short
from kiosk.diagnostics.local_client import TerminalNotRunning, record_box_exchange
from kiosk.diagnostics.output import complain, say, until_nobody_reads
from kiosk.journal.faults import JournalError
from kiosk.terminal.config import ConfigError, load_config


def add_box_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of ``box-exchanged``."""
    parser.description = (
        "Say that the cash box was exchanged while the validator or the terminal was off, before the next deposit: a "
        "new box period begins, and both boxes can be counted. Where the validator was on, it has said so itself. Exit "
        "status: 0 it is on record; 1 refused, for something is going on; 2 no terminal, or wrong usage."
    )
    parser.add_argument("--config", type=Path, required=True, help="the terminal's configuration; it must run")
    parser.add_argument("--by", required=True, metavar="NAME", help="who exchanged it")
    parser.add_argument("--witness", default="", metavar="NAME", help="who looked on")
    parser.add_argument("--json", action="store_true", help="for scripts")


@until_nobody_reads
def box_exchanged(arguments: argparse.Namespace) -> int:
    """Tell the terminal."""
    try:
        period = record_box_exchange(load_config(arguments.config).socket, arguments.by, arguments.witness)
    except RuntimeError as error:
        complain("box-exchanged", error)
        return 1
    except (ConfigError, TerminalNotRunning, JournalError) as error:
        complain("box-exchanged", error)
        return 2
    if arguments.json:
        print(json.dumps({"box_period_id": period}))
    else:
        say(
            f"box period {short(period)} has begun"
            if period
            else "on record; a period begins when the validator is back"
        )
    return 0
