"""Measure, each thing against a baseline in the same run: ``python -m tests.bench``. Exit status 0: every ratio with a
target meets it; 1: one does not, or could not be measured; 2: wrong usage.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench.errors import BenchError
from tests.bench.machine import this_machine
from tests.bench.plan import Bench, Plan
from tests.bench.registry import BENCHES
from tests.bench.report import as_json, notes, table
from tests.bench.rows import Row

_REPETITIONS = 5
_QUICK_REPETITIONS = 2
_QUICK = 0.15


def main(argv: Sequence[str] | None = None, benches: Sequence[Bench] = BENCHES) -> int:
    """The command."""
    names = [name for bench in benches for name in bench.names]
    arguments = _parser(names).parse_args(argv)
    unknown = [only for only in arguments.only if not any(f"{name}/".startswith(f"{only}/") for name in names)]
    if unknown:
        print(f"no such row: {', '.join(unknown)}; there are: {', '.join(names)}", file=sys.stderr)
        return 2
    machine = this_machine()
    rows: list[Row] = []
    failed: list[str] = []
    for bench in benches:
        try:
            rows += bench.run(_plan(arguments))
        except BenchError as error:
            failed.append(bench.names[0])
            print(f"{bench.names[0]}: not measured: {error}", file=sys.stderr)
    result = as_json(rows, machine, quick=arguments.quick)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(result + "\n", encoding="utf-8")
    if arguments.json:
        print(result)
    else:
        where = f"Python {machine.python}, {machine.cores} x {machine.cpu}, load {machine.load[0]:.2f}"
        _show(rows, failed, where, arguments.out)
    return 1 if failed or not all(row.met for row in rows) else 0


def _show(rows: Sequence[Row], failed: Sequence[str], where: str, out: Path) -> None:
    print(where)
    print(table(rows))
    print()
    print(notes(rows))
    missed = [row.measure.name for row in rows if not row.met]
    for what, names in (("missed", missed), ("not measured", failed)):
        if names:
            print(f"\n{what}: {', '.join(names)}")
    if not (missed or failed):
        print("\nevery target is met")
    print(f"all samples: {out}")


def _plan(arguments: argparse.Namespace) -> Plan:
    quick: bool = arguments.quick
    repetitions = arguments.repetitions or (_QUICK_REPETITIONS if quick else _REPETITIONS)
    return Plan(repetitions, arguments.scale or (_QUICK if quick else 1.0), tuple(arguments.only), _tell)


def _tell(words: str) -> None:
    print(f"... {words}", file=sys.stderr, flush=True)


def _parser(names: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, epilog=f"rows: {', '.join(names)}"
    )
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="a row, or a name's beginning")
    parser.add_argument("--quick", action="store_true", help="short and few: to see that it works, not for figures")
    parser.add_argument("--repetitions", type=int, metavar="N", help=f"turns of both sides ({_REPETITIONS})")
    parser.add_argument("--scale", type=float, metavar="X", help="how long each measurement is, of its usual (1.0)")
    parser.add_argument("--json", action="store_true", help="print what is written instead of the table")
    parser.add_argument("--out", type=Path, default=Path("out/bench.json"), help="where it is written (out/bench.json)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
