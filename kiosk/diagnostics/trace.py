"""``guichet-kiosk diag trace`` and ``diag replay``: what goes over a device's line, and whether it would again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from drivers.api.device import DeviceConfig
from drivers.cash.module import CashDevice
from drivers.cash.replay import Replayed, replay
from drivers.context import DriverContext
from drivers.errors import ConfigurationError, TransportError
from drivers.narration import describe
from drivers.registry import open_device
from drivers.transport.api import ByteTransport
from drivers.transport.recording import (
    TITLE,
    BadRecording,
    Diverged,
    Header,
    Mark,
    NotPlayable,
    Recording,
    from_lines,
    lines_of,
)
from kiosk.diagnostics.local_client import TerminalNotRunning, trace_line
from kiosk.diagnostics.output import complain, say, until_nobody_reads
from kiosk.diagnostics.trace_view import (
    Entry,
    Folding,
    Reading,
    entry_json,
    entry_lines,
    header_json,
    header_line,
    rounds_line,
)
from kiosk.terminal.config import ConfigError, load_config


def add_trace_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of ``diag trace``."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--config", type=Path, help="the terminal's configuration: look at its line while it runs")
    where.add_argument("--file", type=Path, help="a recording")
    parser.add_argument("device", nargs="?", default="cash", help="which device, with --config (default: cash)")
    parser.add_argument("--once", action="store_true", help="only what the terminal has kept; do not go on")
    parser.add_argument("--every", action="store_true", help="do not fold what repeats itself")
    parser.add_argument("--record", type=Path, help="write it into this file as well, which must not be there yet")
    parser.add_argument("--json", action="store_true", help="for scripts: one object a line, nothing folded")
    _add_options(parser)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE",
        help="an option of the driver that the recording does not tell, such as a key",
    )  # fmt: skip


@until_nobody_reads
def trace(arguments: argparse.Namespace) -> int:
    """Show a line. 0: shown to the end, or until Ctrl-C; 2: no terminal, no such device, no recording."""
    try:
        with ExitStack() as stack:
            lines = _lines(arguments)
            if arguments.record is not None:
                lines = _kept(lines, arguments.record, stack)
            reading = Reading(_options(arguments.option))
            if arguments.json:
                _show_json(lines, reading)
            else:
                _show(lines, reading, every=arguments.every)
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        raise  # An OSError too, but not about a file.
    except (BadRecording, ConfigError, TerminalNotRunning, OSError, RuntimeError, UnicodeDecodeError) as error:
        complain("diag trace", error)
        return 2
    return 0


def _lines(arguments: argparse.Namespace) -> Iterator[str]:
    if arguments.file is not None:
        return _file_lines(arguments.file)
    socket = load_config(arguments.config).socket
    return _live_lines(socket, arguments.device, follow=not arguments.once)


def _live_lines(socket: Path, device: str, *, follow: bool) -> Iterator[str]:
    batches = trace_line(socket, device, follow=follow)
    for number, batch in enumerate(batches):
        if number == 0 and not batch:
            print(f"{device}: nothing has gone over its line yet", file=sys.stderr)
        yield from batch


def _file_lines(path: Path) -> Iterator[str]:
    with path.open(encoding="ascii") as file:
        lines = lines_of(file)
        first = next(lines, "")
        if first.strip() != TITLE:
            raise BadRecording(f"{path}: a recording begins with {TITLE!r}")
        yield first
        yield from lines


def _kept(lines: Iterable[str], path: Path, stack: ExitStack) -> Iterator[str]:
    """Passes ``lines`` on and writes them down; each further connection goes into a file of its own."""
    file: TextIO | None = None
    one = stack.enter_context(ExitStack())
    connections = 0
    for line in lines:
        if line.strip() == TITLE:
            connections += 1
            name = path if connections == 1 else path.with_stem(f"{path.stem}-{connections}")
            one.close()
            file = one.enter_context(name.open("x", encoding="ascii", buffering=1))
        if file is not None:
            file.write(f"{line.rstrip()}\n")
        yield line


def _show(lines: Iterable[str], reading: Reading, *, every: bool) -> None:
    folding = Folding()
    try:
        for line in lines:
            read = reading.read(line) if line.strip() else []
            if isinstance(read, Header):
                _print(folding.rest())
                print(header_line(read), flush=True)
                continue
            for entry in read:
                _print([entry] if every else folding.fold(entry))
    finally:
        _print(folding.rest())


def _print(entries: Iterable[Entry | int]) -> None:
    for entry in entries:
        print("\n".join([rounds_line(entry)] if isinstance(entry, int) else entry_lines(entry)), flush=True)


def _show_json(lines: Iterable[str], reading: Reading) -> None:
    for line in lines:
        read = reading.read(line) if line.strip() else []
        if isinstance(read, Header):
            print(header_json(read), flush=True)
        else:
            for entry in read:
                print(entry_json(entry), flush=True)


# --- replay -----------------------------------------------------------------------------------------------------------


def add_replay_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of ``diag replay``."""
    parser.add_argument("file", type=Path, help="a recording of a cash module's whole connection")
    _add_options(parser)
    parser.add_argument("--events", action="store_true", help="print what the driver tells the terminal, and when")


@until_nobody_reads
def replay_file(arguments: argparse.Namespace) -> int:
    """Give today's driver what was recorded. 0: it says the same, byte for byte; 1: it does not; 2: it cannot be
    tried.
    """
    try:
        with arguments.file.open(encoding="ascii") as file:
            recording = from_lines(lines_of(file))
        done = _replayed(recording, _options(arguments.option))
    except Diverged as error:
        say(f"DIFFERENT: {error}")
        return 1
    except (BadRecording, NotPlayable, ConfigurationError, OSError, UnicodeDecodeError) as error:
        complain("diag replay", error)
        return 2
    began = recording.moments[0].at
    for at, event in done.events if arguments.events else ():
        say(f"{at - began:10.3f}  {describe(event)}")
    say(f"the same: {done.steps} steps, {done.sent} bytes sent, {len(done.events)} events")
    if recording.moments[-1].mark is not Mark.CLOSED:
        say("the end of the line is not in the recording: it may have been cut short")
    return 0


def _options(given: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise BadRecording(f"--option {pair!r}: NAME=VALUE")
        options[name] = value
    return options


def _replayed(recording: Recording, given: dict[str, str]) -> Replayed:
    header = recording.header
    options = {**header.options, **given}
    if starred := sorted(name for name, value in options.items() if value == "****"):
        raise BadRecording(f"--option is needed for {', '.join(starred)}: recordings do not tell keys")
    context = DriverContext(lambda: 0.0, bytes, _no_line)
    device = open_device(DeviceConfig(header.device, header.driver, header.address, options), context)
    if not isinstance(device, CashDevice):
        raise BadRecording(f"{header.driver} is no cash module: only these are functions of what goes into them")
    return replay(device.new_machine(), recording)


async def _no_line(address: str) -> ByteTransport:
    raise TransportError("replay", "absent", address)
