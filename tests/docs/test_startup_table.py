"""The start-up table on the journal's page is the code's."""

from __future__ import annotations

import pytest

from drivers.api.cash import Presence
from kiosk.terminal.recovery import LastRecord
from tests.docs.startup_table import BEGIN, END, PAGE, main, page_with_table, table


def test_the_page_has_the_table_that_the_code_decides(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err


def test_every_row_and_every_column_is_there() -> None:
    heading, _, *rows = table().splitlines()
    assert [cell.strip() for cell in heading.split("|")[2:-1]] == [presence.value for presence in Presence]
    assert [row.split("|")[1].strip(" `") for row in rows] == [last.value for last in LastRecord]
    assert all(len(row.split("|")) == len(Presence) + 3 and "|  |" not in row for row in rows)


def test_a_table_that_somebody_edited_is_seen() -> None:
    page = PAGE.read_text(encoding="utf-8")
    edited = page.replace("**returned**, go on", "**credited**, go on", 1)
    assert edited != page
    assert page_with_table(edited) == page


def test_a_page_without_the_marks_is_refused() -> None:
    for page in ("", BEGIN, END):
        with pytest.raises(ValueError, match="lost the marks"):
            page_with_table(page)
