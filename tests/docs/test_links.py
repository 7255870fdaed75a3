"""Whatever a page points to is there."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Page, pages, read

PAGES = pages()
PLACES = ("proto/", "drivers/", "kiosk/", "host/", "images/", "udev/", "tests/", "requirements/", ".changes/", ".ci/")
TEST_NAME = re.compile(r"test_[a-z0-9_]+")


@cache
def every_test() -> frozenset[str]:
    """The names of all test functions of the checkout."""
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        found |= set(re.findall(r"^\s*(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    return frozenset(found)


def broken_links(page: Page) -> list[str]:
    """The page's own links that lead nowhere."""
    return [target for target in page.links() if "://" not in target and not leads_somewhere(page, target)]


def leads_somewhere(page: Page, target: str) -> bool:
    """Whether a relative link has a file, and the file the heading."""
    name, _, anchor = target.partition("#")
    path = (page.path.parent / name).resolve() if name else page.path
    if not path.exists() or not path.is_relative_to(ROOT):
        return False
    return not anchor or (path.suffix == ".md" and anchor in read(path).anchors())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Page) -> None:
    assert broken_links(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_in_backticks_exists(page: Page) -> None:
    named = [text.rstrip("/") for text in page.quoted() if text.startswith(PLACES) and re.fullmatch(r"[\w./-]+", text)]
    assert [text for text in named if not (ROOT / text).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_is_named_exists(page: Page) -> None:
    named = {text for text in page.quoted() if TEST_NAME.fullmatch(text)}
    assert sorted(named - every_test()) == []


def test_a_link_into_nothing_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n[a](gone.md) [b](#title) [c](#titel) [d](https://example.com)\n", encoding="utf-8")
    assert broken_links(Page(ROOT / "page.md", read(page).prose, ())) == ["gone.md", "#title", "#titel"]


def test_a_heading_is_found_by_its_anchor(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# What is *not* there, yet?\ntext\n```sh\n# no heading\n```\n", encoding="utf-8")
    assert read(page).anchors() == {"what-is-not-there-yet"}
