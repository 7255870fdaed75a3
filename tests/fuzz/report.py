"""What a run found, for people and as JSON."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict

from tests.fuzz.running import Result

_HEAD = ("decoder", "inputs", "seconds", "inputs/s", "edges", "features", "corpus", "findings")


def table(results: Sequence[Result]) -> str:
    """One line a decoder."""
    rows = [_HEAD, *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    )


def _row(result: Result) -> tuple[str, ...]:
    numbers = (result.edges, result.features, result.corpus, int(result.finding is not None))
    speed = (f"{result.inputs}", f"{result.seconds:.0f}", f"{result.rate:.0f}")
    return (result.name, *speed, *(str(number) for number in numbers))


def finding(result: Result) -> str:
    """The input, how to see it again, and what the engine said."""
    found = result.finding
    if found is None:
        return ""
    return f"\n{result.name}: {found.kind}\n{found.text}\ninput: {found.data.hex()}\nagain: {replay(result)}"


def replay(result: Result) -> str:
    """The command that shows a finding again."""
    data = result.finding.data.hex() if result.finding is not None else ""
    return shlex.join(["python", "-m", "tests.fuzz", *result.outside.words, "--decoder", result.name, "--input", data])


def as_json(results: Sequence[Result]) -> str:
    """All of it; inputs as hex."""
    return json.dumps([_plain(result) for result in results], indent=2)


def _plain(result: Result) -> dict[str, object]:
    found = result.finding
    plain = None if found is None else {**asdict(found), "data": found.data.hex(), "replay": replay(result)}
    return {**asdict(result), "rate": round(result.rate), "finding": plain}
