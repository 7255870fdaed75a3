"""A run's result, for people and for programs. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from tests.bench.machine import Machine
from tests.bench.rows import Better, Row

_HEADINGS = ("what", "ours", "baseline", "unit", "ratio", "spread", "target", "")


def table(rows: Sequence[Row]) -> str:
    """Aligned, for a screen of 120 columns. What is measured, against what, and what limits it stand below it."""
    cells = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADINGS))]
    return "\n".join(_line(line, widths) for line in cells)


def notes(rows: Sequence[Row]) -> str:
    """What the table's figures are, once for each kind."""
    said: dict[str, str] = {}
    for row in rows:
        measure = row.measure
        kind = measure.name if measure.name.startswith("fifty") else measure.name.partition("/")[0]
        said.setdefault(kind, f"{kind}: {measure.what}; baseline: {measure.baseline}; limited by: {measure.limit}")
    return "\n".join(said.values())


def _cells(row: Row) -> tuple[str, ...]:
    measure = row.measure
    low, high = row.spread
    target = "" if measure.target is None else f"{'<=' if measure.better is Better.LESS else '>='} {measure.target:g}"
    verdict = "" if measure.target is None else ("met" if row.met else "MISSED")
    also = ", ".join(f"{name} {_number(value)}" for name, value in row.also)
    return (
        measure.name,
        _number(row.value),
        _number(row.baseline),
        measure.unit,
        _short(row.ratio),
        f"{_short(low)}-{_short(high)}",
        target,
        "; ".join(filter(None, (verdict, also))),
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = [
        cell.rjust(width) if 0 < column < 6 and column != 3 else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(aligned).rstrip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _short(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"


def as_json(rows: Sequence[Row], machine: Machine, *, quick: bool) -> str:
    """Everything, all samples included."""
    return json.dumps({"machine": asdict(machine), "quick": quick, "rows": [_row(row) for row in rows]}, indent=1)


def _row(row: Row) -> dict[str, object]:
    measure = row.measure
    return {
        "name": measure.name,
        "what": measure.what,
        "unit": measure.unit,
        "better": measure.better.value,
        "baseline_is": measure.baseline,
        "limit": measure.limit,
        "value": row.value,
        "baseline": row.baseline,
        "ratio": row.ratio,
        "spread": row.spread,
        "target": measure.target,
        "met": row.met,
        "also": dict(row.also),
        "samples": [asdict(pair) for pair in row.pairs],
    }
