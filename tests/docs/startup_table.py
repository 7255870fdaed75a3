"""The start-up table as the code decides it, for kiosk/journal/README.md.

``python -m tests.docs.startup_table`` writes it there; with ``--check`` it writes nothing and fails where it differs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from itertools import product
from pathlib import Path

from drivers.api.cash import Presence
from kiosk.terminal.recovery import Action, Count, Decision, EventOf, LastRecord, Outcome, Situation, decide

PAGE = Path(__file__).resolve().parents[2] / "kiosk" / "journal" / "README.md"
BEGIN = "<!-- start-up table: written by python -m tests.docs.startup_table -->"
END = "<!-- end of the start-up table -->"

_ACTIONS = {
    Action.PROCEED: "go on",
    Action.RETURN: "give back",
    Action.FINISH: "let it finish",
    Action.ACKNOWLEDGE: "acknowledge",
    Action.STOP: "stop",
    Action.ASK_AGAIN: "ask again",
}
_OUTCOMES = {
    Outcome.UNCHANGED: "",
    Outcome.UNDECIDED: "",
    Outcome.CREDITED: "**credited**",
    Outcome.RETURNED: "**returned**",
    Outcome.IN_DOUBT: "**in doubt**",
}
_COUNTS = {
    Count.UNKNOWN: "no counter",
    Count.SAME: "counter same",
    Count.ONE_MORE: "counter one more",
    Count.OTHER: "counter otherwise",
}
_EVENTS = {EventOf.OURS: "of its type", EventOf.ANOTHER: "of another", EventOf.UNTOLD: "of no type"}


def table() -> str:
    """The whole table in Markdown: a row for what the journal last says, a column for what the device answers."""
    heading = "| last record of the note | " + " | ".join(presence.value for presence in Presence) + " |"
    rule = "|---" * (len(Presence) + 1) + "|"
    rows = ["| " + " | ".join([f"`{last.value}`", *_cells(last)]) + " |" for last in LastRecord]
    return "\n".join([heading, rule, *rows])


def _cells(last: LastRecord) -> list[str]:
    return [_cell(last, presence) for presence in Presence]


def _cell(last: LastRecord, presence: Presence) -> str:
    """One text where nothing else matters; otherwise one for each case that makes a difference."""
    cases = {
        (event, count): decide(Situation(last, presence, event_of=event, count=count))
        for event, count in product(EventOf, Count)
    }
    if len(set(cases.values())) == 1:
        return _words(cases[EventOf.OURS, Count.UNKNOWN])
    if all(cases[event, count] == cases[event, Count.UNKNOWN] for event, count in cases):
        return _by_case({name: _words(cases[event, Count.UNKNOWN]) for event, name in _EVENTS.items()})
    if all(cases[event, count] == cases[EventOf.OURS, count] for event, count in cases):
        return _by_case({name: _words(cases[EventOf.OURS, count]) for count, name in _COUNTS.items()})
    raise ValueError(
        f"{last.value}, {presence.value}: depends on event and counter at once; give the table words for it"
    )


def _by_case(words: Mapping[str, str]) -> str:
    """The cases with the same words together, in their order."""
    together: dict[str, list[str]] = {}
    for name, text in words.items():
        together.setdefault(text, []).append(name)
    return "; ".join(f"{' or '.join(names)}: {text}" for text, names in together.items())


def _words(decision: Decision) -> str:
    parts = [
        _OUTCOMES[decision.outcome],
        "that one **found**" if decision.found else "",
        _ACTIONS[decision.action],
        "incident" if decision.incident else "",
    ]
    return ", ".join(part for part in parts if part)


def page_with_table(page: str) -> str:
    """``page`` with the table between its marks. Raises ValueError where the marks are missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has lost the marks of the start-up table")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main(argv: list[str] | None = None) -> int:
    """Exit status 0: written, or equal; 1: the page's table is not the code's."""
    parser = argparse.ArgumentParser(prog="python -m tests.docs.startup_table", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the page differs")
    arguments = parser.parse_args(argv)
    now = PAGE.read_text(encoding="utf-8")
    wanted = page_with_table(now)
    if arguments.check:
        if now != wanted:
            print(f"{PAGE}: not the code's start-up table; run python -m tests.docs.startup_table", file=sys.stderr)
        return int(now != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
