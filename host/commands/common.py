"""What the commands share: their configuration, the database, their way of printing."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias, TypeVar

from sqlalchemy import Connection

from host.assembly import open_database
from host.config import HostConfig, load_config
from host.console.operators import Action, keep_action
from host.store.engine import NoDatabase, open_engine
from host.store.migrate import check_revision

T = TypeVar("T")
Run = Callable[[argparse.Namespace], int]
Questions: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # pyright: ignore[reportPrivateUsage]
Json: TypeAlias = "str | int | bool | Sequence[Json] | Mapping[str, Json] | None"


class CommandError(Exception):
    """A command that cannot do what it was asked; the text goes to the person."""


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """``--config`` and ``--data``, which every command has."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration, TOML")
    parser.add_argument("--data", type=Path, metavar="DIR", help="the host's directory (default: var/host)")


def config_of(arguments: argparse.Namespace, **more: object) -> HostConfig:
    """The configuration that the arguments name."""
    return load_config(arguments.config, {"data": arguments.data, **more})


@contextmanager
def reading(config: HostConfig) -> Generator[Connection]:
    """One consistent picture of the database, beside a running server. Raises StoreError without a fitting one."""
    engine = open_engine(config.database, read_only=True)
    try:
        with engine.begin() as connection:
            check_revision(connection)
            yield connection
    finally:
        engine.dispose()


def writing(config: HostConfig, operation: Callable[[Connection], T]) -> T:
    """Run one operation, waiting for a running server where need be."""
    if not config.database.exists():
        raise NoDatabase(config.database)
    engine = open_database(config)
    try:
        with engine.begin() as connection:
            check_revision(connection)
            return operation(connection)
    finally:
        engine.dispose()


def keep_command(connection: Connection, action: str, subject: str, now_us: int) -> None:
    """Put a command into the audit log, under the name of the machine's user who gave it."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    keep_action(connection, Action(user[:64], action, subject, "done", "command line"), now_us)


def read_password(path: Path | None, *, again: bool) -> str:
    """A password: the first line of a file, of standard input, or typed unseen; typed twice where asked.

    Raises :class:`CommandError` where it cannot be read, is not UTF-8, or the two are not the same.
    """
    if path is not None:
        try:
            return path.read_text(encoding="utf-8").partition("\n")[0]
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{path}: {error}") from error
    try:
        password = _from_person(again=again)
    except UnicodeDecodeError as error:
        raise CommandError(_NO_TEXT) from error
    if not is_text(password):
        raise CommandError(_NO_TEXT)
    return password


_NO_TEXT = "the password: not UTF-8"


def _from_person(*, again: bool) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if again and getpass.getpass("Again: ") != password:
        raise CommandError("the two are not the same")
    return password


def is_text(word: str) -> bool:
    """Whether ``word`` is made of characters only: bytes that were no UTF-8 come as surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in word)


def print_json(value: Json) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], nothing: str) -> None:
    """A table for people: columns as wide as they need to be; ``nothing`` where there is no row."""
    if not rows:
        print(nothing)
        return
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]
    for row in (headings, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def add_question(questions: Questions, name: str, summary: str, answer: Run) -> argparse.ArgumentParser:
    """A question of ``operator`` that prints a table, or JSON."""
    parser = questions.add_parser(name, help=summary, description=summary)
    add_data_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(answer=answer)
    return parser


def complain(text: str) -> None:
    """A line for the person on standard error."""
    print(f"guichet-host: {text}", file=sys.stderr)
