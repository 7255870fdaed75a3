"""``guichet-host migrate``: create the database, or bring it to this version."""

from __future__ import annotations

import argparse

from host.assembly import Seams, assemble, open_database, system_seams
from host.commands.common import add_data_arguments, config_of
from host.config import HostConfig
from host.customers.demo import add_demo
from host.store.executor import InlineExecutor
from host.store.migrate import migrate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add_data_arguments(parser)
    parser.add_argument("--demo", action="store_true", help="also add demo customers to the training ledger")


def run(arguments: argparse.Namespace) -> int:
    """Migrate; running it again changes nothing."""
    config = config_of(arguments)
    before, after, added = bring_up(config, system_seams(), demo=arguments.demo or config.demo)
    if before == after:
        print(f"{config.database}: at schema {after} already")
    else:
        print(f"{config.database}: from {before or 'nothing'} to schema {after}")
    if added:
        print("demo customers added")
    return 0


def bring_up(config: HostConfig, seams: Seams, *, demo: bool) -> tuple[str | None, str, bool]:
    """Migrate and, where asked, add the demo. Gives the schema before and after, and whether the demo is new."""
    engine = open_database(config)
    try:
        before, after = migrate(engine)
        if not demo:
            return before, after, False
        host = assemble(config, seams, engine, InlineExecutor())
        with engine.begin() as connection:
            return before, after, add_demo(connection, host.module, host.calendar.today(), host.now_us())
    finally:
        engine.dispose()
