"""Puts the changes of this folder together; with --release NUMBER it moves them into CHANGELOG.md."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
KINDS = ("added", "changed", "fixed", "removed", "security")
MARK = "There has been no release yet.\n"


def fragments(folder: Path) -> dict[str, list[Path]]:
    """The files by kind, each sorted. Raises ValueError for a name of another form, or a file without text."""
    found: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    for path in sorted(folder.glob("*.md")):
        if path.name == "README.md":
            continue
        match = re.fullmatch(r"[a-z0-9-]+\.([a-z]+)\.md", path.name)
        if match is None or match[1] not in KINDS or not path.read_text(encoding="utf-8").strip():
            raise ValueError(f"{path.name}: expected TOPIC.KIND.md with a text, KIND one of {', '.join(KINDS)}")
        found[match[1]].append(path)
    return found


def section(folder: Path, number: str) -> str:
    """The section of one release in Markdown."""
    parts = [f"## {number}\n"]
    for kind, paths in fragments(folder).items():
        if paths:
            items = (" ".join(path.read_text(encoding="utf-8").split()) for path in paths)
            parts.append(f"### {kind.capitalize()}\n\n" + "\n".join(f"* {item}" for item in items) + "\n")
    return "\n".join(parts)


def release(folder: Path, changelog: Path, number: str) -> None:
    """Write the section before the older ones, and remove the files that it was made of."""
    text = changelog.read_text(encoding="utf-8").replace(MARK, "")
    head, rule, older = text.partition("\n## ")
    changelog.write_text(f"{head.rstrip()}\n\n{section(folder, number).rstrip()}\n{rule}{older}", encoding="utf-8")
    for paths in fragments(folder).values():
        for path in paths:
            path.unlink()


def main(argv: list[str] | None = None) -> int:
    """Exit status 0: done; 1: a file here has no form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", metavar="NUMBER", help="move the changes into CHANGELOG.md under this number")
    arguments = parser.parse_args(argv)
    try:
        if arguments.release:
            release(HERE, HERE.parent / "CHANGELOG.md", arguments.release)
        else:
            print(section(HERE, "not released"))
    except ValueError as error:
        print(f"compose: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
