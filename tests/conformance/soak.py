"""Thousands of notes through one driver, with a fault every twenty, from a seed: ``python -m tests.conformance.soak``.

After every deposit the paper is counted against the journal. A deposit that fails is named by its seed.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from drivers.simulation.script import parse_fault
from guichet.journal.records import Fact
from guichet.v1 import journal_pb2 as pb
from kiosk.journal.folds import NotePhase
from tests.conformance.people import Customer
from tests.conformance.rig import Dead, Rig
from tests.conformance.subject import SUBJECTS, Subject
from tests.virtual_time import run_virtually

NOTES_A_DEPOSIT = 5
DEPOSITS_A_RIG = 40
NOTES_A_FAULT = 20

_FAULTS = (
    "power off 2", "power off 20", "mute 3", "mute 12", "lose 1", "lose 4", "wrong crc 1", "wrong crc 4",
    "noise 7F FC 02 03 28 55", "jam in head", "jam in transport", "jam in box", "box full", "box removed", "cheat",
    "second note", "fail", "not taken",
)  # fmt: skip
_DEATHS: tuple[type[Fact], ...] = (
    pb.NoteEscrowed, pb.StackIntended, pb.ReturnIntended, pb.NoteStacked, pb.AckSent, pb.NoteCleared, pb.DepositClosed,
)  # fmt: skip


@dataclass(slots=True)
class Count:
    """What a soak amounts to. ``doubts``: by the fault that came last before the note."""

    notes: int = 0
    credited: int = 0
    in_doubt: int = 0
    found: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])

    def __str__(self) -> str:
        doubts = f"{self.in_doubt} in doubt ({1000 * self.in_doubt / max(1, self.notes):.1f} of 1000)"
        faults = ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items()))
        return f"{self.notes} notes, {self.credited} credited, {doubts}, {self.found} found; faults: {faults}"


def soak(subject: Subject, notes: int, seed: int) -> Count:
    """Put in ``notes``; raises AssertionError where books and paper part."""
    count, block = Count(), 0
    while count.notes < notes:
        with tempfile.TemporaryDirectory(prefix="soak-") as place:
            run_virtually(_block(subject, Path(place), random.Random(f"{seed}/{block}"), count, notes))
        block += 1
    return count


async def _block(subject: Subject, place: Path, dice: random.Random, count: Count, notes: int) -> None:
    """One machine, from new, for some deposits."""
    rig = Rig(subject, place)
    rig.begin()
    for _ in range(DEPOSITS_A_RIG):
        if count.notes >= notes:
            break
        await _deposit(rig, dice, count, [dice.choice(subject.faces) for _ in range(NOTES_A_DEPOSIT)])
        if not subject.escrow:
            # What fell into a device that has gone dark since is known to nobody before it is back.
            await rig.heard_again()
        rig.conserve()
    await rig.at_rest()
    rig.conserve()
    count.credited += rig.credited.total()
    count.in_doubt += len(rig.fold.in_doubt)
    count.found += rig.notes_by(NotePhase.FOUND).total()
    await rig.kill()


async def _deposit(rig: Rig, dice: random.Random, count: Count, faces: list[str]) -> None:
    count.notes += len(faces)
    if dice.random() < NOTES_A_DEPOSIT / NOTES_A_FAULT:
        _arrange(rig, dice, count)
    with suppress(Dead):  # In the customer's own call; the life that follows recovers.
        await Customer(rig, faces).deposit()
    if rig.dead or rig.journal.dies_after is not None:
        await rig.kill()
        await rig.sleep(dice.choice((0.05, 1.0, 15.0)))
        rig.begin()


def _arrange(rig: Rig, dice: random.Random, count: Count) -> None:
    """A fault at some moment of the next deposit: of the device, or the terminal's death."""
    if dice.random() < 0.3:
        kind = dice.choice(_DEATHS)
        count.faults[f"death after {kind.DESCRIPTOR.name}"] += 1
        rig.journal.dies_after = lambda fact: isinstance(fact, kind)
        return
    fault = dice.choice(_FAULTS)
    count.faults[fault] += 1
    rig.at(rig.now + dice.uniform(0.5, 15.0), lambda: rig.device.act(parse_fault(fault), rig.now))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.soak", description=__doc__)
    parser.add_argument("--notes", type=int, default=10_000, help="notes a driver (10000)")
    parser.add_argument("--seed", type=int, default=1, help="the run's seed (1)")
    parser.add_argument("--driver", action="append", help="only this one; may be given again")
    arguments = parser.parse_args()
    for subject in SUBJECTS:
        if arguments.driver and subject.name not in arguments.driver:
            continue
        began = time.monotonic()
        print(f"{subject.name}, seed {arguments.seed}: ", end="", flush=True)
        print(f"{soak(subject, arguments.notes, arguments.seed)}; {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
