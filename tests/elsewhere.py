"""A distribution of somebody else, as pip leaves it: what it brings is found by its entry points."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def installed(place: Path, name: str, entry_points: Mapping[str, Mapping[str, str]]) -> None:
    """Install ``name`` into ``place``, a directory of sys.path. ``entry_points``: name to object, by group."""
    info = place / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    lines: list[str] = []
    for group, points in entry_points.items():
        lines += [f"[{group}]", *(f"{point} = {value}" for point, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
