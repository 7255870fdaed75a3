"""``guichet-host operator count`` and ``operator periods``: the cash boxes and their counts."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from typing import cast

from sqlalchemy import Connection

from guichet.ids import IdError, check_terminal_id, short
from guichet.money import Money, MoneyError, parse_money
from host.assembly import Seams, system_seams
from host.bankdays import Calendar, in_words
from host.claims.box import Line, Verdict
from host.claims.counting import Counted, CountError, CountPlan, enter_count, plan_count
from host.claims.numbers import claim_number
from host.claims.views import PeriodView, list_periods
from host.commands.common import (
    CommandError,
    Json,
    Questions,
    add_question,
    config_of,
    keep_command,
    print_json,
    print_table,
    reading,
    writing,
)
from host.config import HostConfig
from host.ledger.kinds import Booking
from host.ledger.resolving import Resolved, Resolver
from host.pki.keys import open_keys

_LINE_HEADINGS = ("NOTE", "COUNTED", "CREDITED", "FOUND", "WITHHELD", "IN DOUBT", "RESULT")
_PERIOD_HEADINGS = ("TERMINAL", "BOX PERIOD", "OPENED", "ENDED", "COUNT", *_LINE_HEADINGS)
_GOOD = (Verdict.EXACT, Verdict.COVERED)


def add_questions(questions: Questions) -> None:
    """The two commands."""
    periods = add_question(questions, "periods", "box periods: which have ended, which are counted", ask_periods)
    periods.add_argument("--terminal", metavar="ID", help="only this terminal's")
    count = add_question(questions, "count", "enter the count of a box whose period has ended", enter)
    count.description = (
        "Enter the count of a box whose period has ended. Claims in doubt are credited where what is over covers all "
        "of a denomination. Exit status: 0 the box agrees with the books; 1 it does not, or the count was refused."
    )
    count.add_argument("--terminal", required=True, metavar="ID")
    count.add_argument("--period", required=True, metavar="ID", help="the box period, or the last eight of its id")
    what = count.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--pieces", action=_Pieces, default={}, metavar='"20 EUR=13"',
        help="how many of a denomination; again for the next. What is not named was not there",
    )  # fmt: skip
    what.add_argument("--empty", action="store_true", help="there was nothing in the box")
    count.add_argument("--by", required=True, metavar="NAME", help="who counted")
    count.add_argument("--witness", default="", metavar="NAME", help="who saw it")
    count.add_argument("--dry-run", action="store_true", help="show what it would do and keep nothing")


class _Pieces(argparse.Action):
    """Gathers ``"20 EUR=13"`` into pieces by value; the same denomination twice is wrong usage."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        """Take one more."""
        value, pieces = _pieces(str(values), self)
        gathered = cast("dict[Money, int]", dict(getattr(namespace, self.dest)))
        if value in gathered:
            raise argparse.ArgumentError(self, f"{value} is named twice")
        setattr(namespace, self.dest, gathered | {value: pieces})


def _pieces(text: str, action: argparse.Action) -> tuple[Money, int]:
    form = re.fullmatch(r"([^=]+)=\s*([0-9]{1,9})\s*", text, re.ASCII)
    if form is None:
        raise argparse.ArgumentError(action, f'{text!r} has not the form "20 EUR=13"')
    try:
        return parse_money(form[1]), int(form[2])
    except MoneyError as error:
        raise argparse.ArgumentError(action, str(error)) from error


def enter(arguments: argparse.Namespace) -> int:
    """Enter a count, or show what it would do."""
    config, seams = config_of(arguments), system_seams()
    pieces: Mapping[Money, int] = arguments.pieces
    resolved: tuple[Resolved, ...] = ()
    try:
        counted = Counted(
            check_terminal_id(arguments.terminal), arguments.period, pieces, arguments.by, arguments.witness
        )
        if arguments.dry_run:
            with reading(config) as connection:
                made = plan_count(connection, counted, seams.clock.wall_us())
        else:
            made, resolved = writing(config, lambda connection: _enter(connection, counted, config, seams))
    except (IdError, CountError) as error:
        raise CommandError(str(error)) from error
    if arguments.json:
        print_json(_count_json(made, dry_run=arguments.dry_run))
    else:
        _show(made, resolved, dry_run=arguments.dry_run)
    return 0 if _agrees(made) else 1


def _enter(
    connection: Connection, counted: Counted, config: HostConfig, seams: Seams
) -> tuple[CountPlan, tuple[Resolved, ...]]:
    now_us = seams.clock.wall_us()
    signer = open_keys(config.keys, seams.random).signer
    resolver = Resolver(signer, seams.ids, Calendar(seams.clock, config.zone))
    made, resolved = enter_count(connection, counted, signer, resolver, now_us)
    action = f"enter box count {made.count.number}" if made.fresh else f"repeat box count {made.count.number}"
    keep_command(connection, action, f"{counted.terminal_id}/{made.count.box_period_id}", now_us)
    return made, resolved


def _agrees(made: CountPlan) -> bool:
    return all(line.verdict in _GOOD for line in made.lines)


def _show(made: CountPlan, resolved: Sequence[Resolved], *, dry_run: bool) -> None:
    count = made.count
    state = "would be kept" if dry_run and made.fresh else "kept" if made.fresh else "known already"
    replaces = f"; it replaces count {count.number - 1}, which is kept too" if made.fresh and count.number > 1 else ""
    print(f"{count.terminal_id}, box period {short(count.box_period_id)}: count {count.number} {state}{replaces}")
    print_table(_LINE_HEADINGS, [_line_row(line) for line in made.lines], "nothing was counted, and nothing is booked")
    bookings = {one.resolution.key: one.settled.booking for one in resolved}
    for credit in made.credits:
        key = credit.key
        said = "would be credited" if dry_run else "is credited"
        if bookings.get(key) is Booking.SUSPENSE:
            said = "is in the box, and its account takes no deposits: in suspense, the claim stays open"
        print(f"claim {claim_number(key.terminal_id, key.deposit_id, key.note_id)}: {credit.value} {said}")
    if not _agrees(made):
        print("a person must look; see: guichet-host operator incidents")


def _line_row(line: Line) -> tuple[str, ...]:
    notes = (line.credited, line.found, line.withheld, line.in_doubt)
    return (str(line.value), str(line.pieces), *(str(count) for count in notes), _result(line))


def _result(line: Line) -> str:
    match line.verdict:
        case Verdict.SHORT:
            return f"{-line.over} short"
        case Verdict.OVER:
            return f"{line.over} over"
        case Verdict.NOT_ALL:
            return f"{line.over} over, {line.verdict.value}"
        case Verdict.PERSONS if line.obstacle is not None:
            return f"{line.verdict.value}: {line.obstacle.value}"
        case _:
            return line.verdict.value


def _count_json(made: CountPlan, *, dry_run: bool) -> Json:
    count = made.count
    return {
        "terminal_id": count.terminal_id,
        "box_period_id": count.box_period_id,
        "count_number": count.number,
        "known_already": not made.fresh,
        "dry_run": dry_run,
        "counted_by": count.counted_by,
        "witness": count.witness,
        "counted_at_us": count.counted_at_us,
        "agrees": _agrees(made),
        "denominations": [line_json(line) for line in made.lines],
        "credited": [
            {
                "claim_number": claim_number(credit.key.terminal_id, credit.key.deposit_id, credit.key.note_id),
                "deposit_id": credit.key.deposit_id,
                "note_id": credit.key.note_id,
                "currency": credit.value.currency.code,
                "value_minor": credit.value.minor,
                "box_period_id": credit.box_period_id,
            }
            for credit in made.credits
        ],
    }


def line_json(line: Line) -> Mapping[str, Json]:
    """A denomination of a count."""
    return {
        "currency": line.value.currency.code,
        "value_minor": line.value.minor,
        "pieces": line.pieces,
        "credited": line.credited,
        "found": line.found,
        "withheld": line.withheld,
        "in_doubt": line.in_doubt,
        "unsettled": line.unsettled,
        "over": line.over,
        "result": line.verdict.value,
        "obstacle": None if line.obstacle is None else line.obstacle.value,
    }


# --- periods ----------------------------------------------------------------------------------------------------------


def ask_periods(arguments: argparse.Namespace) -> int:
    """List box periods with what the books have in each."""
    config = config_of(arguments)
    with reading(config) as connection:
        found = list_periods(connection, arguments.terminal)
    if arguments.json:
        print_json([_period_json(view) for view in found])
        return 0
    rows = [row for view in found for row in _period_rows(view, config.zone)]
    print_table(_PERIOD_HEADINGS, rows, "no journal has told of a cash box yet")
    return 0


def _period_rows(view: PeriodView, zone: str) -> list[tuple[str, ...]]:
    period = view.period
    ended = "in place" if period.ended_at_us is None else in_words(period.ended_at_us, zone)
    if period.ended_at_us is not None and not period.exchanged:
        ended += ", no exchange"
    head = (view.terminal_id, short(period.box_period_id), in_words(period.opened_at_us, zone), ended, _counted(view))
    rows: list[tuple[str, ...]] = []
    for line in view.lines:
        note, pieces, *books, result = _line_row(line)
        seen = (pieces, result) if view.count is not None else ("", "")
        rows.append((*head, note, seen[0], *books, seen[1]))
        head = ("",) * len(head)
    return rows or [(*head, *("",) * len(_LINE_HEADINGS))]


def _counted(view: PeriodView) -> str:
    if view.count is None:
        return "" if view.period.ended_at_us is None else "due"
    return f"{view.count.number}, {view.count.counted_by}"


def _period_json(view: PeriodView) -> Json:
    period, count = view.period, view.count
    return {
        "terminal_id": view.terminal_id,
        "box_period_id": period.box_period_id,
        "device_serial": period.device_serial,
        "opened_at_us": period.opened_at_us,
        "ended_at_us": period.ended_at_us,
        "exchanged": period.exchanged if period.ended_at_us is not None else None,
        "count_number": None if count is None else count.number,
        "counted_at_us": None if count is None else count.counted_at_us,
        "counted_by": None if count is None else count.counted_by,
        "denominations": [
            line_json(line) if count is not None else {**line_json(line), "pieces": None, "over": None, "result": None}
            for line in view.lines
        ],
    }
