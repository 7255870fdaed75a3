"""``guichet-host operator offline-limits``: what a terminal may take while it cannot reach this host.

A list is signed as a whole, replaces the one before, and reaches the terminal with the answer to its next heartbeat,
or at its next hello where it is away now. Until then it goes by the list that it has.
"""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Callable

from sqlalchemy import Connection

from guichet.ids import IdError, TerminalId, check_terminal_id
from guichet.money import MoneyError, parse_money
from guichet.offline import Limit, OfflineError
from guichet.seams import Signer
from host.assembly import system_seams
from host.bankdays import in_words
from host.commands.common import (
    CommandError,
    Json,
    add_data_arguments,
    config_of,
    keep_command,
    print_json,
    print_table,
    reading,
    writing,
)
from host.config import HostConfig
from host.offline.limits import SignedLimits, UnknownTerminal, newest, set_limits
from host.pki.keys import open_keys

_DAY_US = 86_400_000_000
_Sign = Callable[[Connection, Signer, int], SignedLimits]


def add_to(questions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:  # pyright: ignore[reportPrivateUsage]
    """The command and its three verbs."""
    summary = "what a terminal may take while it cannot reach this host"
    command = questions.add_parser("offline-limits", help=summary, description=summary)
    verbs = command.add_subparsers(dest="verb", required=True, metavar="WHAT")
    setting = verbs.add_parser("set", help="sign a new list of limits, in place of the one before")
    _common(setting)
    setting.add_argument("--bin", action="append", required=True, metavar="DIGITS", help="6 to 8; may be repeated")
    setting.add_argument("--currency", required=True, metavar="CODE", help="such as EUR")
    setting.add_argument("--per-card", required=True, metavar="AMOUNT", help="a card's a day, such as '200 EUR'")
    setting.add_argument("--per-terminal", required=True, metavar="AMOUNT", help="all cards' of a BIN a day")
    setting.add_argument("--deposits", required=True, type=int, metavar="N", help="a card's a day, 1 to 100")
    setting.add_argument("--days", required=True, type=int, metavar="N", help="how long the list is good, 1 to 31")
    setting.add_argument("--add", action="store_true", help="keep the other limits; all are good as long as these then")
    setting.set_defaults(answer=set_list)
    showing = verbs.add_parser("show", help="the list that counts")
    _common(showing)
    showing.set_defaults(answer=show_list)
    withdrawing = verbs.add_parser("withdraw", help="sign an empty list: no deposit begins without the host then")
    _common(withdrawing)
    withdrawing.set_defaults(answer=withdraw_list)


def _common(parser: argparse.ArgumentParser) -> None:
    add_data_arguments(parser)
    parser.add_argument("--terminal", required=True, metavar="ID")
    parser.add_argument("--json", action="store_true", help="print JSON")


def set_list(arguments: argparse.Namespace) -> int:
    """Sign a list with these limits, and the former ones where they are to be kept."""
    terminal = _terminal(arguments)
    if not 1 <= arguments.days <= 31:
        raise CommandError("--days: 1 to 31")
    limits = {(limit.bin, limit.currency): limit for limit in _limits(arguments)}

    def sign(connection: Connection, signer: Signer, now_us: int) -> SignedLimits:
        former = newest(connection, terminal) if arguments.add else None
        kept = {(limit.bin, limit.currency): limit for limit in former.limits.limits} if former is not None else {}
        life_us = arguments.days * _DAY_US
        return set_limits(connection, signer, terminal, {**kept, **limits}.values(), life_us, _user(), now_us)

    return _signed(arguments, terminal, "set offline limits", sign)


def withdraw_list(arguments: argparse.Namespace) -> int:
    """Sign an empty list."""
    terminal = _terminal(arguments)

    def sign(connection: Connection, signer: Signer, now_us: int) -> SignedLimits:
        return set_limits(connection, signer, terminal, (), 0, _user(), now_us)

    return _signed(arguments, terminal, "withdraw offline limits", sign)


def _signed(arguments: argparse.Namespace, terminal: TerminalId, action: str, sign: _Sign) -> int:
    config, seams = config_of(arguments), system_seams()
    now_us = seams.clock.wall_us()

    def work(connection: Connection) -> SignedLimits:
        made = sign(connection, open_keys(config.keys, seams.random).signer, now_us)
        keep_command(connection, action, f"{terminal}, list {made.limits.number}", now_us)
        return made

    try:
        made = writing(config, work)
    except (UnknownTerminal, OfflineError) as error:
        raise CommandError(str(error)) from error
    _show(arguments, config, made, now_us)
    return 0


def show_list(arguments: argparse.Namespace) -> int:
    """Show the list that counts; status 1 where there never was one."""
    terminal, config = _terminal(arguments), config_of(arguments)
    with reading(config) as connection:
        found = newest(connection, terminal)
    if found is None:
        raise CommandError(f"{terminal} has never had offline limits: no deposit begins without the host there")
    _show(arguments, config, found, system_seams().clock.wall_us())
    return 0


def _show(arguments: argparse.Namespace, config: HostConfig, made: SignedLimits, now_us: int) -> None:
    limits = made.limits
    if arguments.json:
        print_json(_json(made, now_us))
        return
    state = "withdrawn" if not limits.limits else "good" if made.good(now_us) else "expired"
    until = f" until {in_words(limits.expires_at_us, config.zone)} {config.zone}" if limits.limits else ""
    set_at = in_words(made.set_at_us, config.zone)
    print(f"{limits.terminal_id}: list {limits.number}, {state}{until}; set by {made.set_by} at {set_at}")
    rows = [(limit.bin, str(limit.per_card), str(limit.per_terminal), str(limit.deposits)) for limit in limits.limits]
    nothing = "no deposit begins there without the host"
    print_table(("BIN", "A CARD A DAY", "THE TERMINAL A DAY", "DEPOSITS A CARD"), rows, nothing)


def _json(made: SignedLimits, now_us: int) -> Json:
    limits = made.limits
    return {
        "terminal": limits.terminal_id,
        "number": limits.number,
        "good": made.good(now_us),
        "issued_at_us": limits.issued_at_us,
        "expires_at_us": limits.expires_at_us,
        "set_by": made.set_by,
        "limits": [
            {
                "bin": limit.bin,
                "currency": limit.currency.code,
                "per_card_day_minor": limit.per_card.minor,
                "per_terminal_day_minor": limit.per_terminal.minor,
                "deposits_per_card_day": limit.deposits,
            }
            for limit in limits.limits
        ],
    }


def _terminal(arguments: argparse.Namespace) -> TerminalId:
    try:
        return check_terminal_id(arguments.terminal)
    except IdError as error:
        raise CommandError(str(error)) from error


def _limits(arguments: argparse.Namespace) -> list[Limit]:
    try:
        per_card, per_terminal = parse_money(arguments.per_card), parse_money(arguments.per_terminal)
        limits = [Limit(digits, per_card, per_terminal, arguments.deposits) for digits in arguments.bin]
    except (MoneyError, OfflineError) as error:
        raise CommandError(str(error)) from error
    if per_card.currency.code != arguments.currency:
        raise CommandError(f"--currency {arguments.currency}, and the amounts are of {per_card.currency}")
    return limits


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
