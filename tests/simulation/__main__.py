"""``make simulate``: worlds from seeds. A failure prints its seed, the least that still fails, and how to see it again.

Exit status: 0, every world added up, or every sabotage was caught; 1, one did not, or was not; 2, the words make no
sense. With one sabotage by its name: 1 where it was caught. Make itself ends with 2 for each of them but 0.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from tests.simulation import campaign, sabotage
from tests.simulation.campaign import Tally
from tests.simulation.plan import Plan
from tests.simulation.shrink import shrunken
from tests.simulation.world import Outcome, Stage, plan_for

_COMMAND = ".venv/bin/python -m tests.simulation"


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    arguments = _parser().parse_args(argv)
    try:
        return _do(arguments)
    except (sabotage.NoSuchSabotage, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_COMMAND, description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many worlds (100)")
    parser.add_argument("--start", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--workers", type=int, default=campaign.cores(), help="processes (one a core)")
    parser.add_argument("--failures", type=int, default=1, help="go on until so many have failed (1)")
    parser.add_argument(
        "--sabotage", metavar="NAME", help="with this break in the product; list: their names; all: every one"
    )
    parser.add_argument("--visits", metavar="PLACES", help="one seed with these visits only, such as 0,3; none")
    parser.add_argument("--mishaps", metavar="PLACES", help="one seed with these mishaps only")
    parser.add_argument("--trace", action="store_true", help="one seed, and everything that happens in it")
    parser.add_argument("--no-shrink", action="store_true", help="do not look for the least that fails")
    parser.add_argument("--json", action="store_true", help="print what it came to as JSON")
    parser.add_argument("--broken-by", metavar="NAME", help=argparse.SUPPRESS)  # Told to the copy that has it.
    return parser


def _do(arguments: argparse.Namespace) -> int:
    if arguments.sabotage == "list":
        print("\n".join(f"{one.name:40} {one.what}" for one in sabotage.all_of_them()))
        return 0
    if min(arguments.seeds, arguments.start, arguments.workers, arguments.failures) < 1:
        raise ValueError("--seeds, --start, --workers and --failures are at least 1")
    if arguments.sabotage == "all":
        return sabotage.hunt_all(arguments.start, arguments.seeds, arguments.workers)
    if arguments.sabotage is not None:
        return _sabotaged(arguments)
    if arguments.trace or arguments.visits is not None or arguments.mishaps is not None:
        return _one(arguments)
    seeds = range(arguments.start, arguments.start + arguments.seeds)
    tally = campaign.run(seeds, arguments.workers, stop_at=arguments.failures, show=_show)
    _print(tally, as_json=arguments.json)
    status = 1 if tally.failed or tally.is_narrow else 0
    if arguments.json:
        return status
    for seed, wrong in sorted(tally.failed.items()):
        print(f"\nseed {seed}: {_as_told(wrong)}")
    if tally.failed and not arguments.no_shrink:
        _smallest(min(tally.failed), arguments.broken_by)
    if not arguments.broken_by:
        print(f"\n{_verdict(tally)}")
    return status


def _sabotaged(arguments: argparse.Namespace) -> int:
    """The same words, for a copy that is broken."""
    name: str = arguments.sabotage
    words = [f"--{word}={getattr(arguments, word)}" for word in ("seeds", "start", "workers", "failures")]
    words += [f"--{word}={told}" for word in ("visits", "mishaps") if (told := getattr(arguments, word)) is not None]
    words += [f"--{word}" for word in ("trace", "no-shrink", "json") if getattr(arguments, word.replace("-", "_"))]
    status = sabotage.run(sabotage.named(name), [*words, f"--broken-by={name}"])
    if not (arguments.json or arguments.trace) and status in (0, 1):
        print(f"\n{name}: " + ("caught" if status else "NOT caught; try more seeds"))
    return status


def _verdict(tally: Tally) -> str:
    if tally.failed:
        return f"A RULE WAS BROKEN in {len(tally.failed)} of {tally.seeds} worlds"
    if tally.is_narrow:
        return f"every rule held in {tally.seeds} worlds, but they have NEVER been in {', '.join(tally.never)}"
    return f"every rule held in {tally.seeds} worlds"


def _as_told(wrong: str) -> str:
    """With what its number means; a crash of the product's own has none."""
    return f"rule {wrong}" if wrong[:1].isdigit() else wrong


def _print(tally: Tally, *, as_json: bool) -> None:
    print(tally.as_json() if as_json else tally.words(), flush=True)


def _show(tally: Tally) -> None:
    failed = "".join(f"; seed {seed} fails: {wrong.splitlines()[0]}" for seed, wrong in tally.failed.items())
    print(f"{tally.seeds} seeds, {tally.deposits} deposits{failed}", file=sys.stderr, flush=True)


def _smallest(seed: int, broken_by: str | None) -> None:
    """The least of the plan that still breaks the same rule."""
    plan = plan_for(seed)
    with Stage() as stage:
        rule = _rule(stage.run(plan))
        small = shrunken(plan, lambda less: _rule(stage.run(less)) == rule)
        outcome = stage.run(plan.only(small.visits, small.mishaps))
    print(f"\nthe least that still fails, of {small.tried} worlds tried:")
    _tell(outcome)
    broken = f"--sabotage {broken_by} " if broken_by else ""
    print(f"\nto see it again: {_COMMAND} {broken}--start {seed} --trace {small.words()}")


def _rule(outcome: Outcome) -> str:
    return outcome.wrongs[0].partition(":")[0] if outcome.wrongs else ""


def _one(arguments: argparse.Namespace) -> int:
    plan = plan_for(arguments.start)
    visits, mishaps = _places(arguments.visits, len(plan.visits)), _places(arguments.mishaps, len(plan.mishaps))
    with Stage() as stage:
        outcome = stage.run(plan.only(visits, mishaps))
    _tell(outcome)
    if arguments.trace:
        print("\n".join(outcome.log))
    print("every rule held" if not outcome.wrongs else f"A RULE WAS BROKEN: {_as_told(outcome.wrongs[0])}")
    return 1 if outcome.wrongs else 0


def _places(text: str | None, count: int) -> frozenset[int]:
    if text is None:
        return frozenset(range(count))
    if text == "none":
        return frozenset()
    if not all(part.isdecimal() for part in text.split(",")):
        raise ValueError(f"{text}: places are numbers with commas between them, such as 0,3; or none")
    places = frozenset(int(part) for part in text.split(","))
    if not places <= frozenset(range(count)):
        raise ValueError(f"{text}: this seed has 0 to {count - 1}")
    return places


def _tell(outcome: Outcome) -> None:
    print(_plan(outcome.plan))
    print("\n".join(outcome.trace))
    for wrong in outcome.wrongs[:5]:
        print(f"WRONG {_as_told(wrong)}")


def _plan(plan: Plan) -> str:
    lines = [f"seed {plan.seed}: {', '.join(plan.subjects)}"]
    for number, visit in enumerate(plan.visits):
        if visit.pushes:
            notes = ", ".join(f"{push.face} ({push.wish.value})" for push in visit.pushes)
            lines.append(f"visit {number} at terminal {visit.terminal}: {notes}; {visit.end.value}")
    return "\n".join(lines)


def _stop(*_: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)  # So that the workers end too.
    sys.exit(main())
