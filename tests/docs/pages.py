"""The project's Markdown pages, taken apart: fenced blocks, links, headings, what stands in backticks."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[a-z]*)$")
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#{1,6} (?P<text>.+)$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. ``line`` is that of its opening fence, from 1."""

    path: Path
    line: int
    language: str
    lines: tuple[str, ...]

    @property
    def place(self) -> str:
        """For a person: file and line."""
        return f"{self.path.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True, slots=True)
class Page:
    """A Markdown file. ``prose`` is what stands outside of fenced blocks."""

    path: Path
    prose: str
    blocks: tuple[Block, ...]

    @property
    def name(self) -> str:
        """Its path in the checkout."""
        return self.path.relative_to(ROOT).as_posix()

    def links(self) -> list[str]:
        """The targets of all links and pictures, in order."""
        return [match["target"] for match in _LINK.finditer(self.prose)]

    def quoted(self) -> list[str]:
        """Everything in backticks, in order."""
        return _CODE.findall(self.prose)

    def anchors(self) -> set[str]:
        """The headings as GitHub's anchors spell them."""
        headings = (match["text"] for line in self.prose.splitlines() if (match := _HEADING.match(line)))
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def read(path: Path) -> Page:
    """Take a page apart. Raises ValueError for a fence that is never closed."""
    prose: list[str] = []
    blocks: list[Block] = []
    open_at, language, body = 0, "", list[str]()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fence = _FENCE.match(line)
        if fence is None:
            (body if open_at else prose).append(line)
        elif open_at:
            blocks.append(Block(path, open_at, language, tuple(body)))
            open_at = 0
        else:
            open_at, language, body = number, fence["language"], []
    if open_at:
        raise ValueError(f"{path}:{open_at}: this block has no end")
    return Page(path, "\n".join(prose), tuple(blocks))


def pages() -> list[Page]:
    """Every Markdown file of the checkout that git knows or would add."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return [read(ROOT / name) for name in sorted(set(done.stdout.split("\0"))) if name and (ROOT / name).exists()]


def commands(page: Page) -> Iterator[tuple[str, str]]:
    """(place, command) of every command line in the page's ``sh`` and ``console`` blocks. In a ``console`` block only
    the lines after a ``$`` are commands; the others are what they print. Comments and empty lines are left out, and a
    line that ends in a backslash goes on in the next.
    """
    for block in page.blocks:
        if block.language not in ("sh", "console"):
            continue
        text = "\n".join(block.lines).replace("\\\n", " ")
        for line in text.splitlines():
            command = line.removeprefix("$ ") if block.language == "console" else line
            if block.language == "console" and not line.startswith("$ "):
                continue
            command = command.partition("  # ")[0].strip()
            if command and not command.startswith("#"):
                yield block.place, command
