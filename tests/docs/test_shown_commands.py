"""Commands that a page only shows, because they install, restore or stop something, are at least understood."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.cli import command_line as host_line
from kiosk.cli import command_line as kiosk_line
from tests.docs.pages import pages

_OURS = ("guichet-host", "guichet-kiosk")


def shown() -> Iterator[tuple[str, list[str]]]:
    """Place and words of every command of ours in a block of text, without who it is run as and what comes after it."""
    for page in pages():
        for block in page.blocks:
            if block.language != "text":
                continue
            for number, line in enumerate(block.lines, start=block.line + 1):
                words = line.partition("#")[0].split()
                if words[:1] == ["runuser"]:
                    words = words[words.index("--") + 1 :]
                if words and Path(words[0]).name in _OURS:
                    yield f"{page.name}:{number}", [Path(words[0]).name, *shlex.split(" ".join(words[1:]))]


SHOWN = list(shown())


@pytest.mark.parametrize("words", [words for _, words in SHOWN], ids=[place for place, _ in SHOWN])
def test_a_command_that_is_only_shown_is_understood(words: list[str]) -> None:
    parser = host_line() if words[0] == "guichet-host" else kiosk_line().parser
    parser.parse_args(words[1:])


def test_the_pages_show_some_of_both() -> None:
    assert {words[0] for _, words in SHOWN} == set(_OURS)
    assert len(SHOWN) > 8


@pytest.mark.parametrize("line", ["journal restroe --config x", "enrol --tickt x --data y"])
def test_one_that_is_not_understood_is_seen(line: str) -> None:
    with pytest.raises(SystemExit):
        kiosk_line().parser.parse_args(line.split())
