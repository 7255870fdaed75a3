"""The machine's processes by their command lines, to see what was started and what was left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def commands_with(words: str) -> list[str]:
    """The command lines that contain ``words``, of processes that still run."""
    return [command for command in _commands() if words in command]


def _commands() -> Iterator[str]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue  # It has ended meanwhile.
        yield command.replace(b"\0", b" ").decode(errors="replace").strip()
