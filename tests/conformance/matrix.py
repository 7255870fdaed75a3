"""What each driver does with what happens to it, computed and written into drivers/README.md.

``python -m tests.conformance.matrix`` writes the table; with ``--check`` it writes nothing and fails where it differs;
with ``--stdout``, and always for a ``--subject`` of somebody else's, it prints it and leaves the page as it is.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import TypeVar

from drivers.api.cash import Presence
from kiosk.terminal.recovery import LastRecord
from tests.conformance import choice
from tests.conformance.results import cell, scripted
from tests.conformance.rows import IN_DOUBT, POWER_CUTS, UNDECIDED, Row, Then
from tests.conformance.subject import SUBJECTS, Subject
from tests.conformance.test_faults import CERTAIN, LEAVES_A_DOUBT
from tests.start_up_table import CELLS

T = TypeVar("T")
K = TypeVar("K", bound=Enum)

PAGE = Path(__file__).resolve().parents[2] / "drivers" / "README.md"
BEGIN = "<!-- conformance matrix: written by python -m tests.conformance.matrix -->"
END = "<!-- end of the conformance matrix -->"

THEN = tuple(Then)
_CUTS = frozenset(POWER_CUTS)
_NOTE_ROWS = tuple(row for row in Row if row is not Row.NO_NOTE)
_KNOWN_ROWS = tuple(row for row in _NOTE_ROWS if row not in IN_DOUBT)


def matrix(subjects: Sequence[Subject]) -> str:
    """The whole matrix in Markdown: a row for what happens, a column for each of ``subjects``."""
    return "\n".join(_lines(subjects))


def _lines(subjects: Sequence[Subject]) -> Iterator[str]:
    yield "| the terminal dies with a note at each of ten moments, and then ... | " + _heads(subjects)
    yield "|---" * (len(subjects) + 1) + "|"
    for then in THEN:
        yield _line(then.value, [_after(subject, then) for subject in subjects])
    yield _line(f"cells of the start-up table reached, of {len(CELLS)}", [_reached(subject) for subject in subjects])
    yield ""
    yield "| in mid-deposit, as a fault script says it | " + _heads(subjects)
    yield "|---" * (len(subjects) + 1) + "|"
    for script in (*CERTAIN, *LEAVES_A_DOUBT):
        name = script.replace("\n", "` and `")
        yield _line(f"`{name}`", [_under(subject, script) for subject in subjects])


def cells(subjects: Sequence[Subject]) -> str:
    """Every cell of the first part by itself: a row for what happens and how far the record had come, a column for each
    of ``subjects``, and how many of them are left in doubt.
    """
    return "\n".join(_cell_lines(subjects))


def _cell_lines(subjects: Sequence[Subject]) -> Iterator[str]:
    yield "| the terminal dies, and then ... | with the note at | " + _heads(subjects) + " in doubt |"
    yield "|---" * (len(subjects) + 3) + "|"
    for then in THEN:
        for row in _NOTE_ROWS:
            having = [subject for subject in subjects if subject.has(row)]
            words = {subject.name: cell(subject, row, then).word() for subject in having}
            doubts = sum(word.startswith("in doubt") for word in words.values())
            told = [words.get(subject.name, "-") for subject in subjects]
            yield _line(then.value, [row.value, *told, f"{doubts} of {len(having)}"])


def reasons(subjects: Sequence[Subject]) -> str:
    """Why anything is left in doubt, or hidden, or never reached: a row for a reason, and whose it is."""
    return "\n".join(_reason_lines(subjects))


def _reason_lines(subjects: Sequence[Subject]) -> Iterator[str]:
    yield "| not known, because ... | after ... | with the note at | with |"
    yield "|---|---|---|---|"
    for reason in _once(reason for subject in subjects for reason in subject.reasons):
        whose = [subject.name for subject in subjects if reason in subject.reasons]
        then = _in_order(Then, reason.then, (_CUTS, "its power is cut"))
        rows = _in_order(Row, reason.rows, (UNDECIDED, "anything that is not decided"))
        yield _line(reason.why, [then, rows, _all_or(whose, subjects)])
    yield ""
    yield "| not reached, because ... | on record | the device | by |"
    yield "|---|---|---|---|"
    for never in _once(never for subject in subjects for never in subject.never):
        whose = [subject.name for subject in subjects if never in subject.never]
        rows, columns = _in_order(LastRecord, never.rows), _in_order(Presence, never.columns)
        yield _line(never.why, [rows, columns, _all_or(whose, subjects)])


def _once(things: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(things))


def _in_order(kind: type[K], some: frozenset[K], *together: tuple[frozenset[K], str]) -> str:
    words: list[str] = []
    for group, word in together:
        if group <= some:
            words.append(word)
            some -= group
    return "; ".join([*words, *(str(one.value) for one in kind if one in some)])


def _all_or(whose: Sequence[str], subjects: Sequence[Subject]) -> str:
    return "all" if len(whose) == len(subjects) else "; ".join(whose)


def _heads(subjects: Sequence[Subject]) -> str:
    return " | ".join(subject.name for subject in subjects) + " |"


def _line(name: str, cells: list[str]) -> str:
    return "| " + " | ".join([name, *cells]) + " |"


def _after(subject: Subject, then: Then) -> str:
    """How many of the rows ended how."""
    words = Counter(cell(subject, row, then).word() for row in _KNOWN_ROWS if subject.has(row))
    return ", ".join(f"{count} {word}" for word, count in sorted(words.items(), key=_order))


def _reached(subject: Subject) -> str:
    results = [cell(subject, row, then) for row in Row if subject.has(row) for then in THEN]
    return str(len(frozenset[str]().union(*(result.reached for result in results))))


def _order(item: tuple[str, int]) -> tuple[int, str]:
    words = ("credited", "returned", "in doubt, then credited", "in doubt, then returned", "in doubt", "found")
    return (words.index(item[0]) if item[0] in words else len(words)), item[0]


def _under(subject: Subject, script: str) -> str:
    if not subject.applies(script):
        return "-"
    tally = scripted(subject, script)
    parts = [f"{tally.credited} credited"]
    parts += [f"{tally.in_doubt} in doubt"] if tally.in_doubt else []
    parts += [f"{tally.found} found"] if tally.found else []
    return ", ".join(parts)


def page_with_matrix(page: str) -> str:
    """``page`` with the matrix of our drivers between its marks. Raises ValueError where the marks are missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE}: the marks of the matrix are missing")
    why = _folded("Why anything is not known, and which cells are never reached", reasons(SUBJECTS))
    each = _folded("Every cell by itself, and the rate of doubt", cells(SUBJECTS))
    return f"{before}{BEGIN}\n\n{matrix(SUBJECTS)}\n\n{why}\n\n{each}\n\n{END}{after}"


def _folded(title: str, table: str) -> str:
    return f"<details>\n<summary>{title}</summary>\n\n{table}\n\n</details>"


def main(argv: Sequence[str] | None = None) -> int:
    """The command. 0: written, printed or up to date; 1: not up to date; 2: no such subject."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.matrix", description=__doc__)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="fail where the page is not up to date")
    how.add_argument("--stdout", action="store_true", help="print the matrix; the page stays as it is")
    choice.add_arguments(parser)
    arguments = parser.parse_args(argv)
    if arguments.subject and arguments.check:
        parser.error("--check looks at the page, which has our own drivers only: not with --subject")
    if arguments.subject or arguments.stdout:
        return _print(arguments.subject)
    page = PAGE.read_text(encoding="utf-8")
    fresh = page_with_matrix(page)
    if arguments.check:
        return int(fresh != page)
    PAGE.write_text(fresh, encoding="utf-8")
    return 0


def _print(places: Sequence[str]) -> int:
    try:
        chosen = choice.chosen(places)
        print(f"{matrix(chosen)}\n\n{reasons(chosen)}\n\n{cells(chosen)}")
    except choice.NoSuchSubjectError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
