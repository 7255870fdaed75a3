"""``guichet-sim``: a device as a process, on its own pty or socket, speaking only bytes."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Sequence
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, cast

from drivers.errors import TransportError

GROUP = "guichet.simulators"
"""The entry-point group: a device's name -> the module of its simulator, ours and everyone else's."""


class Simulator(Protocol):
    """What such a module has. The first line of its docstring is its help. The conformance suite asks a cash device's
    for ``make(vault, arguments)`` besides, which gives the :class:`drivers.simulation.cash_device.SimulatedCash`.
    """

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Its command line."""
        ...

    def run(self, arguments: argparse.Namespace) -> Awaitable[None]:
        """Be the device until cancelled. Raises :class:`drivers.simulation.memory.BadMemory`, OSError or
        :class:`drivers.errors.TransportError` where it cannot.
        """
        ...


class CannotLoadError(Exception):
    """A simulator is named, and its module cannot be had."""


def simulators() -> dict[str, EntryPoint]:
    """Every simulator that is installed, by name, sorted."""
    points = {point.name: point for point in entry_points(group=GROUP)}
    return dict(sorted(points.items()))


def load(point: EntryPoint) -> Simulator:
    """The module. Raises :class:`CannotLoadError`."""
    try:
        module = point.load()
    except (ImportError, AttributeError) as error:
        raise CannotLoadError(f"{point.name}, {point.value}, cannot be loaded: {error}") from error
    if missing := [name for name in ("add_arguments", "run") if not callable(getattr(module, name, None))]:
        raise CannotLoadError(f"{point.name}, {point.value}, is no simulator: it has no {' and no '.join(missing)}")
    return cast("Simulator", module)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one simulator, or tell a running one something. Exit status: 0 done; 1 refused, or it cannot be that
    device here; 2 wrong usage, or no such simulator.
    """
    words = sys.argv[1:] if argv is None else argv
    if find_spec("drivers.simulation") is None:
        print("guichet-sim: this is a production installation: it has no simulators", file=sys.stderr)
        return 2
    point = simulators().get(words[0]) if words else None
    if point is None:
        arguments = _general().parse_args(words)
        return _tell(arguments.control, " ".join(arguments.words))
    try:
        simulator = load(point)
    except CannotLoadError as error:
        print(f"guichet-sim: {error}", file=sys.stderr)
        return 2
    parser = argparse.ArgumentParser(prog=f"guichet-sim {point.name}", description=_summary(simulator))
    simulator.add_arguments(parser)
    return _be(point.name, simulator, parser.parse_args(words[1:]))


def _general() -> argparse.ArgumentParser:
    """The command line where no simulator is named: ``tell``, the list, and the error that names all there are."""
    parser = argparse.ArgumentParser(prog="guichet-sim", description=_plain(__doc__))
    commands = parser.add_subparsers(required=True, metavar="DEVICE")
    for name, point in simulators().items():
        try:
            summary = _summary(load(point))
        except CannotLoadError as error:
            summary = str(error)
        commands.add_parser(name, help=summary.replace("%", "%%"))
    tell = commands.add_parser("tell", help="act on a running simulator by its control socket")
    tell.add_argument("control", type=Path, help="the control socket's path")
    tell.add_argument("words", nargs="+", help="what to do; 'help' lists it")
    return parser


def _summary(simulator: Simulator) -> str:
    return _plain(simulator.__doc__).partition("\n")[0]


def _plain(docstring: str | None) -> str:
    return (docstring or "").strip().replace("``", "")


def _be(name: str, simulator: Simulator, arguments: argparse.Namespace) -> int:
    """Until Ctrl-C or SIGTERM, or until it cannot be that device any more."""
    from drivers.simulation.memory import BadMemory

    try:
        asyncio.run(_until_done(simulator, arguments))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 0
    except (BadMemory, OSError, TransportError) as error:
        print(f"guichet-sim {name}: {error}", file=sys.stderr)
        return 1
    return 0


async def _until_done(simulator: Simulator, arguments: argparse.Namespace) -> None:
    if (task := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await simulator.run(arguments)


def _tell(control: Path, line: str) -> int:
    from drivers.simulation.control import ask

    try:
        print(ask(control, line))
    except (OSError, ValueError) as error:
        print(f"guichet-sim: {error}", file=sys.stderr)
        return 1
    return 0
