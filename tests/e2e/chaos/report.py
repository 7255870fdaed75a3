"""What a run of chaos says of itself: to people, to scripts, and where something was wrong."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import fields

from tests.e2e.chaos.run import Tally


def as_json(tally: Tally) -> str:
    """One line."""
    told = {one.name: getattr(tally, one.name) for one in fields(tally)}
    return json.dumps({**told, "killed": tally.kills.total()})


def words(tally: Tally) -> str:
    """For the end of a run."""
    return (
        f"{tally.kills.total()} kills -9 ({_counted(tally.kills)}) and besides: {_counted(tally.others) or 'nothing'}; "
        f"{tally.lives} lives of the terminal, {tally.comparisons} comparisons; {tally.sessions} sessions, "
        f"{tally.notes} notes, {tally.in_box} in the box, {tally.in_doubt} in doubt, {tally.records} records; "
        f"{tally.seconds:.0f} s"
    )


def failure(tally: Tally, command: str, kept: str) -> str:
    """What was wrong, what happened before in its order, and how to try again."""
    return "\n".join(
        (
            *tally.trace,
            f"WRONG after {tally.kills.total()} kills of seed {tally.seed}: {tally.found}",
            "The same plan again, though real processes do not run twice alike:",
            f"  GUICHET_KEEP=1 {command}",
            f"Its folder is kept: {kept}" if kept else "GUICHET_KEEP=1 keeps the folder with journal, books and logs.",
        )
    )


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common())
