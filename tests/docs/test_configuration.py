"""The page of the terminal's configuration names every key that there is, and what holds without it."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

from kiosk.terminal.config import KEYS, Timings

PAGE = Path(__file__).parents[2] / "kiosk" / "README.md"


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose first column is ``heading``."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(f"| {heading} |")
    table, _, _ = rest.partition("\n\n")
    return [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]


def test_every_key_of_the_configuration_is_on_its_page() -> None:
    named = [re.sub(r"[\[\]]|\..*", "", row[0]) for row in rows("key")]
    assert sorted(named) == sorted(KEYS)


def test_every_time_is_on_its_page_with_what_holds_without_it() -> None:
    named = {row[0]: float(row[1]) for row in rows("`[timings]`, seconds")}
    assert named == asdict(Timings())
    assert all(row[2] for row in rows("`[timings]`, seconds"))
