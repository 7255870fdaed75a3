"""``guichet-host serve``: the services and the console, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio

from host.assembly import system_seams
from host.commands.common import add_data_arguments, config_of
from host.commands.migrate import bring_up
from host.log import to_stderr
from host.server import serve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add_data_arguments(parser)
    parser.add_argument("--address", metavar="IP", help="where the terminals' ports listen (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, metavar="N", help="the terminals' port, mutual TLS (0: a free one)")
    parser.add_argument("--enrol-port", type=int, metavar="N", help="enrolment's port, server TLS (0: a free one)")
    parser.add_argument("--console-port", type=int, metavar="N", help="the operations page, loopback (0: a free one)")
    parser.add_argument(
        "--demo", action="store_true", default=None, help="migrate and add demo customers before starting"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve; the real ports stand in DATA/ports.json while it runs."""
    config = config_of(
        arguments,
        address=arguments.address,
        port=arguments.port,
        enrol_port=arguments.enrol_port,
        console_port=arguments.console_port,
        demo=arguments.demo,
    )
    to_stderr()
    seams = system_seams()
    if config.demo:
        bring_up(config, seams, demo=True)
    asyncio.run(serve(config, seams))
    return 0
