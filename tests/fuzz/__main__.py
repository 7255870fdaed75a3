"""Feeds the decoders of all device protocols with what no device would send: ``python -m tests.fuzz``.

Coverage guides the inputs (atheris, which is libFuzzer). No input may raise anything but the codec's own error, go on
without end, or take memory without limit; and each harness holds more than that of its decoder. A corpus is kept, so
that a later run begins where this one ended. The exit status is 1 where anything was found.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.fuzz import engine, report
from tests.fuzz.catalogue import add_outside, decoder, decoders, outside_of
from tests.fuzz.decoder import Decoder
from tests.fuzz.limits import limit_memory, within
from tests.fuzz.running import HarnessError, Result, Run, fuzz

_RUNS = 10_000_000
_REPLAY_SECONDS = 60


def main() -> int:
    """The command."""
    arguments = _parser().parse_args()
    try:
        outside = outside_of(arguments)
        names: list[str] = arguments.decoder
        chosen = [decoder(name, outside) for name in names] if names else list(decoders(outside))
    except LookupError as error:
        print(error.args[0], file=sys.stderr)
        return 2
    if arguments.list:
        print("\n".join(each.name for each in chosen))
        return 0
    if arguments.input is not None:
        return _replay(chosen, arguments.input)
    if engine.load() is None:
        print("atheris is not installed here; --input works without it, and so do the tests", file=sys.stderr)
        return 2
    run = Run(arguments.runs, arguments.seed, arguments.corpus.resolve(), arguments.timeout, outside)
    try:
        results = _run_all(chosen, run, arguments.jobs)
    except KeyboardInterrupt:
        print(f"interrupted; the corpus is in {arguments.corpus}", file=sys.stderr)
        return 130
    except HarnessError as error:
        print(error, file=sys.stderr)
        return 2
    print(report.as_json(results) if arguments.json else report.table(results))
    for result in results:
        if result.finding is not None:
            print(report.finding(result), file=sys.stderr)
    return int(any(result.finding is not None for result in results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_outside(parser)
    parser.add_argument(
        "--decoder", action="append", default=[], metavar="NAME", help="only this one; may be given again"
    )
    parser.add_argument("--runs", type=int, default=_RUNS, help=f"inputs a decoder ({_RUNS})")
    parser.add_argument("--seed", type=int, default=1, help="of the inputs (1)")
    parser.add_argument("--jobs", type=int, default=1, help="decoders at a time (1)")
    parser.add_argument("--timeout", type=int, default=10, help="seconds that one input may take (10)")
    parser.add_argument("--corpus", type=Path, default=Path("out/fuzz"), help="where inputs are kept (out/fuzz)")
    parser.add_argument("--input", type=bytes.fromhex, metavar="HEX", help="feed this one input and show what happens")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.add_argument("--list", action="store_true", help="the decoders' names")
    return parser


def _run_all(chosen: list[Decoder], run: Run, jobs: int) -> list[Result]:
    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        return list(pool.map(partial(fuzz, run=run, tell=tell), chosen))


def _replay(chosen: list[Decoder], data: bytes) -> int:
    limit_memory()
    status = 0
    for each in chosen:
        try:
            with within(_REPLAY_SECONDS):
                each.feed(data)
        except Exception:
            traceback.print_exc()
            status = 1
        else:
            print(f"{each.name}: nothing")
    return status


if __name__ == "__main__":
    sys.exit(main())
