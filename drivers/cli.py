"""``guichet-sim``: a device as a process, on its own pty or socket, speaking only bytes."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import cast

from drivers.errors import TransportError

SIMULATORS = {
    "ccnet": ("drivers.cash.ccnet.simulator", "a CCNET banknote validator on a pty"),
    "id003": ("drivers.cash.id003.simulator", "a JCM ID-003 banknote validator on a pty"),
    "essp": ("drivers.cash.essp.simulator", "an ITL SSP and eSSP banknote validator on a pty"),
    "cctalk": ("drivers.cash.cctalk.simulator", "a ccTalk banknote validator on a pty"),
    "cctalk-coin": ("drivers.cash.cctalk.simulator_coin", "a ccTalk coin acceptor on a pty"),
    "card": ("drivers.card.pcsc.simulator", "a chip card in a virtual PC/SC reader"),
    "printer": ("drivers.printer.escpos.simulator", "an ESC/POS printer on a pty or TCP port"),
    "pinpad": ("drivers.pinpad.simulator", "a PIN pad on a pty"),
}
"""Name -> module with ``add_arguments(parser)`` and ``async run(arguments)``, and a line of help."""


def main(argv: list[str] | None = None) -> int:
    """Run one simulator, or tell a running one something. Exit status: 0 done; 1 refused, or it cannot be that
    device here; 2 wrong usage.
    """
    parser = argparse.ArgumentParser(prog="guichet-sim", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="DEVICE")
    try:
        for name, (module, summary) in SIMULATORS.items():
            add = cast("Callable[[argparse.ArgumentParser], None]", import_module(module).add_arguments)
            add(commands.add_parser(name, help=summary, description=summary))
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("drivers."):
            raise
        print("guichet-sim: this is a production installation: it has no simulators", file=sys.stderr)
        return 2
    tell = commands.add_parser("tell", help="act on a running simulator by its control socket")
    tell.add_argument("control", type=Path, help="the control socket's path")
    tell.add_argument("words", nargs="+", help="what to do; 'help' lists it")
    arguments = parser.parse_args(argv)
    if arguments.command == "tell":
        return _tell(arguments.control, " ".join(arguments.words))
    run = cast("Callable[[argparse.Namespace], Awaitable[None]]", import_module(SIMULATORS[arguments.command][0]).run)
    return _be(run, arguments)


def _be(run: Callable[[argparse.Namespace], Awaitable[None]], arguments: argparse.Namespace) -> int:
    """Until Ctrl-C, or until it cannot be that device any more."""
    from drivers.simulation.memory import BadMemory

    try:
        asyncio.run(_until_done(run, arguments))
    except KeyboardInterrupt:
        return 0
    except (BadMemory, OSError, TransportError) as error:
        print(f"guichet-sim {arguments.command}: {error}", file=sys.stderr)
        return 1
    return 0


async def _until_done(run: Callable[[argparse.Namespace], Awaitable[None]], arguments: argparse.Namespace) -> None:
    await run(arguments)


def _tell(control: Path, line: str) -> int:
    from drivers.simulation.control import ask

    try:
        print(ask(control, line))
    except (OSError, ValueError) as error:
        print(f"guichet-sim: {error}", file=sys.stderr)
        return 1
    return 0
