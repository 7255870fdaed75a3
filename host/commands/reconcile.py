"""``guichet-host reconcile``: the books beside the terminals' journals and the counts of their boxes. Exit status 1
where they differ.
"""

from __future__ import annotations

import argparse

from guichet.ids import short
from guichet.money import Currency, Money
from host.commands.common import Json, add_data_arguments, config_of, print_json, print_table, reading
from host.ledger.reconcile import Counts, Line, reconcile

_HEADINGS = (
    "TERMINAL", "BOX PERIOD", "NOTE", "CREDITED", "FOUND", "WITHHELD", "IN DOUBT", "IN BOX", "JOURNAL SAYS", "COUNTED",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    add_data_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the piles as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print a line a pile."""
    with reading(config_of(arguments)) as connection:
        lines = reconcile(connection)
    agrees = all(line.agrees for line in lines)
    if arguments.json:
        print_json({"agrees": agrees, "piles": [_json(line) for line in lines]})
    else:
        print_table(_HEADINGS, [_row(line) for line in lines], "no note has been taken yet")
    return 0 if agrees else 1


def _row(line: Line) -> tuple[str, ...]:
    pile, counts = line.pile, line.host
    within = str(counts.certain) if not counts.in_doubt else f"{counts.certain} to {counts.possible}"
    value = str(Money(pile.minor, Currency(pile.currency)))
    numbers = (str(counts.credited), str(counts.found), str(counts.withheld), str(counts.in_doubt))
    said = "the same" if line.agrees else _said(line.journal)
    counted = "" if line.counted is None else f"{line.counted}{'' if line.fits else ' (differs)'}"
    return (pile.terminal_id, short(pile.box_period_id), value, *numbers, within, said, counted)


def _said(counts: Counts) -> str:
    return f"{counts.credited}, {counts.found}, {counts.withheld}, {counts.in_doubt}"


def _json(line: Line) -> Json:
    pile = line.pile
    return {
        "terminal_id": pile.terminal_id,
        "box_period_id": pile.box_period_id,
        "currency": pile.currency,
        "value_minor": pile.minor,
        "host": _counts_json(line.host),
        "journal": _counts_json(line.journal),
        "counted": line.counted,
        "agrees": line.agrees,
    }


def _counts_json(counts: Counts) -> Json:
    return {
        "credited": counts.credited,
        "found": counts.found,
        "withheld": counts.withheld,
        "in_doubt": counts.in_doubt,
    }
